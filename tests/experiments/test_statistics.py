"""Differences between paired retrainings, against the slow way, tables of Student's t, and simulated worlds."""

import math
import statistics

import numpy as np
import pytest
import scipy.stats

from influence.errors import SettingsError
from influence.experiments.statistics import LOSS, SHARE, Crossed, Paired, interval

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


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_prove_nothing(seeds):
    paired = Paired((0.1, 0.11)[:seeds], (0.9, 0.91)[:seeds], SHARE)
    assert (paired.interval, paired.told_apart, paired.seeds_needed) == (None, False, None)


def test_a_share_cannot_leave_its_range():
    """From 0.2 nothing falls by more than 0.2; where the start itself is not known well, by more than that it may reach."""
    sure_start = Paired((0.20, 0.20, 0.20), (0.9, 0.1, 0.1), SHARE)
    assert sure_start.interval == pytest.approx((-0.2, 0.8))
    unsure = Paired((0.1, 0.5, 0.9), (0.9, 0.1, 0.1), SHARE)
    assert unsure.interval == pytest.approx((-1.0, 1.0))
    t_low, t_high = interval([0.8, -0.4, -0.8])
    assert (t_low, t_high) < (-2, 2) < (t_high, t_high)  # what Student's t alone would have printed, in shares of 1
    loss = Paired((0.2, 0.2, 0.2), (5.0, 0.1, 0.1), LOSS)
    assert loss.interval == pytest.approx((-0.2, interval([4.8, -0.1, -0.1])[1]))


def test_shares_of_few_sentences_are_rounded():
    """Three seeds that each lose one of 30 test sentences agree to the digit, and still say nothing."""
    before, after = (20 / 30, 21 / 30, 22 / 30), (19 / 30, 20 / 30, 21 / 30)
    assert Paired(before, after, SHARE).told_apart
    assert not Paired(before, after, SHARE, step=1 / 30).told_apart
    assert Paired(before, tuple(value - 0.2 for value in before), SHARE, step=1 / 30).told_apart


def test_the_seeds_that_are_needed_tell_four_times_in_five():
    random = np.random.default_rng(3)
    for deviations, seeds in ((0.5, 30), (1.0, 10), (1.5, 6)):
        pilot = random.normal(size=seeds)
        pilot = 0.1 * (1 + deviations * (pilot - pilot.mean()) / pilot.std(ddof=1))
        needed = Paired((0.5,) * seeds, tuple(0.5 + pilot)).seeds_needed
        again = random.normal(0.1, 0.1 * deviations, size=(4_000, needed))
        told = np.mean([low > 0 for low, _ in map(interval, again)])
        fewer = np.mean([low > 0 for low, _ in map(interval, again[:, :-1])]) if needed > 3 else 0.0
        assert fewer < told
        assert told >= 0.79
    assert Paired((0.5, 0.4, 0.3), (0.5, 0.4, 0.3)).seeds_needed is None
    assert Paired((0.5, 0.4, 0.3), (0.501, 0.4, 0.2991)).seeds_needed is None  # more than anybody would train


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


WORLDS = {  # log-odds without a change (mean, deviation), with it, how far a seed's two trainings go together; least coverage
    "nothing happens": ((0.5, 1.2), (0.5, 1.2), 0.6, (0.945, 0.945)),
    "nothing happens to a sure prediction": ((4.0, 1.5), (4.0, 1.5), 0.6, (0.945, 0.945)),
    "a mistake is mended": ((-2.0, 1.0), (2.0, 1.5), 0.6, (0.91, 0.91)),
    "a coin becomes sure": ((0.0, 1.0), (5.0, 1.5), 0.6, (0.92, 0.93)),
    "seeds hardly agree": ((0.0, 3.0), (1.0, 3.0), 0.3, (0.93, 0.945)),
}


