"""How many labels are wrong where nobody has looked: a posterior from the decisions made so far.

The ranking says which label is more suspicious than another, not how often such a label is wrong; that differs from
data to data and only decisions can tell. The chance that the label of an example is wrong is taken to be a smooth
curve of its suspicion,

    P(wrong) = sigmoid(f(x)),   f a Gaussian process over x, the standardised log-odds of the suspicion,

with a rising straight line for its mean. Examples fall into narrow bands of x; those of one band are exchangeable, so
that any decision counts wherever its example ranks, and for whatever reason of rank it was shown. The prior was chosen
on planted noise, see docs/mathematics.md; away from all decisions it is what is left, and wide.

Axes: N examples, B bands, S draws from the posterior, G groups of examples.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, logit

from influence.types import BoolArray, FloatArray, IntArray

CLIP = 1e-4  # a suspicion of 0 or 1 is taken for so much more or less
LOWEST, HIGHEST, STEP = -4.0, 6.0, 0.1  # of x, and the width of a band
DRAWS = 4000
NEWTON_STEPS, CLOSE = 100, 1e-8


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is thought of the curve before any decision, in log-odds; x has mean about 0 and deviation about 1."""

    middle: float = -4.0  # of an example in the middle of the ranking
    slope: float = 2.1  # how much it rises with each deviation of x
    middle_deviation: float = 2.3
    slope_deviation: float = 1.0
    bend_deviation: float = 1.8  # of smooth departures from the line: floors, ceilings, cliffs
    bend_length: float = 1.5
    band_deviation: float = 0.5  # of each band by itself: what no smooth curve gets right

    def mean_B(self, at_B: FloatArray) -> FloatArray:
        """The expected log-odds of each band."""
        return self.middle + self.slope * at_B

    def covariance_BB(self, at_B: FloatArray) -> FloatArray:
        """How the log-odds of bands vary together."""
        apart_BB = (at_B[:, None] - at_B[None, :]) / self.bend_length
        line_BB = self.middle_deviation**2 + self.slope_deviation**2 * np.outer(at_B, at_B)
        bend_BB = self.bend_deviation**2 * np.exp(-0.5 * apart_BB**2)
        return line_BB + bend_BB + self.band_deviation**2 * np.eye(len(at_B))


PRIOR = Prior()


@dataclass(frozen=True)
class Bands:
    """N examples in B bands of like suspicion, the least suspicious band first."""

    at_B: FloatArray  # mean x
    band_N: IntArray

    def counts_B(self, chosen_N: BoolArray, weights_N: FloatArray | None = None) -> FloatArray:
        """How many of the chosen examples are in each band, or the sum of their weights."""
        weights = None if weights_N is None else weights_N[chosen_N]
        return np.bincount(self.band_N[chosen_N], weights=weights, minlength=len(self.at_B)).astype(np.float64)


def banded(suspicion_N: FloatArray) -> Bands:
    """Bands of the standardised log-odds of suspicions (0 to 1); one band where all are the same."""
    odds_N = logit(np.clip(suspicion_N, CLIP, 1 - CLIP))
    low, middle, high = np.quantile(odds_N, [0.05, 0.5, 0.95])
    spread = (high - low) / 3.29  # the deviation, were they normal
    x_N = np.clip((odds_N - middle) / spread, LOWEST, HIGHEST) if spread > 1e-9 else np.zeros(len(odds_N))
    _, band_N = np.unique(np.round((x_N - LOWEST) / STEP).astype(np.int64), return_inverse=True)
    return Bands(np.bincount(band_N, weights=x_N) / np.bincount(band_N), band_N)


@dataclass(frozen=True)
class Posterior:
    """Draws of the chance that a label is wrong in each band, with the weight of each draw; weights sum to 1."""

    chance_SB: FloatArray
    weight_S: FloatArray

    def wrong_S(self, examples_B: FloatArray, *, seed: int = 0) -> IntArray:
        """For each draw, how many of so many examples in each band are wrong: chance within the bands included."""
        generator = np.random.default_rng(seed)
        return generator.binomial(examples_B.astype(np.int64), self.chance_SB).sum(axis=1)  # type: ignore[no-any-return]

    def mean_and_quantiles(self, values_S: FloatArray | IntArray, shares: tuple[float, ...]) -> tuple[float, list[float]]:
        """The posterior mean of what takes these values in the draws, and its quantiles."""
        order_S = np.argsort(values_S, kind="stable")
        reached_S = np.cumsum(self.weight_S[order_S])
        places = np.minimum(np.searchsorted(reached_S, shares), len(order_S) - 1)
        return float(self.weight_S @ values_S), [float(value) for value in values_S[order_S[places]]]


