"""What a change does when everything else stays equal: differences between paired retrainings, with intervals.

Each seed trains twice, without the change and with it, so what the seed alone does cancels in the difference. Where several
test examples are tried with every seed, both were drawn, and another draw of either would give another mean.

Axes: S seeds, M test examples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from influence.errors import SettingsError
from influence.types import FloatArray

LEVEL, POWER = 0.95, 0.8
FEWEST = 3  # seeds, and test examples, below which no interval is given: two may agree by luck
SHARE, LOSS = (0.0, 1.0), (0.0, float("inf"))  # what a number can be
MOST_NEEDED, MORE_SEEDS = 1_000, (5, 10, 20)


@dataclass(frozen=True)
class Paired:
    """One number without a change and with it, at each of S seeds; all in the number's own unit.

    `possible` is what the number can be at all. `step` is the least it can change by, for a share of few test examples.
    """

    before_S: tuple[float, ...]
    after_S: tuple[float, ...]
    possible: tuple[float, float] = (-float("inf"), float("inf"))
    step: float = 0.0

    def __post_init__(self) -> None:
        if not self.before_S or len(self.before_S) != len(self.after_S):
            raise SettingsError(f"{len(self.before_S)} seeds without and {len(self.after_S)} with a change: give pairs")

    @property
    def seeds(self) -> int:
        """How many pairs there are."""
        return len(self.before_S)

    @property
    def before(self) -> float:
        """Mean over the seeds without the change."""
        return float(np.mean(self.before_S))

    @property
    def after(self) -> float:
        """Mean over the seeds with the change."""
        return float(np.mean(self.after_S))

    @cached_property
    def differences_S(self) -> FloatArray:
        """With minus without, at each seed; above 0: the change raised the number."""
        return np.subtract(self.after_S, self.before_S)

    @property
    def difference(self) -> float:
        """Mean difference; above 0: the change raised the number."""
        return float(self.differences_S.mean())

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean difference, within what is possible; None with fewer than `FEWEST` seeds.

        Student's t over the seeds, cut where the number would leave its range: from where it starts, as far as its own t
        interval goes, it can rise to the top at most and fall to the bottom at most. The cut takes only what cannot be, so it
        covers the truth as often as Student's t does (see docs/mathematics.md for how often that is).
        """
        if self.seeds < FEWEST:
            return None
        low, high = interval(self.differences_S, deviation_at_least=self.step / 6**0.5)
        bottom, top = self.possible
        start_low, start_high = interval(self.before_S)
        return max(low, bottom - min(start_high, top)), min(high, top - max(start_low, bottom))

    @property
    def spread(self) -> float | None:
        """The largest difference between two retrainings without any change, at least 0; None with a single seed."""
        return float(np.ptp(self.before_S)) if self.seeds > 1 else None

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves zero out: the change does more than the choice of a seed explains."""
        return self.interval is not None and leaves_zero_out(*self.interval)

    @property
    def seeds_needed(self) -> int | None:
        """About how many seeds would tell, four times in five, were the difference and its spread what they are here.

        None where no number that anybody would train does, and with fewer than `FEWEST` seeds, whose spread says nothing.
        """
        if self.seeds < FEWEST:
            return None
        deviation = float(self.differences_S.std(ddof=1))
        return fewest_that_tell(self.difference, lambda count: (deviation**2 / count, count - 1))


@dataclass(frozen=True, eq=False)
class Crossed:
    """One number for each of M test examples with each of S seeds, shape (M, S).

    The interval is for other test examples *and* other seeds of the same kind. `possible` is what the mean can be, `step` what
    a single value is rounded to: 1 where it is 0 or 1.
    """

    values_MS: FloatArray
    possible: tuple[float, float] = (-float("inf"), float("inf"))
    step: float = 0.0

    @property
    def tests(self) -> int:
        """How many test examples there are."""
        return int(self.values_MS.shape[0])

    @property
    def seeds(self) -> int:
        """How many seeds each was tried with."""
        return int(self.values_MS.shape[1])

    @property
    def mean(self) -> float:
        """The plain mean."""
        return float(self.values_MS.mean())

    @property
    def enough(self) -> bool:
        """Whether there are enough of both for an interval."""
        return min(self.tests, self.seeds) >= FEWEST

    @cached_property
    def _squares(self) -> tuple[float, float, float]:
        """Mean squares between test examples, between seeds, and of what is left, in the analysis of variance."""
        values_MS, mean = self.values_MS, self.mean
        of_test_M1, of_seed_S = values_MS.mean(axis=1, keepdims=True), values_MS.mean(axis=0)
        tests = self.seeds * float(np.square(of_test_M1 - mean).sum()) / (self.tests - 1)
        seeds = self.tests * float(np.square(of_seed_S - mean).sum()) / (self.seeds - 1)
        left = float(np.square(values_MS - of_test_M1 - of_seed_S + mean).sum()) / ((self.tests - 1) * (self.seeds - 1))
        rounding = self.step**2 / 6
        return max(tests, rounding), max(seeds, rounding), left

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean, within what is possible; None with fewer than `FEWEST` of either.

        The variance of the mean is (MS_tests + MS_seeds) / (M S), which counts what is left twice and so errs to the safe
        side, as the bootstrap of both sides does (Owen, The pigeonhole bootstrap, 2007); degrees of freedom by Satterthwaite.
        """
        if not self.enough:
            return None
        tests, seeds, _ = self._squares
        half = half_width(*_variance(tests, seeds, self.tests, self.seeds))
        return max(self.mean - half, self.possible[0]), min(self.mean + half, self.possible[1])

    @property
    def needed(self) -> tuple[int, int] | None:
        """About how many (test examples, seeds) would tell the mean from 0, four times in five, were all as measured here.

        As many seeds as there were where they do, or else more. None where nobody would train so many, and with too few of
        either to measure what varies. As rough as the variances are, which is to a factor of two or three from a handful.
        """
        if not self.enough:
            return None
        for seeds in (self.seeds, *(more for more in MORE_SEEDS if more > self.seeds)):
            if (tests := fewest_that_tell(self.mean, partial(self._variance_with, seeds))) is not None:
                return max(tests, self.tests), seeds
        return None

    def _variance_with(self, seeds: int, tests: int) -> tuple[float, float]:
        """What `_variance` would be with other numbers of each, were the parts of the variance what they are here."""
        of_tests, of_seeds, left = self._squares
        between_tests, between_seeds = max(0.0, of_tests - left) / self.seeds, max(0.0, of_seeds - left) / self.tests
        return _variance(left + seeds * between_tests, left + tests * between_seeds, tests, seeds)


