"""The columns of a file of opinions: which hold what, and their cells as ids, names, labels and probabilities."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from influence.errors import DataError
from influence.opinion_files.asked import Asked
from influence.opinion_files.faults import Faults
from influence.opinion_files.rows import DATE, ID, LABEL, NAME, OpinionRow
from influence.reading import Odd, Table, label_cell, read_cell
from influence.types import FloatArray

OBJECTS, PREFIX = "probabilities", "p_"
OWN = (ID, NAME, LABEL, DATE, OBJECTS)
LONGEST_DATE = 64


@dataclass(frozen=True)
class Cells:
    """R rows; texts are "" where there is nothing."""

    source: str
    sha256: str
    number: Callable[[int], int | str]  # of a row from 0, as a spreadsheet counts
    ids: Sequence[str]
    names: Sequence[str]
    labels: Sequence[str]
    dates: Sequence[str]
    columns: Mapping[int, Sequence[Any]] = field(default_factory=dict)  # probabilities of a label, by its number
    objects: Sequence[Any] | None = None  # objects label → probability, or their text

    def probabilities(self, rows: Sequence[int], asked: Asked, faults: Faults) -> FloatArray:
        """What some rows give to every label, shape (R, Y): NaN where they say nothing."""
        found_RY = np.full((len(rows), len(asked.labels)), np.nan)
        for known, values in self.columns.items():
            for at, row in enumerate(rows):
                found_RY[at, known] = _number(values[row], row, faults)
        if self.objects is None:
            return found_RY
        for at, row in enumerate(rows):
            for label, value in _object(self.objects[row], row, faults).items():
                number = asked.label(label)
                if number is None:
                    faults.add("with a label that training does not have", row, f"{label[:80]!r} in column {OBJECTS!r}")
                elif not math.isnan(found_RY[at, number]):
                    faults.add("with two probabilities of one label", row, f"{label[:80]!r} in column {OBJECTS!r}")
                else:
                    found_RY[at, number] = _number(value, row, faults)
        return found_RY


def of_rows(rows: Sequence[OpinionRow | tuple[str, str, str, str | None]], source: str) -> Cells:
    """Rows that were made here. Raises `DataError` where there are none."""
    if not rows:
        raise DataError(f"{source!r} has no opinions")
    names, ids, labels, dates = zip(*rows, strict=True)
    return Cells(source, "", lambda row: row + 1, ids, names, labels, [date or "" for date in dates])


def of_table(table: Table, asked: Asked, usual_name: str) -> Cells:
    """The cells of a file; `usual_name` is that of rows that have none. Raises `DataError` for columns that are no opinions."""
    if not len(table):
        raise DataError(f"{table.source!r} has no rows; it needs at least one")
    if table.broken:
        raise DataError(f"{table.source!r}: {len(table.broken):,} rows cannot be read ({next(iter(table.broken.values()))})")
    faults = Faults(table.source, table.number)
    ids = _texts(table, table.column(ID, "opinions:"), faults)
    for row in (row for row, id in enumerate(ids) if not id):
        faults.add("without an id", row, f"column {ID!r} is empty")
    names = _texts(table, NAME, faults)
    columns = _label_columns(table, asked)
    objects = table.columns.get(OBJECTS)
    if LABEL not in table.columns and not columns and objects is None:
        shown = ", ".join(map(repr, list(table.columns)[:20]))
        raise DataError(
            f"{table.source!r}: it says no label; it needs a column {LABEL!r}, {OBJECTS!r} or one a label as "
            f"{PREFIX + asked.labels[0]!r}; it has {shown}"
        )
    labels, dates = _texts(table, LABEL, faults, label_cell), _texts(table, DATE, faults)
    faults.check()
    named = [name.strip() or usual_name for name in names]
    dates = [date[:LONGEST_DATE] for date in dates]
    return Cells(table.source, table.sha256, table.number, ids, named, labels, dates, columns, objects)


def _texts(table: Table, column: str, faults: Faults, read: Callable[[Any], str | Odd] = read_cell) -> list[str]:
    if column not in table.columns:
        return [""] * len(table)
    found = []
    for row, value in enumerate(table.columns[column]):
        text = read(value)
        if isinstance(text, Odd):
            faults.add(f"with {text.what} in column {column!r}", row, "it must be one text or number")
            text = ""
        found.append(text.strip() if column != ID else text)
    return found


def _label_columns(table: Table, asked: Asked) -> dict[int, Sequence[Any]]:
    """The columns of probabilities by the number of their label: `p_LABEL`, else those that are called as a label is."""
    prefixed = [name for name in table.columns if name.startswith(PREFIX)]
    found: dict[int, Sequence[Any]] = {}
    for name in prefixed or [name for name in table.columns if name not in OWN]:
        label = asked.label(name.removeprefix(PREFIX)) if prefixed else asked.label(name)
        if label is None and not prefixed:
            continue  # a column of something else, as a text
        if label is None or label in found:
            what = "training does not have this label" if label is None else "this label has another column"
            raise DataError(f"{table.source!r}: column {name[:80]!r}: {what}; it has {', '.join(map(repr, asked.labels[:10]))}")
        found[label] = table.columns[name]
    return found


def _number(value: Any, row: int, faults: Faults) -> float:
    """A probability as a number; NaN for none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
            raise TypeError
        found = float(value)
        if math.isnan(found) and not isinstance(value, str):
            return math.nan  # as columns of numbers have it for none
        if not math.isfinite(found):
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        shown = value.what if isinstance(value, Odd) else repr(value)[:60]
        faults.add("with a probability that is no number", row, shown)
        return math.nan
    return found


def _object(value: Any, row: int, faults: Faults) -> dict[str, Any]:
    """An object label → probability, be it written out as JSON; empty for none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return {}
    found = value
    try:
        if isinstance(value, str):
            found = json.loads(value)
        elif isinstance(value, list):  # a map of Arrow's
            found = dict(value)
    except (ValueError, TypeError, RecursionError):
        found = None
    if isinstance(found, dict):
        return {str(label): number for label, number in found.items()}
    faults.add(f"in which column {OBJECTS!r} is no object as {{'Sports': 0.9, 'World': 0.1}}", row, repr(value)[:60])
    return {}
