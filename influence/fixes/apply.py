"""Making the fixes of a fix list in a copy of the training file: all of them, or none if one does not fit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from influence.annotation import rewritten, save_rewritten
from influence.data import TWO_WAYS, balance, label_key, listed_kinds, masked
from influence.errors import DataError, SettingsError
from influence.files import write_output
from influence.fixes.files import RISKY, read_fixes
from influence.fixes.fixlist import Fix
from influence.fixes.train_file import GivenColumns, TrainFile, check_fit, open_train_file, spelling_matters
from influence.reading import FormOptions, NewCells, as_text, data_suffix, whole_suffix, written

ANY_COLUMNS, ANY_FORM = GivenColumns(), FormOptions()
SPREADSHEETS = (".csv", ".tsv", ".txt")
PARQUET = ".parquet"  # what any file may be written as: no spreadsheet runs it


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
        if self.counts["mask"]:
            notes.append(TWO_WAYS)
        return notes

    def formulas(self, suffix: str) -> list[str]:
        """What to know of the written file, one line where there is something: rows stay as they are, formulas among them."""
        table = self.train.table
        if suffix.removesuffix(".gz") not in SPREADSHEETS:
            return []
        found = sum(any(RISKY.match(as_text(column[row])) for column in table.columns.values()) for row in range(len(table)))
        rows = f"{found:,} row{'s have' if found > 1 else ' has'} a cell that a spreadsheet may take for a formula"
        return [f"{rows}: it stays as it was; open the file as text, or write it as .parquet"] if found else []


def apply_fixes(
    fixes_path: str,
    train: str,
    output: str,
    *,
    columns: GivenColumns = ANY_COLUMNS,
    form: FormOptions = ANY_FORM,
    mask_token: str = "",
    dry_run: bool = False,
) -> Applied:
    """Write a copy of the training file with the fixes made; with `dry_run`, only say what would change.

    Masked words become `mask_token`, or are deleted when it is empty. Raises `DataError` for a fix list or file that
    does not fit, and `SettingsError` for an output that would write over an input or cannot be written.
    """
    fixes = read_fixes(fixes_path)
    target = _checked_output(output, train, fixes_path)
    applied = plan(open_train_file(train, fixes, columns, form), fixes, source=fixes_path, mask_token=mask_token)
    if applied.train.table.form.kind == "data set" and not target.suffix:
        if not dry_run:
            save_rewritten(applied.train.table, applied.changes, target)
        return applied
    made = content(applied, data_suffix(target))
    if not dry_run:
        write_output(target, made, name=f"--output {output!r}")
    return applied


def plan(train: TrainFile, fixes: Sequence[Fix], *, source: str, mask_token: str = "") -> Applied:
    """What the fixes change in a training file. Raises `DataError` unless every one of them fits."""
    check_fit(train, fixes, source)
    places, data = train.places, train.data
    values = train.table.columns[train.columns.label]
    as_written = {data.labels[row]: values[row] for row in data.usable}  # numbers stay numbers, lists lists
    exact = spelling_matters(fixes)
    renamed = {fix.new_label: _spelt(train, fix.new_label, exact=exact) for fix in fixes if fix.new_label is not None}
    cells: dict[int, Mapping[str, Any] | None] = {}
    for fix in fixes:
        row = places[fix.example_id]
        if fix.edit.does.drops:
            cells[row] = None
        elif fix.new_label is not None:
            cells[row] = {train.columns.label: as_written[renamed[fix.new_label]]}
        elif fix.edit.does.masks:
            cells[row] = _masked(train, row, fix, mask_token)
    before = dict(sorted(Counter(data.labels[row] for row in data.usable).items()))
    edits = (replace(fix.edit, new_label=None if fix.new_label is None else renamed[fix.new_label]) for fix in fixes)
    after = balance(before, ((data.labels[places[fix.example_id]], edit) for fix, edit in zip(fixes, edits, strict=True)))
    if not any(after.values()):
        raise DataError(f"{source!r} removes every row of {train.table.source!r}; nothing was written")
    counts = Counter(fix.action for fix in fixes)
    return Applied(train, cells, {action: counts[action] for action in listed_kinds()}, before, after)


def content(applied: Applied, suffix: str) -> bytes:
    """The corrected training file: in the form of the original, or as Parquet where the ending asks for it."""
    table = applied.train.table
    own_form = table.form.kind != "data set" and (suffix != PARQUET or table.form.kind == "parquet")
    return rewritten(table, applied.changes) if own_form else written(table, applied.changes, suffix)


def _spelt(train: TrainFile, label: str, *, exact: bool) -> str:
    """A label as the file spells it."""
    return label if exact or label in train.spellings else train.spellings[label_key(label)]


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
        raise SettingsError(f"--output {output!r}: it must be a new file, or of a data set a new folder, in a folder that exists")
    if source.is_file() and whole_suffix(target) not in (whole_suffix(source), PARQUET):
        kept = f"name it {whole_suffix(source)}, the form of {train!r}, which is kept"
        raise SettingsError(f"--output {output!r}: {kept}{'' if whole_suffix(source) == PARQUET else f', or {PARQUET}'}")
    return target
