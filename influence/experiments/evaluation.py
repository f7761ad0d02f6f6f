"""Deletion curves of a workspace (section 2.2): do the examples that a method names matter to the model retrained?

    evaluate(workspace, EvaluationSettings(methods=("tracin-we-topk",), ks=(10, 20), test_points=8, retrains=3))
    evaluation_tables(workspace)        # what was evaluated before, without PyTorch

Every retraining is kept, so an evaluation that was interrupted, or that asks for more, goes on from there.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from influence.attribution import METHODS
from influence.errors import SettingsError
from influence.experiments.deletion import DIRECTIONS, areas, balanced, curves, deletion, least_similar
from influence.experiments.settings import EvaluationSettings
from influence.explanations import scores_of, training_set
from influence.files import load_array
from influence.formulas import extremes
from influence.retraining import Change, Run, check_change, check_trained_here, open_store, retrain, seeds_of
from influence.types import FloatArray, IntArray, Progress, StageKind, silent
from influence.workspace import WorkspaceReader

NO_OVERLAP_CANDIDATES, NO_OVERLAP_SHARE = 5_000, 0.1  # the paper takes 5,000 of 50,000
TABLES = ("deletion_curves", "deletion_areas", "deletion_points")


@dataclass(frozen=True)
class Evaluation:
    """Deletion curves, as frames; `settings` are those of `EvaluationSettings`, and what came of them.

    `curves`: method, direction ("+": proponents removed, "-": opponents), k, measure ("probability" of the true label, or
    "margin", in nats), mean, low, high (95 % bootstrap interval over test examples).
    `areas`: AUC-DEL: method, direction, measure, mean, low, high, and over_random, over_random_low, over_random_high: the
    same less that of random removal, paired by test example.
    `points`: method, direction, k, test_id, label, removed (how many examples were, of random draws the mean), control (mean
    probability of the true label with nothing removed), probability and margin (mean differences over the retrainings).
    """

    name: str
    settings: dict[str, Any]
    finished_at: str
    curves: pd.DataFrame
    areas: pd.DataFrame
    points: pd.DataFrame


@dataclass(frozen=True)
class _Removal:
    """Removing the k strongest of a method for one test example; a random method's are drawn anew for every seed."""

    method: str
    direction: str
    k: int
    test: int
    changes: tuple[Change, ...]  # by seed


