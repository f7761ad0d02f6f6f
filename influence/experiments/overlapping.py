"""What a ranking follows (appendix G): the loss of the training examples, their likeness to the test example, or both?

A TracIn score is a product: how much training on x moves anything, times how alike x and x' are to the model. Where the
first factor rules, the same few examples, those with a large loss, come first whatever is asked. For some test examples,
the strongest proponents by a method are compared with those that one factor alone puts first:

    loss         Σ_c η_c ‖∂ℓ/∂f_c(x)‖, f the logits: the paper's loss salience, the same for every test example
    activations  Σ_c η_c a_c(x)·a_c(x'), a the inputs of the last linear layer: the paper's similarity
    norm         √I(x, x), the length of the gradients that the method itself compares
    cosine       I(x, x') / √(I(x, x) I(x', x')), the angle between them, as in appendix A

The last two are known for TracIn on the last layer and on the word embedding. Nothing is trained.

Axes: M test examples, N training examples, C checkpoints, Y labels, H inputs of the last layer.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from influence.experiments.settings import OverlapSettings
from influence.experiments.statistics import FEWEST, interval
from influence.experiments.whatif_tables import opened
from influence.explanations import scores_of, training_set
from influence.formulas import extremes, tracin_term
from influence.types import FloatArray, IntArray, Progress, silent
from influence.workspace import WorkspaceReader

LOSS, ACTIVATIONS, NORM, COSINE = "loss", "activations", "norm", "cosine"
AGAINST = (LOSS, ACTIVATIONS, NORM, COSINE)
WORD_COLUMN = {"tracin-we-topk": 0, "tracin-we": 1, "tracin-first": 1}  # of the stored self-influences
ROUNDED = 6**-0.5  # the deviation of a difference of two whole numbers from rounding alone
POINT_COLUMNS = ("method", "test_id", "against", "listed", "shared")


@dataclass(frozen=True)
class Overlaps:
    """What was compared and what came of it.

    `points`: method, test_id, against (one of `AGAINST`), listed (how many proponents the method's list has: the `top` of
    the settings, or as many as there are), shared (how many of them are in the other list, too).
    `repeats`: a row a method, about its lists of the `near` strongest: listed (places in the proponents' lists of all test
    examples), examples (how many different ones fill them), repeated (in how many tests' lists, of proponents or
    opponents, a test's first proponent stands, mean over the tests), most_id and most (the training example that stands
    in the lists of the most tests, and of how many).
    """

    id: str
    made_at: str  # ISO 8601, UTC
    settings: dict[str, Any]
    points: pd.DataFrame
    repeats: pd.DataFrame


def measure_overlaps(workspace: WorkspaceReader, settings: OverlapSettings, *, progress: Progress = silent) -> Overlaps:
    """Compare the lists, and keep what came of it. Raises `QueryError` for a method that the model cannot serve."""
    tests = _chosen(workspace, settings)
    ids = [example.id for _, example in sorted(workspace.store.examples("test", tests).items())]
    names, ranks_N = workspace.train_ids(), workspace.tie_ranks_N
    points: list[tuple[Any, ...]] = []
    repeats = []
    for method in settings.methods:
        scores_MN = scores_of(workspace, method, tests, progress=progress)
        for against, factor_of in _factors(workspace, method).items():
            for at, (test, test_id) in enumerate(zip(tests, ids, strict=True)):
                listed = set(extremes(scores_MN[at], ranks_N, settings.top)[0].tolist())
                other = set(extremes(factor_of(test, scores_MN[at]), ranks_N, settings.top)[0].tolist())
                points.append((method, test_id, against, len(listed), len(listed & other)))
        repeats.append({"method": method, **_repeats(scores_MN, ranks_N, settings.near, names)})
    record = settings.record(len(tests))
    return _kept(workspace, record, pd.DataFrame(points, columns=list(POINT_COLUMNS)), pd.DataFrame(repeats))


def _chosen(workspace: WorkspaceReader, settings: OverlapSettings) -> list[int]:
    drawn = np.random.default_rng([settings.seed, workspace.info.n_test]).permutation(workspace.info.n_test)
    return sorted(drawn[: settings.test_points].tolist())


def _factors(workspace: WorkspaceReader, method: str) -> dict[str, Callable[[int, FloatArray], FloatArray]]:
    """What one factor alone says of every training example (N,), by name: functions of a test position and its scores."""
    training, rates_C = training_set(workspace), workspace.learning_rates_C
    loss_N = sum(tracin_term(rate, np.linalg.norm(training.deltas(c), axis=1)) for c, rate in enumerate(rates_C))
    found: dict[str, Callable[[int, FloatArray], FloatArray]] = {LOSS: lambda test, scores_N: np.asarray(loss_N)}
    if training.last_layer(-1) is not None:
        found[ACTIVATIONS] = lambda test, scores_N: _activations(workspace, test)
    squares_N = _self_influence(workspace, method)
    if squares_N is not None:
        norms_N = np.sqrt(squares_N)
        found[NORM] = lambda test, scores_N: norms_N
        # The test example's own norm is the same for every training example, so it does not change the order.
        found[COSINE] = lambda test, scores_N: np.divide(scores_N, norms_N, out=np.zeros(len(norms_N)), where=norms_N > 0)
    return found


def _activations(workspace: WorkspaceReader, test: int) -> FloatArray:
    training, query = training_set(workspace), workspace.queries[test]
    total_N = np.zeros(workspace.info.n_train)
    for c, rate in enumerate(workspace.learning_rates_C):
        layer, features_H = training.last_layer(c), query.checkpoints[c].features_H
        assert layer is not None  # asked where there is one
        assert features_H is not None
        total_N += tracin_term(rate, (layer[0] @ features_H).astype(np.float64))
    return total_N


def _self_influence(workspace: WorkspaceReader, method: str) -> FloatArray | None:
    """I(x, x) of every training example, shape (N,); None for a method of which it is not known."""
    total_N, training = np.zeros(workspace.info.n_train), training_set(workspace)
    for c, rate in enumerate(workspace.learning_rates_C):
        if method in WORD_COLUMN:
            squares_N = workspace.example_numbers("train", c, "self_influence")[:, WORD_COLUMN[method]]
        elif method == "tracin-last" and (layer := training.last_layer(c)) is not None:
            squares_N = np.prod([np.square(side, dtype=np.float64).sum(axis=1) for side in layer], axis=0)
        else:
            return None
        total_N += tracin_term(rate, squares_N.astype(np.float64))
    return total_N


def _repeats(scores_MN: FloatArray, ranks_N: IntArray, near: int, names: list[str]) -> dict[str, Any]:
    lists = [tuple(side.tolist() for side in extremes(scores_N, ranks_N, near)) for scores_N in scores_MN]
    stands_in = Counter(example for proponents, opponents in lists for example in {*proponents, *opponents})
    firsts = [proponents[0] for proponents, _ in lists if proponents]
    most = min(stands_in, key=lambda example: (-stands_in[example], ranks_N[example]), default=None)
    return {
        "listed": sum(len(proponents) for proponents, _ in lists),
        "examples": len({example for proponents, _ in lists for example in proponents}),
        "repeated": float(np.mean([stands_in[first] for first in firsts])) if firsts else None,
        "most_id": None if most is None else names[most],
        "most": 0 if most is None else stands_in[most],
    }


def _kept(workspace: WorkspaceReader, record: dict[str, Any], points: pd.DataFrame, repeats: pd.DataFrame) -> Overlaps:
    id, made_at = secrets.token_hex(8), datetime.now(UTC).isoformat(timespec="milliseconds")
    with opened(workspace.path, write=True) as store:
        assert store is not None
        store.add_overlaps(id, workspace.build.name, made_at, record, points, repeats)
        return Overlaps(id, made_at, record, *store.overlapping(id))


def overlaps(workspace: WorkspaceReader) -> list[Overlaps]:
    """The comparisons of the workspace's build, the latest first; needs no PyTorch."""
    with opened(workspace.path) as store:
        if store is None:
            return []
        found = store.overlaps(workspace.build.name)
        return [Overlaps(id, at, settings, *store.overlapping(id)) for id, at, settings in found]


