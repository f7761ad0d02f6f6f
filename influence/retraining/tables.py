"""`retraining.duckdb`: the outcome of every fine-tuning, and the tables of the evaluations made of them.

The file is open only for the instant of one read or write. A write is one transaction: a kill leaves all of it or nothing.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from influence.types import FloatArray
from influence.workspace import Database, Migration, WorkspaceReader, opened_alone

FILE, FIRST_WITH_PROCESSOR = "retraining.duckdb", 4  # a version
VERSION = 1  # of what a retraining does with a change; results of another version are not reused
WAIT_SECONDS = 60.0  # for others' reads and writes, each of which takes milliseconds


def m001_runs(cursor: duckdb.DuckDBPyConnection) -> None:
    # `build` is the fingerprint of what was retrained; `tests` are the positions of the test examples whose
    # probabilities are kept, null for all of them. Rows are only added.
    cursor.execute("""
        create table runs (build varchar, seed bigint, change varchar, frozen boolean, tests integer[],
            probabilities float[], seconds double, finished_at varchar);
        create table evaluations (evaluation varchar, build varchar, settings json, finished_at varchar);
        create table deletion_points (evaluation varchar, method varchar, direction varchar, k integer, test_id varchar,
            label varchar, removed integer, control double, probability double, margin double);
        create table deletion_curves (evaluation varchar, method varchar, direction varchar, k integer, measure varchar,
            mean double, low double, high double);
        create table deletion_areas (evaluation varchar, method varchar, direction varchar, measure varchar, mean double,
            low double, high double, over_random double, over_random_low double, over_random_high double);
    """)


def m002_spread_and_qld(cursor: duckdb.DuckDBPyConnection) -> None:
    # What was evaluated before has no values in the new columns, and no rows in the new tables.
    cursor.execute("""
        alter table deletion_points add column available integer;
        alter table deletion_points add column loss double;
        alter table deletion_areas add column retraining_sd double;
        create table deletion_seeds (evaluation varchar, method varchar, direction varchar, measure varchar, seed bigint,
            mean double);
        create table deletion_qld (evaluation varchar, method varchar, k integer, rise double, rise_low double,
            rise_high double, mean double, low double, high double, retraining_sd double);
    """)


def m003_both_controls(cursor: duckdb.DuckDBPyConnection) -> None:
    # Every retraining of an evaluation by itself, for intervals over test examples and seeds; none of one from before.
    names = [f"over_same_label{end}" for end in ("", "_low", "_high")]
    for table in ("deletion_areas", "deletion_qld"):
        for name in names:
            cursor.execute(f"alter table {table} add column {name} double")
    cursor.execute("""
        create table deletion_runs (evaluation varchar, method varchar, direction varchar, k integer, test_id varchar,
            seed bigint, probability double, margin double, loss double)
    """)


def m004_processor(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("alter table runs add column processor double")  # null where it was not measured


class RunKey(NamedTuple):
    """What a finished run is found by."""

    seed: int
    change: str
    frozen: bool


class Outcome(NamedTuple):
    """What a finished run left: label probabilities of the test examples asked for."""

    probabilities_MY: FloatArray
    seconds: float  # that passed
    processor: float | None = None  # seconds of one core; None where it was not measured, as on a GPU


class RetrainingFile(Database):
    """The database file itself, open."""

    migrations: ClassVar[Sequence[Migration]] = (m001_runs, m002_spread_and_qld, m003_both_controls, m004_processor)
    kind = "file of retrainings"
    remedy = "delete it: what it holds can be computed again"


class RetrainingStore:
    """The retrainings of one workspace, of the build with one fingerprint."""

    def __init__(self, workspace: Path, build: str) -> None:
        self._folder, self.build = workspace, build

    def find(self, wanted: Mapping[RunKey, Sequence[int] | None], n_labels: int) -> dict[RunKey, Outcome]:
        """The finished runs among those wanted that cover the test examples asked for (None: all), cut to those."""
        if not wanted or not self.exists:
            return {}
        columns = {name: [getattr(key, name) for key in wanted] for name in RunKey._fields}
        with self.opened() as file:
            rows = file.rows(
                """select seed, change, frozen, tests, probabilities, seconds from runs join (
                    select unnest($seed::bigint[]) as seed, unnest($change::varchar[]) as change,
                        unnest($frozen::boolean[]) as frozen) using (seed, change, frozen)
                where build = $build""",
                {"build": self.build, **columns},
            )
        found = {}
        for seed, change, frozen, kept, flat, seconds in rows:
            probabilities_MY = np.array(flat, dtype=np.float32).reshape(-1, n_labels)
            key = RunKey(seed, change, frozen)
            cut_MY = _cut(kept, probabilities_MY, wanted[key])
            if cut_MY is not None:
                found[key] = Outcome(cut_MY, seconds)
        return found

    def latest_seconds(self) -> tuple[float, float | None] | None:
        """Seconds that the run that finished last took, and of a processor where they are known; None where there is none."""
        if not self.exists:
            return None
        with self.opened() as file:
            processor = "processor" if file.version >= FIRST_WITH_PROCESSOR else "null"  # an old file that nobody may write to
            found = file.rows(
                f"select seconds, {processor} from runs where build = ? order by finished_at desc limit 1", [self.build]
            )
        return found[0] if found else None

    def save(self, outcomes: Mapping[RunKey, Outcome], tests: Sequence[int] | None) -> None:
        """Keep finished runs, all or none."""
        found = list(outcomes.values())
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        rows = {
            "build": [self.build] * len(found),
            **{name: [getattr(key, name) for key in outcomes] for name in RunKey._fields},
            "tests": pa.array([None if tests is None else list(tests)] * len(found), pa.list_(pa.int32())),
            "probabilities": pa.array([o.probabilities_MY.ravel().tolist() for o in found], pa.list_(pa.float32())),
            "seconds": [outcome.seconds for outcome in found],
            "processor": pa.array([outcome.processor for outcome in found], pa.float64()),
            "finished_at": [now] * len(found),
        }
        with self.opened() as file:
            file.append({"runs": pa.table(rows)})

    def save_evaluation(self, name: str, settings: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> str:
        """Keep an evaluation's tables beside its settings, all or none, in place of an earlier one of that name.

        Returns when that was.
        """
        rows = {
            table: pa.Table.from_pandas(frame.assign(evaluation=name), preserve_index=False) for table, frame in tables.items()
        }
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        about = {
            "evaluation": [name],
            "build": [self.build],
            "settings": [json.dumps(dict(settings))],
            "finished_at": [now],
        }
        with self.opened() as file:
            tables = {**rows, "evaluations": pa.table(about)}
            file.append(tables, deleting={table: ("evaluation", [name]) for table in tables})
        return now

    def evaluations(self, tables: Iterable[str]) -> list[tuple[Any, ...]]:
        """(name, settings, finished_at, its rows by table) of every evaluation, the latest first.

        Of a table that an old file, which nobody may write to, does not have yet there are no rows.
        """
        if not self.exists:
            return []
        with self.opened() as file:
            found = file.rows(
                "select evaluation, settings, finished_at from evaluations where build = ? order by finished_at desc",
                [self.build],
            )
            there = {name for (name,) in file.rows("select table_name from duckdb_tables()")}
            rows_of = "select * exclude evaluation from {} where evaluation = ?"
            return [
                (
                    name,
                    json.loads(settings),
                    at,
                    {table: file.frame(rows_of.format(table), [name]) if table in there else pd.DataFrame() for table in tables},
                )
                for name, settings, at in found
            ]

    @property
    def exists(self) -> bool:
        """Whether anything was retrained yet."""
        return (self._folder / FILE).is_file()

    def opened(self) -> AbstractContextManager[RetrainingFile]:
        """The file, open and this process's alone; made where it is missing. Raises `WorkspaceBusy` after a minute."""
        path = self._folder / FILE
        return opened_alone(RetrainingFile, path, wait=WAIT_SECONDS, write=not path.is_file() or os.access(path, os.W_OK))


def _cut(kept: list[int] | None, probabilities_MY: FloatArray, tests: Sequence[int] | None) -> FloatArray | None:
    """The rows of the tests asked for; None where a run did not keep them all."""
    if kept is None:
        return probabilities_MY if tests is None else probabilities_MY[list(tests)]
    places = {test: row for row, test in enumerate(kept)}
    if tests is None or not places.keys() >= set(tests):
        return None
    return probabilities_MY[[places[test] for test in tests]]


def open_store(workspace: WorkspaceReader) -> RetrainingStore:
    """The retrainings of a workspace's build."""
    return RetrainingStore(workspace.path, fingerprint(workspace))


def fingerprint(workspace: WorkspaceReader) -> str:
    """A name of what would be retrained: data, model, recipe and library version; equal builds have equal ones."""
    state = workspace.build / "build.json"
    about = state.read_text(encoding="utf-8") if state.is_file() else workspace.build.name
    version = [VERSION, workspace.info.versions.get("torch"), workspace.info.settings["training"]]
    return hashlib.sha256(json.dumps([about, version]).encode()).hexdigest()[:32]
