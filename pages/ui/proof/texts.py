"""The sentences that a change is about, and the examples that it takes: as they read, not by their ids alone."""

from collections.abc import Iterable, Sequence

import pandas as pd
import streamlit as st

from influence.data import Edit
from influence.experiments import Proposal
from influence.workspace import StoredExample
from pages.ui.frame import Session, numbers, render
from pages.ui.parts import Row, rows, verdicts

SHOWN, MORE = 3, 50  # examples on the page, and at most where all are asked for
BEGINNING = 60  # characters
ROWS = "proof_examples"


def of_tests(session: Session, ids: Iterable[str]) -> dict[str, StoredExample]:
    """Test sentences by id, those that there are."""
    store, found = session.workspace.store, {}
    positions = store.positions("test", list(ids))
    for example in store.examples("test", positions.values()).values():
        found[example.id] = example
    return found


def named(tests: pd.DataFrame) -> dict[str, str]:
    """Test sentences for a menu, by id: how each begins, and what it was taken for."""
    return {
        str(row["id"]): f"{shortened(row['text'])} · {row['label']} taken for {row['predicted']} · {row['id']}"
        for row in tests.to_dict("records")
    }


def shortened(text: str) -> str:
    """How a text begins, for a menu."""
    line = " ".join(text.split())
    return line if len(line) <= BEGINNING else f"{line[: BEGINNING - 1]}…"


def quotes(session: Session, ids: Iterable[str]) -> None:
    """Test sentences, each with its label and what the model says now."""
    for id, example in of_tests(session, ids).items():
        said = "rightly" if example.predicted == example.label else f"where {example.label} is right"
        render.quote(whole(example.text, example.text_pair), f"test sentence {id}: the model says {example.predicted}, {said}")


def whole(text: str, text_pair: str | None) -> str:
    """Both texts of a pair on two lines; of a single one that."""
    return text if text_pair is None else f"{text}\n{text_pair}"


def taken(session: Session, proposal: Proposal) -> None:
    """The examples that a change takes, the first few at once, more on request."""
    lines = [*proposal.change.edits(session.workspace.info.labels)]
    rows.draw(_rows(session, lines[:SHOWN]), key=ROWS)
    left = lines[SHOWN:MORE]
    if left:
        with st.expander(f"Read {'the other' if len(lines) <= MORE else 'more of the'} {len(lines) - SHOWN:,}"):
            rows.draw(_rows(session, left), key=f"{ROWS}_more")
            if len(lines) > MORE:
                render.hint(f"The first {MORE} of {numbers.counted(len(lines), 'change')}.")


def _rows(session: Session, lines: Sequence[tuple[int, Edit]]) -> list[Row]:
    ids = list(session.reviews.corpus.examples)
    found = []
    for row, edit in lines:
        example = session.reviews.corpus[ids[row]]
        words = [(f"“{word}”", "gone") for word in edit.words]
        found.append(
            rows.row(
                example.id,
                labels=[*verdicts.becomes(example.label, edit), *words],
                sides=rows.plain(example.text, example.text_pair),
            )
        )
    return found
