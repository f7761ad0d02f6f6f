"""The ranked rows on screen, their words lit, and the ranking as a file."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from influence.candidates import Candidates, as_csv, as_parquet
from pages.ui.data import DataAddress
from pages.ui.frame import numbers, render, shell, turn_pages
from pages.ui.parts import Piece, Row, explanation_board, rows

PAGE = 20
KINDS = {".parquet": ("Parquet", "application/vnd.apache.parquet", as_parquet), ".csv": ("CSV", "text/csv", as_csv)}


def draw(address: DataAddress, found: Candidates) -> None:
    """What was ranked, the files, and one page of the rows that were worked out."""
    ranked = found.frame[found.frame["rank"].notna()]
    what = numbers.counted(found.tests, "wrong test prediction" if found.wrong else "chosen test sentence")
    render.heading(f"{len(ranked):,} rows, the most helpful first", f"by what a training step on each does for {what}")
    render.notes(_said(found, ranked))
    with st.container(horizontal=True, key="wt-candidate-files"):
        for suffix, (name, mime, encode) in KINDS.items():
            st.download_button(
                name, key=f"candidates_{suffix[1:]}", icon=":material/download:", data=partial(encode, found),
                file_name=f"{address.workspace}-candidates{suffix}", mime=mime, on_click="ignore",
            )  # fmt: skip
    top = ranked.head(found.settings.top)
    pages = max(1, -(-len(top) // PAGE))
    page = min(address.page, pages)
    shown = top.iloc[(page - 1) * PAGE : page * PAGE]
    rows.draw([_row(address, row) for row in shown.to_dict("records")], key="candidates_rows")
    if len(ranked) > len(top):
        render.hint(f"Shown are the first {len(top):,}; the files hold all {len(ranked):,}.")
    turn_pages(address, page, pages, key="candidates_page")


def _said(found: Candidates, ranked: pd.DataFrame) -> list[str]:
    """What was read and left out, and what a reader must not mistake."""
    helpful = int((ranked["score"] > 0).sum())
    said = [*found.notes, f"{helpful:,} of them help; a step on the others would raise that loss."]
    if found.guessed:
        said.append(
            f"{numbers.counted(found.guessed, 'row')} without a label: scored by the label that the model finds most probable, "
            "which may be wrong."
        )
    return said


def _row(address: DataAddress, row: dict[Any, Any]) -> Row:
    words = list(row["words"]) if row["words"] is not None else []
    texts = [row[name] for name in ("text", "text_pair") if isinstance(row.get(name), str)]
    sides: list[list[Piece]] = []
    for side, text in enumerate(texts):
        spans = [(at, word["start"], word["end"]) for at, word in enumerate(words) if word["side"] == side]
        sides.append(explanation_board.pieces_of(text, spans, read_to=len(text)))
    special = sum(word["score"] for word in words if word["side"] < 0)
    label = f"{row['label']}, guessed" if row["label_is_guess"] else str(row["label"])
    other = [] if row["predicted"] == row["label"] else [(f"model: {row['predicted']}", "quiet")]
    return rows.row(
        str(row["example_id"]),
        labels=[(f"{row['rank']}", "quiet"), (label, "label"), *other],
        sides=sides,
        sums={at: word["score"] for at, word in enumerate(words) if word["side"] >= 0},
        reason=_helps(row),
        foot=" · ".join(filter(None, (f"score {numbers.score(row['score'])}", explanation_board.rest(special, row["score"])))),
        links=_links(address, row),
    )


def _helps(row: dict[Any, Any]) -> str:
    if row["mistake_id"] is None:
        return ""
    given, said = row["mistake_label"], row["mistake_predicted"]
    which = f"labelled {given}" if given == said else f"labelled {given}, taken for {said}"
    return f"Helps most: “{' '.join(str(row['mistake_text']).split())[:160]}” ({which})"


def _links(address: DataAddress, row: dict[Any, Any]) -> list[tuple[str, str]]:
    if row["mistake_id"] is None:
        return []
    return [("Explore that sentence", shell.href("explore", workspace=address.workspace, id=str(row["mistake_id"])))]
