"""The tables of WORKSPACE/whatif.duckdb: what changes to the training data did, which mistakes were fixed by what, and what
the methods' rankings follow."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from influence.workspace import Database, Migration, opened_alone

FILE = "whatif.duckdb"
FIRST_WITH_OVERLAPS, FIRST_WITH_METHOD = 2, 4  # versions
HEAD = ("id", "spec", "change", "made_at", "method")  # what a what-if is, beside its numbers
WAIT = 10.0  # seconds; a read or a write takes hundredths of one


def m001_initial(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("""
        create table outcomes (id varchar, build varchar, spec varchar, change varchar, made_at varchar, facts json);
        create table measures (outcome varchar, place integer, kind varchar, name varchar, label varchar, seed bigint,
            before double, after double);
        create table fixings (id varchar, build varchar, made_at varchar, settings json);
        create table fixed (fixing varchar, method varchar, way varchar, k integer, test_id varchar, seed bigint,
            fixed boolean, probability double, accuracy double);
    """)


def m002_overlaps(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("""
        create table overlap_runs (id varchar, build varchar, made_at varchar, settings json);
        create table overlap_points (overlap varchar, place integer, method varchar, test_id varchar, against varchar,
            listed integer, shared integer);
        create table overlap_repeats (overlap varchar, place integer, method varchar, listed integer, examples integer,
            repeated double, most_id varchar, most integer);
    """)


def m003_changed(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("alter table fixed add column changed double")  # null where it was not counted


def m004_rankings(cursor: duckdb.DuckDBPyConnection) -> None:
    """Whose ranking was put to the test; from here on measures may be in nats."""
    cursor.execute("alter table outcomes add column method varchar default ''")


class WhatIfStore(Database):
    """The what-ifs, targeted fixings and overlaps of one workspace, all builds of it."""

    migrations: ClassVar[Sequence[Migration]] = (m001_initial, m002_overlaps, m003_changed, m004_rankings)
    kind = "file of what-ifs"
    remedy = "delete it and try the changes again"

    def add(self, rows: Mapping[str, list[dict[str, Any]]], *, instead_of: Sequence[str] = ()) -> None:
        """Append rows to several tables, all or none; `instead_of` names the outcomes that they take the place of."""
        tables = {name: pa.Table.from_pylist(some) for name, some in rows.items()}
        self.append(tables, deleting={"measures": ("outcome", instead_of), "outcomes": ("id", instead_of)})

    def outcomes(self, build: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """What each of a build's what-ifs is (see `HEAD`), and its facts; the latest first."""
        method = "method" if self.version >= FIRST_WITH_METHOD else "''"  # an old file that nobody may write to
        found = self.rows(
            f"select id, spec, change, made_at, {method}, facts from outcomes where build = ? order by made_at desc, id", [build]
        )
        return [(dict(zip(HEAD, row[:-1], strict=True)), json.loads(row[-1])) for row in found]

    def measures(self, outcome: str) -> list[tuple[Any, ...]]:
        """(kind, name, label, seed, before, after) of one what-if, in order."""
        return self.rows(
            "select kind, name, label, seed, before, after from measures where outcome = ? order by place, seed", [outcome]
        )

    def fixings(self, build: str) -> list[tuple[Any, ...]]:
        """(id, made_at, settings) of a build's targeted fixings, the latest first."""
        found = self.rows("select id, made_at, settings from fixings where build = ? order by made_at desc, id", [build])
        return [(*row[:-1], json.loads(row[-1])) for row in found]

    def fixed(self, fixing: str) -> pd.DataFrame:
        """Every retraining of one targeted fixing: method, way, k, test_id, seed, fixed, probability, accuracy, changed."""
        found = self.frame("select * exclude fixing from fixed where fixing = ? order by method, way, k, test_id, seed", [fixing])
        return found if "changed" in found else found.assign(changed=np.nan)  # an old file that nobody may write to

    def add_overlaps(
        self, id: str, build: str, made_at: str, settings: Mapping[str, Any], points: pd.DataFrame, repeats: pd.DataFrame
    ) -> None:
        """Keep one comparison of lists, all or none of it."""
        head = {"id": id, "build": build, "made_at": made_at, "settings": json.dumps(dict(settings))}
        rows = {"overlap_points": points, "overlap_repeats": repeats}
        tables = {
            name: pa.Table.from_pandas(frame.assign(overlap=id, place=range(len(frame))), preserve_index=False)
            for name, frame in rows.items()
        }
        self.append({"overlap_runs": pa.Table.from_pylist([head]), **tables})

    def overlaps(self, build: str) -> list[tuple[Any, ...]]:
        """(id, made_at, settings) of a build's comparisons of lists, the latest first; none in a file from before they were."""
        if self.version < FIRST_WITH_OVERLAPS:
            return []
        found = self.rows("select id, made_at, settings from overlap_runs where build = ? order by made_at desc, id", [build])
        return [(*row[:-1], json.loads(row[-1])) for row in found]

    def overlapping(self, overlap: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The points and the repeats of one comparison, in the order they were kept in."""
        points, repeats = (
            self.frame(f"select * exclude (overlap, place) from {table} where overlap = ? order by place", [overlap])
            for table in ("overlap_points", "overlap_repeats")
        )
        return points, repeats


def opened(workspace: Path, *, write: bool = False) -> AbstractContextManager[WhatIfStore | None]:
    """The file for an instant; None where there is none yet and nothing is to be written.

    Raises `WorkspaceBusy` when another process keeps it, and `WorkspaceError` where it cannot be used.
    """
    path = workspace / FILE
    if not write and not path.is_file():
        return nullcontext()
    return opened_alone(WhatIfStore, path, wait=WAIT, write=write)
