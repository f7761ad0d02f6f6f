"""What is written with its hashes: folders that a stage has filled, what is kept to save time, and large files of rows."""

import hashlib
import io
import mmap
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from influence import seals
from influence.errors import WorkspaceError
from influence.files import DONE, mapped, write_json, write_whole


def finish(folder: Path, content: Mapping[str, Any]) -> None:
    """Seal a folder that a stage has filled, and mark it as whole."""
    write_json(folder / seals.HASHES, seals.folder_seals(folder))
    write_json(folder / DONE, dict(content))


def is_finished(folder: Path) -> bool:
    """Whether a stage has filled a folder and all is still as it was left; a mark that no longer holds is taken away."""
    if not (folder / DONE).is_file():
        return False
    try:
        seals.verify_all(folder)
    except WorkspaceError:
        for name in (DONE, seals.HASHES):
            (folder / name).unlink(missing_ok=True)
        return False
    return True


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a .npy file, sealed, so that it is either whole or as it was before; `kept_array` reads it."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    save_kept(path, content.getvalue())


def kept_array(path: Path) -> npt.NDArray[Any] | None:
    """The array of `save_array`; None where there is none or it is not what was written: it is to be made again."""
    content = kept(path)
    if content is None:
        return None
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))


def save_kept(path: Path, content: bytes) -> None:
    """Write what can be made again, sealed, so that it is either whole or as it was before."""
    write_whole(path, seals.with_seal(content))


def kept(path: Path) -> bytes | None:
    """The content of `save_kept`; None where there is none or it is not what was written."""
    try:
        return seals.without_seal(path.read_bytes())
    except OSError:
        return None


class Rows:
    """The rows of a large .npy file, memory-mapped; what is sealed is checked piece by piece as it is first read.

    Reads like an array: `rows[3:9]`, `rows[places]`, `len(rows)`, `rows.shape`. Raises `WorkspaceDamaged` where a piece is not
    what was written. A file that changes is checked again; one that was cut is never touched, which would end the process.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._seal = path, seals.seal_of(path)
        if self._seal is not None:
            seals.check_size(path, self._seal)
            # Open as long as this is read, so that a build that took its place, and deleted it, is no damage.
            self._descriptor = os.open(path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._descriptor)
            self._whole = memoryview(mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ))
            self._sound = np.zeros(len(self._seal.pieces), dtype=np.bool_)
            self._written = 0
            self._check(np.zeros(1, dtype=np.intp))
        self._rows = mapped(path)
        self.shape, self.dtype = self._rows.shape, self._rows.dtype
        self._row_bytes = self._rows.strides[0] if len(self._rows) else 1
        self._start = path.stat().st_size - self._rows.nbytes

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: slice | npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._seal is not None:
            self._check(self._pieces(chosen))
        found: npt.NDArray[Any] = self._rows[chosen]
        return found

    def _pieces(self, chosen: slice | npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        """Which pieces of the file hold the chosen rows."""
        if isinstance(chosen, slice):
            start, stop, _ = chosen.indices(len(self._rows))
            ends = np.array([start, max(start, stop - 1)])
        else:
            ends = np.asarray(chosen, dtype=np.intp)[..., None]
        first = (self._start + ends * self._row_bytes) // seals.PIECE
        last = (self._start + (ends + 1) * self._row_bytes - 1) // seals.PIECE
        if isinstance(chosen, slice):
            return np.arange(int(first[0]), int(last[-1]) + 1)
        return np.unique(np.concatenate([first.ravel(), last.ravel()]))

    def _check(self, pieces: npt.NDArray[np.intp]) -> None:
        assert self._seal is not None
        now = os.fstat(self._descriptor)
        if now.st_size != self._seal.size:
            raise seals.damaged(self._path)
        if now.st_mtime_ns != self._written:
            self._written, self._sound[:] = now.st_mtime_ns, False
        for piece in pieces[~self._sound[pieces]].tolist():
            content = self._whole[piece * seals.PIECE : (piece + 1) * seals.PIECE]
            if hashlib.sha256(content).hexdigest() != self._seal.pieces[piece]:
                raise seals.damaged(self._path, piece)
            self._sound[piece] = True
