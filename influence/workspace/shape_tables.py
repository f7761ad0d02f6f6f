"""Whether a DuckDB file holds what its migrations make, and nothing that would answer in its place.

A workspace may come from anybody. A view named like a table can cost as much as whoever wrote it likes, a macro named like a
function of DuckDB's is called instead of that one (`max` would be what the file says it is), and a table that is one value
repeated a thousand million times takes a few kilobytes. DuckDB opens such a file without a word.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import duckdb

Migration = Callable[[duckdb.DuckDBPyConnection], None]
VERSIONS = "schema_versions"
NO_LOCK = "Could not set lock"  # of another program's file, in DuckDB's words; "lock" alone is in "block", too
SMALL = 1 << 20  # rows that any file may have: below that nothing can cost much


class Shape(NamedTuple):
    """What a file's own schema holds."""

    columns: dict[str, dict[str, tuple[str, str | None]]]  # of each table: (type, default or what it is computed from)
    rows: dict[str, int]  # of each table
    views: dict[str, str]  # the SQL of each


def shape_of(cursor: duckdb.DuckDBPyConnection) -> Shape:
    """The tables and views of a file, as a cursor of it sees them."""
    here = "not internal and schema_name = 'main' and database_name = current_database()"
    rows = dict(cursor.execute(f"select table_name, estimated_size from duckdb_tables() where {here}").fetchall())
    views = dict(cursor.execute(f"select view_name, sql from duckdb_views() where {here}").fetchall())
    columns: dict[str, dict[str, tuple[str, str | None]]] = {name: {} for name in rows}
    found = cursor.execute(f"select table_name, column_name, data_type, column_default from duckdb_columns() where {here}")
    for table, column, type, default in found.fetchall():
        if table in columns:
            columns[table][column] = (type, default)
    return Shape(columns, rows, views)


@lru_cache
def made_by(migrations: Sequence[Migration]) -> Shape:
    """What so many migrations make of an empty file."""
    with duckdb.connect() as connection:
        for migration in migrations:
            migration(connection)
        return shape_of(connection)


def complaint(connection: duckdb.DuckDBPyConnection, migrations: Sequence[Migration], path: Path) -> str:
    """What a file holds that its migrations would not have made, in a few words; "" for nothing that matters."""
    cursor = connection.cursor()
    found = shape_of(cursor)
    if VERSIONS in found.views:
        return f"{VERSIONS!r} is a view"
    if not found.columns and not found.views:
        return ""  # new
    if VERSIONS not in found.columns:
        return f"it has no table {VERSIONS!r}"
    if foreign := _foreign(cursor):  # before anything is asked that it could answer
        return f"it brings {foreign} of its own"
    version = cursor.execute(f"select coalesce(max(version), 0) from main.{VERSIONS}").fetchall()[0][0]
    if version > len(migrations):
        return ""  # a newer Wordtrace's, which is said elsewhere
    if version < 0:
        return f"its schema version is {version}"
    wanted = made_by(tuple(migrations[:version]))
    for table, columns in wanted.columns.items():
        for column, made in columns.items():
            if (there := found.columns.get(table, {}).get(column)) != made:
                how = "missing" if there is None else f"{there[0]}{f' ({there[1]})' if there[1] else ''}, not {made[0]}"
                return f"{table}.{column} is {how}"
    # A row has a number in it that no compression takes below a byte.
    most = max(SMALL, path.stat().st_size)
    return next((f"{table} claims {rows:,} rows, more than its bytes" for table, rows in found.rows.items() if rows > most), "")


def first_line(error: duckdb.Error) -> str:
    """What DuckDB says is wrong, without the advice and the traces that follow."""
    return str(error).splitlines()[0]


def check_blocks(file: Path) -> str:
    """What is wrong with a DuckDB file that changes in place, by the checksums of its blocks; empty where nothing is.

    Every value is read. A file that another program has open for writing is left to it.
    """
    try:
        with duckdb.connect(str(file), read_only=True, config={"enable_external_access": "false"}) as connection:
            if foreign := _foreign(connection.cursor()):
                return f"brings {foreign} of its own"
            rows = shape_of(connection).rows
            if max(rows.values(), default=0) > max(SMALL, file.stat().st_size):
                return "claims more rows than its bytes"
            for table in rows:
                connection.execute(f'select bit_xor(hash(t)) from main."{table}" t').fetchall()
    except duckdb.Error as error:
        line = first_line(error)
        return "" if NO_LOCK in line or "different configuration" in line else f"is damaged ({line})"
    return ""


def _foreign(cursor: duckdb.DuckDBPyConnection) -> str:
    """What would be called instead of something of DuckDB's, or whenever a row is written; no migration makes any."""
    for kind, where in (
        ("macro", "function_name from duckdb_functions() where not internal"),
        ("type", "type_name from duckdb_types() where not internal"),
        ("index", "index_name from duckdb_indexes()"),
        ("check", "table_name from duckdb_constraints() where constraint_type = 'CHECK'"),
    ):
        if found := cursor.execute(f"select {where} limit 1").fetchall():
            return f"a {kind} {found[0][0]!r}"
    return ""


def restore_views(cursor: duckdb.DuckDBPyConnection, migrations: Sequence[Migration]) -> None:
    """Make the views of a file that can be written what its migrations make them."""
    there = shape_of(cursor).views
    for view, sql in made_by(tuple(migrations)).views.items():
        if there.get(view) != sql:
            cursor.execute(sql.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
