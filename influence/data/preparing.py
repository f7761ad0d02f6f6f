"""The training and the test part of a build: rows that cannot be used left out, spellings of a label made one, a part set aside.

Nothing is written: the file of the user's is read again where it is needed, and its ids and row numbers stay.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from influence.annotation import AnnotatedTable
from influence.data.dataset import Dataset, check_labels, check_usable, label_names, rows_of
from influence.data.examples import Columns, Examples, first_equal, picked, read_examples, without_hidden
from influence.data.labels import label_key, merged_spellings
from influence.data.settings import MOST_TEST, Preparation
from influence.errors import DataError
from influence.reading import FormOptions, Table
from influence.sources import Stream, open_table
from influence.types import IntArray

OTHER_SPLIT = "give another --test, with its labels, or none: then a part of --train is set aside"


@dataclass(frozen=True)
class Splits:
    """What a build is made from."""

    train: Dataset
    test: Dataset
    forms: dict[str, str]  # what a file was read as, in words, where that is not what its name says
    voices: Sequence[tuple[str, str, str, str | None]] = ()  # annotator or model, id of a training example, label, when

    @property
    def notes(self) -> list[str]:
        """What was done to the data, one line each."""
        return [*self.train.notes, *self.test.notes]


def read_splits(
    train: str,
    test: str | None,
    columns: Columns,
    settings: Preparation,
    options: FormOptions | None = None,
    *,
    near: Path | None = None,
) -> Splits:
    """Read the files and make the two parts of them. Raises `DataError` for what cannot be built from.

    What does not fit into memory is kept in files without a name in the folder that `near` is in (None: the temporary one).
    """
    options = options or FormOptions()
    return make_splits(
        open_table(train, split="train", options=options, near=near),
        None if test is None else open_table(test, split="test", options=options, near=near),
        columns,
        settings,
    )


def make_splits(train: Table | Stream, test: Table | Stream | None, columns: Columns, settings: Preparation) -> Splits:
    """The two parts of a training table and, where there is one, a test table; else a part of the first is set aside."""
    ours = read_examples(train, columns)
    theirs = None if test is None else without_hidden(read_examples(test, columns), ours)
    both = [ours] if theirs is None else [ours, theirs]
    if settings.merge_labels:
        kept = merged_spellings(found.labels[row] for found in both for row in found.usable)
        ours, theirs = ours.relabelled(kept), None if theirs is None else theirs.relabelled(kept)
    for found in both:
        if not found.usable:
            hint = "choose other columns" if found is both[0] else OTHER_SPLIT
            raise DataError(f"{found.table.source!r}: no row can be used: {found.complaint()}; {hint}")
        if not settings.drop_unusable:
            check_usable(found)
    tables = [found.table for found in both]
    forms = {one.source: one.form.in_words for one in tables if not one.form.is_usual(Path(one.source).suffix.lower())}
    notes = [f"left out: {found.table.source!r}: {found.complaint()}" for found in both if found.flaws]
    if theirs is None:
        parts = split_rows(ours, settings)
        aside = f"{len(parts['test']):,} of the {len(ours.usable):,} rows of {Path(train.source).name!r} set aside to test on"
        made = Splits(rows_of(ours, parts["train"], [*notes, aside]), rows_of(ours, parts["test"]), forms)
        return _checked(replace(made, voices=_voices(ours, parts["train"])))
    tests = theirs.usable
    if settings.drop_unusable:
        known = {ours.labels[row] for row in ours.usable}
        tests = array("q", (row for row in tests if theirs.labels[row] in known))
        if not tests:
            raise DataError(f"{theirs.table.source!r}: no row has a label that training has; {OTHER_SPLIT}")
        if strange := len(theirs.usable) - len(tests):
            notes.append(f"left out: {strange:,} test rows with a label that training never has")
    made = Splits(rows_of(ours, ours.usable, notes), rows_of(theirs, tests), forms)
    return _checked(replace(made, voices=_voices(ours, ours.usable)))


def _voices(data: Examples, rows: Sequence[int]) -> list[tuple[str, str, str, str | None]]:
    """What the annotators of a tool's file said of training examples, each by name; the last word of each, of known labels."""
    table = data.table
    if not isinstance(table, AnnotatedTable):
        return []
    known = {label_key(data.labels[row]) for row in rows}
    last: dict[tuple[str, str], tuple[str, str]] = {}
    voices = table.voices(data.columns.label)
    for row in rows:
        for name, label, at in voices[row]:
            if label_key(label) in known and at >= last.get((name, data.ids[row]), ("", ""))[1]:
                last[name, data.ids[row]] = (label, at)
    return [(name, id, label, at or None) for (name, id), (label, at) in last.items()]


