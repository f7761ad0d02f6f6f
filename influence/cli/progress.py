"""What a command writes on stderr beside its results: progress, notes and errors, as lines for people or for programs.

With WORDTRACE_PROGRESS=json in the environment each is a JSON object on a line of its own, times in seconds:

    {"stage": "gradients", "number": 1, "out_of": 5, "examples": "test", "done": 32, "total": 640, "seconds": 2.1, "left": 39.9}
    {"note": "3 of 4,000 train texts were cut at 128 tokens (--max-length)"}
    {"error": "--top 0: must be 1 or more"}

`number`, `out_of` and `examples` are left out where a stage has none, `left` is null while it is not known. What libraries
write themselves comes between as it is.
"""

import json
import math
import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self, TextIO

from influence.types import Progress, Stage

FOR_PROGRAMS = {"WORDTRACE_PROGRESS": "json"}
REDRAWN, WRITTEN = 0.2, 2.0  # seconds between states of a stage, on a terminal and for programs (at most)
PARTS = ("number", "out_of", "examples")


@dataclass(frozen=True)
class ProgressEvent:
    """How far a stage is."""

    stage: Stage
    done: int
    total: int
    seconds: float  # since its first report
    left: float | None  # seconds; None while unknown

    @property
    def finished(self) -> bool:
        """Whether the stage has ended."""
        return self.done >= self.total

    @property
    def share(self) -> float:
        """The part that is done, 0 to 1."""
        return 1.0 if self.finished else self.done / self.total

    @property
    def time(self) -> str:
        """How long it took, or has left, in words; empty while unknown."""
        if self.finished:
            return duration(self.seconds)
        return "" if self.left is None else f"{duration(self.left)} left"

    def __str__(self) -> str:
        if self.finished:
            return f"{self.stage}: done in {self.time}"
        left = f", {self.time}" if self.time else ""
        return f"{self.stage}: {self.done:,} of {self.total:,} ({self.share:.0%}){left}"

    def as_json(self) -> str:
        """The line for programs."""
        parts = {name: value for name in PARTS if (value := getattr(self.stage, name))}
        left = None if self.left is None else round(self.left, 2)
        times = {"seconds": round(self.seconds, 2), "left": left}
        return json.dumps({"stage": self.stage.kind, **parts, "done": self.done, "total": self.total, **times})


@dataclass(frozen=True)
class Remark:
    """A line that tells of no progress: an error, a note, or what a library has written."""

    text: str
    kind: str = ""  # error, note, or empty

    def __str__(self) -> str:
        name = "wordtrace" if self.kind == "error" else self.kind
        return f"{name}: {self.text}" if name else self.text

    def as_json(self) -> str:
        """The line for programs."""
        return json.dumps({self.kind: self.text})


def read_line(line: str) -> ProgressEvent | Remark:
    """What a line of such a command says; one that is not written for programs is a remark without a kind."""
    try:
        found = json.loads(line) if line.startswith("{") else {}
        if "stage" in found:
            return _event(found)
        [(kind, text)] = found.items()
        return Remark(str(text), kind) if kind in ("error", "note") else Remark(line)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Remark(line)


def _event(found: dict[str, object]) -> ProgressEvent:
    """The event of a JSON object. Raises `ValueError`, `TypeError`, `KeyError` or `OverflowError` where it is none."""
    numbers = {name: int(str(found.get(name, 0))) for name in ("number", "out_of")}
    stage = Stage(str(found["stage"]), examples=str(found.get("examples", "")), **numbers)
    done, total = int(str(found["done"])), int(str(found["total"]))
    seconds, left = float(str(found["seconds"])), None if found["left"] is None else float(str(found["left"]))
    if not (0 <= done < 1 << 63 and 0 <= total < 1 << 63 and all(math.isfinite(value or 0.0) for value in (seconds, left))):
        raise ValueError("out of range")
    return ProgressEvent(stage, done, total, seconds, left)


def remark(text: str, kind: str = "note") -> None:
    """Write a note or an error on stderr."""
    said = Remark(text, kind)
    print(said.as_json() if _for_programs() else said, file=sys.stderr)


def after_notes(notes: Iterable[str], progress: Progress) -> Progress:
    """A progress callback that writes notes first, as soon as there is progress: bad input is found before, and is one line."""
    left = list(notes)

    def report(stage: str, done: int, total: int) -> None:
        while left:
            remark(left.pop(0))
        progress(stage, done, total)

    return report


class ProgressLine:
    """A progress callback that writes to a stream; on a terminal the line is redrawn, elsewhere repeated every so often."""

    def __init__(self, stream: TextIO, *, every: float = 10.0) -> None:
        self._stream, self._json = stream, _for_programs()
        self._terminal = stream.isatty() and not self._json
        self._every = REDRAWN if self._terminal else min(every, WRITTEN) if self._json else every
        self._stage = ""
        self._first = 0  # how much was done at the stage's first report
        self._started = self._shown = 0.0
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._end_line()
            self._stage, self._first, self._started, self._shown = stage, done, now, 0.0
        if done < total and now - self._shown < self._every:
            return
        self._shown, elapsed = now, now - self._started
        # The clock starts at the first report, so what was done by then tells nothing about speed.
        new = done - self._first
        left = elapsed / new * (total - done) if new and done < total else None
        self._draw(ProgressEvent(Stage.of(stage), done, total, elapsed, left))

    def _draw(self, event: ProgressEvent) -> None:
        if self._terminal:
            self._stream.write(f"\r\x1b[K{event}")
            self._drawn = True
            if event.finished:
                self._end_line()
        else:
            self._stream.write(f"{event.as_json() if self._json else event}\n")
        self._stream.flush()

    def _end_line(self) -> None:
        if self._drawn:
            self._stream.write("\n")
            self._drawn = False


def _for_programs() -> bool:
    return FOR_PROGRAMS.items() <= os.environ.items()


def duration(seconds: float, *, rounded: bool = False) -> str:
    """Seconds as people say them: 4.2 s, 48 s, 3 min 05 s, 1 h 05 min; rounded, for a sentence: 4 s, 3 min 5 s, 1 h 5 min."""
    if seconds < 10 and not rounded:
        return f"{seconds:.1f} s"
    whole, digits = round(seconds), "d" if rounded else "02d"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:{digits}} s"
    return f"{whole // 3600} h {whole % 3600 // 60:{digits}} min"


def size(count: int) -> str:
    """Bytes in the largest unit that leaves a digit before the point."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def size_in_words(parts: Mapping[str, int]) -> str:
    """Bytes of all parts together, and the three largest by name: 199 MB (checkpoints 108 MB, index 67 MB, results 13 MB)."""
    largest = sorted(parts, key=lambda name: -parts[name])[:3]
    return f"{size(sum(parts.values()))} ({', '.join(f'{name} {size(parts[name])}' for name in largest)})"
