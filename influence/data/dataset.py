"""Labelled texts: one column or a pair, labels as text, and ids that stay with an example for good."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from influence.data.tables import Table, read_table
from influence.errors import DataError

SHOWN = 5  # rows or names given as examples in a message
HALF_A_PAIR = re.compile(r"[\ud800-\udfff]")  # of surrogates: no text that can be written as UTF-8 holds one


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a data file hold what; without `id` an example's id is its row number from 0."""

    text: str = "text"
    text_pair: str | None = None
    label: str = "label"
    id: str | None = None


@dataclass(frozen=True)
class Dataset:
    """N labelled texts; every list has N entries."""

    ids: list[str]
    texts: list[str]
    pairs: list[str] | None  # second texts
    labels: list[str]
    source: str
    sha256: str

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


def read_dataset(name: str, columns: Columns, *, split: str) -> Dataset:
    """Read one split. Raises `DataError` for a file that cannot be used as it is, naming the first rows at fault."""
    return from_table(read_table(name, split=split), columns)


def from_table(table: Table, columns: Columns) -> Dataset:
    """The labelled texts in a table's columns."""
    if not len(table):
        raise DataError(f"{table.source!r} has no rows; it needs at least one")
    texts = _filled(table, columns.text, "--text")
    pairs = None if columns.text_pair is None else _filled(table, columns.text_pair, "--text-pair")
    labels = _filled(table, columns.label, "--label")
    return Dataset(_ids(table, columns.id), texts, pairs, labels, table.source, table.sha256)


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
    if rows:
        raise DataError(
            f"{test.source!r}: label {test.labels[rows[0]]!r} never occurs in the training data "
            f"({_rows(rows)}); the training labels are {_some(list(names))}"
        )


def _filled(table: Table, name: str, option: str) -> list[str]:
    """A column as text, refused where a value is missing, blank or no text at all."""
    if name not in table.columns:
        raise DataError(f"{option} {name!r}: {table.source!r} has no such column; it has {_some(list(table.columns), 20)}")
    column = table.columns[name]
    odd = next((v for v in column if not (v is None or isinstance(v, str | int | float | Decimal | date))), None)
    if odd is not None:
        raise DataError(f"{option} {name!r}: {table.source!r} holds {type(odd).__name__} values there, not texts or numbers")
    values = [as_text(value) for value in column]
    broken = [row for row, value in enumerate(values) if HALF_A_PAIR.search(value)]
    if broken:
        raise DataError(
            f"{table.source!r}: column {name!r} holds half a surrogate pair, which is no character, in {len(broken):,} of "
            f"{len(values):,} rows ({_rows(broken)}); mend or delete them"
        )
    blank = [row for row, value in enumerate(values) if not value.strip()]
    if blank:
        raise DataError(
            f"{table.source!r}: column {name!r} is empty in {len(blank):,} of {len(values):,} rows ({_rows(blank)}); "
            "fill or delete them"
        )
    return values


def as_text(value: Any) -> str:
    """A cell as text, "" where it is missing; labels and ids may be numbers, and a whole float is an integer beside gaps."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _ids(table: Table, name: str | None) -> list[str]:
    if name is None:
        return [str(row) for row in range(len(table))]
    ids = _filled(table, name, "--id")
    if again := repeats(ids):
        raise DataError(
            f"--id {name!r}: {table.source!r} has {len(again):,} repeated ids, the first is {ids[again[0]]!r} "
            f"({_rows(again)}); ids must be unique"
        )
    return ids


def repeats(values: Sequence[str]) -> list[int]:
    """The places of values that stand at an earlier place, too."""
    seen: set[str] = set()
    return [at for at, value in enumerate(values) if value in seen or seen.add(value)]  # type: ignore[func-returns-value]


def _rows(rows: list[int]) -> str:
    shown = ", ".join(str(row) for row in rows[:SHOWN])
    return f"row{'s' if len(rows) > 1 else ''} from 0: {shown}{', …' if len(rows) > SHOWN else ''}"


def _some(names: list[str], count: int = 2 * SHOWN) -> str:
    return ", ".join(repr(name) for name in names[:count]) + (", …" if len(names) > count else "")
