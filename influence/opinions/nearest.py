"""The examples nearest to each other by cosine, and the votes of their labels.

Axes: N training examples, K neighbours, F features.
"""

from typing import Any

import numpy as np

from influence.opinions.opinion import Taught, shares
from influence.types import FloatArray, IntArray, Progress, StageKind, silent

NEIGHBOURS = 50
BLOCK = 512  # rows compared with all at once


def nearest(features: Any, copies_N: IntArray, progress: Progress = silent) -> IntArray:
    """The `NEIGHBOURS` rows of largest dot product with each row, copies of its text left out, shape (N, K).

    `features` is a dense or sparse matrix of N rows of length 1. -1 where there are no more. The order within a row means
    nothing.
    """
    n = features.shape[0]
    count = min(NEIGHBOURS, n)
    found_NK = np.full((n, count), -1, dtype=np.int32)
    other = features.T.tocsc() if hasattr(features, "tocsc") else features.T
    for start in range(0, n, BLOCK):
        similar_BN = features[start : start + BLOCK] @ other
        similar_BN = similar_BN.toarray() if hasattr(similar_BN, "toarray") else similar_BN
        similar_BN[copies_N[start : start + BLOCK, None] == copies_N] = -np.inf
        at_BK = np.argpartition(-similar_BN, count - 1, axis=1)[:, :count]
        at_BK[np.isneginf(np.take_along_axis(similar_BN, at_BK, axis=1))] = -1
        found_NK[start : start + BLOCK] = at_BK
        progress(StageKind.OPINIONS, min(start + BLOCK, n), n)
    return found_NK


def votes(neighbours_NK: IntArray, taught: Taught, n_labels: int) -> FloatArray:
    """Share of the neighbours' weights that goes to each label, shape (N, Y).

    One more vote is spread over the labels as often as they are taught to the others, which is all that is known of an
    example without neighbours.
    """
    n = len(neighbours_NK)
    weights_NK = np.where(neighbours_NK >= 0, taught.weights_N[neighbours_NK], 0.0)
    rows_NK = np.broadcast_to(np.arange(n)[:, None], neighbours_NK.shape)
    cells_NK = rows_NK * n_labels + taught.labels_N[neighbours_NK]
    cast_NY = np.bincount(cells_NK.ravel(), weights=weights_NK.ravel(), minlength=n * n_labels).reshape(n, n_labels)
    usual_Y = np.bincount(taught.labels_N, weights=taught.weights_N, minlength=n_labels).astype(np.float64)
    usual_NY = np.tile(usual_Y, (n, 1))
    usual_NY[np.arange(n), taught.labels_N] -= taught.weights_N
    return shares(cast_NY + usual_NY / np.maximum(usual_NY.sum(axis=1, keepdims=True), 1e-9))
