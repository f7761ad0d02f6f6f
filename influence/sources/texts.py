"""Columns of text that need not fit into memory: sequences like any other, whose values lie in a file.

The files have no name, so that the system takes them away with the process, however that ends.
"""

import array
import itertools
import os
import tempfile
import threading
import weakref
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from influence.errors import DataError

BLOCK = 8_192  # values read at a time
SPAN = 4  # a span of values is read at once where it holds no more than so many times those asked for
MOST_LABELS = 1_000_000  # different ones


class Column(Sequence[str]):
    """What all columns here have in common: their values are read by ranges, and gone through by blocks."""

    @abstractmethod
    def span(self, start: int, stop: int) -> list[str]:
        """The values of a range that lies within the column."""

    def at(self, rows: Sequence[int]) -> list[str]:
        """The values of some rows, in any order."""
        if not len(rows):
            return []
        first, last = min(rows), max(rows)
        if last - first >= SPAN * len(rows):
            return [self[row] for row in rows]
        values = self.span(first, last + 1)
        return [values[row - first] for row in rows]

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            rows = range(*place.indices(len(self)))
            if rows.step != 1:
                return self.at(rows)
            return self.span(rows.start, rows.stop) if rows else []
        row = int(place) + (len(self) if place < 0 else 0)
        if not 0 <= row < len(self):
            raise IndexError(f"row {place} of {len(self):,}")
        return self.span(row, row + 1)[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), BLOCK):
            yield from self.span(start, min(start + BLOCK, len(self)))


class StoredTexts(Column):
    """Texts in two files: their UTF-8 bytes one after the other, and where each begins."""

    def __init__(self, folder: Path) -> None:
        self._bytes, self._starts = tempfile.TemporaryFile(dir=folder), tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        for file in (self._bytes, self._starts):
            weakref.finalize(self, file.close)
        self._lock = threading.Lock()
        self._count = self._end = 0
        self._starts.write(np.zeros(1, dtype=np.int64).tobytes())

    def extend(self, texts: Sequence[str]) -> None:
        """Add texts behind those that are there. Raises `OSError` where there is no room for them."""
        encoded = [text.encode() for text in texts]
        ends = self._end + np.cumsum([len(one) for one in encoded], dtype=np.int64)
        with self._lock:
            for file, content in ((self._bytes, b"".join(encoded)), (self._starts, ends.tobytes())):
                file.seek(0, os.SEEK_END)
                file.write(content)
                file.flush()
        self._count, self._end = self._count + len(encoded), int(ends[-1]) if len(ends) else self._end

    def __len__(self) -> int:
        return self._count

    def span(self, start: int, stop: int) -> list[str]:
        """See `Column`."""
        with self._lock:
            self._starts.seek(8 * start)
            places = np.frombuffer(self._starts.read(8 * (stop - start + 1)), dtype=np.int64).tolist()
            self._bytes.seek(places[0])
            content = self._bytes.read(places[-1] - places[0])
        begin = places[0]
        return [content[a - begin : b - begin].decode() for a, b in itertools.pairwise(places)]


class Labels(Column):
    """A column with few different values, as numbers of these."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._names: list[str] = []
        self._codes = array.array("i")

    def extend(self, labels: Sequence[str]) -> None:
        """Add labels behind those that are there. Raises `DataError` where they are too many different ones to be labels."""
        self._codes.extend(self._places.setdefault(label, len(self._places)) for label in labels)
        if len(self._places) > MOST_LABELS:
            raise DataError(f"more than {MOST_LABELS:,} different labels; is another column the label?")
        self._names += list(self._places)[len(self._names) :]

    def renamed(self, names: Mapping[str, str]) -> "Labels":
        """The same with other names for some of them."""
        found = Labels()
        found._names, found._codes = [names.get(name, name) for name in self._names], self._codes
        return found

    def __len__(self) -> int:
        return len(self._codes)

    def span(self, start: int, stop: int) -> list[str]:
        """See `Column`."""
        return [self._names[code] for code in self._codes[start:stop]]


class RowNumbers(Column):
    """The numbers of rows from 0, as text: the ids of a file without a column of them."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def span(self, start: int, stop: int) -> list[str]:
        """See `Column`."""
        return list(map(str, range(start, stop)))


class Chosen(Column):
    """Some rows of a column."""

    def __init__(self, column: Column, rows: Sequence[int]) -> None:
        self._column, self._rows = column, rows

    def __len__(self) -> int:
        return len(self._rows)

    def span(self, start: int, stop: int) -> list[str]:
        """See `Column`."""
        return self._column.at(self._rows[start:stop])


class Joined(Column):
    """The values of two columns with something between."""

    def __init__(self, one: Column, other: Column, between: str) -> None:
        self._one, self._other, self._between = one, other, between

    def __len__(self) -> int:
        return len(self._one)

    def span(self, start: int, stop: int) -> list[str]:
        """See `Column`."""
        both = zip(self._one.span(start, stop), self._other.span(start, stop), strict=True)
        return [f"{one}{self._between}{other}" for one, other in both]
