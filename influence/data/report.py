"""What a data file holds, before anything is built from it: classes, lengths, gaps, repeats, and what contradicts what.

    train = read_table("train.csv", split="train")
    report = data_report(train, None, guess_columns(train).columns())

Rows have the numbers that a spreadsheet gives them: the line of names is row 1. `findings` says in words what they come to.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from influence.data.duplicates import near_pairs
from influence.data.examples import SIDES, Columns, Examples, read_examples, repeats, without_hidden
from influence.data.labels import joined_labels, spellings
from influence.data.preparing import split_rows
from influence.data.settings import Preparation
from influence.errors import DataError
from influence.reading import Table
from influence.sources import Stream

SHOWN = 5  # rows or examples given of each kind
SHOWN_TEXT = 300  # characters


@dataclass(frozen=True)
class Rows:
    """How many rows are of a kind, and the numbers of the first few."""

    count: int
    first: list[int | str]  # of several files with the file's name

    @classmethod
    def of(cls, rows: Sequence[int], found: Examples | None) -> "Rows":
        """Some rows of a file; of none where there is no file."""
        return cls(len(rows), [] if found is None else found.numbers(rows[:SHOWN]))


@dataclass(frozen=True)
class Unusable:
    """Rows that cannot be used for one reason: `what` follows "6 rows", `detail` is about the first of them."""

    what: str
    detail: str
    rows: Rows


@dataclass(frozen=True)
class LabelCount:
    """A label and how many rows of each file carry it."""

    label: str
    train: int
    test: int


@dataclass(frozen=True)
class Spread:
    """Least, median, 95th percentile and greatest of a length."""

    least: int
    median: int
    p95: int
    most: int

    @classmethod
    def of(cls, lengths: Sequence[int]) -> "Spread":
        """The spread of some lengths; zeros for none."""
        if not len(lengths):
            return cls(0, 0, 0, 0)
        least, median, p95, most = np.percentile(lengths, [0, 50, 95, 100], method="lower")
        return cls(int(least), int(median), int(p95), int(most))


@dataclass(frozen=True)
class Conflict:
    """One text that stands with more than one label."""

    text: str
    labels: dict[str, int]
    rows: list[int | str]


@dataclass(frozen=True)
class Near:
    """Near duplicates among the training texts: pairs whose word sets have a Jaccard similarity of `duplicates.NEAR` or more."""

    texts: int  # different texts that have one
    pairs: int
    differing: int  # pairs with two labels
    compared: int  # different texts looked at, training and test
    of: int
    examples: list[list[str]]  # pairs of texts, those with two labels first
    rows: Rows  # training rows whose text has one


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """The report of a training file and, where there is one, a test file. A pair of texts counts as one text."""

    rows: int
    test_rows: int | None
    labels: list[LabelCount]  # the most frequent in training first
    words: Spread  # of the training texts, split at white space
    usable: int  # training rows that have everything
    test_usable: int | None  # test rows that have everything, and a label that training has
    unusable: list[Unusable]
    test_unusable: list[Unusable]
    can_split: bool  # whether a test part can be set aside, or need not be
    repeats: Rows  # training rows with the same text as an earlier row
    conflicts: list[Conflict]  # the first few
    n_conflicts: int
    near: Near
    overlap: Rows  # test rows whose text stands in training
    near_overlap: Rows  # test rows with a near duplicate in training, those above left out
    variants: list[list[str]]  # labels that look alike
    header_is_label: str  # the label column's name where it is also a label, as in a file without a header
    joined: dict[str, list[str]]  # labels that are others joined by a sign
    joined_rows: Rows
    unknown_labels: Rows  # test rows whose label never occurs in training
    repeated_ids: Rows
    test_repeated_ids: Rows

    @property
    def train_counts(self) -> dict[str, int]:
        """Training rows by label, spellings of one label counted together under the one that occurs most."""
        spellings = {name: group[0] for group in self.variants for name in group}
        counts: dict[str, int] = {}
        for label in self.labels:
            if label.train:
                name = spellings.get(label.label, label.label)
                counts[name] = counts.get(name, 0) + label.train
        return counts

    @property
    def imbalance(self) -> float:
        """Rows of the most frequent training label over those of the rarest; 1 is balanced."""
        counts = self.train_counts.values()
        return max(counts) / min(counts) if counts else 1.0


def data_report(train: Table | Stream, test: Table | Stream | None, columns: Columns) -> DataReport:
    """Everything that can be said without a model. Raises `DataError` for columns that are not there, or no rows."""
    ours = read_examples(train, columns)
    theirs = None if test is None else without_hidden(read_examples(test, columns), ours)
    tests = [] if theirs is None else theirs.usable
    texts = [ours.joined[row] for row in ours.usable]
    labels = [ours.labels[row] for row in ours.usable]
    test_texts = [] if theirs is None else [theirs.joined[row] for row in tests]
    test_labels = [] if theirs is None else [theirs.labels[row] for row in tests]
    conflicts = _conflicts(texts, labels, ours.numbers(ours.usable))
    near, near_overlap = _near(ours, texts, labels, test_texts)
    counts, test_counts = Counter(labels), Counter(test_labels)
    variants = spellings(counts + test_counts)
    known = {name for group in variants if counts.keys() & set(group) for name in group} | counts.keys()
    joined = joined_labels(counts)
    seen = set(texts)
    return DataReport(
        rows=len(ours),
        test_rows=None if theirs is None else len(theirs),
        labels=[LabelCount(label, counts[label], test_counts[label]) for label, _ in (counts + test_counts).most_common()],
        words=Spread.of([len(text.split()) for text in texts]),
        usable=len(texts),
        test_usable=None if theirs is None else sum(label in known for label in test_labels),
        unusable=_unusable(ours),
        test_unusable=[] if theirs is None else _unusable(theirs),
        can_split=theirs is not None or _can_split(ours),
        repeats=Rows.of([ours.usable[at] for at in repeats(texts)], ours),
        conflicts=conflicts[:SHOWN],
        n_conflicts=len(conflicts),
        near=near,
        overlap=Rows.of([tests[at] for at, text in enumerate(test_texts) if text in seen], theirs),
        near_overlap=Rows.of([tests[at] for at in near_overlap], theirs),
        variants=variants,
        header_is_label=ours.columns.label if ours.columns.label.strip() in counts else "",
        joined=joined,
        joined_rows=Rows.of([row for row in ours.usable if ours.labels[row] in joined], ours),
        unknown_labels=Rows.of([tests[at] for at, label in enumerate(test_labels) if label not in known], theirs),
        repeated_ids=Rows.of(ours.repeated_ids(), ours),
        test_repeated_ids=Rows.of([] if theirs is None else theirs.repeated_ids(), theirs),
    )


def _unusable(found: Examples) -> list[Unusable]:
    return [Unusable(flaw.what, flaw.detail, Rows.of(rows, found)) for flaw, rows in found.grouped()]


def _can_split(found: Examples) -> bool:
    try:
        split_rows(found, Preparation())
    except DataError:
        return False
    return True


def _conflicts(texts: Sequence[str], labels: Sequence[str], rows: Sequence[int | str]) -> list[Conflict]:
    places: dict[str, list[int]] = {}
    for at, text in enumerate(texts):
        places.setdefault(text, []).append(at)
    return [
        Conflict(text[:SHOWN_TEXT], dict(Counter(labels[at] for at in found).most_common()), [rows[at] for at in found[:SHOWN]])
        for text, found in places.items()
        if len({labels[at] for at in found}) > 1
    ]


def _near(ours: Examples, texts: Sequence[str], labels: Sequence[str], test_texts: Sequence[str]) -> tuple[Near, list[int]]:
    """Near duplicates within training, and the positions of test texts that have one there but are not there themselves."""
    n = len(texts)
    found = near_pairs([*texts, *test_texts])
    pairs = found.pairs_P2.tolist()
    inside = [(a, b) for a, b in pairs if b < n]
    differing = [(a, b) for a, b in inside if labels[a] != labels[b]]
    shown = dict.fromkeys([*differing[:SHOWN], *inside[:SHOWN]])
    examples = [[_shown(texts[a]), labels[a], _shown(texts[b]), labels[b]] for a, b in list(shown)[:SHOWN]]
    touched = {at for pair in inside for at in pair}
    # A pair names a text by its first position: every test row with that text is meant.
    alike = {test_texts[b - n] for a, b in pairs if a < n <= b}.difference(texts)
    overlap = [at for at, text in enumerate(test_texts) if text in alike]
    repeated = {texts[at] for at in touched}
    rows = Rows.of([ours.usable[at] for at, text in enumerate(texts) if text in repeated], ours)
    return Near(len(touched), len(inside), len(differing), found.compared, found.of, examples, rows), overlap


def _shown(text: str) -> str:
    return text.replace(SIDES, " | ")[:SHOWN_TEXT]


def as_json(report: DataReport) -> dict[str, Any]:
    """The report as plain values, `imbalance` with it, and `n_labels`, which counts the spellings of a label once."""
    return {**asdict(report), "imbalance": report.imbalance, "n_labels": len(report.train_counts)}
