"""Deletion curves (section 2.2): what removing the examples that a method names does to a prediction; plain numbers.

DEL+(x', k) is the mean over retrainings of the model's value for x' after its k strongest proponents were removed, minus
that of the retraining with the same seed and nothing removed; DEL- the same for opponents. A method that is right about
the data makes DEL+ negative and DEL- positive. AUC-DEL is the plain mean over the values of k. Two values are measured:
the probability of the true label, and the logit margin, in nats: its log-odds against the strongest other label, which
still moves where the probability is all but 1.

QLD is the rise of the loss on x', in nats, after the strongest 1 % of all training examples were removed, minus the rise
after as many random ones were.

Intervals are over the test examples and the seeds together, see `Crossed`, and missing where there are too few of either.

`runs` has a row for every method, direction, k, test_id and seed, with label, removed, available, control (probability of
the true label with nothing removed) and the differences to that control: probability, margin and loss.

Axes: R retrainings, M test examples, S seeds, Y labels.
"""

from typing import Any

import numpy as np
import pandas as pd

from influence.experiments.settings import RANDOM, RANDOM_SAME_LABEL
from influence.experiments.statistics import Crossed
from influence.types import FloatArray, IntArray

MEASURES = ("probability", "margin")
PROPONENTS, OPPONENTS = "+", "-"  # which examples were removed
DIRECTIONS = (PROPONENTS, OPPONENTS)
CONTROLS = {"over_random": RANDOM, "over_same_label": RANDOM_SAME_LABEL}  # columns of what a method does beyond each
QLD_SHARE = 0.01
SMALLEST = float(np.finfo(np.float32).tiny)  # below it a float32 probability is stored as 0
POINT = ["method", "direction", "k", "test_id"]
QLD_COLUMNS = [
    "method", "k", "rise", "rise_low", "rise_high", "mean", "low", "high",
    "over_same_label", "over_same_label_low", "over_same_label_high", "retraining_sd",
]  # fmt: skip
MEANS = ["removed", "available", "control", "probability", "margin", "loss"]
OVER = [f"{name}{end}" for name in CONTROLS for end in ("", "_low", "_high")]


def probability_and_margin(probabilities_Y: FloatArray, label: int) -> tuple[float, float]:
    """The probability of the true label, and the logit margin: log p(true) - log of the largest other p, in nats."""
    others_Y = np.delete(probabilities_Y, label)
    logs = np.log(np.maximum([probabilities_Y[label], others_Y.max()], SMALLEST))
    return float(probabilities_Y[label]), float(logs[0] - logs[1])


def loss_of(probabilities_Y: FloatArray, label: int) -> float:
    """The cross-entropy on the true label, in nats."""
    return float(-np.log(max(float(probabilities_Y[label]), SMALLEST)))


def differences(after_Y: FloatArray, before_Y: FloatArray, label: int) -> dict[str, float]:
    """What a removal does, beside the control of its seed: probability, margin and loss with it minus without."""
    (p, margin), (p_before, margin_before) = (probability_and_margin(some_Y, label) for some_Y in (after_Y, before_Y))
    rise = loss_of(after_Y, label) - loss_of(before_Y, label)
    return {"probability": p - p_before, "margin": margin - margin_before, "loss": rise}


def points_of(runs: pd.DataFrame) -> pd.DataFrame:
    """DEL of every method, direction, k and test example: `runs` averaged over their seeds."""
    groups = runs.groupby(POINT, sort=False)
    points = pd.concat([groups["label"].first(), groups[MEANS].mean()], axis=1).reset_index()
    return points.assign(**{name: points[name].round().astype(int) for name in ("removed", "available")})


def crossed(runs: pd.DataFrame, measure: str) -> Crossed:
    """A measure of one method and direction for every test example and seed, the mean over k where there are several."""
    table: Any = runs.pivot_table(index="test_id", columns="seed", values=measure, aggfunc="mean").sort_index()
    return Crossed(table.to_numpy(dtype=np.float64))


def beyond(runs: pd.DataFrame, method: str, direction: str, measure: str, control: str) -> Crossed:
    """What removing a method's examples does less what a random removal does, paired by test example and seed."""
    here = runs[runs["direction"] == direction]
    own, random = (crossed(here[here["method"] == one], measure) for one in (method, control))
    return Crossed(own.values_MS - random.values_MS)


def ends(found: Crossed) -> tuple[float, float, float]:
    """Its mean and the ends of its interval; NaN where there is none."""
    return found.mean, *(found.interval or (float("nan"), float("nan")))


def bootstrap_deviation(values_R: FloatArray) -> float:
    """Standard deviation of the mean over R retrainings, were they drawn again with replacement; NaN for one (table 7).

    The bootstrap's limit for endlessly many resamplings: √(Σ (v − v̄)²) / R.
    """
    if len(values_R) < 2:
        return float("nan")
    return float(np.sqrt(np.square(values_R - values_R.mean()).sum()) / len(values_R))


