"""How many labels are wrong where nobody looked: the posterior against brute force, its coverage, and hostile input."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import multivariate_normal

from influence.suspects.posterior import PRIOR, Prior, banded, posterior
from influence.types import FloatArray

EVEN = np.linspace(-2, 2.5, 25)


def by_brute_force(
    at_B: FloatArray, judged_B: FloatArray, wrong_B: FloatArray, left_B: list[int]
) -> tuple[FloatArray, FloatArray]:
    """The posterior mean chance of each band, and the probability of every number left: a sum over a grid of log-odds."""
    axes = [
        np.linspace(m - 5.5 * d, m + 5.5 * d, 81)
        for m, d in zip(PRIOR.mean_B(at_B), np.sqrt(np.diag(PRIOR.covariance_BB(at_B))), strict=True)
    ]
    odds = np.array(list(product(*axes)))
    chance = 1 / (1 + np.exp(-odds))
    log = multivariate_normal(PRIOR.mean_B(at_B), PRIOR.covariance_BB(at_B)).logpdf(odds)
    log += (wrong_B * np.log(chance) + (judged_B - wrong_B) * np.log1p(-chance)).sum(axis=1)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    counts = np.ones((len(odds), 1))
    for band, examples in enumerate(left_B):
        for _ in range(examples):  # one more example that is wrong or is not
            p = chance[:, [band]]
            counts = np.pad(counts * (1 - p), ((0, 0), (0, 1))) + np.pad(counts * p, ((0, 0), (1, 0)))
    return weight @ chance, weight @ counts


@pytest.mark.parametrize(
    ("judged", "wrong"),
    [
        ([0, 0, 0], [0, 0, 0]),
        ([0, 0, 12], [0, 0, 11]),
        ([3, 1, 20], [0, 1, 9.5]),
        ([0, 5, 40], [0, 0, 40]),
        ([30, 9, 9], [0, 0, 0]),
    ],
)
def test_the_posterior_is_that_of_brute_force(judged: list[float], wrong: list[float]) -> None:
    at_B, left_B = np.array([-0.8, 0.5, 1.9]), [6, 4, 2]
    judged_B, wrong_B = np.array(judged, dtype=float), np.array(wrong, dtype=float)
    chance_B, numbers = by_brute_force(at_B, judged_B, wrong_B, left_B)
    found = posterior(at_B, judged_B, wrong_B, draws=40_000)
    assert found.weight_S @ found.chance_SB == pytest.approx(chance_B, abs=0.01)
    left_S = found.wrong_S(np.array(left_B, dtype=float))
    assert np.bincount(left_S, weights=found.weight_S, minlength=13) == pytest.approx(numbers, abs=0.015)
    mean, [median] = found.mean_and_quantiles(left_S, (0.5,))
    assert mean == pytest.approx(numbers @ np.arange(13), abs=0.06)
    assert numbers[: int(median)].sum() <= 0.52
    assert numbers[: int(median) + 1].sum() >= 0.48


def coverage(prior: Prior, *, top: int, checks: int, times: int) -> tuple[float, FloatArray]:
    """Truths drawn from the prior itself: how often the interval holds the number left, and where among the draws it is."""
    generator, held, places = np.random.default_rng(11), 0, []
    size_B = np.full(len(EVEN), 40.0)
    factor = np.linalg.cholesky(prior.covariance_BB(EVEN))
    for time in range(times):
        chance_B = 1 / (1 + np.exp(-prior.mean_B(EVEN) - factor @ generator.standard_normal(len(EVEN))))
        judged_B = np.zeros(len(EVEN))
        judged_B[-top:] = 20
        judged_B += generator.multinomial(checks, np.full(len(EVEN), 1 / len(EVEN)))
        wrong_B = generator.binomial(judged_B.astype(int), chance_B).astype(float)
        truth = generator.binomial((size_B - judged_B).astype(int), chance_B).sum()
        found = posterior(EVEN, judged_B, wrong_B, draws=2000, seed=time)
        left_S = found.wrong_S(size_B - judged_B, seed=time)
        _, (low, high) = found.mean_and_quantiles(left_S, (0.025, 0.975))
        held += low <= truth <= high
        below, same = found.weight_S[left_S < truth].sum(), found.weight_S[left_S == truth].sum()
        places.append(below + generator.random() * same)
    return held / times, np.array(places)


@pytest.mark.parametrize(("top", "checks"), [(3, 0), (3, 15)])
def test_where_the_truth_is_as_the_prior_says_intervals_hold_what_they_promise(top: int, checks: int) -> None:
    held, places = coverage(PRIOR, top=top, checks=checks, times=240)
    assert 0.92 <= held <= 0.98  # 0.95 but for chance: a deviation of 0.014
    tenths = np.bincount((places * 10).astype(int).clip(max=9), minlength=10)
    assert ((tenths - 24) ** 2 / 24).sum() < 27.9  # chi-squared of nine degrees, one in a thousand


def test_a_prior_that_is_too_sure_is_found_out() -> None:
    """The simulation above can fail: with a fifth of the deviations, the interval misses what the real prior draws."""
    generator, missed = np.random.default_rng(3), 0
    sure = Prior(middle_deviation=0.4, slope_deviation=0.2, bend_deviation=0.2)
    factor, none = np.linalg.cholesky(PRIOR.covariance_BB(EVEN)), np.zeros(len(EVEN))
    for _ in range(40):
        chance_B = 1 / (1 + np.exp(-PRIOR.mean_B(EVEN) - factor @ generator.standard_normal(len(EVEN))))
        found = posterior(EVEN, none, none, prior=sure, draws=1000)
        _, (low, high) = found.mean_and_quantiles(found.wrong_S(np.full(len(EVEN), 40.0)), (0.025, 0.975))
        missed += not low <= 40 * chance_B.sum() <= high
    assert missed > 10


@given(
    st.lists(st.sampled_from([0.0, 1.0, 0.5, 1e-12, 0.3, 0.999]) | st.floats(0, 1), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(0, 60),
)
def test_nothing_makes_it_stumble(suspicion: list[float], verdict: float, judged: int) -> None:
    """Scores of 0 and 1, all equal, one row; nothing decided, all wrong, all right, all split, everything decided."""
    suspicion_N = np.array(suspicion)
    judged_N = np.arange(len(suspicion)) < judged
    bands = banded(suspicion_N)
    found = posterior(bands.at_B, bands.counts_B(judged_N), bands.counts_B(judged_N, np.full(len(suspicion), verdict)), draws=200)
    assert np.isfinite(found.chance_SB).all()
    assert found.weight_S.sum() == pytest.approx(1)
    assert (found.weight_S >= 0).all()
    expected, (low, high) = found.mean_and_quantiles(found.wrong_S(bands.counts_B(~judged_N)), (0.025, 0.975))
    assert 0 <= low <= high <= (~judged_N).sum()
    assert 0 <= expected <= (~judged_N).sum()


def test_many_decisions_leave_little_doubt() -> None:
    """Ten thousand of 20,000 decided, all over the ranking: the rate is known to a few per cent, even where it has a cliff."""
    generator = np.random.default_rng(0)
    suspicion_N = generator.beta(1, 3, 20_000)
    wrong_N = (generator.random(20_000) < np.where(suspicion_N > 0.5, 0.9, 0.02)).astype(float)
    judged_N = generator.random(20_000) < 0.5
    bands = banded(suspicion_N)
    found = posterior(bands.at_B, bands.counts_B(judged_N), bands.counts_B(judged_N, wrong_N))
    expected, (low, high) = found.mean_and_quantiles(found.wrong_S(bands.counts_B(~judged_N)), (0.025, 0.975))
    truth = wrong_N[~judged_N].sum()
    assert low <= truth <= high
    assert high - low < 0.2 * truth
    assert expected == pytest.approx(truth, rel=0.08)
    assert 1 / (found.weight_S**2).sum() > 100, "too few draws carry the weight"
