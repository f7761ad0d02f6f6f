"""A file that a visitor gives for one look: on disk as long as it is read, under a name that nobody else chooses."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import influence
from influence.reading import SUFFIXES, check_content, data_suffix, whole_suffix

LIMIT = 50  # megabytes


@contextmanager
def read_from(upload: Any) -> Iterator[Path]:
    """The upload as a file; what is said of it names it as the visitor does.

    Raises `DataError` for one that is no data file.
    """
    name = Path(str(upload.name)).name
    if data_suffix(Path(name)) not in SUFFIXES:
        raise influence.DataError(f"{name[:100]!r} is not a data file: give a {', '.join(SUFFIXES)} file")
    content = upload.getvalue()
    check_content(name[:100], content[:64])
    with tempfile.TemporaryDirectory(prefix="wordtrace-look-") as folder:
        file = Path(folder, f"given{whole_suffix(Path(name))}")
        file.write_bytes(content)
        try:
            yield file
        except influence.WordtraceError as error:
            raise influence.DataError(str(error).replace(str(file), name)) from error