def _variance(tests: float, seeds: float, n_tests: int, n_seeds: int) -> tuple[float, float]:
    """The variance of a crossed mean from its mean squares, and its degrees of freedom."""
    total = tests + seeds
    freedom = total**2 / (tests**2 / (n_tests - 1) + seeds**2 / (n_seeds - 1)) if total else 1.0
    return total / (n_tests * n_seeds), freedom


def interval(values_S: Sequence[float] | FloatArray, *, deviation_at_least: float = 0.0) -> tuple[float, float]:
    """95 % confidence interval of the mean of a sample by Student's t; infinite for a single value.

    Values that are rounded have a deviation of their own, which equal ones do not show: see `deviation_at_least`.
    """
    sample = np.asarray(values_S, dtype=np.float64)
    if len(sample) < 2:
        return -float("inf"), float("inf")
    half = half_width(max(float(sample.std(ddof=1)), deviation_at_least) ** 2 / len(sample), len(sample) - 1)
    return float(sample.mean()) - half, float(sample.mean()) + half


def half_width(variance: float, freedom: float) -> float:
    """Half of a 95 % interval around a mean whose variance was estimated with so many degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(max(freedom, 1.0), (1 + LEVEL) / 2) * np.sqrt(variance))


def leaves_zero_out(low: float, high: float) -> bool:
    """Whether an interval is above or below zero as a whole; one of missing ends is not."""
    return low > 0 or high < 0


def fewest_that_tell(difference: float, at: Callable[[int], tuple[float, float]]) -> int | None:
    """The smallest count whose interval leaves zero out four times in five; None above `MOST_NEEDED`.

    `at` gives for a count the variance of the mean and its degrees of freedom.
    """
    from scipy.special import stdtrit

    for count in range(FEWEST, MOST_NEEDED + 1):
        variance, freedom = at(count)
        error = (stdtrit(freedom, (1 + LEVEL) / 2) + stdtrit(freedom, POWER)) * variance**0.5
        if error < abs(difference):
            return count
    return None
