"""What a data file holds, before anything is built from it: classes, lengths, gaps, repeats, and what contradicts what.

    train = read_table("train.csv", split="train")
    report = data_report(train, None, guess_columns(train).columns())

Row numbers count from 0, the header aside, as everywhere. `findings` says in words what they come to.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from influence.data.dataset import Columns, as_text, repeats
from influence.data.duplicates import SIDES, near_pairs
from influence.data.tables import Table
from influence.errors import DataError

SHOWN = 5  # rows or examples given of each kind
SHOWN_TEXT = 300  # characters


@dataclass(frozen=True)
class Rows:
    """How many rows are of a kind, and the numbers of the first few."""

    count: int
    first: list[int]

    @classmethod
    def of(cls, rows: Sequence[int]) -> "Rows":
        """The rows of a list."""
        return cls(len(rows), [int(row) for row in rows[:SHOWN]])


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
    rows: list[int]


@dataclass(frozen=True)
class Near:
    """Near duplicates among the training texts: pairs whose word sets have a Jaccard similarity of `duplicates.NEAR` or more."""

    texts: int  # different texts that have one
    pairs: int
    differing: int  # pairs with two labels
    compared: int  # different texts looked at, training and test
    of: int
    examples: list[list[str]]  # pairs of texts, those with two labels first


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """The report of a training file and, where there is one, a test file. A pair of texts counts as one text."""

    rows: int
    test_rows: int | None
    labels: list[LabelCount]  # the most frequent in training first
    words: Spread  # of the training texts, split at white space
    empty_texts: Rows
    empty_labels: Rows
    test_empty: Rows  # text or label
    repeats: Rows  # training rows with the same text as an earlier row
    conflicts: list[Conflict]  # the first few
    n_conflicts: int
    near: Near
    overlap: Rows  # test rows whose text stands in training
    near_overlap: Rows  # test rows with a near duplicate in training, those above left out
    variants: list[list[str]]  # labels that differ in capitals or spaces only
    unknown_labels: Rows  # test rows whose label never occurs in training
    repeated_ids: Rows

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


@dataclass(frozen=True)
class LooseData:
    """Texts and labels as a file has them, gaps and all; `whole` are the rows that have both."""

    texts: list[str]
    pairs: list[str] | None
    labels: list[str]
    whole: list[int]

    @cached_property
    def joined(self) -> list[str]:
        """The texts; of a pair both, with a unit separator between."""
        if self.pairs is None:
            return self.texts
        return [f"{text}{SIDES}{pair}" for text, pair in zip(self.texts, self.pairs, strict=True)]


def loose(table: Table, columns: Columns) -> LooseData:
    """The texts and labels of a table, whatever they are. Raises `DataError` for a column that is not there."""
    texts, labels = _cells(table, columns.text, "--text"), _cells(table, columns.label, "--label")
    pairs = None if columns.text_pair is None else _cells(table, columns.text_pair, "--text-pair")
    needed = [texts, labels, *([] if pairs is None else [pairs])]
    return LooseData(texts, pairs, labels, [row for row in range(len(texts)) if all(cells[row].strip() for cells in needed)])


def data_report(train: Table, test: Table | None, columns: Columns) -> DataReport:
    """Everything that can be said without a model. Raises `DataError` for columns that are not there, or no rows."""
    if not len(train):
        raise DataError(f"{train.source!r} has no rows; it needs at least one")
    ours = loose(train, columns)
    theirs = LooseData([], None, [], []) if test is None else loose(test, columns)
    texts = [ours.joined[row] for row in ours.whole]
    labels = [ours.labels[row] for row in ours.whole]
    test_texts = [theirs.joined[row] for row in theirs.whole]
    conflicts = _conflicts(texts, labels, ours.whole)
    near, near_overlap = _near(texts, labels, test_texts)
    counts, test_counts = Counter(labels), Counter(theirs.labels[row] for row in theirs.whole)
    seen = set(texts)
    return DataReport(
        rows=len(train),
        test_rows=None if test is None else len(test),
        labels=[LabelCount(label, counts[label], test_counts[label]) for label, _ in (counts + test_counts).most_common()],
        words=Spread.of([len(text.split()) for text in texts]),
        empty_texts=Rows.of(_blank(ours.texts, ours.pairs)),
        empty_labels=Rows.of(_blank(ours.labels, None)),
        test_empty=Rows.of(sorted(set(range(len(theirs.texts))) - set(theirs.whole))),
        repeats=Rows.of([ours.whole[at] for at in repeats(texts)]),
        conflicts=conflicts[:SHOWN],
        n_conflicts=len(conflicts),
        near=near,
        overlap=Rows.of([theirs.whole[at] for at, text in enumerate(test_texts) if text in seen]),
        near_overlap=Rows.of([theirs.whole[at] for at in near_overlap]),
        variants=_variants(counts + test_counts),
        unknown_labels=Rows.of([row for row in theirs.whole if theirs.labels[row] not in counts]),
        repeated_ids=Rows.of(repeats(_cells(train, columns.id, "--id")) if columns.id is not None else []),
    )


def label_key(label: str) -> str:
    """Equal for labels that differ in capitals or spaces only."""
    return " ".join(label.casefold().split())


def _cells(table: Table, name: str, option: str) -> list[str]:
    if name not in table.columns:
        raise DataError(f"{option} {name!r}: {table.source!r} has no such column; it has {', '.join(list(table.columns)[:20])}")
    return [as_text(value) for value in table.columns[name]]


def _blank(cells: Sequence[str], others: Sequence[str] | None) -> list[int]:
    return [row for row, cell in enumerate(cells) if not cell.strip() or (others is not None and not others[row].strip())]


def _conflicts(texts: Sequence[str], labels: Sequence[str], rows: Sequence[int]) -> list[Conflict]:
    places: dict[str, list[int]] = {}
    for at, text in enumerate(texts):
        places.setdefault(text, []).append(at)
    return [
        Conflict(text[:SHOWN_TEXT], dict(Counter(labels[at] for at in found).most_common()), [rows[at] for at in found[:SHOWN]])
        for text, found in places.items()
        if len({labels[at] for at in found}) > 1
    ]


def _variants(counts: Counter[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for label, _ in counts.most_common():
        groups.setdefault(label_key(label), []).append(label)
    return [group for group in groups.values() if len(group) > 1]


def _near(texts: Sequence[str], labels: Sequence[str], test_texts: Sequence[str]) -> tuple[Near, list[int]]:
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
    return Near(len(touched), len(inside), len(differing), found.compared, found.of, examples), overlap


def _shown(text: str) -> str:
    return text.replace(SIDES, " | ")[:SHOWN_TEXT]


def as_json(report: DataReport) -> dict[str, Any]:
    """The report as plain values, `imbalance` with it, and `n_labels`, which counts the spellings of a label once."""
    return {**asdict(report), "imbalance": report.imbalance, "n_labels": len(report.train_counts)}
