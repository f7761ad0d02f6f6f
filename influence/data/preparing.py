"""The training and the test part of a build: rows that cannot be used left out, spellings of a label made one, a part set aside.

Nothing is written: the file of the user's is read again where it is needed, and its ids and row numbers stay.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from influence.data.dataset import Dataset, check_labels, check_usable, label_names, rows_of
from influence.data.examples import Columns, Examples, read_examples, without_hidden
from influence.data.labels import merged_spellings
from influence.data.settings import MOST_TEST, Preparation
from influence.errors import DataError
from influence.reading import FormOptions, Table, read_table

OTHER_SPLIT = "give another --test, with its labels, or none: then a part of --train is set aside"


@dataclass(frozen=True)
class Splits:
    """What a build is made from."""

    train: Dataset
    test: Dataset
    forms: dict[str, str]  # what a file was read as, in words, where that is not what its name says

    @property
    def notes(self) -> list[str]:
        """What was done to the data, one line each."""
        return [*self.train.notes, *self.test.notes]


def read_splits(
    train: str, test: str | None, columns: Columns, settings: Preparation, options: FormOptions | None = None
) -> Splits:
    """Read the files and make the two parts of them. Raises `DataError` for what cannot be built from."""
    options = options or FormOptions()
    return make_splits(
        read_table(train, split="train", options=options),
        None if test is None else read_table(test, split="test", options=options),
        columns,
        settings,
    )


def make_splits(train: Table, test: Table | None, columns: Columns, settings: Preparation) -> Splits:
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
        return _checked(Splits(rows_of(ours, parts["train"], [*notes, aside]), rows_of(ours, parts["test"]), forms))
    tests = theirs.usable
    if settings.drop_unusable:
        known = {ours.labels[row] for row in ours.usable}
        tests = [row for row in tests if theirs.labels[row] in known]
        if not tests:
            raise DataError(f"{theirs.table.source!r}: no row has a label that training has; {OTHER_SPLIT}")
        if strange := len(theirs.usable) - len(tests):
            notes.append(f"left out: {strange:,} test rows with a label that training never has")
    return _checked(Splits(rows_of(ours, ours.usable, notes), rows_of(theirs, tests), forms))


def _checked(found: Splits) -> Splits:
    check_labels(found.test, label_names(found.train))
    return found


def split_rows(data: Examples, settings: Preparation) -> dict[str, list[int]]:
    """Row numbers of a training and a test part of the usable rows, each label in the same proportion in both.

    Rows with the same text stay together, so that no test text is in training. Each label keeps a text in training; one
    with two different texts or more has one in the test part, where its texts are its own. At most `MOST_TEST` rows, or
    the share if that is less. Raises `DataError` where nothing can be set aside.
    """
    share = min(settings.test_share, MOST_TEST / max(len(data.usable), 1))
    groups: dict[str, list[int]] = {}
    for row in data.usable:
        groups.setdefault(data.joined[row], []).append(row)
    strata: dict[str, list[list[int]]] = {}
    for rows in groups.values():
        strata.setdefault(data.labels[rows[0]], []).append(rows)
    generator = np.random.default_rng(settings.seed)
    left = Counter(data.labels[row] for row in data.usable)  # rows of each label that are still to train on
    test: list[int] = []
    for label in sorted(strata):
        found = strata[label]
        wanted = max(1, round(share * sum(map(len, found))))
        taken = 0
        for place in generator.permutation(len(found))[: len(found) - 1]:
            if taken >= wanted:
                break
            if _take(data, found[place], left):
                test += found[place]
                taken += len(found[place])
    if not test:
        raise DataError(f"{data.table.source!r}: too few different texts to set a test part aside; give a --test file")
    return {"train": sorted(set(data.usable) - set(test)), "test": sorted(test)}


def _take(data: Examples, rows: Sequence[int], left: Counter[str]) -> bool:
    """Take rows of one text out of training, unless a label would be gone from it."""
    taken = Counter(data.labels[row] for row in rows)
    if any(left[label] <= count for label, count in taken.items()):
        return False
    left.subtract(taken)
    return True
