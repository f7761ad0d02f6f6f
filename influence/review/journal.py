"""The review journal: JSON lines that are on disk before a decision is confirmed, each sealed and tied to the one before.

A line is `{"digest": …, "seq": …, "previous": …, "v": …, …}`. The digest is over the rest of the line, `previous` is the
digest of the line before, so a changed, lost or torn line shows. Lines are only ever appended.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from influence.errors import WorkspaceError, WorkspaceNewer
from influence.files import sync_folder, write_whole
from influence.review.sense import makes_sense
from influence.standing import Positions
from influence.types import IntArray

VERSION = 2  # of what a line may hold
# A version that does not know these would take the answer to a planted control for a decision.
SINCE_2 = ("control", "controls")
DIGEST_LENGTH = 32
MOST = 1 << 31  # records: their numbers are 32 bits wide in the tables
_START = '{"digest":"'
_HALVES = ("\\ud", "\\uD")  # what half a surrogate pair begins with, escaped; lines that are written have no need of it
_BODY = len(_START) + DIGEST_LENGTH + len('",')
_SEQ = len('"seq":')
_PREVIOUS = len(',"previous":"')
_TAIL = 1 << 16  # bytes
CHUNK = 20_000  # records that are read, or written to the tables, together


class Record(NamedTuple):
    """One line, its text and its content."""

    seq: int  # from 1
    digest: str
    previous: str  # digest of the record before, "" for the first
    line: str
    content: dict[str, Any]


class Reading(NamedTuple):
    """A journal as found: its sound records, the numbers of damaged lines from 1, and whether the end was torn off."""

    records: list[Record]
    damaged: list[int]
    torn: bool


def seal(content: Mapping[str, Any], last: Record | None) -> Record:
    """The record that follows `last`."""
    seq, previous = (1, "") if last is None else (last.seq + 1, last.digest)
    version = VERSION if any(content.get(name) for name in SINCE_2) else 1
    body = json.dumps({"seq": seq, "previous": previous, "v": version, **content}, ensure_ascii=False, separators=(",", ":"))
    digest = _digest(body)
    return Record(seq, digest, previous, f'{_START}{digest}",{body[1:]}', dict(content))


def parse(line: str) -> Record | None:
    """The record on a line, None for a line that is not as it was written or makes no sense. Raises `WorkspaceNewer`."""
    digest, body = line[len(_START) : len(_START) + DIGEST_LENGTH], "{" + line[_BODY:]
    if not line.startswith(_START) or _digest(body) != digest:
        return None
    try:
        content = json.loads(body)
        if any(half in body for half in _HALVES):
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # sealed, and yet no JSON, or none that can be held: half a surrogate pair, say
        return None
    seq, previous, version = (content.pop(name, None) for name in ("seq", "previous", "v"))
    if type(seq) is not int or not 0 < seq < MOST or not isinstance(previous, str) or type(version) is not int:
        return None
    if version > VERSION:
        raise WorkspaceNewer(
            f"the review journal has lines of version {version}, this Wordtrace knows {VERSION}; install a newer Wordtrace"
        )
    return Record(seq, digest, previous, line, content) if makes_sense(seq, content) else None


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:DIGEST_LENGTH]


def read_journal(path: Path) -> Reading:
    """Every sound record of a journal; none for a file that is missing."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Reading([], [], False)
    except OSError as error:
        raise WorkspaceError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    *lines, tail = data.split(b"\n")
    del data
    records, damaged = [], []
    for number, line in enumerate(lines, start=1):
        record = parse(line.decode("utf-8", "replace"))
        if record is None:
            damaged.append(number)
        else:
            records.append(record)
    if tail and (record := parse(tail.decode("utf-8", "replace"))) is not None:  # whole but for its line break
        records.append(record)
    return Reading(records, damaged, bool(tail))


def same_start(path: Path, stored: Iterable[tuple[IntArray, pa.Array]]) -> Positions | None:
    """Where the lines lie that a database holds, if the journal begins with just these, byte for byte, and none is missing.

    `stored` gives them in order, in parts: their numbers, and the lines with their line breaks. A line was checked when it was
    written down twice, so that both have it the same says that it is sound; that each follows from the one before is checked
    again. None: the two are to be compared record by record.
    """
    positions, before = Positions(), np.zeros(0, np.uint8)
    try:
        file = path.open("rb")
    except OSError:
        return positions if next(iter(stored), None) is None else None
    with file:
        for seqs, lines in stored:
            starts, data = _buffers(lines)
            if file.read(len(data)) != data:
                return None
            sizes = np.diff(starts)
            if not np.array_equal(seqs, np.arange(len(positions) + 1, len(positions) + 1 + len(seqs))) or sizes.min() < 2 * _BODY:
                return None
            whole = np.frombuffer(data, np.uint8)
            column = np.arange(DIGEST_LENGTH)
            digests = whole[starts[:-1, None] + len(_START) + column]
            digits = np.searchsorted(10 ** np.arange(1, 12), seqs, side="right") + 1
            places = starts[:-1] + _BODY + _SEQ + digits + _PREVIOUS
            previous = whole[np.minimum(places[:, None] + column, len(whole) - 1)]
            first = 0 if len(before) else 1  # the first of all names none before it
            expected = np.concatenate([before.reshape(-1, DIGEST_LENGTH), digests[:-1]])
            if not np.array_equal(previous[first:], expected):
                return None
            before = digests[-1]
            positions.extend(seqs, sizes, data)
    return positions


