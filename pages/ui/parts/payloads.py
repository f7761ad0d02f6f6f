"""What components are given: the shapes that their JavaScript reads, and what is made for several of them.

A constant that both languages need stands in Python and goes along in the payload.
"""

import hashlib
from collections.abc import Mapping
from typing import TypedDict

from pages.ui.frame import numbers

SHOWN, FOLDED, UNREAD, FOLDED_UNREAD = "", "folded", "unread", "folded unread"  # a piece's kind: its classes in the style sheet
Piece = tuple[str, int, str]  # text, index of its word or -1, kind
Scores = dict[str, tuple[float, str]]  # by the word's index: its part of a score, and that in print


class Signal(TypedDict):
    """One signal of a suspect: its name, its value as text, how far its bar goes (0 to 1), and what it means."""

    name: str
    value: str
    bar: float
    about: str
    strong: bool


class Row(TypedDict):
    """One line of a list of training examples."""

    id: str
    name: str
    href: str
    labels: list[tuple[str, str]]  # text and kind
    sides: list[list[Piece]]
    sums: Scores
    reason: str
    foot: str
    state: str
    signals: list[Signal]
    links: list[tuple[str, str]]  # text and address
    actions: list[tuple[str, str]]  # likewise; "": it opens the row


def short(score: float) -> float:
    """Four digits: more than a shade shows; the exact sum is in the charts."""
    return float(f"{score:.4g}")


def scores(sums: Mapping[int, float]) -> Scores:
    """Words' parts of a score, as components light and name them."""
    return {str(word): (short(score), numbers.score(score)) for word, score in sums.items()}


def shares(sums: Mapping[int, float], whole: float) -> Scores:
    """Words' parts of a score, as components light them, named by their share of it."""
    return {str(word): (short(score), f"{numbers.share(score, whole)} of the score") for word, score in sums.items()}


def stamped(content: Mapping[str, object]) -> dict[str, object]:
    """The content with a mark that is equal for equal content, so that a component need not draw it again."""
    return {**content, "stamp": hashlib.sha256(repr(content).encode()).hexdigest()[:16]}
