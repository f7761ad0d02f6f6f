"""What a build will take in time, memory and disk, from a small build of the same request on a part of the data.

    estimate = estimate_build(request, train, test)

A part of the rows, drawn at random, goes through every stage of a real build, a few epochs long, in a temporary folder, and
through what is made of every build after it. Each stage's time and files are scaled by what they grow with: rows, epochs, those
of them that scores are summed over, pairs of a test and a training row.
"""

import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from influence.attribution import QUERY_BLOCK_BYTES
from influence.checkpoints import DIFFERENCES
from influence.data import Dataset, Spread, check_labels, label_names
from influence.errors import SettingsError
from influence.files import file_sizes
from influence.models import CNN, Encoding, resolve_device, save_tokenizer, train_word_pieces
from influence.sealed import finish
from influence.timing import Clock
from influence.types import Progress, Stage, StageKind, silent
from influence.workspace.build_request import BuildRequest
from influence.workspace.builds import BUILDS, publish
from influence.workspace.result_tables import ResultStore
from influence.workspace.stages import BuildStages, look_through

SAMPLE_TRAIN, SAMPLE_TEST = 256, 64
TOKENIZER_ROWS = 20_000  # by which most of what a vocabulary can hold is in it
LOW, HIGH = 0.8, 1.5  # a small build's first batches wait for caches, and its few rows may be shorter or longer than most
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
    checkpoints: int  # that scores are summed over
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
    run = _Run.of(request, request.training.epochs_for(len(train)))
    small = replace(request, training=replace(request.training, epochs=run.sample_epochs), max_checkpoints=run.sample_kept)
    generator = np.random.default_rng(seed)
    parts = {"train": _part(train, SAMPLE_TRAIN, generator), "test": _part(test, SAMPLE_TEST, generator)}
    pretrained, processor = look_through(request, names), resolve_device(device)
    scale = _Scale(len(train) / len(parts["train"]), len(test) / len(parts["test"]), run)
    clock, started = Clock(progress), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wordtrace-estimate-") as name:
        folder = (home := Path(name) / "sample") / BUILDS / "sample"
        folder.mkdir(parents=True)
        _learn_pieces(request, folder, train, clock)
        info = BuildStages(folder, small, parts, names, pretrained, processor, clock).run()
        clock.stop()
        publish(home, folder, info)
        after(home, clock)
        measured = _lengths(folder) | _disk(home, folder, scale)
    return Estimate(
        rows=len(train),
        test_rows=len(test),
        sample_rows=len(parts["train"]),
        sample_test_rows=len(parts["test"]),
        sample_seconds=time.monotonic() - started,
        epochs=run.epochs,
        checkpoints=run.kept,
        **_times(clock, scale, loading),
        memory=_memory(train, test),
        max_length=request.max_length,
        device=processor.type,
        **measured,
    )


def _lengths(folder: Path) -> dict[str, Any]:
    """What an estimate says of the texts' lengths."""
    encoding = Encoding.load(folder / "index" / "train" / "encoding")
    return {"tokens": Spread.of(encoding.lengths_N.tolist()), "truncated": float(np.mean(encoding.truncated_N))}


def _times(clock: Clock, scale: "_Scale", loading: float) -> dict[str, Any]:
    """What an estimate says of time, once a process has taken `loading` seconds to begin."""
    stages = {name: stage.scaled(0, scale.time(name)) for name, stage in clock.stages.items()}
    alone = sum(stage.scaled(1, scale.time(name)) for name, stage in clock.stages.items()) / torch.get_num_threads()
    expected = loading + sum(stages.values())
    low = LOW * min(loading + alone, expected)
    return {"low": low, "expected": expected, "high": HIGH * expected, "stages": stages, "kinds": clock.by_kind(stages)}


def _disk(home: Path, build: Path, scale: "_Scale") -> dict[str, int]:
    """Bytes that stay, and at most: beside them one checkpoint's gradients, or all of the run with the optimizer's state."""
    files, results = file_sizes(home), _result_bytes(build)
    disk = sum(scale.bytes(file, size) for file, size in files.items())
    disk += EMPTY_DATABASE + scale.rows * results["train"] + scale.test_rows * results["test"]
    whole = sum(size for file, size in files.items() if WHOLE.match(file))
    if scale.run.kept > 1:
        measured = sum(size for file, size in files.items() if file.endswith(DIFFERENCES)) / (scale.run.sample_kept - 1)
        disk += (measured + scale.moved * max(0.0, DIFFERENCE * whole - measured)) * (scale.run.kept - 1)
    gradients = sum(scale.bytes(file, size) for file, size in files.items() if "/index/train/" in file) / scale.run.kept
    return {"disk": int(disk), "disk_peak": int(max(disk + gradients, whole * (scale.run.epochs + 2)))}


@dataclass(frozen=True)
class _Run:
    """How many epochs a build has and over how many of them scores are summed; the same of the sample."""

    epochs: int
    kept: int
    sample_epochs: int
    sample_kept: int

    @classmethod
    def of(cls, request: BuildRequest, epochs: int) -> "_Run":
        """The fewest epochs that go through all that the build's go through: kept whole, by its difference, or not at all."""
        kept = min(request.max_checkpoints, epochs)
        sample_kept = min(kept, 2)
        return cls(epochs, kept, sample_kept + (kept < epochs), sample_kept)

    @property
    def index(self) -> float:
        """How many times the sample's checkpoints in the index."""
        return self.kept / self.sample_kept

    @property
    def dropped(self) -> int:
        """How many checkpoints are not kept; the sample has one where there are any."""
        return self.epochs - self.kept


