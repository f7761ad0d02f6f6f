"""Hugging Face data sets: a folder that `save_to_disk` wrote, a folder of files, or an id of the Hub."""

import hashlib
import json
import os
from pathlib import Path

from influence.errors import DataError
from influence.reading.arrow_cells import column_cells, named
from influence.reading.form import SUFFIXES
from influence.reading.limits import MOST_ENTRIES, check_columns
from influence.reading.table import Table

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
    from datasets import ClassLabel, Dataset, DatasetDict, load_dataset, load_from_disk

    bare, asked = without_split(name)
    is_folder = Path(bare).is_dir()
    saved = is_folder and any((Path(bare) / mark).is_file() for mark in ("state.json", "dataset_dict.json"))
    if is_folder and not saved:
        _check_folder(name, Path(bare))
    try:
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
    check_columns(name, len(found.column_names), len(found))
    cells = found.with_format("arrow")[:]
    columns = {column: column_cells(cells.column(column)) for column in cells.column_names}
    for column, feature in found.features.items():
        if isinstance(feature, ClassLabel):
            columns[column] = named(columns[column], feature.names)
    content = json.dumps(columns, default=str, sort_keys=True).encode()
    return Table(columns, name, hashlib.sha256(content).hexdigest())


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
