"""Training examples asked about as if they were test examples: influence between pairs of the training set.

The index keeps training gradients in token order; here they are put back in example order, top-k positions only.
Axes as in `postings`.
"""

from collections.abc import Iterator
from functools import cached_property

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

    def __len__(self) -> int:
        return len(self.encoding)

    def __getitem__(self, position: int) -> Query:
        rows = slice(*map(int, self.encoding.offsets_N1[position : position + 2]))
        return Query(
            key=f"train\x1f{position}",
            label=int(self._labels_N[position]),
            tokens_L=self.encoding.tokens_R[rows],
            words_L=self.encoding.words_R[rows],
            special_L=self.encoding.special_R[rows],
            checkpoints=[self._checkpoint(number, position, rows) for number in range(len(self._parts))],
        )

    def in_batches(self, size: int) -> Iterator[tuple[IntArray, list[Query]]]:
        """All queries in order, `size` at a time, with their positions."""
        for start in range(0, len(self), size):
            positions = np.arange(start, min(start + size, len(self)))
            yield positions, [self[int(position)] for position in positions]

    @cached_property
    def _by_row(self) -> list[tuple[IntArray, IntArray]]:
        """For every checkpoint: the kept rows of the encoding in order, and the posting row of each."""
        orders = [np.argsort(part.rows_P) for part in self._parts]
        return [(part.rows_P[order_P], order_P) for part, order_P in zip(self._parts, orders, strict=True)]

    def _checkpoint(self, number: int, position: int, rows: slice) -> QueryCheckpoint:
        kept_rows_P, order_P = self._by_row[number]
        mine = slice(*np.searchsorted(kept_rows_P, [rows.start, rows.stop]))
        at_K = kept_rows_P[mine] - rows.start
        part: Postings = self._parts[number]
        gradients_LD = np.zeros((rows.stop - rows.start, part.gradients_PD.shape[1]), dtype=np.float32)
        gradients_LD[at_K] = part.gradients_PD[order_P[mine]]
        kept_L = np.zeros(len(gradients_LD), dtype=np.bool_)
        kept_L[at_K] = True
        return QueryCheckpoint(gradients_LD, kept_L, None, np.zeros(0))
