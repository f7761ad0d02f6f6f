"""Text with delimiters (CSV, TSV): its delimiter found, its rows read one by one, whatever becomes of any of them."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TextIO

from influence.errors import DataError
from influence.reading.limits import MOST_CELLS, MOST_FIELD, check_columns
from influence.reading.opening import next_line
from influence.reading.table import Chunk, check_names, in_chunks

DELIMITERS = ",;\t|"
BOM = "\ufeff"
SAMPLE, SAMPLE_ROWS = 1 << 18, 200
MOST_GIVEN_BACK = 2_000_000  # lines read a second time
SHARED = 40  # characters up to which equal cells of a column are kept once
SAID = re.compile(r"sep=(.)\r?\n?")  # the first line by which a spreadsheet is told the delimiter
HINT = "quote texts that hold the delimiter, a quote or a line break, or name the delimiter with --delimiter"


class Row(NamedTuple):
    """A row with its lines as they are: its fields, or why there are none. A line with nothing on it has neither."""

    fields: list[str]
    why: str
    lines: list[str]
    number: int  # of its first line, from 1


class Delimited:
    """The rows of an open text. The header is read at once; `start` holds the lines up to its end.

    Raises `DataError` for a header that cannot be read or names a column twice.
    """

    def __init__(self, opened: TextIO, source: str, delimiter: str) -> None:
        csv.field_size_limit(MOST_FIELD)
        self.source, self._lines = source, _Lines(opened, source)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        header = self._row()
        while header is not None and not header.fields and not header.why:  # blank lines before it
            header = self._row()
        if header is None or header.why:
            raise DataError(f"{source!r} line 1: {'no header' if header is None else header.why}; {HINT}")
        self.header = header.fields
        self.start = list(self._lines.taken)
        check_columns(source, len(self.header))
        named = [name for name in self.header if name.strip()]
        check_names(source, named)
        self._needed = max((at + 1 for at, name in enumerate(self.header) if name.strip()), default=1)
        self._lines.taken.clear()

    @property
    def places(self) -> dict[str, int]:
        """Where each column stands; of several without a name, none can be asked for."""
        nameless = sum(not name.strip() for name in self.header) > 1
        return {name: at for at, name in enumerate(self.header) if name.strip() or not nameless}

    def __iter__(self) -> Iterator[Row]:
        while (row := self._row()) is not None:
            blank = not row.why and not "".join(row.fields).strip() and len(row.fields) < max(2, len(self.header))
            yield row._replace(fields=[]) if blank else self._fitted(row)
            self._lines.taken.clear()

    def _fitted(self, row: Row) -> Row:
        """Empty fields more than the header has, or fewer for columns without a name, say nothing."""
        width, found = len(self.header), len(row.fields)
        if row.why or found == width or (self._needed <= found < width) or (found > width and not any(row.fields[width:])):
            return row
        fields = "1 field" if found == 1 else f"{found:,} fields"
        return row._replace(why=f"{fields} where the header has {width:,}")

    def _row(self) -> Row | None:
        lines = self._lines
        begun = lines.number + 1
        try:
            fields = next(self._reader)
        except StopIteration:
            return None
        except csv.Error as error:
            # A stray quote takes in all lines to the next one: only its own is lost.
            lines.give_back(begun)
            return Row([], f"malformed ({error})", list(lines.taken), begun)
        return Row(fields, "", list(lines.taken), begun)


class _Lines:
    """The lines of an open text, those taken for a row kept until it is done; they can be given back but for the first."""

    def __init__(self, opened: TextIO, source: str) -> None:
        self.opened, self.source = opened, source
        self.ahead: deque[str] = deque()
        self.taken: list[str] = []
        self.number = self.given_back = 0
        self.begun = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self.ahead.popleft() if self.ahead else next_line(self.opened, self.source, self.number + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        if self.number == 1 and SAID.fullmatch(line.removeprefix(BOM)):
            return next(self)
        if not self.begun:
            self.begun, line = True, line.removeprefix(BOM)
        return line

    def give_back(self, begun: int) -> None:
        """Give back all lines of a row that began there but the first."""
        back = self.taken[1:]
        self.given_back += len(back)
        if self.given_back > MOST_GIVEN_BACK:
            raise DataError(f"{self.source!r} line {begun}: a quote that is never closed; quote it or delete it")
        self.ahead.extendleft(reversed(back))
        self.number -= len(back)
        del self.taken[1:]


def read_delimited(opened: TextIO, source: str, delimiter: str) -> tuple[dict[str, list[Any]], dict[int, str]]:
    """The columns, and the rows that cannot be read. Raises `DataError` where those are most of the file."""
    found = Delimited(opened, source, delimiter)
    width = max(len(found.places), 1)
    columns, broken, count = next(chunks := _chunks(found, MOST_CELLS // width + 1))
    check_columns(source, width, count)
    next(chunks, None)  # says whether most rows are broken
    return columns, broken


def delimited_chunks(opened: TextIO, source: str, delimiter: str, rows: int) -> Iterator[Chunk]:
    """`read_delimited`, so many rows at a time; the numbers of broken rows count from the chunk's first."""
    return _chunks(Delimited(opened, source, delimiter), rows)


