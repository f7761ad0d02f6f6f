"""Queries of a split's own examples: from gradients that an index holds, or made now by the checkpoints themselves.

An index keeps gradients in token order; `StoredQueries` puts those of an example back in order of position: those of the top-k
positions unless all are asked for. `LiveQueries` makes the gradients of test examples at every position, which no index holds
once a build is done.
"""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from influence.attribution.query import Query, QueryCheckpoint
from influence.gradients import Alike
from influence.models import Encoding
from influence.segments import REST, TOP, SplitSegments
from influence.types import IntArray

if TYPE_CHECKING:  # what is stored is read without PyTorch
    from influence.attribution.index import WordIndex
    from influence.attribution.live_model import LiveGradients

KEPT = 64  # queries last made, by `LiveQueries`


class Queries(ABC):
    """The M examples of a split as queries for the loss on their own labels, by position."""

    def __init__(self, split: str, encoding: Encoding, labels_M: IntArray, alike: Alike | None = None) -> None:
        self.encoding, self.labels_M, self._split = encoding, labels_M, split
        self.alike = alike or Alike(encoding, labels_M)

    def __len__(self) -> int:
        return len(self.encoding)

    def __getitem__(self, position: int) -> Query:
        return self.several([position])[0]

    def bare(self, position: int) -> Query:
        """The query at a position without its gradients, for methods that ask for none."""
        return self._query(position, [])

    def several(self, positions: Sequence[int]) -> list[Query]:
        """The queries at some positions."""
        found = self._checkpoints(positions)
        return [self._query(position, checkpoints) for position, checkpoints in zip(positions, found, strict=True)]

    def _query(self, position: int, checkpoints: list[QueryCheckpoint]) -> Query:
        rows = self._rows(position)
        return Query(
            key=f"{self._split}\x1f{position}",
            label=int(self.labels_M[position]),
            tokens_L=self.encoding.tokens_R[rows],
            words_L=self.encoding.words_R[rows],
            special_L=self.encoding.special_R[rows],
            checkpoints=checkpoints,
            types_L=self.encoding.types_R[rows],
        )

    def _rows(self, position: int) -> slice:
        return slice(*self.encoding.offsets_N1[position : position + 2].tolist())

    @abstractmethod
    def _checkpoints(self, positions: Sequence[int]) -> list[list[QueryCheckpoint]]:
        """The gradients of some examples at every checkpoint."""

    def in_batches(self, size: int) -> Iterator[tuple[IntArray, list[Query]]]:
        """All queries in order, `size` at a time, with their positions."""
        for start in range(0, len(self), size):
            positions = np.arange(start, min(start + size, len(self)))
            yield positions, self.several(positions.tolist())


class StoredQueries(Queries):
    """Examples whose gradients are in an index.

    Only the top-k positions carry theirs, the others are zero: for methods that select the top k. With `all_positions`, which
    the index must store, all do.
    """

    def __init__(
        self,
        split: str,
        segments: SplitSegments,
        encoding: Encoding,
        labels_M: IntArray,
        *,
        all_positions: bool = False,
        alike: Alike | None = None,
    ) -> None:
        super().__init__(split, encoding, labels_M, alike)
        self._segments, self._parts = segments, (TOP, REST) if all_positions else (TOP,)

    def _checkpoints(self, positions: Sequence[int]) -> list[list[QueryCheckpoint]]:
        numbers = range(self._segments.checkpoints)
        found: list[list[QueryCheckpoint]] = [[] for _ in positions]
        for number in numbers:
            for place, checkpoint in enumerate(self._at_checkpoint(np.asarray(positions), number)):
                found[place].append(checkpoint)
        return found

    def _at_checkpoint(self, positions_Q: IntArray, number: int) -> list[QueryCheckpoint]:
        lengths_Q = self.encoding.lengths_N[positions_Q]
        offsets_Q1 = np.concatenate([[0], np.cumsum(lengths_Q)])
        gradients_RD, kept_R = np.zeros((0, 0), dtype=np.float32), np.zeros(int(offsets_Q1[-1]), dtype=np.bool_)
        for segment, places, chosen in self._segments.holding(positions_Q):
            for part in self._parts:
                postings = self._segments.postings(segment, number, part)
                if not gradients_RD.size:
                    gradients_RD = np.zeros((len(kept_R), postings.width), dtype=np.float32)
                rows_X, owners_X = postings.of_examples(chosen)
                if len(rows_X):
                    at_X = offsets_Q1[places[owners_X]] + postings.positions(rows_X)
                    gradients_RD[at_X] = postings.rows(rows_X)
                    kept_R[at_X] = part == TOP
        edges = list(zip(offsets_Q1[:-1].tolist(), offsets_Q1[1:].tolist(), strict=True))
        return [QueryCheckpoint(gradients_RD[at:end], kept_R[at:end], None, np.zeros(0)) for at, end in edges]


def train_queries(index: "WordIndex", *, all_positions: bool = False) -> StoredQueries:
    """Every training example of an index as a query."""
    return StoredQueries("train", index.split, index.encoding, index.labels_N, all_positions=all_positions, alike=index.alike)


class LiveQueries(Queries):
    """Test examples, their gradients made when asked for by the checkpoints that `live` loads; the last few are kept."""

    def __init__(
        self, encoding: Encoding, labels_M: IntArray, live: "Callable[[], LiveGradients]", *, alike: Alike | None = None
    ) -> None:
        super().__init__("test", encoding, labels_M, alike)
        self._live = live
        self._kept: OrderedDict[int, list[QueryCheckpoint]] = OrderedDict()

    def _checkpoints(self, positions: Sequence[int]) -> list[list[QueryCheckpoint]]:
        kept = dict(self._kept)  # as it is now, whatever other threads do
        firsts = self.alike.first_N[list(positions)].tolist()  # copies are to be equal to the last bit
        missing = [first for first in dict.fromkeys(firsts) if first not in kept]
        if missing:
            made = self._live().gradients(self.encoding, np.array(missing), np.asarray(self.labels_M))
            kept |= zip(missing, made, strict=True)
        found = [kept[first] for first in firsts]
        self._kept.update(zip(firsts[-KEPT:], found[-KEPT:], strict=True))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found
