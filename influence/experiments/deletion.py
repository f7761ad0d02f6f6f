"""Deletion curves (section 2.2): what removing the examples that a method names does to a prediction; plain numbers.

DEL+(x', k) is the mean over retrainings of the model's value for x' after its k strongest proponents were removed, minus
that of the retraining with the same seed and nothing removed; DEL- the same for opponents. A method that is right about
the data makes DEL+ negative and DEL- positive. AUC-DEL is the plain mean over the values of k. Two values are measured:
the probability of the true label, and the logit margin, in nats: its log-odds against the strongest other label, which
still moves where the probability is all but 1.

Axes: R retrainings, M test examples, Y labels, B bootstrap samples.
"""

import numpy as np
import pandas as pd

from influence.types import FloatArray, IntArray

MEASURES = ("probability", "margin")
PROPONENTS, OPPONENTS = "+", "-"  # which examples were removed
DIRECTIONS = (PROPONENTS, OPPONENTS)
RANDOM = "random"
BOOTSTRAP, BOOTSTRAP_SEED, LEVEL = 2_000, 0, 0.95
SMALLEST = float(np.finfo(np.float32).tiny)  # below it a float32 probability is stored as 0


def probability_and_margin(probabilities_Y: FloatArray, label: int) -> tuple[float, float]:
    """The probability of the true label, and the logit margin: log p(true) - log of the largest other p, in nats."""
    others_Y = np.delete(probabilities_Y, label)
    logs = np.log(np.maximum([probabilities_Y[label], others_Y.max()], SMALLEST))
    return float(probabilities_Y[label]), float(logs[0] - logs[1])


def deletion(removed_RY: FloatArray, controls_RY: FloatArray, label: int) -> tuple[float, float]:
    """Mean over paired retrainings of the value with the examples removed minus without: (probability, margin)."""
    after_R2 = np.array([probability_and_margin(row_Y, label) for row_Y in removed_RY])
    before_R2 = np.array([probability_and_margin(row_Y, label) for row_Y in controls_RY])
    probability, margin = (after_R2 - before_R2).mean(axis=0)
    return float(probability), float(margin)


def bootstrap_weights(n: int, *, samples: int = BOOTSTRAP, seed: int = BOOTSTRAP_SEED) -> FloatArray:
    """How much each of n test examples counts in each of B resamplings with replacement, shape (B, n); rows sum to 1."""
    drawn_BM = np.random.default_rng(seed).integers(n, size=(samples, n))
    counts_BM = np.stack([np.bincount(row_M, minlength=n) for row_M in drawn_BM])
    weights_BM: FloatArray = counts_BM / n
    return weights_BM


def interval(values_M: FloatArray, weights_BM: FloatArray) -> tuple[float, float, float]:
    """Mean over test examples, and the ends of its 95 % percentile bootstrap interval."""
    low, high = np.quantile(weights_BM @ values_M, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(values_M.mean()), float(low), float(high)


def curves(points: pd.DataFrame) -> pd.DataFrame:
    """DEL of every method, direction and k: columns method, direction, k, measure, mean, low, high.

    `points` has a row for every method, direction, k and test_id with its probability and margin (see `deletion`).
    """
    weights_BM = bootstrap_weights(points["test_id"].nunique())
    rows = []
    for (method, direction, k), some in points.groupby(["method", "direction", "k"], sort=False):
        values = some.sort_values("test_id")
        for measure in MEASURES:
            rows.append((method, direction, k, measure, *interval(values[measure].to_numpy(), weights_BM)))
    return pd.DataFrame(rows, columns=["method", "direction", "k", "measure", "mean", "low", "high"])


def areas(points: pd.DataFrame) -> pd.DataFrame:
    """AUC-DEL of every method and direction, and how far it is from that of random removal, test example by test example.

    Columns method, direction, measure, mean, low, high, over_random, over_random_low, over_random_high.
    """
    weights_BM = bootstrap_weights(points["test_id"].nunique())
    rows = []
    for direction in points["direction"].unique():
        for measure in MEASURES:
            here = points[points["direction"] == direction]
            means = here.pivot_table(index="test_id", columns="method", values=measure, aggfunc="mean").sort_index()
            for method in points["method"].unique():
                values_M = means[method].to_numpy()
                beyond_M = values_M - means[RANDOM].to_numpy()
                rows.append((method, direction, measure, *interval(values_M, weights_BM), *interval(beyond_M, weights_BM)))
    over = ["over_random", "over_random_low", "over_random_high"]
    return pd.DataFrame(rows, columns=["method", "direction", "measure", "mean", "low", "high", *over])


def balanced(labels_M: IntArray, n: int, seed: int) -> IntArray:
    """n test examples with every label as often as any other (give or take one), drawn at random; a smaller n is a part.

    Raises `ValueError` with the label that has too few.
    """
    generator = np.random.default_rng([seed, 0])
    labels = generator.permutation(np.unique(labels_M))
    orders = {label: generator.permutation(np.flatnonzero(labels_M == label)) for label in np.unique(labels_M)}
    chosen = []
    for number in range(n):
        label, place = labels[number % len(labels)], number // len(labels)
        if place >= len(orders[label]):
            raise ValueError(int(label))
        chosen.append(int(orders[label][place]))
    return np.array(chosen, dtype=np.int64)


def least_similar(similarities_N: FloatArray, tie_ranks_N: IntArray, count: int) -> IntArray:
    """The training examples with the least word overlap: the lowest similarities, ties by id."""
    return np.lexsort((tie_ranks_N, similarities_N))[:count]