def _chunks(found: Delimited, rows: int) -> Iterator[Chunk]:
    places, waiting = found.places, (row for row in found if row.fields or row.why)
    seen: dict[str, dict[str, str]] = {name: {} for name in places}

    def make(some: Iterable[Row], _before: int) -> Chunk:
        columns: dict[str, list[Any]] = {name: [] for name in places}
        return columns, *_fill([(columns[name], place, seen[name]) for name, place in places.items()], some)

    return in_chunks(waiting, rows, make, found.source, HINT)


def _fill(targets: list[tuple[list[Any], int, dict[str, str]]], rows: Iterable[Row]) -> tuple[dict[int, str], int]:
    """Put rows into columns, each with its place in a row; returns the rows that cannot be read, and how many there are."""
    broken: dict[int, str] = {}
    count = 0
    for row in rows:
        if row.why:
            broken[count] = f"line {row.number}: {row.why}"
            for values, _, _ in targets:
                values.append(None)
        else:
            width = len(row.fields)
            for values, place, seen in targets:
                value = row.fields[place] if place < width else ""
                values.append(seen.setdefault(value, value) if len(value) <= SHARED and len(seen) < 10_000 else value)
        count += 1
    return broken, count


def find_delimiter(opened: TextIO, source: str, usual: str) -> str:
    """The delimiter that the first rows fit best; the usual one where nothing speaks for another."""
    sample = opened.read(SAMPLE)
    if (said := SAID.match(sample.removeprefix(BOM))) is not None:
        return said.group(1)
    whole = len(sample) < SAMPLE
    best, best_fit = usual, (0.0, 0)
    for delimiter in dict.fromkeys(usual + DELIMITERS):
        fit = _fit(sample, source, delimiter, whole=whole)
        if fit[1] > 1 and (fit[0] > best_fit[0] or best_fit[1] < 2):
            best, best_fit = delimiter, fit
    return best


def _fit(sample: str, source: str, delimiter: str, *, whole: bool) -> tuple[float, int]:
    """The share of rows with as many fields as the header, and how many those are."""
    good = count = 0
    try:
        rows = Delimited(io.StringIO(sample, newline=""), source, delimiter)
        for row in rows:
            if not whole and row.number + len(row.lines) > sample.count("\n"):
                break  # the last one is cut
            good, count = good + (not row.why and bool(row.fields)), count + (bool(row.why) or bool(row.fields))
            if count >= SAMPLE_ROWS:
                break
    except DataError:
        return 0.0, 0
    return good / max(count, 1), len(rows.header)
