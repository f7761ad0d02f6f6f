"""What was found of a kind, in numbers and in words; of a data report everything that it says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from influence.data import DataReport
from influence.gate.limits import Limit

SHOWN, SHOWN_TEXT = 5, 60


@dataclass(frozen=True)
class Measured:
    """How many of how many are of a kind, which the first are, and what can be done about them."""

    count: int
    of: int
    unit: str  # "test rows", as in "3 of 400 test rows"
    what: str  # what is so of those, as it follows "3 of 400 test rows"
    first: Sequence[str]  # the first few, by number, id or name
    advice: str
    at_least: bool = False  # not everything was looked at
    shown_as: str = ""  # what `first` are; "" for the first of the unit

    @property
    def share(self) -> float:
        """The share of all, 0 to 1; of nothing 0."""
        return self.count / self.of if self.of else 0.0

    @property
    def first_ones(self) -> str:
        """The first that are concerned, as a sentence; empty where there are none."""
        if not self.first:
            return ""
        more = ", …" if not self.shown_as and self.count > len(self.first) else ""
        return f"{self.shown_as or f'First {self.unit}'}: {', '.join(self.first)}{more}."

    @property
    def sentence(self) -> str:
        """What was found, as one line without its full stop."""
        least = "at least " if self.at_least else ""
        return f"{least}{self.count:,} of {self.of:,} {self.unit} ({percent(self.share)}) {self.what}"


def percent(share: float) -> str:
    """A share as a percentage of three digits."""
    return "under 0.01%" if 0 < share < 1e-4 else f"{100 * share:.3g}%"


def plain(text: object) -> str:
    """A name out of the data on one line, cut; what a terminal or a log could take for a command is spelt out."""
    said = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text)[:SHOWN_TEXT])
    return f"{said}…" if len(str(text)) > SHOWN_TEXT else said


def rows_named(rows: Iterable[int | str]) -> list[str]:
    """Rows by their numbers, as a spreadsheet gives them; of several files with the file's name."""
    return [f"{row:,}" if isinstance(row, int) else plain(row) for row in rows]


def of_report(report: DataReport, limit: Limit) -> Measured:
    """What a data report says of one kind. A kind of the test file needs a report that has one."""
    return _OF_REPORT[limit.name](report, limit)


def _conflicts(report: DataReport, _: Limit) -> Measured:
    rows = [f"rows {' and '.join(rows_named(one.rows[:2]))} ({plain(' / '.join(one.labels))})" for one in report.conflicts]
    texts = report.usable - report.repeats.count
    advice = "One of the labels must be wrong: decide which, or take the text out."
    return Measured(report.n_conflicts, texts, "texts", "stand with two labels or more", rows, advice)


def _duplicates(report: DataReport, _: Limit) -> Measured:
    advice = "Keep one of each, or allow some."
    first = rows_named(report.repeats.first)
    return Measured(report.repeats.count, report.usable, "rows", "have the same text as an earlier row", first, advice)


def _near_duplicates(report: DataReport, _: Limit) -> Measured:
    near = report.near
    part = "" if near.compared == near.of else f" (looked for among {near.compared:,} of {near.of:,} texts, taken at random)"
    what = f"nearly repeat the text of another{part}"
    advice = "Keep one of each group, or allow some."
    first = rows_named(near.rows.first)
    return Measured(near.rows.count, report.usable, "rows", what, first, advice, at_least=near.compared < near.of)


def _leaks(report: DataReport, _: Limit) -> Measured:
    advice = "Take them out of the one file or the other: a model has seen them, and its test accuracy flatters."
    first = rows_named(report.overlap.first)
    return Measured(
        report.overlap.count, report.test_rows or 0, "test rows", "have a text that stands in training", first, advice
    )


def _near_leaks(report: DataReport, _: Limit) -> Measured:
    near, rows = report.near, report.near_overlap
    advice = "Take them out of the one file or the other: they, too, flatter the test accuracy."
    least = near.compared < near.of
    return Measured(
        rows.count, report.test_rows or 0, "test rows", "nearly repeat a training text", rows_named(rows.first), advice, least
    )


def _unusable(report: DataReport, _: Limit) -> Measured:
    found = [(one, "") for one in report.unusable] + [(one, "test ") for one in report.test_unusable]
    first = [f"{where}{row} {plain(one.what)}" for one, where in found for row in rows_named(one.rows.first[:2])]
    count = sum(one.rows.count for one, _ in found)
    advice = "Mend or delete them; `build --drop-unusable` leaves them out."
    return Measured(count, report.rows + (report.test_rows or 0), "rows", "cannot be used", first[:SHOWN], advice)


def _repeated_ids(report: DataReport, _: Limit) -> Measured:
    ours, theirs = report.repeated_ids, report.test_repeated_ids
    first = rows_named(ours.first) + [f"test {row}" for row in rows_named(theirs.first)]
    advice = "Ids must be unique: choose another --id column."
    of = report.rows + (report.test_rows or 0)
    return Measured(ours.count + theirs.count, of, "rows", "have an id that an earlier row has", first[:SHOWN], advice)


def _unknown_labels(report: DataReport, _: Limit) -> Measured:
    rows = report.unknown_labels
    advice = "Is it the right test file? `build --drop-unusable` leaves them out."
    first = rows_named(rows.first)
    return Measured(rows.count, report.test_rows or 0, "test rows", "have a label that training never has", first, advice)


def _spellings(report: DataReport, _: Limit) -> Measured:
    first = [" = ".join(ascii(plain(name)) for name in group[:4]) for group in report.variants[:SHOWN]]
    count = sum(len(group) - 1 for group in report.variants)
    advice = "Write each label one way; `build --merge-labels` makes them one."
    return Measured(count, len(report.labels), "labels", "look like another", first, advice)


def _class_share(report: DataReport, limit: Limit) -> Measured:
    """The rarest label; the first few are all labels below the limit."""
    counts = report.train_counts
    rarest = min(counts, key=lambda name: counts[name], default="")
    few = [f"{plain(name)} ({count:,})" for name, count in counts.items() if limit.broken(count, report.usable)]
    what = f"have the rarest label, {plain(rarest)!r}" if counts else "have a label"
    advice = "Add rows of it, or put it together with another label."
    return Measured(counts.get(rarest, 0), report.usable, "rows", what, few[:SHOWN], advice, shown_as="Labels below it")


_OF_REPORT: dict[str, Callable[[DataReport, Limit], Measured]] = {
    "conflicts": _conflicts,
    "duplicates": _duplicates,
    "near-duplicates": _near_duplicates,
    "leaks": _leaks,
    "near-leaks": _near_leaks,
    "unusable": _unusable,
    "repeated-ids": _repeated_ids,
    "unknown-labels": _unknown_labels,
    "spellings": _spellings,
    "class-share": _class_share,
}
