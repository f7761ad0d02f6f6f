"""Retraining: what would the model say had it been trained on a changed training set?

Each run repeats the workspace's own recipe (model, optimizer, learning rate, batch size, epochs) with its seed, on the
changed training set. Finished runs are kept in `retraining.duckdb` and never done twice, the controls above all.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from influence.encoding import FloatArray, IntArray, Progress, silent
from influence.errors import SettingsError
from influence.files import load_array
from influence.retraining_changes import Change, Run, controls
from influence.retraining_store import Outcome, RetrainingStore, RunKey, open_store
from influence.workspace import Workspace

__all__ = ["Change", "Run", "RunResult", "check_change", "controls", "retrain"]

STAGE = "retrain"


@dataclass(frozen=True)
class RunResult:
    """What a run left: label probabilities of the test split, or of the test examples asked for, in their order."""

    run: Run
    probabilities_MY: FloatArray
    seconds: float  # of training, a batched run's share; of the first time where it is reused
    reused: bool


class _Stopped(Exception):
    """The caller asked to stop."""


def retrain(
    workspace: Workspace,
    runs: Sequence[Run],
    *,
    tests: Sequence[int] | None = None,
    freeze_embedding: bool = False,
    device: str = "auto",
    together: int | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[RunResult]:
    """Train the runs that are not kept yet, and yield every distinct run once: first the kept ones, then as they finish.

    `tests` are the positions of the test examples whose probabilities are wanted (None: all); `together` how many runs of
    a seed are one batched model at most (None: what is fastest on the device). Progress counts optimizer
    steps of the runs that are trained. When `cancelled` says so (asked before every step) no more runs are yielded;
    finished ones are kept and nothing of the unfinished. Raises `SettingsError` for a change that does not fit or a
    workspace that cannot be retrained, `DataError` for words that cannot be masked, `ModelError` when training diverges.
    """
    wanted = list(dict.fromkeys(runs))
    labels_N = load_array(workspace.build / "index" / "train" / "labels.npy")
    for change in {run.change for run in wanted}:
        check_change(workspace, change, labels_N)
    if workspace.info.settings["training"] is None:
        raise SettingsError(
            f"the checkpoints of workspace {workspace.name!r} were imported, so how they were trained is not known and "
            "nothing can be retrained; build a workspace that trains its own model"
        )
    store = open_store(workspace)
    keys = {run: RunKey(run.seed, run.change.key, freeze_embedding) for run in wanted}
    kept = store.find(list(keys.values()), tests, len(workspace.info.labels))
    left = [run for run in wanted if keys[run] not in kept]
    return _results(
        _Job(workspace, store, tests, freeze_embedding, device, together, progress or silent, cancelled),
        [(run, kept[keys[run]]) for run in wanted if keys[run] in kept],
        left,
    )


@dataclass(frozen=True)
class _Job:
    workspace: Workspace
    store: RetrainingStore
    tests: Sequence[int] | None
    frozen: bool
    device: str
    together: int | None
    progress: Progress
    cancelled: Callable[[], bool]


def _results(job: _Job, kept: list[tuple[Run, Outcome]], left: list[Run]) -> Iterator[RunResult]:
    for run, outcome in kept:
        yield RunResult(run, *outcome, reused=True)
    if not left or job.cancelled():
        return
    from influence.model import resolve_device
    from influence.retraining_plan import groups_of
    from influence.retraining_recipe import Recipe

    recipe = Recipe(job.workspace, [run.change for run in left], resolve_device(job.device))
    tests = range(job.workspace.info.n_test) if job.tests is None else job.tests
    meter = _Meter(job, recipe.steps, len(left))
    try:
        for runs, found_TMY, seconds in groups_of(recipe, left, tests, frozen=job.frozen, together=job.together, step=meter.step):
            outcomes = {run: Outcome(found_MY, seconds / len(runs)) for run, found_MY in zip(runs, found_TMY, strict=True)}
            job.store.save(
                {RunKey(run.seed, run.change.key, job.frozen): outcome for run, outcome in outcomes.items()},
                job.tests,
                recipe.device.type,
            )
            for run, outcome in outcomes.items():
                yield RunResult(run, *outcome, reused=False)
        meter.end()
    except _Stopped:
        return


class _Meter:
    """Counts optimizer steps of all runs, and asks whether to go on."""

    def __init__(self, job: _Job, steps: int, runs: int) -> None:
        self._job, self._done, self._total = job, 0, steps * runs

    def step(self, runs: int) -> None:
        if self._job.cancelled():
            raise _Stopped
        self._job.progress(STAGE, min(self._done, self._total), self._total)
        self._done += runs

    def end(self) -> None:
        self._job.progress(STAGE, self._total, self._total)


def check_change(workspace: Workspace, change: Change, labels_N: IntArray) -> None:
    """Raise `SettingsError` for rows or labels that do not exist, and where no example of some label would be left."""
    names, n = workspace.info.labels, len(labels_N)
    rows = [*change.removed, *(row for row, _ in change.relabelled), *(row for row, _ in change.masked)]
    wrong = next((row for row in rows if not 0 <= row < n), None)
    if wrong is not None:
        raise SettingsError(f"training row {wrong}: workspace {workspace.name!r} has rows 0 to {n - 1}")
    for _, label in change.relabelled:
        if not 0 <= label < len(names):
            raise SettingsError(f"label number {label}: workspace {workspace.name!r} has labels 0 to {len(names) - 1}")
    after_N = np.array(labels_N)
    for row, label in change.relabelled:
        after_N[row] = label
    left_Y = np.bincount(np.delete(after_N, list(change.removed)), minlength=len(names))
    gone = [names[y] for y in np.flatnonzero((left_Y == 0) & (np.bincount(labels_N, minlength=len(names)) > 0))]
    if gone:
        raise SettingsError(f"no training example of {gone[0]!r} would be left: a class that is not there cannot be learnt")
