"""From scores to the strongest examples, and the random scores that every method must beat.

Axes: N training examples.
"""

import numpy as np

from influence.types import FloatArray, IntArray


def extremes(scores_N: FloatArray, tie_ranks_N: IntArray, top: int) -> tuple[IntArray, IntArray]:
    """The `top` proponents (largest first) and opponents (most negative first), ties in order of `tie_ranks_N`.

    An exact zero is neither.
    """
    return _largest(scores_N, tie_ranks_N, top), _largest(-scores_N, tie_ranks_N, top)


def strongest_candidates(scores_N: FloatArray, errors_N: FloatArray, top: int) -> IntArray:
    """Every example that may be among the `top` proponents or opponents of scores that are off by at most `errors_N`, in order.

    One may where its score at best reaches the top-th largest of the scores at worst.
    """
    proponents_E = _reaching(scores_N, errors_N, top)
    return np.union1d(proponents_E, _reaching(-scores_N, errors_N, top))


def _reaching(scores_N: FloatArray, errors_N: FloatArray, top: int) -> IntArray:
    bound = np.float32(0)
    if 0 < top < len(scores_N):
        worst_N = scores_N - errors_N
        # Scores below a bound that `top` of them reach do not matter, so few are left to be partitioned.
        peaks = np.maximum.reduceat(worst_N, np.arange(0, len(worst_N), max(1, len(worst_N) // (8 * top))))
        reached = worst_N[worst_N >= max(np.partition(peaks, -top)[-top], 0)]
        if len(reached) >= top:
            bound = np.partition(reached, -top)[-top]
    best_N = scores_N + errors_N
    return np.flatnonzero((best_N >= bound) & (best_N > 0))


def _largest(scores_N: FloatArray, tie_ranks_N: IntArray, top: int) -> IntArray:
    # The top-th largest of the maxima of short stretches is a bound that at least `top` scores reach and few others do;
    # all that reach it are sorted, so ties at the edge are settled by rank. (A partition of all scores is 10–100× slower.)
    if 0 < top < len(scores_N):
        peaks = np.maximum.reduceat(scores_N, np.arange(0, len(scores_N), max(1, len(scores_N) // (8 * top))))
        candidates = np.flatnonzero(scores_N >= max(np.partition(peaks, -top)[-top], 0))
    else:
        candidates = np.arange(len(scores_N))
    candidates = candidates[scores_N[candidates] > 0]
    order = np.lexsort((tie_ranks_N[candidates], -scores_N[candidates]))
    return candidates[order[:top]]


def random_scores(n: int, generator: np.random.Generator) -> FloatArray:
    """Standard normal scores: the control every method must beat, shape (N,)."""
    return generator.standard_normal(n)


def random_same_label_scores(labels_N: IntArray, label: int, generator: np.random.Generator) -> FloatArray:
    """Random scores, positive for the query's label and negative for others: what the label alone explains, shape (N,)."""
    return np.abs(generator.standard_normal(len(labels_N))) * np.where(labels_N == label, 1.0, -1.0)
