"""Long commands, one at a time in a queue's folder and the others waiting, each a process of its own.

    QUEUE/jobs/ID/job.json    the command and what to call it; with `process.json` it has been started
    QUEUE/jobs/ID/said        what it says on stderr: its progress, and in the end its complaint
    QUEUE/jobs/ID/ended       its exit code, written as it ends, whether or not a server is there
    QUEUE/jobs/ID/code        the same, where it has failed

A workspace has a queue for the commands on it, in the server's own folder (`frame.state`); see `builds` for another. What lies
in a workspace is never run: it may hold anything. What a command finds out it keeps elsewhere, so its folder goes when it has
ended well or was cancelled. All of this is on disk, so that a job outlives the page that started it, and the server too.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import influence
from influence.cli import ProgressEvent, Remark
from influence.files import take, write_json
from influence.workspace import build_lock
from pages.ui.frame import access, state
from pages.ui.jobs import processes
from pages.ui.jobs.processes import KILLED, PROCESS, SAID

JOBS, LOCK = "jobs", "jobs.lock"
JOB, CODE, CANCELLED = "job.json", "code", "cancelled"
BAD_INPUT, STOPPED, KEEP = 2, 130, "keep"  # exit codes, that of one stopped to go on later, and what its marker says before
POLL, PATIENCE = 0.1, 5.0  # seconds; a cancelled process that is still there after the second is killed
LAST_LINES = 6


@dataclass(frozen=True)
class Job:
    """One command that is queued, running, or has failed."""

    folder: Path
    command: str
    title: str
    key: str  # equal for the same question
    made_at: float
    started_at: float | None
    options: list[str] = field(default_factory=list)
    makes: Path | None = None  # the workspace that a build is of
    owner: str = ""  # who has started it, as `frame.access` tells browsers apart
    about: dict[str, Any] = field(default_factory=dict)  # whatever its page wants to know of it

    @property
    def failed(self) -> bool:
        """Whether it has ended badly."""
        return (self.folder / CODE).is_file()

    @property
    def code(self) -> int:
        """The exit code of one that has failed; `KILLED` where it was stopped from outside before it could say one."""
        try:
            return int((self.folder / CODE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return KILLED

    @property
    def stopping(self) -> bool:
        """Whether it was cancelled and is about to go."""
        return (self.folder / CANCELLED).is_file()

    @property
    def mine(self) -> bool:
        """Whether whoever is at this browser may stop it: they have started it, or own the server."""
        return access.may_stop(self.owner)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return 0.0 if self.started_at is None else time.time() - self.started_at

    def tail(self, count: int = LAST_LINES) -> list[str]:
        """The last lines it has said, for people."""
        return [str(one) for one in processes.said(self.folder)[-count:]]

    def stages(self) -> list[ProgressEvent]:
        """The stages that it has begun, in order, each as far as it has come."""
        found = [one for one in processes.said(self.folder) if isinstance(one, ProgressEvent)]
        return list({event.stage: event for event in found}.values())

    def progress(self) -> ProgressEvent | None:
        """How far it is in its present stage; None before it has said so."""
        return next(reversed(self.stages()), None)

    def errors(self) -> list[str]:
        """What it has complained about."""
        return [one.text for one in processes.said(self.folder) if isinstance(one, Remark) and one.kind == "error"]

    def cancel(self, *, keep: bool = False) -> None:
        """Stop it, with whatever it has started; nothing of it stays, or with `keep` what a build can go on from."""
        with _lock, suppress(FileNotFoundError):
            (self.folder / CANCELLED).write_text(KEEP if keep else "", encoding="utf-8")
            if self.started_at is None and processes.process(self.folder) is None:
                if not _keep(self.folder):
                    _remove_half(self.folder)  # of a build that was to be resumed there is something
                    shutil.rmtree(self.folder, ignore_errors=True)
            else:
                processes.send(self.folder, signal.SIGTERM)

    def discard(self) -> None:
        """Forget one that has failed, and what there is of the workspace that it was to make, unless that is published."""
        if self.failed:
            _remove_half(self.folder)
            self.dismiss()

    def dismiss(self) -> None:
        """Forget one that has failed."""
        if self.failed:
            shutil.rmtree(self.folder, ignore_errors=True)


_lock = threading.RLock()
_pumping: set[Path] = set()  # queues whose jobs this process is starting


def enqueue(workspace: influence.Workspace, command: str, *options: str, **more: Any) -> None:
    """Start a command on a workspace when those before it have ended; nothing if the same is waiting or running.

    `more`: title, key and about, see `enqueue_in`. Raises `WorkspaceError` where the server's own folder cannot be written.
    """
    path = workspace.path.resolve()
    queue = state.made_for(path, among=path.parent)
    enqueue_in(queue, command, "--workspace", str(path), *options, **more)


def enqueue_in(
    queue: Path, command: str, *options: str, title: str, key: str, makes: Path | None = None, about: dict[str, Any] | None = None
) -> None:
    """The same in any queue's folder. `makes`: the workspace that the command builds.

    Where it was cancelled or its input was bad, what there is of that workspace goes, unless it has been published.
    """
    with _lock:
        for job in jobs_in(queue):
            if job.key == key and not job.failed and not job.stopping:
                return
            if job.key == key:
                job.dismiss()
        folder = queue / JOBS / f"{time.time_ns():020}-{secrets.token_hex(4)}"
        content = {"command": command, "options": list(options), "title": title, "key": key, "made_at": time.time()}
        content |= {"makes": None if makes is None else str(makes), "about": about or {}, "owner": access.who()}
        try:
            folder.mkdir(parents=True)
            write_json(folder / JOB, content)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise influence.WorkspaceError(f"nothing can be started: {str(folder)!r}: {error.strerror or error}") from error
    _pump(queue)


def jobs(workspace: influence.Workspace) -> list[Job]:
    """The workspace's jobs, those that run first, then those that wait, then those that have failed."""
    return jobs_of(workspace.path)


