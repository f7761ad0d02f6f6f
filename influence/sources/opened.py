"""Opening what a name stands for: one small file as `reading.read_table` does, else a stream of small tables.

    table = open_table("data/train-*.parquet", split="train", options=FormOptions())

The SHA-256 of a file is that of its bytes. Of several files it is that of the lines `SHA-256  name` for each of them in the order
of their names: `sha256sum train-*.parquet | sha256sum`. Of a Hugging Face data set it is that of its content.
"""

import glob
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from influence.annotation import AnnotatedTable, joined, read_table, recognised
from influence.errors import DataError
from influence.reading import (
    DataSet,
    FormOptions,
    Table,
    data_suffix,
    is_data_set,
    is_saved,
    parquet_rows,
    without_split,
)
from influence.sources.names import Part, are_data, check_shards, is_pattern, local_names, of_split
from influence.sources.remote import Remote, is_remote
from influence.sources.streams import DataSetStream, FileStream, Stream

STREAMED_BYTES, STREAMED_ROWS = 256_000_000, 500_000  # from which on what is read is kept in files instead of memory
UNFOLDS = 4  # times its bytes, as a rule, what is compressed is when it is not


def open_table(name: str, *, split: str, options: FormOptions, near: Path | None = None) -> Table | Stream:
    """What a name stands for: a file, a pattern, a folder, an address of another machine, a Hugging Face data set.

    `near` is where files may lie that keep what does not fit into memory (None: where the system has its temporary files).
    Raises `DataError` for what cannot be read, in one line.
    """
    folder = _existing(near)
    if is_remote(name):
        return _remote(name, split, options, folder)
    try:
        path = Path(name)
        if path.is_file():
            part = Part(str(path), path.name, path.stat().st_size)
            if not _is_large([part]):
                return read_table(name, split=split, options=options)
            return _of_a_tool(FileStream(str(path), [part], options, folder, large=True))
        if is_pattern(name) and not path.exists():
            return _matching(name, options, folder)
        bare, asked = without_split(name)
        if Path(bare).is_dir() and not is_saved(Path(bare)) and are_data(names := local_names(name, Path(bare))):
            chosen = of_split(bare, names, asked or split)
            parts = [Part(str(Path(bare) / one), one, (Path(bare) / one).stat().st_size) for one in chosen]
            return _stream(name, parts, options, folder)
    except (OSError, ValueError) as error:  # a path too long, with a NUL in it, not to be read
        raise DataError(f"{name[:200]!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if is_data_set(name):
        return _data_set(name, split, options, folder)
    return read_table(name, split=split, options=options)


def _existing(near: Path | None) -> Path:
    """The first folder that is there, from `near` upwards."""
    if near is None:
        return Path(tempfile.gettempdir())
    return next(folder for folder in (near.absolute().parent, *near.absolute().parents) if folder.is_dir())


def _matching(name: str, options: FormOptions, folder: Path) -> Table | Stream:
    found = [Path(one) for one in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207  # `Path` has no absolute patterns
    files = [one for one in found if one.is_file()]
    if not files:
        raise DataError(f"{name!r}: no file matches")
    base = max((one.parent for one in files), key=lambda one: -len(one.parts))
    while not all(one.is_relative_to(base) for one in files):
        base = base.parent
    return _stream(name, [Part(str(one), one.relative_to(base).as_posix(), one.stat().st_size) for one in files], options, folder)


def _remote(name: str, split: str, options: FormOptions, folder: Path) -> Table | Stream:
    remote = Remote(name)
    parts = remote.parts()
    if not is_pattern(name) and remote.is_folder():
        names = of_split(name, [part.name for part in parts if are_data([part.name])], split)
        parts = [part for part in parts if part.name in names]
        if not parts:
            raise DataError(f"{name!r} is a folder without a file of CSV, JSON lines or Parquet: name the file")
    return _stream(name, parts, options, folder, remote)


def _stream(name: str, parts: list[Part], options: FormOptions, folder: Path, remote: Remote | None = None) -> Table | Stream:
    check_shards(name, [part.name for part in parts])
    return _of_a_tool(FileStream(name, parts, options, folder, large=_is_large(parts, known=remote is None), remote=remote))


def _of_a_tool(stream: FileStream) -> Table | Stream:
    """Files of an annotation tool are read whole, large or not: what is said of one text may stand in any of their rows."""
    if not isinstance(recognised(stream.head), AnnotatedTable):
        return stream
    names, tables = [], []
    for name, path in stream.files():
        names.append(name)
        tables.append(read_table(str(path), split="train", options=stream.options))
    if len(names) == 1:
        return replace(tables[0], source=stream.source)
    return joined(tables, names, stream.source, stream.sha256())


def _is_large(parts: list[Part], *, known: bool = True) -> bool:
    compressed = (".parquet", ".gz")
    weight = sum(part.size * (UNFOLDS if part.name.lower().endswith(compressed) else 1) for part in parts)
    rows: Callable[[Part], int] = lambda part: parquet_rows(Path(part.place)) if known else 0  # noqa: E731
    parquet = [part for part in parts if data_suffix(Path(part.name)) == ".parquet"]
    return weight > STREAMED_BYTES or (known and sum(map(rows, parquet)) > STREAMED_ROWS)


def _data_set(name: str, split: str, options: FormOptions, folder: Path) -> Table | Stream:
    found = DataSet(name, split)
    large = found.size > STREAMED_BYTES or len(found) > STREAMED_ROWS
    return DataSetStream(found, folder) if large else read_table(name, split=split, options=options)
