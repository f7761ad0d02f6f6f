"""Parquet files, counted by their metadata before anything is read."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from influence.errors import DataError
from influence.reading.arrow_cells import class_names, column_cells, named, unfolded_bytes
from influence.reading.limits import check_columns, check_rows, check_unfolded, check_values
from influence.reading.table import check_names


def open_parquet(path: Path) -> Any:
    """A Parquet file whose rows and columns can be held. Raises `DataError` for one that cannot be read."""
    try:
        found = pq.ParquetFile(path)
        check_columns(str(path), len(found.schema_arrow.names), found.metadata.num_rows)
        check_rows(str(path), found.metadata.num_rows, path.stat().st_size)
        check_values(str(path), _list_values(found.metadata), path.stat().st_size)
        check_names(str(path), found.schema_arrow.names)
        leaves = (found.schema.column(number) for number in range(len(found.schema)))
        return pq.ParquetFile(path, read_dictionary=[leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"])
    except (pa.ArrowException, ValueError) as error:
        raise damaged(path, error) from error


def read_parquet(path: Path) -> dict[str, list[Any]]:
    """The columns by name, classes by theirs."""
    opened = open_parquet(path)
    try:
        table = opened.read()
    except (pa.ArrowException, ValueError, OSError) as error:
        raise damaged(path, error) from error
    size = path.stat().st_size
    for name in table.column_names:
        check_unfolded(str(path), sum(unfolded_bytes(chunk) for chunk in table.column(name).chunks), size)
    columns = {name: column_cells(table.column(name)) for name in table.column_names}
    for name, names in class_names(opened.schema_arrow.metadata).items():
        if name in columns and pa.types.is_integer(opened.schema_arrow.field(name).type):
            columns[name] = named(columns[name], names)
    return columns


def _list_values(metadata: Any) -> int:
    """The values in lists, of the column that has most."""
    lists = [number for number in range(metadata.num_columns) if metadata.schema.column(number).max_repetition_level]
    groups = range(metadata.num_row_groups)
    return max((sum(metadata.row_group(group).column(number).num_values for group in groups) for number in lists), default=0)


def damaged(path: Path, error: BaseException) -> DataError:
    """What is said of a file that the library cannot read."""
    return DataError(f"{str(path)!r} is not a Parquet file, or damaged: {(str(error) or 'no reason given').splitlines()[0]}")
