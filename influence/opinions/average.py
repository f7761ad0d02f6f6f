"""The average of the opinions, and how far it contradicts the given labels: one formula for all data.

The neighbours counted, the strengths, the weights and the smoothing below were chosen on wrong labels planted into AG News,
Jigsaw, Banking77 and film reviews, in three ways each, and not on the noise that is measured by
`tests/benchmarks/label_errors.py`.

Axes: N training examples, Y labels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from influence.opinions.opinion import Opinion
from influence.types import FloatArray, IntArray

SMOOTHING = 0.05  # of probabilities in the odds of `suspicion`: below it there is nothing to tell apart
LEAST_WEIGHT = 1e-3  # of an opinion that is no better than a guess, so that there is an average where all are


class Average(NamedTuple):
    """What all opinions come to."""

    probabilities_NY: FloatArray  # summing to 1
    weights: dict[str, float]  # of the opinions by name, summing to 1


def average(opinions: Sequence[Opinion], guess: float) -> Average:
    """The mean of the opinions, each weighed by how much its accuracy exceeds `guess`, that of always saying one label."""
    gains = np.array([max(opinion.accuracy - guess, LEAST_WEIGHT) for opinion in opinions])
    weights = gains / gains.sum()
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


def contradicted_share(opinions: Sequence[Opinion], labels_N: IntArray) -> FloatArray:
    """Share of the opinions whose most probable label is not the given one, 0 to 1, shape (N,)."""
    against_N = sum((opinion.probabilities_NY.argmax(axis=1) != labels_N).astype(np.float64) for opinion in opinions)
    shares_N: FloatArray = np.asarray(against_N) / len(opinions)
    return shares_N
