"""Parquet files, counted by their metadata before anything is read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from influence.errors import DataError
from influence.reading.arrow_cells import class_names, column_cells, named, unfolded_bytes
from influence.reading.limits import check_columns, check_rows, check_unfolded, check_values
from influence.reading.table import Chunk, check_names

BUFFER = 1 << 20  # bytes of a column taken from the file at a time


def open_parquet(path: Path, *, whole: bool = True) -> Any:
    """A Parquet file whose rows and columns can be held, or with `whole` False read one after the other.

    Raises `DataError` for one that cannot be read.
    """
    try:
        found = pq.ParquetFile(path)
        check_columns(str(path), len(found.schema_arrow.names), found.metadata.num_rows if whole else 0)
        check_rows(str(path), found.metadata.num_rows, path.stat().st_size)
        check_values(str(path), _list_values(found.metadata), path.stat().st_size)
        check_names(str(path), found.schema_arrow.names)
        leaves = (found.schema.column(number) for number in range(len(found.schema)))
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        # Columns that are read in pieces are not taken in whole first.
        return pq.ParquetFile(path, read_dictionary=texts, buffer_size=0 if whole else BUFFER)
    except (pa.ArrowException, ValueError) as error:
        raise damaged(path, error) from error


def parquet_rows(path: Path) -> int:
    """How many rows a Parquet file says that it has; 0 for a file that is none."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, ValueError, OSError):
        return 0


def read_parquet(path: Path) -> dict[str, list[Any]]:
    """The columns by name, classes by theirs."""
    opened = open_parquet(path)
    try:
        table = opened.read()
        for name in table.column_names:
            check_unfolded(str(path), sum(unfolded_bytes(chunk) for chunk in table.column(name).chunks), path.stat().st_size)
        return _cells(opened, table)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise damaged(path, error) from error


def parquet_objects(path: Path, column: str) -> list[Any]:
    """A column of objects as they are: structs as dicts, maps as lists of pairs, None where there is none; else its values."""
    try:
        return list(open_parquet(path).read([column]).column(column).to_pylist())
    except (pa.ArrowException, ValueError, OSError, OverflowError) as error:
        raise damaged(path, error) from error


def parquet_chunks(path: Path, rows: int, wanted: Sequence[str] | None = None) -> Iterator[Chunk]:
    """`read_parquet`, so many rows at a time, of the wanted columns that there are; one chunk at least, be it of no rows."""
    opened = open_parquet(path, whole=False)
    names = [name for name in opened.schema_arrow.names if wanted is None or name in wanted]
    unfolded, size = Counter[str](), path.stat().st_size
    yield {name: [] for name in names}, {}, 0
    try:
        for batch in opened.iter_batches(batch_size=rows, columns=names):
            for name in names:
                unfolded[name] += unfolded_bytes(batch.column(name))
                check_unfolded(str(path), unfolded[name], size)
            yield _cells(opened, pa.Table.from_batches([batch])), {}, len(batch)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise damaged(path, error) from error


def _cells(opened: Any, table: Any) -> dict[str, list[Any]]:
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