def jobs_of(path: Path) -> list[Job]:
    """The same of the workspace at a path, which need not be one that opens."""
    path = path.resolve()
    return jobs_in(state.place_of(path, among=path.parent))


def forget(path: Path) -> None:
    """Forget the jobs that have failed on a workspace that has been deleted or renamed."""
    for job in jobs_of(path):
        job.dismiss()


def jobs_in(queue: Path | None) -> list[Job]:
    """The same of any queue's folder; none where there is no folder to be trusted."""
    places = [] if queue is None else sorted((queue / JOBS).glob(f"*/{JOB}"))
    found = [job for path in places if (job := _read(path.parent)) is not None]
    if queue is not None and any(not job.failed for job in found):
        _pump(queue)  # another server may have left them
    return sorted(found, key=lambda job: (job.failed, job.started_at is None))


def _read(folder: Path) -> Job | None:
    try:
        content = json.loads((folder / JOB).read_text(encoding="utf-8"))
        started = processes.process(folder)
        makes = Path(content["makes"]) if content.get("makes") else None
        known = {name: content[name] for name in ("command", "title", "key", "made_at", "options", "about")}
        owner = str(content.get("owner", ""))
        return Job(folder=folder, started_at=started["at"] if started else None, makes=makes, owner=owner, **known)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it has just gone, or is not one of ours


def _pump(queue: Path) -> None:
    """See to it that somebody starts the queue's jobs one after the other."""
    with _lock:
        if queue in _pumping:
            return
        _pumping.add(queue)
    threading.Thread(target=_work_off, args=(queue,), daemon=True, name="wordtrace-jobs").start()


def _work_off(queue: Path) -> None:
    try:
        while True:
            with _turn(queue) as mine:
                while mine and (folder := _next(queue)) is not None:
                    _see_through(folder)
            with _lock:
                if not mine or _next(queue) is None:
                    _pumping.discard(queue)
                    return
    except BaseException:
        with _lock:
            _pumping.discard(queue)
        raise


@contextmanager
def _turn(queue: Path) -> Iterator[bool]:
    """Whether this process is the one that starts the queue's jobs, until the block ends."""
    with (queue / LOCK).open("a") as file:
        yield take(file.fileno(), wait=0.0)


def _next(queue: Path) -> Path | None:
    """The job that runs, else the one that has waited longest."""
    found = [path.parent for path in sorted((queue / JOBS).glob(f"*/{JOB}")) if not (path.parent / CODE).is_file()]
    return min(found, key=lambda folder: (not (folder / PROCESS).is_file(), folder.name), default=None)


def _see_through(folder: Path) -> None:
    """Start a job, unless it runs already, wait for its end, and tidy up."""
    with _lock:
        process = None if (folder / PROCESS).is_file() else _start(folder)
    while processes.is_alive(folder) if process is None else process.poll() is None:
        marker = folder / CANCELLED
        with suppress(FileNotFoundError):
            if time.time() - marker.stat().st_mtime > PATIENCE:
                processes.send(folder, signal.SIGKILL)
        time.sleep(POLL)
    code, cancelled = processes.code(folder) if process is None else process.returncode, (folder / CANCELLED).is_file()
    if cancelled and _keep(folder):
        return
    if cancelled or code == BAD_INPUT:
        _remove_half(folder)
    if code == 0 or cancelled:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):  # it was dismissed
            _note_failure(folder, code)


def _keep(folder: Path) -> bool:
    """Keep a cancelled build as one that can go on, if that was wanted and it has made anything; whether it is kept."""
    job, wanted = _read(folder), (folder / CANCELLED).read_text(encoding="utf-8") == KEEP
    if not (wanted and job is not None and job.makes is not None and any(job.makes.glob("builds/*/build.json"))):
        return False
    _note_failure(folder, STOPPED)
    (folder / CANCELLED).unlink()
    return True


def _note_failure(folder: Path, code: int) -> None:
    try:
        (folder / CODE).write_text(str(code), encoding="utf-8")
    except FileNotFoundError:
        raise
    except OSError:  # the disk is full; a name for a file that is there takes no room
        (folder / CODE).unlink(missing_ok=True)
        (folder / CODE).hardlink_to(folder / JOB)


def _remove_half(folder: Path) -> None:
    """Remove what a build that came to nothing has left of the workspace it was to make."""
    job = _read(folder)
    if job is None or job.makes is None or not job.makes.is_dir() or os.path.lexists(job.makes / "workspace.json"):
        return
    with suppress(influence.WorkspaceError), build_lock(job.makes):  # somebody may be building there on the command line
        shutil.rmtree(job.makes, ignore_errors=True)


def _start(folder: Path) -> subprocess.Popen[bytes] | None:
    """Start a job's process; None where it was cancelled a moment ago, or cannot be started."""
    try:
        content = json.loads((folder / JOB).read_text(encoding="utf-8"))
        return processes.start(folder, [content["command"], *content["options"]])
    except OSError as error:
        with suppress(OSError):
            said = Remark(f"it cannot be started: {error.strerror or error}", "error").as_json()
            (folder / SAID).write_text(f"{said}\n", encoding="utf-8")
        return None
