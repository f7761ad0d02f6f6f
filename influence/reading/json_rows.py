"""Rows of JSON: an object a line, or one list of objects."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TextIO

from influence.errors import DataError
from influence.reading.cells import HALF_A_PAIR
from influence.reading.limits import MOST_DOCUMENT, check_columns
from influence.reading.opening import next_line
from influence.reading.table import Chunk, in_chunks

BOM = "\ufeff"
OBJECT = 'an object like {"text": …}'
HINT = f"each row must be {OBJECT}"


class Line(NamedTuple):
    """A line: its object, or why there is none; neither where it is blank."""

    row: dict[str, Any] | None
    why: str
    text: str


def json_lines(opened: TextIO, source: str) -> Iterator[Line]:
    """The lines of an open text, each with its object."""
    number = 0
    while line := next_line(opened, source, number + 1):
        number += 1
        content = line.removeprefix(BOM) if number == 1 else line
        if not content.strip():
            yield Line(None, "", line)
            continue
        row, why = _object(content)
        yield Line(row, f"line {number}: {why}" if why else "", line)


def _object(content: str) -> tuple[dict[str, Any] | None, str]:
    try:
        row = _loads(content)
    except RecursionError:
        return None, "malformed JSON (nested too deep)"
    except ValueError as error:
        return None, f"malformed JSON ({error})"
    return (row, "") if isinstance(row, dict) else (None, f"a {type(row).__name__}, not an object")


def _loads(content: str) -> Any:
    """What JSON says; an object that names a key twice says two things. Raises `ValueError`."""
    last: list[tuple[str, Any]] = []

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal last
        last = pairs
        return dict(pairs)

    found = json.loads(content, object_pairs_hook=made)
    if isinstance(found, dict) and len(found) != len(last):
        twice = next(name for at, (name, _) in enumerate(last) if name in dict(last[:at]))
        raise ValueError(f"column {twice!r} stands more than once")
    return found


def json_list(text: str, source: str) -> list[tuple[int, int]]:
    """Where each object of a list stands in its text. Raises `DataError` for a text that is no such list."""
    if len(text) >= MOST_DOCUMENT:
        raise DataError(f"{source!r} is one JSON list of {len(text):,} characters or more; write one object a line (JSON lines)")
    decoder = json.JSONDecoder()
    spans: list[tuple[int, int]] = []
    at = _skip(text, text.index("[") + 1)
    try:
        while text[at : at + 1] != "]" or spans:
            _, end = decoder.raw_decode(text, at)
            spans.append((at, end))
            at = _skip(text, end)
            if text[at : at + 1] == "]":
                break
            if text[at : at + 1] != ",":
                raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
            at = _skip(text, at + 1)
        if text[at + 1 :].strip():
            raise json.JSONDecodeError("Extra data", text, at + 1)
    except RecursionError as error:
        raise DataError(f"{source!r}: malformed JSON (nested too deep)") from error
    except ValueError as error:
        raise DataError(f"{source!r}: malformed JSON ({error})") from error
    return spans


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def read_json(opened: TextIO, source: str, *, is_list: bool) -> tuple[dict[str, list[Any]], dict[int, str]]:
    """The columns, and the rows that cannot be read. Raises `DataError` where those are most of the file."""
    columns, broken, _ = next(chunks := json_chunks(opened, source, sys.maxsize, is_list=is_list))
    next(chunks, None)  # says whether most rows are broken
    return columns, broken


def json_chunks(opened: TextIO, source: str, rows: int, *, is_list: bool) -> Iterator[Chunk]:
    """`read_json`, so many rows at a time, each chunk with the columns that its rows name; one at least, be it of no rows."""
    waiting = _rows(opened, source, is_list=is_list)
    return in_chunks(waiting, rows, lambda some, before: _chunk(some, source, before), source, HINT)


def _chunk(rows: Iterable[tuple[dict[str, Any] | None, str]], source: str, before: int) -> Chunk:
    columns: dict[str, list[Any]] = {}
    broken: dict[int, str] = {}
    count = 0
    for row, why in rows:
        if why:
            broken[count] = why
        for name, value in (row or {}).items():
            if name not in columns:
                if HALF_A_PAIR.search(name):
                    raise DataError(f"{source!r} row {before + count}: the key {name!a} is no text; rename it")
                columns[name] = []
                check_columns(source, len(columns), count)
            values = columns[name]
            if len(values) < count:
                values += [None] * (count - len(values))
            values.append(value)
        count += 1
        if count % 65_536 == 0:
            check_columns(source, len(columns), count)
    check_columns(source, len(columns), count)
    for values in columns.values():
        values += [None] * (count - len(values))
    return columns, broken, count


def _rows(opened: TextIO, source: str, *, is_list: bool) -> Iterator[tuple[dict[str, Any] | None, str]]:
    if not is_list:
        yield from ((line.row, line.why) for line in json_lines(opened, source) if line.row is not None or line.why)
        return
    text = opened.read(MOST_DOCUMENT)
    for number, (start, end) in enumerate(json_list(text, source)):
        row, why = _object(text[start:end])
        yield row, f"row {number}: {why}" if why else ""


def begins_a_list(opened: TextIO) -> bool:
    """Whether the first character that says anything opens a list."""
    start = opened.read(1 << 16).removeprefix(BOM).lstrip()
    return start.startswith("[")
