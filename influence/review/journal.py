"""The review journal: JSON lines that are on disk before a decision is confirmed, each sealed and tied to the one before.

A line is `{"digest": …, "seq": …, "previous": …, "v": …, …}`. The digest is over the rest of the line, `previous` is the
digest of the line before, so a changed, lost or torn line shows. Lines are only ever appended.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from influence.errors import WorkspaceError, WorkspaceNewer
from influence.files import sync_folder, write_whole

VERSION = 2  # of what a line may hold
# A version that does not know these would take the answer to a planted control for a decision.
SINCE_2 = ("control", "controls")
DIGEST_LENGTH = 32
_START = '{"digest":"'
_BODY = len(_START) + DIGEST_LENGTH + len('",')


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
    """The record on a line, None for a line that is not as it was written. Raises `WorkspaceNewer`."""
    digest, body = line[len(_START) : len(_START) + DIGEST_LENGTH], "{" + line[_BODY:]
    if not line.startswith(_START) or _digest(body) != digest:
        return None
    content = json.loads(body)
    seq, previous, version = content.pop("seq"), content.pop("previous"), content.pop("v")
    if version > VERSION:
        raise WorkspaceNewer(
            f"the review journal has lines of version {version}, this Wordtrace knows {VERSION}; install a newer Wordtrace"
        )
    return Record(seq, digest, previous, line, content)


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
    """An open journal, for appending."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        sync_folder(path.parent)

    def append(self, line: str) -> None:
        """Add a line; it is on disk when this returns. Raises `WorkspaceError`, and then the line is not there."""
        size = os.fstat(self._descriptor).st_size
        data = memoryview(line.encode() + b"\n")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fdatasync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, size)
            raise WorkspaceError(f"nothing was saved: {str(self.path)!r} cannot be written ({error.strerror})") from error

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
