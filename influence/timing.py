"""How long each stage of a long work takes, from its own reports of progress, and how long with more to do."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from influence.types import Progress, Stage, StageKind

STALLED = 2.0  # times the usual pace, beyond which a stage's mean pace is that of a process that was left standing


@dataclass
class StageTime:
    """What a stage's reports said: (seconds passed, processor seconds, done) at its begin, its first and its last report."""

    begin: tuple[float, float, int]
    first: tuple[float, float, int]
    last: tuple[float, float, int]
    total: int  # of one epoch or checkpoint
    number: int = 0  # of the epoch or checkpoint that reported last
    reached: int = 0  # of it
    before: int = 0  # of those before it together
    paces: list[tuple[float, float]] = field(default_factory=list)  # between reports: seconds, and of the processor, a unit

    def scaled(self, which: int, factor: float) -> float:
        """The whole stage's seconds (`which` 0: passed, 1: of the processor) when it has `factor` times as much to do.

        What comes before the first report is made once: a library's first steps take many times as long as the others.
        """
        start = self.first[which] - self.begin[which]
        new = self.last[2] - self.first[2]
        if new <= 0:
            return start * factor
        each = (self.last[which] - self.first[which]) / new
        if self.paces:  # a busy machine may leave a process standing once for longer than all else takes
            each = min(each, STALLED * median(pace[which] for pace in self.paces))
        return start + each * max(0.0, factor * self.total - self.first[2])


class Clock:
    """Times the stages by their progress reports."""

    def __init__(self, progress: Progress) -> None:
        self.stages: dict[str, StageTime] = {}
        self.named: dict[str, str] = {StageKind.RESULTS: StageKind.RESULTS}
        self._progress, self._before = progress, (time.monotonic(), time.process_time(), 0)

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = (time.monotonic(), time.process_time(), done)
        kind = Stage.of(stage).all_numbers
        if kind in self.stages:
            found = self.stages[kind]
            if Stage.of(stage).number != found.number:
                found.before, found.number = found.before + found.reached, Stage.of(stage).number
            new, found.reached = found.before + done - found.last[2], done
            passed, worked = now[0] - self._before[0], now[1] - self._before[1]  # other stages may have come between
            found.last = (found.last[0] + passed, found.last[1] + worked, found.before + done)
            if new > 0:
                found.paces.append((passed / new, worked / new))
        else:
            self.stages[kind] = StageTime(self._before, now, now, total, number=Stage.of(stage).number, reached=done)
            self.named[kind] = Stage.of(stage)
        self._before = now
        self._progress(StageKind.SAMPLE, len(self.stages), len(self.stages) + 1)

    def by_kind(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """The seconds of stages by their kinds: those of training and test texts together."""
        found: dict[str, float] = {}
        for name, each in seconds.items():
            kind = Stage.of(self.named[name]).kind
            found[kind] = found.get(kind, 0.0) + each
        return found

    def stop(self) -> None:
        """The time since the last report belongs to closing the results."""
        now = (time.monotonic(), time.process_time(), 1)
        self.stages[StageKind.RESULTS] = StageTime(self._before, now, now, 1)
