"""Progress on a terminal or in a log: one line a stage, with the time it has left."""

import time
from typing import Self, TextIO


class ProgressLine:
    """A progress callback that writes to a stream; on a terminal the line is redrawn, elsewhere repeated every so often."""

    def __init__(self, stream: TextIO, *, every: float = 10.0) -> None:
        self._stream, self._every = stream, every
        self._terminal = stream.isatty()
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
        finished = done >= total
        if finished or now - self._shown >= (0.2 if self._terminal else self._every):
            self._shown = now
            self._draw(self._line(done, total, now - self._started), finished)

    def _line(self, done: int, total: int, elapsed: float) -> str:
        if done >= total:
            return f"{self._stage}: done in {duration(elapsed)}"
        # The clock starts at the first report, so what was done by then tells nothing about speed.
        new = done - self._first
        left = f", {duration(elapsed / new * (total - done))} left" if new else ""
        return f"{self._stage}: {done:,} of {total:,} ({done / total:.0%}){left}"

    def _draw(self, line: str, finished: bool) -> None:
        if self._terminal:
            self._stream.write(f"\r\x1b[K{line}")
            self._drawn = True
            if finished:
                self._end_line()
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def _end_line(self) -> None:
        if self._drawn:
            self._stream.write("\n")
            self._drawn = False


def duration(seconds: float) -> str:
    """Seconds as people say them: 4.2 s, 48 s, 3 min 20 s, 1 h 05 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
