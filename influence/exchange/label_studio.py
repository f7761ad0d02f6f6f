"""Tasks for Label Studio: what it imports, and the labelling configuration beside it.

A task is `{"data": …, "predictions": [{"model_version", "score", "result"}]}`, a result a choice or a span of a text. Offsets
count code points, as Label Studio has done since 1.4. In its CSV and JSON-MIN a question's answer stands beside the data under
the question's name, so no field of the data may have that name.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

from influence.errors import SettingsError
from influence.exchange.tasks import AGAINST, FOR, Task, remove_choice

MODEL = "wordtrace"
LABEL, MARKS = "label", ("words", "words_pair")  # names of the questions
FIELDS = ("text", "text_pair")
COLOURS = {FOR: "#2f7fc9", AGAINST: "#d9730d"}  # as words are lit in the app
LISTED = 20  # choices from which on they are in a menu
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 has no way to write
VARIABLE, APART = re.compile(r"\$(?=[\w\[\]{}.])"), "\u2060"  # a word joiner, which shows nothing
ABOUT = "Words that are marked: related training examples speak for the given label, or against it, through them."


def task(one: Task) -> dict[str, Any]:
    """One task, its suggestion and lit words as a prediction."""
    pair = {} if one.text_pair is None else {"text_pair": one.text_pair}
    return {
        "data": {
            "text": one.text,
            **pair,
            "given_label": one.label,
            "suggested_label": one.suggested_label,
            "suspicion": one.suspicion,
            "reason": one.reason,
            "example_id": one.example_id,
            "text_sha256": one.text_sha256,
        },
        "predictions": [{"model_version": MODEL, "score": one.suspicion, "result": list(_regions(one))}],
    }


def _regions(one: Task) -> Iterable[dict[str, Any]]:
    choice = {"choices": [one.suggested_label]}
    yield {"id": "suggested", "from_name": LABEL, "to_name": FIELDS[0], "type": "choices", "value": choice}
    for number, word in enumerate(one.words):
        value = {"start": word.start, "end": word.end, "text": word.text, "labels": [word.mark]}
        about = {"from_name": MARKS[word.side], "to_name": FIELDS[word.side], "type": "labels"}
        yield {"id": f"word{number}", **about, "value": value, "score": abs(word.share)}


def configuration(labels: Sequence[str], *, pairs: bool) -> str:
    """The labelling configuration: the texts, a choice among the labels and removal, and the marks of words.

    Raises `SettingsError` for a label that XML cannot hold.
    """
    view = ElementTree.Element("View")
    _add(view, "Header", value="$reason", size="5")
    for side in range(2 if pairs else 1):
        _add(view, "Text", name=FIELDS[side], value=f"${FIELDS[side]}")
        marks = _add(view, "Labels", name=MARKS[side], toName=FIELDS[side])
        for mark, colour in COLOURS.items():
            _add(marks, "Label", value=mark, background=colour)
    _add(view, "Header", value=ABOUT, size="6")
    choices = [*labels, remove_choice(labels)]
    layout = {"layout": "select"} if len(choices) > LISTED else {"showInLine": "true"}
    asked = _add(view, "Choices", name=LABEL, toName=FIELDS[0], choice="single", required="true", **layout)
    for choice in choices:
        if NO_XML.search(choice):
            raise SettingsError(f"label {choice!r} holds a character that Label Studio's configuration cannot; rename the label")
        # Label Studio takes $5 for a field of the data; the alias is what predictions and answers say.
        shown = VARIABLE.sub(f"${APART}", choice)
        _add(asked, "Choice", value=shown, **({} if shown == choice else {"alias": choice}))
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _add(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)
