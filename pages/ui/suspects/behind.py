"""The suspects behind one wrong test prediction."""

import streamlit as st

import influence
from influence.suspects import suspects_behind
from pages.ui.frame import Session, go, md, render, shell
from pages.ui.parts import bulk_bar, rows, suspect_choice
from pages.ui.suspects import listing
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
    labels = [(test.label, "label"), ("≠" if test.predicted != test.label else "=", "arrow"), (test.predicted, "label")]
    said = (
        "the model predicts that, wrongly"
        if test.predicted != test.label
        else "the model is right here, so no suspect is to blame"
    )
    rows.draw(
        [rows.row(address.test, labels=labels, sides=rows.plain(test.text, test.text_pair), reason=said)], key="suspects_test"
    )
    if found.empty:
        render.hint("None of its strongest opponents has a label that is in doubt.")
        return
    ids = [str(id) for id in found["train_id"]]
    render.heading(f"{len(ids):,} suspects push it there", "the strongest first")
    origin = {"kind": "test", "test": address.test}
    scope = suspect_choice.scope(session, "test", f"these {len(ids):,}", lambda: ids, len(ids), origin, f"Behind {address.test}")
    bulk_bar.draw(session, [scope], key="behind")
    listing.draw_rows(session, found)
