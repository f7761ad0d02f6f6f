"""Tasks for Argilla 2: the folder that `rg.Dataset.from_disk` reads.

    records.json              a list of records, as `dataset.records.to_json` writes them
    .argilla/settings.json    fields, questions and metadata, as `rg.Settings.to_json` writes them
    .argilla/dataset.json     the data set's name

Offsets of suggested spans count code points, as Argilla's server checks them; its page counts UTF-16 units, so behind an
emoji it shows a mark a place too far to the left (argilla-io/argilla issue 5729).
"""

import re
from collections.abc import Sequence
from typing import Any

from influence.exchange.tasks import AGAINST, FOR, Task, remove_choice

AGENT = "wordtrace"
LABEL, MARKS = "label", ("words", "words_pair")  # names of the questions
FIELDS = {"text": "Text", "text_pair": "Second text", "given_label": "Label in the data", "reason": "Why it is suspected"}
TERMS = {"example_id": "Id", "text_sha256": "SHA-256 of the text", "suggested_label": "Suggested label"}
GUIDELINES = (
    "Choose the label that fits the text, or removal where none does. The suggestion is Wordtrace's; its score orders "
    "suspects and is no probability. Through the marked words, related training examples speak for the given label or against it."
)
FEWEST_VISIBLE = 3  # options that Argilla can be told to show


def record(one: Task) -> dict[str, Any]:
    """One record, as `Record.to_dict` gives it."""
    pair = {} if one.text_pair is None else {"text_pair": one.text_pair}
    suggestions: dict[str, Any] = {LABEL: {"value": one.suggested_label, "score": one.suspicion, "agent": AGENT}}
    for side, question in enumerate(MARKS):
        if marked := [word for word in one.words if word.side == side]:
            suggestions[question] = {
                "value": [{"label": word.mark, "start": word.start, "end": word.end} for word in marked],
                "score": [abs(word.share) for word in marked],
                "agent": AGENT,
            }
    return {
        "id": one.example_id,
        "fields": {"text": one.text, **pair, "given_label": one.label, "reason": one.reason},
        "metadata": {
            "example_id": one.example_id,
            "text_sha256": one.text_sha256,
            "suggested_label": one.suggested_label,
            "suspicion": one.suspicion,
        },
        "suggestions": suggestions,
        "responses": {},
        "vectors": {},
        "status": "pending",
        "_server_id": None,
    }


def settings(labels: Sequence[str], *, pairs: bool) -> dict[str, Any]:
    """The data set's settings, as `rg.Settings.serialize` gives them."""
    choices = [*labels, remove_choice(labels)]
    names = [name for name in FIELDS if pairs or name != "text_pair"]
    answer: dict[str, Any] = {"type": "label_selection", "options": _options(choices)}
    if len(choices) >= FEWEST_VISIBLE:
        answer["visible_options"] = len(choices)
    marks = [(MARKS[side], field) for side, field in enumerate(("text", "text_pair")) if field in names]
    about = {"type": "span", "allow_overlapping": False, "options": _options((FOR, AGAINST))}
    return {
        "guidelines": GUIDELINES,
        "fields": [
            _named(name, FIELDS[name], {"type": "text", "use_markdown": False}, required=name != "reason") for name in names
        ],
        "questions": [
            _named(LABEL, "Which label fits?", answer, required=True),
            *(
                _named(
                    question, f"Words that speak for or against it: {FIELDS[field]}", {**about, "field": field}, required=False
                )
                for question, field in marks
            ),
        ],
        "vectors": [],
        "metadata": [
            *(_metadata(name, title, {"type": "terms"}) for name, title in TERMS.items()),
            _metadata("suspicion", "Suspicion", {"type": "float"}),
        ],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }


def dataset(name: str) -> dict[str, Any]:
    """The data set itself, whose name may hold letters, digits, spaces and `-_` only."""
    plain = re.sub(r"[^a-zA-Z0-9 _-]+", "-", name).strip("-_ ")[:180]
    return {"name": f"{plain or 'wordtrace'} suspects", "status": "draft", "guidelines": GUIDELINES}


def _options(values: Sequence[str]) -> list[dict[str, str | None]]:
    return [{"value": value, "text": value, "description": None} for value in values]


def _named(name: str, title: str, about: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "title": title, "required": required, "settings": about, "type": about["type"]}


def _metadata(name: str, title: str, about: dict[str, str]) -> dict[str, Any]:
    shown = {"visible_for_annotators": True}
    return {"name": name, "title": title, **shown, "settings": {**about, **shown}}
