"""Writing a data file again with some rows changed or left out; every other row, and the file's form, stays as it is.

Rows of CSV, TSV and JSONL that do not change keep their very bytes, so a diff shows what was fixed and nothing else.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from influence.data.tables import DELIMITERS, Table
from influence.errors import SettingsError

NewCells = Mapping[int, Mapping[str, Any] | None]  # by row: new values by column, or None for a row to leave out
BOM = "\ufeff"


def rewritten(source: Path, cells: NewCells) -> bytes:
    """The content of a data file with new cells."""
    return _REWRITERS[source.suffix.lower()](source, cells)


def written(table: Table, cells: NewCells, suffix: str) -> bytes:
    """A table that is no file (a Hugging Face data set), with new cells, as .csv, .tsv, .jsonl or .parquet."""
    if suffix not in (*DELIMITERS, ".jsonl", ".parquet"):
        raise SettingsError(f"cannot write {suffix!r}; name the file .csv, .tsv, .jsonl or .parquet")
    changes = [(row, change) for row in range(len(table)) if (change := cells.get(row, {})) is not None]
    columns = {name: [change.get(name, values[row]) for row, change in changes] for name, values in table.columns.items()}
    return as_file(columns, suffix, line_end="\n")


def as_file(columns: Mapping[str, Sequence[Any]], suffix: str, *, line_end: str) -> bytes:
    """Columns as a file of that ending, every value as it is; `line_end` is that of CSV and TSV, JSONL has its own."""
    if suffix == ".parquet":
        return _parquet(pa.table(dict(columns)), None)
    rows = zip(*columns.values(), strict=True)
    if suffix in DELIMITERS:
        return "".join(_csv_line(values, DELIMITERS[suffix], line_end) for values in (columns, *rows)).encode()
    objects = (dict(zip(columns, row, strict=True)) for row in rows)
    return "".join(json.dumps(one, ensure_ascii=False, default=str) + "\n" for one in objects).encode()


def _delimited(source: Path, cells: NewCells) -> bytes:
    text = source.read_bytes().decode("utf-8")
    bom, text = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
    delimiter, raw = DELIMITERS[source.suffix.lower()], []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            raw.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    header = next(reader)
    out, number = [bom, *raw], 0
    raw.clear()
    for row in reader:
        if not row:  # a blank line is no row
            out += raw
        else:
            change = cells.get(number, {})
            if change:
                values = [change.get(name, value) for name, value in zip(header, row, strict=True)]
                out.append(_csv_line(values, delimiter, _ending(raw[-1])))
            elif change is not None:
                out += raw
            number += 1
        raw.clear()
    return "".join(out).encode()


def _csv_line(values: Iterable[Any], delimiter: str, ending: str) -> str:
    """A row of CSV or TSV, a value with a line break of whatever kind in quotes, which `csv` puts for its own kind only."""
    opened = io.StringIO(newline="")
    csv.writer(opened, delimiter=delimiter, lineterminator="\r\n").writerow(values)
    return opened.getvalue().removesuffix("\r\n") + ending


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _jsonl(source: Path, cells: NewCells) -> bytes:
    out, number = [], 0
    with source.open(encoding="utf-8", newline="") as opened:
        for line in opened:
            content = line.removeprefix(BOM)
            if not content.strip():
                out.append(line)
                continue
            change = cells.get(number, {})
            if change:
                out.append(line[: len(line) - len(content)] + _json_line(content, change) + _ending(line))
            elif change is not None:
                out.append(line)
            number += 1
    return "".join(out).encode()


def _json_line(line: str, change: Mapping[str, Any]) -> str:
    """The row in the manner of the line: with or without spaces, with or without escaped letters."""
    separators = None if '": ' in line else (",", ":")
    return json.dumps({**json.loads(line), **change}, ensure_ascii=line.isascii(), separators=separators)


def _parquet_file(source: Path, cells: NewCells) -> bytes:
    table, metadata = pq.read_table(source), pq.read_metadata(source)
    for name in {name for change in cells.values() if change for name in change}:
        place = table.column_names.index(name)
        values = table.column(name).to_pylist()
        for row, change in cells.items():
            if change and name in change:
                values[row] = change[name]
        field = table.schema.field(name)
        table = table.set_column(place, field, pa.array(values, type=field.type))
    kept = [cells.get(row, {}) is not None for row in range(len(table))]
    codec = metadata.row_group(0).column(0).compression.lower() if metadata.num_row_groups else None
    return _parquet(table.filter(pa.array(kept, type=pa.bool_())), codec)


def _parquet(table: Any, codec: str | None) -> bytes:
    opened = io.BytesIO()
    pq.write_table(table, opened, compression={None: "snappy", "uncompressed": "none"}.get(codec, codec))
    return opened.getvalue()


_REWRITERS: dict[str, Callable[[Path, NewCells], bytes]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet_file,
}
