"""Training examples asked about as if they were test examples: influence between pairs of the training set.

The index keeps training gradients in token order; here they are put back in example order, top-k positions only.
Axes as in `postings`.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from influence.encoding import Encoding, IntArray
from influence.methods import Query, QueryCheckpoint
from influence.postings import TOP, Postings, WordIndex


class TrainQueries:
    """Every training example as a query for the loss on its own label, by position.

    Only the top-k positions carry their gradients, the others are zero: for methods that select the top k.
    """

    def __init__(self, index: WordIndex) -> None:
        self.encoding: Encoding = index.encoding
        self._labels_N = index.labels_N
        self._parts = index.parts(TOP)
        # Plain arrays: slicing a memory map a million times costs more than everything else here.
        self._offsets_N1, self._tokens_R = np.asarray(self.encoding.offsets_N1), np.asarray(self.encoding.tokens_R)
        self._words_R, self._special_R = np.asarray(self.encoding.words_R), np.asarray(self.encoding.special_R)

    def __len__(self) -> int:
        return len(self.encoding)

    def __getitem__(self, position: int) -> Query:
        rows = slice(*self._offsets_N1[position : position + 2].tolist())
        return Query(
            key=f"train\x1f{position}",
            label=int(self._labels_N[position]),
            tokens_L=self._tokens_R[rows],
            words_L=self._words_R[rows],
            special_L=self._special_R[rows],
            checkpoints=[_checkpoint(part, kept, position, rows) for part, kept in zip(self._parts, self._kept, strict=True)],
        )

    def in_batches(self, size: int) -> Iterator[tuple[IntArray, list[Query]]]:
        """All queries in order, `size` at a time, with their positions."""
        for start in range(0, len(self), size):
            positions = np.arange(start, min(start + size, len(self)))
            yield positions, [self[position] for position in positions.tolist()]

    @cached_property
    def _kept(self) -> list["_Kept"]:
        return [_kept(part, self._offsets_N1) for part in self._parts]


class _Kept(NamedTuple):
    """The kept rows of one checkpoint in order of the encoding; example n owns entries offsets[n] to offsets[n + 1]."""

    rows_P: IntArray
    postings_P: IntArray  # the posting row of each
    offsets_N1: IntArray


def _kept(part: Postings, offsets_N1: IntArray) -> _Kept:
    order_P = np.argsort(part.rows_P)
    rows_P = np.asarray(part.rows_P)[order_P]
    return _Kept(rows_P, order_P, np.searchsorted(rows_P, offsets_N1))


def _checkpoint(part: Postings, kept: _Kept, position: int, rows: slice) -> QueryCheckpoint:
    mine = slice(*kept.offsets_N1[position : position + 2].tolist())
    at_K = kept.rows_P[mine] - rows.start
    gradients_LD = np.zeros((rows.stop - rows.start, part.gradients_PD.shape[1]), dtype=np.float32)
    gradients_LD[at_K] = part.gradients_PD[kept.postings_P[mine]]
    kept_L = np.zeros(len(gradients_LD), dtype=np.bool_)
    kept_L[at_K] = True
    return QueryCheckpoint(gradients_LD, kept_L, None, np.zeros(0))
