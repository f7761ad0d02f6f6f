"""Making the fixes of a fix list in a copy of the training file: all of them, or none if one does not fit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from influence.data import NewCells, balance, listed_kinds, masked, rewritten, written
from influence.errors import DataError, SettingsError
from influence.files import write_output
from influence.fixes.files import read_fixes
from influence.fixes.fixlist import Fix
from influence.fixes.train_file import GivenColumns, TrainFile, check_fit, open_train_file

ANY_COLUMNS = GivenColumns()


@dataclass(frozen=True)
class Applied:
    """What making the fixes changes."""

    train: TrainFile
    changes: NewCells
    counts: dict[str, int]  # fixes by action
    before: dict[str, int]  # class counts
    after: dict[str, int]

    @property
    def rows_before(self) -> int:
        """Rows of the training file."""
        return len(self.train.data)

    @property
    def rows_after(self) -> int:
        """Rows that stay."""
        return self.rows_before - sum(new is None for new in self.changes.values())

    @property
    def notes(self) -> list[str]:
        """What the user should know besides, one line each."""
        gone = [label for label, count in self.after.items() if not count]
        notes = [f"no example of {label!r} is left" for label in gone]
        if self.rows_after < self.rows_before and self.train.columns.id is None:
            notes.append("ids are row numbers here, and rows after a removed one move up: a column of ids would stay")
        return notes


def apply_fixes(
    fixes_path: str,
    train: str,
    output: str,
    *,
    columns: GivenColumns = ANY_COLUMNS,
    mask_token: str = "",
    dry_run: bool = False,
) -> Applied:
    """Write a copy of the training file with the fixes made; with `dry_run`, only say what would change.

    Masked words become `mask_token`, or are deleted when it is empty. Raises `DataError` for a fix list or file that
    does not fit, and `SettingsError` for an output that would write over an input or cannot be written.
    """
    fixes = read_fixes(fixes_path)
    target = _checked_output(output, train, fixes_path)
    applied = plan(open_train_file(train, fixes, columns), fixes, source=fixes_path, mask_token=mask_token)
    if not dry_run:
        write_output(target, content(applied, target.suffix.lower()), name=f"--output {output!r}")
    return applied


def plan(train: TrainFile, fixes: Sequence[Fix], *, source: str, mask_token: str = "") -> Applied:
    """What the fixes change in a training file. Raises `DataError` unless every one of them fits."""
    check_fit(train, fixes, source)
    places = {id: row for row, id in enumerate(train.data.ids)}
    as_written = dict(zip(train.data.labels, train.table.columns[train.columns.label], strict=True))  # numbers stay numbers
    cells: dict[int, Mapping[str, Any] | None] = {}
    for fix in fixes:
        row = places[fix.example_id]
        if fix.edit.does.drops:
            cells[row] = None
        elif fix.new_label is not None:
            cells[row] = {train.columns.label: as_written[fix.new_label]}
        elif fix.edit.does.masks:
            cells[row] = _masked(train, row, fix, mask_token)
    before = dict(sorted(Counter(train.data.labels).items()))
    after = balance(before, ((train.data.labels[places[fix.example_id]], fix.edit) for fix in fixes))
    if not any(after.values()):
        raise DataError(f"{source!r} removes every row of {train.table.source!r}; nothing was written")
    counts = Counter(fix.action for fix in fixes)
    return Applied(train, cells, {action: counts[action] for action in listed_kinds()}, before, after)


def content(applied: Applied, suffix: str) -> bytes:
    """The corrected training file, in the form of the original."""
    source = Path(applied.train.table.source)
    return rewritten(source, applied.changes) if source.is_file() else written(applied.train.table, applied.changes, suffix)


def _masked(train: TrainFile, row: int, fix: Fix, token: str) -> dict[str, str]:
    texts = {train.columns.text: train.data.texts[row]}
    if train.columns.text_pair is not None and train.data.pairs is not None:
        texts[train.columns.text_pair] = train.data.pairs[row]
    try:
        left = masked(fix.example_id, list(texts.values()), fix.words, token)
    except DataError as error:
        raise DataError(f"{error}; nothing was written") from error
    return {column: text for column, text in zip(texts, left, strict=True) if text != texts[column]}


def _checked_output(output: str, train: str, fixes: str) -> Path:
    target, source = Path(output), Path(train)
    for option, given in (("--train", source), ("--fixes", Path(fixes))):
        if target.exists() and given.exists() and target.samefile(given):
            raise SettingsError(f"--output {output!r} is the file of {option}; name another, inputs are never written over")
    if target.is_dir() or not target.parent.is_dir():
        raise SettingsError(f"--output {output!r}: it must be a file in a folder that exists")
    if source.is_file() and target.suffix.lower() != source.suffix.lower():
        raise SettingsError(f"--output {output!r}: name it {source.suffix}, the form of {train!r}, which is kept")
    return target
