"""A .npy file that is written block by block, so that what is held in memory does not grow with it.

The header of such a file says how long the array is, which is known at the end only. NumPy leaves room in it for the longest
number there is, so the header is written first for no rows and then, in the same place, for all.
"""

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt


class GrowingArray:
    """A .npy file of one axis, open for blocks to be appended; byte for byte what `numpy.save` makes of all of them joined.

    Leaving the `with` block completes the header. Until then, and where it is left by an error, the file says that it is empty.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike) -> None:
        self.dtype, self.rows = np.dtype(dtype), 0
        self._file = path.open("wb")
        self._write_header()

    def append(self, block: npt.NDArray[Any]) -> None:
        """Write a block behind those before. Raises `TypeError` where its values do not fit into the array's type."""
        self._file.write(block.astype(self.dtype, casting="safe", copy=False).tobytes())
        self.rows += len(block)

    def __enter__(self) -> "GrowingArray":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._write_header()

    def _write_header(self) -> None:
        described = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.rows,)}
        np.lib.format.write_array_header_1_0(self._file, described)
