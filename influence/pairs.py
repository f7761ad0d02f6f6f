"""Training examples asked about as if they were test examples: influence between pairs of the training set.

The index keeps training gradients in token order; here they are put back in example order, top-k positions only.
Axes as in `postings`.
"""

from collections.abc import Iterator

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
            checkpoints=[_checkpoint(part, position, rows) for part in self._parts],
        )

    def in_batches(self, size: int) -> Iterator[tuple[IntArray, list[Query]]]:
        """All queries in order, `size` at a time, with their positions."""
        for start in range(0, len(self), size):
            positions = np.arange(start, min(start + size, len(self)))
            yield positions, [self[position] for position in positions.tolist()]


def _checkpoint(part: Postings, position: int, rows: slice) -> QueryCheckpoint:
    rows_P, postings_P, offsets_N1 = part.by_example
    mine = slice(*offsets_N1[position : position + 2].tolist())
    at_K = rows_P[mine] - rows.start
    gradients_LD = np.zeros((rows.stop - rows.start, part.gradients_PD.shape[1]), dtype=np.float32)
    gradients_LD[at_K] = part.gradients_PD[postings_P[mine]]
    kept_L = np.zeros(len(gradients_LD), dtype=np.bool_)
    kept_L[at_K] = True
    return QueryCheckpoint(gradients_LD, kept_L, None, np.zeros(0))
