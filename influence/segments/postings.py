"""The gradient rows of a segment at one checkpoint, sorted by token and example, and what is asked of them.

Axes: n examples of the segment, P rows, U tokens that have rows, K a query's words, E chosen examples, D embedding width.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np

from influence.errors import WorkspaceError
from influence.segments.arrays import AnyArray, Arrays
from influence.segments.compact import remainder_step
from influence.segments.kernels import expand, find, scan, scan_exact
from influence.types import FloatArray, IntArray

FIRST, SECOND, SCALES, REMAINDERS = "first", "second", "scales", "remainders"
ROWS_AT_ONCE = 8_192  # made into float32
Word = TypeVar("Word")
ROWS, EXAMPLES, POSITIONS, TOKENS, STARTS = "rows", "examples", "positions", "tokens", "starts"


class Postings:
    """Rows in two int8 planes, or in float32 (`exact`), of n examples of some lengths in tokens.

    Raises `WorkspaceError` for a file that is not what was written, or does not fit.
    """

    def __init__(self, file: Arrays, lengths_n: IntArray) -> None:
        self._file, self.count = file, len(lengths_n)
        self.tokens_U, self.starts_U1 = self._file.whole(TOKENS), self._file.whole(STARTS)
        self.examples_P: IntArray = self._file.whole(EXAMPLES)
        self.positions_P: IntArray = self._file.whole(POSITIONS)
        self.exact = ROWS in self._file
        planes = (ROWS,) if self.exact else (FIRST, SECOND, SCALES, REMAINDERS)
        self._parts = (ROWS,) if self.exact else (FIRST, SECOND)
        self._planes: dict[str, AnyArray] = {name: self._file.unchecked(name) for name in planes}
        self.size = sum(plane.nbytes for plane in self._planes.values())  # bytes
        for name in () if self.exact else (SCALES, REMAINDERS):
            self._file.whole(name)
        self._check(lengths_n)

    def _check(self, lengths_n: IntArray) -> None:
        sizes = {len(array) for array in (self.examples_P, self.positions_P, *self._planes.values())}
        sound = (
            sizes == {int(self.starts_U1[-1])}
            and len(self.starts_U1) == len(self.tokens_U) + 1
            and not (np.diff(self.starts_U1.astype(np.int64)) < 0).any()
            and not (np.diff(self.tokens_U) <= 0).any()
            and int(self.examples_P.max(initial=0)) < self.count
            and bool((self.positions_P < lengths_n[self.examples_P]).all())
            and len({self._planes[name].shape for name in (FIRST, SECOND) if name in self._planes}) < 2
        )
        if not sound:
            where = str(self._file.path)
            raise WorkspaceError(f"the index is damaged: {where!r} does not fit its data; build the workspace again")

    def __len__(self) -> int:
        return len(self.examples_P)

    @property
    def width(self) -> int:
        """D."""
        return int(self._planes[ROWS if self.exact else FIRST].shape[1])

    def let_go(self) -> None:
        """Give back the memory that what was read takes; it is read again when asked for."""
        self._file.let_go()

    @property
    def bytes_scanned(self) -> int:
        """Bytes a row that `scan` reads."""
        return self.width * (4 if self.exact else 1) + (2 if self.exact else 7)

    def blocks(self, tokens_K: IntArray) -> tuple[IntArray, IntArray]:
        """First and last + 1 row of each token, shape (K,) each; none of a token that has no rows."""
        if not len(self.tokens_U):
            return np.zeros(len(tokens_K), dtype=np.int64), np.zeros(len(tokens_K), dtype=np.int64)
        at_K = np.minimum(np.searchsorted(self.tokens_U, tokens_K), len(self.tokens_U) - 1)
        there_K = self.tokens_U[at_K] == tokens_K
        starts_K = self.starts_U1[at_K].astype(np.int64)
        return starts_K, np.where(there_K, self.starts_U1[at_K + 1], starts_K)

    def scan(self, tokens_K: IntArray, query_KD: FloatArray, scores_n: FloatArray, errors_n: FloatArray) -> None:
        """Add each example's products with a query's words to its score, and to its error how far that may be off (≥ 0)."""
        if not self._file.sound(self._parts[0]):
            self._file.check_rows(self._parts[0], *self.blocks(tokens_K))
        places = self.examples_P, self.tokens_U, self.starts_U1, tokens_K
        if self.exact:
            scan_exact(self._planes[ROWS], *places, query_KD, scores_n)
            return
        bounds_K = (np.sqrt(np.vecdot(query_KD, query_KD)) * remainder_step(self.width)).astype(np.float32)
        planes = self._planes
        scan(planes[FIRST], planes[SCALES], planes[REMAINDERS], *places, query_KD, bounds_K, scores_n, errors_n)

    def scanned(self) -> list[tuple[str, AnyArray]]:
        """The arrays that `scan` reads, by name, checked whole; examples as int32."""
        names = (ROWS,) if self.exact else (FIRST, SCALES, REMAINDERS)
        return [(EXAMPLES, self.examples_P.astype(np.int32)), *((name, self._file.whole(name)) for name in names)]

    def find(self, tokens_K: IntArray, chosen_E: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Rows of some tokens and examples (in order): the row, which token, and which example, shape (X,) each."""
        return find(self.examples_P, self.tokens_U, self.starts_U1, tokens_K, chosen_E)

    def rows(self, rows_X: IntArray) -> FloatArray:
        """The gradients of some rows, float32 of shape (X, D), by both planes."""
        self.check(rows_X, rows_X + 1)
        if self.exact:
            return np.asarray(self._planes[ROWS][rows_X])
        return self._made(rows_X, np.empty((len(rows_X), self.width), dtype=np.float32))

    def _made(self, rows_X: IntArray, room_XD: FloatArray) -> FloatArray:
        return expand(self._planes[FIRST], self._planes[SECOND], self._planes[SCALES], rows_X, room_XD)

    def block_rows(self, start: int, stop: int, room_PD: FloatArray) -> FloatArray:
        """`rows` of a range that `check` has looked at, in `room_PD` where they have to be made."""
        return np.asarray(self._planes[ROWS][start:stop]) if self.exact else self._made(np.arange(start, stop), room_PD)

    def check(self, starts_X: IntArray, stops_X: IntArray) -> None:
        """Raises `WorkspaceDamaged` where rows of some ranges are not what was written."""
        if not self._file.sound(self._parts[0]):
            for name in self._parts:
                self._file.check_rows(name, starts_X, stops_X)

    @cached_property
    def _by_example(self) -> tuple[IntArray, IntArray]:
        """Rows in order of example and position, and where each example's begin; found once, then kept."""
        rows_P = np.lexsort((self.positions_P, self.examples_P)).astype(np.uint32)
        counts_n = np.bincount(self.examples_P, minlength=self.count)
        return rows_P, np.concatenate([[0], np.cumsum(counts_n)])

    def of_examples(self, chosen_E: IntArray) -> tuple[IntArray, IntArray]:
        """All rows of some examples in order of position, shape (X,), and which of the chosen each belongs to."""
        rows_P, offsets_n1 = self._by_example
        first_E, counts_E = offsets_n1[chosen_E], offsets_n1[chosen_E + 1] - offsets_n1[chosen_E]
        places_X = np.repeat(np.arange(len(chosen_E)), counts_E)
        before_E = np.cumsum(counts_E) - counts_E
        return rows_P[(first_E - before_E)[places_X] + np.arange(len(places_X))].astype(np.int64), places_X

    def at(self, examples_X: IntArray, positions_X: IntArray) -> IntArray:
        """The row of each position of an example, -1 where it is not stored, shape (X,)."""
        if not len(self):
            return np.full(len(examples_X), -1)
        wanted_X = examples_X.astype(np.int64) << 32 | positions_X
        at_X = np.minimum(np.searchsorted(self._keys_P, wanted_X), len(self) - 1)
        return np.where(self._keys_P[at_X] == wanted_X, self._by_example[0][at_X].astype(np.int64), -1)

    @cached_property
    def _keys_P(self) -> IntArray:
        rows_P, _ = self._by_example
        return self.examples_P[rows_P].astype(np.int64) << 32 | self.positions_P[rows_P]

    def positions(self, rows_X: IntArray) -> IntArray:
        """In which position of its example each row stands."""
        return self.positions_P[rows_X].astype(np.int64)


def row_blocks(postings: Postings, tokens_U: IntArray, words: Sequence[Word]) -> Iterator[tuple[Word, FloatArray, IntArray]]:
    """What is asked of each token, with its rows in float32 and their examples, `ROWS_AT_ONCE` at a time."""
    room_PD = np.empty((ROWS_AT_ONCE, postings.width), dtype=np.float32)
    starts_U, stops_U = postings.blocks(tokens_U)
    postings.check(starts_U, stops_U)
    for word, start, stop in zip(words, starts_U.tolist(), stops_U.tolist(), strict=True):
        for at in range(start, stop, ROWS_AT_ONCE):
            end = min(at + ROWS_AT_ONCE, stop)
            yield word, postings.block_rows(at, end, room_PD), postings.examples_P[at:end]
