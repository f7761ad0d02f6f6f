"""The answer to a question about influence: sentences with their words, and the influences that explain one loss.

Sign: a score above 0 is a proponent (training on it lowered the loss on the explained label), below 0 an opponent.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from influence.attribution import DEFAULT_METHOD
from influence.cards import CardFrame, Example, Question, explained
from influence.data import folded
from influence.errors import QueryError
from influence.workspace import StoredExample, WorkspaceReader


@dataclass(frozen=True)
class Word:
    """A whole word as the user wrote it; side 0 is the text, 1 the second text, -1 a start or end token."""

    text: str
    start: int
    end: int
    side: int


@dataclass(frozen=True)
class Sentence:
    """A text with what the last checkpoint predicts for it. `id` is None for a typed text, whose `label` is empty."""

    id: str | None
    text: str
    text_pair: str | None
    label: str
    predicted: str
    probabilities: dict[str, float]
    words: list[Word]
    truncated: bool


@dataclass(frozen=True)
class Match:
    """Signed contribution of a word of the query together with a word of the training example (same token)."""

    test_word: int
    train_word: int
    score: float


@dataclass(frozen=True)
class Influence:
    """One training example and its score; `matches` sum to `score`, and so do `checkpoint_scores`."""

    train: Sentence
    score: float
    checkpoint_scores: list[float]
    special_score: float  # the part of the score carried by start and end tokens
    matches: list[Match]

    def test_words(self) -> dict[int, float]:
        """Contribution of each word of the query that has one, by word index; they sum to the score."""
        return _totals((match.test_word, match.score) for match in self.matches)

    def train_words(self) -> dict[int, float]:
        """Contribution of each word of the training example that has one, by word index; they sum to the score."""
        return _totals((match.train_word, match.score) for match in self.matches)


@dataclass(frozen=True)
class Explanation:
    """The strongest proponents (largest first) and opponents (most negative first) of one loss."""

    query: Sentence
    label: str  # the label whose loss is explained
    method: str
    proponents: list[Influence]
    opponents: list[Influence]

    def to_frame(self) -> pd.DataFrame:
        """One row an influence, the proponents first.

        Columns: kind, train_id, score, label, predicted, text, text_pair (of pairs) and words, the contribution of each word
        of the explained sentence (they sum to the score; empty for methods without words). `frame.attrs` says what was
        explained: id, text, text_pair (of pairs), label, predicted, probabilities, method.
        """
        sides = (("proponent", self.proponents), ("opponent", self.opponents))
        rows = [_row(kind, influence, self.query) for kind, influences in sides for influence in influences]
        columns = ["kind", "train_id", "score", "label", "predicted", "text", "text_pair", "words"]
        frame = CardFrame(rows, columns=columns)
        if self.query.text_pair is None:
            del frame["text_pair"]
        query = self.query
        frame.attrs = {"id": query.id, "text": query.text, "label": self.label, "predicted": query.predicted}
        frame.attrs |= {"probabilities": query.probabilities, "method": self.method}
        frame.attrs |= {} if query.text_pair is None else {"text_pair": query.text_pair}
        return frame

    def _repr_html_(self) -> str:
        """What a notebook shows: the cards of the app."""
        query = self.query
        sides = [side for side in (query.text, query.text_pair) if side is not None]
        probability = query.probabilities.get(query.predicted)
        question = Question(query.id, sides, self.label, query.predicted, probability, self.method)
        proponents, opponents = ([_example(one, query) for one in ones] for ones in (self.proponents, self.opponents))
        return explained(question, proponents, opponents)


def positions_of(workspace: WorkspaceReader, split: str, ids: Iterable[str]) -> dict[str, int]:
    """Where examples of a split stand in it, by id, in the order asked for. Raises `QueryError` for an unknown id."""
    wanted = list(dict.fromkeys(ids))
    found = workspace.store.positions(split, wanted)
    for id in wanted:
        if id not in found:
            name, count = ("test", workspace.info.n_test) if split == "test" else ("training", workspace.info.n_train)
            raise QueryError(
                f"unknown {name} id {id!r}; workspace {workspace.name!r} has {count:,} {name} examples, "
                f"from {workspace.store.first_id(split)!r} to {workspace.store.last_id(split)!r}"
            )
    return {id: found[id] for id in wanted}


def check_label(workspace: WorkspaceReader, label: str | None) -> None:
    """Raise `QueryError` for a label that the workspace does not have; None is no label."""
    known = workspace.info.labels
    if label is not None and label not in known:
        shown = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        raise QueryError(f"unknown label {label!r}; this workspace knows {shown}")


def sentences(workspace: WorkspaceReader, split: str, positions: Sequence[int]) -> dict[int, Sentence]:
    """Examples of a split by position, with their words and the last checkpoint's prediction."""
    found = workspace.store.examples(split, positions)
    return {position: as_sentence(workspace, example) for position, example in found.items()}


