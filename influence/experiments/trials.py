"""Trying what methods name: their strongest examples are changed, the model is trained again, and what it says is gathered.

Axes: M test examples, N training examples, Y labels.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from influence.attribution import METHODS
from influence.engines import Engine
from influence.errors import SettingsError
from influence.experiments.deletion import qld_k
from influence.experiments.settings import RANDOM
from influence.explanations import scores_of
from influence.files import load_array
from influence.formulas import extremes
from influence.retraining import Change, Run, check_change, retrain, to_train
from influence.types import BoolArray, FloatArray, IntArray, Progress, StageKind, silent
from influence.workspace import WorkspaceReader

NO_CHANGE = "no change"


@dataclass(frozen=True, eq=False)  # itself, whatever it changes
class Trial:
    """What is changed for one test example, with each seed: the k strongest of a method, in one way."""

    method: str
    way: str
    k: int
    test: int
    changes: tuple[Change, ...]  # by seed; random methods name others every time
    available: int = 0  # how many training examples the method names on that side at all; the mean where they are drawn

    @property
    def changed(self) -> float:
        """How many examples are changed, at most k; the mean over the seeds."""
        counts = [len(one.removed) + len(one.relabelled) + len(one.masked) for one in self.changes]
        return float(np.mean(counts))


class Tried(NamedTuple):
    """What one retraining said."""

    trial: Trial
    seed: int
    probabilities_Y: FloatArray  # of the trial's test example
    accuracy: float | None  # on the whole test split, where that was asked for


class Named(NamedTuple):
    """The strongest training examples of one test example, and how many there are with a score above, and below, 0."""

    proponents: IntArray
    opponents: IntArray
    available: tuple[int, int]

    @property
    def sides(self) -> tuple[IntArray, IntArray]:
        """Proponents and opponents."""
        return self.proponents, self.opponents


def named(
    workspace: WorkspaceReader,
    method: str,
    tests: Sequence[int],
    seeds: Sequence[int],
    top: int,
    *,
    with_bias: bool = False,
    considered_MN: BoolArray | None = None,
    progress: Progress,
) -> list[list[Named]]:
    """The `top` strongest on either side for each test example and, within it, each seed; only random ones differ by seed."""
    draws = seeds if METHODS[method].drawn else seeds[:1]
    by_draw = []
    for draw in draws:
        scores_MN = scores_of(workspace, method, tests, with_bias=with_bias, draw=draw, progress=progress)
        if considered_MN is not None:
            scores_MN = np.where(considered_MN, scores_MN, 0.0)
        by_draw.append([_strongest(scores_N, workspace.tie_ranks_N, top) for scores_N in scores_MN])
    return [list(one) * (len(seeds) // len(draws)) for one in zip(*by_draw, strict=True)]


def _strongest(scores_N: FloatArray, ranks_N: IntArray, top: int) -> Named:
    return Named(*extremes(scores_N, ranks_N, top), (int((scores_N > 0).sum()), int((scores_N < 0).sum())))


@dataclass(frozen=True)
class Ranking:
    """What a method names for one test example, put to the test by QLD: its strongest 1 % are removed (see `deletion`)."""

    method: str
    test: int

    def strongest(self, workspace: WorkspaceReader, seeds: Sequence[int], progress: Progress = silent) -> list[Change]:
        """Without the strongest 1 % of all training examples, or as many as have a score above 0; for each seed."""
        top = qld_k(workspace.info.n_train)
        [by_seed] = named(workspace, self.method, [self.test], seeds, top, progress=progress)
        return [Change(removed=tuple(one.proponents.tolist())) for one in by_seed]

    def as_many_random(self, workspace: WorkspaceReader, without: Sequence[Change], seeds: Sequence[int]) -> list[Change]:
        """Without as many random examples as each of `without` takes, drawn anew for each seed as `evaluate` draws them."""
        top = max(len(one.removed) for one in without)
        [by_seed] = named(workspace, RANDOM, [self.test], seeds, top, progress=silent)
        pairs = zip(by_seed, without, strict=True)
        return [Change(removed=tuple(drawn.proponents[: len(one.removed)].tolist())) for drawn, one in pairs]


def controls(tests: Iterable[int], seeds: Sequence[int]) -> list[Trial]:
    """No change, for each test example."""
    return [Trial(NO_CHANGE, "", 0, test, (Change(),) * len(seeds)) for test in tests]


def check(workspace: WorkspaceReader, trials: Iterable[Trial], *, option: str = "--k {k}", instead: str) -> None:
    """Raise `SettingsError` where a change leaves no example of some label; it says the option, and what to do `instead`."""
    labels_N = load_array(workspace.build / "index" / "train" / "labels.npy")
    for trial in trials:
        try:
            for change in set(trial.changes):
                check_change(workspace, change, labels_N)
        except SettingsError as error:
            raise SettingsError(f"{option.format(k=trial.k)}: {error} ({trial.method}); {instead}") from error


def try_out_all(
    workspace: WorkspaceReader,
    trials: Sequence[Trial],
    seeds: Sequence[int],
    *,
    whole: bool,
    freeze_embedding: bool = False,
    device: str,
    engine: Engine | None = None,
    progress: Progress,
) -> Iterator[Tried]:
    """Every trial with every seed, those without a change first; equal changes are trained once.

    With `whole` the accuracy on the whole test split is said, too; it is always kept of the controls, for others compare
    with them.
    """
    labels_M = np.asarray(load_array(workspace.build / "index" / "test" / "labels.npy"))
    of_run: dict[Run, list[Trial]] = {}
    for at, seed in enumerate(seeds):
        for trial in trials:
            of_run.setdefault(Run(seed, trial.changes[at]), []).append(trial)
    wanted = {run: list(dict.fromkeys(trial.test for trial in some)) for run, some in of_run.items()}
    stages = {
        StageKind.CONTROLS: (_runs(of_run, changed=False), None),
        StageKind.RETRAIN: (_runs(of_run, changed=True), None if whole else wanted),
    }
    left = [to_train(workspace, runs, tests=tests, freeze_embedding=freeze_embedding) for runs, tests in stages.values()]
    for number, (stage, (runs, tests)) in enumerate(stages.items()):
        told = _of_all(progress, sum(left[:number]), left[number], sum(left))
        for result in retrain(
            workspace,
            runs,
            tests=tests,
            freeze_embedding=freeze_embedding,
            device=device,
            engine=engine,
            stage=stage,
            progress=told,
        ):
            found_MY = result.probabilities_MY
            accuracy = float((found_MY.argmax(axis=1) == labels_M).mean()) if tests is None else None
            for trial in of_run[result.run]:
                row = trial.test if tests is None else tests[result.run].index(trial.test)
                yield Tried(trial, result.run.seed, found_MY[row], accuracy)


def _runs(of_run: Iterable[Run], *, changed: bool) -> list[Run]:
    return [run for run in of_run if bool(run.change) == changed]


def _of_all(progress: Progress, before: int, own: int, everything: int) -> Progress:
    """A stage's progress as part of that of all models to be trained: what is left of both stages is what people wait for."""
    return lambda stage, done, total: progress(
        stage, (before * total + own * done) // max(own, 1), everything * total // max(own, 1)
    )
