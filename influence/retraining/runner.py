"""Retraining: what would the model say had it been trained on a changed training set?

Each run repeats the workspace's own recipe (model, optimizer, learning rate, batch size, epochs) with its seed, on the
changed training set. Finished runs are kept in `retraining.duckdb` and never done twice, the controls above all.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from influence.data import balance
from influence.engines import Engine, Processes, busy, cores, cores_there, expected_seconds, worth_processes
from influence.errors import SettingsError
from influence.files import load_array
from influence.retraining.change import Change, Run
from influence.retraining.tables import Outcome, RetrainingStore, RunKey, open_store
from influence.types import FloatArray, IntArray, Progress, StageKind, silent
from influence.workspace import WorkspaceReader

SAVE_SECONDS = 2.0
Tests = Sequence[int] | Mapping[Run, Sequence[int] | None] | None


@dataclass(frozen=True)
class RunResult:
    """What a run left: label probabilities of the test split, or of the test examples asked for, in their order."""

    run: Run
    probabilities_MY: FloatArray
    seconds: float  # of training, a batched run's share; of the first time where it is reused
    reused: bool


def retrain(
    workspace: WorkspaceReader,
    runs: Sequence[Run],
    *,
    tests: Tests = None,
    freeze_embedding: bool = False,
    device: str = "auto",
    together: int | None = None,
    processes: int | None = None,
    engine: Engine | None = None,
    stage: str = StageKind.RETRAIN,
    progress: Progress = silent,
) -> Iterator[RunResult]:
    """Train the runs that are not kept yet, and yield every distinct run once: first the kept ones, then as they finish.

    `freeze_embedding` leaves the word embedding as it began, as a workspace that was built so always does.
    `tests` are the positions of the test examples whose probabilities are wanted, the same for every run or each its own
    (None: the whole split). `together` is how many runs of a seed are one batched model at most, `processes` how many
    processes train on a CPU (None: whatever is fastest on the device). An `engine` says itself where, on what, and how many at
    once. Progress counts optimizer steps of the runs that are
    trained; it is called at least a few times a second, and what it raises ends the retraining: finished runs are kept,
    unfinished ones are dropped. Raises `SettingsError` for a change that does not fit or a workspace that cannot
    be retrained, `DataError` for words that cannot be masked, `ModelError` when training diverges, and `EngineError` where a
    process or machine that was training is lost.
    """
    wanted = {run: _positions(tests, run) for run in runs}
    check_trained_here(workspace)
    freeze_embedding = freeze_embedding or embedding_frozen(workspace)
    labels_N = load_array(workspace.build / "index" / "train" / "labels.npy")
    for change in {run.change for run in wanted}:
        check_change(workspace, change, labels_N)
    store = open_store(workspace)
    keys = {run: RunKey(run.seed, run.change.key, freeze_embedding) for run in wanted}
    kept = store.find({keys[run]: positions for run, positions in wanted.items()}, len(workspace.info.labels))
    left = {run: positions for run, positions in wanted.items() if keys[run] not in kept}
    return _results(
        _Job(workspace, store, freeze_embedding, device, together, processes, engine, stage, progress),
        [(run, kept[keys[run]]) for run in wanted if keys[run] in kept],
        left,
    )


def _positions(tests: Tests, run: Run) -> list[int] | None:
    chosen = tests[run] if isinstance(tests, Mapping) else tests
    return None if chosen is None else [int(position) for position in chosen]


@dataclass(frozen=True)
class _Job:
    workspace: WorkspaceReader
    store: RetrainingStore
    frozen: bool
    device: str
    together: int | None
    processes: int | None
    engine: Engine | None
    stage: str
    progress: Progress


def _results(job: _Job, kept: list[tuple[Run, Outcome]], left: dict[Run, list[int] | None]) -> Iterator[RunResult]:
    for run, outcome in kept:
        yield RunResult(run, outcome.probabilities_MY, outcome.seconds, reused=True)
    if not left:
        return
    everything = range(job.workspace.info.n_test)
    tests = sorted({test for some in left.values() for test in (everything if some is None else some)})
    places = {test: row for row, test in enumerate(tests)}
    keeper = _Keeper(job, None if len(tests) == len(everything) else tests)
    try:
        for run, found in _trained(job, list(left), tests):
            keeper.add(run, found)
            positions = left[run]
            found_MY = found.probabilities_MY
            own_MY = found_MY if positions is None else found_MY[[places[test] for test in positions]]
            yield RunResult(run, own_MY, found.seconds, reused=False)
    finally:
        keeper.save()


def _trained(job: _Job, runs: list[Run], tests: list[int]) -> Iterator[tuple[Run, Outcome]]:
    """The runs as they finish: batched on a GPU; on a CPU one by one, or in several processes where that is faster."""
    from influence.models import resolve_device
    from influence.retraining.schedule import groups_of
    from influence.retraining.workers import RETRIES, by_engine

    meter = _Meter(job, len(runs))
    if job.engine is not None:
        yield from by_engine(job.engine, job.workspace, runs, tests, frozen=job.frozen, retries=RETRIES, step=meter.step)
        meter.end()
        return
    device, recipe = resolve_device(job.device), None
    side_by_side = device.type == "cpu" and job.together is None
    latest = job.store.latest_seconds() if side_by_side else None
    known = None if latest is None else latest[0]
    while runs:
        processes = worth_processes(len(runs), known, cores()) if known is not None else 0
        if job.processes is not None:
            processes = job.processes if job.processes > 1 else 0
        if side_by_side and processes:
            engine = Processes([{}] * min(processes, len(runs)))
            yield from by_engine(engine, job.workspace, runs, tests, frozen=job.frozen, step=meter.step)
            break
        if recipe is None:
            from influence.retraining.recipe import Recipe

            recipe = Recipe(job.workspace, [run.change for run in runs], device)
        now = runs[:1] if side_by_side and known is None else runs  # how long one takes decides about the others
        for group, found in groups_of(recipe, now, tests, frozen=job.frozen, together=job.together, step=meter.step):
            known = found[0].seconds
            yield from zip(group, found, strict=True)
        runs = runs[len(now) :]
    meter.end()


class _Keeper:
    """Saves finished runs, every few seconds: opening the file takes longer than a tiny model's training."""

    def __init__(self, job: _Job, tests: list[int] | None) -> None:
        self._job, self._tests = job, tests
        self._waiting: dict[RunKey, Outcome] = {}
        self._saved = time.monotonic()

    def add(self, run: Run, outcome: Outcome) -> None:
        self._waiting[RunKey(run.seed, run.change.key, self._job.frozen)] = outcome
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        if self._waiting:
            self._job.store.save(self._waiting, self._tests)
            self._waiting = {}
        self._saved = time.monotonic()


