"""The Words page: words by what they carry against the mistakes, or the training examples of one word."""

from functools import partial

import pandas as pd
import streamlit as st

import influence
from influence.explanations import MistakeFilter, confusions, has_words, words, write_words
from pages.ui.frame import Session, answers, arrive, bind, messages, render, shell
from pages.ui.words import examples, listing
from pages.ui.words.address import WordsAddress, read_address


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    session = Session.of_visitor(workspace)
    shell.follow()
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    session.show_title("Words")
    messages.show()
    try:
        if not has_words(workspace):
            with st.spinner("Adding up the words of the mistakes. This is done once."):
                write_words(workspace.path)
        found = confusions(workspace)
        sums = _sums(workspace, address.filter)
    except influence.WordtraceError as error:
        st.error(render.md(error, 600))
        return
    if found.empty:
        render.hint("Every test prediction is right: there is no mistake whose words could be added up.")
    elif address.word:
        examples.draw(session, address, sums, lambda: _mistakes(address, found))
    else:
        listing.draw(session, address, sums, found, lambda: _mistakes(address, found))


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=answers.BY_BUILD)
def _sums(workspace: influence.Workspace, filter: MistakeFilter) -> pd.DataFrame:
    """The words of some mistakes; kept, since they never change within a build."""
    return words(workspace, filter)


def _mistakes(address: WordsAddress, found: pd.DataFrame) -> None:
    """The two labels that choose the mistakes; each choice says how many the other one leaves."""
    for field, other, name, empty in (
        ("label", "predicted", "Mistakes of", "any label"),
        ("predicted", "label", "taken for", "any"),
    ):
        chosen = getattr(address, other)
        sums = (found if not chosen else found[found[other] == chosen]).groupby(field)["mistakes"].sum()
        counts = {str(label): int(count) for label, count in sums.items()}
        options = sorted({*counts, *filter(None, [getattr(address, field)])}, key=lambda label: (-counts.get(label, 0), label))
        st.selectbox(
            name, ["", *options], width=190, format_func=partial(_counted, counts, empty),
            **bind(address, field, f"words_{field}", page=1, part=1),
        )  # fmt: skip


def _counted(counts: dict[str, int], empty: str, label: str) -> str:
    return f"{label} ({counts.get(label, 0):,})" if label else empty
