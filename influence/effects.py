"""What one training example did to the test predictions: the other way round of an explanation.

Sign: a score above 0 says that training on the example lowered the loss on that test example's given label.
"""

from dataclasses import dataclass

from influence.errors import QueryError
from influence.explanation import Match, Sentence, sentences
from influence.methods import DEFAULT_METHOD
from influence.workspace import Workspace


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


def effects(workspace: Workspace, train_id: str, *, top: int = 10) -> Effects:
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
