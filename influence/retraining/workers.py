"""Retraining in several processes of one thread each: the fastest way to use a CPU with several cores.

A run's steps are too small to be split over threads: on two cores two threads made the AG News CNN no faster, and several
times slower where other programs wanted the cores too. Two runs side by side share nothing and take a core each.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from influence.errors import ModelError
from influence.retraining.change import Run
from influence.retraining.tables import Outcome
from influence.workspace import WorkspaceReader

START_SECONDS = 6.0  # for a process to import PyTorch and read the data
POLL_SECONDS = 0.2


def cores() -> int:
    """How many cores this process may use, as the system and OMP_NUM_THREADS say."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores_there(), int(asked)) if asked.isdecimal() and int(asked) else cores_there()


def cores_there() -> int:
    """How many cores the system lets this process run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def busy() -> float:
    """How many other processes have wanted a core, over the last minute; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def expected_seconds(runs: int, processor: float, cores: int, busy: float, there: int | None = None) -> float:
    """How long so many runs of so many seconds of one core each take on so many cores, `busy` others wanting them, too.

    Of the cores that are `there` (None: no more than that) whoever wants one gets as much as any other; starting up counts once.
    """
    processes, there = worth_processes(runs, processor, cores) or 1, there or cores
    share = min(1.0, there / (processes + busy))
    return START_SECONDS / min(1.0, there / (1 + busy)) + runs * processor / (processes * share)


def worth_processes(runs: int, seconds: float, cores: int) -> int:
    """How many processes finish so many runs of so many seconds soonest; 0: none, one run after another in this one.

    Fewer than two runs a core all start at once and share the cores; otherwise some cores would be idle at the end.
    """
    processes = runs if runs < 2 * cores else cores
    soonest = START_SECONDS + runs * seconds / max(min(runs, cores), 1)
    return processes if min(runs, cores) > 1 and soonest < runs * seconds else 0


def in_processes(
    workspace: WorkspaceReader,
    runs: Sequence[Run],
    tests: Sequence[int],
    *,
    frozen: bool,
    processes: int,
    step: Callable[[int], None],
) -> Iterator[tuple[Run, Outcome]]:
    """Train the runs in that many processes and yield each as it finishes, with what it left.

    `step` is called a few times a second with the number of steps taken, and may raise to stop: the processes are gone
    when this ends, however it ends. Raises `ModelError` where a run fails or a process dies.
    """
    messages: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
    waiting, workers = list(runs), []
    prepare = {
        "workspace": str(workspace.path),
        "masking": [asdict(change) for change in {run.change for run in runs if run.change.masked}],
        "tests": list(tests),
        "frozen": frozen,
    }
    try:
        for _ in range(min(processes, len(runs))):
            workers.append(_Worker(prepare, messages))
            workers[-1].ask(waiting.pop(0))
        left = len(runs)
        while left:
            try:
                worker, message = messages.get(timeout=POLL_SECONDS)
            except queue.Empty:
                step(0)
                continue
            if message is None or "error" in message:
                raise ModelError(worker.how_it_ended() if message is None else message["error"])
            step(message.get("steps", 0))
            if "found" in message:
                run, left = worker.run, left - 1
                if waiting:
                    worker.ask(waiting.pop(0))
                found_MY = np.array(message["found"], dtype=np.float32)
                yield run, Outcome(found_MY, message["seconds"], message["processor"])
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process, and the thread that passes on its messages, then None when there are no more."""

    def __init__(self, prepare: dict[str, Any], messages: "queue.Queue[Any]") -> None:
        # A session of its own: an interrupt from the terminal is for the process that asked, which then ends this one.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "influence.retraining.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            start_new_session=True,
        )
        self._say(prepare)
        self._reader = threading.Thread(target=self._pass_on, args=(messages,), daemon=True)
        self._reader.start()

    def _pass_on(self, messages: "queue.Queue[Any]") -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            messages.put((self, json.loads(line)))
        messages.put((self, None))

    def ask(self, run: Run) -> None:
        self.run = run
        self._say({"seed": run.seed, "change": asdict(run.change)})

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died then, and the reader passes that on
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def how_it_ended(self) -> str:
        code = self._process.wait()
        why = "it may have run out of memory" if code < 0 else "see above"
        return f"a process that was retraining ended unexpectedly (exit code {code}; {why}); run the same command again"

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
