"""Long commands on a workspace, one at a time and the others queued, each a process of its own.

    WORKSPACE/jobs/ID/job.json    the command and what to call it; with `process.json` it has been started
    WORKSPACE/jobs/ID/said        what it says on stderr: its progress, and in the end its complaint
    WORKSPACE/jobs/ID/code        its exit code, where it has failed

What a command finds out it keeps in the workspace itself, so the folder goes when it has ended well or was cancelled. All
of this is on disk, so that a job outlives the page that started it, and the server too.
"""

import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import influence
from influence.files import write_json

ROOT = Path(__file__).parents[2]
JOBS, LOCK = "jobs", "jobs.lock"
JOB, PROCESS, SAID, CODE, CANCELLED = "job.json", "process.json", "said", "code", "cancelled"
POLL, PATIENCE = 0.1, 5.0  # seconds; a cancelled process that is still there after the second is killed
TAIL_BYTES, LAST_LINES = 20_000, 6
NICER = 5  # than the server, so that pages stay quick
PROGRESS = re.compile(r"^(?P<stage>.+): (?P<done>[\d,]+) of (?P<total>[\d,]+) \(\d+%\)(?:, (?P<left>.+) left)?$")


@dataclass(frozen=True)
class Progress:
    """How far a job is in its present stage."""

    stage: str
    share: float  # 0 to 1
    left: str  # time, in words; empty while unknown


@dataclass(frozen=True)
class Job:
    """One command that is queued, running, or has failed."""

    folder: Path
    command: str
    title: str
    key: str  # equal for the same question
    made_at: float
    started_at: float | None

    @property
    def failed(self) -> bool:
        """Whether it has ended badly."""
        return (self.folder / CODE).is_file()

    @property
    def stopping(self) -> bool:
        """Whether it was cancelled and is about to go."""
        return (self.folder / CANCELLED).is_file()

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return 0.0 if self.started_at is None else time.time() - self.started_at

    def tail(self) -> list[str]:
        """The last lines it has said."""
        try:
            text = (self.folder / SAID).read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace")
        except OSError:
            return []
        lines = [line.rsplit("\r", 1)[-1].strip() for line in text.splitlines()]
        return [line for line in lines if line][-LAST_LINES:]

    def progress(self) -> Progress | None:
        """How far it is; None before it has said so."""
        for line in reversed(self.tail()):
            if found := PROGRESS.match(line):
                done, total = (int(found[name].replace(",", "")) for name in ("done", "total"))
                return Progress(found["stage"], done / total if total else 0.0, found["left"] or "")
        return None

    def cancel(self) -> None:
        """Stop it, with whatever it has started; nothing of it stays."""
        with _lock, suppress(FileNotFoundError):
            (self.folder / CANCELLED).touch()
            if self.started_at is None and _process(self.folder) is None:
                shutil.rmtree(self.folder, ignore_errors=True)
            else:
                _signal(self.folder, signal.SIGTERM)

    def dismiss(self) -> None:
        """Forget one that has failed."""
        if self.failed:
            shutil.rmtree(self.folder, ignore_errors=True)


_lock = threading.RLock()
_pumping: set[Path] = set()  # workspaces whose jobs this process is starting


def enqueue(workspace: influence.Workspace, command: str, *options: str, title: str, key: str) -> None:
    """Start a command on a workspace when those before it have ended; nothing if the same is waiting or running.

    Raises `WorkspaceError` where the workspace cannot be written.
    """
    with _lock:
        for job in jobs(workspace):
            if job.key == key and not job.failed and not job.stopping:
                return
            if job.key == key:
                job.dismiss()
        folder = workspace.path.resolve() / JOBS / f"{time.time_ns():020}-{secrets.token_hex(4)}"
        content = {"command": command, "options": list(options), "title": title, "key": key, "made_at": time.time()}
        try:
            folder.mkdir(parents=True)
            write_json(folder / JOB, content)
        except OSError as error:
            raise influence.WorkspaceError(
                f"nothing can be started: {str(folder.parent)!r}: {error.strerror or error}"
            ) from error
    _pump(workspace.path.resolve())


