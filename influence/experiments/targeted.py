"""Targeted fixing (appendix L): does changing what a method blames for a mistake mend that mistake?

For misclassified test sentences whose true label is not hopeless (probability 0.3 to 0.7): (a) remove the k strongest
opponents, (b) mask the most negative word of each, retrain, and count how often the mistake is gone. Beside the methods
stand random examples (words) and no change at all: another seed alone mends many such mistakes.

Axes: M test examples, N training examples, Y labels.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from influence.attribution import METHODS
from influence.data import Edit
from influence.errors import SettingsError
from influence.experiments.deletion import bootstrap_weights, interval
from influence.experiments.proposals import masking
from influence.experiments.settings import MASK, RANDOM, REMOVE, FixingSettings
from influence.experiments.whatif_tables import opened
from influence.explanations import explain, scores_of, sentences
from influence.files import load_array
from influence.formulas import extremes
from influence.retraining import Change, Run, check_change, check_trained_here, retrain, seeds_of
from influence.review import Corpus
from influence.types import IntArray, Progress, silent
from influence.workspace import WorkspaceReader

LEAST, MOST = 0.3, 0.7  # probability of the true label
NO_CHANGE = "no change"


@dataclass(frozen=True)
class Fixing:
    """What was tried and what came of it.

    `runs`: method, way, k, test_id, seed, fixed (is the true label predicted now?), probability (of the true label),
    accuracy (of the retrained model on all test examples). Method "no change", k = 0: the control.
    """

    id: str
    made_at: str  # ISO 8601, UTC
    settings: dict[str, Any]
    runs: pd.DataFrame


@dataclass(frozen=True)
class _Try:
    method: str
    way: str
    k: int
    test: int
    change: Change
    seed: int | None = None  # of the one retraining that it is tried with; None: with each


def mistakes(workspace: WorkspaceReader) -> IntArray:
    """Positions of the misclassified test examples whose true label has a probability from 0.3 to 0.7, in order."""
    last = len(workspace.info.checkpoints) - 1
    probabilities_MY = load_array(workspace.build / "index" / "test" / str(last) / "probabilities.npy")
    labels_M = load_array(workspace.build / "index" / "test" / "labels.npy")
    true_M = probabilities_MY[np.arange(len(labels_M)), labels_M]
    return np.flatnonzero((probabilities_MY.argmax(axis=1) != labels_M) & (true_M >= LEAST) & (true_M <= MOST))


def fix_mistakes(
    workspace: WorkspaceReader,
    settings: FixingSettings,
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> Fixing:
    """Try every way on every mistake, and keep what came of it.

    Raises `SettingsError` for settings that do not fit the workspace, before anything is trained.
    """
    check_trained_here(workspace)
    tests = _chosen(workspace, settings)
    settings.check_ks(workspace.info.n_train)
    seeds = seeds_of(workspace, settings.retrains)
    tries = list(_tries(workspace, settings, tests, seeds, progress))
    labels_N = load_array(workspace.build / "index" / "train" / "labels.npy")
    for change in {one.change for one in tries}:
        check_change(workspace, change, labels_N)
    tries = [_Try(NO_CHANGE, "", 0, test, Change()) for test in tests.tolist()] + tries
    return _kept(workspace, settings, seeds, _outcomes(workspace, tries, seeds, device, progress))


def _chosen(workspace: WorkspaceReader, settings: FixingSettings) -> IntArray:
    found = mistakes(workspace)
    if settings.test_points > len(found):
        raise SettingsError(
            f"--test-points {settings.test_points}: only {len(found):,} test examples are misclassified with a probability of "
            f"{LEAST} to {MOST} for their own label"
        )
    return np.sort(np.random.default_rng([settings.seed, len(found)]).permutation(found)[: settings.test_points])


def _tries(
    workspace: WorkspaceReader, settings: FixingSettings, tests: IntArray, seeds: list[int], progress: Progress
) -> Iterator[_Try]:
    for method in settings.methods:
        draws: list[int | None] = [*seeds] if METHODS[method].drawn else [None]  # random ones anew for every retraining
        if REMOVE in settings.ways:
            for seed in draws:
                scores_MN = scores_of(workspace, method, tests.tolist(), draw=seed or 0, progress=progress)
                for test, scores_N in zip(tests.tolist(), scores_MN, strict=True):
                    _, opponents = extremes(scores_N, workspace.tie_ranks_N, settings.ks[-1])
                    for k in settings.ks:
                        yield _Try(method, REMOVE, k, test, Change(removed=tuple(opponents[:k].tolist())), seed)
        if MASK in settings.ways and (METHODS[method].words or method == RANDOM):
            for seed in draws:
                for test, masked in _masked(workspace, settings, tests, method, seed):
                    for k in settings.ks:
                        change = Change(masked=tuple(one for one in masked[:k] if one is not None))
                        yield _Try(method, MASK, k, test, change, seed)


_Masked = list[tuple[int, tuple[str, ...]] | None]


def _masked(
    workspace: WorkspaceReader, settings: FixingSettings, tests: IntArray, method: str, seed: int | None
) -> Iterator[tuple[int, _Masked]]:
    """Each test example with the words to mask, the strongest opponent's first; None where there is none."""
    corpus = Corpus(workspace)
    rows = {id: row for row, id in enumerate(corpus.examples)}
    ids = {row: example.id for row, example in workspace.store.examples("test", tests.tolist()).items()}
    for test in tests.tolist():
        if seed is not None:
            yield test, _random_words(workspace, corpus, settings, test, seed)
        else:
            found = explain(workspace, test_id=ids[test], method=method, top=settings.ks[-1]).opponents
            edits = [(rows[str(one.train.id)], masking(corpus, one)) for one in found]
            yield test, [None if edit is None else (row, edit.words) for row, edit in edits]


