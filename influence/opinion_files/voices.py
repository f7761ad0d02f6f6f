"""What every name says of the training examples that a file of opinions is about, all of it checked.

Axes: R rows of the file that are about a training example, S of them that a name says something of, Y labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from influence.errors import DataError
from influence.opinion_files.asked import Asked
from influence.opinion_files.cells import Cells
from influence.opinion_files.faults import Faults
from influence.opinion_files.rows import LONGEST_NAME, MOST_NAMES
from influence.types import FloatArray, IntArray

NEAR_ONE = 0.05  # how far the sum of probabilities that were rounded may be off


@dataclass(frozen=True)
class Voice:
    """What one name says."""

    name: str
    ids: list[str]
    hashes: list[str]  # `text_sha256` of the text it was said of
    dates: list[str]  # when, as the file has it; "" where it does not say
    labels: list[str]  # the names of the labels
    said_S: IntArray  # the label said, or the most probable one
    probabilities_SY: FloatArray  # summing to 1; NaN in rows that are a label without probabilities


@dataclass(frozen=True)
class Voices:
    """What a file says, by name, and what its user should know besides."""

    source: str
    sha256: str
    voices: list[Voice]
    notes: list[str] = field(default_factory=list)


def voices_of(cells: Cells, asked: Asked) -> Voices:
    """The opinions in a file's cells. Raises `DataError` for the first kind of fault, with a row that has it."""
    rows = [row for row, id in enumerate(cells.ids) if id in asked.positions]
    if not rows:
        raise DataError(
            f"{cells.source!r}: none of its {len(cells.ids):,} ids is one of a training example: it has {cells.ids[0]!r}, "
            f"{asked.what} has {asked.ids[0]!r}; give the ids of the training data in a column 'example_id'"
        )
    faults = Faults(cells.source, cells.number)
    probabilities_RY = cells.probabilities(rows, asked, faults)
    check_sums(probabilities_RY, rows, faults)
    said_R = _said(cells, rows, asked, probabilities_RY, faults)
    faults.check()
    found = _by_name(cells, rows, said_R, probabilities_RY, faults)
    faults.check()
    if not found:
        raise DataError(f"{cells.source!r}: no row says anything of a training example: every label and probability is empty")
    if len(found) > MOST_NAMES:
        raise DataError(f"{cells.source!r} has opinions by {len(found):,} names; at most {MOST_NAMES:,} can be kept")
    voices = [_voice(name, asked, cells, rows, places, said_R, probabilities_RY) for name, places in found.items()]
    return Voices(cells.source, cells.sha256, voices, _notes(cells, rows))


def _notes(cells: Cells, rows: Sequence[int]) -> list[str]:
    missing = len(cells.ids) - len(rows)
    if not missing:
        return []
    known = set(rows)
    first = next(id for row, id in enumerate(cells.ids) if row not in known)
    of = f"{missing:,} of {len(cells.ids):,} rows"
    return [f"{cells.source!r}: {of} are about no training example, the first about {first!r}; they are left out"]


def check_sums(probabilities_RY: FloatArray, rows: Sequence[int], faults: Faults) -> None:
    """Note what is no probability; rows that sum to about 1 are made to, in place."""
    given_R = np.asarray(~np.isnan(probabilities_RY).all(axis=1))
    probabilities_RY[given_R] = np.nan_to_num(probabilities_RY[given_R], nan=0.0)
    for at in np.flatnonzero((probabilities_RY < 0).any(axis=1)).tolist():
        faults.add("with a negative probability", rows[at], f"{np.nanmin(probabilities_RY[at]):g}")
    sums_R = np.where(given_R, probabilities_RY.sum(axis=1), 1.0)
    for at in np.flatnonzero(~(np.abs(sums_R - 1) <= NEAR_ONE)).tolist():
        faults.add("whose probabilities do not sum to 1", rows[at], f"they sum to {sums_R[at]:.4g}")
    with np.errstate(invalid="ignore", divide="ignore"):
        probabilities_RY /= sums_R[:, None]


def _said(cells: Cells, rows: Sequence[int], asked: Asked, probabilities_RY: FloatArray, faults: Faults) -> IntArray:
    """The label that each row comes to: the most probable, else the one it names; -1 where it says nothing."""
    said_R = np.full(len(rows), -1)
    given_R = np.asarray(~np.isnan(probabilities_RY).any(axis=1))
    said_R[given_R] = probabilities_RY[given_R].argmax(axis=1)
    for at, row in enumerate(rows):
        if given_R[at] or not (label := cells.labels[row]):
            continue
        number = asked.label(label)
        if number is None:
            faults.add("with a label that training does not have", row, f"{label[:80]!r}; it has {some(asked.labels)}")
        else:
            said_R[at] = number
    return said_R


def some(labels: Sequence[str], most: int = 10) -> str:
    """The first labels, for a message."""
    return ", ".join(map(repr, labels[:most])) + (", …" if len(labels) > most else "")


def _by_name(
    cells: Cells, rows: Sequence[int], said_R: IntArray, probabilities_RY: FloatArray, faults: Faults
) -> dict[str, list[int]]:
    """For every name the places (among R) of what it says, an example once."""
    found: dict[str, dict[str, int]] = {}
    for at, row in enumerate(rows):
        if said_R[at] < 0:
            continue
        name, id = cells.names[row], cells.ids[row]
        if len(name) > LONGEST_NAME or not name.isprintable():
            faults.add(f"whose name is no line of up to {LONGEST_NAME} characters", row, repr(name[:80]))
            continue
        before = found.setdefault(name, {}).setdefault(id, at)
        same = said_R[before] == said_R[at] and np.array_equal(probabilities_RY[before], probabilities_RY[at], equal_nan=True)
        if not same:
            what = f"{name!r} says two things of {id!r}, the first in row {cells.number(rows[before])}"
            faults.add("in which a name contradicts an earlier row of its own", row, what)
    return {name: list(places.values()) for name, places in found.items()}


def _voice(
    name: str, asked: Asked, cells: Cells, rows: Sequence[int], places: list[int], said_R: IntArray, probabilities_RY: FloatArray
) -> Voice:
    ids = [cells.ids[rows[at]] for at in places]
    hashes = [asked.hashes[asked.positions[id]] for id in ids]
    dates = [cells.dates[rows[at]] for at in places]
    return Voice(name, ids, hashes, dates, list(asked.labels), said_R[places], probabilities_RY[places])
