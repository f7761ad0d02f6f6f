"""The examples of a table: what each row says by the chosen columns, and which rows cannot be used, and why.

Checking, building, preparing and applying all look at a file through this, so that what one accepts the others do, too.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from influence.data.labels import ONE_AT_A_TIME, flag_columns, flags_said, is_by_nature, of_several
from influence.errors import DataError
from influence.files import is_disk_full
from influence.reading import SEVERAL, Odd, Piece, Table, label_cell, read_cell
from influence.sources import Chosen, Column, Joined, Labels, RowNumbers, StoredTexts, Stream

SIDES = "\x1f"  # stands between the texts of a pair
SHOWN = 5  # rows given as examples in a message
HIDDEN = "-1"  # the class by which data sets mark a label that is kept secret
MOST_FLAWS = 5_000_000  # rows that cannot be used
MEND = "mend or delete them, or leave them out with --drop-unusable"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a data file hold what; without `id` an example's id is its row number from 0."""

    text: str = "text"
    text_pair: str | None = None
    label: str = "label"
    id: str | None = None


class Flaw(NamedTuple):
    """Why a row cannot be used, as it follows "6 rows": `without a label in column 'mood'`; and more about this row."""

    what: str
    detail: str = ""


@dataclass(frozen=True)
class Examples:
    """The rows of a table; in every column an entry a row, "" where it has none. Columns that are large lie in files."""

    table: Table
    columns: Columns  # by the names that the file has for them
    ids: Sequence[str]
    texts: Sequence[str]
    pairs: Sequence[str] | None
    labels: Sequence[str]
    flaws: dict[int, Flaw]  # by row, in order

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def usable(self) -> Sequence[int]:
        """The rows that have everything, in order."""
        if not self.flaws:
            return range(len(self))
        return array("q", (row for row in range(len(self)) if row not in self.flaws))

    @cached_property
    def joined(self) -> Sequence[str]:
        """The texts; of a pair both, with a unit separator between."""
        if self.pairs is None:
            return self.texts
        if isinstance(self.texts, Column) and isinstance(self.pairs, Column):
            return Joined(self.texts, self.pairs, SIDES)
        return [f"{text}{SIDES}{pair}" for text, pair in zip(self.texts, self.pairs, strict=True)]

    def grouped(self) -> list[tuple[Flaw, list[int]]]:
        """The flaws by what they are, each with the detail of its first row, and their rows; the most frequent first."""
        groups: dict[str, tuple[Flaw, list[int]]] = {}
        for row, flaw in self.flaws.items():
            groups.setdefault(flaw.what, (flaw, []))[1].append(row)
        return sorted(groups.values(), key=lambda group: -len(group[1]))

    def complaint(self) -> str:
        """All the flaws in one line."""
        return "; ".join(
            f"{_count(len(rows))} of {len(self):,} {flaw.what} ({'; '.join(filter(None, (self._named(rows), flaw.detail)))})"
            for flaw, rows in self.grouped()
        )

    def _named(self, rows: Sequence[int]) -> str:
        return rows_named(self.numbers(rows))

    def numbers(self, rows: Sequence[int]) -> list[int | str]:
        """Rows by the numbers that a spreadsheet gives them; of several files with the file's name."""
        return [self.table.number(int(row)) for row in rows]

    def repeated_ids(self) -> list[int]:
        """The usable rows with an id that an earlier one has."""
        if self.columns.id is None:
            return []
        return [self.usable[at] for at in repeats(picked(self.ids, self.usable))]

    def relabelled(self, labels: dict[str, str]) -> "Examples":
        """The same with other names for labels."""
        if isinstance(self.labels, Labels):
            return replace(self, labels=self.labels.renamed(labels))
        return replace(self, labels=[labels.get(label, label) for label in self.labels])


def picked(column: Sequence[str], rows: Sequence[int]) -> Sequence[str]:
    """Some rows of a column, none twice, in order; of one in files they stay there."""
    if len(rows) == len(column):
        return column
    return Chosen(column, rows) if isinstance(column, Column) else [column[row] for row in rows]


