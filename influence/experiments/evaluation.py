"""Deletion curves of a workspace (section 2.2): do the examples that a method names matter to the model retrained?

    evaluate(workspace, EvaluationSettings(methods=("tracin-we-topk",), ks=(10, 20), test_points=8, retrains=3))
    evaluation_tables(workspace)        # what was evaluated before, without PyTorch

Every retraining is kept, so an evaluation that was interrupted, or that asks for more, goes on from there.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from influence.engines import Engine
from influence.errors import SettingsError
from influence.experiments import deletion
from influence.experiments.deletion import DIRECTIONS, PROPONENTS
from influence.experiments.settings import EvaluationSettings
from influence.experiments.statistics import Crossed
from influence.experiments.trials import NO_CHANGE, Trial, Tried, check, controls, named, try_out_all
from influence.explanations import training_set
from influence.files import load_array
from influence.retraining import Change, check_trained_here, embedding_frozen, open_store, seeds_of
from influence.types import BoolArray, IntArray, Progress, silent
from influence.workspace import WorkspaceReader

NO_OVERLAP_CANDIDATES, NO_OVERLAP_SHARE = 5_000, 0.1  # the paper takes 5,000 of 50,000
MEAN = ["mean", "low", "high"]
COLUMNS = {  # of the tables that an evaluation is kept in
    "deletion_curves": ["method", "direction", "k", "measure", *MEAN],
    "deletion_areas": ["method", "direction", "measure", *MEAN, *deletion.OVER, "retraining_sd"],
    "deletion_points": [*deletion.POINT, "label", *deletion.MEANS],
    "deletion_seeds": ["method", "direction", "measure", "seed", "mean"],
    "deletion_qld": deletion.QLD_COLUMNS,
    "deletion_runs": [*deletion.POINT, "seed", *deletion.MEASURES, "loss"],
}


@dataclass(frozen=True)
class Evaluation:
    """Deletion curves, as frames; `settings` are those of `EvaluationSettings`, and what came of them.

    `curves`: method, direction ("+": proponents removed, "-": opponents), k, measure ("probability" of the true label, or
    "margin", in nats), mean, low, high (95 % interval over test examples and seeds).
    `areas`: AUC-DEL: method, direction, measure, mean, low, high; over_random and over_same_label, each with _low and _high:
    the same less that of random removal, of any label or of the same, paired by test example and seed; retraining_sd: the
    bootstrap standard deviation over retrainings.
    `points`: method, direction, k, test_id, label, removed (how many examples were), available (how many have a score on that
    side at all; both means where they are drawn at random), control (mean probability of the true label with nothing
    removed), probability, margin and loss (mean differences over the retrainings; loss in nats).
    `seeds`: AUC-DEL of each single retraining: method, direction, measure, seed, mean.
    `qld`: see `deletion.qld`; empty where it was not asked for. Its k is among the points, and not in curves and areas.
    `runs`: every single retraining: method, direction, k, test_id, seed, probability, margin and loss, beside its control.
    Tables of an evaluation from before any of this was kept have no rows, or no values in those columns.
    """

    name: str
    settings: dict[str, Any]
    finished_at: str
    curves: pd.DataFrame
    areas: pd.DataFrame
    points: pd.DataFrame
    seeds: pd.DataFrame
    qld: pd.DataFrame
    runs: pd.DataFrame

    def beyond(self, method: str, direction: str, measure: str, control: str) -> Crossed | None:
        """What removing a method's examples does less what a random removal does; None where that was not kept.

        `measure` "probability" or "margin": the mean over the values of k; "loss": that of the strongest 1 %, for QLD.
        """
        ks = set(self.qld["k"]) if measure == "loss" else set(self.settings["ks"])
        asked = self.runs[self.runs["k"].isin(ks)]
        if not {method, control} <= set(asked["method"]):
            return None
        return deletion.beyond(asked, method, direction, measure, control)

    @property
    def removals(self) -> pd.DataFrame:
        """How many examples were really removed at every k, see `deletion.removals`."""
        return deletion.removals(self.points)


def evaluate(
    workspace: WorkspaceReader,
    settings: EvaluationSettings,
    *,
    device: str = "auto",
    engine: Engine | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Remove, retrain (by an `engine` where there is one) and compare; the result is kept in the workspace.

    Raises `SettingsError` for settings that do not fit the workspace, before anything is trained.
    """
    check_trained_here(workspace)
    settings = replace(settings, freeze_embedding=settings.freeze_embedding or embedding_frozen(workspace))
    tests = _test_examples(workspace, settings)
    if settings.no_overlap:
        settings.check_ks(_candidates(workspace), "training examples with little word overlap that are considered")
    else:
        settings.check_ks(workspace.info.n_train)
    seeds = seeds_of(workspace, settings.retrains)
    trials = list(_trials(workspace, settings, tests, seeds, progress))
    check(workspace, (trial for trial in trials if trial.k in settings.ks), instead="give smaller numbers")
    check(workspace, trials, option="--qld (the strongest {k})", instead="leave it out with --no-qld")
    found = try_out_all(
        workspace,
        [*controls(tests.tolist(), seeds), *trials],
        seeds,
        whole=False,
        freeze_embedding=settings.freeze_embedding,
        device=device,
        engine=engine,
        progress=progress,
    )
    return _kept(workspace, settings, _runs(workspace, trials, seeds, list(found)), seeds)


