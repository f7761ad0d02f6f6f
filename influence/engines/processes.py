"""Processes on this machine: the fastest way to use a CPU with several cores for small steps, and several cards.

A training's steps are too small to be split over threads: on two cores two threads made the AG News CNN no faster, and several
times slower where other programs wanted the cores too. Two side by side share nothing and take a core each.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from influence.engines.engine import Arguments, Finished, Step, Work, finished, name_of
from influence.errors import EngineError

POLL_SECONDS = 0.2
VISIBLE = "CUDA_VISIBLE_DEVICES"


def cards(count: int) -> list[dict[str, str]]:
    """For each of so many cards that this process sees, the environment of a process that sees that one alone."""
    seen = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return [{VISIBLE: seen[card] if card < len(seen) else str(card)} for card in range(count)]


class Processes:
    """An engine of processes on this machine; a place is the environment variables that make a process's own share of it."""

    def __init__(self, places: Sequence[Mapping[str, str]], device: str = "cpu") -> None:
        self._places, self.device = list(places), device

    @property
    def places(self) -> int:
        """How many processes there are."""
        return len(self._places)

    def run(
        self, work: Work, tasks: Sequence[Arguments], *, threads: int = 1, retries: int = 0, step: Step = lambda _steps: None
    ) -> Iterator[Finished]:
        """See `Engine`."""
        crew = _Crew(name_of(work), tasks, threads, retries)
        try:
            for place in self._places[: len(tasks)]:
                crew.start(place)
            while crew.left:
                process, message = crew.hear()
                if process is None or "steps" in message:
                    step(message.get("steps", 0))
                else:
                    yield from crew.ended(process, message)
        finally:
            crew.end()

    def hold(self, work: Work, arguments: Arguments) -> "Holders":
        """See `Engine`."""
        return Holders(self._places, work, arguments)


class Holders:
    """A process at each place, who answer until they are closed. See `Held`."""

    def __init__(self, places: Sequence[Mapping[str, str]], work: Work, arguments: Arguments) -> None:
        self._work, self._arguments, self._one_asks = name_of(work), dict(arguments), threading.Lock()
        self._processes = [_Process(place, 1, queue.Queue()) for place in places]

    def ask(self, asked: Arguments) -> list[Any]:
        """What each answers, in order of place."""
        with self._one_asks:
            count = len(self._processes)
            for number, process in enumerate(self._processes):
                arguments = {**self._arguments, **asked, "share": [number, count]}
                process.say({"work": self._work, "arguments": arguments, "threads": 1})
            answers = [self._answer(process) for process in self._processes]
        return [finished(number, answer).value for number, answer in enumerate(answers)]

    def _answer(self, process: "_Process") -> dict[str, Any]:
        while True:
            _, message = process.messages.get()
            if not message:
                return {"error": process.how_it_ended(), "kind": EngineError.__name__}
            if "steps" not in message:
                return dict(message)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.end()


class _Crew:
    """The processes of one `run`, and what waits for them."""

    def __init__(self, work: str, tasks: Sequence[Arguments], threads: int, retries: int) -> None:
        self._work, self._tasks, self._threads = work, tasks, threads
        self._tries = [1 + retries] * len(tasks)  # that are left
        self._waiting = deque(range(len(tasks)))
        self._running: list[_Process] = []
        self._messages: queue.Queue[tuple[_Process, dict[str, Any]]] = queue.Queue()
        self.left = len(tasks)

    def start(self, place: Mapping[str, str]) -> None:
        """A process at a place, with something to do."""
        process = _Process(place, self._threads, self._messages)
        self._running.append(process)
        self._next(process)

    def _next(self, process: "_Process") -> None:
        process.task = task = self._waiting.popleft() if self._waiting else None
        if task is not None:
            self._tries[task] -= 1
            process.say({"work": self._work, "arguments": dict(self._tasks[task]), "threads": self._threads})

    def hear(self) -> tuple["_Process | None", dict[str, Any]]:
        """What a process says, or nothing for a while; a process says nothing, in the end, when it has ended."""
        try:
            return self._messages.get(timeout=POLL_SECONDS)
        except queue.Empty:
            return None, {}

    def ended(self, process: "_Process", message: Mapping[str, Any]) -> Iterator[Finished]:
        """A piece of work has ended, or the process, most often in the middle of one."""
        task = process.task
        if message:
            self._next(process)
        else:
            self._running.remove(process)
            process.end()
            if task is not None and self._tries[task]:
                self._waiting.appendleft(task)
                task = None
            if self._waiting:
                self.start(process.place)
        if task is not None:
            self.left -= 1
            yield finished(task, message) if message else Finished(task, None, EngineError(process.how_it_ended()))

    def end(self) -> None:
        """End all processes."""
        for process in self._running:
            process.end()


class _Process:
    """A process, and the thread that passes on its messages, then an empty one when there are no more."""

    task: int | None = None

    def __init__(self, place: Mapping[str, str], threads: int, messages: "queue.Queue[Any]") -> None:
        self.place, self.messages = place, messages
        # A session of its own: an interrupt from the terminal is for the process that asked, which then ends this one.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "influence.engines.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "OMP_NUM_THREADS": str(threads),
                "MKL_NUM_THREADS": str(threads),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                **place,
            },
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._pass_on, args=(messages,), daemon=True)
        self._reader.start()

    def _pass_on(self, messages: "queue.Queue[Any]") -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            messages.put((self, json.loads(line)))
        messages.put((self, {}))

    def say(self, message: Mapping[str, Any]) -> None:
        """Write one line to it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died then, and the reader passes that on
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def how_it_ended(self) -> str:
        """A sentence about a process that has."""
        code = self._process.wait()
        why = "it may have run out of memory" if code < 0 else "see above"
        return f"a process that was working ended unexpectedly (exit code {code}; {why}); run the same command again"

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
