"""Matching a regular expression or an SQL condition in a process of its own, which is killed when it is over its limits."""

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from influence.errors import SettingsError

JUDGE = Path(__file__).with_name("judge_tables.py")
TIMEOUT, START = 10.0, 60.0  # seconds, of the matching and until it begins
MEMORY = 1 << 30  # bytes
LONGEST_PATTERN = 5_000
TICK = 0.1  # seconds between looks at the clock
AT_ONCE = 2  # rules that a process has matched side by side
BYTES_A_MATCH, BYTES_BESIDE = 12, 1 << 16  # of an answer
KEPT = 64  # answers

_turns = threading.BoundedSemaphore(AT_ONCE)
_kept: dict[tuple[Any, ...], list[int]] = {}


class Judge:
    """Asks which examples of a build, by their place in the data's order, an expression matches."""

    def __init__(self, results: Path, examples: int, *, timeout: float = TIMEOUT, memory: int = MEMORY) -> None:
        self._results, self._examples, self._timeout, self._memory = results, examples, timeout, memory

    def matching_regex(self, pattern: str, *, ignore_case: bool, tick: Callable[[], object] = int) -> list[int]:
        """The examples either of whose texts an RE2 expression matches somewhere.

        `tick` is called while that takes; where it raises, the process is ended. Raises `SettingsError` for an expression
        that does not compile, or that takes too long or too much memory.
        """
        about = f"the regular expression {_shown(pattern)}"
        return self._asked({"regex": pattern, "ignore_case": ignore_case}, pattern, about, tick)

    def matching_sql(self, condition: str, *, tick: Callable[[], object] = int) -> list[int]:
        """The examples for which an SQL condition over the columns is true. `tick` and errors as in `matching_regex`."""
        return self._asked({"sql": condition}, condition, f"the condition {_shown(condition)}", tick)

    def _asked(self, question: dict[str, Any], pattern: str, about: str, tick: Callable[[], object]) -> list[int]:
        if len(pattern) > LONGEST_PATTERN:
            raise SettingsError(f"a rule of {len(pattern):,} characters; the most is {LONGEST_PATTERN:,}")
        try:
            pattern.encode()
        except UnicodeEncodeError as error:
            raise SettingsError(f"{about} is not valid Unicode text (half of a surrogate pair)") from error
        # A build's results never change, so its file's name and date say which they are.
        key = (str(self._results), self._results.stat().st_mtime_ns, *sorted(question.items()))
        if key not in _kept:
            answer = self._answer(question, about, tick)
            if "places" not in answer:
                how = "cannot be evaluated: " if answer["when"] == "evaluating" else ""
                raise SettingsError(f"{about} {how}{answer['error']}")
            while len(_kept) >= KEPT:
                with suppress(KeyError, StopIteration):
                    del _kept[next(iter(_kept))]
            _kept[key] = answer["places"]
        return list(_kept[key])

    def _answer(self, question: dict[str, Any], about: str, tick: Callable[[], object]) -> dict[str, Any]:
        started = time.monotonic()
        while not _turns.acquire(timeout=TICK):
            tick()
            if time.monotonic() - started > 3 * self._timeout:
                raise SettingsError(f"{about} has not been tried: others are being matched; try again")
        try:
            return self._run(question, about, tick)
        finally:
            _turns.release()

    def _run(self, question: dict[str, Any], about: str, tick: Callable[[], object]) -> dict[str, Any]:
        limits = {"seconds": int(self._timeout) + 1, "bytes": self._memory}
        request = json.dumps({"results": str(self._results.resolve()), **limits, **question}).encode()
        process = subprocess.Popen(
            [sys.executable, "-I", str(JUDGE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(request)
                process.stdin.close()
            said = self._heard(process.stdout, about, tick)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        try:
            return dict(json.loads(said))
        except ValueError as error:  # it was ended before it could answer
            raise SettingsError(
                f"{about} needs more than {self._memory >> 20:,} MB of memory, or ended DuckDB; make it simpler"
            ) from error

    def _heard(self, pipe: IO[bytes], about: str, tick: Callable[[], object]) -> bytes:
        """All that the process says. Raises `SettingsError` where that takes too long, or is more than any answer."""
        # On a busy machine it takes its time to start, which is no fault of the expression's.
        ends, most = time.monotonic() + START, self._examples * BYTES_A_MATCH + BYTES_BESIDE
        said = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(pipe, selectors.EVENT_READ)
            while (left := ends - time.monotonic()) > 0 and len(said) <= most:
                if ready.select(min(left, TICK)):
                    part = os.read(pipe.fileno(), 1 << 16)
                    if not part:
                        return bytes(said)
                    if not said:
                        ends = time.monotonic() + self._timeout  # the first it says is that it begins
                    said += part
                else:
                    tick()
        if len(said) > most:
            raise SettingsError(f"{about} gives more than any answer")
        raise SettingsError(f"{about} took longer than {self._timeout:g} s; make it simpler")


def _shown(pattern: str) -> str:
    return repr(pattern if len(pattern) <= 80 else pattern[:80] + "…")
