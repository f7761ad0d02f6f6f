"""The key of each label: fixed by the label's place in the workspace, so that a hand can learn it.

Up to 9 labels have the digits 1 to 9; up to 23 the letters that no button uses after that; more have their number, typed with
all its digits (07, 42). A reviewer may give a label another key in the browser.
"""

from collections.abc import Sequence

from influence.data import Edit
from pages.ui.parts import verdicts

DIGITS = "123456789"
LETTERS = "abcdghilortvwz"  # what no button of the page has
FEW = 9  # labels that have a button where there are too many for all
MOST = len(DIGITS) + len(LETTERS)


def keys(labels: Sequence[str]) -> list[str]:
    """The key of each label, in order; of several digits where there are more than 23."""
    if len(labels) <= MOST:
        return list((DIGITS + LETTERS)[: len(labels)])
    width = len(str(len(labels)))
    return [str(number).zfill(width) for number in range(1, len(labels) + 1)]


def payload(labels: Sequence[str]) -> list[dict[str, str]]:
    """Names and keys, for the deck."""
    return [{"name": name, "key": key} for name, key in zip(labels, keys(labels), strict=True)]


def decisions() -> list[dict[str, str]]:
    """What else can be decided, with its key; what masks words takes them first."""
    return [
        {"does": "mask" if Edit(kind).does.masks else kind, "name": words.button, "key": words.key, "about": words.help or ""}
        for kind, words in verdicts.WORDINGS.items()
        if words.button
    ]


STEPS = [
    {"does": "undo", "name": "Undo", "key": "U", "about": "Takes your last decision back, without end"},
    {"does": "redo", "name": "Redo", "key": "Y", "about": "Does again what you took back last"},
    {"does": "note", "name": "Note", "key": "N", "about": "For others to read; decides nothing"},
    {"does": "back", "name": "Previous", "key": "P", "about": "To the example before, decided or not"},
    {"does": "forward", "name": "Next", "key": "J", "about": "Decides nothing"},
    {"does": "more", "name": "Evidence", "key": "E", "about": "More of it, or less"},
    {"does": "keys", "name": "Keys", "key": "?", "about": "All keys, and how to change them"},
]
FIND = {"does": "find", "name": "Another label…", "key": "/", "about": "Finds a label by its name"}
