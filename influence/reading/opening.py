"""A file's bytes and lines: what its first bytes say that it is, gzip undone, and no more taken in than its size allows."""

import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from influence.errors import DataError
from influence.reading.form import Form
from influence.reading.limits import MOST_LINE, RATIO, UNFOLDED

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
OTHERS = (
    (b"PK", "a zip archive, or a workbook of a spreadsheet: unpack it, or save the sheet as CSV (UTF-8)"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet or Office file: save it as CSV (UTF-8)"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it, or use gzip"),
    (b"BZh", "compressed by bzip2: unpack it, or use gzip"),
    (b"\xfd7zXZ", "compressed by xz: unpack it, or use gzip"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (b"ARROW1", "an Arrow or Feather file: write it as Parquet"),
    (b"Obj\x01", "an Avro file: write it as Parquet or JSON lines"),
    (b"ORC", "an ORC file: write it as Parquet"),
    (b"SQLite format 3", "an SQLite database: write the table as CSV"),
    (b"%PDF", "a PDF: the texts must stand in a table"),
    (b"\x89HDF", "an HDF5 file: write it as Parquet"),
    (b"\x80\x04", "a Python pickle, which is never loaded: write it as Parquet"),
    (b"\x7fELF", "a program: give a table, such as CSV, Parquet or JSON lines"),
)  # fmt: skip


def is_compressed(path: Path) -> bool:
    """Whether a file is in gzip, whatever its name."""
    with path.open("rb") as opened:
        return opened.read(2) == GZIP


def open_bytes(path: Path, *, compressed: bool) -> BinaryIO:
    """A file's bytes, out of gzip where it is in it. Raises `DataError` for gzip that unfolds without end, or is damaged."""
    return cast(BinaryIO, io.BufferedReader(_Unfolded(path), 1 << 18)) if compressed else path.open("rb")


def open_text(path: Path, form: Form) -> TextIO:
    """A file's text, line ends as they are; a mark of Unicode at its start is its first character."""
    return io.TextIOWrapper(open_bytes(path, compressed=form.compressed), encoding=form.encoding, newline="")


def check_content(source: str, start: bytes) -> None:
    """Raise `DataError` for a file that is something else than a table, by its first bytes."""
    for mark, what in OTHERS:
        if start.startswith(mark):
            raise DataError(f"{source!r} is {what}")


def next_line(opened: TextIO, source: str, number: int) -> str:
    """The next line, "" at the end. Raises `DataError` for one so long that it is no row."""
    line = opened.readline(MOST_LINE)
    if len(line) >= MOST_LINE and line[-1] not in "\r\n":
        raise DataError(f"{source!r} line {number} has more than {MOST_LINE:,} characters; is it the file that was meant?")
    return line


class _Unfolded(io.RawIOBase):
    """What comes out of gzip, counted."""

    def __init__(self, path: Path) -> None:
        self.source, self.size, self.count = str(path), path.stat().st_size, 0
        self.opened = gzip.GzipFile(path, "rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        try:
            content = self.opened.read(len(memoryview(buffer)))  # type: ignore[arg-type]
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{self.source!r} is gzip, and damaged: {str(error).splitlines()[0]}") from error
        self.count += len(content)
        if self.count > UNFOLDED and self.count > RATIO * self.size:
            raise DataError(
                f"{self.source!r} is gzip of {self.size:,} bytes that unfolds to more than {self.count:,}: it repeats without "
                "end; unpack it if it is what was meant"
            )
        memoryview(buffer)[: len(content)] = content  # type: ignore[arg-type]
        return len(content)

    def close(self) -> None:
        self.opened.close()
        super().close()
