"""The tables of WORKSPACE/whatif.duckdb: what changes to the training data did, and which mistakes were fixed by what."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pandas as pd
import pyarrow as pa

from influence.workspace import Database, Migration, opened_alone

FILE = "whatif.duckdb"
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


class WhatIfStore(Database):
    """The what-ifs and targeted fixings of one workspace, all builds of it."""

    migrations: ClassVar[Sequence[Migration]] = (m001_initial,)
    kind = "file of what-ifs"
    remedy = "delete it and try the changes again"

    def add(self, rows: Mapping[str, list[dict[str, Any]]], *, instead_of: Sequence[str] = ()) -> None:
        """Append rows to several tables, all or none; `instead_of` names the outcomes that they take the place of."""
        tables = {name: pa.Table.from_pylist(some) for name, some in rows.items()}
        self.append(tables, deleting={"measures": ("outcome", instead_of), "outcomes": ("id", instead_of)})

    def outcomes(self, build: str) -> list[tuple[Any, ...]]:
        """(id, spec, change, made_at, facts) of a build's what-ifs, the latest first."""
        found = self.rows(
            "select id, spec, change, made_at, facts from outcomes where build = ? order by made_at desc, id", [build]
        )
        return [(*row[:-1], json.loads(row[-1])) for row in found]

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
        """Every retraining of one targeted fixing: method, way, k, test_id, seed, fixed, probability, accuracy."""
        return self.frame("select * exclude fixing from fixed where fixing = ? order by method, way, k, test_id, seed", [fixing])


def opened(workspace: Path, *, write: bool = False) -> AbstractContextManager[WhatIfStore | None]:
    """The file for an instant; None where there is none yet and nothing is to be written.

    Raises `WorkspaceBusy` when another process keeps it, and `WorkspaceError` where it cannot be used.
    """
    path = workspace / FILE
    if not write and not path.is_file():
        return nullcontext()
    return opened_alone(WhatIfStore, path, wait=WAIT, write=write)
