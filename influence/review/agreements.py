"""How far reviewers agree, beyond what chance would give, and what their decisions come to together.

Axes: N examples, K categories; each example may have a number of raters of its own.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from influence.errors import SettingsError
from influence.review.events import POLICIES, Decision
from influence.review.reviews import Reviews
from influence.review.state import answers_to_controls

FEWEST_FOR_KAPPA = 20  # examples that two have decided: of fewer an interval says nothing, and comes out too narrow
RESAMPLES, LEAST_TOLD = 2_000, 0.95  # and the share of them in which there is a kappa


@dataclass(frozen=True)
class PairAgreement:
    """Two reviewers on the examples that both decided; `kappa` is Cohen's, None where chance alone explains all."""

    first: str
    second: str
    examples: int
    raw: float
    kappa: float | None
    interval: tuple[float, float] | None = None  # 95 %, see `Agreement.interval`


@dataclass(frozen=True)
class Agreement:
    """Everybody on the examples that at least two decided; None where there is nothing to go by."""

    examples: int
    raw: float | None  # share of pairs of decisions on one example that are the same, 0 to 1
    kappa: float | None  # Cohen's for two reviewers, Fleiss' for more
    pairs: list[PairAgreement]
    interval: tuple[float, float] | None = None
    """95 % of kappa, by resampling the examples; None from fewer than `FEWEST_FOR_KAPPA`, of which kappa says nothing either."""


@dataclass(frozen=True)
class ControlResult:
    """What one reviewer made of the planted controls that they were shown: how many they judged, skips left out."""

    reviewer: str
    caught: int  # relabelled, whatever to, or removed
    named: int  # of those, relabelled to the label of the data
    missed: int  # kept, or masked
    flagged: int  # not sure


@dataclass(frozen=True)
class Resolution:
    """What the decisions on one example come to: `decision` is None where they conflict and nothing settles it."""

    example_id: str
    decision: Decision | None
    how: str  # "agreed", "adjudicated", "majority", "latest" or "conflict"
    reviewers: tuple[str, ...]  # those whose decision it is, in alphabetical order
    decisions: tuple[Decision, ...]  # everybody's latest, oldest first

    @property
    def conflicted(self) -> bool:
        """Whether reviewers, adjudicators left aside, have decided differently."""
        return len({decision.outcome for decision in self.decisions if not decision.adjudicates}) > 1


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa (1960) of two raters over the same examples: (p_o - p_e) / (1 - p_e), 1 for full agreement.

    0 is what chance gives with each rater's own habits, below it they disagree more than that. None if both always
    gave one and the same answer: chance then explains everything.
    """
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    habits = Counter(first), Counter(second)
    expected = sum(habits[0][category] * habits[1][category] for category in habits[0]) / n**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss_kappa(counts_NK: npt.ArrayLike) -> float | None:
    """Fleiss' kappa (1971) from how many raters put each example into each category; same scale as Cohen's.

    Fleiss has the same number of raters for every example; with differing ones each example's share of agreeing pairs
    is taken over its own raters. Every example needs two. None if everybody always gave one and the same answer.
    """
    counts = np.asarray(counts_NK, dtype=np.float64)
    expected = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return None if expected == 1 else (raw_agreement(counts) - expected) / (1 - expected)


def cohens_interval(first: Sequence[str], second: Sequence[str]) -> tuple[float, float] | None:
    """95 % interval of Cohen's kappa: percentiles over examples drawn again with replacement; None from too few."""
    names = sorted({*first, *second})
    if not names:
        return None
    table_KK = np.zeros((len(names), len(names)))
    np.add.at(table_KK, ([names.index(a) for a in first], [names.index(b) for b in second]), 1)
    drawn_RKK = _drawn(table_KK.ravel()).reshape(-1, *table_KK.shape)
    total = len(first) or 1
    observed_R = np.trace(drawn_RKK, axis1=1, axis2=2) / total
    expected_R = (drawn_RKK.sum(axis=2) * drawn_RKK.sum(axis=1)).sum(axis=1) / total**2
    return _percentiles(observed_R, expected_R, len(first))


