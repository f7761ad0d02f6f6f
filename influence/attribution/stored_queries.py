"""Queries whose gradients are stored: the test split's, and those of the training set asked about its own examples.

The index keeps training gradients in token order; `TrainQueries` puts them back in example order, those of the top-k
positions unless all are asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from influence.attribution.index import REST, TOP, Postings, WordIndex
from influence.attribution.query import Query, QueryCheckpoint
from influence.files import load_array
from influence.gradients import Alike
from influence.models import Encoding
from influence.sealed import Rows
from influence.types import FloatArray, IntArray


class _Queries(ABC):
    """The M examples of a split as queries for the loss on their own labels, by position."""

    def __init__(self, split: str, encoding: Encoding, labels_M: IntArray) -> None:
        self.encoding, self.labels_M, self._split = encoding, labels_M, split
        self.alike = Alike(encoding, labels_M)

    def __len__(self) -> int:
        return len(self.encoding)

    def __getitem__(self, position: int) -> Query:
        rows = slice(*self.encoding.offsets_N1[position : position + 2].tolist())
        return Query(
            key=f"{self._split}\x1f{position}",
            label=int(self.labels_M[position]),
            tokens_L=self.encoding.tokens_R[rows],
            words_L=self.encoding.words_R[rows],
            special_L=self.encoding.special_R[rows],
            checkpoints=self._checkpoints(position, rows),
            types_L=self.encoding.types_R[rows],
        )

    @abstractmethod
    def _checkpoints(self, position: int, rows: slice) -> list[QueryCheckpoint]:
        """The gradients of one example, whose rows of the encoding are given, at every checkpoint."""

    def in_batches(self, size: int) -> Iterator[tuple[IntArray, list[Query]]]:
        """All queries in order, `size` at a time, with their positions."""
        for start in range(0, len(self), size):
            positions = np.arange(start, min(start + size, len(self)))
            yield positions, [self[position] for position in positions.tolist()]


class StoredQueries(_Queries):
    """The test split's gradients, in example order, as written by `index_writer.write_split`."""

    def __init__(self, folder: Path, encoding: Encoding, *, labels_M: IntArray, checkpoints: int) -> None:
        super().__init__("test", encoding, labels_M)
        self._stored = [_StoredCheckpoint(folder / str(number)) for number in range(checkpoints)]

    def _checkpoints(self, position: int, rows: slice) -> list[QueryCheckpoint]:
        return [checkpoint.query(position, rows) for checkpoint in self._stored]

    def gradients(self, checkpoint: int) -> Rows:
        """Gradients at every position of every example at one checkpoint, shape (R, D), in order of the encoding's rows."""
        return self._stored[checkpoint].gradients_RD


class _StoredCheckpoint:
    def __init__(self, folder: Path) -> None:
        self.gradients_RD = Rows(folder / "gradients.npy")
        self.kept_R = load_array(folder / "kept.npy")
        self.deltas_MY: FloatArray = load_array(folder / "deltas.npy")
        self.features_MH = load_array(folder / "features.npy") if (folder / "features.npy").is_file() else None

    def query(self, position: int, rows: slice) -> QueryCheckpoint:
        features_H = None if self.features_MH is None else self.features_MH[position]
        return QueryCheckpoint(self.gradients_RD[rows], self.kept_R[rows], features_H, self.deltas_MY[position])


class TrainQueries(_Queries):
    """Every training example as a query for the loss on its own label, by position.

    Only the top-k positions carry their gradients, the others are zero: for methods that select the top k. With
    `all_positions`, which the index must store, all do.
    """

    def __init__(self, index: WordIndex, *, all_positions: bool = False) -> None:
        super().__init__("train", index.encoding, index.labels_N)
        self._parts = [index.parts(name) for name in ((TOP, REST) if all_positions else (TOP,))]

    def _checkpoints(self, position: int, rows: slice) -> list[QueryCheckpoint]:
        return [_checkpoint(parts, position, rows) for parts in zip(*self._parts, strict=True)]


def _checkpoint(parts: Sequence[Postings], position: int, rows: slice) -> QueryCheckpoint:
    gradients_LD = np.zeros((rows.stop - rows.start, parts[0].gradients_PD.shape[1]), dtype=np.float32)
    kept_L = np.zeros(len(gradients_LD), dtype=np.bool_)
    for number, part in enumerate(parts):
        rows_P, postings_P, offsets_N1 = part.by_example
        mine = slice(*offsets_N1[position : position + 2].tolist())
        at_K = rows_P[mine] - rows.start
        gradients_LD[at_K] = part.gradients_PD[postings_P[mine]]
        kept_L[at_K] = number == 0  # the top-k positions come first
    return QueryCheckpoint(gradients_LD, kept_L, None, np.zeros(0))
