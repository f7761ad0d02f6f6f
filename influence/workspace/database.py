"""DuckDB files with numbered migrations; those computed from a finished build are kept beside it, published whole.

    BUILD/suspects.json                 which file is published, its hashes, and the settings it was made with
    BUILD/suspects-TIME.duckdb          the file: written under another name, moved here whole, never changed

A new file gets a new name, for DuckDB hands a process that has a file open its old content again under the same name.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

import duckdb
import pandas as pd
import pyarrow as pa

from influence import seals
from influence.errors import WorkspaceDamaged, WorkspaceError, WorkspaceMissing, WorkspaceNewer
from influence.files import UNREADABLE, locked, write_json
from influence.program import PROGRAM
from influence.workspace.shape_tables import NO_LOCK, Migration, complaint, first_line, restore_views

# What DuckDB raises when a block of the file is not what was written, as opposed to a question that makes no sense.
DAMAGE = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)
AGAIN = f"run: {PROGRAM} {{}}"
KEPT_OPEN = 16  # files, by a process that reads them
# A file may come from anybody: it reads no other, loads nothing, and changes none of this.
LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "lock_configuration": "true",
    "default_block_size": "65536",  # of a new file: the demo's hold half of their bytes in blocks begun, at DuckDB's own 262,144
}
_looked_through: set[tuple[int, ...]] = set()  # files that hold what they should, by what changes with their content


class DamagedFile(WorkspaceError):
    """A DuckDB file is not what was written, or cannot be written; `line` is what DuckDB says of it."""

    def __init__(self, message: str, line: str = "") -> None:
        super().__init__(message)
        self.line = line


class Database:
    """One DuckDB file with numbered migrations.

    Every call uses a cursor of its own: a shared connection returns wrong rows under threads.
    """

    migrations: ClassVar[Sequence[Migration]]
    kind: ClassVar[str]  # what to call the file in a message
    remedy: ClassVar[str]  # how to get a good one

    def __init__(self, path: Path, *, read_only: bool = True) -> None:
        self._path, self._read_only, self._lock = path, read_only, threading.Lock()
        if read_only:
            seals.verify_ends(path)
        try:
            self._connection = duckdb.connect(str(path), read_only=read_only, config=LOCKED)
            try:
                self._look_through()
                self._migrate()
            except BaseException:
                self.close()
                raise
        except duckdb.Error as error:
            raise self._cannot_open(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and not self._read_only:
            # Closing does this too, but says nothing when the disk is full, and leaves half of it in a log beside the file.
            self._connection.execute("checkpoint")
        self.close()

    def close(self) -> None:
        """Close the file; one written inside a `with` block is then complete, with no log beside it."""
        self._connection.close()

    @property
    def version(self) -> int:
        """How many migrations the file has seen: fewer than there are where an old one is open for reading only."""
        [(version,)] = self.rows("select coalesce(max(version), 0) from schema_versions")
        return int(version)

    def _look_through(self) -> None:
        """Raises `DamagedFile` where the file holds anything that would answer in the place of what we write."""
        if not self._path.is_file():
            return  # in memory
        stat = self._path.stat()
        identity = (stat.st_dev, stat.st_ino, stat.st_ctime_ns, stat.st_size)
        if self._read_only and identity in _looked_through:
            return
        if found := complaint(self._connection, self.migrations, self._path):
            raise DamagedFile(f"{str(self._path)!r} is not a {self.kind} ({found}); {self.remedy}", found)
        if self._read_only:
            _looked_through.add(identity)

    def _migrate(self) -> None:
        if not self._read_only:
            self._connection.execute("create table if not exists schema_versions (version integer)")
        version, known = self.version, len(self.migrations)
        if version > known:
            raise WorkspaceNewer(
                f"{str(self._path)!r} has schema version {version}, this Wordtrace knows {known}; install a newer Wordtrace"
            )
        if not self._read_only:
            with self.transaction() as cursor:
                for number, migration in enumerate(self.migrations[version:], start=version + 1):
                    migration(cursor)
                    cursor.execute("insert into schema_versions values (?)", [number])
                restore_views(cursor, self.migrations)
                self._after_migrations(cursor, version)

    def _after_migrations(self, cursor: duckdb.DuckDBPyConnection, version: int) -> None:
        """What a kind of file does in the same transaction; `version` is what it had before, 0 for a new one."""

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._naming_damage():
            return self._connection.cursor().execute(sql, parameters).fetchall()

    def frame(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """All rows of a query as a DataFrame."""
        with self._naming_damage():
            return self._connection.cursor().execute(sql, parameters).df()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor whose changes are made together or not at all, one at a time in this process."""
        with self._lock:
            cursor = self._connection.cursor()
            cursor.begin()
            try:
                yield cursor
                cursor.commit()
            except BaseException:
                with suppress(duckdb.Error):  # a file that could not be written cannot be rolled back either
                    cursor.rollback()
                raise

    def insert(self, table: str, columns: Mapping[str, Any]) -> None:
        """Append columns (arrays or lists of equal length, named as in the table)."""
        self.append({table: pa.table(dict(columns))})

    def append(self, tables: Mapping[str, pa.Table], *, deleting: Mapping[str, tuple[str, Sequence[Any]]] | None = None) -> None:
        """Append rows to several tables, all or none; before that those go whose column has one of the values.

        `deleting` gives them by table: (column, values). Columns are named as in the tables.
        """
        with self.transaction() as cursor:
            for name, (column, values) in (deleting or {}).items():
                for value in values:
                    cursor.execute(f"delete from {name} where {column} = ?", [value])
            for name, rows in tables.items():
                insert_arrow(cursor, name, rows)

    @contextmanager
    def _naming_damage(self) -> Iterator[None]:
        try:
            yield
        except DAMAGE as error:
            line = first_line(error)
            raise DamagedFile(f"{str(self._path)!r} is damaged ({line}); {self.remedy}", line) from error

    def _cannot_open(self, error: duckdb.Error) -> WorkspaceError:
        line = first_line(error)
        if NO_LOCK in line:
            return WorkspaceError(f"{str(self._path)!r} is locked by another program; close it and try again ({line})")
        return DamagedFile(f"{str(self._path)!r} cannot be opened as a {self.kind} ({line}); {self.remedy}", line)


