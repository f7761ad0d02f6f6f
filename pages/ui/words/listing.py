"""The words of the mistakes, with bars for what they carry against them and for them."""

from collections.abc import Callable, Hashable
from typing import Any, TypedDict

import pandas as pd
import streamlit as st

from influence.explanations import APART, COMMON
from influence.workspace import STORED_TOP
from pages.ui.frame import Session, bind, component, go, numbers, render, turn_pages
from pages.ui.parts import stamped
from pages.ui.words.address import SHOW, SORTS, WordsAddress

PAGE = 30
TABLE = "words_table"
WIDEST = 60  # characters of a word
MEANING = (
    f"Added up, in nats, over the {STORED_TOP} strongest opponents and {STORED_TOP} strongest proponents of each mistake, "
    "no other example. Against: what raised the loss on the right label. For: what lowered it. A large pull against does not "
    "prove a label wrong; open a word to see its examples."
)
_component = component("words", "words/listing")


class WordRow(TypedDict):
    """One word of the list."""

    word: str
    written: str
    href: str
    against: str
    support: str
    score: str
    bars: list[float]  # against and for, 0 to 1
    mistakes: str
    examples: str


def draw(session: Session, address: WordsAddress, sums: pd.DataFrame, found: pd.DataFrame, mistakes: Callable[[], None]) -> None:
    """Which mistakes, which words, and one page of these."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="wt-filters"):
        mistakes()
        _filters(address)
    listed = sums[~sums["kind"].isin([*APART, *([] if address.show == "all" else [COMMON])])]
    listed = listed[listed["word"].str.contains(address.q.casefold(), regex=False)]
    listed = listed.sort_values(address.sort, ascending=address.sort in ("against", "score"), kind="stable")
    pages = max(1, -(-len(listed) // PAGE))
    page = min(address.page, pages)
    render.hint(_said(session, address, len(listed), found))
    if listed.empty:
        st.button("Clear the filters", key="words_clear", on_click=go, args=(WordsAddress(workspace=address.workspace),))
        return
    render.hint(MEANING)
    shown = listed.iloc[(page - 1) * PAGE : page * PAGE]
    _component(
        key=TABLE,
        data=_payload(address, shown, sums, max(listed["against"].abs().max(), listed["support"].max())),
        on_opened_change=lambda: _open(address),
    )
    turn_pages(address, page, pages, key="words_page")


def total(value: float) -> str:
    """A sum of scores: three digits, and from a thousand on whole nats."""
    if abs(value) < 999.5:
        return numbers.score(value)
    return f"{numbers.MINUS if value < 0 else '+'}{abs(value):,.0f}"


def _filters(address: WordsAddress) -> None:
    st.text_input(
        "Search", type="search", placeholder="part of a word", width=160, max_chars=100,
        **bind(address, "q", "words_q", page=1),
    )  # fmt: skip
    st.segmented_control(
        "Show", list(SHOW), format_func=SHOW.__getitem__, required=True, **bind(address, "show", "words_show", page=1),
        help="Stop words (English) and punctuation seldom say what a mistake is about",
    )  # fmt: skip
    st.selectbox(
        "Sort by", list(SORTS), format_func=SORTS.__getitem__, width=150, **bind(address, "sort", "words_sort", page=1),
        help="On balance: against and for together. It depends on where the stored lists end",
    )  # fmt: skip


def _said(session: Session, address: WordsAddress, count: int, found: pd.DataFrame) -> str:
    for field in ("label", "predicted"):
        found = found if not getattr(address, field) else found[found[field] == getattr(address, field)]
    total_mistakes = int(found["mistakes"].sum())
    asked = address.in_words()
    these = f"{numbers.counted(total_mistakes, 'mistake')}{f' {asked}' if asked else ''}"
    if not total_mistakes:
        return f"The model makes no mistake {asked}."
    if not count:
        return f"No word like that pulls against the {these}."
    who = f"{numbers.counted(count, 'word')} {'pulls' if count == 1 else 'pull'}"
    return f"{who} against the {these} in {session.workspace.info.n_test:,} test predictions"


def _payload(address: WordsAddress, shown: pd.DataFrame, sums: pd.DataFrame, most: float) -> dict[str, object]:
    tokens = sums[sums["kind"].isin(APART)]
    return stamped(
        {
            "sort": address.sort,
            "rows": [_row(address, row, most) for row in shown.to_dict("records")],
            "tokens": [_row(address, row, most) for row in tokens.to_dict("records")],
        }
    )


def _row(address: WordsAddress, row: dict[Hashable, Any], most: float) -> WordRow:
    written = " ".join(row["written"].split())
    return {
        "word": row["word"],
        "written": written if len(written) <= WIDEST else f"{written[: WIDEST - 1]}…",
        "href": "" if row["kind"] in APART else address.of_word(row["word"]).href(),
        "against": total(row["against"]),
        "support": total(row["support"]),
        "score": total(row["score"]),
        "bars": [round(min(abs(row[name]) / most, 1.0), 4) for name in ("against", "support")],
        "mistakes": f"{row['mistakes']:,}",
        "examples": f"{row['examples']:,}",
    }


def _open(address: WordsAddress) -> None:
    if opened := st.session_state[TABLE].get("opened"):
        go(address.of_word(str(opened)))
