"""Prodigy: JSON lines of `choice` and `classification` tasks, a line an annotator's answer to one of them.

Lines with the same `_input_hash` are about one text. Ignored tasks, and choices that were rejected, have no label. Where a single
label was asked for, rejecting it is the label `not LABEL`; among two it is the other; among more it says too little.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from influence.annotation.table import Found, Shape, cell, first_values
from influence.annotation.votes import Vote, annotator_name
from influence.reading import NewCells, Table

TOOL = "Prodigy"
CHOICE, LABEL = "accept", "label"
ANSWERS = ("accept", "reject", "ignore")
ABOUT = ("answer", "options", "config", "accept", "label", "meta", "spans", "tokens", "priority", "score", "html", "style")


def _fits(raw: Table) -> bool:
    answers = first_values(raw, "answer")
    made = "_input_hash" in raw.columns or "_task_hash" in raw.columns
    return made and bool(answers) and all(answer in ANSWERS for answer in answers if isinstance(answer, str))


def _is_choice(raw: Table, row: int) -> bool:
    return isinstance(cell(raw, "options", row), list) and isinstance(cell(raw, CHOICE, row), list | str | int | None)


def _unfold(raw: Table) -> Found:
    groups: dict[Any, list[int]] = {}
    for row in range(len(raw)):
        number = cell(raw, "_input_hash", row)
        groups.setdefault((number,) if isinstance(number, int | str) else ("row", row), []).append(row)
    found = Found(id="_input_hash" if all(len(key) == 1 for key in groups) else None)
    labels, hidden = _labels(raw), [name for name in raw.columns if name.startswith("_") and name != "_input_hash"]
    for rows in groups.values():
        found.add(rows)
        found.copy(raw, without=(*ABOUT, *hidden))
        _votes(found, raw, rows, labels)
        if any(isinstance(cell(raw, "spans", row), list) for row in rows):
            found.spans["spans"] = None
    return found


def _labels(raw: Table) -> list[str]:
    """The labels that were asked for one at a time."""
    return list(dict.fromkeys(value for value in raw.columns.get(LABEL, []) if isinstance(value, str)))


def _votes(found: Found, raw: Table, rows: Sequence[int], labels: Sequence[str]) -> None:
    """What each annotator said of a text, whose rows may ask for a label each."""
    rejected: dict[str, list[int]] = {}
    accepted: dict[str, None] = {}
    for row in rows:
        answer, who = cell(raw, "answer", row), _annotator(raw, row)
        if _is_choice(raw, row):
            chosen = cell(raw, CHOICE, row)
            if answer == "accept" and chosen:
                found.vote(CHOICE, Vote(who, chosen, _time(raw, row)))
        elif isinstance(label := cell(raw, LABEL, row), str):
            if answer == "accept":
                accepted[who] = None
                found.vote(LABEL, Vote(who, label, _time(raw, row)))
            elif answer == "reject":
                rejected.setdefault(who, []).append(row)
    for who, refused in rejected.items():
        if who not in accepted and (left := _left(raw, refused, labels)) is not None:
            found.vote(LABEL, Vote(who, left, _time(raw, refused[-1])))


def _left(raw: Table, refused: Sequence[int], labels: Sequence[str]) -> str | None:
    if len(labels) == 1:
        return f"not {labels[0]}"
    left = [label for label in labels if label not in {raw.columns[LABEL][row] for row in refused}]
    return left[0] if len(labels) == 2 and left else None


def _annotator(raw: Table, row: int) -> str:
    return annotator_name(cell(raw, "_annotator_id", row) or cell(raw, "_session_id", row))


def _time(raw: Table, row: int) -> str:
    at = cell(raw, "_timestamp", row)
    if not isinstance(at, int | float) or isinstance(at, bool):
        return ""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        return ""


def _relabelled(raw: Table, rows: Sequence[int], question: str, label: Any) -> NewCells:
    if question == CHOICE:
        return {row: {CHOICE: [label], "answer": "accept"} for row in rows if cell(raw, CHOICE, row)}
    labels = _labels(raw)
    if len(labels) == 1:
        return {row: {"answer": "accept" if label == labels[0] else "reject"} for row in _answered(raw, rows)}
    if len(labels) == 2 or any(raw.columns[LABEL][row] == label for row in rows):
        return {row: {"answer": "accept" if raw.columns[LABEL][row] == label else "reject"} for row in _answered(raw, rows)}
    return {row: {LABEL: label, "answer": "accept"} for row in _answered(raw, rows) if cell(raw, "answer", row) == "accept"}


def _answered(raw: Table, rows: Sequence[int]) -> list[int]:
    return [row for row in rows if cell(raw, "answer", row) in ("accept", "reject")]


ANSWERED = Shape(TOOL, _fits, _unfold, _relabelled)
