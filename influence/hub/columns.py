"""What the columns of a data set's Parquet files hold, as its card says it: labels as classes with names."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MOST_CLASSES = 1_000  # more different labels than this are no classes


def common_schema(files: Mapping[str, bytes]) -> Any:
    """The Arrow schema that fits all of some Parquet files; None where their columns are not the same."""
    schemas = [pq.read_schema(io.BytesIO(content)) for content in files.values()]
    try:
        found = pa.unify_schemas(schemas)
    except pa.ArrowException:
        return None
    return found if all({*one.names} == {*found.names} for one in schemas) else None


def features(files: Mapping[str, bytes], label: str, names: Sequence[str]) -> list[Any] | None:
    """The columns of Parquet files, one description for all of them; None where the Hub's library has none for their types.

    The label column is a class with these names in this order, where it holds texts and each of them is one of the names.
    Column types are those of the files, and what a data set of the Hub says of itself in them stays.
    """
    from datasets import ClassLabel, Features

    schema = common_schema(files)
    try:
        found = Features.from_arrow_schema(schema)
        kind = schema.field(label).type
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if is_text and 0 < len(names) <= MOST_CLASSES and all(_only(content, label, names) for content in files.values()):
        found[label] = ClassLabel(names=[*names])
    return list(found._to_yaml_list())


def _only(content: bytes, label: str, names: Sequence[str]) -> bool:
    """Whether a column holds nothing but these names; a missing value is none."""
    there = pq.read_table(io.BytesIO(content), columns=[label]).column(label).unique().to_pylist()
    return {value for value in there if value is not None} <= {*names}