def _checked(found: Splits) -> Splits:
    check_labels(found.test, label_names(found.train))
    return found


def split_rows(data: Examples, settings: Preparation) -> dict[str, Sequence[int]]:
    """Row numbers of a training and a test part of the usable rows, each label in the same proportion in both.

    Rows with the same text stay together, so that no test text is in training. Each label keeps a text in training; one
    with two different texts or more has one in the test part, where its texts are its own. At most `MOST_TEST` rows, or
    the share if that is less. Raises `DataError` where nothing can be set aside.
    """
    rows_U = np.asarray(data.usable, dtype=np.int64)
    share = min(settings.test_share, MOST_TEST / max(len(rows_U), 1))
    groups = _Groups(data)
    generator = np.random.default_rng(settings.seed)
    left_Y = np.bincount(groups.labels_U, minlength=len(groups.names))  # rows of each label that are still to train on
    tests: list[int] = []  # places among the usable rows
    for label in sorted(groups.names):
        found_G = groups.with_label(label)
        wanted = max(1, round(share * int(groups.sizes_G[found_G].sum())))
        taken = 0
        for group in found_G[generator.permutation(len(found_G))[: len(found_G) - 1]].tolist():
            if taken >= wanted:
                break
            members = groups.members(group)
            counts_Y = np.bincount(groups.labels_U[members], minlength=len(left_Y))
            if (left_Y > counts_Y)[counts_Y > 0].all():  # no label would be gone from training
                left_Y -= counts_Y
                tests += members.tolist()
                taken += len(members)
    if not tests:
        raise DataError(f"{data.table.source!r}: too few different texts to set a test part aside; give a --test file")
    is_test_U = np.zeros(len(rows_U), dtype=np.bool_)
    is_test_U[tests] = True
    return {"train": array("q", rows_U[~is_test_U].tobytes()), "test": array("q", rows_U[is_test_U].tobytes())}


class _Groups:
    """The usable rows of some examples, those with the same text together; groups in the order of their first rows.

    Axes: U usable rows, G groups, Y labels.
    """

    def __init__(self, data: Examples) -> None:
        first_U = first_equal(picked(data.joined, data.usable))
        _, self._group_U = np.unique(first_U, return_inverse=True)
        self.sizes_G = np.bincount(self._group_U)
        self._order_U = np.argsort(self._group_U, kind="stable")
        self._ends_G = np.cumsum(self.sizes_G)
        self.names: dict[str, int] = {}
        codes = (self.names.setdefault(label, len(self.names)) for label in picked(data.labels, data.usable))
        self.labels_U = np.fromiter(codes, dtype=np.int32, count=len(data.usable))
        self._label_G = self.labels_U[self._order_U[self._ends_G - self.sizes_G]]  # of a group's first row

    def with_label(self, label: str) -> IntArray:
        """The groups whose first row has a label."""
        return np.flatnonzero(self._label_G == self.names[label])

    def members(self, group: int) -> IntArray:
        """The places of a group among the usable rows."""
        end = int(self._ends_G[group])
        return self._order_U[end - int(self.sizes_G[group]) : end]
