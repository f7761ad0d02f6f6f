"""`reviews.duckdb`: the review log as tables, and the SQL that says what stands.

Everything here but leases is made from the journal's records, which are kept whole in `records`, so either file can be
rebuilt from the other. Rows are only added. What stands is a question put to the log by views, never a stored state.
The file is a snapshot of the journal: it may lack the latest records, which are added when it is next asked or opened.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa

from influence.errors import WorkspaceBusy, WorkspaceError
from influence.review.journal import CHUNK, Record, parse
from influence.review.sense import EVENT
from influence.standing import Lease, Mark
from influence.types import IntArray
from influence.workspace import NO_LOCK, DamagedFile, Database, Migration, first_line, insert_arrow

Cursor = duckdb.DuckDBPyConnection
IN_MEMORY = Path(":memory:")
LINES = 50_000  # that are compared with the journal together
FILLED = 5  # the last migration that made a table, or a column, of what records say
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


def m005_controls_and_new_rankings(cursor: Cursor) -> None:
    # A planted control is shown under another label than its own. What is answered to one is no decision on the example.
    cursor.execute("drop view if exists live")
    cursor.execute("alter table events add column if not exists control boolean")
    cursor.execute("alter table queue_items add column if not exists shown_label varchar")
    standing = "select * from events anti join undone using (seq) where target is null and"
    cursor.execute(f"create view live as {standing} not coalesce(control, false)")
    cursor.execute(f"create or replace view answers_to_controls as {standing} control")
    # Which ranking of suspects the queue follows since that record, and how many decided examples that had learnt from.
    cursor.execute("alter table queues add column if not exists ranking varchar")
    cursor.execute("alter table queues add column if not exists decisions integer")
    # The order since the last new ranking, made anew from it where this file was. `place` and `before`: among what was
    # open then, in the new order and in the old one.
    columns = "queue varchar, example_id varchar, rank integer, place integer, before integer"
    cursor.execute(f"create table if not exists live_order ({columns})")


def m006_marks(cursor: Cursor) -> None:
    # Which bytes of the journal the records are, so that it need not be read line by line to know that they still are.
    cursor.execute("create table if not exists journal_marks (seq integer, size bigint, sha256 varchar)")


def latest(kinds: Iterable[str], among: str = "live") -> str:
    """A subquery: the latest event of these kinds by each reviewer on each example that has not been undone.

    The kinds come with the question: what a migration writes down, a vocabulary that grows later never reaches.
    """
    return f"""(select * from {among} where kind in ({", ".join(f"'{kind}'" for kind in kinds)})
        qualify row_number() over (partition by example_id, reviewer, adjudicates, control order by seq desc, item desc) = 1)"""


class ReviewStore(Database):
    """The tables of one review log; opened for writing."""

    migrations: ClassVar[Sequence[Migration]] = (
        m001_log, m002_what_stands, m003_queues, m004_no_vocabulary, m005_controls_and_new_rankings, m006_marks,
    )  # fmt: skip
    kind = "review log"
    remedy = "restart the app: it is then made again from reviews.jsonl"

    def _after_migrations(self, cursor: Cursor, version: int) -> None:
        tables = ("records", "events", "queues", "queue_items")
        self._schemas = {table: cursor.execute(f"from {table} limit 0").to_arrow_table().schema for table in tables}
        if 0 < version < FILLED:  # the new tables lack what the old records say
            records = self.records()
            for table in tables:
                cursor.execute(f"delete from {table}")
            for start in range(0, len(records), CHUNK):
                self._insert(cursor, records[start : start + CHUNK])
        newest = cursor.execute("select line from records order by seq desc limit 1").fetchall()
        if newest and parse(newest[0][0]) is None:
            raise duckdb.DataError("its last record makes no sense")
        cursor.execute("select bit_xor(hash(e)) from events e").fetchall()  # reads every column once, so damage shows now

    def _cannot_open(self, error: duckdb.Error) -> WorkspaceError:
        line = first_line(error)
        if NO_LOCK in line:
            return WorkspaceBusy(f"{str(self._path)!r} is open in another program; close it and try again ({line})")
        if any(cause in line for cause in ("Permission denied", "Read-only file system", "No space left")):
            return WorkspaceError(f"{str(self._path)!r} cannot be opened: {line}")
        return super()._cannot_open(error)

    def records(self, seqs: Iterable[int] | None = None) -> list[Record]:
        """Every sound record, or some by their numbers, in order."""
        asked = None if seqs is None else list(seqs)
        among = "" if asked is None else "where list_contains($seqs, seq)"
        sql = f"select line from records {among} order by seq"
        lines = [line for (line,) in self.rows(sql, {} if asked is None else {"seqs": asked})]
        return [record for line in lines if (record := parse(line)) is not None]

    def lines(self) -> Iterator[tuple[IntArray, pa.Array]]:
        """Every record's number and line, its line break behind it, in order and in parts."""
        last = self.rows("select coalesce(max(seq), 0) from records")[0][0]
        for start in range(1, last + 1, LINES):
            with self._naming_damage():
                part = self._connection.cursor().execute(
                    "select seq, line || chr(10) as line from records where seq between ? and ?",
                    [start, start + LINES - 1],
                )
                table = part.to_arrow_table()
            if len(table):
                yield table["seq"].to_numpy(), table["line"].combine_chunks()

    def index(self) -> tuple[pa.ChunkedArray, IntArray, list[int]]:
        """For each event in order its example and the number of its action; and the actions that have been taken back."""
        with self._naming_damage():
            sql = "select example_id, seq from events where target is null order by seq, item"
            found = self._connection.cursor().execute(sql).to_arrow_table()
        return found["example_id"], found["seq"].to_numpy(), [seq for (seq,) in self.rows("select seq from undone")]

    def last(self) -> Record | None:
        """The last record."""
        lines = self.rows("select line from records where seq = (select max(seq) from records)")
        return parse(lines[0][0]) if lines else None

    def add(self, records: Sequence[Record], *, mark: Mark | None = None) -> None:
        """Add records to the tables, which then hold the journal up to `mark`; None where that is not known.

        Raises `DamagedFile` when the file cannot be written.
        """
        with self._naming_what_cannot_be_written(), self.transaction() as cursor:
            self._insert(cursor, records)
            cursor.execute("delete from journal_marks")
            if mark is not None:
                cursor.execute("insert into journal_marks values (?, ?, ?)", mark)

    def mark(self) -> Mark | None:
        """Up to where the tables hold the journal; None where that is not known."""
        last = "(select coalesce(max(seq), 0) from records)"
        found = self.rows(f"select seq, size, sha256 from journal_marks where seq = {last}")
        return Mark(*found[0]) if found else None

    def leases(self) -> list[Lease]:
        """Who had what on screen when the app was last stopped."""
        return [Lease(*row) for row in self.rows("select example_id, reviewer, session, until_ms from leases")]

    def keep_leases(self, leases: Sequence[Lease]) -> None:
        """Leave who has what on screen for the next start of the app."""
        with self._naming_what_cannot_be_written(), self.transaction() as cursor:
            cursor.execute("delete from leases")
            for lease in leases:
                if not lease.ahead:
                    values = lease[:4]
                    cursor.execute("insert into leases (example_id, reviewer, session, until_ms) values (?, ?, ?, ?)", values)

    @contextmanager
    def _naming_what_cannot_be_written(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            line = first_line(error)
            raise DamagedFile(f"{str(self._path)!r} cannot be written: {line}", line) from error

    def _insert(self, cursor: Cursor, records: Sequence[Record]) -> None:
        rows: dict[str, list[dict[str, Any]]] = {table: [] for table in self._schemas}
        for record in records:
            rows["records"].append({"seq": record.seq, "line": record.line})
            _ROWS[record.content["type"]](record, rows)
        for table, added in rows.items():
            schema = self._schemas[table]
            if len(added) > FEW_ROWS:
                insert_arrow(cursor, table, pa.Table.from_pylist(added, schema=schema))
            else:
                for row in added:
                    marks = ", ".join("?" * len(schema.names))
                    values = [row.get(name) for name in schema.names]
                    cursor.execute(f"insert into {table} ({', '.join(schema.names)}) values ({marks})", values)


def _act_rows(record: Record, rows: dict[str, list[dict[str, Any]]]) -> None:
    content = record.content
    shared = _shared(record) | {name: content.get(name) for name in ("build", "queue")}
    shared |= {"adjudicates": content["adjudicates"], "origin": _json(content.get("origin")), "control": content.get("control")}
    for item, event in enumerate(content["events"]):
        evidence = _json(event.get("evidence"))
        texts = {"words": event.get("words") or [], "note": event.get("note") or "", "evidence": evidence}
        rows["events"].append(shared | {name: event.get(name) for name in EVENT} | texts | {"item": item})


def _turn_rows(record: Record, rows: dict[str, list[dict[str, Any]]]) -> None:
    turn = {"item": 0, "kind": record.content["type"], "target": record.content["target"]}
    rows["events"].append(_shared(record) | turn)


def _queue_rows(record: Record, rows: dict[str, list[dict[str, Any]]]) -> None:
    content = record.content
    settings = {name: content[name] for name in ("queue", "name", "overlap", "blind", "adjudicates", "closed", "build")}
    stamp = {"seq": record.seq, "at_ms": content["at"], "created_by": content["reviewer"]}
    ranking = {name: content.get(name) for name in ("ranking", "decisions")}
    rows["queues"].append(stamp | settings | ranking | {"source": _json(content.get("source"))})
    first, controls = content.get("first_rank") or 0, content.get("controls") or {}
    rows["queue_items"] += [
        {"queue": content["queue"], "rank": rank, "example_id": id, "text_sha256": hash, "shown_label": controls.get(id)}
        for rank, (id, hash) in enumerate(content.get("items") or [], start=first)
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
