"""Labelled texts: one column or a pair, labels as text, and ids that stay with an example for good."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from influence.annotation import read_table
from influence.data.examples import HIDDEN, MEND, SHOWN, Columns, Examples, picked, read_examples, rows_named
from influence.errors import DataError
from influence.reading import FormOptions, Table


@dataclass(frozen=True)
class Dataset:
    """N labelled texts; every column has N entries. Lists, or where they are large columns that lie in files."""

    ids: Sequence[str]
    texts: Sequence[str]
    pairs: Sequence[str] | None  # second texts
    labels: Sequence[str]
    source: str
    sha256: str
    notes: list[str] = field(default_factory=list)  # what was done to it, one line each
    number: Callable[[int], int | str] = field(default=lambda row: row + 1, compare=False)  # of a row, as a spreadsheet counts

    def __len__(self) -> int:
        return len(self.texts)

    def text_hashes(self, chosen: slice = slice(None)) -> list[str]:
        """`text_sha256` of the chosen examples, of all unless told."""
        if self.pairs is None:
            return [text_sha256(text) for text in self.texts[chosen]]
        return [text_sha256(text, pair) for text, pair in zip(self.texts[chosen], self.pairs[chosen], strict=True)]


def text_sha256(text: str, pair: str | None = None) -> str:
    """SHA-256 of a text's UTF-8 bytes in hexadecimal; of both texts with a unit separator between for a pair."""
    joined = text if pair is None else f"{text}\x1f{pair}"
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


def read_dataset(name: str, columns: Columns, *, split: str, options: FormOptions | None = None) -> Dataset:
    """Read one split. Raises `DataError` for a file that cannot be used as it is, naming the first rows at fault."""
    return from_table(read_table(name, split=split, options=options or FormOptions()), columns)


def from_table(table: Table, columns: Columns) -> Dataset:
    """The labelled texts in a table's columns. Raises `DataError` unless every row has them."""
    found = read_examples(table, columns)
    check_usable(found)
    return rows_of(found, found.usable)


def check_usable(found: Examples) -> None:
    """Raise `DataError` naming the rows that cannot be used."""
    if found.flaws:
        raise DataError(f"{found.table.source!r}: {found.complaint()}; {MEND}")


def rows_of(found: Examples, rows: Sequence[int], notes: Sequence[str] = ()) -> Dataset:
    """Some usable rows as labelled texts. Raises `DataError` where an id stands twice among all that are usable."""
    if again := found.repeated_ids():
        raise DataError(
            f"--id {found.columns.id!r}: {found.table.source!r} has {len(again):,} repeated ids, the first is "
            f"{found.ids[again[0]]!r} ({rows_named(found.numbers(again))}); ids must be unique"
        )
    texts, ids, labels = (picked(column, rows) for column in (found.texts, found.ids, found.labels))
    pairs = None if found.pairs is None else picked(found.pairs, rows)
    numbers = partial(_number, found.table, rows)
    return Dataset(ids, texts, pairs, labels, found.table.source, found.table.sha256, list(notes), numbers)


def _number(table: Table, rows: Sequence[int], place: int) -> int | str:
    return table.number(int(rows[place]))


def label_names(train: Dataset) -> list[str]:
    """The labels of the training data, whole numbers in numeric order, else sorted as text.

    Raises `DataError` for fewer than two: nothing could be learnt.
    """
    names = set(train.labels)
    if len(names) < 2:
        raise DataError(f"{train.source!r}: every label is {train.labels[0]!r}; a classifier needs at least two classes")
    if all(name.isdecimal() and name.isascii() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def check_labels(test: Dataset, names: Sequence[str]) -> None:
    """Raise `DataError` where a test label never occurs in training."""
    known = set(names)
    rows = [row for row, label in enumerate(test.labels) if label not in known]
    numbers = [test.number(row) for row in rows]
    if rows:
        hidden = "; -1 marks a hidden label: test on a split that has its labels" if test.labels[rows[0]] == HIDDEN else ""
        raise DataError(
            f"{test.source!r}: label {test.labels[rows[0]]!r} never occurs in the training data "
            f"({rows_named(numbers)}); the training labels are {_some(list(names))}{hidden}"
        )


def _some(names: list[str], count: int = 2 * SHOWN) -> str:
    return ", ".join(repr(name) for name in names[:count]) + (", …" if len(names) > count else "")
