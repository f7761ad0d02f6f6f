"""What a build will take in time, memory and disk, from a small build of the same request on a part of the data.

    estimate = estimate_build(request, train, test)

A part of the rows, drawn at random, goes through every stage of a real build, one epoch long, in a temporary folder, and through
what is made of every build after it. Each stage's time and files are scaled by what they grow with: rows, epochs, checkpoints,
pairs of a test and a training row.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from influence.attribution import QUERY_BLOCK_BYTES
from influence.checkpoints import OPTIMIZER
from influence.data import Dataset, Spread, check_labels, label_names
from influence.errors import SettingsError
from influence.files import file_sizes
from influence.models import Encoding, resolve_device
from influence.types import Progress, Stage, StageKind, silent
from influence.workspace.build_request import BuildRequest
from influence.workspace.builds import BUILDS, publish
from influence.workspace.stages import BuildStages, look_through

SAMPLE_TRAIN, SAMPLE_TEST = 256, 64
LOW, HIGH = 0.8, 1.5  # a small build's first batches wait for caches, and its few rows may be shorter or longer than most
STALLED = 2.0  # times the usual pace, beyond which a stage's mean pace is that of a process that was left standing
TEXT_COPIES = 6  # Python strings, their rows on the way into DuckDB, tokens and spans


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What to expect of a build on this machine."""

    rows: int
    test_rows: int
    sample_rows: int
    sample_test_rows: int
    sample_seconds: float
    epochs: int
    low: float  # seconds on this machine with nothing else to do: from the processor time that the sample took
    expected: float  # seconds while it is as busy as it is now: from the time that passed
    high: float  # the same and a half, as a sample's rows may be shorter than most
    stages: dict[str, float]  # seconds by stage, as busy as now
    kinds: dict[str, float]  # the same by kind of stage: those of training and test texts together
    memory: int  # bytes, the most that is held at once
    disk: int  # bytes that stay
    disk_peak: int  # bytes while it runs
    tokens: Spread  # of a training example, start and end tokens included, cut at `max_length`
    max_length: int
    truncated: float  # share of training examples that are cut there
    device: str


def estimate_build(
    request: BuildRequest,
    train: Dataset,
    test: Dataset,
    *,
    device: str = "auto",
    seed: int = 0,
    progress: Progress = silent,
    after: Callable[[Path, Progress], object] = lambda path, progress: None,
) -> Estimate:
    """Measure a small build, and `after`, what is made of a workspace once it is there; scale both. Raises as a build does."""
    loading = time.process_time()  # what a process takes before it can begin: Python's libraries, the data
    if request.training is None:
        raise SettingsError("an import of checkpoints is not estimated: it trains nothing")
    check_labels(test, names := label_names(train))
    epochs, small = request.training.epochs_for(len(train)), replace(request, training=replace(request.training, epochs=1))
    generator = np.random.default_rng(seed)
    parts = {"train": _part(train, SAMPLE_TRAIN, generator), "test": _part(test, SAMPLE_TEST, generator)}
    pretrained, processor = look_through(request, names), resolve_device(device)
    clock, started = _Clock(progress), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wordtrace-estimate-") as name:
        folder = (home := Path(name) / "sample") / BUILDS / "sample"
        folder.mkdir(parents=True)
        info = BuildStages(folder, small, parts, names, pretrained, processor, clock).run()
        clock.stop()
        files, lengths = file_sizes(folder), _lengths(folder)
        publish(home, folder, info)
        after(home, clock)
    scale = _Scale(len(train) / len(parts["train"]), len(test) / len(parts["test"]), epochs)
    disk, disk_peak = _disk(files, scale)
    return Estimate(
        rows=len(train),
        test_rows=len(test),
        sample_rows=len(parts["train"]),
        sample_test_rows=len(parts["test"]),
        sample_seconds=time.monotonic() - started,
        epochs=epochs,
        **_times(clock, scale, loading),
        memory=_memory(train, test),
        disk=disk,
        disk_peak=disk_peak,
        max_length=request.max_length,
        device=processor.type,
        **lengths,
    )


def _lengths(folder: Path) -> dict[str, Any]:
    """What an estimate says of the texts' lengths."""
    encoding = Encoding.load(folder / "index" / "train" / "encoding")
    return {"tokens": Spread.of(encoding.lengths_N.tolist()), "truncated": float(np.mean(encoding.truncated_N))}


