"""Matching a regular expression or an SQL condition against the training examples, in a database that can do no harm.

It holds a copy of six columns in memory and nothing else: no files, no network, no other settings, no Python objects.
DuckDB's regular expressions are RE2, whose time is linear in the text whatever the pattern.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from influence.errors import SettingsError
from influence.review.corpus import TrainExample

COLUMNS = ("id", "text", "text_pair", "label", "predicted", "confidence")
TIMEOUT = 10.0  # seconds
LONGEST_PATTERN = 5_000
_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "memory_limit": "1GB",
    "max_temp_directory_size": "0MB",
    "threads": "2",
}


class RuleStore:
    """The training examples as the table `examples`, to be asked which of them a rule matches."""

    def __init__(self, examples: Iterable[TrainExample], *, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._connection = duckdb.connect(config=_LOCKED)
        rows = [{name: getattr(example, name) for name in COLUMNS} for example in examples]
        schema = pa.schema([(name, pa.float64() if name == "confidence" else pa.string()) for name in COLUMNS])
        self._connection.register("incoming", pa.Table.from_pylist(rows, schema=schema))
        self._connection.execute("create table examples as select row_number() over () as position, * from incoming")
        self._connection.unregister("incoming")
        self._connection.execute("set lock_configuration = true")

    def matching_regex(self, pattern: str, *, ignore_case: bool) -> list[str]:
        """Ids of the examples either of whose texts an RE2 expression matches somewhere, in the data's order."""
        _check_length(pattern)
        option = "i" if ignore_case else "c"
        found = "regexp_matches(text, $1, $2) or coalesce(regexp_matches(text_pair, $1, $2), false)"
        try:
            self._rows("select regexp_matches('', $1, $2)", [pattern, option])
        except duckdb.Error as error:
            raise SettingsError(f"the regular expression {_shown(pattern)} does not compile: {_reason(error)}") from error
        return self._ids(found, [pattern, option], f"the regular expression {_shown(pattern)}")

    def matching_sql(self, condition: str) -> list[str]:
        """Ids of the examples for which an SQL condition over the columns is true, in the data's order."""
        _check_length(condition)
        about = f"the condition {_shown(condition)}"
        if complaint := _not_one_expression(condition):
            raise SettingsError(f"{about} is not one SQL expression: {complaint}")
        try:
            [(_, type, *_)] = self._rows(f"describe select ({condition}\n) as matched from examples", [])
        except duckdb.Error as error:
            columns = ", ".join(COLUMNS)
            raise SettingsError(f"{about} does not compile: {_reason(error)} (the columns are {columns})") from error
        if type != "BOOLEAN":
            raise SettingsError(f"{about} gives {type}, not true or false")
        return self._ids(f"({condition}\n)", [], about)

    def _ids(self, condition: str, parameters: Sequence[Any], about: str) -> list[str]:
        try:
            rows = self._rows(f"select id from examples where {condition} order by position", parameters)
        except duckdb.InterruptException as error:
            raise SettingsError(f"{about} took longer than {self._timeout:g} s; make it simpler") from error
        except duckdb.Error as error:
            raise SettingsError(f"{about} cannot be evaluated: {_reason(error)}") from error
        return [id for (id,) in rows]

    def _rows(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        timer = threading.Timer(self._timeout, cursor.interrupt)
        timer.start()
        try:
            return cursor.execute(sql, parameters).fetchall()
        finally:
            timer.cancel()


def _check_length(pattern: str) -> None:
    if len(pattern) > LONGEST_PATTERN:
        raise SettingsError(f"a rule of {len(pattern):,} characters; the most is {LONGEST_PATTERN:,}")


def _not_one_expression(condition: str) -> str:
    """What keeps a text from being one expression when put between parentheses, "" for nothing."""
    tokens = duckdb.tokenize(condition)
    if not tokens:
        return "it is blank"
    ends = [start for start, _ in tokens[1:]] + [len(condition.encode())]
    text, depth = condition.encode(), 0
    for (start, kind), end in zip(tokens, ends, strict=True):
        token = text[start:end].strip()
        if kind != duckdb.token_type.operator:
            continue
        if token.startswith(b";"):
            return "it has a semicolon"
        depth += token.startswith(b"(") - token.startswith(b")")
        if depth < 0:
            return "a closing parenthesis has no opening one"
    return "an opening parenthesis has no closing one" if depth else ""


def _shown(pattern: str) -> str:
    return repr(pattern if len(pattern) <= 80 else pattern[:80] + "…")


def _reason(error: Exception) -> str:
    line = str(error).splitlines()[0]
    return line.split("Error: ", 1)[-1]
