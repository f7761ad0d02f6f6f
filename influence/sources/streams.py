"""A table as a stream of small ones, gone through as often as is asked for; nothing of it stays in memory."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from influence.errors import DataError, EncodingUnsure
from influence.reading import DataSet, Form, FormOptions, Piece, Table, data_suffix, read_chunks
from influence.sources.names import Part
from influence.sources.remote import Copy, Remote

CHUNK, HEAD = 8_192, 1_000  # rows
LINES = (".jsonl", ".ndjson")
JSON = ("json", "json lines")  # whose rows need not name every column


class Stream(ABC):
    """The rows of a data set that is large, or in several files. `large` says that no list should be made of them."""

    def __init__(self, source: str, folder: Path, *, large: bool) -> None:
        self.source, self.large = source, large
        self.folder = folder  # where what does not fit into memory may be kept

    @abstractmethod
    def chunks(self, wanted: Sequence[str] | None = None) -> Iterator[Table]:
        """Tables whose rows count from 0, with all columns or the wanted ones; where there are several files, `pieces` names one.

        Raises `DataError` naming the file, also after the last chunk.
        """

    @abstractmethod
    def sha256(self) -> str:
        """See `opened`; to be asked for once the stream has been gone through."""

    @cached_property
    def head(self) -> Table:
        """The first rows, with the columns that they name."""
        columns: dict[str, list[Any]] = {}
        count, form = 0, Form(kind="data set")
        for chunk in self.chunks():
            form = chunk.form
            for name, values in chunk.columns.items():
                columns.setdefault(name, [None] * count).extend(values)
            count += len(chunk)
            for values in columns.values():
                values += [None] * (count - len(values))
            if count >= HEAD:
                break
        shown = {name: values[:HEAD] for name, values in columns.items()}
        return Table(shown, self.source, "", form, rows=min(count, HEAD))

    def column(self, name: str, option: str) -> str:
        """`Table.column`, of all rows where the first ones do not name it."""
        try:
            return self.head.column(name, option)
        except DataError:
            if self.head.form.kind not in JSON:
                raise
        names = dict.fromkeys(name for chunk in self.chunks() for name in chunk.columns)
        return replace(self.head, columns={name: [] for name in names}).column(name, option)


class DataSetStream(Stream):
    """A Hugging Face data set, whose files of Arrow's are mapped into memory."""

    def __init__(self, found: DataSet, folder: Path) -> None:
        super().__init__(found.source, folder, large=True)
        self._found = found

    def chunks(self, wanted: Sequence[str] | None = None) -> Iterator[Table]:
        """See `Stream`."""
        for columns, _, count in self._found.chunks(CHUNK, wanted):
            yield Table(columns, self.source, "", rows=count)

    def sha256(self) -> str:
        """Of the content."""
        return self._found.sha256()


class FileStream(Stream):
    """The rows of some files, one after the other."""

    def __init__(
        self, source: str, parts: Sequence[Part], options: FormOptions, folder: Path, *, large: bool, remote: Remote | None = None
    ) -> None:
        super().__init__(source, folder, large=large)
        self._parts, self._options, self._remote = parts, options, remote
        self._hashes: dict[str, str] = {}  # of what was fetched
        self._copy: Copy | None = None

    def chunks(self, wanted: Sequence[str] | None = None) -> Iterator[Table]:
        """See `Stream`."""
        for part in self._parts:
            if part.size == 0 and len(self._parts) > 1 and data_suffix(Path(part.name)) in LINES:
                continue  # a shard without a row, which in other forms has a header at least
            place = part.place if self._remote is None else self._remote.address(part)
            path = self._local(part)
            with _named(path, place):
                for chunk in read_chunks(path, rows=CHUNK, options=self._options, wanted=wanted):
                    missing = [name for name in wanted or () if name not in chunk.columns]
                    if missing and chunk.form.kind not in JSON:
                        raise DataError(f"{place!r} has no column {missing[0]!r}, which {self._parts[0].name!r} has")
                    columns = chunk.columns | {name: [None] * len(chunk) for name in missing}
                    pieces = (Piece(part.name, 0, chunk.form),) if len(self._parts) > 1 else ()
                    yield replace(chunk, columns=columns, source=self.source, pieces=pieces)

    def files(self) -> Iterator[tuple[str, Path]]:
        """Each file's name among the others, and where it lies here; one of another machine until the next is asked for."""
        for part in self._parts:
            yield part.name, self._local(part)

    @property
    def options(self) -> FormOptions:
        """What was said of their form."""
        return self._options

    def sha256(self) -> str:
        """Of one file's bytes, or of what `sha256sum` says of several."""
        hashes = [self._hashes.get(part.place) or _file_sha256(Path(part.place)) for part in self._parts]
        if len(self._parts) == 1:
            return hashes[0]
        lines = (f"{digest}  {part.name}\n" for digest, part in zip(hashes, self._parts, strict=True))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def _local(self, part: Part) -> Path:
        """Where a part lies on this machine. What was fetched last is kept: the first rows are looked at by themselves."""
        if self._remote is None:
            return Path(part.place)
        if self._copy is None or self._copy.part != part:
            if self._copy is not None:
                self._copy.remove()
            self._copy = None
            self._copy = self._remote.fetched(part, self.folder)
            self._hashes[part.place] = self._copy.sha256
        return self._copy.path


def _file_sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def _named(path: Path, place: str) -> Iterator[None]:
    """What is said of a copy is said of what it is a copy of."""
    try:
        yield
    except DataError as error:
        said = str(error).replace(repr(str(path)), repr(place))
        raise (EncodingUnsure(said, error.offered) if isinstance(error, EncodingUnsure) else DataError(said)) from error
