"""Where the records of a journal lie, so that any of them is read without the others."""

from array import array
from bisect import bisect_left

import numpy as np

from influence.types import IntArray


class Positions:
    """Where each record's line begins in a journal: twelve bytes a record."""

    def __init__(self) -> None:
        self._seqs, self._starts, self.end = array("i"), array("q"), 0

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, seq: int, size: int) -> None:
        """The next line, of so many bytes with its line break."""
        self._seqs.append(seq)
        self._starts.append(self.end)
        self.end += size

    def extend(self, seqs: IntArray, sizes: IntArray) -> None:
        """The next lines."""
        self._seqs.frombytes(np.asarray(seqs, np.int32).tobytes())
        ends = self.end + np.cumsum(np.asarray(sizes, np.int64))
        self._starts.frombytes((ends - sizes).astype(np.int64).tobytes())
        self.end = int(ends[-1]) if len(ends) else self.end

    def of(self, seq: int) -> tuple[int, int]:
        """A record's line: where it begins, and where the next one does. Raises `KeyError` for one that is not there."""
        at = bisect_left(self._seqs, seq)
        if at == len(self._seqs) or self._seqs[at] != seq:
            raise KeyError(seq)
        return self._starts[at], self._starts[at + 1] if at + 1 < len(self._starts) else self.end
