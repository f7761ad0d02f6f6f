"""The examples of a table: what each row says by the chosen columns, and which rows cannot be used, and why.

Checking, building, preparing and applying all look at a file through this, so that what one accepts the others do, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from influence.errors import DataError
from influence.reading import Odd, Table, label_cell, read_cell

SIDES = "\x1f"  # stands between the texts of a pair
SHOWN = 5  # rows given as examples in a message
HIDDEN = "-1"  # the class by which data sets mark a label that is kept secret
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
    """The rows of a table; in every list an entry a row, "" where it has none."""

    table: Table
    columns: Columns  # by the names that the file has for them
    ids: list[str]
    texts: list[str]
    pairs: list[str] | None
    labels: list[str]
    flaws: dict[int, Flaw]  # by row, in order

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def usable(self) -> list[int]:
        """The rows that have everything."""
        return [row for row in range(len(self)) if row not in self.flaws]

    @cached_property
    def joined(self) -> list[str]:
        """The texts; of a pair both, with a unit separator between."""
        if self.pairs is None:
            return self.texts
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

    def numbers(self, rows: Sequence[int]) -> list[int]:
        """Rows by the numbers that a spreadsheet gives them."""
        return [self.table.number(int(row)) for row in rows]

    def repeated_ids(self) -> list[int]:
        """The usable rows with an id that an earlier one has."""
        return [self.usable[at] for at in repeats([self.ids[row] for row in self.usable])]

    def relabelled(self, labels: dict[str, str]) -> "Examples":
        """The same with other names for labels."""
        return replace(self, labels=[labels.get(label, label) for label in self.labels])


def read_examples(table: Table, columns: Columns) -> Examples:
    """Look at a table by its columns. Raises `DataError` for one that has no rows, or not these columns."""
    if not len(table):
        raise DataError(f"{table.source!r} has no rows; it needs at least one")
    found = Columns(
        text=table.column(columns.text, "--text"),
        text_pair=None if columns.text_pair is None else table.column(columns.text_pair, "--text-pair"),
        label=table.column(columns.label, "--label"),
        id=None if columns.id is None else table.column(columns.id, "--id"),
    )
    flaws = {row: Flaw("that cannot be read", why) for row, why in table.broken.items()}
    texts = _read(table, found.text, "a text", flaws)
    pairs = None if found.text_pair is None else _read(table, found.text_pair, "a second text", flaws)
    labels = _read(table, found.label, "a label", flaws, label_cell)
    ids = list(map(str, range(len(table)))) if found.id is None else _read(table, found.id, "an id", flaws)
    return Examples(table, found, ids, texts, pairs, labels, dict(sorted(flaws.items())))


def _read(table: Table, name: str, what: str, flaws: dict[int, Flaw], read: Callable[[Any], str | Odd] = read_cell) -> list[str]:
    """A column as text. What is no text, or nothing, is a flaw of its row."""
    cells = []
    for row, value in enumerate(table.columns[name]):
        cell = read(value)
        if isinstance(cell, Odd):
            flaws.setdefault(row, Flaw(f"with {cell.what} for {what} in column {name!r}"))
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


def repeats(values: Sequence[str]) -> list[int]:
    """The places of values that stand at an earlier place, too."""
    seen: set[str] = set()
    return [at for at, value in enumerate(values) if value in seen or seen.add(value)]  # type: ignore[func-returns-value]


def rows_named(numbers: Sequence[int]) -> str:
    """The first of some rows by their numbers, as a message names them."""
    shown = ", ".join(str(number) for number in numbers[:SHOWN])
    return f"row{'s' if len(numbers) > 1 else ''} {shown}{', …' if len(numbers) > SHOWN else ''}"


def _count(rows: int) -> str:
    return f"{rows:,} row{'s' if rows > 1 else ''}"