def curves(runs: pd.DataFrame) -> pd.DataFrame:
    """DEL of every method, direction and k: columns method, direction, k, measure, mean, low, high."""
    rows = []
    for (method, direction, k), some in runs.groupby(["method", "direction", "k"], sort=False):
        for measure in MEASURES:
            rows.append((method, direction, k, measure, *ends(crossed(some, measure))))
    return pd.DataFrame(rows, columns=["method", "direction", "k", "measure", "mean", "low", "high"])


def seed_areas(runs: pd.DataFrame) -> pd.DataFrame:
    """AUC-DEL of every method and direction as each single retraining has it: method, direction, measure, seed, mean."""
    long = runs.melt(["method", "direction", "seed"], list(MEASURES), var_name="measure", value_name="mean")
    means: pd.DataFrame = long.groupby(["method", "direction", "measure", "seed"], sort=False)["mean"].mean().reset_index()
    return means


def areas(runs: pd.DataFrame, by_seed: pd.DataFrame) -> pd.DataFrame:
    """AUC-DEL of every method and direction, and how far it is from that of each random removal, by test example and seed.

    Columns method, direction, measure, mean, low, high, over_random, over_same_label (each with _low and _high; missing where
    that control was not tried) and retraining_sd (see `bootstrap_deviation`).
    """
    rows = []
    for (method, direction), some in runs.groupby(["method", "direction"], sort=False):
        for measure in MEASURES:
            about = {"method": method, "direction": direction, "measure": measure}
            seeds = by_seed[(by_seed[list(about)] == pd.Series(about)).all(axis=1)]
            spread = bootstrap_deviation(seeds["mean"].to_numpy())
            own = dict(zip(("mean", "low", "high"), ends(crossed(some, measure)), strict=True))
            over = _beyond_controls(runs, str(method), str(direction), measure)
            rows.append({**about, **own, **over, "retraining_sd": spread})
    return pd.DataFrame(rows, columns=["method", "direction", "measure", "mean", "low", "high", *OVER, "retraining_sd"])


def _beyond_controls(runs: pd.DataFrame, method: str, direction: str, measure: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, control in CONTROLS.items():
        if (runs["method"] == control).any():
            values = ends(beyond(runs, method, direction, measure, control))
            found |= dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
    return found


def qld_k(n: int) -> int:
    """How many examples 1 % of n training examples are, at least one."""
    return max(1, round(QLD_SHARE * n))


def qld(runs: pd.DataFrame) -> pd.DataFrame:
    """QLD of every method from `runs` of one k: how much more the loss rises than after random removal, in nats.

    Columns method, k, rise, rise_low, rise_high (of the loss itself), mean, low, high (less that of random, by test example
    and seed; above 0: the method found examples that the prediction needs), over_same_label, with _low and _high (the same less
    that of random removal among those of the label) and retraining_sd.
    """
    by_seed: Any = runs.pivot_table(index="seed", columns="method", values="loss", aggfunc="mean")
    rows = []
    for method in runs["method"].unique():
        spread = bootstrap_deviation((by_seed[method] - by_seed[RANDOM]).to_numpy())
        rise = dict(zip(("rise", "rise_low", "rise_high"), ends(crossed(runs[runs["method"] == method], "loss")), strict=True))
        over = _beyond_controls(runs, method, PROPONENTS, "loss")
        names = {"over_random": "mean", "over_random_low": "low", "over_random_high": "high"}
        over = {names.get(name, name): value for name, value in over.items()}
        rows.append({"method": method, "k": int(runs["k"].iloc[0]), **rise, **over, "retraining_sd": spread})
    return pd.DataFrame(rows, columns=QLD_COLUMNS)


def removals(points: pd.DataFrame) -> pd.DataFrame:
    """How many examples were really removed: columns method, direction, k, removed, least, most, available.

    Means over the test examples, and the ends; fewer than k where fewer have a score on that side, which `available` counts.
    """
    groups = points.groupby(["method", "direction", "k"], sort=False)
    counts = {"removed": ("removed", "mean"), "least": ("removed", "min"), "most": ("removed", "max")}
    found: pd.DataFrame = groups.agg(**counts, available=("available", "mean")).reset_index()
    return found


def balanced(labels_M: IntArray, n: int, seed: int) -> IntArray:
    """n test examples with every label as often as any other (give or take one), drawn at random; a smaller n is a part.

    Raises `ValueError` with the label that has too few.
    """
    generator = np.random.default_rng([seed, 0])
    labels = generator.permutation(np.unique(labels_M))
    orders = {label: generator.permutation(np.flatnonzero(labels_M == label)) for label in np.unique(labels_M)}
    chosen = []
    for number in range(n):
        label, place = labels[number % len(labels)], number // len(labels)
        if place >= len(orders[label]):
            raise ValueError(int(label))
        chosen.append(int(orders[label][place]))
    return np.array(chosen, dtype=np.int64)


def least_similar(similarities_N: FloatArray, tie_ranks_N: IntArray, count: int) -> IntArray:
    """The training examples with the least word overlap: the lowest similarities, ties by id."""
    return np.lexsort((tie_ranks_N, similarities_N))[:count]
