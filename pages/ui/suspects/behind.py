"""The suspects behind one wrong test prediction."""

import streamlit as st

import influence
from influence.suspects import suspects_behind
from influence.workspace import STORED_TOP
from pages.ui.frame import Session, go, md, numbers, render, shell
from pages.ui.parts import bulk_bar, rows, suspect_choice
from pages.ui.suspects import controls, members
from pages.ui.suspects.address import SuspectsAddress

MOST = 50


def draw(session: Session, address: SuspectsAddress) -> None:
    """The test sentence, and its strongest opponents whose own label is in doubt."""
    found = suspects_behind(session.workspace, address.test, changed=True if address.show == "changed" else None, limit=MOST)
    test = influence.explain(session.workspace, test_id=address.test, top=1).query
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All suspects", icon=":material/list:", key="suspects_back", on_click=go, args=(address.listing(),))
        shell.link(
            "explore", f"Test sentence {md(address.test)} in Explore", workspace=address.workspace, show="all", id=address.test
        )
    wrong = test.predicted != test.label
    labels = [
        (test.label, "label"),
        *([("taken for", "quiet"), (test.predicted, "label")] if wrong else [("predicted so", "quiet")]),
    ]
    rows.draw([rows.row(address.test, labels=labels, sides=rows.plain(test.text, test.text_pair))], key="suspects_test")
    if found.empty:
        none = f"None of its {STORED_TOP} strongest opponents has a label that is in doubt."
        render.hint(none if wrong else "The model is right here, so no suspect is to blame.")
        return
    ids = [str(id) for id in found["train_id"]]
    left = members.undecided(session, ids, "all" if address.decided == "yes" else address.decided)
    share = f"{found['share'].sum():.0%} of the pull of its {STORED_TOP} strongest opponents"
    render.heading(f"{numbers.counted(len(ids), 'suspect')} behind it", f"{share}; the strongest first")
    origin = {"kind": "test", "test": address.test}
    every = suspect_choice.scope(session, lambda: left, len(left), origin, f"Behind {address.test}")
    with controls.line(address, search="", key="behind"):
        controls.decided(address, key="behind", count=len(ids) - len(left))
        if left:
            bulk_bar.review(session, every)
    if not left:
        members.all_decided(session, len(ids))
        return
    shown = found[found["train_id"].isin(left)]
    whole = members.List(every, f"{session.workspace.name} behind {address.test}", open=lambda id: go(address.at(id=id)))
    members.draw(session, shown, whole)
