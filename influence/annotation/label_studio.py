"""Label Studio: JSON of tasks with their annotations, JSON-MIN and CSV with a row an annotation.

A task's annotations are read as votes; skipped ones (`was_cancelled`) are none, and one that is marked as ground truth counts for
the others. A corrected label is one more annotation, the first, marked so: whatever was annotated stays. In JSON-MIN and CSV,
which hold labels only, every row of the text gets it.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from influence.annotation.table import Found, Shape, cell, first_values, objects
from influence.annotation.votes import Vote, annotator_name, model_score
from influence.reading import NewCells, Table

TOOL = "Label Studio"
WHOLE = {"choices": "choices", "rating": "rating", "number": "number"}  # results about a whole text, and where their value stands
FLAT = ("annotation_id", "annotator", "lead_time")  # columns of JSON-MIN and CSV that say who made what
FLAT_ABOUT = (*FLAT, "created_at", "updated_at", "id", "agreement", "sources", "comments", "reviews", "draft_created_at")


def _are_tasks(raw: Table) -> bool:
    tasks = first_values(raw, "data")
    lists = [*first_values(raw, "annotations"), *first_values(raw, "predictions")]
    return bool(tasks and lists) and all(isinstance(one, dict) for one in tasks) and all(isinstance(one, list) for one in lists)


def _unfold_tasks(raw: Table) -> Found:
    found = Found(id="id" if "id" in raw.columns else None)
    for row in range(len(raw)):
        found.add([row])
        data = cell(raw, "data", row)
        for name, value in (data if isinstance(data, dict) else {}).items():
            found.put("data.id" if name == "id" and found.id else str(name), value)
        if found.id:
            found.put("id", raw.columns["id"][row])
        for made in objects(cell(raw, "annotations", row)):
            if not made.get("was_cancelled"):
                _annotation(found, made)
        for made in objects(cell(raw, "predictions", row)):
            model = made.get("model_version")
            for question, value in _answers(made):
                vote = Vote(str(model or "prediction"), value, _time(made), score=model_score(made.get("score")))
                found.suggest(question, vote)
    return found


def _annotation(found: Found, made: Mapping[str, Any]) -> None:
    for question, value in _answers(made, found.spans):
        who = annotator_name(made.get("completed_by"))
        found.vote(question, Vote(who, value, _time(made), certain=made.get("ground_truth") is True))


def _answers(made: Mapping[str, Any], spans: dict[str, None] | None = None) -> list[tuple[str, Any]]:
    """The results about a whole text, by question; the questions about parts of it are put into `spans`."""
    answers = []
    for result in objects(made.get("result")):
        question, value = str(result.get("from_name", result.get("type", "label"))), result.get("value")
        # Old exports and made-up tasks leave the type out.
        kind = str(result.get("type") or "") or next((kind for kind in WHOLE if isinstance(value, dict) and kind in value), "")
        if isinstance(value, dict) and kind in WHOLE and WHOLE[kind] in value and "start" not in value:
            answers.append((question, value[WHOLE[kind]]))
        elif spans is not None and isinstance(value, dict) and "start" in value:
            spans[question] = None
    return answers


def _time(made: Mapping[str, Any]) -> str:
    at = made.get("updated_at") or made.get("created_at")
    return at if isinstance(at, str) else ""


def _tasks_relabelled(raw: Table, rows: Sequence[int], question: str, label: Any) -> NewCells:
    [row] = rows
    made = copy.deepcopy(raw.columns["annotations"][row])
    annotations = made if isinstance(made, list) else []
    pattern = next((r for r in _all_results(raw, row) if r.get("from_name") == question), None) or {}
    target = pattern.get("to_name") or _target(raw, question)
    result = {"from_name": question, "to_name": target, "type": "choices", "value": {"choices": [str(label)]}}
    if pattern.get("type") in ("rating", "number"):
        result |= {"type": pattern["type"], "value": {pattern["type"]: _number(label)}}
    for one in objects(annotations):
        if one.get("ground_truth") is True:
            one["ground_truth"] = False
    change: dict[str, Any] = {
        "annotations": [{"result": [result], "was_cancelled": False, "ground_truth": True, "origin": "manual"}, *annotations]
    }
    if isinstance(total := cell(raw, "total_annotations", row), int):
        change["total_annotations"] = total + 1
    return {row: change}


def _all_results(raw: Table, row: int) -> list[dict[str, Any]]:
    made = [*objects(cell(raw, "annotations", row)), *objects(cell(raw, "predictions", row))]
    return [result for one in made for result in objects(one.get("result"))]


def _target(raw: Table, question: str) -> str:
    """What the question is about, in the words of any task that has an answer."""
    for row in range(len(raw)):
        for result in _all_results(raw, row):
            if result.get("from_name") == question and result.get("to_name"):
                return str(result["to_name"])
    return "text"


def _number(label: Any) -> Any:
    text = str(label)
    return int(text) if text.lstrip("-").isdecimal() else label


def _tasks_reworded(raw: Table, rows: Sequence[int], texts: Mapping[str, str]) -> NewCells:
    [row] = rows
    return {row: {"data": {**raw.columns["data"][row], **texts}}}


def _is_flat(raw: Table) -> bool:
    return all(name in raw.columns for name in FLAT)


def _unfold_flat(raw: Table) -> Found:
    found = Found(id="id" if "id" in raw.columns else None)
    questions = _flat_questions(raw)
    places: dict[Any, list[int]] = {}
    for row in range(len(raw)):
        task = cell(raw, "id", row)
        key = ("row", row) if task in (None, "") or row in raw.broken or isinstance(task, list | dict) else ("task", str(task))
        places.setdefault(key, []).append(row)
    for rows in places.values():
        found.add(rows)
        found.copy(raw, without=(*questions, *(name for name in FLAT_ABOUT if name != "id")))
        for name in questions:
            for row in rows:
                value = raw.columns[name][row]
                if value not in (None, "", []):
                    _flat_answer(found, raw, row, name, value)
    return found


def _flat_answer(found: Found, raw: Table, row: int, name: str, value: Any) -> None:
    if _are_spans([str(value)]) or (isinstance(value, list) and isinstance(value[0], dict)):
        found.spans[name] = None
        return
    at = cell(raw, "updated_at", row) or cell(raw, "created_at", row) or ""
    found.vote(name, Vote(annotator_name(cell(raw, "annotator", row)), value, str(at)))


def _flat_questions(raw: Table) -> list[str]:
    """The columns that hold answers. JSON-MIN has them between `id` and `annotator`; in CSV those of few values are taken."""
    names = list(raw.columns)
    if raw.form.kind in ("json", "json lines") and names.index("annotator") > (names.index("id") if "id" in names else -1) + 1:
        return [name for name in names[names.index("id") + 1 : names.index("annotator")] if name not in FLAT_ABOUT]
    names = [name for name in names if name not in FLAT_ABOUT]
    spans = [name for name in names if _are_spans([str(value) for value in raw.columns[name] if value])]
    rest = [name for name in names if name not in spans]
    text = max(rest, key=lambda name: sum(len(str(value)) for value in raw.columns[name]), default=None)
    return [*spans, *(name for name in rest if name != text and _has_few_values(raw.columns[name]))]


def _has_few_values(values: Sequence[Any]) -> bool:
    said = [str(value) for value in values if value not in (None, "", [])]
    return 0 < len(set(said)) <= max(2, len(said) // 2)


def _are_spans(said: Sequence[str]) -> bool:
    return bool(said) and all(text.startswith("[{") and "start" in text and "end" in text for text in said[:100])


def _flat_relabelled(raw: Table, rows: Sequence[int], question: str, label: Any) -> NewCells:
    said = [row for row in rows if raw.columns[question][row] not in (None, "", [])]
    return {row: {question: label} for row in said or rows}


TASKS = Shape(TOOL, _are_tasks, _unfold_tasks, _tasks_relabelled, _tasks_reworded)
FLAT_ROWS = Shape(TOOL, _is_flat, _unfold_flat, _flat_relabelled)