def fleiss_interval(counts_NK: npt.ArrayLike) -> tuple[float, float] | None:
    """95 % interval of Fleiss' kappa, in the same way."""
    patterns_UK, times_U = np.unique(np.asarray(counts_NK, dtype=np.float64), axis=0, return_counts=True)
    raters_U = patterns_UK.sum(axis=1)
    agreeing_U = (patterns_UK * (patterns_UK - 1)).sum(axis=1) / (raters_U * (raters_U - 1))
    drawn_RU, total = _drawn(times_U), int(times_U.sum())
    shares_RK = drawn_RU @ patterns_UK
    expected_R = ((shares_RK / shares_RK.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return _percentiles(drawn_RU @ agreeing_U / total, expected_R, total)


def _drawn(times_U: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """How often each kind of example comes up in each of the resamples of as many examples."""
    times = np.asarray(times_U, dtype=np.float64)
    total = int(times.sum())
    return np.random.default_rng(0).multinomial(total, times / max(total, 1), size=RESAMPLES).astype(np.float64)


def _percentiles(
    observed_R: npt.NDArray[np.float64], expected_R: npt.NDArray[np.float64], examples: int
) -> tuple[float, float] | None:
    """Where the middle 95 % of kappa lie; resamples in which everybody always gave one answer have none and are left out."""
    told_R = expected_R < 1
    if examples < FEWEST_FOR_KAPPA or told_R.mean() < LEAST_TOLD:
        return None
    kappas = (observed_R[told_R] - expected_R[told_R]) / (1 - expected_R[told_R])
    low, high = np.percentile(kappas, [2.5, 97.5])
    return float(low), float(high)


def raw_agreement(counts_NK: npt.ArrayLike) -> float:
    """Mean over examples of the share of pairs of raters who agree, 0 to 1."""
    counts = np.asarray(counts_NK, dtype=np.float64)
    raters_N = counts.sum(axis=1)
    equal_pairs_N = (counts * (counts - 1)).sum(axis=1)
    return float((equal_pairs_N / (raters_N * (raters_N - 1))).mean())


def agreement(reviews: Reviews, example_ids: Iterable[str] | None = None) -> Agreement:
    """Agreement of the standing decisions on all examples, or on some; adjudications are left aside."""
    by_example: dict[str, dict[str, str]] = {}
    for decision in reviews.decisions(example_ids):
        if not decision.adjudicates:
            by_example.setdefault(decision.example_id, {})[decision.reviewer] = decision.verdict
    rated = [verdicts for verdicts in by_example.values() if len(verdicts) > 1]
    if not rated:
        return Agreement(0, None, None, [], None)
    pairs = _pairs(rated)
    categories = sorted({verdict for verdicts in rated for verdict in verdicts.values()})
    counts_NK = np.array([[list(verdicts.values()).count(c) for c in categories] for verdicts in rated])
    kappa = pairs[0].kappa if len(pairs) == 1 else fleiss_kappa(counts_NK)
    interval = pairs[0].interval if len(pairs) == 1 else fleiss_interval(counts_NK)
    return Agreement(len(rated), raw_agreement(counts_NK), kappa, pairs, interval)


def _pairs(rated: list[dict[str, str]]) -> list[PairAgreement]:
    found = []
    for first, second in combinations(sorted({name for verdicts in rated for name in verdicts}), 2):
        both = [(verdicts[first], verdicts[second]) for verdicts in rated if first in verdicts and second in verdicts]
        if both:
            firsts, seconds = zip(*both, strict=True)
            raw = sum(a == b for a, b in both) / len(both)
            kappa, interval = cohens_kappa(firsts, seconds), cohens_interval(firsts, seconds)
            found.append(PairAgreement(first, second, len(both), raw, kappa, interval))
    return found


def resolve(decisions: Iterable[Decision], policy: str = "majority") -> list[Resolution]:
    """What standing decisions come to, one an example, in the order of first decisions.

    An adjudicator's decision wins. Failing that, reviewers who agree; then with policy "majority" or "latest" the
    outcome of more than half of them; then with "latest" the latest of all. What is left is a conflict.
    """
    if policy not in POLICIES:
        raise SettingsError(f"unknown policy {policy!r}; it is one of {', '.join(POLICIES)}")
    by_example: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_example.setdefault(decision.example_id, []).append(decision)
    return [_resolve(found, policy) for found in by_example.values()]


def conflicts(reviews: Reviews) -> list[Resolution]:
    """Examples whose reviewers disagree and that no adjudicator has settled: the queue for an adjudicator."""
    return [r for r in resolve(reviews.decisions()) if r.conflicted and r.how != "adjudicated"]


def _resolve(decisions: list[Decision], policy: str) -> Resolution:
    def by(how: str, winner: Decision | None, pool: list[Decision]) -> Resolution:
        share = {d.reviewer for d in pool if winner is not None and d.outcome == winner.outcome}
        return Resolution(decisions[0].example_id, winner, how, tuple(sorted(share)), tuple(decisions))

    adjudications = [decision for decision in decisions if decision.adjudicates]
    if adjudications:
        return by("adjudicated", adjudications[-1], adjudications[-1:])
    outcomes: Counter[Any] = Counter(decision.outcome for decision in decisions)
    outcome, votes = outcomes.most_common(1)[0]
    if len(outcomes) == 1:
        return by("agreed", decisions[-1], decisions)
    if policy != "adjudicated" and votes > len(decisions) / 2:
        return by("majority", [d for d in decisions if d.outcome == outcome][-1], decisions)
    return by("latest", decisions[-1], decisions) if policy == "latest" else by("conflict", None, decisions)


def control_results(reviews: Reviews, queue: str | None = None) -> list[ControlResult]:
    """How well each reviewer catches planted controls, of all queues or of one; by name, those who judged any.

    A control whose own label has become the one it was shown under, in data that was built anew, is left out.
    """
    found: dict[str, Counter[str]] = {}
    for who, where, example_id, shown, kind, new_label in answers_to_controls(reviews.log.store):
        example = reviews.corpus.examples.get(example_id)
        if kind == "skip" or queue not in (None, where) or example is None or example.label == shown:
            continue
        caught = kind in ("relabel", "remove")
        counts = found.setdefault(who, Counter())
        counts.update(["caught" if caught else "flagged" if kind == "flag" else "missed"])
        counts.update(["named"] * (new_label == example.label))
    names = ("caught", "named", "missed", "flagged")
    return [ControlResult(who, **{name: counts[name] for name in names}) for who, counts in sorted(found.items())]