def as_sentence(workspace: WorkspaceReader, example: StoredExample) -> Sentence:
    """One example with its words as they stand in its texts."""
    sides = (example.text, example.text_pair or "")
    return Sentence(
        example.id,
        example.text,
        example.text_pair,
        example.label,
        example.predicted,
        dict(zip(workspace.info.labels, example.probabilities, strict=True)),
        [Word(special or sides[side][start:end], start, end, side) for side, start, end, special in example.words],
        example.truncated,
    )


def word_totals(sentence: Sentence, scores: Mapping[int, float]) -> dict[str, float]:
    """What each word of the texts carries, by word as it is first written: the sum over all its occurrences (eq. 4).

    `scores` are by the index of a word; start and end tokens are left out.
    """
    written: dict[str, str] = {}
    totals: dict[str, float] = {}
    for index, word in enumerate(sentence.words):
        if word.side >= 0:
            text = written.setdefault(folded(word.text), " ".join(word.text.split()))
            totals[text] = totals.get(text, 0.0) + scores.get(index, 0.0)
    return totals


def _contributions(influence: Influence, query: Sentence) -> dict[str, float]:
    """What each word of the query carries, the strongest first; words written alike are one."""
    contributions: dict[str, float] = defaultdict(float)
    for word, score in sorted(influence.test_words().items(), key=lambda item: -abs(item[1])):
        contributions[query.words[word].text] += score
    return dict(contributions)


def _example(influence: Influence, query: Sentence) -> Example:
    """A card: the example's own words are lit."""
    train, scores = influence.train, influence.train_words()
    sides = [
        (text, [(word.start, word.end, scores[at]) for at, word in enumerate(train.words) if word.side == side and at in scores])
        for side, text in enumerate((train.text, train.text_pair))
        if text is not None
    ]
    words = _contributions(influence, query)
    return Example(str(train.id), influence.score, train.label, train.predicted, sides, words)


def _row(kind: str, influence: Influence, query: Sentence) -> dict[str, Any]:
    train = influence.train
    return {
        "kind": kind,
        "train_id": train.id,
        "score": influence.score,
        "label": train.label,
        "predicted": train.predicted,
        "text": train.text,
        "text_pair": train.text_pair,
        "words": _contributions(influence, query),
    }


def _totals(pairs: Iterable[tuple[int, float]]) -> dict[int, float]:
    totals: dict[int, float] = defaultdict(float)
    for word, score in pairs:
        totals[word] += score
    return dict(totals)


@dataclass(frozen=True)
class Effect:
    """One test example and its score with the training example; `matches` sum to `score`."""

    test: Sentence
    score: float
    special_score: float  # the part of the score carried by start and end tokens
    matches: list[Match]

    @property
    def wrong(self) -> bool:
        """Whether the model's prediction for the test example differs from its label."""
        return self.test.predicted != self.test.label


@dataclass(frozen=True)
class Effects:
    """The tests that a training example helped most (largest first) and harmed most (most negative first)."""

    helped: list[Effect]
    harmed: list[Effect]


def effects(workspace: WorkspaceReader, train_id: str, *, top: int = 10) -> Effects:
    """The test examples that a training example is among the strongest influences of, by the default method.

    Raises `QueryError` for an unknown id.
    """
    position = workspace.store.positions("train", [train_id]).get(train_id)
    if position is None:
        raise QueryError(f"unknown training id {train_id!r}")
    rows = workspace.store.effects(position, DEFAULT_METHOD, top)
    tests = [test for test, *_ in rows]
    found = sentences(workspace, "test", tests)
    matches: dict[int, list[Match]] = {test: [] for test in tests}
    for test, test_word, train_word, score in workspace.store.effect_contributions(position, tests):
        matches[test].append(Match(test_word, train_word, score))
    both = [Effect(found[test], score, special_score, matches[test]) for test, score, special_score, _ in rows]
    return Effects([e for e in both if e.score > 0], [e for e in both if e.score < 0])
