"""Hugging Face data sets: a folder that `save_to_disk` wrote, a folder of files, or an id of the Hub."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from influence.errors import DataError
from influence.reading.arrow_cells import column_cells, named
from influence.reading.form import SUFFIXES
from influence.reading.limits import MOST_ENTRIES, check_columns
from influence.reading.table import Chunk, Table

CHUNK = 65_536  # rows
SPLIT_MARK = ":"  # `id:split` and `folder:split` name one split


def is_data_set(name: str) -> bool:
    """Whether a name is that of a folder, with a split or without, or can be an id of the Hub.

    Hub ids look like `owner/name` or `name`, without a file's ending; anything else is a mistyped path.
    """
    bare = without_split(name)[0]
    looks = bare.count("/") <= 1 and not bare.startswith((".", "/", "~")) and not Path(bare).suffix
    return bool(bare) and (Path(bare).is_dir() or looks)


def without_split(name: str) -> tuple[str, str]:
    """The name and the split that it asks for, "" for none."""
    if Path(name).is_dir() or SPLIT_MARK not in name:
        return name, ""
    bare, _, split = name.rpartition(SPLIT_MARK)
    return bare, split


def read_data_set(name: str, split: str) -> Table:
    """One split. Raises `DataError` for what cannot be loaded, or a split that is not there."""
    found = DataSet(name, split)
    check_columns(name, len(found.names), len(found))
    columns = {
        column: [value for part, _, _ in found.chunks(CHUNK, [column]) for value in part[column]] for column in found.names
    }
    return Table(columns, name, found.sha256())


class DataSet:
    """One split, in files of Arrow's that are mapped into memory. Raises `DataError` as `read_data_set` does."""

    def __init__(self, name: str, split: str) -> None:
        self.source, self._found = name, _loaded(name, split)
        self.names: list[str] = list(self._found.column_names)
        check_columns(name, len(self.names))

    def __len__(self) -> int:
        return len(self._found)

    @property
    def size(self) -> int:
        """Bytes of its columns."""
        return int(self._found.data.nbytes)

    def chunks(self, rows: int, wanted: Sequence[str] | None = None) -> Iterator[Chunk]:
        """So many rows at a time of the wanted columns, classes by their names; one chunk at least, be it of no rows."""
        from datasets import ClassLabel

        names = [name for name in self.names if wanted is None or name in wanted]
        classes = {name: self._found.features[name] for name in names}
        kept = self._found.select_columns(names).with_format("arrow")
        for start in range(0, max(len(kept), 1), rows):
            part = kept[start : start + rows]
            columns = {name: column_cells(part.column(name)) for name in names}
            for name, feature in classes.items():
                if isinstance(feature, ClassLabel):
                    columns[name] = named(columns[name], feature.names)
            yield columns, {}, len(part)

    def sha256(self) -> str:
        """Of its columns, in the order of their names, as one JSON object of lists; made a chunk at a time."""
        digest, between = hashlib.sha256(), b"{"
        for name in sorted(self.names):
            digest.update(between + json.dumps(name).encode() + b": [")
            first = True
            for columns, _, count in self.chunks(CHUNK, [name]):
                if count:
                    listed = json.dumps(columns[name], default=str, sort_keys=True).encode()[1:-1]
                    digest.update(listed if first else b", " + listed)
                    first = False
            digest.update(b"]")
            between = b", "
        digest.update(b"}" if self.names else b"{}")
        return digest.hexdigest()


def rewrite_data_set(name: str, split: str, cells: Mapping[int, Mapping[str, Any] | None], folder: Path) -> None:
    """Save a data set with new cells in one split as a folder: its other splits, features and class names stay.

    `cells` holds new values by row and column, None for a row to leave out. Nothing is left where it cannot be written whole.
    """
    from datasets import DatasetDict

    found = _opened(name)
    if isinstance(found, DatasetDict):
        chosen = without_split(name)[1] or split
        made: Any = DatasetDict({one: _with_cells(part, cells) if one == chosen else part for one, part in found.items()})
    else:
        made = _with_cells(found, cells)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
        written = Path(aside) / "whole"
        with _no_bars():
            made.save_to_disk(str(written))
        written.rename(folder)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without the library's own bars, which would stand among what a command says."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()


def _with_cells(data: Any, cells: Mapping[int, Mapping[str, Any] | None]) -> Any:
    from datasets import ClassLabel

    names, features = data.column_names, data.features
    for name in {name for change in cells.values() if change for name in change}:
        values, feature = data.with_format(None)[name][:], features[name]
        for row, change in cells.items():
            if change and name in change:
                values[row] = feature.str2int(change[name]) if isinstance(feature, ClassLabel) else change[name]
        data = data.remove_columns(name).add_column(name, values, feature=feature)
    kept = [row for row in range(len(data)) if cells.get(row, {}) is not None]
    return data.select_columns(names).select(kept)


def _loaded(name: str, split: str) -> Any:
    from datasets import Dataset, DatasetDict

    bare, asked = without_split(name)
    found = _opened(name)
    if isinstance(found, DatasetDict):
        chosen = asked or split
        if chosen not in found:
            raise no_split(name, bare, chosen, list(found))
        found = found[chosen]
    if not isinstance(found, Dataset):
        raise DataError(f"{name!r} is a {type(found).__name__}, not a data set of rows")
    return found


def _opened(name: str) -> Any:
    """What a folder or the Hub holds under a name, all its splits. Raises `DataError` for what cannot be loaded."""
    from datasets import load_dataset, load_from_disk

    bare, _ = without_split(name)
    is_folder = Path(bare).is_dir()
    saved = is_folder and is_saved(Path(bare))
    if is_folder and not saved:
        _check_folder(name, Path(bare))
    try:
        return load_from_disk(bare) if saved else load_dataset(bare)
    except Exception as error:  # the library and the hub raise dozens of kinds, all of which mean the same here
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{name!r} is no file here and cannot be loaded as a Hugging Face data set: {first_line}") from error


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote a folder."""
    return any((folder / mark).is_file() for mark in ("state.json", "dataset_dict.json"))


def no_split(name: str, bare: str, split: str, there: Sequence[str]) -> DataError:
    """What is said where a data set lacks the split that is asked for."""
    return DataError(f"{name!r} has no split {split!r}; it has {', '.join(there)}: name one as {bare}{SPLIT_MARK}SPLIT")


def _check_folder(name: str, folder: Path) -> None:
    """Raise `DataError` for a folder that is no data set: the library would take minutes to look through all that is below."""
    entries = 0
    found = False
    for _, folders, files in os.walk(folder):
        entries += len(folders) + len(files)
        if entries > MOST_ENTRIES:
            raise DataError(
                f"{name!r} is a folder of more than {MOST_ENTRIES:,} files: name the file, or the folder of the data set"
            )
        found = found or any(file.lower().removesuffix(".gz").endswith((*SUFFIXES, ".arrow")) for file in files)
    if not found:
        raise DataError(f"{name!r} is a folder without a file of CSV, JSON lines, Parquet, Arrow or text: name the file")