def evaluate(
    workspace: WorkspaceReader,
    settings: EvaluationSettings,
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> Evaluation:
    """Remove, retrain and compare; the result is kept in the workspace.

    Raises `SettingsError` for settings that do not fit the workspace, before anything is trained.
    """
    check_trained_here(workspace)
    tests = _test_examples(workspace, settings)
    if settings.no_overlap:
        settings.check_ks(_candidates(workspace), "training examples with little word overlap that are considered")
    else:
        settings.check_ks(workspace.info.n_train)
    seeds = seeds_of(workspace, settings.retrains)
    removals = list(_removals(workspace, settings, tests, seeds, progress))
    _check_classes(workspace, removals)
    found: dict[tuple[Run, int], FloatArray] = {}  # label probabilities of a test example, by run
    for stage, wanted in _stages(removals, seeds, tests.tolist()):
        # Of the controls the whole split is kept: others compare with them too.
        for result in retrain(
            workspace,
            list(wanted),
            tests=None if stage == StageKind.CONTROLS else wanted,
            freeze_embedding=settings.freeze_embedding,
            device=device,
            stage=stage,
            progress=progress,
        ):
            own = wanted[result.run]
            rows_MY = result.probabilities_MY[own] if stage == StageKind.CONTROLS else result.probabilities_MY
            found.update({(result.run, test): row_Y for test, row_Y in zip(own, rows_MY, strict=True)})
    return _kept(workspace, settings, _points(workspace, removals, seeds, found), seeds)


def _stages(removals: list[_Removal], seeds: list[int], tests: list[int]) -> Iterator[tuple[str, dict[Run, list[int]]]]:
    """What to retrain, and the test examples that each run is wanted for; equal sets of examples are one run."""
    yield StageKind.CONTROLS, {Run(seed): tests for seed in seeds}
    wanted: dict[Run, list[int]] = {}
    for at, seed in enumerate(seeds):
        for removal in removals:
            change = removal.changes[at]
            if change and removal.test not in (own := wanted.setdefault(Run(seed, change), [])):
                own.append(removal.test)
    yield StageKind.RETRAIN, wanted


def evaluation_tables(workspace: WorkspaceReader) -> list[Evaluation]:
    """The evaluations of the workspace's build, the latest first; needs no PyTorch."""
    return [Evaluation(*found) for found in open_store(workspace).evaluations(TABLES)]


def _test_examples(workspace: WorkspaceReader, settings: EvaluationSettings) -> IntArray:
    labels_M = load_array(workspace.build / "index" / "test" / "labels.npy")
    try:
        return balanced(labels_M, settings.test_points, settings.seed)
    except ValueError as error:
        label = int(error.args[0])
        count, classes = int((labels_M == label).sum()), len(np.unique(labels_M))
        raise SettingsError(
            f"--test-points {settings.test_points}: they are spread evenly over the classes, and only {count:,} test examples "
            f"are labelled {workspace.info.labels[label]!r}; give at most {count * classes:,}"
        ) from error


def _check_classes(workspace: WorkspaceReader, removals: list[_Removal]) -> None:
    labels_N = load_array(workspace.build / "index" / "train" / "labels.npy")
    for removal in removals:
        try:
            for change in set(removal.changes):
                check_change(workspace, change, labels_N)
        except SettingsError as error:
            raise SettingsError(f"--k {removal.k}: {error} ({removal.method}); give smaller numbers") from error


def _candidates(workspace: WorkspaceReader) -> int:
    return min(NO_OVERLAP_CANDIDATES, int(NO_OVERLAP_SHARE * workspace.info.n_train))


def _removals(
    workspace: WorkspaceReader, settings: EvaluationSettings, tests: IntArray, seeds: list[int], progress: Progress
) -> Iterator[_Removal]:
    """Every set of examples to remove; it is smaller than k where fewer scores are above (or below) 0."""
    considered = _considered(workspace, tests) if settings.no_overlap else None
    for method in settings.methods:
        draws = seeds if METHODS[method].drawn else [0]
        scores_SMN = [
            scores_of(workspace, method, tests.tolist(), with_bias=settings.with_bias, draw=draw, progress=progress)
            for draw in draws
        ]
        for row, test in enumerate(tests.tolist()):
            own_SN = [scores_MN[row] if considered is None else scores_MN[row] * considered[row] for scores_MN in scores_SMN]
            strongest = [extremes(scores_N, workspace.tie_ranks_N, settings.ks[-1]) for scores_N in own_SN]
            for number, direction in enumerate(DIRECTIONS):
                for k in settings.ks:
                    changes = [Change(removed=tuple(found[number][:k].tolist())) for found in strongest]
                    yield _Removal(method, direction, k, test, tuple(changes * (len(seeds) // len(draws))))


def _considered(workspace: WorkspaceReader, tests: IntArray) -> Any:
    """Which training examples have the least word overlap with each test example, by tf-idf similarity, shape (M, N)."""
    considered_MN = np.zeros((len(tests), workspace.info.n_train), dtype=np.bool_)
    for row, test in enumerate(tests.tolist()):
        query = replace(workspace.queries[test], text=workspace.store.joined_texts("test", test)[0])
        similarities_N = training_set(workspace).text_similarities(query)
        considered_MN[row, least_similar(similarities_N, workspace.tie_ranks_N, _candidates(workspace))] = True
    return considered_MN


def _points(
    workspace: WorkspaceReader, removals: list[_Removal], seeds: list[int], found: dict[tuple[Run, int], FloatArray]
) -> pd.DataFrame:
    examples = workspace.store.examples("test", {removal.test for removal in removals})
    lookup = {name: number for number, name in enumerate(workspace.info.labels)}
    rows = []
    for removal in removals:
        example = examples[removal.test]
        label = lookup[example.label]
        controls_RY, removed_RY = (
            np.stack([found[Run(seed, change), removal.test] for seed, change in zip(seeds, changes, strict=True)])
            for changes in ([Change()] * len(seeds), removal.changes)
        )
        removed = round(float(np.mean([len(change.removed) for change in removal.changes])))
        about = (removal.method, removal.direction, removal.k, example.id, example.label, removed)
        before = float(controls_RY[:, label].mean(dtype=np.float64))
        rows.append((*about, before, *deletion(removed_RY, controls_RY, label)))
    names = ["method", "direction", "k", "test_id", "label", "removed", "control", "probability", "margin"]
    return pd.DataFrame(rows, columns=names)


def _kept(workspace: WorkspaceReader, settings: EvaluationSettings, points: pd.DataFrame, seeds: list[int]) -> Evaluation:
    store, record = open_store(workspace), settings.record(seeds)
    name = hashlib.sha256(json.dumps([store.build, record]).encode()).hexdigest()[:16]
    frames = (curves(points), areas(points), points)
    finished_at = store.save_evaluation(name, record, dict(zip(TABLES, frames, strict=True)))
    return Evaluation(name, record, finished_at, *frames)
