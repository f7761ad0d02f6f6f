"""Arrays in files that are mapped into memory, and checked piece by piece as they are first read.

Several arrays of one kind of thing lie in one safetensors file: a header that says where each begins, then their bytes.
"""

import hashlib
import json
import math
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from influence import seals
from influence.errors import WorkspaceError
from influence.types import IntArray

LONGEST_HEADER = 1 << 20
KINDS = {"F32": "<f4", "I64": "<i8", "I32": "<i4", "U32": "<u4", "U16": "<u2", "U8": "|u1", "I8": "|i1", "BOOL": "|b1"}
NAMES = {np.dtype(code): name for name, code in KINDS.items()}
COPY_BYTES = 4 << 20
AnyArray = npt.NDArray[Any]


class CheckedFile:
    """A file mapped into memory; of a sealed one `check` verifies the pieces that hold a range of bytes, each once.

    It stays mapped as long as this is kept, so that a build that took its place, and deleted it, is no damage. A file that
    changes is checked again; one that was cut is never touched, which would end the process.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._seal = path, seals.seal_of(path)
        if self._seal is not None:
            seals.check_size(path, self._seal)
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                if not found.st_size:
                    raise self.unreadable()
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            gone = f"{path.name!r} in {str(path.parent)!r} is gone: the workspace was built anew or is damaged"
            raise WorkspaceError(f"{gone}; open it again, or build it again") from error
        self._whole = memoryview(self._map)
        self.size, self._inode = found.st_size, (found.st_dev, found.st_ino)
        self._sound = np.zeros(0 if self._seal is None else len(self._seal.pieces), dtype=np.bool_)
        self._missing = np.arange(len(self._sound) + 1)  # pieces before each that have not been checked
        self._written = 0

    def unreadable(self) -> WorkspaceError:
        """The error for a file that is not what its name says."""
        where = f"{self.path.name!r} in {str(self.path.parent)!r}"
        return WorkspaceError(f"the index is damaged: {where} cannot be read; build the workspace again")

    def view(self, kind: str, shape: tuple[int, ...], start: int) -> AnyArray:
        """An array of the file's bytes from `start`, nothing of it checked yet."""
        return np.frombuffer(self._whole, dtype=kind, count=math.prod(shape), offset=start).reshape(shape)

    def let_go(self) -> None:
        """Give back the memory that what was read takes; it is read again when asked for."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def check(self, starts_X: IntArray, stops_X: IntArray) -> None:
        """Raises `WorkspaceDamaged` where a piece that holds bytes `starts` to `stops` of any range is not what was written."""
        if self._seal is None:
            return
        self._look_again(self._seal.size)
        some_X = stops_X > starts_X
        first_X, last_X = starts_X[some_X] // seals.PIECE, (stops_X[some_X] - 1) // seals.PIECE
        unsound_X = np.flatnonzero(self._missing[last_X + 1] > self._missing[first_X])
        for first, last in zip(first_X[unsound_X].tolist(), last_X[unsound_X].tolist(), strict=True):
            for piece in range(first, last + 1):
                self._check_piece(piece)
        if len(unsound_X):
            self._missing = np.concatenate([[0], np.cumsum(~self._sound)])

    @property
    def sound(self) -> bool:
        """Whether all of it has been checked, and it has not changed since."""
        if self._seal is not None:
            self._look_again(self._seal.size)
        return not self._missing[-1]

    def _look_again(self, size: int) -> None:
        try:
            now = self.path.stat()
        except OSError:
            return  # deleted, and still mapped
        if (now.st_dev, now.st_ino) != self._inode:
            return  # another file has its name
        if now.st_size != size:
            raise seals.damaged(self.path)
        if now.st_mtime_ns != self._written:
            self._written, self._sound[:] = now.st_mtime_ns, False
            self._missing = np.arange(len(self._sound) + 1)

    def _check_piece(self, piece: int) -> None:
        assert self._seal is not None
        if not self._sound[piece]:
            content = self._whole[piece * seals.PIECE : (piece + 1) * seals.PIECE]
            if hashlib.sha256(content).hexdigest() != self._seal.pieces[piece]:
                raise seals.damaged(self.path, piece)
            self._sound[piece] = True


class Arrays(Protocol):
    """Named arrays on disk, checked as they are read."""

    path: Path

    def sound(self, name: str) -> bool:
        """Whether an array has been checked from end to end, and has not changed since."""

    def __contains__(self, name: str) -> bool: ...

    def unchecked(self, name: str) -> AnyArray:
        """An array whose rows are to be checked with `check_rows` before they are read."""

    def whole(self, name: str) -> AnyArray:
        """An array, checked from end to end."""

    def check_rows(self, name: str, starts_X: IntArray, stops_X: IntArray) -> None:
        """Raises `WorkspaceDamaged` where rows of some ranges are not what was written."""

    def let_go(self) -> None:
        """Give back the memory that what was read takes."""


class ArrayFile:
    """The arrays of a safetensors file, by name. Raises `WorkspaceError` for one that is none, or not what was written."""

    def __init__(self, path: Path) -> None:
        self.path, self._file = path, CheckedFile(path)
        self._arrays: dict[str, tuple[AnyArray, int]] = {}
        try:
            length = int.from_bytes(self._file.view("|u1", (8,), 0).tobytes(), "little")
            if not 0 < length <= min(LONGEST_HEADER, self._file.size - 8):
                raise ValueError(length)
            self._file.check(np.array([0]), np.array([8 + length]))
            header = json.loads(self._file.view("|u1", (length,), 8).tobytes())
            for name, about in header.items():
                if name != "__metadata__":
                    begin, end = (int(place) for place in about["data_offsets"])
                    shape, kind = tuple(int(size) for size in about["shape"]), KINDS[about["dtype"]]
                    if min(begin, *shape) < 0 or math.prod(shape) * np.dtype(kind).itemsize != end - begin:
                        raise ValueError(name)
                    self._arrays[name] = self._file.view(kind, shape, 8 + length + begin), 8 + length + begin
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._file.unreadable() from error

    def let_go(self) -> None:
        """Give back the memory that what was read takes; it is read again when asked for."""
        self._file.let_go()

    def sound(self, name: str) -> bool:
        """Whether an array has been checked from end to end, and has not changed since."""
        return self._file.sound

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def unchecked(self, name: str) -> AnyArray:
        """An array whose rows are to be checked with `check_rows` before they are read."""
        if name not in self._arrays:
            raise self._file.unreadable()
        return self._arrays[name][0]

    def whole(self, name: str) -> AnyArray:
        """An array, checked from end to end."""
        found = self.unchecked(name)
        self.check_rows(name, np.array([0]), np.array([len(found)]))
        return found

    def check_rows(self, name: str, starts_X: IntArray, stops_X: IntArray) -> None:
        """Raises `WorkspaceDamaged` where rows of some ranges are not what was written."""
        array, start = self._arrays[name]
        row = array.strides[0] if len(array) else 0
        self._file.check(start + starts_X * row, start + stops_X * row)


class Gathered:
    """An array that is written in another order than it is held in: its rows at `places`, a slice at a time."""

    def __init__(self, rows: AnyArray, places: IntArray) -> None:
        self.rows, self.places = rows, places
        self.shape, self.dtype = (len(places), *rows.shape[1:]), rows.dtype
        self.nbytes = math.prod(self.shape) * rows.dtype.itemsize

    def write(self, file: BinaryIO) -> None:
        """Write the rows."""
        step = max(1, COPY_BYTES // max(1, self.rows.itemsize * math.prod(self.shape[1:])))
        for start in range(0, len(self.places), step):
            file.write(np.ascontiguousarray(self.rows[self.places[start : start + step]]).data)


def write_arrays(path: Path, arrays: Mapping[str, AnyArray | Gathered]) -> None:
    """Write a safetensors file, its disk space reserved first, so that a full disk raises `OSError` before it is half written."""
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)  # so each begins at a multiple of its item size
    header, end = {}, 0
    for name in order:
        begin, end = end, end + arrays[name].nbytes
        header[name] = {"dtype": NAMES[arrays[name].dtype], "shape": list(arrays[name].shape), "data_offsets": [begin, end]}
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, 8 + len(told) + end)
        file.write(len(told).to_bytes(8, "little") + told)
        for name in order:
            array = arrays[name]
            if isinstance(array, Gathered):
                array.write(file)
            else:
                file.write(np.ascontiguousarray(array).data)
