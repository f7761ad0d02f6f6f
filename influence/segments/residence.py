"""How much of mapped files a process holds, and when to let go of it.

What is read of a mapped file stays in the process until the system wants the memory back. That is no loss, but the process counts
as that large wherever memory is watched or limited. What is let go stays in the system's cache, from where it comes back in
microseconds.
"""

import mmap
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

MOST = 3 << 29  # bytes of files that a process may hold, its libraries included
ROOM = 1 << 30  # bytes beside these that it may hold in any case
LOOK = 1 << 29  # bytes that may have been read between two looks
PROCESS = Path("/proc/self/statm")


def file_bytes() -> int:
    """Bytes of mapped files that this process holds; 0 where the system does not say."""
    try:
        return int(PROCESS.read_bytes().split()[2]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return 0


class LetsGo(Protocol):
    """Whoever holds pages of mapped files."""

    def let_go(self) -> None:
        """Give back the memory that what was read takes."""


class Residence:
    """Counts what may have been read of a reader's files."""

    def __init__(self) -> None:
        self._read = 0
        self._others = 0  # bytes that stayed when all was let go: libraries for a GPU take gigabytes

    def read(self, size: int, opened: Collection[LetsGo]) -> None:
        """Up to so many bytes more will be read: time to let go of what was, where that has become much."""
        self._read += size
        if self._read < LOOK:
            return
        self._read = 0
        if file_bytes() > max(MOST, self._others + ROOM):
            for one in [*opened]:  # other threads open more
                one.let_go()
            self._others = file_bytes()
