"""Argilla 2: records as JSON, and the flat columns of its `datasets` folders and Parquet files.

Responses are votes, suggestions those of models. JSON does not say whether a response was submitted, flat columns do: drafts and
discarded ones are no votes. A corrected label takes the place of every response; where there is none, of the suggestion.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from influence.annotation.table import SUGGESTION, Found, Shape, cell, first_values
from influence.annotation.votes import Vote, model_score
from influence.reading import NewCells, Table

TOOL = "Argilla"
RESPONSES, USERS, STATUS = ".responses", ".responses.users", ".responses.status"
SCORE, AGENT = ".suggestion.score", ".suggestion.agent"
ABOUT = ("vectors", "_server_id", "fields", "metadata", "responses", "suggestions")


def _are_records(raw: Table) -> bool:
    fields, said = first_values(raw, "fields"), first_values(raw, "responses") + first_values(raw, "suggestions")
    return bool(fields and said) and all(isinstance(one, dict) for one in [*fields, *said])


def _unfold_records(raw: Table) -> Found:
    found = Found(id="id" if "id" in raw.columns else None)
    for row in range(len(raw)):
        found.add([row])
        found.copy(raw, without=ABOUT)
        for part in ("fields", "metadata"):
            for name, value in _dict(cell(raw, part, row)).items():
                found.put(f"{part}.{name}" if name in ("id", "status") or _is_taken(found, name, part) else str(name), value)
        _record_answers(found, _dict(cell(raw, "responses", row)), _dict(cell(raw, "suggestions", row)))
    return found


def _record_answers(found: Found, responses: Mapping[str, Any], suggestions: Mapping[str, Any]) -> None:
    for question, answers in responses.items():
        for made in answers if isinstance(answers, list) else []:
            if isinstance(made, dict) and _is_vote(found, question, made.get("value")):
                found.vote(question, Vote(_text(made.get("user_id")), made["value"]))
    for question, made in suggestions.items():
        if isinstance(made, dict) and _is_vote(found, question, made.get("value")):
            who = _text(made.get("agent")) or "suggestion"
            found.suggest(question, Vote(who, made["value"], score=model_score(made.get("score"))))


def _is_taken(found: Found, name: str, part: str) -> bool:
    """Whether a field of the record has the name that its metadata use, too."""
    return part == "metadata" and name in found.columns and found.columns[name][-1] is not None


def _is_vote(found: Found, question: str, value: Any) -> bool:
    """Whether an answer is a label, or several. Spans and rankings are lists of objects; they are noted."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        found.spans[question] = None
        return False
    return value not in (None, "", []) and not isinstance(value, dict)


def _dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""


def _records_relabelled(raw: Table, rows: Sequence[int], question: str, label: Any) -> NewCells:
    [row] = rows
    if question.endswith(SUGGESTION) or not _answered(raw, row, question):
        question = question.removesuffix(SUGGESTION)
        said = _dict(cell(raw, "suggestions", row))
        return {row: {"suggestions": {**said, question: {**_dict(said.get(question)), "value": label}}}}
    said = _dict(cell(raw, "responses", row))
    made = [{**one, "value": label} if one.get("value") is not None else one for one in said[question]]
    return {row: {"responses": {**said, question: made}}}


def _answered(raw: Table, row: int, question: str) -> bool:
    responses = _dict(cell(raw, "responses", row)).get(question)
    return isinstance(responses, list) and any(isinstance(one, dict) and one.get("value") is not None for one in responses)


def _records_reworded(raw: Table, rows: Sequence[int], texts: Mapping[str, str]) -> NewCells:
    [row] = rows
    fields = _dict(cell(raw, "fields", row))
    return {row: {"fields": {**fields, **{name.removeprefix("fields."): text for name, text in texts.items()}}}}


def _are_flat(raw: Table) -> bool:
    return bool(_questions(raw))


def _questions(raw: Table) -> list[str]:
    """The questions that have a column of responses and one of those who gave them."""
    names = [name.removesuffix(RESPONSES) for name in raw.columns if name.endswith(RESPONSES)]
    return [name for name in names if name + USERS in raw.columns]


def _unfold_flat(raw: Table) -> Found:
    found = Found(id="id" if "id" in raw.columns else None)
    questions = _questions(raw)
    of_questions = tuple(f"{name}{end}" for name in questions for end in (RESPONSES, USERS, STATUS, SUGGESTION, SCORE, AGENT))
    for row in range(len(raw)):
        found.add([row])
        found.copy(raw, without=(*of_questions, *ABOUT))
        for question in questions:
            users, status = _list(raw, question + USERS, row), _list(raw, question + STATUS, row)
            for place, value in enumerate(_list(raw, question + RESPONSES, row)):
                said = status[place] if place < len(status) else "submitted"
                if said in ("submitted", None) and _is_vote(found, question, value):
                    found.vote(question, Vote(_text(users[place]) if place < len(users) else "", value))
            suggested = cell(raw, question + SUGGESTION, row)
            if _is_vote(found, question, suggested):
                who = _text(cell(raw, question + AGENT, row)) or "suggestion"
                found.suggest(question, Vote(who, suggested, score=model_score(cell(raw, question + SCORE, row))))
    return found


def _list(raw: Table, column: str, row: int) -> list[Any]:
    found = cell(raw, column, row)
    return list(found) if isinstance(found, list | tuple) else []


def _flat_relabelled(raw: Table, rows: Sequence[int], question: str, label: Any) -> NewCells:
    [row] = rows
    responses = _list(raw, question + RESPONSES, row)
    if question.endswith(SUGGESTION) or not any(value is not None for value in responses):
        return {row: {question.removesuffix(SUGGESTION) + SUGGESTION: label}}
    return {row: {question + RESPONSES: [None if value is None else label for value in responses]}}


RECORDS = Shape(TOOL, _are_records, _unfold_records, _records_relabelled, _records_reworded)
FLAT = Shape(TOOL, _are_flat, _unfold_flat, _flat_relabelled)
