"""Reading a data file into plain columns: CSV, TSV, JSONL, Parquet, or a Hugging Face data set by folder or Hub id.

Values come out as the file has them; what they mean is the business of `dataset`.
"""

import csv
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from influence.errors import DataError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SPLIT_MARK = ":"  # `id:split` names one split of a Hugging Face data set


@dataclass(frozen=True)
class Table:
    """Columns of equal length, by name, and where they came from."""

    columns: dict[str, list[Any]]
    source: str
    sha256: str  # of the file's bytes; of the content for a data set that is not one file

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))


def read_table(name: str, *, split: str) -> Table:
    """Read a data file, or the named split of a Hugging Face data set.

    Raises `DataError` naming the file and the line for one that cannot be read.
    """
    path = Path(name)
    if path.is_file():
        return _read_file(path)
    if path.is_dir() or _may_be_hub_id(name):
        return _read_dataset(name, split)
    raise DataError(f"{name!r}: there is no such file or folder")


def _read_file(path: Path) -> Table:
    readers: dict[str, Callable[[Path], dict[str, list[Any]]]] = {
        ".csv": _read_delimited,
        ".tsv": _read_delimited,
        ".jsonl": _read_jsonl,
        ".ndjson": _read_jsonl,
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{str(path)!r}: cannot tell the format from {path.suffix!r}; name it one of {', '.join(readers)}")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{str(path)!r} is empty; it needs a header and at least one row")
        columns = reader(path)
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(path)!r} is not UTF-8 text (byte {error.object[error.start]:#04x}); save it as UTF-8, "
            "for example with: iconv -f WINDOWS-1252 -t UTF-8"
        ) from error
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    return Table(columns, str(path), digest)


def _read_delimited(path: Path) -> dict[str, list[Any]]:
    csv.field_size_limit(sys.maxsize)  # a long text is not an error
    with path.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.reader(opened, delimiter=DELIMITERS[path.suffix.lower()], strict=True)
        begun = 1  # a row may span lines; where it begins is where to look for a stray quote
        try:
            header = next(reader, [])
            if len(set(header)) != len(header):
                twice = sorted({name for name in header if header.count(name) > 1})
                raise DataError(f"{str(path)!r}: column {twice[0]!r} stands more than once in the header; rename one")
            rows = []
            begun = reader.line_num + 1
            for row in reader:
                if row and len(row) != len(header):  # blank lines stand at the end of most files
                    fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
                    raise DataError(
                        f"{str(path)!r} line {begun}: {fields} where the header has {len(header)}; "
                        "quote texts that hold the delimiter, a quote or a line break"
                    )
                if row:
                    rows.append(row)
                begun = reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"{str(path)!r} line {begun}: malformed ({error}); quote it or delete it") from error
    columns: list[Any] = list(map(list, zip(*rows, strict=True))) if rows else [[] for _ in header]
    return dict(zip(header, columns, strict=True))


def _read_jsonl(path: Path) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    count = 0
    with path.open(encoding="utf-8-sig") as opened:
        for number, line in enumerate(opened, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{str(path)!r} line {number}: malformed JSON ({error})") from error
            if not isinstance(row, dict):
                raise DataError(f'{str(path)!r} line {number}: a {type(row).__name__}, not an object like {{"text": …}}')
            for name in row.keys() - columns.keys():
                columns[name] = [None] * count
            for name, values in columns.items():
                values.append(row.get(name))
            count += 1
    return columns


def _read_parquet(path: Path) -> dict[str, list[Any]]:
    try:
        return dict(pq.read_table(path).to_pydict())
    except pa.ArrowException as error:
        raise DataError(f"{str(path)!r} is not a Parquet file: {str(error).splitlines()[0]}") from error


def _may_be_hub_id(name: str) -> bool:
    """Hub ids look like `owner/name` or `name`, without a file's ending; anything else is a mistyped path."""
    bare = name.partition(SPLIT_MARK)[0]
    return bool(bare) and bare.count("/") <= 1 and not bare.startswith((".", "/", "~")) and not Path(bare).suffix


def _read_dataset(name: str, split: str) -> Table:
    from datasets import ClassLabel, Dataset, DatasetDict, load_dataset, load_from_disk

    bare, _, asked = (name, "", "") if Path(name).is_dir() else name.partition(SPLIT_MARK)
    try:
        saved = any((Path(bare) / mark).is_file() for mark in ("state.json", "dataset_dict.json"))
        found = load_from_disk(bare) if saved else load_dataset(bare)
    except Exception as error:  # the library and the hub raise dozens of kinds, all of which mean the same here
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{name!r} is no file here and cannot be loaded as a Hugging Face data set: {first_line}") from error
    if isinstance(found, DatasetDict):
        chosen = asked or split
        if chosen not in found:
            raise DataError(f"{name!r} has no split {chosen!r}; it has {', '.join(found)}: name one as {bare}{SPLIT_MARK}SPLIT")
        found = found[chosen]
    if not isinstance(found, Dataset):
        raise DataError(f"{name!r} is a {type(found).__name__}, not a data set of rows")
    columns = {column: list(found[column]) for column in found.column_names}
    for column, feature in found.features.items():
        if isinstance(feature, ClassLabel):  # -1 marks a hidden label
            columns[column] = [None if v is None or v < 0 else feature.int2str(v) for v in columns[column]]
    content = json.dumps(columns, default=str, sort_keys=True).encode()
    return Table(columns, name, hashlib.sha256(content).hexdigest())