def insert_arrow(cursor: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Append rows to a table by the names of their columns."""
    cursor.register("incoming", rows)
    cursor.execute(f"insert into {table} by name select * from incoming")
    cursor.unregister("incoming")


class DerivedStore(Database):
    """A file computed from a finished build that says what it was made from."""

    def fill(self, table: str, rows: pd.DataFrame) -> None:
        """Append the rows of a frame whose columns are named as the table's; missing values become null."""
        self.insert(table, {name: pa.array(rows[name], from_pandas=True) for name in rows.columns})

    def write_provenance(self, values: Mapping[str, Any], started: float) -> None:
        """Say what the file was made from and how, and when and in how many seconds since `started` (`time.monotonic`)."""
        made = {
            **values,
            "computed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - started, 1),
        }
        self.insert("provenance", {"name": list(made), "value": [json.dumps(value) for value in made.values()]})

    def provenance(self) -> dict[str, Any]:
        """What the file was made from, and how."""
        return {name: json.loads(value) for name, value in self.rows("select name, value from provenance")}


Store = TypeVar("Store", bound=Database)


@contextmanager
def opened_alone(store: type[Store], file: Path, *, wait: float, write: bool) -> Iterator[Store]:
    """A file that several processes write, open for the instant of one read or write, under the lock file beside it.

    A process that has a DuckDB file open for writing shuts out every other, and an app looks on while a command computes.
    Raises `WorkspaceBusy` where others keep it for `wait` seconds, and `WorkspaceError` where it cannot be used.
    """
    if not write and not os.access(file, os.W_OK):  # nor can a lock be made there
        with store(file) as opened:
            yield opened
        return
    with locked(file.with_suffix(".lock"), wait=wait), store(file, read_only=not write) as opened:
        yield opened


def published(build: Path, kind: str) -> tuple[Path, dict[str, Any]] | None:
    """The published file of a kind and its settings; None where there is none."""
    found = _pointed_at(build, kind)
    if found is not None and not found[0].is_file():
        found = _pointed_at(build, kind)  # another process may have published a new file, and deleted this one, just now
    if found is not None and not found[0].is_file():
        raise WorkspaceError(f"{str(found[0])!r} is missing; delete '{kind}.json' beside it and {AGAIN.format(kind)}")
    return found


def _pointed_at(build: Path, kind: str) -> tuple[Path, dict[str, Any]] | None:
    pointer = build / f"{kind}.json"
    try:
        content = json.loads(pointer.read_text(encoding="utf-8"))
        seals.check_json(content, required="seal" in content)
        file, settings = build / Path(str(content["file"])).name, dict(content["settings"])
        if "seal" in content and file.is_file():  # files made before there were hashes have none
            seals.verify_ends(file, seals.Seal(**content["seal"]))
        return file, settings
    except FileNotFoundError:
        return None
    except WorkspaceDamaged as error:
        what = str(error).partition(";")[0]
        raise WorkspaceDamaged(f"{what}; delete {pointer.name!r} beside it and {AGAIN.format(kind)}") from error
    except UNREADABLE as error:
        raise WorkspaceError(f"{str(pointer)!r} is damaged ({error}); delete it and {AGAIN.format(kind)}") from error


def open_published(workspace: Path, build: Path, kind: str, store: type[Store]) -> Store:
    """The published file of a kind, opened for reading once. Raises `WorkspaceMissing` where there is none."""
    found = published(build, kind)
    if found is None:
        raise WorkspaceMissing(
            f"workspace {str(workspace)!r} has no {kind} yet; compute them with: {PROGRAM} {kind} --workspace {workspace}"
        )
    opened: Store = _opened(cast(Any, store), found[0])  # mypy takes no class for hashable
    return opened


@lru_cache(maxsize=KEPT_OPEN)
def _opened(store: Callable[[Path], Any], file: Path) -> Any:
    return store(file)


@contextmanager
def publishing(build: Path, kind: str, store: type[Store], settings: Mapping[str, Any]) -> Iterator[Store]:
    """A new file to fill; published when the block ends well, else removed. Files published before are deleted."""
    name = f"{kind}-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}.duckdb"
    unfinished = build / f"{name}.tmp"
    try:
        for leftover in build.glob(f"{kind}-*.duckdb.tmp*"):
            leftover.unlink()
        with store(unfinished, read_only=False) as opened:
            yield opened
        content = {"file": name, "seal": seals.seal_file(unfinished)._asdict(), "settings": dict(settings)}
        unfinished.replace(build / name)
        write_json(build / f"{kind}.json", seals.sealed_json(content))
    finally:
        unfinished.unlink(missing_ok=True)
    for old in build.glob(f"{kind}-*.duckdb"):
        if old.name != name:
            old.unlink()
