"""Commands that run beside the server: suspects and clusters of a workspace, started by a button.

A process of its own, for its computing would hold up every page. It works in the workspace as the command line does,
under the same lock, so whoever starts the same by hand is told.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import influence

ROOT = Path(__file__).parents[3]
LAST_LINES = 6


@dataclass
class Job:
    """One command that was started here, with the file that holds what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it has ended badly."""
        return self.process.poll() not in (None, 0)

    def tail(self) -> list[str]:
        """The last lines it has said."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        lines = [line.rsplit("\r", 1)[-1].strip() for line in text.splitlines()]
        return [line for line in lines if line][-LAST_LINES:]

    def cancel(self) -> None:
        """Stop it, with whatever it has started."""
        if self.running:
            os.killpg(self.process.pid, signal.SIGTERM)


_jobs: dict[tuple[str, str], Job] = {}
_lock = threading.Lock()


def start(workspace: influence.Workspace, command: str, *options: str) -> None:
    """Start a command on a workspace, unless it is running."""
    key = (str(workspace.path.resolve()), command)
    with _lock:
        if key in _jobs and _jobs[key].running:
            return
        handle, name = tempfile.mkstemp(prefix=f"wordtrace-{command}-", suffix=".log")
        arguments = [sys.executable, "-m", "influence", command, "--workspace", key[0], *options]
        with os.fdopen(handle, "wb") as log:
            process = subprocess.Popen(
                arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
            )
        if key in _jobs:
            _jobs[key].log.unlink(missing_ok=True)
        _jobs[key] = Job(process, Path(name))


def found(workspace: influence.Workspace, command: str) -> Job | None:
    """The command's latest run on a workspace that was started here."""
    return _jobs.get((str(workspace.path.resolve()), command))
