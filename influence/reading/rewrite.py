"""Writing a data file again with some rows changed or left out; every other row, and the file's form, stays as it is.

Rows of text and JSON that do not change keep their very bytes, so a diff shows what was fixed and nothing else. Rows that
cannot be read stay, too.
"""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from influence.errors import DataError, SettingsError
from influence.reading.arrow_cells import class_names
from influence.reading.cells import as_text
from influence.reading.delimited import Delimited
from influence.reading.form import Form
from influence.reading.json_rows import json_lines, json_list
from influence.reading.limits import MOST_DOCUMENT
from influence.reading.opening import open_text
from influence.reading.table import Table

NewCells = Mapping[int, Mapping[str, Any] | None]  # by row: new values by column, or None for a row to leave out
BOM = "\ufeff"
WRITTEN = {".csv": ",", ".tsv": "\t", ".jsonl": "", ".parquet": ""}


def rewritten(table: Table, cells: NewCells) -> bytes:
    """The content of the data file that a table was read from, with new cells, in the form that it has."""
    path, form = Path(table.source), table.form
    if form.kind == "parquet":
        return _parquet_file(path, cells)
    rewrite: dict[str, Callable[[Path, Form, NewCells], Iterator[str]]] = {
        "delimited": _delimited,
        "json lines": _json_lines,
        "json": _json_list,
    }
    try:
        content = "".join(rewrite[form.kind](path, form, cells)).encode(form.encoding)
    except UnicodeEncodeError as error:
        raise DataError(
            f"{table.source!r} is {form.encoding}, which has no {error.object[error.start]!r}: save the file as UTF-8 first"
        ) from error
    return gzip.compress(content, mtime=0) if form.compressed else content


def written(table: Table, cells: NewCells, suffix: str) -> bytes:
    """A table with new cells as .csv, .tsv, .jsonl or .parquet, whatever it was read from.

    Raises `DataError` where a row could not be read, for it would be lost.
    """
    if suffix not in WRITTEN:
        raise SettingsError(f"cannot write {suffix!r}; name the file one of {', '.join(WRITTEN)}")
    if table.broken:
        raise DataError(f"{table.source!r} row {next(iter(table.broken))} cannot be read and would be lost; delete or mend it")
    changes = [(row, change) for row in range(len(table)) if (change := cells.get(row, {})) is not None]
    columns = {name: [change.get(name, values[row]) for row, change in changes] for name, values in table.columns.items()}
    if suffix == ".parquet":
        return _parquet(pa.table({name: _arrow(values) for name, values in columns.items()}), None)
    rows = zip(*columns.values(), strict=True)
    if WRITTEN[suffix]:
        lines = ([*columns], *(map(as_text, row) for row in rows))
        return "".join(_csv_line(values, WRITTEN[suffix], "\n") for values in lines).encode("utf-8")
    objects = (dict(zip(columns, row, strict=True)) for row in rows)
    return "".join(json.dumps(one, ensure_ascii=False, default=as_text) + "\n" for one in objects).encode("utf-8", "replace")


def _arrow(values: Sequence[Any]) -> Any:
    """A column of Arrow; where the values are of several kinds, or of one that it has not, their text."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return pa.array([None if value is None else as_text(value) for value in values], pa.string())


def _delimited(path: Path, form: Form, cells: NewCells) -> Iterator[str]:
    with open_text(path, form) as opened:
        found, number = Delimited(opened, str(path), form.delimiter), 0
        places = found.places
        yield from found.start
        for row in found:
            if not row.why and not row.fields:  # a blank line is no row
                yield from row.lines
                continue
            change = {} if row.why else cells.get(number, {})
            if change:
                values = row.fields + [""] * (len(found.header) - len(row.fields))
                for name, value in change.items():
                    values[places[name]] = value
                yield _csv_line(values, form.delimiter, _ending(row.lines[-1]))
            elif change is not None:
                yield from row.lines
            number += 1


def _csv_line(values: Iterable[Any], delimiter: str, ending: str) -> str:
    """A row of CSV or TSV, a value with a line break of whatever kind in quotes, which `csv` puts for its own kind only."""
    opened = io.StringIO(newline="")
    csv.writer(opened, delimiter=delimiter, lineterminator="\r\n").writerow(values)
    return opened.getvalue().removesuffix("\r\n") + ending


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _json_lines(path: Path, form: Form, cells: NewCells) -> Iterator[str]:
    number = 0
    with open_text(path, form) as opened:
        for row, why, text in json_lines(opened, str(path)):
            if row is None and not why:
                yield text
                continue
            change = cells.get(number, {}) if row is not None else {}
            if change and row is not None:
                yield BOM if text.startswith(BOM) else ""
                yield _json_text(text, row, change) + _ending(text)
            elif change is not None:
                yield text
            number += 1


def _json_text(text: str, row: Mapping[str, Any], change: Mapping[str, Any]) -> str:
    """The row in the manner of its text: with or without spaces, with or without escaped letters."""
    separators = None if '": ' in text else (",", ":")
    return json.dumps({**row, **change}, ensure_ascii=text.removeprefix(BOM).isascii(), separators=separators)


def _json_list(path: Path, form: Form, cells: NewCells) -> Iterator[str]:
    """The list with what stands between its objects; an object on several lines keeps its indent."""
    with open_text(path, form) as opened:
        text = opened.read(MOST_DOCUMENT)
    spans = json_list(text, str(path))
    kept = [number for number in range(len(spans)) if cells.get(number, {}) is not None]
    yield text[: spans[0][0]]
    for place, number in enumerate(kept):
        start, end = spans[number]
        if place:
            yield text[spans[number - 1][1] : start]
        change = cells.get(number, {})
        yield _object_text(text[start:end], change) if change else text[start:end]
    yield text[spans[-1][1] :]


def _object_text(text: str, change: Mapping[str, Any]) -> str:
    row = json.loads(text)
    if "\n" not in text:
        return _json_text(text, row, change)
    inner, outer = (re.search(pattern, text) for pattern in (r"\n([ \t]*)\"", r"\n([ \t]*)\}$"))
    base = outer.group(1) if outer else ""
    indent = inner.group(1).removeprefix(base) if inner else " "
    return json.dumps({**row, **change}, ensure_ascii=text.isascii(), indent=indent).replace("\n", f"\n{base}")


def _parquet_file(path: Path, cells: NewCells) -> bytes:
    table, metadata = pq.ParquetFile(path).read(), pq.read_metadata(path)
    classes = class_names(table.schema.metadata)
    for name in {name for change in cells.values() if change for name in change}:
        place = table.column_names.index(name)
        field = table.schema.field(name)
        values = table.column(name).to_pylist()
        names = classes.get(name, []) if pa.types.is_integer(field.type) else []
        for row, change in cells.items():
            if change and name in change:
                values[row] = names.index(change[name]) if change[name] in names else change[name]
        table = table.set_column(place, field, pa.array(values, type=field.type))
    kept = [cells.get(row, {}) is not None for row in range(len(table))]
    codec = metadata.row_group(0).column(0).compression.lower() if metadata.num_row_groups else None
    return _parquet(table.filter(pa.array(kept, type=pa.bool_())), codec)


def _parquet(table: Any, codec: str | None) -> bytes:
    opened = io.BytesIO()
    pq.write_table(table, opened, compression={None: "snappy", "uncompressed": "none"}.get(codec, codec))
    return opened.getvalue()
