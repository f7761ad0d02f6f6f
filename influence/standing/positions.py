"""Where the records of a journal lie, so that any of them is read without the others."""

import hashlib
from array import array
from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

import numpy as np

from influence.types import IntArray

BLOCK = 1 << 24  # bytes that are read together


class Mark(NamedTuple):
    """How far a snapshot holds a journal: up to which record, how many bytes these are, and their SHA-256."""

    seq: int
    size: int
    sha256: str


class Positions:
    """Where each record's line begins in a journal, twelve bytes a record, and the SHA-256 of all that lies before the end."""

    def __init__(self) -> None:
        self._seqs, self._starts, self.end, self._sum = array("i"), array("q"), 0, hashlib.sha256()

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, seq: int, line: bytes) -> None:
        """The next line, with its line break."""
        self._seqs.append(seq)
        self._starts.append(self.end)
        self._sum.update(line)
        self.end += len(line)

    def extend(self, seqs: IntArray, sizes: IntArray, lines: bytes) -> None:
        """The next lines, of so many bytes each."""
        self._sum.update(lines)
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

    def mark(self) -> Mark:
        """How far they go."""
        return Mark(self._seqs[-1] if self._seqs else 0, self.end, self._sum.hexdigest())

    @classmethod
    def of_marked(cls, path: Path, mark: Mark) -> "Positions | None":
        """Those of a journal that begins with just the bytes of a mark, a line for each of its records; None for another."""
        found, size = cls(), mark.size
        with path.open("rb") as file:
            rest = b""
            while size:
                block = file.read(min(BLOCK, size))
                if not block:
                    return None
                size -= len(block)
                lines, rest = rest + block, b""
                ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
                whole = int(ends[-1]) if len(ends) else 0
                lines, rest = lines[:whole], lines[whole:]
                found.extend(np.arange(len(found) + 1, len(found) + 1 + len(ends)), np.diff(ends, prepend=0), lines)
        return found if found.mark() == mark and not rest else None
