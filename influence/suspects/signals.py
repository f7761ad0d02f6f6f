"""The signals of a wrong label: what models' own predictions say, and what word gradients say; formulas on plain arrays.

A model fits right labels first and wrong ones late, or never where it has not seen them, so the probability it gives to
other labels, averaged over its training, tells the two apart. Epochs count by what the model had learnt by then.
Opposition and neighbours are sums over influence scores (above 0: training on one example lowers the loss on the other),
computed a block of queries at a time, so that memory does not grow with the data.

Axes: N training examples, M test examples, Q a block of queries, E epochs of one model, Y labels.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from influence.attribution import DEFAULT_METHOD, METHODS, StoredQueries, TrainQueries, WordIndex, WordSelection, queries_at_once
from influence.types import BoolArray, FloatArray, IntArray, Progress, StageKind, silent

NEIGHBOURS = 10
SAME_WORD = WordSelection(top_k=True, tokens="uncommon")  # stop words and start tokens make everything a neighbour


@dataclass
class Opinions:
    """Predictions of any number of models of the same training examples, summed up one model at a time."""

    labels_N: IntArray
    n_labels: int
    models: int = 0
    probabilities_NY: FloatArray = field(init=False)  # sums over models of their weighted mean over epochs
    held_out_NY: FloatArray = field(init=False)  # the same, over models that left the example out
    held_out_N: IntArray = field(init=False)  # how many those are
    votes_NY: IntArray = field(init=False)  # for how many of those the label is the most probable
    expected_Y: FloatArray = field(init=False)  # sums over models of how many test examples they expect of each label
    missed_N: IntArray = field(init=False)  # epochs of models that had the example, and predicted another label
    trained_N: IntArray = field(init=False)  # epochs of models that had the example

    def __post_init__(self) -> None:
        n = len(self.labels_N)
        self.probabilities_NY, self.held_out_NY = np.zeros((n, self.n_labels)), np.zeros((n, self.n_labels))
        self.votes_NY = np.zeros((n, self.n_labels), dtype=np.int32)
        self.expected_Y = np.zeros(self.n_labels)
        self.held_out_N, self.missed_N, self.trained_N = (np.zeros(n, dtype=np.int32) for _ in range(3))

    def add(
        self,
        probabilities_ENY: Iterable[FloatArray],
        expected_EY: FloatArray,
        weights_E: FloatArray,
        left_out_N: BoolArray | None = None,
    ) -> None:
        """Add a model that was trained on all examples but those it left out.

        Its probabilities after every epoch, their sums over the test split, and how much each epoch counts.
        """
        out_N = np.zeros(len(self.labels_N), dtype=np.bool_) if left_out_N is None else left_out_N
        mean_NY = np.zeros_like(self.probabilities_NY)
        for weight, probabilities_NY in zip(weights_E, probabilities_ENY, strict=True):  # an epoch at a time: memory
            mean_NY += weight * probabilities_NY
            self.missed_N += ~out_N & (probabilities_NY.argmax(axis=1) != self.labels_N)
        self.trained_N += ~out_N * len(weights_E)
        self.probabilities_NY += mean_NY
        self.expected_Y += weights_E @ expected_EY
        self.models += 1
        self.held_out_NY[out_N] += mean_NY[out_N]
        self.held_out_N += out_N
        self.votes_NY[out_N, mean_NY[out_N].argmax(axis=1)] += 1

    def misclassified_share_N(self) -> FloatArray:
        """Share of the epochs, over all models trained on an example, after which it was misclassified (appendix A)."""
        return self.missed_N / np.maximum(self.trained_N, 1)

    def mean_NY(self) -> FloatArray:
        """Probability of every label, averaged over all models."""
        return self.probabilities_NY / max(self.models, 1)

    def held_out_mean_NY(self) -> FloatArray | None:
        """Probability of every label, averaged over the models that never saw the example; None where there are none."""
        if not self.held_out_N.all():
            return None
        return self.held_out_NY / self.held_out_N[:, None]


def epoch_weights(accuracies_E: FloatArray, guess: float) -> FloatArray:
    """How much each epoch's predictions count, summing to 1: in proportion to accuracy above that of a constant guess.

    `accuracies_E` are on examples the model was not trained on. Equal weights where no epoch is better than the guess.
    """
    gains_E = np.maximum(accuracies_E - guess, 0)
    if not gains_E.any():
        gains_E = np.ones(len(accuracies_E))
    weights_E: FloatArray = gains_E / gains_E.sum()
    return weights_E


def calibration(expected_Y: FloatArray, given_Y: IntArray) -> FloatArray:
    """For every label, how often the test split gives it for every time the models expect it, shape (Y,).

    Above 1: the models give the label too rarely. A label that many examples of other classes bear in training is
    expected too often, which hides exactly those mistakes. `expected_Y` are sums of probabilities over the test split,
    `given_Y` counts; one of each label is added to both, so that rare labels stay near 1.
    """
    factors_Y: FloatArray = (given_Y + 1) / (expected_Y + 1)
    return factors_Y


def calibrated(probabilities_NY: FloatArray, factors_Y: FloatArray) -> FloatArray:
    """Probabilities times the factors of `calibration`, summing to 1 again."""
    scaled_NY = probabilities_NY * factors_Y
    scaled_NY /= scaled_NY.sum(axis=1, keepdims=True)
    return scaled_NY


def usual_confidence(probabilities_NY: FloatArray, labels_N: IntArray) -> FloatArray:
    """For every label, the mean probability of it where it is given, shape (Y,): how sure one usually is of it."""
    n_labels = probabilities_NY.shape[1]
    given_N = probabilities_NY[np.arange(len(labels_N)), labels_N]
    sums_Y = np.bincount(labels_N, weights=given_N, minlength=n_labels)
    usual_Y: FloatArray = sums_Y / np.maximum(np.bincount(labels_N, minlength=n_labels), 1)
    return usual_Y


def doubt(probabilities_NY: FloatArray, labels_N: IntArray, usual_Y: FloatArray) -> FloatArray:
    """How far another label is ahead of the given one: 1/2 + (its probability - that of the given label) / 3, shape (N,).

    Both are taken less half of what is usual for the label, and the other label is the one then furthest ahead. Being
    unsure of an example counts for less where everyone is unsure of that label. Above 0 and below 1; at 1/2 the two are
    level.
    """
    rows_N = np.arange(len(labels_N))
    scores_NY = probabilities_NY - usual_Y / 2
    given_N = scores_NY[rows_N, labels_N]
    scores_NY[rows_N, labels_N] = -np.inf
    doubts_N: FloatArray = 0.5 + (scores_NY.max(axis=1) - given_N) / 3
    return doubts_N


def held_out_confidence(opinions: Opinions) -> FloatArray:
    """Probability that models which never saw an example give to its label, shape (N,); NaN where there are none."""
    held_out_NY = opinions.held_out_mean_NY()
    if held_out_NY is None:
        return np.full(len(opinions.labels_N), np.nan)
    confidences_N: FloatArray = held_out_NY[np.arange(len(opinions.labels_N)), opinions.labels_N]
    return confidences_N


class Opposition(NamedTuple):
    """How an example's influence on test examples splits by sign, shape (N,) each, both >= 0."""

    against_N: FloatArray  # minus the sum of its negative scores
    for_N: FloatArray  # the sum of its positive scores


