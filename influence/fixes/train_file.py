"""The training file that a fix list is for: which of its columns hold what, and whether it is the one that was reviewed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from pathlib import Path

from influence.annotation import AnnotatedTable, read_table
from influence.data import Columns, Examples, label_key, read_examples, text_sha256
from influence.errors import DataError
from influence.fixes.fixlist import Fix
from influence.reading import FormOptions, Table, as_text, is_saved, label_cell, without_split
from influence.workspace import WorkspaceInfo, WorkspaceReader

PROBED = 50  # fixes that the columns are tried on
SHOWN = 100  # rows named in a message
MOST_TEXT_COLUMNS = 12  # more than this, and pairs of columns are not tried


@dataclass(frozen=True, kw_only=True)
class GivenColumns:
    """The columns a user named; None: to be found."""

    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class TrainFile:
    """A training file, read by the columns that fit a fix list; rows that no build can use are in it, too."""

    data: Examples

    @property
    def table(self) -> Table:
        """Its cells."""
        return self.data.table

    @property
    def columns(self) -> Columns:
        """Which of them hold what."""
        return self.data.columns

    @property
    def options(self) -> list[str]:
        """The columns as options of the command line."""
        named = {"--text": self.columns.text, "--text-pair": self.columns.text_pair, "--label": self.columns.label}
        named["--id"] = self.columns.id
        return [part for option, column in named.items() if column is not None for part in (option, column)]

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each id; rows that cannot be used have none."""
        return {self.data.ids[row]: row for row in self.data.usable}

    @cached_property
    def spellings(self) -> dict[str, str]:
        """For each label, and what it looks like, the file's most frequent spelling."""
        counts = Counter(self.data.labels[row] for row in self.data.usable)
        alike: dict[str, str] = {}
        for label, _ in counts.most_common():
            alike.setdefault(label_key(label), label)
        return alike | {label: label for label in counts}

    def hash(self, row: int) -> str:
        """`text_sha256` of a row."""
        return text_sha256(self.data.texts[row], None if self.data.pairs is None else self.data.pairs[row])


def open_train_file(name: str, fixes: Sequence[Fix], given: GivenColumns, options: FormOptions) -> TrainFile:
    """Read a training file as `build` does. Columns that were not named are those whose texts have the fixes' hashes.

    Failing that they are `text`, `label`, and `id` if there is one. Raises `DataError` for a file that cannot be read.
    """
    return _train_file(read_table(name, split="train", options=options), fixes, given)


def own_train_file(workspace: WorkspaceReader, fixes: Sequence[Fix]) -> TrainFile | None:
    """The training data that a workspace was built from; None where it is no file here, or another one by now."""
    info = workspace.info
    table = read_unchanged(info.train_source, info.train_sha256, form_of(info))
    return None if table is None else _train_file(table, fixes, GivenColumns(**info.settings["columns"]))


def read_unchanged(source: str, sha256: str, options: FormOptions, *, split: str = "train") -> Table | None:
    """A file, or a folder of `save_to_disk`, that is still what it was; None otherwise. Nothing is asked of another machine."""
    if not (Path(source).is_file() or is_saved(Path(without_split(source)[0]))):
        return None
    try:
        table = read_table(source, split=split, options=options)
    except DataError:  # it is another file by now
        return None
    return table if table.sha256 == sha256 else None


def form_of(info: WorkspaceInfo) -> FormOptions:
    """How the files that a workspace was built from are read."""
    return FormOptions(**(info.settings.get("form") or {}))


def _train_file(table: Table, fixes: Sequence[Fix], given: GivenColumns) -> TrainFile:
    return TrainFile(read_examples(table, _fitting_columns(table, fixes[:PROBED], given)))


def workspace_copy(workspace: WorkspaceReader, split: str = "train") -> TrainFile:
    """The examples of a split as the workspace has them, under the names `id`, `text`, `text_pair` and `label`."""
    table = Table(workspace.store.split_columns(split), "", "")
    return TrainFile(read_examples(table, copied_columns(workspace)))


def copied_columns(workspace: WorkspaceReader) -> Columns:
    """The columns of `workspace_copy`."""
    return Columns(text_pair="text_pair" if workspace.info.has_pairs else None, id="id")


def spelling_matters(fixes: Sequence[Fix]) -> bool:
    """Whether labels that look alike are two labels: where a fix list names both. Else a build may have made them one."""
    named = {label for fix in fixes for label in (fix.old_label, fix.new_label) if label is not None}
    return len({label_key(label) for label in named}) < len(named)


