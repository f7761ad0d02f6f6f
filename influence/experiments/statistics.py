"""What a change does when everything else stays equal: differences between paired retrainings, with intervals.

Each seed trains twice, without the change and with it, so what the seed alone does cancels in the difference.

Axes: S seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from influence.errors import SettingsError
from influence.types import FloatArray

LEVEL = 0.95


@dataclass(frozen=True)
class Paired:
    """One number without a change and with it, at each of S seeds; all in the number's own unit."""

    before_S: tuple[float, ...]
    after_S: tuple[float, ...]

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

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean difference, by Student's t over the seeds; None with a single seed.

        With 3 seeds it is 4.3 standard errors wide on either side: few seeds can show large effects only.
        """
        return interval(self.differences_S)

    @property
    def spread(self) -> float | None:
        """The largest difference between two retrainings without any change, at least 0; None with a single seed."""
        return float(np.ptp(self.before_S)) if self.seeds > 1 else None

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves zero out: the change does more than the choice of a seed explains."""
        found = self.interval
        return found is not None and (found[0] > 0 or found[1] < 0)


def interval(values_S: Sequence[float] | FloatArray) -> tuple[float, float] | None:
    """Confidence interval of the mean of a sample by Student's t; None for fewer than two values."""
    from scipy.special import stdtrit

    sample = np.asarray(values_S, dtype=np.float64)
    if len(sample) < 2:
        return None
    half = float(stdtrit(len(sample) - 1, (1 + LEVEL) / 2) * sample.std(ddof=1) / np.sqrt(len(sample)))
    return float(sample.mean()) - half, float(sample.mean()) + half
