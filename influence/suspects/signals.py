"""The signals that come of word gradients: whom an example opposes, and whether its neighbours pull against it.

They explain and group suspects; the ranking goes by opinions (`influence.opinions`), to which they add nothing measurable.
Sums over influence scores (above 0: training on one example lowers the loss on the other), computed a block of queries at
a time, so that memory does not grow with the data.

Axes: N training examples, M test examples, Q a block of queries.
"""

from typing import NamedTuple

import numpy as np

from influence.attribution import DEFAULT_METHOD, METHODS, Queries, WordIndex, WordSelection, queries_at_once, train_queries
from influence.types import BoolArray, FloatArray, IntArray, Progress, StageKind, silent

NEIGHBOURS = 10
SAME_WORD = WordSelection(top_k=True, tokens="uncommon")  # stop words and start tokens make everything a neighbour


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


def opposition(index: WordIndex, tests: Queries, chosen_M: BoolArray, progress: Progress = silent) -> Opposition:
    """Influence of every training example on the chosen test examples, negative and positive scores apart."""
    selection = METHODS[DEFAULT_METHOD].selection
    assert selection is not None
    positions = np.flatnonzero(chosen_M)
    against_N, for_N = np.zeros(len(index.encoding)), np.zeros(len(index.encoding))
    size = queries_at_once(len(against_N))
    for start in range(0, len(positions), size):
        batch = tests.several(positions[start : start + size].tolist())
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
    queries = train_queries(index)
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
    import torch  # seconds that a ranking made again can do without

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
