"""Descriptions read from JSON files that may come from anybody: every value of the type that it should have."""

from dataclasses import is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def described(kind: type[T], content: Any) -> T:
    """A description read from a file that may come from anybody, every value of the type that it should have.

    Raises `ValueError` or `TypeError`, saying which is not.
    """
    hints = get_type_hints(kind)
    values = dict(content)
    for name, value in values.items():
        if name in hints:
            values[name] = _of_type(hints[name], value, name)
    return kind(**values)


def _of_type(hint: Any, value: Any, name: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return described(cast(type[Any], hint), value)
    if origin is list and isinstance(value, list):
        return [_of_type(inner[0], one, name) for one in value]
    if origin is dict and isinstance(value, dict):
        return {str(key): _of_type(inner[1], one, name) for key, one in value.items()}
    if origin is UnionType:
        return None if value is None else _of_type(inner[0], value, name)
    wanted = {float: (int, float)}.get(hint, hint)
    if hint is Any or (origin is None and isinstance(value, wanted) and isinstance(value, bool) == (hint is bool)):
        return value
    raise ValueError(f"{name} is {str(value)[:40]!r}, not {getattr(hint, '__name__', hint)}")


def is_inside(name: str) -> bool:
    """Whether a file's name, read from a file that may come from anybody, stays in the folder that it is of."""
    parts = Path(name).parts
    return bool(parts) and not Path(name).is_absolute() and ".." not in parts and "\0" not in name
