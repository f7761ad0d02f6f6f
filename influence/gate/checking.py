"""Measuring what is limited, each part of the work once however many limits need it."""

from collections.abc import Sequence
from dataclasses import dataclass

from influence.data import Columns, DataReport, data_report, read_examples
from influence.errors import DataError, SettingsError
from influence.fixes import Fix
from influence.gate.accuracy import drop
from influence.gate.limits import DEFAULT_SUSPICION, KINDS, TRAIN, Limit
from influence.gate.measured import Measured, of_report
from influence.gate.suspected import in_data, in_workspace
from influence.gate.verdicts import Verdict
from influence.reading import Table
from influence.sources import Stream
from influence.types import Progress, silent
from influence.workspace import read_workspace


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is looked at: data, with its columns, or a workspace, or both; and the workspace that it is held against."""

    train: Table | Stream | None = None
    test: Table | Stream | None = None
    columns: Columns | None = None
    workspace: str | None = None
    baseline: str | None = None
    fixes: Sequence[Fix] = ()  # decisions about the training data, where there is no workspace that has them


def check_limits(
    limits: Sequence[Limit], subject: Subject, *, suspicion: float = DEFAULT_SUSPICION, progress: Progress = silent
) -> list[Verdict]:
    """Measure everything that is limited, in the order of the limits; see `check_given` for what each needs.

    Suspects are those of the workspace where there is one, else what the words of the training data alone say.
    Raises `DataError`, `WorkspaceError`, and `SettingsError` for a workspace of other data.
    """
    found: dict[str, Measured] = {}
    of_data = [limit for limit in limits if TRAIN in KINDS[limit.name].needs]
    if of_data and subject.train is not None and subject.columns is not None:
        report = data_report(subject.train, subject.test, subject.columns)
        _check_usable(subject, report)
        found = {limit.name: of_report(report, limit) for limit in of_data}
    for limit in limits:
        if limit.name == "suspects":
            found[limit.name] = _suspects(subject, suspicion, progress)
        elif limit.name == "accuracy-drop" and subject.workspace is not None and subject.baseline is not None:
            found[limit.name] = drop(subject.workspace, subject.baseline)
    return [Verdict(limit, found[limit.name]) for limit in limits]


def _check_usable(subject: Subject, report: DataReport) -> None:
    """Raise `DataError` for a file that nothing is left of: of no rows none would be beyond a limit."""
    tests_left = (report.test_rows or 0) - sum(one.rows.count for one in report.test_unusable)
    for table, left in ((subject.train, report.usable), (subject.test, tests_left)):
        if table is not None and not left:
            raise DataError(f"{table.source!r}: no row can be used, so there is nothing to measure; choose other columns")


def _suspects(subject: Subject, threshold: float, progress: Progress) -> Measured:
    examples = None
    if subject.train is not None and subject.columns is not None:
        examples = read_examples(subject.train, subject.columns)
    if subject.workspace is None:
        assert examples is not None
        return in_data(examples, threshold, subject.fixes, progress)
    if examples is not None and examples.table.sha256 != read_workspace(subject.workspace).info.train_sha256:
        raise SettingsError(
            f"--workspace {subject.workspace!r} was not built from --train {examples.table.source!r}, so its suspects are not "
            "that file's; build it again, or leave one of the two out"
        )
    return in_workspace(subject.workspace, threshold)
