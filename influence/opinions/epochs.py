"""What models say of the examples over their training: a model fits right labels first and wrong ones late, or never.

So the probability it gives to other labels, averaged over its epochs, tells the two apart, although it was trained on the
example. Epochs count by what the model had learnt by then.

Axes: N training examples, E epochs of one model, Y labels.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from influence.opinions.opinion import shares
from influence.types import FloatArray, IntArray


class Epochs(NamedTuple):
    """One model's predictions summed up over its training."""

    mean_NY: FloatArray  # probability of every label, weighted mean over the epochs
    missed_N: IntArray  # after how many epochs another label than the given one was the most probable
    margin_N: FloatArray  # area under the margin (Pleiss et al. 2020): mean over epochs, given logit - largest other


def epoch_weights(accuracies_E: FloatArray, guess: float) -> FloatArray:
    """How much each epoch's predictions count, summing to 1: in proportion to accuracy above that of a constant guess.

    `accuracies_E` are on examples the model was not trained on. Equal weights where no epoch is better than the guess.
    """
    gains_E = np.maximum(accuracies_E - guess, 0)
    if not gains_E.any():
        gains_E = np.ones(len(accuracies_E))
    weights_E: FloatArray = gains_E / gains_E.sum()
    return weights_E


def over_epochs(probabilities_ENY: Iterable[FloatArray], weights_E: FloatArray, labels_N: IntArray) -> Epochs:
    """Sum up the predictions of the training examples after every epoch, one epoch at a time."""
    rows_N = np.arange(len(labels_N))
    mean_NY: FloatArray = np.zeros((1, 1))
    missed_N, margins_N = np.zeros(len(labels_N), dtype=np.int32), np.zeros(len(labels_N))
    for weight, said_NY in zip(weights_E, probabilities_ENY, strict=True):
        probabilities_NY = said_NY if np.isfinite(said_NY).all() else shares(said_NY)
        mean_NY = mean_NY + weight * probabilities_NY
        missed_N += probabilities_NY.argmax(axis=1) != labels_N
        # Logits differ as log probabilities do. What float32 rounds to 0 is no further away than its smallest number.
        logs_NY = np.log(np.maximum(probabilities_NY, np.finfo(np.float32).tiny).astype(np.float64))
        given_N = logs_NY[rows_N, labels_N].copy()
        logs_NY[rows_N, labels_N] = -np.inf
        margins_N += (given_N - logs_NY.max(axis=1)) / len(weights_E)
    return Epochs(mean_NY, missed_N, margins_N)
