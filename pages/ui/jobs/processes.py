"""The process of a job: started so that its exit code and its complaint stay on disk, found again by another server.

FOLDER/process.json    which process it is
FOLDER/said            what it says on stderr, for programs: see `influence.cli`
FOLDER/ended           its exit code, written as it ends, whether or not a server is there
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from influence.cli import FOR_PROGRAMS, ProgressEvent, Remark, read_line
from influence.files import write_json

ROOT = Path(__file__).parents[3]
PROCESS, SAID, ENDED = "process.json", "said", "ended"
# The shell stays to write the exit code down, which only a parent hears: the server may be another one by then.
# A signal to both ends the command first: while it is there, nobody tidies up behind it.
RECORD = 'trap : TERM INT; "$@"; code=$?; echo $code > "$0.new"; mv "$0.new" "$0"; exit $code'
KILLED = 137  # the exit code of one that was stopped from outside before it could say anything
SAID_BYTES = 256 << 10  # reserved, so that "disk full" can still be said on a full disk
NICER = 10  # than the server, so that pages stay quick


def start(folder: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start `python -m influence` with arguments. Raises `OSError` where the folder cannot be written."""
    with (folder / SAID).open("wb") as said:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(said.fileno(), 0, SAID_BYTES)
        process = subprocess.Popen(
            ["sh", "-c", RECORD, str(folder / ENDED), sys.executable, "-m", "influence", *arguments],
            cwd=ROOT, env=os.environ | FOR_PROGRAMS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            start_new_session=True,
        )  # fmt: skip
    with suppress(OSError):
        os.setpriority(os.PRIO_PGRP, process.pid, NICER)  # the shell, and what it may have started by now
    try:
        write_json(folder / PROCESS, {"pid": process.pid, "born": _born(process.pid), "at": time.time()})
    except OSError:
        os.killpg(process.pid, signal.SIGKILL)  # nobody could find it again
        process.wait()
        raise
    return process


def said(folder: Path) -> list[ProgressEvent | Remark]:
    """Everything it has said; of a line that was drawn over, and of a stage in its course, the last state."""
    try:
        text = (folder / SAID).read_bytes().rstrip(b"\0").decode("utf-8", "replace")
    except OSError:
        return []
    found: list[ProgressEvent | Remark] = []
    for line in text.splitlines():
        if shown := line.rsplit("\r", 1)[-1].strip():
            one = read_line(shown)
            if found and _stage(one) is not None and _stage(one) == _stage(found[-1]):
                found.pop()
            found.append(one)
    return found


def _stage(one: ProgressEvent | Remark) -> str | None:
    return one.stage if isinstance(one, ProgressEvent) else None


def code(folder: Path) -> int:
    """The exit code that was written down; `KILLED` where none was."""
    try:
        return int((folder / ENDED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return KILLED


def process(folder: Path) -> dict[str, float] | None:
    """Its number, when it was born by the system's clock, and when it was started; None before that."""
    try:
        return dict(json.loads((folder / PROCESS).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def is_alive(folder: Path) -> bool:
    """Whether it runs."""
    found = process(folder)
    return found is not None and _born(int(found["pid"])) == found["born"]


def send(folder: Path, which: signal.Signals) -> None:
    """Send a signal to it and whatever it has started."""
    found = process(folder)
    if found is not None and is_alive(folder):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(int(found["pid"]), which)


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
