"""How much a file may hold. What a file costs must grow with what it weighs: a small one that unfolds without end is refused."""

from influence.errors import DataError

MOST_COLUMNS = 5_000
MOST_CELLS = 100_000_000  # of a file whose rows need not name every column: a missing cell weighs nothing
MOST_FIELD = 16_000_000  # characters of a cell
MOST_LINE = 64_000_000  # characters of a line
MOST_DOCUMENT = 300_000_000  # characters of a file that is one JSON list
UNFOLDED, RATIO = 32_000_000, 200  # bytes out of gzip from which on no more than so many times its own bytes are taken
MOST_ENTRIES = 10_000  # below a folder that is a data set; one with more is a project, a home, a disk
FREE_VALUES = 20_000_000  # in lists
FREE_ROWS = 1_000_000  # from which on a Parquet file needs a byte a row at least


def check_columns(source: str, columns: int, rows: int = 0) -> None:
    """Raise `DataError` for more columns than a table of texts can have, or more cells than fit into memory."""
    if columns > MOST_COLUMNS:
        raise DataError(
            f"{source!r} has {columns:,} columns, or more; at most {MOST_COLUMNS:,} are read: keep text, label and id"
        )
    if columns * rows > MOST_CELLS:
        raise DataError(f"{source!r} has {columns:,} columns in {rows:,} rows, or more: too many cells; keep text, label and id")


def check_unfolded(source: str, unfolded: int, size: int) -> None:
    """Raise `DataError` for texts that unfold to far more than the file's bytes can hold."""
    if unfolded > UNFOLDED and unfolded > RATIO * size:
        raise DataError(
            f"{source!r} unfolds to {unfolded:,} bytes of text out of {size:,}: they repeat without end; give a file without "
            "such repeats"
        )


def check_values(source: str, values: int, size: int) -> None:
    """Raise `DataError` for more values in lists than its bytes can hold; a vector of zeros for each row weighs little."""
    if values > FREE_VALUES and values > size:
        raise DataError(
            f"{source!r} has lists of {values:,} values in {size:,} bytes: they repeat without end; leave that column out"
        )


def check_rows(source: str, rows: int, size: int) -> None:
    """Raise `DataError` for more rows than its bytes can hold texts of."""
    if rows > FREE_ROWS and rows > size:
        raise DataError(
            f"{source!r} has {rows:,} rows in {size:,} bytes: they repeat without end; give a file without such repeats"
        )
