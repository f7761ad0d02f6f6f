"""Targeted fixing (appendix L): does changing what a method blames for a mistake mend that mistake?

For misclassified test sentences whose true label is not hopeless (probability 0.3 to 0.7): (a) remove the k strongest
opponents, (b) mask the most negative word of each, retrain, and count how often the mistake is gone. Beside the methods
stand random examples (words) and no change at all: another seed alone mends many such mistakes.

Axes: M test examples, N training examples, Y labels.
"""

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from influence.attribution import METHODS
from influence.data import Edit
from influence.engines import Engine
from influence.errors import SettingsError
from influence.experiments.deletion import ends
from influence.experiments.proposals import masking
from influence.experiments.settings import MASK, RANDOM, REMOVE, FixingSettings
from influence.experiments.statistics import SHARE, Crossed
from influence.experiments.trials import NO_CHANGE, Trial, Tried, check, controls, named, try_out_all
from influence.experiments.whatif_tables import opened
from influence.explanations import has_score_words, score_words, sentences, training_set
from influence.files import load_array
from influence.retraining import Change, check_trained_here, seeds_of
from influence.review import Corpus
from influence.types import IntArray, Progress, silent
from influence.workspace import WorkspaceReader

LEAST, MOST = 0.3, 0.7  # probability of the true label
_Masked = list[tuple[int, tuple[str, ...]] | None]  # training rows with the words to mask; None where none can be


@dataclass(frozen=True)
class Fixing:
    """What was tried and what came of it.

    `runs`: method, way, k, test_id, seed, fixed (is the true label predicted now?), probability (of the true label),
    accuracy (of the retrained model on all test examples), changed (how many examples were, at most k; the mean over the
    seeds; missing in one from before that was kept). Method "no change", k = 0: the control.
    """

    id: str
    made_at: str  # ISO 8601, UTC
    settings: dict[str, Any]
    runs: pd.DataFrame


def mistakes(workspace: WorkspaceReader) -> IntArray:
    """Positions of the misclassified test examples whose true label has a probability from 0.3 to 0.7, in order."""
    probabilities_MY = workspace.probabilities("test")
    labels_M = load_array(workspace.build / "index" / "test" / "labels.npy")
    true_M = probabilities_MY[np.arange(len(labels_M)), labels_M]
    return np.flatnonzero((probabilities_MY.argmax(axis=1) != labels_M) & (true_M >= LEAST) & (true_M <= MOST))


def fix_mistakes(
    workspace: WorkspaceReader,
    settings: FixingSettings,
    *,
    device: str = "auto",
    engine: Engine | None = None,
    progress: Progress = silent,
) -> Fixing:
    """Try every way on every mistake, retrained by an `engine` where there is one, and keep what came of it.

    Raises `SettingsError` for settings that do not fit the workspace, before anything is trained.
    """
    check_trained_here(workspace)
    tests = _chosen(workspace, settings)
    settings.check_ks(workspace.info.n_train)
    seeds = seeds_of(workspace, settings.retrains)
    trials = list(_trials(workspace, settings, tests.tolist(), seeds, progress))
    check(workspace, trials, instead="give smaller numbers")
    trials = [*controls(tests.tolist(), seeds), *trials]
    found = try_out_all(workspace, trials, seeds, whole=True, device=device, engine=engine, progress=progress)
    return _kept(workspace, settings, seeds, _runs(workspace, found, tests.tolist()))


def _chosen(workspace: WorkspaceReader, settings: FixingSettings) -> IntArray:
    found = mistakes(workspace)
    if settings.test_points > len(found):
        raise SettingsError(
            f"--test-points {settings.test_points}: only {len(found):,} test examples are misclassified with a probability of "
            f"{LEAST} to {MOST} for their own label"
        )
    return np.sort(np.random.default_rng([settings.seed, len(found)]).permutation(found)[: settings.test_points])


def _trials(
    workspace: WorkspaceReader, settings: FixingSettings, tests: list[int], seeds: list[int], progress: Progress
) -> Iterator[Trial]:
    corpus = Corpus(workspace)
    for method in settings.methods:
        by_test = named(workspace, method, tests, seeds, settings.ks[-1], progress=progress)
        opponents = {test: [one.opponents.tolist() for one in by_seed] for test, by_seed in zip(tests, by_test, strict=True)}
        available = {test: by_seed[0].available[1] for test, by_seed in zip(tests, by_test, strict=True)}
        masks = _masks(workspace, corpus, settings, method, opponents, seeds) if MASK in settings.ways else None
        for test, by_seed_rows in opponents.items():
            for k in settings.ks:
                if REMOVE in settings.ways:
                    removed = tuple(Change(removed=tuple(rows[:k])) for rows in by_seed_rows)
                    yield Trial(method, REMOVE, k, test, removed, available[test])
                if masks is not None:
                    masked = tuple(Change(masked=tuple(one for one in own[:k] if one is not None)) for own in masks[test])
                    yield Trial(method, MASK, k, test, masked, available[test])


