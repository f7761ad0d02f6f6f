"""A data file made ready for a build: rows that cannot be used left out, spellings of a label made one, a test part set aside.

What is written lies in the workspace, WORKSPACE/data/KEY/, beside `prepared.json`, which says how it was made. The same
files and settings give the same bytes under the same key.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from influence import seals
from influence.data.dataset import Columns, as_text
from influence.data.report import label_key, loose
from influence.data.rewrite import as_file
from influence.data.settings import MOST_TEST, Preparation
from influence.data.tables import DELIMITERS, Table, read_table
from influence.errors import DataError, WorkspaceError
from influence.files import is_disk_full, write_json, write_whole

DATA, RECORD = "data", "prepared.json"
ROW = "row"


@dataclass(frozen=True)
class Prepared:
    """Where the files lie, the columns to read them by, and how many rows became what."""

    train: str
    test: str
    columns: Columns
    record: dict[str, Any]


def needs_preparing(test: str | None, settings: Preparation) -> bool:
    """Whether the files cannot be built from as they are."""
    return test is None or settings.drop_unusable or settings.merge_labels


def prepare_files(workspace: Path, train: str, test: str | None, columns: Columns, settings: Preparation) -> Prepared:
    """Read the files, prepare them and write them into the workspace.

    Where no column holds ids, a new one holds each row's number in the file it came from: ids stay with the file that the
    user has. Raises `DataError` where nothing is left or nothing can be split, `WorkspaceError` where it cannot be written.
    """
    tables = {"train": read_table(train, split="train")}
    if test is not None:
        tables["test"] = read_table(test, split="test")
    content = {"columns": asdict(columns), "settings": asdict(settings), "sha256": {n: t.sha256 for n, t in tables.items()}}
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    parts, columns = prepare(tables, columns, settings)
    suffix = Path(train).suffix.lower() if Path(train).is_file() else ".jsonl"
    folder = workspace / DATA / key
    record = {
        **content,
        "sources": {name: Path(table.source).name for name, table in tables.items()},
        "rows": {name: len(table) for name, table in parts.items()},
        "left_out": sum(map(len, tables.values())) - sum(map(len, parts.values())),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in parts.items():
            write_whole(folder / f"{name}{suffix}", encode_table(table, suffix))
        write_json(folder / RECORD, record)
        write_json(folder / seals.HASHES, seals.folder_seals(folder))
    except OSError as error:
        reason = "disk full" if is_disk_full(error) else str(error.strerror or error)
        raise WorkspaceError(f"the prepared data cannot be written into {str(folder)!r}: {reason}") from error
    return Prepared(str(folder / f"train{suffix}"), str(folder / f"test{suffix}"), columns, record)


def prepare(tables: dict[str, Table], columns: Columns, settings: Preparation) -> tuple[dict[str, Table], Columns]:
    """The tables `train` and `test` (made by a split where it is not given), and the columns to read them by."""
    if columns.id is None:
        taken = {name for table in tables.values() for name in table.columns}
        name = next(name for name in (ROW, *(f"{ROW}_{n}" for n in range(1, 10_000))) if name not in taken)
        tables = {
            split: replace(table, columns={name: list(range(len(table))), **table.columns}) for split, table in tables.items()
        }
        columns = replace(columns, id=name)
    if settings.merge_labels:
        tables = _with_merged_labels(tables, columns)
    if settings.drop_unusable:
        tables = {split: _rows_of(table, loose(table, columns).whole) for split, table in tables.items()}
    if not len(tables["train"]):
        raise DataError(f"{tables['train'].source!r}: no row has both a text and a label")
    if "test" not in tables:
        chosen = split_rows(tables["train"], columns, settings)
        tables = {split: _rows_of(tables["train"], rows) for split, rows in chosen.items()}
    elif settings.drop_unusable:
        known = set(loose(tables["train"], columns).labels)
        labels = loose(tables["test"], columns).labels
        tables["test"] = _rows_of(tables["test"], [row for row, label in enumerate(labels) if label in known])
        if not len(tables["test"]):
            raise DataError(f"{tables['test'].source!r}: no row can be used for testing")
    return tables, columns


def split_rows(table: Table, columns: Columns, settings: Preparation) -> dict[str, list[int]]:
    """Row numbers of a training and a test part, each label in the same proportion in both.

    Rows with the same text stay together, so that no test text is in training. Each label keeps a text in training; one
    with two different texts or more has one in the test part. At most `MOST_TEST` rows, or the share if that is less.
    """
    data = loose(table, columns)
    share = min(settings.test_share, MOST_TEST / len(table))
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(data.joined):
        groups.setdefault(text, []).append(row)
    strata: dict[str, list[list[int]]] = {}
    for rows in groups.values():
        strata.setdefault(data.labels[rows[0]], []).append(rows)
    generator = np.random.default_rng(settings.seed)
    test: list[int] = []
    for label in sorted(strata):
        found = strata[label]
        wanted = max(1, round(share * sum(map(len, found))))
        taken = 0
        for place in generator.permutation(len(found))[: len(found) - 1]:
            if taken >= wanted:
                break
            test += found[place]
            taken += len(found[place])
    if not test:
        raise DataError(f"{table.source!r}: too few different texts to set a test part aside; give a --test file")
    return {"train": sorted(set(range(len(table))) - set(test)), "test": sorted(test)}


def encode_table(table: Table, suffix: str) -> bytes:
    """A table as a file of that ending, every value as it is; in CSV and TSV as the text that it is read as."""
    columns = {name: list(map(as_text, values)) if suffix in DELIMITERS else values for name, values in table.columns.items()}
    return as_file(columns, suffix, line_end="\r\n")


def _rows_of(table: Table, rows: Sequence[int]) -> Table:
    return replace(table, columns={name: [column[row] for row in rows] for name, column in table.columns.items()})


def _with_merged_labels(tables: dict[str, Table], columns: Columns) -> dict[str, Table]:
    labels = {split: loose(table, columns).labels for split, table in tables.items()}
    best: dict[str, str] = {}
    for label, _ in Counter(label for found in labels.values() for label in found).most_common():
        best.setdefault(label_key(label), label.strip() or label)
    return {
        split: replace(table, columns={**table.columns, columns.label: [best[label_key(label)] for label in labels[split]]})
        for split, table in tables.items()
    }