def overlap_table(points: pd.DataFrame) -> pd.DataFrame:
    """How many of a method's list are in the other list: columns method, against, shared, low, high, listed.

    `shared` is the mean over test examples, with a 95 % interval over them (Student's t; missing for fewer than three);
    `listed` the mean length of the list.
    """
    rows = []
    groups: Any = points.groupby(["method", "against"], sort=False)
    for (method, against), some in groups:
        shared, listed = some["shared"].to_numpy(np.float64), float(some["listed"].mean())
        low, high = interval(shared, deviation_at_least=ROUNDED) if len(some) >= FEWEST else (np.nan, np.nan)
        rows.append((method, against, float(shared.mean()), max(low, 0.0), min(high, listed), listed))
    return pd.DataFrame(rows, columns=["method", "against", "shared", "low", "high", "listed"])


def overlap_difference(points: pd.DataFrame, method: str, other: str, against: str) -> tuple[float, float, float]:
    """How many more of `method`'s list than of `other`'s are in the list by one factor: the mean and its 95 % interval.

    Paired by test example, Student's t over them; the ends are infinite for fewer than three.
    """
    here: Any = points[points["against"] == against].pivot_table(index="test_id", columns="method", values="shared")
    apart = (here[method] - here[other]).to_numpy(np.float64)
    ends = interval(apart, deviation_at_least=ROUNDED) if len(apart) >= FEWEST else (-np.inf, np.inf)
    return float(apart.mean()), *ends
