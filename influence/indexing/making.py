"""Making pieces of an index, here one after another or by an engine, a task each. A build folder says all that is needed."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import torch
from transformers import PreTrainedModel

from influence.engines import Arguments, Engine, Processes, Step, cards
from influence.errors import EngineError, WordtraceError
from influence.gradients import WordGradients
from influence.indexing.layout import builder_of
from influence.indexing.plan import SPLITS, is_settled, read_how
from influence.segments import TOP, IndexBuilder, Segment, rows_file
from influence.types import Progress, Stage, StageKind, silent

RETRIES = 2  # of a piece that is lost with a process or a machine
Piece = tuple[str, Segment, int]  # of a split, at a checkpoint


def make_pieces(
    build: Path,
    chosen: Callable[[int], bool] = lambda _segment: True,
    *,
    engine: Engine | None = None,
    progress: Progress = silent,
) -> dict[str, list[str]]:
    """Make those pieces whose segment is chosen and that are not there and whole; the names of all chosen segments, by split.

    Raises `EngineError` where an engine could not make some, saying which and why; the others are kept.
    """
    builder = builder_of(build, read_how(build), progress)
    mine = [(split, segment) for split, segment in builder.plan() if chosen(segment.number)]
    left = [] if engine is None else [piece for piece in builder.missing() if chosen(piece[1].number)]
    if engine is None or len(left) == 1:
        with _threads(read_how(build).threads):
            builder.run(lambda _split, segment: chosen(segment.number))
    elif left:
        total = builder.checkpoints * sum(len(segment) for _, segment in mine)
        _by_engine(engine, build, left, _Told(progress, total - sum(len(segment) for _, segment, _ in left), total))
    return {split: [segment.name for of, segment in mine if of == split] for split in SPLITS}


def several_cards(device: torch.device) -> Engine | None:
    """A process a card, where this machine has several."""
    count = torch.cuda.device_count() if device.type == "cuda" else 0
    return Processes(cards(count), device="cuda") if count > 1 else None


def _by_engine(engine: Engine, build: Path, left: Sequence[Piece], told: "_Told") -> None:
    where = str(build.resolve())
    tasks = [{"build": where, "split": split, "segment": segment, "checkpoint": number} for split, segment, number in left]
    lost: list[tuple[Piece, WordtraceError]] = []
    for ended in engine.run(make_one, tasks, threads=read_how(build).threads, retries=RETRIES, step=told):
        if ended.error is not None:
            lost.append((left[ended.task], ended.error))
    if lost:
        named = sorted({f"{split} {segment.name}" for (split, segment, _), _ in lost})
        more = f" and {len(named) - 8} more" if len(named) > 8 else ""
        raise EngineError(f"segments are missing: {', '.join(named[:8])}{more} ({lost[0][1]}); add --resume to go on with them")


def make_one(arguments: Arguments, step: Step) -> None:
    """A piece of work: make one piece of an index. `build` is the folder, as every machine sees it."""
    builder, number = _builder(arguments["build"]), int(arguments["checkpoint"])
    with WordGradients(_model(arguments["build"], number), builder.options) as gradients:
        builder.make(gradients, arguments["split"], Segment(*arguments["segment"]), number, step)


@lru_cache(maxsize=1)
def _builder(build: str) -> IndexBuilder:
    folder = Path(build)
    if not is_settled(folder):
        raise EngineError(f"there is no unfinished build at {build!r} here; every machine must see the same folder")
    return builder_of(folder, read_how(folder))


@lru_cache(maxsize=1)
def _model(build: str, number: int) -> PreTrainedModel:
    return _builder(build).model(number)


class _Told:
    """Progress over pieces, in examples; those that are there already count as done."""

    def __init__(self, progress: Progress, done: int, total: int) -> None:
        self._progress, self._done, self._total = progress, done, total

    def __call__(self, more: int) -> None:
        self._done += more
        self._progress(Stage(StageKind.GRADIENTS), self._done, self._total)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """PyTorch with so many threads, then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def clear(build: Path) -> None:
    """Remove what a published build has no use for; for whoever has it alone and is about to publish it.

    That is what killed processes left beside pieces, the shards' markers, and the rows of test examples, which the results were
    made of: they are made anew when they are asked for.
    """
    for rows in (build / "index").glob(f"test/*/*/{rows_file(TOP)}"):
        rows.unlink()
    for leftover in (build / "index").glob("*/*/*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.rmtree(build / "shards", ignore_errors=True)
