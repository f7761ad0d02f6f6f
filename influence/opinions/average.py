"""The average of the opinions, and how far it contradicts the given labels: one formula for all data.

Where annotators took one class for another, that label is given too often, every model learns to expect it too often, and
exactly those mistakes look right. How often each label occurs in the test split sets that straight.

The neighbours counted, the strengths, the weights and the smoothing below were chosen on wrong labels planted into AG News,
Jigsaw, Banking77, film reviews and SNLI, in up to three ways each, and not on the noise that is measured by
`tests/benchmarks/label_errors.py` (`docs/mathematics.md`).

Axes: N training examples, M test examples, Y labels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from influence.opinions.opinion import Opinion, Taught
from influence.types import FloatArray, IntArray

SMOOTHING = 0.05  # of probabilities in the odds of `suspicion`: below it there is nothing to tell apart
LEAST_GAIN = 1e-3  # of an opinion that is no better than a guess, so that there is an average where all are
DOUBTED = 0.65  # suspicion above which a label teaches nothing at the second look
ROUNDS, CLOSE = 200, 1e-6  # of the search for the factors that bring the balance about


class Average(NamedTuple):
    """What all opinions come to."""

    probabilities_NY: FloatArray  # summing to 1
    weights: dict[str, float]  # of the opinions by name, summing to 1


def average(opinions: Sequence[Opinion], guess: float) -> Average:
    """The mean of the opinions, each weighed by the square of what its accuracy exceeds `guess`, that of always saying one label.

    The square tells opinions that know little apart from the one that knows, as words know next to nothing of whether one
    text follows from another, and hardly matters where all are alike.
    """
    gains = np.array([max(opinion.accuracy - guess, LEAST_GAIN) for opinion in opinions])
    weights = gains**2 / (gains**2).sum()
    mean_NY = sum(weight * opinion.probabilities_NY for weight, opinion in zip(weights, opinions, strict=True))
    names = (opinion.name for opinion in opinions)
    return Average(np.asarray(mean_NY), dict(zip(names, weights.round(4).tolist(), strict=True)))


def suspicion(probabilities_NY: FloatArray, labels_N: IntArray) -> FloatArray:
    """How likely it looks that each given label is wrong, from 0 to 1, shape (N,); 1/2 where another is level with it.

    o / (o + g), where g is the probability of the given label and o that of the most probable other one, `SMOOTHING` added
    to both. Between many labels a probability can be low for want of evidence; against the strongest rival it is low for
    a reason. It ranks; it is no probability.
    """
    rows_N = np.arange(len(labels_N))
    others_NY = probabilities_NY.copy()
    given_N = others_NY[rows_N, labels_N] + SMOOTHING
    others_NY[rows_N, labels_N] = -np.inf
    other_N = others_NY.max(axis=1) + SMOOTHING
    suspicion_N: FloatArray = other_N / (other_N + given_N)
    return suspicion_N


def without_doubted(taught: Taught, suspicion_N: FloatArray) -> Taught:
    """What is taught at a second look: not the labels that looked wrong at the first, but for those that somebody checked.

    Of every label at least half is kept, so that none is unlearnt for being doubted as a whole. An example's own label then
    has a say in which others teach, and still none in what they teach about it.
    """
    limits_N = np.full(len(suspicion_N), DOUBTED)
    for label in np.unique(taught.labels_N):
        of_label_N = taught.labels_N == label
        limits_N[of_label_N] = max(DOUBTED, float(np.median(suspicion_N[of_label_N])))
    doubted_N = (suspicion_N > limits_N) & (taught.weights_N <= 1)
    return Taught(taught.labels_N, np.where(doubted_N, 0.0, taught.weights_N))


def contradicted_share(opinions: Sequence[Opinion], labels_N: IntArray) -> FloatArray:
    """Share of the opinions whose most probable label is not the given one, 0 to 1, shape (N,)."""
    against_N = sum((opinion.probabilities_NY.argmax(axis=1) != labels_N).astype(np.float64) for opinion in opinions)
    shares_N: FloatArray = np.asarray(against_N) / len(opinions)
    return shares_N


def test_split_balance(labels_M: IntArray, n_labels: int) -> FloatArray:
    """The share of each label in the test split, shape (Y,); one of each is added, so that none is 0."""
    counts_Y = np.bincount(labels_M, minlength=n_labels) + 1
    balance_Y: FloatArray = counts_Y / counts_Y.sum()
    return balance_Y


def balanced(probabilities_NY: FloatArray, balance_Y: FloatArray) -> FloatArray:
    """Probabilities times a factor a label, rows summing to 1 again, such that their mean is `balance_Y`.

    The factors are found by iterating to the fixed point: multiplying once by wanted / found falls short of it, and
    measurably so (on NoisyAG-News, average precision of neighbours 0.70 instead of 0.74).
    """
    factors_Y = np.ones(len(balance_Y))
    for _ in range(ROUNDS):
        scaled_NY = probabilities_NY * factors_Y
        scaled_NY /= scaled_NY.sum(axis=1, keepdims=True)
        steps_Y = balance_Y / scaled_NY.mean(axis=0)
        if np.abs(steps_Y - 1).max() < CLOSE:
            break
        factors_Y *= steps_Y
        factors_Y /= factors_Y.max()
    return scaled_NY


def usual_confidence(probabilities_NY: FloatArray, labels_N: IntArray) -> FloatArray:
    """For every label, the mean probability of it where it is given, shape (Y,); 1 for one that is never given."""
    given_N = probabilities_NY[np.arange(len(labels_N)), labels_N]
    n_labels = probabilities_NY.shape[1]
    counts_Y = np.bincount(labels_N, minlength=n_labels)
    sums_Y = np.bincount(labels_N, weights=given_N, minlength=n_labels)
    usual_Y: FloatArray = np.where(counts_Y > 0, sums_Y / np.maximum(counts_Y, 1), 1.0)
    return usual_Y


def evened(probabilities_NY: FloatArray, labels_N: IntArray) -> FloatArray:
    """Probabilities where no balance is known: each label's divided by the root of what is usual for it."""
    scaled_NY: FloatArray = probabilities_NY / np.sqrt(usual_confidence(probabilities_NY, labels_N))
    scaled_NY /= scaled_NY.sum(axis=1, keepdims=True)
    return scaled_NY
