"""doccano: a row a text with a list of labels, in JSON, JSON lines and CSV, of today (`Comments`) and of before (`annotations`).

In a project that is not collaborative every member's file is one of its own. spaCy's `cats`, a number a category, is here, too.
"""

from collections.abc import Sequence
from typing import Any

from influence.annotation.table import Found, Shape, first_values, objects
from influence.annotation.votes import Vote, annotator_name
from influence.reading import NewCells, Table

TOOL, SPACY = "doccano", "spaCy"
LABELS = ("label", "labels", "cats")  # of classifications; intents are `cats`
MARKS = ("Comments", "annotation_approver")


def _fits(raw: Table) -> bool:
    if raw.form.kind == "delimited":  # where nothing but the order of its columns tells it from a table with comments in it
        names = list(raw.columns)
        return names[:2] == ["id", "text"] and names[-2:] == ["label", "Comments"]
    lists = any(isinstance(value, list) for name in LABELS for value in first_values(raw, name))
    return ("Comments" in raw.columns and (lists or _spans_column(raw) is not None)) or _is_old(raw)


def _is_old(raw: Table) -> bool:
    made = [one for value in first_values(raw, "annotations") if isinstance(value, list) for one in value]
    return bool(made) and all(isinstance(one, dict) and "label" in one and "result" not in one for one in made)


def _spans_column(raw: Table) -> str | None:
    """The column of spans: lists such as [0, 3, "PER"], or objects with offsets."""
    for name in ("label", "labels", "entities"):
        said = [one for value in first_values(raw, name) if isinstance(value, list) for one in value]
        if said and all(
            (isinstance(one, list) and len(one) == 3) or (isinstance(one, dict) and "start_offset" in one) for one in said
        ):
            return name
    return None


def _unfold(raw: Table) -> Found:
    found = Found(id="id" if "id" in raw.columns else None)
    spans, question = _spans_column(raw), _question(raw)
    old = _is_old(raw) and question is None
    for row in range(len(raw)):
        found.add([row])
        found.copy(raw, without=(question, spans, "annotations", "meta"))
        if question is not None and (value := raw.columns[question][row]) not in (None, "", []):
            found.vote(question, Vote("", value))
        for one in objects(raw.columns["annotations"][row]) if old else []:
            if "start_offset" in one or "label" not in one:
                found.spans["annotations"] = None
            else:
                found.vote("annotations", Vote(annotator_name(one.get("user")), one["label"], str(one.get("created_at") or "")))
    if spans is not None:
        found.spans[spans] = None
    return found


def _question(raw: Table) -> str | None:
    return next((name for name in LABELS if name in raw.columns and name != _spans_column(raw)), None)


def _relabelled(raw: Table, rows: Sequence[int], question: str, label: Any) -> NewCells:
    [row] = rows
    value = raw.columns[question][row]
    if question == "annotations":
        return {row: {question: [{**one, "label": label} if isinstance(one, dict) else one for one in value]}}
    return {row: {question: [label] if isinstance(value, list) else label}}


def _has_cats(raw: Table) -> bool:
    cats = first_values(raw, "cats")
    return bool(cats) and all(isinstance(one, dict) and one and all(map(_is_share, one.values())) for one in cats)


def _is_share(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and 0 <= value <= 1)


def _unfold_cats(raw: Table) -> Found:
    found = Found(id="id" if "id" in raw.columns else None)
    for row in range(len(raw)):
        found.add([row])
        found.copy(raw, without=("cats",))
        cats = raw.columns["cats"][row]
        if chosen := [name for name, value in (cats if isinstance(cats, dict) else {}).items() if value and value >= 0.5]:
            found.vote("cats", Vote("", chosen))
    return found


def _cats_relabelled(raw: Table, rows: Sequence[int], question: str, label: Any) -> NewCells:
    [row] = rows
    name, given = str(label), raw.columns[question][row]
    return {
        row: {
            question: {
                one: (int if value is None else type(value))(one == name)
                for one, value in {**given, name: given.get(name, 0)}.items()
            }
        }
    }


EXPORT = Shape(TOOL, _fits, _unfold, _relabelled)
CATS = Shape(SPACY, _has_cats, _unfold_cats, _cats_relabelled)