def read_examples(table: Table | Stream, columns: Columns, *, labelled: bool = True) -> Examples:
    """Look at a table by its columns. Raises `DataError` for one that has no rows, or not these columns, or several labels a row.

    A few rows with several labels are flaws of theirs; where they are many, the data are of another kind. Unless `labelled`, no
    label is looked at: every one is "".
    """
    if not labelled:
        columns = replace(columns, label=table.column(columns.text, "--text"))
    if isinstance(table, Stream):
        found = _streamed(table, columns, labelled)
    elif len(table):
        found = _examples(table, _named_in(table, columns), labelled)
    else:
        raise _no_rows(table.source)
    _refuse_several(found)
    return found


def _refuse_several(found: Examples) -> None:
    several = [row for row, flaw in found.flaws.items() if flaw.what == _no_value(SEVERAL, "a label", found.columns.label)]
    joined = of_several(found.labels)
    written = [row for row in found.usable if found.labels[row] in joined] if joined else []
    if not is_by_nature(len(several) + len(written), len(several) + len(found.usable)):
        return
    rows = sorted([*several, *written])
    one = next(iter(joined.values()))[0] if joined else next((found.labels[row] for row in found.usable), "spam")
    shown = f", as {next(iter(joined))[:40]!r}" if joined else ""
    raise DataError(
        f"{found.table.source!r} holds multi-label data: column {found.columns.label!r} gives several labels to "
        f"{_count(len(rows))} of {len(found):,} ({found._named(rows)}{shown}); {ONE_AT_A_TIME}: write a column that says of "
        f"every row whether it has that label, such as {one[:40]!r} or {'not ' + one[:40]!r}, and name it with --label"
    )


def _no_value(odd: Odd, what: str, name: str) -> str:
    return f"with {odd.what} for {what} in column {name!r}"


def _no_rows(source: str) -> DataError:
    return DataError(f"{source!r} has no rows; it needs at least one")


def _named_in(table: Table | Stream, columns: Columns) -> Columns:
    label = _label_in(table, columns.label)
    return Columns(
        text=table.column(columns.text, "--text"),
        text_pair=None if columns.text_pair is None else table.column(columns.text_pair, "--text-pair"),
        label=label,
        id=None if columns.id is None else table.column(columns.id, "--id"),
    )


def _label_in(table: Table | Stream, name: str) -> str:
    try:
        return table.column(name, "--label")
    except DataError as error:
        flags = flag_columns((table.head if isinstance(table, Stream) else table).columns)
        raise DataError(f"{error}; {flags_said(flags)}" if flags else str(error)) from error


def _examples(table: Table, found: Columns, labelled: bool) -> Examples:
    flaws = {row: Flaw("that cannot be read", why) for row, why in table.broken.items()}
    texts = _read(table, found.text, "a text", flaws)
    pairs = None if found.text_pair is None else _read(table, found.text_pair, "a second text", flaws)
    labels = _read(table, found.label, "a label", flaws, label_cell) if labelled else [""] * len(table)
    ids = list(map(str, range(len(table)))) if found.id is None else _read(table, found.id, "an id", flaws)
    return Examples(table, found, ids, texts, pairs, labels, dict(sorted(flaws.items())))


def _streamed(stream: Stream, columns: Columns, labelled: bool) -> Examples:
    """A stream, chunk by chunk through the same hands, its columns kept in lists or, where it is large, in files."""
    if not len(stream.head):
        raise _no_rows(stream.source)
    found = _named_in(stream, columns)
    roles = {"text": found.text, "text_pair": found.text_pair, "id": found.id}
    kept: dict[str, Any] = {role: StoredTexts(stream.folder) if stream.large else [] for role, name in roles.items() if name}
    labels: Any = Labels() if stream.large else []
    flaws: dict[int, Flaw] = {}
    pieces: list[Piece] = []
    count = 0
    try:
        for chunk in stream.chunks([name for name in (*roles.values(), found.label) if name is not None]):
            pieces += [piece._replace(first=count) for piece in chunk.pieces if not pieces or piece.name != pieces[-1].name]
            part = _examples(chunk, found, labelled)
            for role, values in {"text": part.texts, "text_pair": part.pairs, "id": part.ids}.items():
                if role in kept:
                    kept[role].extend(values)
            labels.extend(part.labels)
            flaws |= {count + row: flaw for row, flaw in part.flaws.items()}
            count += len(chunk)
            _check_flaws(stream.source, flaws)
    except OSError as error:
        raise _not_kept(stream, error) from error
    ids = kept.get("id", RowNumbers(count) if stream.large else [str(row) for row in range(count)])
    table = Table(stream.head.columns, stream.source, stream.sha256(), stream.head.form, {}, count, tuple(pieces))
    return Examples(table, found, ids, kept["text"], kept.get("text_pair"), labels, flaws)