def _buffers(lines: pa.Array) -> tuple[IntArray, bytes]:
    """The lines of an Arrow array as they lie together, and where each begins and the last one ends."""
    _, offsets, data = lines.cast(pa.large_string()).buffers()
    starts = np.frombuffer(offsets, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    return starts - starts[0], memoryview(data)[starts[0] : starts[-1]].tobytes()


def read_on(path: Path, positions: Positions, last: Record | None) -> Iterator[list[Record]]:
    """The records behind those positions, which are added to, in parts; ends at the first line that does not follow.

    Whoever asks finds by `positions.end` whether the whole file was read.
    """
    try:
        file = path.open("rb")
    except OSError:
        return
    part: list[Record] = []
    with file:
        file.seek(positions.end)
        for line in file:
            record = parse(line[:-1].decode("utf-8", "replace")) if line.endswith(b"\n") else None
            if record is None or (record.seq, record.previous) != ((1, "") if last is None else (last.seq + 1, last.digest)):
                break
            positions.add(record.seq, line)
            part.append(last := record)
            if len(part) == CHUNK:
                yield part
                part = []
    if part:
        yield part


def mend_end(path: Path) -> None:
    """Give a last line the break that it lacks, or cut it off where a writer was stopped within it; it confirmed nothing."""
    if not path.is_file() or not (size := path.stat().st_size):
        return
    with path.open("r+b") as file:
        start, tail = size, b""
        while start and b"\n" not in tail:
            start = max(0, start - _TAIL)
            file.seek(start)
            tail = file.read()
        line = tail[tail.rfind(b"\n") + 1 :]
        if not line or not line.startswith(_START.encode()[: len(line)]):
            return
        if parse(line.decode("utf-8", "replace")) is None:
            file.truncate(size - len(line))
        else:
            file.write(b"\n")
        file.flush()
        os.fsync(file.fileno())


def merge(journal: Sequence[Record], stored: Sequence[Record]) -> list[Record]:
    """The records of two copies of one log in order, each record from whichever has it.

    Raises `WorkspaceError` where the copies hold different records under one number: they are not of one log.
    """
    merged = {record.seq: record for record in stored}
    for record in journal:
        if merged.setdefault(record.seq, record).digest != record.digest:
            raise WorkspaceError(
                f"reviews.jsonl and reviews.duckdb tell different stories from record {record.seq}: they are not copies of "
                "one log; move the wrong one of the two out of the workspace"
            )
    return [merged[seq] for seq in sorted(merged)]


def breaks(records: Sequence[Record]) -> list[str]:
    """Where records are missing or do not follow one another, one line each; empty for a whole log."""
    found, seq, digest = [], 0, ""
    for record in records:
        if record.seq != seq + 1:
            lost = f"record {seq + 1} is" if record.seq == seq + 2 else f"records {seq + 1} to {record.seq - 1} are"
            found.append(f"{lost} lost: damaged in the journal and not in the database")
        elif record.previous != digest:
            found.append(f"record {record.seq} does not follow record {seq}: the log has been edited")
        seq, digest = record.seq, record.digest
    return found


class Journal:
    """An open journal, for appending, and for reading what lies at given positions."""

    def __init__(self, path: Path, positions: Positions) -> None:
        self.path, self.positions = path, positions
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        sync_folder(path.parent)

    def read(self, seqs: Iterable[int]) -> list[Record]:
        """Some records, by their numbers."""
        found = []
        for seq in seqs:
            start, end = self.positions.of(seq)
            record = parse(os.pread(self._descriptor, end - start - 1, start).decode("utf-8", "replace"))
            if record is None:
                raise WorkspaceError(f"{str(self.path)!r}: record {seq} has been damaged; restart the app, which mends it")
            found.append(record)
        return found

    def append(self, record: Record) -> None:
        """Add a line; it is on disk when this returns. Raises `WorkspaceError`, and then the line is not there."""
        if not makes_sense(record.seq, record.content):  # better refused now than not read again
            raise WorkspaceError(f"nothing was saved: a record of type {record.content.get('type')!r} makes no sense")
        size = os.fstat(self._descriptor).st_size
        whole = record.line.encode() + b"\n"
        data = memoryview(whole)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fdatasync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, size)
            raise WorkspaceError(f"nothing was saved: {str(self.path)!r} cannot be written ({error.strerror})") from error
        self.positions.add(record.seq, whole)

    def is_in_place(self) -> bool:
        """Whether the file is still the one at its path, rather than deleted or replaced under us."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def rewrite(path: Path, records: Iterable[Record]) -> None:
    """Write a journal anew, whole or not at all."""
    write_whole(path, b"".join(record.line.encode() + b"\n" for record in records))


def positions_of(records: Iterable[Record]) -> Positions:
    """Where the lines of a journal lie that holds just these records."""
    positions = Positions()
    for record in records:
        positions.add(record.seq, record.line.encode() + b"\n")
    return positions
