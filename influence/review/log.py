"""The review log of a workspace: a journal and a database of the same records, either of which mends the other.

    WORKSPACE/reviews.jsonl     the journal, on disk before a decision is confirmed
    WORKSPACE/reviews.duckdb    the same records as tables, for questions: a snapshot that the latest may lack
    WORKSPACE/reviews.lock      held by the one process that may write

To open them, the journal is compared with the snapshot byte for byte, and what comes behind is added to it; only where they
differ is every record read and merged. A file that was found damaged is moved aside under a name that says so, never deleted.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from influence.errors import WorkspaceBusy, WorkspaceError
from influence.files import take
from influence.program import PROGRAM
from influence.review import journal
from influence.review.journal import CHUNK, Journal, Record, breaks, read_journal
from influence.review.live import Live
from influence.review.tables import IN_MEMORY, ReviewStore
from influence.standing import Positions
from influence.workspace import DamagedFile, lets_go

JOURNAL, DATABASE, LOCK = "reviews.jsonl", "reviews.duckdb", "reviews.lock"
LOCK_WAIT = 2.0  # seconds: as long as a command may hold the lock to mend the files
MOST_PENDING = 500  # records that the snapshot may lack


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class ReviewLog:
    """The log of one workspace, open for writing. `warnings` says what was mended or is lost."""

    def __init__(self, folder: Path, *, clock: Callable[[], int] = now_ms, wait: float = LOCK_WAIT) -> None:
        self.folder, self.clock, self.lock = folder, clock, threading.RLock()
        self.warnings: list[str] = []
        self._journal: Journal | None = None
        self._lock_file = _take_lock(folder, wait)
        try:
            self._open()
        except BaseException:
            os.close(self._lock_file)
            raise

    def _open(self) -> None:
        self._store = self._open_store()
        self._pending: list[Record] = []
        try:
            path = self.folder / JOURNAL
            journal.mend_end(path)
            positions = self._snapshot_and_tail(path)
            if positions is None:
                positions = self._merged(path)
            self._last = self._store.last()
            self._journal = Journal(path, positions)
            self.live = Live(lambda: self.store, self._journal.read, self._store.leases())
        except BaseException:
            self._store.close()
            raise

    def _snapshot_and_tail(self, path: Path) -> Positions | None:
        """Add to the database what the journal has behind it; None where they do not go together, or a line is damaged."""
        mark = self._store.mark()
        positions = Positions.of_marked(path, mark) if mark is not None and path.exists() else None
        if positions is None and (positions := journal.same_start(path, self._store.lines())) is None:
            return None
        self._store.add([], mark=positions.mark())
        for records in journal.read_on(path, positions, self._store.last()):
            self._store.add(records, mark=positions.mark())
        size = path.stat().st_size if path.exists() else 0
        return positions if positions.end == size else None

    def _merged(self, path: Path) -> Positions:
        """Read every record of both, mend the one from the other, and say what is lost."""
        reading, stored = read_journal(path), self._store.records()
        records = journal.merge(reading.records, stored)
        self.warnings += breaks(records)
        known = {record.seq for record in stored}
        self._fill(self._store, [record for record in records if record.seq not in known])
        if reading.damaged or reading.torn or [one.seq for one in records] != [one.seq for one in reading.records]:
            self._mend_journal(path, records, damaged=reading.damaged, lost=len(records) - len(reading.records))
        positions = journal.positions_of(records)
        self._store.add([], mark=positions.mark())
        return positions

    @staticmethod
    def _fill(store: ReviewStore, records: list[Record]) -> None:
        for start in range(0, len(records), CHUNK):
            store.add(records[start : start + CHUNK])

    @property
    def store(self) -> ReviewStore:
        """The tables, with every record in them."""
        with self.lock:
            self._flush()
            return self._store

    def _flush(self) -> None:
        """Bring the snapshot up to date; until then the journal alone has the latest records."""
        if self._pending:
            try:
                self._store.add(self._pending, mark=self._journal.positions.mark() if self._journal else None)
            except DamagedFile as error:
                self._go_on_in_memory(error)
            self._pending = []

    def _open_store(self) -> ReviewStore:
        path = self.folder / DATABASE
        try:
            return ReviewStore(path, read_only=False)
        except DamagedFile as error:
            aside = _move_aside(path)
            self.warnings.append(
                f"{DATABASE} was damaged ({error.line}) and has been rebuilt from the journal; it is now {aside!r}"
            )
            return ReviewStore(path, read_only=False)

    def _mend_journal(self, path: Path, records: list[Record], *, damaged: list[int], lost: int) -> None:
        if damaged:
            aside = _move_aside(path)
            lines = ", ".join(map(str, damaged[:5])) + (", …" if len(damaged) > 5 else "")
            self.warnings.append(f"{JOURNAL} was damaged (line {lines}) and has been rewritten; it is now {aside!r}")
        elif lost:
            self.warnings.append(f"{lost:,} records that {JOURNAL} lacked were put back from the database")
        journal.rewrite(path, records)

    @property
    def next_seq(self) -> int:
        """The number the next record will have; ask under `lock`."""
        return 1 if self._last is None else self._last.seq + 1

    @property
    def writable(self) -> bool:
        """Whether records can be added; not to a copy made for reading."""
        return self._journal is not None

    def append(self, content: Mapping[str, Any], *, release: tuple[str, str] | None = None) -> Record:
        """Add a record: on disk in the journal first, then in the database. It is confirmed when this returns.

        Raises `WorkspaceError` if it could not be written; it is then not part of the log.
        """
        with self.lock:
            if self._journal is None:
                raise WorkspaceError("this copy of the reviews was opened for reading; nothing was saved")
            if not self._journal.is_in_place():
                self._journal.close()
                self._journal = self._journal_anew()
            record = journal.seal({**content, "at": self.clock()}, self._last)
            self._journal.append(record)
            self._last = record
            self._pending.append(record)
            self.live.add(record)
            if release is not None:
                self.live.leases.release(*release)
            if len(self._pending) >= MOST_PENDING:
                self._flush()
            return record

    def _journal_anew(self) -> Journal:
        """The journal was deleted or replaced while we had it open, and a line added to it would be lost."""
        path = self.folder / JOURNAL
        aside = f"; what was there is now {_move_aside(path)!r}" if path.exists() else ""
        self.warnings.append(f"{JOURNAL} was deleted or replaced while in use and has been written again{aside}")
        records = self.store.records()
        journal.rewrite(path, records)
        anew = Journal(path, journal.positions_of(records))
        self.live.read = anew.read
        return anew

    def _go_on_in_memory(self, error: DamagedFile) -> None:
        """The journal has everything, so a database that fails (a full disk, say) need not stop the reviewers."""
        with suppress(Exception):
            self._store.close()
        self._store, _ = _in_memory(self.folder)
        self.warnings.append(f"{DATABASE} cannot be written ({error.line}); decisions are safe in {JOURNAL}; restart the app")

    def verify(self) -> list[str]:
        """What is wrong with the chain of records, one line each; empty when every record follows from the one before."""
        return breaks(self.store.records())

    def close(self) -> None:
        """Close the files and let another process write."""
        with self.lock:
            store = self.store
            if self._journal is not None:
                with suppress(DamagedFile):  # a courtesy, and no decision
                    store.keep_leases(self.live.leases.all(self.clock()))
            store.close()
            if self._journal is not None:
                self._journal.close()
                os.close(self._lock_file)
                self._journal = None

    @classmethod
    def snapshot(cls, folder: Path) -> "ReviewLog":
        """The log as its journal has it now, in memory: for reading, also while another process writes."""
        log = cls.__new__(cls)
        log.folder, log.clock, log.lock = folder, now_ms, threading.RLock()
        log._journal, log._pending = None, []
        log._store, log.warnings = _in_memory(folder)
        log._last = log._store.last()
        log.live = Live(lambda: log.store, log._store.records, [])
        return log


_OPEN: dict[Path, ReviewLog] = {}  # one log a workspace in this process: a second would be shut out by the first
_OPENING = threading.Lock()


def open_log(folder: Path) -> ReviewLog:
    """The process's log of a workspace, opened at the first call. Raises `WorkspaceBusy` if another process has it."""
    folder = folder.resolve()
    with _OPENING:
        if folder not in _OPEN or not _OPEN[folder].writable:
            try:
                _OPEN[folder] = ReviewLog(folder)
            except OSError as error:
                raise WorkspaceError(f"the reviews of workspace {str(folder)!r} cannot be written: {error}") from error
        return _OPEN[folder]