def masks_words(method: str) -> bool:
    """Whether a method says which word of an opponent to mask: its own, the ones its score hangs on, or random ones."""
    found = METHODS[method]
    return found.words or has_score_words(found) or method == RANDOM


def _masks(
    workspace: WorkspaceReader,
    corpus: Corpus,
    settings: FixingSettings,
    method: str,
    opponents: dict[int, list[list[int]]],
    seeds: list[int],
) -> dict[int, list[_Masked]] | None:
    """For each test example and seed the words to mask, the strongest opponent's first; None for a method without words."""
    if not masks_words(method):
        return None
    if method == RANDOM:
        return {test: [_random_words(workspace, corpus, settings, test, seed) for seed in seeds] for test in opponents}
    asked = {test: by_seed[0] for test, by_seed in opponents.items()}
    found = _own_words(workspace, method, asked) if METHODS[method].words else score_words(workspace, method, asked)
    masks = {}
    for test, rows in asked.items():
        there = sentences(workspace, "train", rows)
        edits = [masking(corpus, there[row], scores) for row, scores in zip(rows, found[test], strict=True)]
        masks[test] = [[None if edit is None else (row, edit.words) for row, edit in zip(rows, edits, strict=True)]] * len(seeds)
    return masks


def _own_words(workspace: WorkspaceReader, method: str, asked: dict[int, list[int]]) -> dict[int, list[dict[int, float]]]:
    """What each word of the opponents contributes to their scores, for a method that splits over words."""
    training = training_set(workspace)
    selection = METHODS[method].selection
    assert selection is not None  # it has words
    found: dict[int, list[dict[int, float]]] = {}
    for test, rows in asked.items():
        matches = training.matches(workspace.queries[test], np.array(rows, dtype=np.int64), selection)
        found[test] = [{} for _ in rows]
        for place, word, score in zip(
            matches.examples_X.tolist(), matches.train_words_X.tolist(), matches.scores_X.tolist(), strict=True
        ):
            found[test][place][word] = found[test][place].get(word, 0.0) + score
    return found


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


def _runs(workspace: WorkspaceReader, found: Iterable[Tried], tests: list[int]) -> list[dict[str, Any]]:
    labels_M = np.asarray(load_array(workspace.build / "index" / "test" / "labels.npy"))
    ids = {row: example.id for row, example in workspace.store.examples("test", tests).items()}
    rows = []
    for trial, seed, probabilities_Y, accuracy in found:
        label = int(labels_M[trial.test])
        about = {"method": trial.method, "way": trial.way, "k": trial.k, "test_id": ids[trial.test], "seed": seed}
        fixed, probability = bool(probabilities_Y.argmax() == label), float(probabilities_Y[label])
        rows.append({**about, "fixed": fixed, "probability": probability, "accuracy": accuracy, "changed": trial.changed})
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
    """Probability that a mistake is fixed: columns method, way, k, fixed, low, high, accuracy, changed.

    `fixed` is the mean over mistakes of the share of retrainings that mend them, with a 95 % interval over the mistakes and
    the seeds (missing where there are too few of either); `accuracy` the mean difference in test accuracy to the retraining of
    the same seed without any change; `changed` how many examples were changed, the mean. The control has k = 0.
    """
    control = runs[runs["method"] == NO_CHANGE].groupby("seed")["accuracy"].first()
    rows = []
    groups: Any = runs.groupby(["method", "way", "k"], sort=True)
    for (method, way, k), some in groups:
        change = float((some["accuracy"] - some["seed"].map(control)).mean())
        rows.append((method, way, int(k), *ends(_mended(some)), change, float(some["changed"].mean())))
    return pd.DataFrame(rows, columns=["method", "way", "k", "fixed", "low", "high", "accuracy", "changed"])


def fixing_beyond(runs: pd.DataFrame, method: str, way: str, k: int, control: str) -> Crossed | None:
    """How many more of the mistakes a method mends than a control: random choices, or no change; None where it was not tried.

    A share, -1 to 1, paired by mistake and seed.
    """
    own = runs[(runs["method"] == method) & (runs["way"] == way) & (runs["k"] == k)]
    other = runs[runs["method"] == control]
    if control != NO_CHANGE:
        other = other[(other["way"] == way) & (other["k"] == k)]
    if own.empty or other.empty:
        return None
    return Crossed(_mended(own).values_MS - _mended(other).values_MS, (-1.0, 1.0), step=1.0)


def _mended(runs: pd.DataFrame) -> Crossed:
    """Whether each mistake was mended with each seed, 0 or 1."""
    table: Any = runs.pivot_table(index="test_id", columns="seed", values="fixed", aggfunc="mean").sort_index()
    return Crossed(table.to_numpy(dtype=np.float64), SHARE, step=1.0)
