"""Frames that notebooks show as cards and everything else treats as the pandas frames that they are."""

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Self

import pandas as pd

from influence.cards.drawing import Example, Question, Span, explained, rest, suspected

MOST_CARDS = 20
EXPLAINED = {"kind", "train_id", "score", "label", "predicted", "text", "words"}
ABOUT = {"id", "text", "label", "predicted", "method"}
SUSPECTED = {"train_id", "text", "label", "suggested_label", "suspicion", "reason"}


class CardFrame(pd.DataFrame):
    """A pandas frame whose rows a notebook shows as cards, where it has the columns of an explanation or of suspects.

    Rows taken from it, sorted or filtered, are a `CardFrame` again; with columns left out it is shown as any frame is.
    `pandas.DataFrame(frame)` is the table.
    """

    @property
    def _constructor(self) -> Callable[..., Self]:
        return type(self)

    def _repr_html_(self) -> str | None:
        if not pd.get_option("display.notebook_repr_html"):
            return None
        if self.columns.is_unique and set(self.columns) >= EXPLAINED and set(self.attrs) >= ABOUT:
            return _explanation(self)
        if self.columns.is_unique and set(self.columns) >= SUSPECTED:
            return suspected(self.head(MOST_CARDS).to_dict("records"), more=max(len(self) - MOST_CARDS, 0))
        table: str | None = pd.DataFrame(self)._repr_html_()  # type: ignore[operator]
        return table


def _explanation(frame: CardFrame) -> str:
    about = frame.attrs
    sides = {"proponent": [], "opponent": []}  # type: dict[str, list[Example]]
    shown = pd.DataFrame(frame).groupby("kind", sort=False).head(MOST_CARDS // 2)
    for row in shown.to_dict("records"):
        sides.setdefault(str(row["kind"]), []).append(_example(row))
    texts = [side for side in (about["text"], about.get("text_pair")) if isinstance(side, str)]
    predicted = str(about["predicted"])
    probability = about.get("probabilities", {}).get(predicted)
    question = Question(about["id"], texts, str(about["label"]), predicted, probability, str(about["method"]))
    drawn = explained(question, sides["proponent"], sides["opponent"])
    return drawn + rest(len(frame) - len(shown))


def _example(row: Mapping[Hashable, Any]) -> Example:
    words = row["words"] if isinstance(row["words"], dict) else {}
    texts = [side for side in (row["text"], row.get("text_pair")) if isinstance(side, str)]
    return Example(
        str(row["train_id"]),
        float(row["score"]),
        str(row["label"]),
        str(row["predicted"]),
        [(text, _spans(text, words)) for text in texts],
        words,
    )


def _spans(text: str, words: Mapping[str, float]) -> list[Span]:
    """Where the words of the explained sentence stand in a text, written large or small; a word within a word does not count."""
    found = []
    for word, score in words.items():
        pattern = (r"\b" if word[:1].isalnum() else "") + re.escape(word) + (r"\b" if word[-1:].isalnum() else "")
        found += [(match.start(), match.end(), score) for match in re.finditer(pattern, text, re.IGNORECASE) if word]
    return found
