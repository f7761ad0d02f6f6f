"""Queries whose gradients are already known (the test split), and queries for which they are computed now (any text)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from influence.encoding import Encoding, FloatArray, IntArray
from influence.files import load_array
from influence.question import Query, QueryCheckpoint


class StoredQueries:
    """The test split's gradients, in example order, as written by `indexing.write_split`."""

    def __init__(
        self, folder: Path, encoding: Encoding, *, labels_M: IntArray, ids: Callable[[int], str], checkpoints: int
    ) -> None:
        self.encoding, self.labels_M, self._ids = encoding, labels_M, ids
        self._checkpoints = [_StoredCheckpoint(folder / str(number)) for number in range(checkpoints)]

    def __len__(self) -> int:
        return len(self.encoding)

    def __getitem__(self, position: int) -> Query:
        rows = slice(*map(int, self.encoding.offsets_N1[position : position + 2]))
        return Query(
            key=self._ids(position),
            label=int(self.labels_M[position]),
            tokens_L=self.encoding.tokens_R[rows],
            words_L=self.encoding.words_R[rows],
            special_L=self.encoding.special_R[rows],
            checkpoints=[checkpoint.query(position, rows) for checkpoint in self._checkpoints],
            types_L=self.encoding.types_R[rows],
        )

    def gradients(self, checkpoint: int) -> FloatArray:
        """Gradients at every position of every example at one checkpoint, shape (R, D), in order of the encoding's rows."""
        return self._checkpoints[checkpoint].gradients_RD

    def in_batches(self, size: int) -> Iterator[tuple[IntArray, list[Query]]]:
        """All queries in order, `size` at a time, with their positions."""
        for start in range(0, len(self), size):
            positions = np.arange(start, min(start + size, len(self)))
            yield positions, [self[int(position)] for position in positions]


class _StoredCheckpoint:
    def __init__(self, folder: Path) -> None:
        self.gradients_RD: FloatArray = load_array(folder / "gradients.npy")
        self.kept_R = load_array(folder / "kept.npy")
        self.deltas_MY: FloatArray = load_array(folder / "deltas.npy")
        self.features_MH = load_array(folder / "features.npy") if (folder / "features.npy").is_file() else None

    def query(self, position: int, rows: slice) -> QueryCheckpoint:
        features_H = None if self.features_MH is None else self.features_MH[position]
        return QueryCheckpoint(self.gradients_RD[rows], self.kept_R[rows], features_H, self.deltas_MY[position])