def _check_flaws(source: str, flaws: dict[int, Flaw]) -> None:
    if len(flaws) > MOST_FLAWS:
        row, flaw = next(iter(flaws.items()))
        raise DataError(
            f"{source!r}: more than {MOST_FLAWS:,} rows cannot be used, the first {flaw.what} (row {row + 1:,} of the data); "
            "choose other columns, or mend the data"
        )


def _not_kept(stream: Stream, error: OSError) -> DataError:
    if is_disk_full(error):
        return DataError(
            f"disk full: the texts of {stream.source!r} are kept in {str(stream.folder)!r} while they are worked on; free some "
            "space there"
        )
    return DataError(f"{stream.source!r} cannot be read: {error.strerror or error}")


def _read(table: Table, name: str, what: str, flaws: dict[int, Flaw], read: Callable[[Any], str | Odd] = read_cell) -> list[str]:
    """A column as text. What is no text, or nothing, is a flaw of its row."""
    cells: list[str] = []
    for row, value in enumerate(table.columns[name]):
        cell = read(value)
        if isinstance(cell, Odd):
            flaws.setdefault(row, Flaw(_no_value(cell, what, name)))
            cell = ""
        elif not cell or cell.isspace():
            flaws.setdefault(row, Flaw(f"without {what} in column {name!r}"))
        cells.append(cell)
    return cells


def without_hidden(test: Examples, train: Examples) -> Examples:
    """Test examples of which a class of -1 is no label, where the training labels are class numbers."""
    known = {train.labels[row] for row in train.usable}
    if not known or HIDDEN in known or not all(label.isdecimal() for label in known):
        return test
    hidden = [row for row in test.usable if test.labels[row] == HIDDEN]
    flaw = Flaw(f"without a label in column {test.columns.label!r} (-1 marks a hidden one)")
    return replace(test, flaws=dict(sorted({**test.flaws, **dict.fromkeys(hidden, flaw)}.items())))


def first_equal(values: Sequence[str]) -> npt.NDArray[np.int64]:
    """For each value the place of the first that equals it, shape (N,), without any value being kept."""
    hash_N = np.fromiter(map(hash, values), dtype=np.int64, count=len(values))
    order_N = np.argsort(hash_N, kind="stable")  # of equal ones the first stays the first
    new_N = np.ones(len(values), dtype=np.bool_)
    new_N[1:] = np.diff(hash_N[order_N]) != 0
    first_N = np.empty(len(values), dtype=np.int64)
    first_N[order_N] = order_N[np.flatnonzero(new_N)][np.cumsum(new_N) - 1]
    places = np.flatnonzero(first_N != np.arange(len(values)))
    wrong = {int(first_N[place]) for place in places if values[int(place)] != values[int(first_N[place])]}
    for first in wrong:  # other values with the same hash
        seen: dict[str, int] = {}
        for place in np.flatnonzero(first_N == first).tolist():
            first_N[place] = seen.setdefault(values[place], place)
    return first_N


def repeats(values: Sequence[str]) -> list[int]:
    """The places of values that stand at an earlier place, too."""
    first_N = first_equal(values)
    found: list[int] = np.flatnonzero(first_N != np.arange(len(first_N))).tolist()
    return found


def rows_named(numbers: Sequence[int | str]) -> str:
    """The first of some rows by their numbers, as a message names them."""
    shown = ", ".join(str(number) for number in numbers[:SHOWN])
    return f"row{'s' if len(numbers) > 1 else ''} {shown}{', …' if len(numbers) > SHOWN else ''}"


def _count(rows: int) -> str:
    return f"{rows:,} row{'s' if rows > 1 else ''}"
