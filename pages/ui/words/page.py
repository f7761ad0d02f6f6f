"""The Words page: words by what they carry against the mistakes, or the training examples of one word."""

import pandas as pd
import streamlit as st

import influence
from influence.explanations import confusions, has_words, words, write_words
from pages.ui.frame import Desk, address as places, go, render, session as desk, shell
from pages.ui.words import address, examples, listing
from pages.ui.words.address import WordsPlace

ANY = ""


def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    _page(desk.visit(workspace))


@st.fragment
def _page(mine: Desk) -> None:
    shell.follow()
    place = places.arrive(*address.read(st.query_params.to_dict(), mine.workspace))
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        render.title("Words")
        with st.container(horizontal=True, horizontal_alignment="right", width="stretch"):
            desk.who(mine)
    message, failed = desk.said()
    if message:
        render.said(message, failed=failed)
    try:
        if not has_words(mine.workspace):
            with st.spinner("Adding up the words of the mistakes. This is done once."):
                write_words(mine.workspace.path)
        found = confusions(mine.workspace)
        sums = _sums(str(mine.workspace.build), place.label, place.predicted, mine.workspace)
    except influence.WordtraceError as error:
        st.error(render.md(error, 600))
        return
    if found.empty:
        render.hint("Every test prediction is right: there is no mistake whose words could be added up.")
    elif place.word:
        examples.draw(mine, place, sums, lambda: _mistakes(place, found))
    else:
        listing.draw(mine, place, sums, found, lambda: _mistakes(place, found))


@st.cache_resource(max_entries=32, show_spinner=False)
def _sums(build: str, label: str, predicted: str, _workspace: influence.Workspace) -> pd.DataFrame:
    """The words of some mistakes; kept, since they never change within a build."""
    return words(_workspace, WordsPlace(label=label, predicted=predicted).filter)


def _mistakes(place: WordsPlace, found: pd.DataFrame) -> None:
    """The two labels that choose the mistakes; each choice says how many the other one leaves."""
    for field, other, name, empty in (
        ("label", "predicted", "Mistakes of", "any label"),
        ("predicted", "label", "taken for", "any"),
    ):
        chosen = getattr(place, other)
        counts = (found if not chosen else found[found[other] == chosen]).groupby(field)["mistakes"].sum().to_dict()
        options = sorted({*counts, *filter(None, [getattr(place, field)])}, key=lambda label: (-counts.get(label, 0), label))
        key = f"words_{field}"
        st.session_state[key] = getattr(place, field)
        st.selectbox(
            name, [ANY, *options], key=key, width=190, on_change=_choose, args=(place, field, key),
            format_func=lambda label, counts=counts, empty=empty: f"{label} ({counts.get(label, 0):,})" if label else empty,
        )  # fmt: skip


def _choose(place: WordsPlace, field: str, key: str) -> None:
    go(place.at(**{field: st.session_state[key] or "", "page": 1, "part": 1}))