@pytest.mark.parametrize("world", WORLDS)
def test_the_bounded_interval_covers_the_truth_of_simulated_probabilities(world):
    """Never outside what can be, about as often right as it says, and a claim of an effect that is none in 1 of 20 at most."""
    (start, start_sd), (end, end_sd), together, (least_of_3, least_of_5) = WORLDS[world]
    random = np.random.default_rng(1)

    def trained(worlds, seeds):
        shared, own = random.normal(size=(2, worlds, seeds))
        odds = start + start_sd * shared, end + end_sd * (together * shared + (1 - together**2) ** 0.5 * own)
        return [1 / (1 + np.exp(-log_odds)) for log_odds in odds]

    before, after = trained(400_000, 1)
    truth = 0.0 if start == end else float((after - before).mean())
    for seeds, least in ((3, least_of_3), (5, least_of_5)):
        pairs = [Paired(tuple(b), tuple(a), SHARE) for b, a in zip(*trained(2_000, seeds), strict=True)]
        ends = np.array([pair.interval for pair in pairs])
        assert np.all((ends >= -1) & (ends <= 1))
        assert np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])) >= least
        if truth == 0.0:
            assert np.mean([pair.told_apart for pair in pairs]) <= 0.055


# Several test examples, each with every seed


def test_the_mean_squares_are_the_textbook_s():
    """The analysis of variance of two crossed factors, by loops."""
    values = np.random.default_rng(5).normal(size=(6, 4))
    mean = sum(map(sum, values.tolist())) / 24
    of_tests = [sum(row) / 4 for row in values.tolist()]
    of_seeds = [sum(column) / 6 for column in values.T.tolist()]
    tests = 4 * sum((value - mean) ** 2 for value in of_tests) / 5
    seeds = 6 * sum((value - mean) ** 2 for value in of_seeds) / 3
    variance = (tests + seeds) / 24
    freedom = (tests + seeds) ** 2 / (tests**2 / 5 + seeds**2 / 3)
    found = Crossed(values)
    half = scipy.stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert found.mean == pytest.approx(mean)
    assert found.interval == pytest.approx((mean - half, mean + half))


@pytest.mark.parametrize("shape", [(3, 1), (3, 2), (2, 3), (1, 1)])
def test_three_sentences_and_one_seed_prove_nothing(shape):
    found = Crossed(np.full(shape, 0.5))
    assert (found.interval, found.needed, found.enough) == (None, None, False)


def test_three_mistakes_that_are_all_mended_are_not_certain():
    low, high = Crossed(np.ones((3, 3)), SHARE, step=1.0).interval
    assert 0.3 < low < 0.7
    assert high == 1.0


@pytest.mark.parametrize("shape", [(3, 3), (6, 3), (12, 3), (20, 5)])
@pytest.mark.parametrize("deviations", [(1, 0, 1), (1, 0.3, 1), (0, 0, 1), (1, 1, 1)])
def test_the_crossed_interval_covers_the_truth_about_as_often_as_it_says(shape, deviations):
    """Test examples, seeds and the rest vary by `deviations`; a claim where there is nothing in 1 of 20, or 1 of 12 at worst."""
    random, (of_test, of_seed, rest) = np.random.default_rng(6), deviations
    wrong = 0
    for _ in range(1_500):
        tests, seeds = of_test * random.normal(size=(shape[0], 1)), of_seed * random.normal(size=(1, shape[1]))
        low, high = Crossed(tests + seeds + rest * random.normal(size=shape)).interval
        wrong += not low <= 0 <= high
    assert wrong / 1_500 <= (0.085 if of_seed == 1 else 0.055)


def test_what_is_needed_tells_four_times_in_five():
    random = np.random.default_rng(8)
    pilot = 0.4 + random.normal(size=(40, 1)) + 0.1 * random.normal(size=(1, 3)) + random.normal(size=(40, 3))
    found = Crossed(pilot)
    tests, seeds = found.needed
    assert seeds == 3
    of_tests, of_seeds, left = found._squares
    parts = [max(0.0, of_tests - left) / 3, max(0.0, of_seeds - left) / 40, left]
    told = 0
    for _ in range(1_000):
        shapes = ((tests, 1), (1, seeds), (tests, seeds))
        again = sum(part**0.5 * random.normal(size=shape) for part, shape in zip(parts, shapes, strict=True))
        low, _ = Crossed(found.mean + again).interval
        told += low > 0
    assert 0.7 < told / 1_000 < 0.95
    assert Crossed(pilot - pilot.mean() + 1e-6).needed is None
