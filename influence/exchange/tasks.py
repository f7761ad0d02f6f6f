"""A task: what an annotator is shown of one suspect, whatever the tool.

    tasks = make_tasks(workspace, waiting(workspace, reviews, top=200))

The words are those that the Review card lights, with the same sign: above 0 a word through which the related training examples
support the given label, below 0 one through which they pull away from it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from influence.data import text_sha256
from influence.explanations import Explanation, label_evidence, word_support
from influence.review import Reviews
from influence.suspects import SuspectFilter, suspect_ids, suspects
from influence.types import Progress, StageKind, silent
from influence.workspace import WorkspaceReader

# A word is marked from this share of the strongest word's part on. The card shades the others, too, but so faintly that
# nobody takes them for lit; a mark in an annotation tool has no shades.
FAINTEST = 0.1
FOR, AGAINST = "for", "against"  # what marks are called: the word speaks for the given label, or against it
REMOVE = "remove (no label fits)"


@dataclass(frozen=True)
class LitWord:
    """A word of the text (side 0) or of the second text (1), by its characters counted as Python does, in code points."""

    side: int
    start: int
    end: int
    text: str
    share: float  # of the strongest word's part of the scores, -1 to 1; above 0 it speaks for the given label

    @property
    def mark(self) -> str:
        """What it is marked as."""
        return FOR if self.share > 0 else AGAINST


@dataclass(frozen=True)
class Task:
    """One suspect as an annotator is to see it. The SHA-256 of its texts says later which texts were judged."""

    example_id: str
    text: str
    text_pair: str | None
    text_sha256: str
    label: str
    suggested_label: str
    suspicion: float  # 0 to 1, no probability; the suggestion's score
    rank: int  # 1 is the most suspicious
    reason: str
    words: tuple[LitWord, ...]

    @property
    def texts(self) -> list[str]:
        """The text, or both of a pair."""
        return [self.text] if self.text_pair is None else [self.text, self.text_pair]


def remove_choice(labels: Collection[str]) -> str:
    """What is chosen where no label fits: the same for the same labels, and none of them."""
    choice = REMOVE
    while choice in labels:
        choice += "!"
    return choice


def waiting(workspace: WorkspaceReader, reviews: Reviews | None, *, top: int, decided: bool = False) -> list[str]:
    """The most suspicious examples for which another label is suggested; with `decided`, those that somebody has decided, too.

    Raises `WorkspaceMissing` where the suspects have not been computed.
    """
    done = set() if decided or reviews is None else {decision.example_id for decision in reviews.decisions()}
    return [id for id in suspect_ids(workspace, SuspectFilter(changed=True)) if id not in done][:top]


def make_tasks(workspace: WorkspaceReader, ids: Sequence[str], *, progress: Progress = silent) -> list[Task]:
    """The tasks of some training examples, the most suspicious first. Raises `WorkspaceMissing` where there are no suspects."""
    _, page = suspects(workspace, SuspectFilter(among=list(ids)), limit=max(len(ids), 1))
    rows = page.to_dict("records")
    made = []
    for number, row in enumerate(rows):
        progress(StageKind.TASKS, number, len(rows))
        made.append(_task(workspace, {str(name): value for name, value in row.items()}))
    progress(StageKind.TASKS, len(rows), len(rows))
    return made


def _task(workspace: WorkspaceReader, row: dict[str, Any]) -> Task:
    id, pair = str(row["train_id"]), None if pd.isna(row["text_pair"]) else str(row["text_pair"])
    return Task(
        example_id=id,
        text=row["text"],
        text_pair=pair,
        text_sha256=text_sha256(row["text"], pair),
        label=row["label"],
        suggested_label=row["suggested_label"],
        suspicion=float(row["suspicion"]),
        rank=int(row["rank"]),
        reason=row["reason"],
        words=lit_words(label_evidence(workspace, id)),
    )


def lit_words(found: Explanation) -> tuple[LitWord, ...]:
    """The words of an explained example through which most of it goes, in the order of the texts; none overlaps another."""
    support = word_support(found)
    most = max(map(abs, support.values()), default=0.0)
    lit, reached = [], {0: 0, 1: 0}
    for index, word in enumerate(found.query.words):
        share = support.get(index, 0.0) / most if most else 0.0
        if abs(share) >= FAINTEST and reached[word.side] <= word.start < word.end:
            lit.append(LitWord(word.side, word.start, word.end, word.text, round(share, 4)))
            reached[word.side] = word.end
    return tuple(sorted(lit, key=lambda word: (word.side, word.start)))
