"""Columns of Arrow (Parquet, Hugging Face data sets) as cells; what a cell cannot hold is told by what it is.

A value that stands in many rows is kept once, and no list, object or picture is unfolded only to be refused.
"""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from influence.reading.cells import BINARY, NOT_UTF8, OBJECT, OUT_OF_RANGE, SEVERAL, Odd

_OF_BYTES = {kind.id for kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())}
KEPT = 1_000_000  # values in the lists of a chunk
HUGGING_FACE = b"huggingface"


def column_cells(column: Any) -> list[Any]:
    """The values of a chunked array: Python's own, `Odd` for what is no text and no number."""
    return [value for chunk in column.chunks for value in _cells(chunk)]


def unfolded_bytes(array: Any) -> int:
    """What the texts of an array would weigh were each written out, if it keeps those that repeat once."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return unfolded_bytes(array.storage)
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(array.dictionary) if array.dictionary.type.id in _OF_BYTES else None
        return 0 if lengths is None else int(pc.sum(pc.cast(lengths.take(array.indices), pa.int64())).as_py() or 0)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return unfolded_bytes(array.flatten())
    if pa.types.is_struct(kind):
        return sum(unfolded_bytes(array.field(number)) for number in range(kind.num_fields))
    return 0


def _cells(array: Any) -> list[Any]:
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _cells(array.storage)
    if pa.types.is_dictionary(kind):
        values = _cells(array.dictionary)
        return [None if at is None else values[at] for at in array.indices.to_pylist()]
    if pa.types.is_run_end_encoded(kind):
        return _cells(pc.run_end_decode(array))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _lists(array)
    if pa.types.is_nested(kind) or "list_view" in str(kind):
        return _marked(array, OBJECT)
    if any(of(kind) for of in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)):
        return _marked(array, BINARY)
    if str(kind) == "binary_view":
        return _marked(array, BINARY)
    return _plain(array)


def _marked(array: Any, what: Odd) -> list[Any]:
    return [what if there else None for there in array.is_valid().to_pylist()]


def _lists(array: Any) -> list[Any]:
    """Lists as they are; where they are long (vectors), those of several values are only told to be that."""
    if len(array.flatten()) <= KEPT:
        return _plain(array)
    lengths = pc.list_value_length(array)
    single = pc.fill_null(pc.equal(lengths, 1), fill_value=False)
    ones = iter(_cells(pc.list_flatten(array.filter(single))))
    return [None if n is None else [next(ones)] if n == 1 else [] if n == 0 else SEVERAL for n in lengths.to_pylist()]


def _plain(array: Any) -> list[Any]:
    try:
        return list(array.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        return [_value(scalar) for scalar in array]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return NOT_UTF8
    except (ValueError, OverflowError, pa.ArrowException):
        return OUT_OF_RANGE


def class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of classes by column, as Hugging Face data sets write them into a file's metadata."""
    try:
        features = json.loads((metadata or {})[HUGGING_FACE])["info"]["features"]
        found = {name: feature["names"] for name, feature in features.items() if feature.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return {name: names for name, names in found.items() if isinstance(names, list) and names and set(map(type, names)) == {str}}


def named(values: list[Any], names: list[str]) -> list[Any]:
    """Class numbers by their names; -1 marks a hidden label, and a number without a name is no label."""
    return [
        None
        if value is None or value == -1
        else names[value]
        if isinstance(value, int) and 0 <= value < len(names)
        else Odd(f"a class number that has no name ({value})")
        if isinstance(value, int)
        else value
        for value in values
    ]
