"""Reading a data file into plain columns: text with delimiters, JSON, Parquet, gzip of these, or a Hugging Face data set."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from influence.errors import DataError
from influence.reading.delimited import delimited_chunks, find_delimiter, read_delimited
from influence.reading.encodings import find_encoding
from influence.reading.form import SUFFIXES, Form, FormOptions, Kind, data_suffix
from influence.reading.hub import is_data_set, read_data_set
from influence.reading.json_rows import begins_a_list, json_chunks, read_json
from influence.reading.opening import PARQUET, check_content, is_compressed, open_bytes, open_text
from influence.reading.parquet import parquet_chunks, read_parquet
from influence.reading.table import Chunk, Table

USUAL_DELIMITER = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
ANY_FORM = FormOptions()


def read_table(name: str, *, split: str, options: FormOptions = ANY_FORM) -> Table:
    """Read a data file, or the named split of a Hugging Face data set.

    Raises `DataError` naming the file and the line for one that cannot be read, `EncodingUnsure` where a person has to say.
    """
    path = Path(name)
    try:
        if path.is_file():
            return _read_file(path, options)
        if is_data_set(name):
            return read_data_set(name, split)
        there = path.exists()
    except UnicodeDecodeError as error:  # found whole before, so it is being written
        raise DataError(f"{name!r} has changed while it was read; try again") from error
    except (OSError, ValueError) as error:  # a path too long, with a NUL in it, not to be read
        raise DataError(f"{name[:200]!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    raise DataError(f"{name!r} is no file" if there else f"{name!r}: there is no such file or folder")


def _read_file(path: Path, options: FormOptions) -> Table:
    form = find_form(path, options)
    columns: dict[str, list[Any]]
    broken: dict[int, str] = {}
    if form.kind == "parquet":
        columns = read_parquet(path)
    else:
        with open_text(path, form) as opened:
            if form.kind == "delimited":
                columns, broken = read_delimited(opened, str(path), form.delimiter)
            else:
                columns, broken = read_json(opened, str(path), is_list=form.kind == "json")
    with path.open("rb") as raw:
        digest = hashlib.file_digest(raw, "sha256").hexdigest()
    return Table(columns, str(path), digest, form, broken)


def read_chunks(
    path: Path, *, rows: int, options: FormOptions = ANY_FORM, wanted: Sequence[str] | None = None
) -> Iterator[Table]:
    """A data file a piece at a time, each a table of its own whose rows count from 0; one at least, be it of no rows.

    Of Parquet only the wanted columns are read. Raises as `read_table` does, also after the last piece: only then is it known
    whether most rows of the file can be read.
    """
    try:
        form = find_form(path, options)
        for columns, broken, count in _chunks(path, form, rows, wanted):
            yield Table(columns, str(path), "", form, broken, rows=count)
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} has changed while it was read; try again") from error
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error


def _chunks(path: Path, form: Form, rows: int, wanted: Sequence[str] | None) -> Iterator[Chunk]:
    if form.kind == "parquet":
        yield from parquet_chunks(path, rows, wanted)
        return
    with open_text(path, form) as opened:
        if form.kind == "delimited":
            yield from delimited_chunks(opened, str(path), form.delimiter, rows)
        else:
            yield from json_chunks(opened, str(path), rows, is_list=form.kind == "json")


def find_form(path: Path, options: FormOptions) -> Form:
    """What a file is to be read as. Raises `DataError` for one that is no table."""
    suffix, source = data_suffix(path), str(path)
    if path.stat().st_size == 0:
        raise DataError(f"{source!r} is empty; it needs a header and at least one row")
    compressed = is_compressed(path)
    content = partial(open_bytes, path, compressed=compressed)
    with content() as opened:
        start = opened.read(64)
    check_content(source, start)
    if suffix not in SUFFIXES:
        raise DataError(f"{source!r}: cannot tell the format from {path.suffix!r}; name it one of {', '.join(SUFFIXES)}")
    if start.startswith(PARQUET) or suffix == ".parquet":
        if compressed:
            raise DataError(f"{source!r} is gzip around Parquet: unpack it")
        return Form(kind="parquet")
    form = Form(kind="delimited", compressed=compressed, encoding=find_encoding(content, source, options.encoding))
    if suffix in USUAL_DELIMITER:
        with open_text(path, form) as text:
            delimiter = options.delimiter or find_delimiter(text, source, USUAL_DELIMITER[suffix])
        return Form(kind="delimited", delimiter=delimiter, compressed=compressed, encoding=form.encoding)
    with open_text(path, form) as text:
        kind: Kind = "json" if begins_a_list(text) else "json lines"
    return Form(kind=kind, compressed=compressed, encoding=form.encoding)