def _times(clock: "_Clock", scale: "_Scale", loading: float) -> dict[str, Any]:
    """What an estimate says of time, once a process has taken `loading` seconds to begin."""
    stages = {name: stage.scaled(0, scale.time(name)) for name, stage in clock.stages.items()}
    alone = sum(stage.scaled(1, scale.time(name)) for name, stage in clock.stages.items()) / torch.get_num_threads()
    expected = loading + sum(stages.values())
    low = LOW * min(loading + alone, expected)
    return {"low": low, "expected": expected, "high": HIGH * expected, "stages": stages, "kinds": clock.by_kind(stages)}


def _disk(files: Mapping[str, int], scale: "_Scale") -> tuple[int, int]:
    """Bytes that stay and bytes at most: beside them, one checkpoint's unsorted gradients or an optimizer's state."""
    disk = sum(size * scale.size(file) for file, size in files.items())
    spool = sum(size * scale.rows for file, size in files.items() if file.startswith("index/train/0/"))
    optimizer = 2 * sum(size for file, size in files.items() if file.endswith(".safetensors"))
    return int(disk), int(disk + max(spool, optimizer))


@dataclass(frozen=True)
class _Scale:
    """How much larger the real build is in training rows and test rows, and how many epochs it has."""

    rows: float
    test_rows: float
    epochs: int

    def time(self, stage: str) -> float:
        """The factor of a stage's time; of one that is not known here that of the rows."""
        factors = {
            StageKind.TOKENIZER: self.rows,
            Stage(StageKind.TOKENIZE, examples="train"): self.rows,
            Stage(StageKind.TOKENIZE, examples="test"): self.test_rows,
            StageKind.CHECK: 1.0,
            StageKind.TRAIN: self.rows * self.epochs,
            Stage(StageKind.GRADIENTS, examples="train"): self.rows * self.epochs,
            Stage(StageKind.GRADIENTS, examples="test"): self.test_rows * self.epochs,
            StageKind.RESULTS: self.rows,
            # A test example costs the same for its stored hundreds whatever N, and a little more for every training row.
            StageKind.INFLUENCES: self.test_rows * (1 + self.epochs * self.rows / SAMPLE_TRAIN),
        }
        return factors.get(stage, self.rows)

    def size(self, file: str) -> float:
        """The factor of a file's size."""
        if file.startswith("checkpoints/"):
            return 1 if "/tokenizer/" in file or file.endswith(OPTIMIZER) else self.epochs
        if file.startswith("index/train/"):
            return self.rows * (1 if "/encoding/" in file else self.epochs)
        if file.startswith("index/test/"):
            return self.test_rows * (1 if "/encoding/" in file else self.epochs)
        return max(self.test_rows, self.rows) if file.endswith(".duckdb") else 1


@dataclass
class _Stage:
    """What a stage's reports said: (seconds passed, processor seconds, done) at its begin, its first and its last report."""

    begin: tuple[float, float, int]
    first: tuple[float, float, int]
    last: tuple[float, float, int]
    total: int
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
            each = min(each, STALLED * float(np.median([pace[which] for pace in self.paces])))
        return start + each * max(0.0, factor * self.total - self.first[2])


class _Clock:
    """Times the stages by their progress reports."""

    def __init__(self, progress: Progress) -> None:
        self.stages: dict[str, _Stage] = {}
        self.named: dict[str, str] = {StageKind.RESULTS: StageKind.RESULTS}
        self._progress, self._before = progress, (time.monotonic(), time.process_time(), 0)

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = (time.monotonic(), time.process_time(), done)
        kind = Stage.of(stage).all_numbers
        if kind in self.stages:
            found, new = self.stages[kind], done - self._before[2]
            found.last = now
            if new > 0:
                found.paces.append(((now[0] - self._before[0]) / new, (now[1] - self._before[1]) / new))
        else:
            self.stages[kind] = _Stage(self._before, now, now, total)
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
        self.stages[StageKind.RESULTS] = _Stage(self._before, now, now, 1)


def _part(data: Dataset, count: int, generator: np.random.Generator) -> Dataset:
    rows = np.sort(generator.choice(len(data), size=min(count, len(data)), replace=False)).tolist()
    pairs = None if data.pairs is None else [data.pairs[row] for row in rows]
    return replace(
        data,
        ids=[data.ids[row] for row in rows],
        texts=[data.texts[row] for row in rows],
        pairs=pairs,
        labels=[data.labels[row] for row in rows],
    )


def _memory(train: Dataset, test: Dataset) -> int:
    """What this process has held at most, which has the model and its batches in it, and what grows with the data."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    characters = sum(sum(map(len, texts)) for data in (train, test) for texts in (data.texts, data.pairs or []))
    return peak + TEXT_COPIES * characters + min(QUERY_BLOCK_BYTES, 8 * len(train) * len(test)) * 2