@dataclass(frozen=True)
class _Scale:
    """How much larger the real build is in training rows and test rows, and its epochs."""

    rows: float
    test_rows: float
    run: _Run

    def time(self, stage: str) -> float:
        """The factor of a stage's time, of one epoch or checkpoint; of a stage that is not known here that of the rows."""
        epochs, kept, dropped = self.run.epochs, self.run.kept, self.run.dropped
        factors = {
            StageKind.TOKENIZER: 1.0,
            Stage(StageKind.TOKENIZE, examples="train"): self.rows,
            Stage(StageKind.TOKENIZE, examples="test"): self.test_rows,
            StageKind.CHECK: 1.0,
            StageKind.TRAIN: self.rows * epochs,
            Stage(StageKind.PREDICT, examples="train"): self.rows * epochs * (dropped > 0),
            Stage(StageKind.PREDICT, examples="test"): self.test_rows * epochs * (dropped > 0),
            StageKind.KEEP: self.run.index,
            Stage(StageKind.GRADIENTS, examples="train"): self.rows * kept,
            Stage(StageKind.GRADIENTS, examples="test"): self.test_rows * kept,
            StageKind.RESULTS: self.rows,
            # A test example costs the same for its stored hundreds whatever N, and a little more for every training row.
            StageKind.INFLUENCES: self.test_rows * (1 + self.run.index * self.rows / SAMPLE_TRAIN),
        }
        return factors.get(stage, self.rows)

    @property
    def moved(self) -> float:
        """How near a difference is to that of a model whose weights all move, 0: as the sample's, 1: there.

        Measured of a sample, and of the build: 0.16 and 0.50 of the weights for a CNN on 3,000 news (12 samples), 0.22 and 0.28
        for MiniLM's first two layers on 700 of them; a long text has more words, and more steps move them further.
        """
        return min(1.0, float(np.log2(max(self.rows, 1.0))) / 5)

    def bytes(self, file: str, size: int) -> float:
        """The size of a file that has `size` bytes in the sample: see `GROWTH`."""
        fixed = min(size, EMPTY_DATABASE) if re.search(r"-[^/]*\.duckdb$", file) else 0
        factor = next((growth(self) for pattern, growth in GROWTH if pattern.match(file)), 1.0)
        return fixed + (size - fixed) * factor


DIFFERENCE = 0.5  # what a difference from the next epoch takes of a model's weights once all of them move
# Bytes of a row in a large results file: measured of 3,000 training and 600 test news.
A_PAIR, A_CONTRIBUTION, A_WORD, A_PREDICTION, AN_EXAMPLE = 28, 9, 9, 45, 100
EMPTY_DATABASE = 1_200_000  # bytes of a DuckDB file with hardly a row in its tables
WHOLE = re.compile(r"builds/[^/]+/checkpoints/\d+/model")
# Names of files within a workspace, and what a file of that name grows with; the first that fits counts, and no other grows.
GROWTH: Sequence[tuple[re.Pattern[str], Callable[[_Scale], float]]] = tuple(
    (re.compile(rf"(?:builds/[^/]+/)?{pattern}"), growth)
    for pattern, growth in (
        (r"checkpoints/\d+/differences", lambda scale: 0.0),  # see `_Scale.moved`
        (r"checkpoints/\d+/adam", lambda scale: scale.run.index),
        (r"predictions/train/", lambda scale: scale.rows * scale.run.dropped),
        (r"predictions/test/", lambda scale: scale.test_rows * scale.run.dropped),
        (r"index/[^/]+$", lambda scale: 1.0),  # a row a token of the vocabulary
        (r"index/train/(encoding|labels)", lambda scale: scale.rows),
        (r"index/test/(encoding|labels)", lambda scale: scale.test_rows),
        (r"index/train/", lambda scale: scale.rows * scale.run.index),
        (r"index/test/", lambda scale: scale.test_rows * scale.run.index),
        (r"results\.duckdb", lambda scale: 0.0),  # see `_result_bytes`
        (r"(embeddings|opinions|signals)/|.*\.duckdb", lambda scale: scale.rows),
    )
)


def _result_bytes(build: Path) -> dict[str, float]:
    """What the rows of the sample's results take of a large file, by the split whose examples they grow with.

    The sample's own file does not tell: DuckDB gives every column of it 256 kB.
    """
    with ResultStore(build / "results.duckdb") as store:
        [(pairs, words)] = store.rows("select (select count(*) from influences), (select count(*) from contributions)")
        found = {"train": 0.0, "test": pairs * A_PAIR + words * A_CONTRIBUTION}
        counted = """select e.split, count(*), sum(length(text) + length(coalesce(text_pair, ''))),
            (select count(*) from words w where w.split = e.split), (select count(*) from predictions p where p.split = e.split)
            from examples e group by all"""
        for split, n, characters, words, predictions in store.rows(counted):
            found[split] += n * AN_EXAMPLE + float(characters) + words * A_WORD + predictions * A_PREDICTION
    return found


def _learn_pieces(request: BuildRequest, folder: Path, train: Dataset, clock: Clock) -> None:
    """The tokenizer that the CNN learns from its texts, of (nearly) all of them: how large the model is hangs on it."""
    if request.model != CNN:
        return
    clock(StageKind.TOKENIZER, 0, 1)
    rows = np.sort(np.random.default_rng(0).permutation(len(train))[:TOKENIZER_ROWS]).tolist()
    texts = [texts[row] for texts in (train.texts, train.pairs or []) if texts for row in rows]
    save_tokenizer(train_word_pieces(texts), folder / "checkpoints" / "tokenizer", CNN)
    finish(folder / "checkpoints" / "tokenizer", {})
    clock(StageKind.TOKENIZER, 1, 1)


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