def jobs(workspace: influence.Workspace) -> list[Job]:
    """The workspace's jobs, those that run first, then those that wait, then those that have failed."""
    folder = workspace.path.resolve()
    found = [job for path in sorted((folder / JOBS).glob(f"*/{JOB}")) if (job := _read(path.parent)) is not None]
    if any(not job.failed for job in found):
        _pump(folder)  # another server may have left them
    return sorted(found, key=lambda job: (job.failed, job.started_at is None))


def _read(folder: Path) -> Job | None:
    try:
        content = json.loads((folder / JOB).read_text(encoding="utf-8"))
        started = _process(folder)
        known = {name: content[name] for name in ("command", "title", "key", "made_at")}
        return Job(folder=folder, started_at=started["at"] if started else None, **known)
    except (OSError, ValueError, KeyError):
        return None  # it has just gone


def _pump(workspace: Path) -> None:
    """See to it that somebody starts the workspace's jobs one after the other."""
    with _lock:
        if workspace in _pumping:
            return
        _pumping.add(workspace)
    threading.Thread(target=_work_off, args=(workspace,), daemon=True, name="wordtrace-jobs").start()


def _work_off(workspace: Path) -> None:
    try:
        while True:
            with _turn(workspace) as mine:
                while mine and (folder := _next(workspace)) is not None:
                    _see_through(workspace, folder)
            with _lock:
                if not mine or _next(workspace) is None:
                    _pumping.discard(workspace)
                    return
    except BaseException:
        with _lock:
            _pumping.discard(workspace)
        raise


@contextmanager
def _turn(workspace: Path) -> Iterator[bool]:
    """Whether this process is the one that starts the workspace's jobs, until the block ends."""
    with (workspace / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _next(workspace: Path) -> Path | None:
    """The job that runs, else the one that has waited longest."""
    found = [path.parent for path in sorted((workspace / JOBS).glob(f"*/{JOB}")) if not (path.parent / CODE).is_file()]
    return min(found, key=lambda folder: (not (folder / PROCESS).is_file(), folder.name), default=None)


def _see_through(workspace: Path, folder: Path) -> None:
    """Start a job, unless it runs already, wait for its end, and tidy up."""
    with _lock:
        process = None if (folder / PROCESS).is_file() else _start(workspace, folder)
    while _is_alive(folder) if process is None else process.poll() is None:
        marker = folder / CANCELLED
        with suppress(FileNotFoundError):
            if time.time() - marker.stat().st_mtime > PATIENCE:
                _signal(folder, signal.SIGKILL)
        time.sleep(POLL)
    code = process.returncode if process is not None else _code_of(folder)
    if code == 0 or (folder / CANCELLED).is_file():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            (folder / CODE).write_text(str(code), encoding="utf-8")


def _start(workspace: Path, folder: Path) -> subprocess.Popen[bytes] | None:
    """Start a job's process; None where it was cancelled a moment ago."""
    try:
        content = json.loads((folder / JOB).read_text(encoding="utf-8"))
    except OSError:
        return None
    arguments = [sys.executable, "-m", "influence", content["command"], "--workspace", str(workspace), *content["options"]]
    with (folder / SAID).open("wb") as said:
        process = subprocess.Popen(
            arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
        )
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICER)
    write_json(folder / PROCESS, {"pid": process.pid, "born": _born(process.pid), "at": time.time()})
    return process


def _code_of(folder: Path) -> int:
    """The exit code of a process that another server started, as far as its last words tell: 0 or 1."""
    try:
        last = (folder / SAID).read_bytes()[-TAIL_BYTES:]
    except OSError:
        return 0
    return int(b"Traceback (most recent call last)" in last or b"\nwordtrace: " in b"\n" + last)


def _process(folder: Path) -> dict[str, float] | None:
    try:
        return dict(json.loads((folder / PROCESS).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _is_alive(folder: Path) -> bool:
    found = _process(folder)
    return found is not None and _born(int(found["pid"])) == found["born"]


def _born(pid: int) -> float:
    """When a process started, so that another one with its number is not taken for it; -1 where there is none."""
    try:
        return float(Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19])
    except FileNotFoundError:
        if Path("/proc/self/stat").is_file():
            return -1.0
    try:
        os.kill(pid, 0)
    except OSError:
        return -1.0
    return 0.0


def _signal(folder: Path, which: signal.Signals) -> None:
    found = _process(folder)
    if found is not None and _is_alive(folder):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(int(found["pid"]), which)
