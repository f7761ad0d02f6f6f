"""What a data report comes to, in words: what stops a build, what can be mended on the way, what is worth a look."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from influence.data.labels import as_shown
from influence.data.report import DataReport, Rows, Unusable

Level = Literal["stop", "mend", "look", "fine"]  # the gravest first
IMBALANCED = 10.0  # most frequent label over rarest, from which it is worth saying
FEW = 5  # rows of a label, below which nothing can be learnt of it
MANY_LABELS = 500


@dataclass(frozen=True)
class Finding:
    """One remark. `stop`: no build as it is; `mend`: none either, but `prepare` mends it; `look`; `fine`: nothing found."""

    level: Level
    what: str
    advice: str


def findings(report: DataReport) -> list[Finding]:
    """The remarks on a report, the gravest first."""
    found = [*_stops(report), *_mends(report), *_repeated(report), *_overlap(report), *_classes(report)]
    order = get_args(Level)
    found.sort(key=lambda finding: order.index(finding.level))
    return found or [Finding("fine", "Nothing stands in the way of a build.", "")]


def _stops(report: DataReport) -> Iterator[Finding]:
    counts = report.train_counts
    if not counts:
        yield Finding("stop", "No row can be used.", "Choose other columns.")
    elif len(counts) == 1:
        what = f"Every row has the label {next(iter(counts))[:60]!r}."
        yield Finding("stop", what, "A classifier needs two classes at least. Is another column the label?")
    elif len(counts) > MANY_LABELS or len(counts) > max(2, report.usable / 2):
        advice = "Is another column the label? A label should stand in many rows."
        yield Finding("stop", f"{len(counts):,} different labels in {report.usable:,} rows.", advice)
    elif not report.can_split:
        yield Finding("stop", "There are too few different texts to set a test part aside.", "Give a test file, or more rows.")
    for rows, where in ((report.repeated_ids, ""), (report.test_repeated_ids, " of the test file")):
        if rows.count:
            what = f"{_rows(rows)}{where} with an id that an earlier row has."
            advice = "Ids must be unique. Choose another id column, or none: then the row numbers are the ids."
            yield Finding("stop", what, advice)
    if report.test_usable == 0:
        yield Finding("stop", "No row of the test file can be used.", "Choose another test file, with its labels, or none.")


def _mends(report: DataReport) -> Iterator[Finding]:
    for found, where in ((report.unusable, ""), (report.test_unusable, " of the test file")):
        yield from (_left_out(one, where) for one in found)
    if report.variants:
        shown = "; ".join(" = ".join(as_shown(group[:4])) for group in report.variants[:3])
        more = "; …" if len(report.variants) > 3 else ""
        yield Finding(
            "mend", f"Labels that look alike: {shown}{more}.", "They can be made one, in the spelling that occurs most."
        )
    if report.unknown_labels.count:
        what = f"{_rows(report.unknown_labels)} of the test file with a label that training never has."
        yield Finding("mend", what, "They can be left out of the build. Is it the right test file?")


def _left_out(found: Unusable, where: str) -> Finding:
    detail = f" ({found.detail})" if found.detail else ""
    several = " Wordtrace takes one label a row." if "several values for a label" in found.what else ""
    pronoun = "It" if found.rows.count == 1 else "They"
    advice = f"{pronoun} can be left out of the build.{several}"
    return Finding("mend", f"{_rows(found.rows)}{where} {found.what}{detail}.", advice)


def _repeated(report: DataReport) -> Iterator[Finding]:
    if report.n_conflicts:
        what = f"{_count(report.n_conflicts, 'text stands', 'texts stand')} with two labels or more."
        yield Finding("look", what, "One of the labels must be wrong: they will be among the suspects.")
    if report.repeats.count:
        what = f"{_rows(report.repeats)} with the same text as an earlier row."
        yield Finding("look", what, "Each counts as a training example of its own; a repeated text pulls with its full number.")
    near = report.near
    if near.pairs:
        part = "" if near.compared == near.of else f" (among {near.compared:,} of {near.of:,} texts, taken at random)"
        differing = f"; {_count(near.differing, 'pair has', 'pairs have')} two labels" if near.differing else ""
        what = f"{near.texts:,} texts nearly repeat another, in {_count(near.pairs, 'pair', 'pairs')}{differing}{part}."
        yield Finding("look", what, "Nearly: at least four fifths of the two texts' words, capitals aside, are in both.")


def _overlap(report: DataReport) -> Iterator[Finding]:
    if report.overlap.count:
        share = report.overlap.count / max(report.test_rows or 0, 1)
        what = f"{_rows(report.overlap)} of the test file ({share:.1%}) whose text stands in training too."
        yield Finding("look", what, "The model has seen them: the test accuracy will look better than it is.")
    if report.near_overlap.count:
        what = f"{_rows(report.near_overlap)} of the test file that nearly repeat a training text."
        yield Finding("look", what, "They, too, flatter the test accuracy.")


def _classes(report: DataReport) -> Iterator[Finding]:
    counts = report.train_counts
    if report.header_is_label:
        what = f"The label column's name, {report.header_is_label[:40]!r}, is also a label."
        yield Finding("look", what, "Has the file no header? Then its first row is taken for one: put a line of names before it.")
    if report.joined:
        shown = ", ".join(repr(name[:40]) for name in list(report.joined)[:3]) + (", …" if len(report.joined) > 3 else "")
        what = f"{_rows(report.joined_rows)} whose label is several joined: {shown}."
        yield Finding("look", what, "Each is taken for a class of its own: Wordtrace takes one label a row.")
    if len(counts) < 2:
        return
    most, rarest = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    if counts[most] >= IMBALANCED * counts[rarest]:
        what = f"{most[:60]!r} has {counts[most] / counts[rarest]:,.0f} times the rows of {rarest[:60]!r}."
        yield Finding("look", what, "A model can be right often by never saying the rare label; look at it by class.")
    few = [name for name, count in counts.items() if count < FEW]
    if few:
        shown = ", ".join(repr(name[:40]) for name in few[:5]) + (", …" if len(few) > 5 else "")
        what = f"{_count(len(few), 'label has', 'labels have')} fewer than {FEW} training rows: {shown}."
        yield Finding("look", what, "Hardly anything can be learnt of them.")


def _rows(rows: Rows) -> str:
    shown = ", ".join(f"{row:,}" if isinstance(row, int) else row for row in rows.first)
    more = ", …" if rows.count > len(rows.first) else ""
    return f"{_count(rows.count, 'row', 'rows')} ({shown}{more})"


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