def remarks(workspace: WorkspaceReader, settings: EvaluationSettings) -> list[str]:
    """What to know about settings before they are paid for."""
    if not settings.no_overlap or embedding_frozen(workspace):
        return []
    where = "in the retrained models only" if settings.freeze_embedding else "nowhere"
    return [
        f"the word embedding is frozen {where}; the paper's experiment without word overlap freezes it in the model that gives "
        "the scores, too, and found that otherwise no method moves anything: build --freeze-embedding"
    ]


def evaluation_tables(workspace: WorkspaceReader) -> list[Evaluation]:
    """The evaluations of the workspace's build, the latest first; needs no PyTorch."""
    return [
        Evaluation(*about, *(frames[table].reindex(columns=columns) for table, columns in COLUMNS.items()))
        for *about, frames in open_store(workspace).evaluations(COLUMNS)
    ]


def _test_examples(workspace: WorkspaceReader, settings: EvaluationSettings) -> IntArray:
    labels_M = load_array(workspace.build / "index" / "test" / "labels.npy")
    try:
        return deletion.balanced(labels_M, settings.test_points, settings.seed)
    except ValueError as error:
        label = int(error.args[0])
        count, classes = int((labels_M == label).sum()), len(np.unique(labels_M))
        raise SettingsError(
            f"--test-points {settings.test_points}: they are spread evenly over the classes, and only {count:,} test examples "
            f"are labelled {workspace.info.labels[label]!r}; give at most {count * classes:,}"
        ) from error


def _candidates(workspace: WorkspaceReader) -> int:
    return min(NO_OVERLAP_CANDIDATES, int(NO_OVERLAP_SHARE * workspace.info.n_train))


def _trials(
    workspace: WorkspaceReader, settings: EvaluationSettings, tests: IntArray, seeds: list[int], progress: Progress
) -> Iterator[Trial]:
    """Every set of examples to remove; it is smaller than k where fewer scores are above (or below) 0."""
    considered_MN = _considered(workspace, tests) if settings.no_overlap else None
    ks = {direction: list(settings.ks) for direction in DIRECTIONS}
    if settings.qld:
        ks[PROPONENTS] = sorted({*settings.ks, deletion.qld_k(workspace.info.n_train)})
    for method in settings.methods:
        by_test = named(
            workspace,
            method,
            tests.tolist(),
            seeds,
            max(max(some) for some in ks.values()),
            with_bias=settings.with_bias,
            considered_MN=considered_MN,
            progress=progress,
        )
        for test, by_seed in zip(tests.tolist(), by_test, strict=True):
            for side, direction in enumerate(DIRECTIONS):
                available = round(float(np.mean([one.available[side] for one in by_seed])))
                for k in ks[direction]:
                    changes = tuple(Change(removed=tuple(one.sides[side][:k].tolist())) for one in by_seed)
                    yield Trial(method, direction, k, test, changes, available)


def _considered(workspace: WorkspaceReader, tests: IntArray) -> BoolArray:
    """Which training examples have the least word overlap with each test example, by tf-idf similarity, shape (M, N)."""
    considered_MN = np.zeros((len(tests), workspace.info.n_train), dtype=np.bool_)
    for row, test in enumerate(tests.tolist()):
        query = replace(workspace.queries[test], text=workspace.store.joined_texts("test", test)[0])
        similarities_N = training_set(workspace).text_similarities(query)
        considered_MN[row, deletion.least_similar(similarities_N, workspace.tie_ranks_N, _candidates(workspace))] = True
    return considered_MN


def _runs(workspace: WorkspaceReader, trials: list[Trial], seeds: Sequence[int], found: list[Tried]) -> pd.DataFrame:
    """Every trial with every seed beside the control of its seed, as `deletion` reads them."""
    examples = workspace.store.examples("test", {trial.test for trial in trials})
    lookup = {name: number for number, name in enumerate(workspace.info.labels)}
    said = {(one.trial, one.seed): one.probabilities_Y for one in found}
    without = {(one.trial.test, one.seed): one.probabilities_Y for one in found if one.trial.method == NO_CHANGE}
    rows = []
    for trial in trials:
        example = examples[trial.test]
        label = lookup[example.label]
        about: dict[str, Any] = {
            "method": trial.method,
            "direction": trial.way,
            "k": trial.k,
            "test_id": example.id,
            "label": example.label,
        }
        for seed, change in zip(seeds, trial.changes, strict=True):
            before_Y = without[trial.test, seed]
            counts = {"removed": len(change.removed), "available": trial.available}
            changed = deletion.differences(said[trial, seed], before_Y, label)
            rows.append({**about, "seed": seed, **counts, "control": float(before_Y[label]), **changed})
    return pd.DataFrame(rows)


def _kept(workspace: WorkspaceReader, settings: EvaluationSettings, runs: pd.DataFrame, seeds: list[int]) -> Evaluation:
    store, record = open_store(workspace), settings.record(seeds)
    name = hashlib.sha256(json.dumps([store.build, record]).encode()).hexdigest()[:16]
    points, asked = deletion.points_of(runs), runs[runs["k"].isin(settings.ks)]
    by_seed = deletion.seed_areas(asked)
    top = runs[(runs["direction"] == PROPONENTS) & (runs["k"] == deletion.qld_k(workspace.info.n_train))]
    qld = deletion.qld(top) if settings.qld else pd.DataFrame(columns=COLUMNS["deletion_qld"])
    made = (deletion.curves(asked), deletion.areas(asked, by_seed), points, by_seed, qld, runs)
    frames = {table: frame[columns] for (table, columns), frame in zip(COLUMNS.items(), made, strict=True)}
    finished_at = store.save_evaluation(name, record, frames)
    return Evaluation(name, record, finished_at, *frames.values())
