"""By word: the words of the mistakes, by what they carry against them."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
import streamlit as st

import influence
from influence.explanations import APART, COMMON, MistakeFilter, confusions, has_words, words, write_words
from influence.workspace import LEAST_PULL, STORED_TOP
from pages.ui.frame import Session, answers, go, numbers, render, turn_pages
from pages.ui.parts import Row, Signal, rows
from pages.ui.suspects import controls
from pages.ui.suspects.address import WORD_ORDERS, WORDS_SHOWN, WordsAddress

PAGE = 30
KEY, ROWS = "words", "words_rows"
HEADS = (
    f"Word, the sentences that it pulls through, and the mistakes of whose pull it carries {LEAST_PULL:.0%} or more",
    "Beside the strongest word",
)
ABOUT = {
    "against": f"What it carries below 0, over the {STORED_TOP} strongest opponents and as many proponents of each mistake: "
    "it raised the loss on the right label",
    "for": "What it carries above 0: it lowered the loss on the right label",
}


def draw(session: Session, address: WordsAddress) -> None:
    """Which mistakes, which words, and one page of these."""
    found = confusions(session.workspace)
    if found.empty:
        render.hint("Every test prediction is right: there is no mistake whose words could be added up.")
        return
    sums = summed(session.workspace, address.filter)
    listed = sums[~sums["kind"].isin([*APART, *([] if address.show == "all" else [COMMON])])]
    listed = listed[listed["word"].str.contains(address.q.casefold(), regex=False)]
    listed = listed.sort_values(address.sort, ascending=address.sort in ("against", "score"), kind="stable")
    pages = max(1, -(-len(listed) // PAGE))
    page = min(address.page, pages)
    render.hint(_said(session, address, len(listed), found))
    with controls.line(address, search="part of a word", key=KEY):
        controls.folded(lambda: _filters(address, found))
    if listed.empty:
        st.button("Clear the filters", key="words_clear", on_click=go, args=(WordsAddress(workspace=address.workspace),))
        return
    most = listed["against"].abs().max(), listed["support"].max() or 1.0
    shown = listed.iloc[(page - 1) * PAGE : page * PAGE].to_dict("records")
    rows.draw([_row(address, row, most) for row in shown], key=ROWS, on_open=lambda: _open(address), heads=HEADS)
    turn_pages(address, page, pages, key="words_page")
    _apart(sums)


def made(session: Session) -> None:
    """See to it that the words have been added up."""
    if not has_words(session.workspace):
        with st.spinner("Adding up the words of the mistakes. This is done once."):
            write_words(session.workspace.path)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=answers.BY_BUILD)
def summed(workspace: influence.Workspace, filter: MistakeFilter) -> pd.DataFrame:
    """The words of some mistakes; kept, since they never change within a build."""
    return words(workspace, filter)


def mistakes(address: WordsAddress, found: pd.DataFrame) -> None:
    """The two labels that choose the mistakes; each choice says how many the other one leaves."""
    for field, other, name in (("label", "predicted", "Mistakes of"), ("predicted", "label", "taken for")):
        chosen = getattr(address, other)
        sums = (found if not chosen else found[found[other] == chosen]).groupby(field)["mistakes"].sum()
        counts = {str(label): int(count) for label, count in sums.items()}
        options = sorted({*counts, *filter(None, [getattr(address, field)])}, key=lambda label: (-counts.get(label, 0), label))
        named = {"": "any label", **{label: f"{label} ({counts.get(label, 0):,})" for label in options}}
        controls.choice(name, address, field, named, key=KEY, page=1, part=1)


def _filters(address: WordsAddress, found: pd.DataFrame) -> None:
    mistakes(address, found)
    controls.choice(
        "Show", address, "show", WORDS_SHOWN, key=KEY, page=1,
        about="Function words, single letters, punctuation, and words that are everywhere whatever the label seldom say anything",
    )  # fmt: skip
    controls.choice(
        "In order of", address, "sort", WORD_ORDERS, key=KEY, page=1,
        about="On balance: against and for together. It depends on where the stored lists end",
    )  # fmt: skip


def _said(session: Session, address: WordsAddress, count: int, found: pd.DataFrame) -> str:
    for field in ("label", "predicted"):
        found = found if not getattr(address, field) else found[found[field] == getattr(address, field)]
    total = int(found["mistakes"].sum())
    asked = address.in_words()
    these = f"{numbers.counted(total, 'mistake')}{f' {asked}' if asked else ''}"
    if not total:
        return f"The model makes no mistake {asked}."
    if not count:
        return f"No word like that pulls against the {these}."
    who = f"{numbers.counted(count, 'word')} {'pulls' if count == 1 else 'pull'}"
    return (
        f"{who} against the {these} in {session.workspace.info.n_test:,} test predictions. A strong pull does not prove a label "
        "wrong: open a word to see its sentences."
    )


def _row(address: WordsAddress, row: dict[Hashable, Any], most: tuple[float, float]) -> Row:
    counts = numbers.counted(row["examples"], "sentence"), f"pushes {numbers.counted(row['mistakes'], 'mistake')}"
    return rows.row(
        str(row["word"]),
        name=" ".join(row["written"].split()),
        href=address.of_word(row["word"]).href(),
        labels=[(text, "quiet") for text in counts[: 2 if row["mistakes"] else 1]],
        sides=[],
        signals=[
            _signal("against", abs(row["against"]) / most[0], strong=True),
            _signal("for", row["support"] / most[1]),
        ],
    )


def _signal(name: str, share: float, *, strong: bool = False) -> Signal:
    return {"name": name, "value": numbers.probability(share), "bar": min(share, 1.0), "about": ABOUT[name], "strong": strong}


def _apart(sums: pd.DataFrame) -> None:
    """What is no word, and how much goes through it."""
    total = sums["against"].sum()
    for kind, what in (
        ("token", "start and end tokens, through which sentences without a common word reach each other"),
        ("piece", "pieces that different words share, as “fun” in “funnier”"),
    ):
        if share := sums[sums["kind"] == kind]["against"].sum() / total:
            render.hint(f"Apart: {numbers.probability(share)} of the pull goes through {what}.")


def _open(address: WordsAddress) -> None:
    if opened := rows.opened(ROWS):
        go(address.of_word(opened))