def check_fit(train: TrainFile, fixes: Sequence[Fix], source: str) -> None:
    """Raise `DataError`, naming the rows, unless every fix is of an example as this file has it."""
    rows, labels, twice = train.places, train.data.labels, {train.data.ids[row] for row in train.data.repeated_ids()}
    exact = spelling_matters(fixes)
    names = set(labels) if exact else train.spellings.keys()

    def same(found: str, wanted: str) -> bool:
        return found == wanted or (not exact and label_key(found) == label_key(wanted))

    def is_new(label: str) -> bool:
        return label not in names and (exact or label_key(label) not in names)

    known = [fix for fix in fixes if fix.example_id in rows]
    complaints = (
        ("has no example with the id of", [f for f in fixes if f.example_id not in rows], "was it another file, or --id?"),
        ("has more than one example with the id of", [f for f in known if f.example_id in twice], "name another --id"),
        ("has another text for", [f for f in known if train.hash(rows[f.example_id]) != f.text_sha256], _CHANGED),
        ("has another label for", [f for f in known if not same(labels[rows[f.example_id]], f.old_label)], _MADE),
        ("never has the new label of", [f for f in known if f.new_label is not None and is_new(f.new_label)], _LABEL),
    )
    for complaint, misfits, hint in complaints:
        if misfits:
            shown = ", ".join(_shown(fix) for fix in misfits[:SHOWN])
            more = f" and {len(misfits) - SHOWN:,} more" if len(misfits) > SHOWN else ""
            raise DataError(
                f"{source!r} does not fit {train.table.source!r}, which {complaint} {len(misfits):,} of {len(fixes):,} fixes: "
                f"{shown}{more}; nothing was written ({hint})"
            )


_CHANGED = "the file was edited since, or its columns are others: --text, --text-pair"
_MADE = "the file was edited since, or the fixes are in it already"
_LABEL = "a new label must be one that the file has"


def _shown(fix: Fix) -> str:
    return repr(fix.example_id) + (f" → {fix.new_label!r}" if fix.new_label is not None else "")


def _fitting_columns(table: Table, fixes: Sequence[Fix], given: GivenColumns) -> Columns:
    default_id = "id" if "id" in table.columns else None
    best, best_fit = (given.id or default_id, given.text or "text", given.text_pair), 0
    for id in dict.fromkeys([given.id] if given.id else [default_id, None, *table.columns]):
        rows = _rows(table, id, fixes)
        for text, pair in _text_columns(table, given) if rows else ():
            fit = sum(_hash(table, row, text, pair) == fix.text_sha256 for row, fix in rows)
            if fit > best_fit:
                best, best_fit = (id, text, pair), fit
    id, text, pair = best
    return Columns(text=text, text_pair=pair, label=given.label or _label_column(table, id, fixes), id=id)


def _rows(table: Table, id: str | None, fixes: Sequence[Fix]) -> list[tuple[int, Fix]]:
    """The rows of the fixes if a column held the ids, those found."""
    if id is None:
        places = {str(row): row for row in range(len(table))}
    else:
        places = {as_text(value): row for row, value in enumerate(table.columns.get(id, []))}
    return [(places[fix.example_id], fix) for fix in fixes if fix.example_id in places]


def _text_columns(table: Table, given: GivenColumns) -> Iterator[tuple[str, str | None]]:
    """Columns, and pairs of columns, that might hold the texts; likely ones first."""
    texts = [name for name in table.columns if any(isinstance(value, str) for value in table.columns[name][:PROBED])]
    texts.sort(key=lambda name: name != "text")
    for text in [given.text] if given.text else texts:
        if given.text_pair is None:
            yield text, None
    if given.text_pair is not None or len(texts) <= MOST_TEXT_COLUMNS:
        for text, pair in permutations(texts, 2):
            if given.text in (None, text) and given.text_pair in (None, pair):
                yield text, pair


def _hash(table: Table, row: int, text: str, pair: str | None) -> str:
    values = [table.columns[name][row] for name in (text, pair) if name is not None and name in table.columns]
    return text_sha256(*map(as_text, values)) if values else ""


def _label_column(table: Table, id: str | None, fixes: Sequence[Fix]) -> str:
    """A tool's question, `label` if there is one, else the column that most often holds the fixes' old labels."""
    if isinstance(table, AnnotatedTable) and "label" in table.roles:
        return table.roles["label"]
    if "label" in table.columns or not fixes:
        return "label"
    rows = _rows(table, id, fixes)
    keys = [(row, label_key(fix.old_label)) for row, fix in rows]
    fits = {
        name: sum(isinstance(cell := label_cell(values[row]), str) and label_key(cell) == key for row, key in keys)
        for name, values in table.columns.items()
    }
    best = max(fits, key=fits.__getitem__, default="label")
    return best if fits.get(best) else "label"