class Neighbours(NamedTuple):
    """The training examples that pull hardest at an example, or push, through words they share.

    Hardest for the size of their own gradient: else every example's neighbours are the few that are not fitted, which
    are the mislabelled ones, and right labels would look as opposed as wrong ones.
    """

    disagreement_N: FloatArray  # share of the neighbours' absolute scores that is negative, 0 to 1; 0 without neighbours
    against_N: IntArray  # how many of them have a negative score
    count_N: IntArray  # how many there are, at most `NEIGHBOURS`


def opposition(index: WordIndex, tests: StoredQueries, chosen_M: BoolArray, progress: Progress = silent) -> Opposition:
    """Influence of every training example on the chosen test examples, negative and positive scores apart."""
    selection = METHODS[DEFAULT_METHOD].selection
    assert selection is not None
    positions = np.flatnonzero(chosen_M)
    against_N, for_N = np.zeros(len(index.encoding)), np.zeros(len(index.encoding))
    size = queries_at_once(len(against_N))
    for start in range(0, len(positions), size):
        batch = [tests[int(position)] for position in positions[start : start + size]]
        scores_QN = index.word_scores_many(batch, selection)
        total_N = scores_QN.sum(axis=0, dtype=np.float64)
        positive_N = np.maximum(scores_QN, 0, out=scores_QN).sum(axis=0, dtype=np.float64)
        for_N += positive_N
        against_N += positive_N - total_N
        progress(StageKind.OPPOSITION, min(start + size, len(positions)), len(positions))
    return Opposition(np.maximum(against_N, 0), for_N)


def neighbours(index: WordIndex, self_influence_N: FloatArray, progress: Progress = silent) -> Neighbours:
    """How far every training example's strongest same-word neighbours pull against it.

    Two examples with a negative score hold a word that their labels pull in different directions: one of the two
    labels may be wrong. `self_influence_N` is that of the same index, for the neighbours' gradient norms.
    """
    queries = TrainQueries(index)
    n = len(queries)
    norms_N = np.sqrt(self_influence_N).astype(np.float32)
    inverse_N = np.divide(1, norms_N, out=np.zeros_like(norms_N), where=norms_N > 0)
    found = Neighbours(np.zeros(n), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64))
    for positions, batch in queries.in_batches(queries_at_once(n)):
        scores_QN = index.word_scores_many(batch, SAME_WORD)
        scores_QN *= inverse_N
        scores_QN[np.arange(len(positions)), positions] = 0  # nobody is his own neighbour
        strongest_QK = strongest(scores_QN, NEIGHBOURS)
        found.disagreement_N[positions] = disagreement(strongest_QK)
        found.against_N[positions] = (strongest_QK < 0).sum(axis=1)
        found.count_N[positions] = (strongest_QK != 0).sum(axis=1)
        progress(StageKind.NEIGHBOURS, int(positions[-1]) + 1, n)
    return found


def strongest(scores_QN: FloatArray, count: int) -> FloatArray:
    """The `count` scores of largest absolute value in each row, largest first, shape (Q, count)."""
    # PyTorch's selection is 30 times as fast as NumPy's on rows of tens of thousands.
    scores = torch.from_numpy(scores_QN)
    at_QK = scores.abs().topk(min(count, scores_QN.shape[1]), dim=1).indices
    chosen_QK: FloatArray = scores.gather(1, at_QK).numpy()
    return chosen_QK


def disagreement(scores_QK: FloatArray) -> FloatArray:
    """Share of the absolute scores that is negative, shape (Q,): 0 all pull together, 1 all pull apart; 0 where all are 0."""
    absolute_Q = np.abs(scores_QK).sum(axis=1, dtype=np.float64)
    negative_Q = np.maximum(-scores_QK, 0).sum(axis=1, dtype=np.float64)
    shares_Q: FloatArray = np.divide(negative_Q, absolute_Q, out=np.zeros(len(scores_QK)), where=absolute_Q > 0)
    return shares_Q
