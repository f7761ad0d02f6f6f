"""The one reading of a cell, for whatever looks at a file: what it says as text, or what it is that is no text."""

import ast
import json
import math
import re
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

HALF_A_PAIR = re.compile(r"[\ud800-\udfff]")  # of surrogates: no text that can be written as UTF-8 holds one
PLAIN = (str, int, float, Decimal, date, time, timedelta)
LONGEST_LIST = 2_000  # characters of a label that may be a list written out


@dataclass(frozen=True)
class Odd:
    """A value that is no text and no number, by what it is."""

    what: str


SEVERAL, OBJECT, NESTED, BINARY = Odd("a list of several values"), Odd("an object"), Odd("lists in lists"), Odd("binary data")
BROKEN_TEXT = Odd("half a surrogate pair, which is no character,")
OUT_OF_RANGE, NOT_UTF8 = Odd("a date or number out of range"), Odd("text that is not UTF-8")


def read_cell(value: Any) -> str | Odd:
    """A cell as text, "" where it is missing; a list of one value is that value, a whole float an integer (beside gaps)."""
    if isinstance(value, str):
        return value if value.isascii() or not HALF_A_PAIR.search(value) else BROKEN_TEXT
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, PLAIN):
        return str(value)
    if isinstance(value, list | tuple):
        if len(value) > 1:
            return SEVERAL
        return NESTED if value and isinstance(value[0], list | tuple | dict) else read_cell(value[0]) if value else ""
    if isinstance(value, Odd):
        return value
    return OBJECT if isinstance(value, dict) else BINARY if isinstance(value, bytes) else Odd(f"a {type(value).__name__}")


def label_cell(value: Any) -> str | Odd:
    """A label. One written out as a list, as CSV must hold it (`["pos"]`, `['pos']`, `{"choices": ["pos"]}`), is that list."""
    if isinstance(value, str) and value[:1] in "[{" and value[-1:] in "]}" and 2 <= len(value) <= LONGEST_LIST:
        found = _written_out(value)
        if isinstance(found, dict) and set(found) == {"choices"}:
            found = found["choices"]
        if isinstance(found, list | dict):
            return read_cell(found)
    return read_cell(value)


def as_text(value: Any) -> str:
    """A cell for people to look at, whatever it is."""
    found = read_cell(value)
    if isinstance(found, Odd):
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else f"({found.what})"
    return found


def _written_out(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
