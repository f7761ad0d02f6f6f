"""Examples that a model cannot tell apart: the same tokens with the same label.

Their gradients and scores are equal, so they are made once and copied. Made each in a batch of its own they would differ in
the last bits, by the padding beside them and by how a matrix product is cut into blocks, and a tie would go to the wrong one.

Axes: N examples, R token rows.
"""

import hashlib
from functools import cached_property

import numpy as np

from influence.models import Encoding
from influence.types import FloatArray, IntArray


def first_alike(encoding: Encoding, labels_N: IntArray) -> IntArray:
    """For each example the first that has its tokens, token types and label, shape (N,); itself where it is the first."""
    tokens_R, types_R = np.ascontiguousarray(encoding.tokens_R), np.ascontiguousarray(encoding.types_R)
    offsets, seen = encoding.offsets_N1.tolist(), dict[bytes, int]()
    first_N = np.empty(len(encoding), dtype=np.int64)
    for number, label in enumerate(labels_N.tolist()):
        rows = slice(offsets[number], offsets[number + 1])
        key = hashlib.blake2b(tokens_R[rows].tobytes(), digest_size=20)
        key.update(types_R[rows].tobytes())
        key.update(label.to_bytes(8, "little", signed=True))
        first_N[number] = seen.setdefault(key.digest(), number)
    return first_N


class Alike:
    """Which examples of a training set are copies for the model; found when first asked for, a second for a million examples."""

    def __init__(self, encoding: Encoding, labels_N: IntArray) -> None:
        self._encoding, self._labels_N = encoding, labels_N

    @cached_property
    def first_N(self) -> IntArray:
        """See `first_alike`."""
        return first_alike(self._encoding, self._labels_N)

    @cached_property
    def distinct_E(self) -> IntArray:
        """The examples that are no copy of one before."""
        return np.flatnonzero(self.first_N == np.arange(len(self.first_N)))

    @cached_property
    def _copies_E(self) -> IntArray:
        return np.flatnonzero(self.first_N != np.arange(len(self.first_N)))

    def tie(self, scores_XN: FloatArray) -> FloatArray:
        """Give copies the score of the first, in place; returns the scores."""
        scores_XN[..., self._copies_E] = scores_XN[..., self.first_N[self._copies_E]]
        return scores_XN


def rows_alike(encoding: Encoding, first_N: IntArray) -> IntArray:
    """For each token row the same row of the first example alike, shape (R,)."""
    offsets_N1 = encoding.offsets_N1
    shift_N = offsets_N1[first_N] - offsets_N1[:-1]
    rows_R: IntArray = np.arange(len(encoding.tokens_R)) + np.repeat(shift_N, encoding.lengths_N)
    return rows_R
