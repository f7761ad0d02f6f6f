"""A table of cells: columns by name, where they came from, and the rows that could not be read."""

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from influence.errors import DataError
from influence.reading.form import Form

LISTED = 20  # columns named in a message
MOST_BROKEN = 1_000_000  # rows that cannot be read before it is asked whether they are most
Chunk = tuple[dict[str, list[Any]], dict[int, str], int]  # columns, the rows that cannot be read, and how many rows there are

Row = TypeVar("Row")


class Piece(NamedTuple):
    """One of the files that a table was read from: its name among them, its first row and its form."""

    name: str
    first: int
    form: Form


@dataclass(frozen=True)
class Table:
    """Columns of equal length, by name, with values as the file has them; what they mean is the business of `data`.

    A row that cannot be read (`broken`: its number, from 0, and why) has no value in any column and keeps its number.
    """

    columns: dict[str, list[Any]]
    source: str
    sha256: str  # of the file's bytes; of the content for a data set that is not one file
    form: Form = field(default=Form(kind="data set"), compare=False)
    broken: dict[int, str] = field(default_factory=dict)
    rows: int | None = None  # where columns may be there without a row, or hold the first rows only
    pieces: tuple[Piece, ...] = ()  # where it was read from more files than one

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), [])) if self.rows is None else self.rows

    def number(self, row: int) -> int | str:
        """A row's number as a spreadsheet or an editor counts: from 1, the line of names with them where there is one.

        Blank lines, which are no rows, are not counted. Of a row of several files, `train-2.csv:17`: the file's name, too.
        """
        if not self.pieces:
            return _number(row, self.form)
        piece = self.pieces[bisect_right(self.pieces, row, key=lambda piece: piece.first) - 1]
        return f"{piece.name}:{_number(row - piece.first, piece.form)}"

    def column(self, name: str, option: str) -> str:
        """The name of a column as the file has it: exactly, or else but for blanks around it, where only one is so.

        Raises `DataError` for one that is not there.
        """
        if name in self.columns:
            return name
        alike = [found for found in self.columns if found.strip() == name.strip()]
        if len(alike) == 1:
            return alike[0]
        shown = ", ".join(map(repr, list(self.columns)[:LISTED])) + (", …" if len(self.columns) > LISTED else "")
        raise DataError(f"{option} {name!r}: {self.source!r} has no such column; it has {shown or 'none'}")


def _number(row: int, form: Form) -> int:
    return row + (2 if form.kind == "delimited" else 1)


def check_names(source: str, names: list[str]) -> None:
    """Raise `DataError` for a column that stands twice."""
    if len(set(names)) != len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DataError(f"{source!r}: column {twice!r} stands more than once; rename one")


class Broken:
    """The rows of a file that cannot be read, counted as it is gone through."""

    def __init__(self, source: str, hint: str) -> None:
        self.source, self.hint = source, hint
        self.count = self.rows = 0
        self.first = ""  # why the first of them cannot be read

    def add(self, broken: dict[int, str], rows: int) -> None:
        """Some more of them, of a file whose rows are so many by now. Raises `DataError` where there is no end of them."""
        self.first = self.first or next(iter(broken.values()), "")
        self.count, self.rows = self.count + len(broken), rows
        if self.count > MOST_BROKEN:
            self.check()

    def check(self) -> None:
        """Raise `DataError` where so many rows cannot be read that the file is none of the kind it was taken for."""
        if 2 * self.count > self.rows:
            raise DataError(f"{self.source!r} {self.first}; {self.hint}")


def in_chunks(
    waiting: Iterator[Row], rows: int, make: Callable[[Iterable[Row], int], Chunk], source: str, hint: str
) -> Iterator[Chunk]:
    """Chunks of so many rows, one at least, be it of no rows; each made of its rows and how many there were before them.

    Raises `DataError`, with a hint, at the end where most rows are broken.
    """
    told, before = Broken(source, hint), 0
    while True:
        columns, broken, count = make(itertools.islice(waiting, rows), before)
        told.add(broken, before + count)
        if count or not before:
            yield columns, broken, count
        if count < rows:
            break
        before += count
    told.check()
