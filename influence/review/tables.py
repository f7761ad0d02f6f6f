"""`reviews.duckdb`: the review log as tables, and the SQL that says what stands.

Everything here but leases is made from the journal's records, which are kept whole in `records`, so either file can be
rebuilt from the other. Rows are only added. What stands is a question put to the log by views, never a stored state.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from influence.errors import WorkspaceBusy, WorkspaceError, WorkspaceNewer
from influence.review.journal import Record, parse

Cursor = duckdb.DuckDBPyConnection
IN_MEMORY = ":memory:"
FEW_ROWS = 4  # up to here values are faster than an Arrow table: 4 against 11 ms for one decision


def m001_log(cursor: Cursor) -> None:
    cursor.execute("create table records (seq integer, line varchar)")
    # One row an event, and one for each undo and redo, whose `target` is the action (the seq of its record) they turn.
    cursor.execute("""
        create table events (seq integer, item integer, at_ms bigint, reviewer varchar, auth varchar, session varchar,
            kind varchar, example_id varchar, text_sha256 varchar, build varchar, old_label varchar, new_label varchar,
            words varchar[], note varchar, ms_on_screen bigint, evidence varchar, method varchar, score double,
            adjudicates boolean, queue varchar, origin varchar, target integer, app_version varchar)
    """)


def m002_what_stands(cursor: Cursor) -> None:
    cursor.execute("""
        create view undone as select target as seq from events where target is not null
        group by target having arg_max(kind, seq) = 'undo'
    """)
    cursor.execute("create view live as select * from events anti join undone using (seq) where target is null")


def m003_queues(cursor: Cursor) -> None:
    cursor.execute("""
        create table queues (seq integer, queue varchar, at_ms bigint, created_by varchar, name varchar, overlap integer,
            blind boolean, adjudicates boolean, closed boolean, source varchar, build varchar)
    """)
    cursor.execute("create table queue_items (queue varchar, rank integer, example_id varchar, text_sha256 varchar)")
    # A lease is who has which example on screen, until when. It is no decision: it is replaced, and not in the journal.
    cursor.execute("create table leases (example_id varchar, reviewer varchar, session varchar, until_ms bigint)")


def m004_no_vocabulary(cursor: Cursor) -> None:
    # Before this version these views held the kinds of decisions of the day they were made, and saw none added later.
    cursor.execute("drop view if exists standings")
    cursor.execute("drop view if exists decisions")


MIGRATIONS: list[Callable[[Cursor], None]] = [m001_log, m002_what_stands, m003_queues, m004_no_vocabulary]
SCHEMA_VERSION = len(MIGRATIONS)
DERIVED = ("records", "events", "queues", "queue_items")


def latest(kinds: Sequence[str]) -> str:
    """A subquery: the latest event of these kinds by each reviewer on each example that has not been undone.

    The kinds come with the question: what a migration writes down, a vocabulary that grows later never reaches.
    """
    return f"""(select * from live where kind in ({", ".join(f"'{kind}'" for kind in kinds)})
        qualify row_number() over (partition by example_id, reviewer, adjudicates order by seq desc, item desc) = 1)"""


class DamagedStore(Exception):
    """The database file cannot be read or written; never leaves the review log, which works from its journal then."""


class ReviewStore:
    """One database. Every call uses a cursor of its own: a shared connection returns wrong rows under threads."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._path = path
        try:
            self._connection = duckdb.connect(str(path), config={"enable_external_access": "false"})
        except duckdb.Error as error:
            raise _cannot_open(path, error) from error
        try:
            self._migrate()
            self.rows("select bit_xor(hash(e)) from events e")  # reads every column once, so damage shows now
        except (duckdb.Error, WorkspaceNewer) as error:
            self.close()
            raise (_cannot_open(path, error) if isinstance(error, duckdb.Error) else error) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _migrate(self) -> None:
        self._connection.execute("create table if not exists schema_versions (version integer)")
        known = self.rows("select coalesce(max(version), 0) from schema_versions")[0][0]
        if known > SCHEMA_VERSION:
            raise WorkspaceNewer(
                f"{str(self._path)!r} has schema version {known}, this Wordtrace knows {SCHEMA_VERSION}; "
                "install a newer Wordtrace"
            )
        for version, migration in enumerate(MIGRATIONS[known:], start=known + 1):
            with self.transaction() as cursor:
                migration(cursor)
                cursor.execute("insert into schema_versions values (?)", [version])
        if 0 < known < SCHEMA_VERSION:  # the new tables lack what the old records say
            records = self.records()
            with self.transaction() as cursor:
                for table in DERIVED:
                    cursor.execute(f"delete from {table}")
                self._insert(cursor, records)

    def rows(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.cursor().execute(sql, parameters).fetchall()

    def frame(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> pd.DataFrame:
        """All rows of a query as a DataFrame."""
        return self._connection.cursor().execute(sql, parameters).df()

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A cursor whose changes are made together or not at all, one at a time in this process."""
        with self._lock:
            cursor = self._connection.cursor()
            cursor.begin()
            try:
                yield cursor
                cursor.commit()
            except BaseException:
                cursor.rollback()
                raise

    # The log ---------------------------------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Every sound record, in order."""
        lines = [line for (line,) in self.rows("select line from records order by seq")]
        return [record for line in lines if (record := parse(line)) is not None]

    def add(self, records: Sequence[Record], *, release: tuple[str, str] | None = None) -> None:
        """Add records to the tables, and end the lease of `release` (example, reviewer) in the same transaction.

        Raises `DamagedStore` when the file cannot be written.
        """
        try:
            with self.transaction() as cursor:
                self._insert(cursor, records)
                if release is not None:
                    cursor.execute("delete from leases where example_id = ? and reviewer = ?", release)
        except duckdb.Error as error:
            raise DamagedStore(_first_line(error)) from error

    def _insert(self, cursor: Cursor, records: Sequence[Record]) -> None:
        rows: dict[str, list[dict[str, Any]]] = {"records": [], "events": [], "queues": [], "queue_items": []}
        for record in records:
            rows["records"].append({"seq": record.seq, "line": record.line})
            _ROWS[record.content["type"]](record, rows)
        for table, added in rows.items():
            _insert_rows(cursor, table, added)


def _insert_rows(cursor: Cursor, table: str, rows: list[dict[str, Any]]) -> None:
    names = _SCHEMAS[table].names
    if len(rows) <= FEW_ROWS:
        for row in rows:
            marks = ", ".join("?" * len(names))
            cursor.execute(f"insert into {table} ({', '.join(names)}) values ({marks})", [row.get(name) for name in names])
    else:
        cursor.register("incoming", pa.Table.from_pylist(rows, schema=_SCHEMAS[table]))
        cursor.execute(f"insert into {table} by name select * from incoming")
        cursor.unregister("incoming")


def _act_rows(record: Record, rows: dict[str, list[dict[str, Any]]]) -> None:
    content = record.content
    shared = _shared(record) | {name: content.get(name) for name in ("build", "queue")}
    shared |= {"adjudicates": content["adjudicates"], "origin": _json(content.get("origin"))}
    for item, event in enumerate(content["events"]):
        evidence = _json(event.get("evidence"))
        texts = {"words": event.get("words", []), "note": event.get("note", ""), "evidence": evidence}
        rows["events"].append(shared | event | texts | {"item": item})


def _turn_rows(record: Record, rows: dict[str, list[dict[str, Any]]]) -> None:
    turn = {"item": 0, "kind": record.content["type"], "target": record.content["target"]}
    rows["events"].append(_shared(record) | turn)


def _queue_rows(record: Record, rows: dict[str, list[dict[str, Any]]]) -> None:
    content = record.content
    settings = {name: content[name] for name in ("queue", "name", "overlap", "blind", "adjudicates", "closed", "build")}
    stamp = {"seq": record.seq, "at_ms": content["at"], "created_by": content["reviewer"]}
    rows["queues"].append(stamp | settings | {"source": _json(content.get("source"))})
    rows["queue_items"] += [
        {"queue": content["queue"], "rank": rank, "example_id": example_id, "text_sha256": text_sha256}
        for rank, (example_id, text_sha256) in enumerate(content.get("items", []))
    ]


_ROWS: dict[str, Callable[[Record, dict[str, list[dict[str, Any]]]], None]] = {
    "act": _act_rows,
    "undo": _turn_rows,
    "redo": _turn_rows,
    "queue": _queue_rows,
}


def _shared(record: Record) -> dict[str, Any]:
    content = record.content
    who = {name: content[name] for name in ("reviewer", "auth", "session")}
    return {"seq": record.seq, "at_ms": content["at"], "app_version": content["app"], **who}


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


_INTEGERS, _FLAGS = ("seq", "item", "rank", "overlap", "target"), ("adjudicates", "blind", "closed")
_COLUMNS = {
    "records": "seq line",
    "events": "seq item at_ms reviewer auth session kind example_id text_sha256 build old_label new_label words note "
    "ms_on_screen evidence method score adjudicates queue origin target app_version",
    "queues": "seq queue at_ms created_by name overlap blind adjudicates closed source build",
    "queue_items": "queue rank example_id text_sha256",
}


def _arrow_type(name: str) -> Any:
    others = {"at_ms": pa.int64(), "ms_on_screen": pa.int64(), "score": pa.float64(), "words": pa.list_(pa.string())}
    return pa.int32() if name in _INTEGERS else pa.bool_() if name in _FLAGS else others.get(name, pa.string())


_SCHEMAS = {table: pa.schema([(n, _arrow_type(n)) for n in names.split()]) for table, names in _COLUMNS.items()}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _cannot_open(path: Path | str, error: duckdb.Error) -> Exception:
    line = _first_line(error)
    if "lock" in line.lower() and "conflicting" in line.lower():
        return WorkspaceBusy(f"{str(path)!r} is open in another program; close it and try again ({line})")
    if any(cause in line for cause in ("Permission denied", "Read-only file system", "No space left")):
        return WorkspaceError(f"{str(path)!r} cannot be opened: {line}")
    return DamagedStore(line)