@lets_go
def close_log(folder: Path) -> None:
    """Close the process's log of a workspace, if it has it open: its folder is about to move or to go."""
    with _OPENING:
        log = _OPEN.pop(folder.resolve(), None)
    if log is not None:
        log.close()


def open_log_for_reading(folder: Path) -> ReviewLog:
    """The log of a workspace as it is now, in memory, mended first if nobody has it open; it keeps nobody from writing.

    Raises `WorkspaceError` if there is none.
    """
    if not has_reviews(folder):
        raise WorkspaceError(f"workspace {str(folder)!r} has no decisions yet; make some in the app ({PROGRAM} serve)")
    mended: list[str] = []
    # Not ours to mend where the app has it open, or in a folder that we may only read.
    with suppress(WorkspaceBusy, OSError):
        log = ReviewLog(folder.resolve(), wait=0)
        mended = log.warnings
        log.close()
    copy = ReviewLog.snapshot(folder)
    copy.warnings = list(dict.fromkeys([*mended, *copy.warnings]))
    return copy


def has_reviews(folder: Path) -> bool:
    """Whether anybody has ever opened the reviews of a workspace."""
    return any((folder / name).is_file() for name in (JOURNAL, DATABASE))


def _in_memory(folder: Path) -> tuple[ReviewStore, list[str]]:
    """Tables of what the journal has, and what is lost of it, one line each."""
    path, positions, warnings = folder / JOURNAL, Positions(), list[str]()
    store = ReviewStore(IN_MEMORY, read_only=False)
    for part in journal.read_on(path, positions, None):
        store.add(part)
    if positions.end < (path.stat().st_size if path.exists() else 0):  # a line that is damaged, or does not follow
        records = read_journal(path).records
        warnings = breaks(records)
        store.add([record for record in records if record.seq > len(positions)])
    return store, warnings


def _take_lock(folder: Path, wait: float) -> int:
    path = folder / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if not take(descriptor, wait=wait):
        os.close(descriptor)
        holder = ""
        with suppress(OSError):  # Windows lets nobody read a locked file
            holder = path.read_bytes()[:20].decode("ascii", "replace").strip()
        raise WorkspaceBusy(
            f"the reviews of workspace {str(folder)!r} are open in another process{f' ({holder})' if holder else ''}; "
            "use the app that runs there, or stop it first"
        )
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def _move_aside(path: Path) -> str:
    """Rename a damaged file (and a database's write-ahead log with it); returns the new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("", ".wal"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside.name