class _Meter:
    """Counts optimizer steps of all runs."""

    def __init__(self, job: _Job, runs: int) -> None:
        self._job, self._done, self._total = job, 0, steps_of_run(job.workspace) * runs

    def step(self, runs: int) -> None:
        self._job.progress(self._job.stage, min(self._done, self._total), self._total)
        self._done += runs

    def end(self) -> None:
        self._job.progress(self._job.stage, self._total, self._total)


def steps_of_run(workspace: WorkspaceReader) -> int:
    """Optimizer steps of one retraining."""
    training = workspace.info.settings["training"]
    return int(training["epochs"]) * -(-workspace.info.n_train // int(training["batch_size"]))


def to_train(workspace: WorkspaceReader, runs: Iterable[Run], *, tests: Tests = None, freeze_embedding: bool = False) -> int:
    """How many of the runs, each counted once, no retraining has left behind yet for the test examples asked for."""
    frozen = freeze_embedding or embedding_frozen(workspace)
    wanted = {RunKey(run.seed, run.change.key, frozen): _positions(tests, run) for run in runs}
    return len(wanted) - len(open_store(workspace).find(wanted, len(workspace.info.labels)))


def time_expected(workspace: WorkspaceReader, models: int) -> tuple[float, bool]:
    """About how many seconds training so many models takes while this machine is as busy as now, and whether models were timed.

    Where nothing was retrained yet it goes by the time that training took in the build, or else that of the whole build: as if
    nobody else had wanted the machine then.
    """
    latest = open_store(workspace).latest_seconds()
    if latest is None:
        built = workspace.info.training_seconds or workspace.info.seconds
        return models * built * max(1.0, (cores() + busy()) / cores_there()), False
    seconds, processor = latest
    if processor is None:  # on a GPU, or by an older version: as fast as then, side by side where the cores allow it
        on_cpu = workspace.info.settings.get("device") == "cpu"
        side_by_side = min(worth_processes(models, seconds, cores()), cores()) if on_cpu else 1
        return models * seconds / max(side_by_side, 1), True
    return expected_seconds(models, processor, cores(), busy(), cores_there()), True


def check_trained_here(workspace: WorkspaceReader) -> None:
    """Raise `SettingsError` for a workspace whose checkpoints were imported: how they were trained is not known."""
    if workspace.info.settings["training"] is None:
        raise SettingsError(
            f"the checkpoints of workspace {workspace.name!r} were imported, so how they were trained is not known and "
            "nothing can be retrained; build a workspace that trains its own model"
        )


def embedding_frozen(workspace: WorkspaceReader) -> bool:
    """Whether the workspace's own training left the word embedding as it began; False for imported checkpoints."""
    return bool((workspace.info.settings["training"] or {}).get("freeze_embedding"))


def seeds_of(workspace: WorkspaceReader, count: int) -> list[int]:
    """Seeds to retrain with: those after the workspace's own.

    The model that scores and mistakes come from has the own seed; with it they would seem to fit retraining by choice.
    """
    training = workspace.info.settings["training"] or {}
    return [int(training.get("seed", 0)) + 1 + number for number in range(count)]


def check_change(workspace: WorkspaceReader, change: Change, labels_N: IntArray) -> None:
    """Raise `SettingsError` for rows or labels that do not exist, and where no example of some label would be left."""
    names, n = workspace.info.labels, len(labels_N)
    rows = [*change.removed, *(row for row, _ in change.relabelled), *(row for row, _ in change.masked)]
    wrong = next((row for row in rows if not 0 <= row < n), None)
    if wrong is not None:
        raise SettingsError(f"training row {wrong}: workspace {workspace.name!r} has rows 0 to {n - 1}")
    for _, label in change.relabelled:
        if not 0 <= label < len(names):
            raise SettingsError(f"label number {label}: workspace {workspace.name!r} has labels 0 to {len(names) - 1}")
    before = dict(zip(names, np.bincount(labels_N, minlength=len(names)).tolist(), strict=True))
    after = balance(before, ((names[labels_N[row]], edit) for row, edit in change.edits(names)))
    gone = [name for name, count in before.items() if count and not after[name]]
    if gone:
        raise SettingsError(f"no training example of {gone[0]!r} would be left: a class without examples cannot be learnt")