def _random_words(workspace: WorkspaceReader, corpus: Corpus, settings: FixingSettings, test: int, seed: int) -> _Masked:
    """A random word of each of k random training examples; None where it cannot be masked."""
    generator = np.random.default_rng([settings.seed, test, seed])
    chosen = generator.permutation(workspace.info.n_train)[: settings.ks[-1]].tolist()
    found = sentences(workspace, "train", chosen)
    masked: _Masked = []
    for row in chosen:
        words = [" ".join(word.text.split()) for word in found[row].words if word.side >= 0]
        word = words[int(generator.integers(len(words)))] if words else ""
        fits = bool(word) and Edit(MASK, words=(word,)).fits(corpus[str(found[row].id)])
        masked.append((row, (word,)) if fits else None)
    return masked


def _outcomes(
    workspace: WorkspaceReader, tries: list[_Try], seeds: list[int], device: str, progress: Progress
) -> list[dict[str, Any]]:
    labels_M = np.asarray(load_array(workspace.build / "index" / "test" / "labels.npy"))
    ids = {row: example.id for row, example in workspace.store.examples("test", {one.test for one in tries}).items()}
    of_run: dict[Run, list[_Try]] = {}
    for seed in seeds:
        for one in tries:
            if one.seed in (None, seed):
                of_run.setdefault(Run(seed, one.change), []).append(one)
    rows = []
    for result in retrain(workspace, list(of_run), device=device, progress=progress):
        predicted_M = result.probabilities_MY.argmax(axis=1)
        accuracy = float((predicted_M == labels_M).mean())
        for one in of_run[result.run]:
            label = int(labels_M[one.test])
            tried = {"method": one.method, "way": one.way, "k": one.k, "test_id": ids[one.test], "seed": result.run.seed}
            fixed, probability = bool(predicted_M[one.test] == label), float(result.probabilities_MY[one.test, label])
            rows.append({**tried, "fixed": fixed, "probability": probability, "accuracy": accuracy})
    return rows


def _kept(workspace: WorkspaceReader, settings: FixingSettings, seeds: list[int], rows: list[dict[str, Any]]) -> Fixing:
    id, record = secrets.token_hex(8), settings.record(seeds)
    made_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    head = {"id": id, "build": workspace.build.name, "made_at": made_at, "settings": json.dumps(record)}
    with opened(workspace.path, write=True) as store:
        assert store is not None
        store.add({"fixings": [head], "fixed": [{"fixing": id, **row} for row in rows]})
        return Fixing(id, made_at, record, store.fixed(id))


def fixings(workspace: WorkspaceReader) -> list[Fixing]:
    """The targeted fixings of the workspace's build, the latest first; needs no PyTorch."""
    with opened(workspace.path) as store:
        if store is None:
            return []
        return [Fixing(id, at, settings, store.fixed(id)) for id, at, settings in store.fixings(workspace.build.name)]


def fixing_curves(runs: pd.DataFrame) -> pd.DataFrame:
    """Probability that a mistake is fixed, for every method, way and k: columns method, way, k, fixed, low, high, accuracy.

    `fixed` is the mean over mistakes of the share of retrainings that mend them, with a 95 % bootstrap interval over the
    mistakes; `accuracy` the mean difference in test accuracy to the retraining of the same seed without any change. The
    control has k = 0.
    """
    weights_BM = bootstrap_weights(runs["test_id"].nunique())
    control = runs[runs["method"] == NO_CHANGE].groupby("seed")["accuracy"].first()
    rows = []
    groups: Any = runs.groupby(["method", "way", "k"], sort=True)
    for (method, way, k), some in groups:
        shares_M = some.groupby("test_id", sort=True)["fixed"].mean().to_numpy(dtype=np.float64)
        change = float((some["accuracy"] - some["seed"].map(control)).mean())
        rows.append((method, way, int(k), *interval(shares_M, weights_BM), change))
    return pd.DataFrame(rows, columns=["method", "way", "k", "fixed", "low", "high", "accuracy"])