def posterior(
    at_B: FloatArray, judged_B: FloatArray, wrong_B: FloatArray, *, prior: Prior = PRIOR, draws: int = DRAWS, seed: int = 0
) -> Posterior:
    """What is thought of the chances after `judged_B` decisions of which `wrong_B` found a wrong label (halves allowed).

    Laplace's approximation (Rasmussen and Williams 2006, algorithm 3.1), its draws weighted by how much the exact
    posterior differs from it there, so that what comes out is exact but for the number of draws.
    """
    mean_B, prior_BB = prior.mean_B(at_B), prior.covariance_BB(at_B)
    mode_B = _mode(mean_B, prior_BB, judged_B, wrong_B)
    chance_B = expit(mode_B)
    curvature_B = judged_B * chance_B * (1 - chance_B)
    covariance_BB = prior_BB - prior_BB @ _taken_off(prior_BB, curvature_B) @ prior_BB
    values_B, vectors_BB = np.linalg.eigh((covariance_BB + covariance_BB.T) / 2)
    half_SB = np.random.default_rng(seed).standard_normal((draws // 2, len(at_B)))
    step_SB = np.concatenate([half_SB, -half_SB]) @ (vectors_BB * np.sqrt(values_B.clip(min=0))).T
    # Prior and approximation share all but the likelihood, which the approximation has as its expansion around the mode.
    exact_SB = wrong_B * step_SB - judged_B * (np.logaddexp(0, mode_B + step_SB) - np.logaddexp(0, mode_B))
    expanded_SB = (wrong_B - judged_B * chance_B) * step_SB - curvature_B * step_SB**2 / 2
    excess_S = (exact_SB - expanded_SB).sum(axis=1)
    weight_S = np.exp(excess_S - excess_S.max())
    return Posterior(expit(mode_B + step_SB), weight_S / weight_S.sum())


def _taken_off(prior_BB: FloatArray, curvature_B: FloatArray) -> FloatArray:
    """M with (K⁻¹ + W)⁻¹ = K - K M K: W^½ (I + W^½ K W^½)⁻¹ W^½, which needs no inverse of K."""
    root_B = np.sqrt(curvature_B)
    factor = cho_factor(np.eye(len(root_B)) + root_B[:, None] * prior_BB * root_B, lower=True)
    return root_B[:, None] * cho_solve(factor, np.diag(root_B))  # type: ignore[no-any-return]


def _mode(mean_B: FloatArray, prior_BB: FloatArray, judged_B: FloatArray, wrong_B: FloatArray) -> FloatArray:
    """The most probable log-odds by Newton's method, each step halved until it leads upward; the posterior is concave."""

    def height(pull_B: FloatArray) -> tuple[float, FloatArray]:
        odds_B = mean_B + prior_BB @ pull_B
        fit = wrong_B @ odds_B - judged_B @ np.logaddexp(0, odds_B)
        return float(fit - pull_B @ (odds_B - mean_B) / 2), odds_B

    pull_B = np.zeros(len(mean_B))  # K⁻¹ (f - mean)
    best, odds_B = height(pull_B)
    for _ in range(NEWTON_STEPS):
        chance_B = expit(odds_B)
        curvature_B = judged_B * chance_B * (1 - chance_B)
        target_B = curvature_B * (odds_B - mean_B) + wrong_B - judged_B * chance_B
        towards_B = target_B - _taken_off(prior_BB, curvature_B) @ (prior_BB @ target_B) - pull_B
        share = 1.0
        found, moved_B = height(pull_B + towards_B)
        while found < best - CLOSE and share > CLOSE:
            share /= 2
            found, moved_B = height(pull_B + share * towards_B)
        pull_B = pull_B + share * towards_B
        change, best, odds_B = float(np.abs(moved_B - odds_B).max()), found, moved_B
        if change < CLOSE:
            break
    return odds_B
