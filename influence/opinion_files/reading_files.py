"""Files of opinions as they come: Parquet, CSV, TSV or JSON lines, text also in gzip."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from influence.data import Dataset
from influence.errors import DataError
from influence.opinion_files.asked import Asked
from influence.opinion_files.cells import OBJECTS, of_table
from influence.opinion_files.voices import Voices, voices_of
from influence.reading import FormOptions, parquet_objects, read_table, whole_suffix


def read_files(files: Sequence[str], asked: Asked, options: FormOptions | None = None) -> list[Voices]:
    """What each file says of the examples asked about. Raises `DataError` in one line for what cannot be used."""
    found = [_read(file, asked, options or FormOptions()) for file in files]
    names: dict[str, str] = {}
    for voices in found:
        for voice in voices.voices:
            if voice.name in names:
                raise DataError(
                    f"{voices.source!r}: {voice.name!r} has an opinion in {names[voice.name]!r}, too; rename one, or "
                    "put them into one file"
                )
            names[voice.name] = voices.source
    return found


def check_files(files: Sequence[str], train: Dataset) -> list[str]:
    """Look at files before a build of hours: what their user should know. Raises as `read_files` does."""
    return [note for voices in read_files(files, Asked.of_data(train)) for note in voices.notes] if files else []


def _read(file: str, asked: Asked, options: FormOptions) -> Voices:
    path = Path(file)
    table = read_table(file, split="train", options=options)
    if table.form.kind == "parquet" and OBJECTS in table.columns:
        table = replace(table, columns={**table.columns, OBJECTS: parquet_objects(path, OBJECTS)})
    usual = path.name.removesuffix(whole_suffix(path)) or path.name
    return voices_of(of_table(table, asked, usual), asked)
