"""The suspects behind one wrong test prediction."""

import streamlit as st

import influence
from influence.suspects import suspects_behind
from pages.ui.frame import Desk, go, md, render, shell
from pages.ui.parts import bulk_bar, rows, suspect_choice
from pages.ui.suspects import listing
from pages.ui.suspects.address import SuspectsPlace

MOST = 50


def draw(mine: Desk, place: SuspectsPlace) -> None:
    """The test sentence, and its strongest opponents whose own label is in doubt."""
    found = suspects_behind(mine.workspace, place.test, changed=True if place.show == "changed" else None, limit=MOST)
    test = influence.explain(mine.workspace, test_id=place.test, top=1).query
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All suspects", icon=":material/list:", key="suspects_back", on_click=go, args=(place.listing(),))
        shell.link("explore", f"Test sentence {md(place.test)} in Explore", workspace=place.workspace, show="all", id=place.test)
    labels = [(test.label, "label"), ("≠" if test.predicted != test.label else "=", "arrow"), (test.predicted, "label")]
    said = (
        "the model predicts that, wrongly"
        if test.predicted != test.label
        else "the model is right here, so no suspect is to blame"
    )
    rows.draw(
        [rows.row(place.test, labels=labels, sides=rows.plain(test.text, test.text_pair), reason=said)], key="suspects_test"
    )
    if found.empty:
        render.hint("None of its strongest opponents has a label that is in doubt.")
        return
    ids = [str(id) for id in found["train_id"]]
    render.heading(f"{len(ids):,} suspects push it there", "the strongest first")
    origin = {"kind": "test", "test": place.test}
    scope = suspect_choice.scope(mine, "test", f"these {len(ids):,}", lambda: ids, len(ids), origin, f"Behind {place.test}")
    bulk_bar.draw(mine, [scope], key="behind")
    listing.draw_rows(mine, found)
