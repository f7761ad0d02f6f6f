"""What a push brings to the Hub: the corrected training data, the test part as it is, the fixes, and a card."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from influence.data import Columns
from influence.errors import SettingsError
from influence.fixes import (
    Applied,
    Fix,
    FixList,
    GivenColumns,
    TrainFile,
    content,
    encode_fixes,
    fix_list,
    form_of,
    in_markdown,
    open_train_file,
    own_train_file,
    plan,
    read_unchanged,
    workspace_copy,
)
from influence.hub.card import Card, section
from influence.hub.columns import common_schema, features
from influence.hub.front_matter import FrontMatter
from influence.hub.settings import CARD, FIXES, FIXES_BEFORE, Destination
from influence.reading import Odd, Table, as_text, whole_suffix, written
from influence.review import NAMES_JOIN, Reviews
from influence.suspects import names_nobody
from influence.workspace import WorkspaceInfo

PARQUET = ".parquet"
NOTHING = "nothing that has been decided changes the data: relabel, remove or mask something first"
NO_TABLE = ".txt"  # which the Hub reads as lines of text


@dataclass(frozen=True)
class Upload:
    """The files of one commit, but for the card, which depends on the one that is there."""

    data: dict[str, bytes]  # by path in the repository
    card: Card
    counts: dict[str, int]  # fixes by action
    notes: list[str]  # what the user should know besides

    def files(self, existing_card: str | None = None) -> dict[str, bytes]:
        """All files of the commit. Raises `DataError` for an existing card that cannot be gone on with."""
        return {CARD: self.card.text(existing_card).encode(), **self.data}

    @property
    def message(self) -> str:
        """Of the commit, where the user gives none."""
        made = ", ".join(f"{count:,} {action}" for action, count in self.counts.items() if count and action != "keep")
        return f"Correct the training data{f': {made}' if made else ''}"


def prepare_upload(
    reviews: Reviews,
    destination: Destination,
    *,
    train: str | None = None,
    policy: str = "majority",
    reviewers: Collection[str] | None = None,
    named: bool = False,
) -> Upload:
    """Make the decided fixes in the training data, without a network.

    `train` is the file to make them in (None: the one that the workspace was built from, or if that has changed the
    workspace's copy of it). With `named` the reviewers' names and notes go along; else nothing that tells of a person.
    Raises `SettingsError` where nothing is decided, `DataError` for data that does not fit.
    """
    found = fix_list(reviews, policy=policy, reviewers=reviewers, with_notes=named)
    if not found.changes and not found.applied:
        raise SettingsError(f"workspace {reviews.workspace.name!r}: {NOTHING}")
    opened, is_copy = _train_file(reviews, found.fixes, train)
    applied = plan(opened, found.fixes, source="the fix list")
    data = {destination.path: _content(applied, destination)}
    test, left_out = _test_part(reviews, is_copy)
    if test is not None:
        left_out = _add_test(data, test, applied, destination)
    columns = None
    if destination.suffix == PARQUET:
        columns = features(data, opened.columns.label, _label_names(reviews.workspace.info, data, test, applied))
    splits = dict(zip(("train", "test"), data, strict=False))
    facts = [*_found_by(found), *_judged_by(found.fixes, named), *_files(splits, left_out)]
    rows, balance = (applied.rows_before, applied.rows_after), (applied.before, applied.after)
    front = FrontMatter(splits, _reader(opened.table, destination.suffix), columns)
    title = destination.repo.partition("/")[2]
    notes = [*found.notes, *([COPY] if is_copy else []), *([left_out] if left_out else [])]
    notes += [TOOL] if opened.table.form.tool else []
    notes += [*applied.notes, *applied.formulas(destination.suffix)]
    fixes = _fix_files(reviews, found.fixes, named)
    return Upload(data | fixes, Card(title, section(found, balance, rows, facts), front), found.counts, notes)


RULE = "rule: "
_SETTLED = re.compile(r"(?:(?P<reason>.*); )?(?:adjudicated|\w+ of \d+ reviewers)", re.DOTALL)
COPY = (
    "the training data is the workspace's copy (id, text, label; rows that could not be used are not in it), since what it was "
    "built from is no file here, or has changed: give it with --train"
)
TOOL = "of an annotation tool's file ids, texts and labels are uploaded, and not who said what"
TEST_GONE = "the test part is not uploaded: what it was read from is no file here, or has changed"
SET_ASIDE = "the test part was set aside from the training data, and its rows stay in there"
TEST_DIFFERS = "the test part is not uploaded: its columns, or its form, are not those of the training data"


def _train_file(reviews: Reviews, fixes: list[Fix], train: str | None) -> tuple[TrainFile, bool]:
    """The file to make the fixes in, and whether that is the workspace's copy."""
    if train is not None:
        return open_train_file(train, fixes, GivenColumns(), form_of(reviews.workspace.info)), False
    own = own_train_file(reviews.workspace, fixes)
    return (workspace_copy(reviews.workspace), True) if own is None else (own, False)


def _content(applied: Applied, destination: Destination) -> bytes:
    table, suffix = applied.train.table, destination.suffix
    if table.form.tool and suffix != PARQUET:
        why = f"a file of {table.form.tool} says who annotated what"
        raise SettingsError(f"--path {destination.path!r}: {why}; name it {PARQUET}, for texts and labels alone")
    if table.form.tool:
        return written(_texts_and_labels(table, applied.train.columns), applied.changes, suffix)
    own = PARQUET if table.form.kind == "data set" else whole_suffix(Path(table.source))
    if suffix not in (PARQUET, own) or suffix.startswith(NO_TABLE):
        way_out = f"name it {PARQUET}" if own == PARQUET or own.startswith(NO_TABLE) else f"name it {PARQUET} or {own}"
        raise SettingsError(f"--path {destination.path!r}: the training data cannot go there in that form; {way_out}")
    return content(applied, suffix)


def _texts_and_labels(table: Table, columns: Columns) -> Table:
    """A tool's file without what people and models said: ids, texts and the labels that it comes to; none where there is none."""
    names = [name for name in (columns.id, columns.text, columns.text_pair, columns.label) if name in table.columns]
    kept = {name: [None if isinstance(value, Odd) else value for value in table.columns[name]] for name in names if name}
    return Table(kept, table.source, table.sha256, broken=table.broken, rows=len(table))


def _test_part(reviews: Reviews, is_copy: bool) -> tuple[Table | None, str]:
    """The test data as it was built from; else None and why not."""
    info = reviews.workspace.info
    if is_copy:
        return (workspace_copy(reviews.workspace, "test").table, "") if info.n_test else (None, TEST_GONE)
    if (info.test_source, info.test_sha256) == (info.train_source, info.train_sha256):
        return None, SET_ASIDE
    table = read_unchanged(info.test_source, info.test_sha256, form_of(info), split="test")
    return (None, TEST_GONE) if table is None else (table, "")


def _add_test(data: dict[str, bytes], test: Table, applied: Applied, destination: Destination) -> str:
    """Put the test part among the files where it goes with the training data; else why not."""
    if destination.suffix != PARQUET:
        source = Path(test.source)
        alike = whole_suffix(source) == destination.suffix and test.form == applied.train.table.form
        if not alike or {*test.columns} != {*applied.train.table.columns}:
            return TEST_DIFFERS
        data[destination.test_path] = source.read_bytes()
        return ""
    if test.form.tool:
        test = _texts_and_labels(test, applied.train.columns)
    as_it_is = test.form.kind == "parquet"
    made = Path(test.source).read_bytes() if as_it_is else written(test, {}, PARQUET)
    if common_schema({**data, destination.test_path: made}) is None:
        return TEST_DIFFERS
    data[destination.test_path] = made
    return ""


def _label_names(info: WorkspaceInfo, data: Mapping[str, bytes], test: Table | None, applied: Applied) -> list[str]:
    """The labels as the files spell them; in the order of the model's outputs where they are the same."""
    tables = [applied.train.table, *([test] if test is not None and len(data) > 1 else [])]
    label = applied.train.columns.label
    values = (value for table in tables for value in table.columns[label] if not isinstance(value, Odd))
    there = {as_text(value) for value in values} - {""}
    return info.labels if there == {*info.labels} else sorted(there)


def _reader(table: Table, suffix: str) -> dict[str, str]:
    """What whoever reads the files has to be told of their form."""
    if suffix == PARQUET:
        return {}
    form, usual = table.form, "\t" if suffix.startswith(".tsv") else ","
    told = {"sep": form.delimiter} if form.kind == "delimited" and form.delimiter != usual else {}
    return told | ({"encoding": form.encoding} if form.encoding != "utf-8" else {})


def _found_by(found: FixList) -> list[str]:
    """Which methods brought the changed examples up for review."""
    counts = Counter(fix.method for fix in found.fixes if fix.edit.does.changes_data)
    named = [f"{in_markdown(method)} ({count:,})" for method, count in sorted(counts.items(), key=str) if method is not None]
    chosen = [f"chosen by the reviewers ({counts[None]:,})"] if counts[None] else []
    return [f"The changed examples were found by: {', '.join([*named, *chosen])}."] if counts else []


def _judged_by(fixes: list[Fix], named: bool) -> list[str]:
    names = sorted({name for fix in fixes for name in fix.reviewer.split(NAMES_JOIN)})
    if not names:
        return []
    people = "one reviewer" if len(names) == 1 else f"{len(names):,} reviewers"
    unnamed = f", whose {'name is' if len(names) == 1 else 'names are'} not given"
    return [f"Judged by {people}{': ' + ', '.join(map(in_markdown, names)) if named else unnamed}."]


def _files(splits: Mapping[str, str], left_out: str) -> list[str]:
    said = [f"`{splits['train']}` is the corrected training data."]
    if "test" in splits:
        said.append(f"`{splits['test']}` is the test data, unchanged.")
    elif left_out == SET_ASIDE:
        said.append(f"{SET_ASIDE[:1].upper()}{SET_ASIDE[1:]}.")
    listed = "a row a decision, with the text and the label before it"
    return [*said, f"`{FIXES}` lists what was decided: {listed}."]


def _fix_files(reviews: Reviews, fixes: list[Fix], named: bool) -> dict[str, bytes]:
    """The fix list, and that of earlier rounds; people only where they are to be named."""
    labels = reviews.workspace.info.labels
    own = fixes if named else [fix._replace(reviewer="", reason=_unnamed(fix.reason, labels)) for fix in fixes]
    before = [_as_fix(row, named) for row in reviews.corpus.applied.fixes]
    earlier = {FIXES_BEFORE: encode_fixes(before, PARQUET)} if before else {}
    return {FIXES: encode_fixes(own, PARQUET), **earlier}


def _unnamed(reason: str, labels: Sequence[str]) -> str:
    """A reason, unless somebody is named in it, as those are whose opinions on labels came in files; "" then."""
    found = _SETTLED.fullmatch(reason)
    said = reason if found is None else found["reason"] or ""
    return reason if not said or said.startswith(RULE) or names_nobody(said, labels) else ""


def _as_fix(row: Mapping[str, Any], named: bool) -> Fix:
    fix = Fix(**{name: row[name] for name in Fix._fields})
    return fix if named else fix._replace(reviewer="", reason="")
