"""Indexes as they were before there were segments: one block of float32 rows a checkpoint, each array a file of its own.

    index/SPLIT/CHECKPOINT/top/{gradients,rows,examples,offsets}.npy, rest/ likewise, and a file for each per-example number

They are read as one segment, in float32.
"""

from pathlib import Path

import numpy as np

from influence.errors import WorkspaceError
from influence.files import mapped
from influence.segments.arrays import AnyArray, CheckedFile
from influence.segments.plan import PLAN, Segment
from influence.segments.postings import EXAMPLES, POSITIONS, ROWS, STARTS, TOKENS
from influence.types import IntArray


def is_legacy(folder: Path) -> bool:
    """Whether a split's index is of that kind."""
    return not (folder / PLAN).is_file() and (folder / "0").is_dir()


def legacy_segments(examples: int) -> list[Segment]:
    """All of a split, as one segment."""
    return [Segment(0, 0, examples)]


class NpyFiles:
    """.npy files by the names of what they hold, with arrays that are made of them."""

    def __init__(self, path: Path, files: dict[str, Path], made: dict[str, AnyArray] | None = None) -> None:
        self.path, self._files, self._made = path, files, made or {}
        self._mapped: dict[str, tuple[AnyArray, CheckedFile, int]] = {}

    def sound(self, name: str) -> bool:
        """Whether an array has been checked from end to end, and has not changed since."""
        return name in self._made or self._open(name)[1].sound

    def __contains__(self, name: str) -> bool:
        return name in self._made or (name in self._files and self._files[name].is_file())

    def unchecked(self, name: str) -> AnyArray:
        """An array whose rows are to be checked with `check_rows` before they are read."""
        return self._made[name] if name in self._made else self._open(name)[0]

    def whole(self, name: str) -> AnyArray:
        """An array, checked from end to end."""
        found = self.unchecked(name)
        self.check_rows(name, np.array([0]), np.array([len(found)]))
        return found

    def check_rows(self, name: str, starts_X: IntArray, stops_X: IntArray) -> None:
        """Raises `WorkspaceDamaged` where rows of some ranges are not what was written."""
        if name not in self._made:
            array, file, start = self._open(name)
            row = array.strides[0] if len(array) else 0
            file.check(start + starts_X * row, start + stops_X * row)

    def _open(self, name: str) -> tuple[AnyArray, CheckedFile, int]:
        if name not in self._mapped:
            array, file = mapped(self._files[name]), CheckedFile(self._files[name])
            file.check(np.array([0]), np.array([1]))
            start = file.size - array.nbytes
            self._mapped[name] = file.view(array.dtype.str, array.shape, start), file, start
        return self._mapped[name]

    def let_go(self) -> None:
        """Give back the memory that what was read takes; it is read again when asked for."""
        for _, file, _ in list(self._mapped.values()):
            file.let_go()


def legacy_postings(folder: Path, offsets_N1: IntArray) -> NpyFiles:
    """The rows in one of the old folders, as `Postings` reads them."""
    files = {name: folder / f"{name}.npy" for name in ("rows", "examples", "offsets")}
    found = NpyFiles(folder, files)
    rows_P, examples_P, offsets_V1 = (np.asarray(found.whole(name)) for name in files)
    if (
        len(rows_P) != len(examples_P)
        or (len(rows_P) and not 0 <= int(examples_P.min()) <= int(examples_P.max()) < len(offsets_N1) - 1)
        or (np.diff(offsets_V1) < 0).any()
    ):
        raise WorkspaceError(f"the index is damaged: {str(folder)!r} does not fit its data; build the workspace again")
    tokens_U = np.flatnonzero(np.diff(offsets_V1))
    made = {
        TOKENS: tokens_U,
        STARTS: np.append(offsets_V1[tokens_U], offsets_V1[-1]),
        EXAMPLES: examples_P,
        POSITIONS: rows_P - offsets_N1[examples_P],
    }
    return NpyFiles(folder, {ROWS: folder / "gradients.npy"}, made)


def legacy_examples(folder: Path) -> NpyFiles:
    """The per-example numbers in one of the old folders."""
    return NpyFiles(folder, {name: folder / f"{name}.npy" for name in ("probabilities", "losses", "self_influence", "features")})
