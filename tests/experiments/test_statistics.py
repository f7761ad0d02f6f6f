"""Differences between paired retrainings, against the slow way and tables of Student's t."""

import math
import statistics

import numpy as np
import pytest

from influence.errors import SettingsError
from influence.experiments.statistics import Paired, interval

T_975 = {2: 12.706, 3: 4.303, 5: 2.776, 10: 2.262, 30: 2.045}  # by sample size, from a printed table


@pytest.mark.parametrize("count", T_975)
def test_the_interval_is_the_textbook_s(count):
    values = np.random.default_rng(count).normal(0.3, 2.0, size=count).tolist()
    half = T_975[count] * statistics.stdev(values) / math.sqrt(count)
    low, high = interval(values)
    assert (low, high) == pytest.approx((statistics.fmean(values) - half, statistics.fmean(values) + half), rel=1e-3)


def test_what_the_seed_does_cancels():
    """The seeds differ by far more than the change does, and yet it is told apart."""
    paired = Paired((0.10, 0.50, 0.90), (0.121, 0.519, 0.920))
    assert paired.difference == pytest.approx(0.02)
    assert paired.interval == pytest.approx((0.02 - 4.303 * 0.001 / math.sqrt(3), 0.02 + 4.303 * 0.001 / math.sqrt(3)), rel=1e-3)
    assert paired.told_apart
    assert paired.spread == pytest.approx(0.8)
    shuffled = Paired(paired.before_S, (0.920, 0.121, 0.519))  # the same numbers, the seeds mixed up
    assert shuffled.difference == pytest.approx(0.02)
    assert not shuffled.told_apart


def test_one_seed_proves_nothing():
    paired = Paired((0.1,), (0.9,))
    assert (paired.interval, paired.spread, paired.told_apart) == (None, None, False)


def test_no_difference_is_not_told_apart():
    assert not Paired((0.5, 0.6), (0.5, 0.6)).told_apart


@pytest.mark.parametrize(("before", "after"), [((), ()), ((0.1,), (0.1, 0.2))])
def test_only_pairs(before, after):
    with pytest.raises(SettingsError, match="pairs"):
        Paired(before, after)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """19 of 20 times, also with 3 seeds."""
    samples = np.random.default_rng(0).normal(1.0, 3.0, size=(4_000, 3))
    covered = np.mean([low <= 1.0 <= high for low, high in map(interval, samples)])
    assert covered == pytest.approx(0.95, abs=0.012)
