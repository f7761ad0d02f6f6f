"""How much of mapped files a process holds, and when to let go of it.

What is read of a mapped file stays in the process until the system wants the memory back. That is no loss, but the process counts
as that large wherever memory is watched or limited. What is let go stays in the system's cache, from where it comes back in
microseconds.
"""

import mmap
from pathlib import Path

MOST = 3 << 29  # bytes of files that a process may hold, its libraries included
LOOK = 1 << 29  # bytes that may have been read between two looks
PROCESS = Path("/proc/self/statm")


def file_bytes() -> int:
    """Bytes of mapped files that this process holds; 0 where the system does not say."""
    try:
        return int(PROCESS.read_bytes().split()[2]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return 0


class Residence:
    """Counts what may have been read of a reader's files."""

    def __init__(self) -> None:
        self._read = 0

    def is_full(self, size: int) -> bool:
        """Whether, now that up to so many bytes more will be read, it is time to let go of what was."""
        self._read += size
        if self._read < LOOK:
            return False
        self._read = 0
        return file_bytes() > MOST
