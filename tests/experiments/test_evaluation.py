"""Deletion curves: the arithmetic by hand, what is removed, what is retrained and kept, and what is refused."""

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny import request, write_csv

from influence.cli import main
from influence.errors import QueryError, SettingsError
from influence.experiments.deletion import (
    areas,
    balanced,
    bootstrap_deviation,
    crossed,
    curves,
    differences,
    least_similar,
    points_of,
    probability_and_margin,
    qld,
    qld_k,
    removals,
    seed_areas,
)
from influence.experiments.evaluation import evaluate, evaluation_tables
from influence.experiments.settings import EvaluationSettings
from influence.experiments.statistics import Crossed
from influence.experiments.trials import Trial, check
from influence.explanations.scores import scores_of
from influence.files import load_array
from influence.retraining import retrain
from influence.retraining.change import Change, Run
from influence.retraining.tables import FILE, RetrainingFile, m001_runs, open_store
from influence.workspace.build import build_workspace
from influence.workspace.build_request import training_settings
from influence.workspace.workspace import WorkspaceReader, read_workspace

SMALL = EvaluationSettings(methods=("tracin-we-topk",), ks=(2, 5), test_points=4, retrains=3)


@pytest.fixture
def opened(copied: Callable[[], Path]) -> Iterator[WorkspaceReader]:
    workspace = read_workspace(copied())
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def evaluated(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceReader]:
    import shutil

    copy = read_workspace(shutil.copytree(workspace, tmp_path_factory.mktemp("evaluated") / "tiny"))
    evaluate(copy, SMALL)
    yield copy
    copy.close()


def test_margin_is_the_difference_of_logits_to_the_strongest_other_label() -> None:
    logits = np.array([2.0, -1.0, 0.5])
    probabilities = np.exp(logits) / np.exp(logits).sum()
    for label, margin in ((0, 1.5), (1, -3.0), (2, -1.5)):
        assert probability_and_margin(probabilities, label) == pytest.approx((probabilities[label], margin))
    assert probability_and_margin(np.array([1.0, 0.0], dtype=np.float32), 0)[1] == pytest.approx(87.3, abs=0.1)


def test_a_removal_is_measured_beside_its_control() -> None:
    found = differences(np.array([0.5, 0.3, 0.2]), np.array([0.6, 0.1, 0.3]), 0)
    expected = {"probability": 0.5 - 0.6, "margin": math.log(0.5 / 0.3) - math.log(0.6 / 0.3), "loss": math.log(0.6 / 0.5)}
    assert found == pytest.approx(expected)
    sure = differences(np.array([0.0, 1.0], dtype=np.float32), np.array([1.0, 0.0], dtype=np.float32), 0)
    assert sure["loss"] == pytest.approx(87.3, abs=0.1)  # a probability of 0 is one too small for float32


METHODS = ("a", "random", "random-same-label")


def table(n: int, seed: int, ks: tuple[int, ...] = (1, 2, 4), seeds: int = 3) -> pd.DataFrame:
    """Runs with every number drawn at random, in no order."""
    generator = np.random.default_rng(seed)
    rows = [
        (method, direction, k, f"t{test}", run, "pos", int(generator.integers(k + 1)), 9, *generator.normal(size=4))
        for method, direction, k, test, run in itertools.product(METHODS, "+-", ks, range(n), range(seeds))
    ]
    names = ["method", "direction", "k", "test_id", "seed", "label", "removed", "available"]
    names += ["control", "probability", "margin", "loss"]
    return pd.DataFrame(rows, columns=names).sample(frac=1, random_state=seed)


def of(frame: pd.DataFrame, row: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    """The rows of a frame that agree with one in some columns."""
    return [other for other in frame.to_dict("records") if all(other[name] == row[name] for name in names)]


def test_points_are_means_over_retrainings() -> None:
    runs = table(4, seed=5)
    found = points_of(runs)
    assert len(found) == 3 * 2 * 3 * 4
    for point in found.to_dict("records"):
        own = of(runs, point, "method", "direction", "k", "test_id")
        assert len(own) == 3
        for name in ("control", "probability", "margin", "loss"):
            assert point[name] == pytest.approx(sum(run[name] for run in own) / 3)
        assert (point["label"], point["available"]) == ("pos", 9)
        assert point["removed"] == round(sum(run["removed"] for run in own) / 3)


def test_the_spread_over_retrainings_is_the_bootstrap_s_limit() -> None:
    """Against drawing the retrainings again a hundred thousand times; and by hand: of two the mean is 0, 1/2, 1/2 or 1."""
    values = np.array([0.3, -1.2, 0.7, 2.0])
    drawn = values[np.random.default_rng(0).integers(4, size=(100_000, 4))].mean(axis=1)
    assert bootstrap_deviation(values) == pytest.approx(drawn.std(), rel=0.01)
    assert bootstrap_deviation(np.array([0.0, 1.0])) == pytest.approx(np.std([0.0, 0.5, 0.5, 1.0]))
    assert math.isnan(bootstrap_deviation(np.array([0.4])))


def test_areas_say_the_spread_over_retrainings() -> None:
    runs = table(5, seed=6)
    by_seed = seed_areas(runs)
    assert len(by_seed) == 3 * 2 * 2 * 3
    for row in areas(runs, by_seed).to_dict("records"):
        values = []
        for seed in range(3):
            here = of(runs, {**row, "seed": seed}, "method", "direction", "seed")
            values.append(sum(run[row["measure"]] for run in here) / 15)
            [single] = of(by_seed, {**row, "seed": seed}, "method", "direction", "measure", "seed")
            assert single["mean"] == pytest.approx(values[-1])
        mean = sum(values) / 3
        assert row["mean"] == pytest.approx(mean)
        assert row["retraining_sd"] == pytest.approx(math.sqrt(sum((value - mean) ** 2 for value in values) / 3) / math.sqrt(3))


def test_qld_is_the_rise_of_the_loss_beyond_random_s() -> None:
    runs = table(6, seed=7, ks=(3,))
    runs = runs[runs["direction"] == "+"]
    found = qld(runs).set_index("method")

    def rise(method: str, **which: Any) -> float:
        losses = [run["loss"] for run in of(runs, {"method": method, **which}, "method", *which)]
        return sum(losses) / len(losses)

    def beyond(method: str, control: str) -> Crossed:
        one, other = (crossed(runs[runs["method"] == name], "loss").values_MS for name in (method, control))
        return Crossed(one - other)

    for method in METHODS:
        row = found.loc[method]
        tests = [rise(method, test_id=f"t{test}") - rise("random", test_id=f"t{test}") for test in range(6)]
        seeds = [rise(method, seed=seed) - rise("random", seed=seed) for seed in range(3)]
        assert (row["k"], row["rise"]) == (3, pytest.approx(rise(method)))
        assert row["mean"] == pytest.approx(sum(tests) / 6)
        assert (row["low"], row["high"]) == pytest.approx(beyond(method, "random").interval)
        same = beyond(method, "random-same-label")
        assert row["over_same_label"] == pytest.approx(rise(method) - rise("random-same-label"))
        assert (row["over_same_label_low"], row["over_same_label_high"]) == pytest.approx(same.interval)
        assert row["retraining_sd"] == pytest.approx(np.std(seeds) / math.sqrt(3))
    assert found.loc["random"][["mean", "low", "high", "retraining_sd"]].tolist() == [0, 0, 0, 0]
    assert [qld_k(n) for n in (2, 80, 149, 151, 50_000)] == [1, 1, 1, 2, 500]


def test_removals_are_counted() -> None:
    points = points_of(table(6, seed=8))
    found = removals(points)
    assert len(found) == 3 * 2 * 3
    for row in found.to_dict("records"):
        counts = [point["removed"] for point in of(points, row, "method", "direction", "k")]
        assert (row["removed"], row["least"], row["most"], row["available"]) == (sum(counts) / 6, min(counts), max(counts), 9)


def test_curves_and_areas_are_plain_means() -> None:
    runs = table(7, seed=1)
    points = points_of(runs)
    found, total = curves(runs), areas(runs, seed_areas(runs))
    assert len(found) == 3 * 2 * 3 * 2
    assert len(total) == 3 * 2 * 2
    for row in total.to_dict("records"):
        sums, randoms = 0.0, {"random": 0.0, "random-same-label": 0.0}
        for k in (1, 2, 4):
            here = [r for r in points.to_dict("records") if (r["direction"], r["k"]) == (row["direction"], k)]
            own = [r[row["measure"]] for r in here if r["method"] == row["method"]]
            curve = found[(found.method == row["method"]) & (found.direction == row["direction"]) & (found.k == k)]
            assert float(curve[curve.measure == row["measure"]]["mean"].iloc[0]) == pytest.approx(sum(own) / 7)
            sums += sum(own) / 7
            for control in randoms:
                randoms[control] += sum(r[row["measure"]] for r in here if r["method"] == control) / 7
        assert row["mean"] == pytest.approx(sums / 3)
        assert row["over_random"] == pytest.approx(sums / 3 - randoms["random"] / 3)
        assert row["over_same_label"] == pytest.approx(sums / 3 - randoms["random-same-label"] / 3)
        assert row["low"] <= row["mean"] <= row["high"]
        assert row["over_random_low"] <= row["over_random"] <= row["over_random_high"]
    own = total[total.method == "random"]
    assert (own[["over_random", "over_random_low", "over_random_high"]] == 0).all().all()


def test_one_seed_or_two_sentences_have_no_interval() -> None:
    for few in (table(2, seed=2), table(7, seed=2, seeds=1)):
        assert curves(few)[["low", "high"]].isna().all().all()
        found = areas(few, seed_areas(few))
        assert found[[name for name in found if name.endswith(("low", "high"))]].isna().all().all()


def test_test_examples_are_balanced_seeded_and_nested() -> None:
    labels = np.array([0] * 50 + [1] * 7 + [2] * 30)
    chosen = balanced(labels, 12, seed=3)
    assert np.bincount(labels[chosen]).tolist() == [4, 4, 4]
    assert len(set(chosen.tolist())) == 12
    assert balanced(labels, 5, seed=3).tolist() == chosen[:5].tolist()
    assert balanced(labels, 12, seed=4).tolist() != chosen.tolist()
    assert sorted(np.bincount(labels[balanced(labels, 11, seed=3)])) == [3, 4, 4]
    with pytest.raises(ValueError, match="1"):
        balanced(labels, 24, seed=3)


def test_least_similar_takes_the_lowest_and_breaks_ties_by_id() -> None:
    similarities, ranks = np.array([0.5, 0.0, 0.2, 0.0, 0.0]), np.array([0, 4, 1, 2, 3])
    assert least_similar(similarities, ranks, 2).tolist() == [3, 4]
    assert least_similar(similarities, ranks, 4).tolist() == [3, 4, 1, 2]


def test_an_evaluation_is_what_removing_and_retraining_by_hand_gives(evaluated: WorkspaceReader) -> None:
    (found,) = evaluation_tables(evaluated)
    assert found.settings["methods"] == ["tracin-we-topk", "random", "random-same-label"]
    assert found.settings["seeds"] == [1, 2, 3]
    points = found.points
    assert len(points) == 3 * 2 * 2 * 4 + 3 * 4  # and the strongest 1 %, one of 80, among the proponents
    ids = {id: row for row, id in enumerate(evaluated.store.rows("select id from examples where split='test' order by position"))}
    draws = set()
    for point in points.to_dict("records"):
        test = ids[(point["test_id"],)]
        sign = 1 if point["direction"] == "+" else -1
        label = evaluated.info.labels.index(point["label"])
        runs, above = [], []
        for seed in (1, 2, 3):  # a random method's examples are drawn anew with every seed
            scores = sign * scores_of(evaluated, point["method"], [test], draw=seed if "random" in point["method"] else 0)[0]
            ranked = sorted(range(len(scores)), key=lambda n: (-scores[n], evaluated.tie_ranks_N[n]))
            removed = tuple(n for n in ranked[: point["k"]] if scores[n] > 0)
            assert point["removed"] == len(removed)
            runs += [Run(seed, Change()), Run(seed, Change(removed=removed))]
            above.append(sum(score > 0 for score in scores))
            draws.add((point["method"], test, sign, point["k"], removed))
        results = {r.run: r for r in retrain(evaluated, runs, tests=[test])}
        assert all(r.reused for r in results.values())  # the same runs, so they are kept
        values = [results[run].probabilities_MY[0, label] for run in runs]
        before, after = values[::2], values[1::2]
        assert point["probability"] == pytest.approx(sum(after) / 3 - sum(before) / 3, abs=1e-6)
        assert point["control"] == pytest.approx(sum(before) / 3, abs=1e-6)
        rise = sum(math.log(one / other) for one, other in zip(before, after, strict=True)) / 3
        assert point["loss"] == pytest.approx(rise, abs=1e-5)
        singles = of(found.runs, point, "method", "direction", "k", "test_id")
        assert sorted(run["seed"] for run in singles) == [1, 2, 3]
        assert sum(run["margin"] for run in singles) / 3 == pytest.approx(point["margin"])
        assert point["available"] == round(sum(above) / 3)
    assert len(draws) == (1 + 3 + 3) * 4 * (2 * 2 + 1)
    asked = found.runs[found.runs["k"] > 1]
    for frame, again in ((found.curves, curves(asked)), (found.areas, areas(asked, found.seeds))):
        pd.testing.assert_frame_equal(frame, again, check_dtype=False)
    assert found.qld["k"].tolist() == [1, 1, 1]
    for row in found.qld.to_dict("records"):
        top = [point["loss"] for point in of(points, {**row, "direction": "+"}, "method", "direction", "k")]
        random = [
            point["loss"] for point in of(points, {**row, "direction": "+", "method": "random"}, "method", "direction", "k")
        ]
        assert (row["rise"], row["mean"]) == pytest.approx((sum(top) / 4, sum(top) / 4 - sum(random) / 4))


def test_what_a_method_does_beyond_each_control_is_paired_by_sentence_and_seed(evaluated: WorkspaceReader) -> None:
    (found, *_) = [one for one in evaluation_tables(evaluated) if one.settings["test_points"] == 4]
    for control, name in (("random", "over_random"), ("random-same-label", "over_same_label")):
        beyond = found.beyond("tracin-we-topk", "+", "margin", control)
        assert beyond is not None
        rows = found.runs[(found.runs["direction"] == "+") & (found.runs["k"] > 1)].to_dict("records")

        def mean(method: str, test: str, seed: int, rows: list[dict[str, Any]] = rows) -> float:
            own = [r["margin"] for r in rows if (r["method"], r["test_id"], r["seed"]) == (method, test, seed)]
            return sum(own) / len(own)

        tests, seeds = (sorted({row[column] for row in rows}) for column in ("test_id", "seed"))
        apart = [[mean("tracin-we-topk", test, seed) - mean(control, test, seed) for seed in seeds] for test in tests]
        np.testing.assert_allclose(beyond.values_MS, apart)
        here = found.areas[(found.areas["method"] == "tracin-we-topk") & (found.areas["direction"] == "+")]
        [row] = here[here["measure"] == "margin"].to_dict("records")
        assert (row[name], row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx((beyond.mean, *beyond.interval))
    assert found.beyond("bm25", "+", "margin", "random") is None


def test_proponents_lower_and_opponents_raise_the_probability(evaluated: WorkspaceReader) -> None:
    total = evaluation_tables(evaluated)[0].areas.set_index(["method", "direction", "measure"])
    for measure in ("probability", "margin"):
        assert total.loc["tracin-we-topk", "+", measure]["high"] < 0 < total.loc["tracin-we-topk", "-", measure]["low"]


def test_asking_again_trains_nothing_and_asking_for_more_trains_the_rest(evaluated: WorkspaceReader) -> None:
    def steps(settings: EvaluationSettings) -> int:
        told: list[tuple[str, int]] = []
        evaluate(evaluated, settings, progress=lambda stage, _done, total: told.append((stage, total)))
        return sum({stage: total for stage, total in told if stage.startswith("retrain")}.values())

    assert steps(SMALL) == 0
    (before,) = evaluation_tables(evaluated)
    # Two more test examples, a method more: the old ones' removals and the controls are there.
    more = replace(SMALL, methods=("tracin-we-topk",), test_points=6, qld=False)
    assert steps(more) == 3 * 3 * 2 * 2 * 2 * 15
    after = {e.name: e for e in evaluation_tables(evaluated)}
    assert len(after) == 2
    pd.testing.assert_frame_equal(after[before.name].curves, before.curves)


@pytest.mark.slow
def test_progress_counts_the_models_of_both_stages(opened: WorkspaceReader) -> None:
    """What is left is left of the whole: controls first, then the removals, never back and never finished too early."""
    told: list[tuple[str, int, int]] = []
    evaluate(opened, SMALL, progress=lambda *said: told.append(said))
    trained = [(done, total) for stage, done, total in told if stage in ("retrain", "retrain, controls", "controls")]
    stages = dict.fromkeys(stage for stage, _, total in told if total == trained[-1][1])
    assert len(stages) == 2
    assert {total for _, total in trained} == {15 * len(_distinct(opened))}
    assert [done for done, _ in trained] == sorted(done for done, _ in trained)
    assert trained[-1][0] == trained[-1][1]


def _distinct(workspace: WorkspaceReader) -> list[Any]:
    """The retrainings there are now."""
    with RetrainingFile(workspace.path / FILE) as file:
        return file.rows("select distinct seed, change from runs")


@pytest.mark.slow
def test_an_interrupted_evaluation_goes_on(opened: WorkspaceReader) -> None:
    reported = 0

    def interrupting(stage: str, _done: int, _total: int) -> None:
        nonlocal reported
        reported += stage.startswith("retrain")
        if reported > 400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(opened, SMALL, progress=interrupting)
    assert evaluation_tables(opened) == []
    told: list[int] = []
    found = evaluate(opened, SMALL, progress=lambda stage, _d, total: told.append(total) if stage == "retrain" else None)
    assert 0 < told[0] < 3 * 3 * (2 * 2 + 1) * 4 * 15 - 300
    assert [e.name for e in evaluation_tables(opened)] == [found.name]


@pytest.mark.slow
def test_without_overlap_only_the_least_similar_are_removed(opened: WorkspaceReader) -> None:
    settings = replace(SMALL, ks=(1, 3), no_overlap=True, freeze_embedding=True)
    found = evaluate(opened, settings)
    assert found.settings["no_overlap"]
    # 8 of 80 are considered; top-k of them by score, all of which lie among the 8 of least tf-idf similarity
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [e.text for _, e in sorted(opened.store.examples("train", range(80)).items())]
    tests = {e.id: (row, e.text) for row, e in opened.store.examples("test", range(16)).items()}
    vectorizer = TfidfVectorizer().fit(texts)
    for point in found.points[found.points.method == "tracin-we-topk"].to_dict("records"):
        row, text = tests[point["test_id"]]
        similarity = (vectorizer.transform(texts) @ vectorizer.transform([text]).T).toarray().ravel()
        considered = sorted(range(80), key=lambda n: (round(similarity[n], 12), opened.tie_ranks_N[n]))[:8]
        scores = scores_of(opened, "tracin-we-topk", [row])[0]
        sign = 1 if point["direction"] == "+" else -1
        removed = [n for n in sorted(considered, key=lambda n: -sign * scores[n])[: point["k"]] if sign * scores[n] > 0]
        assert point["removed"] == len(removed)
        change = Change(removed=tuple(removed))
        assert next(retrain(opened, [Run(1, change)], tests=[row], freeze_embedding=True)).reused


@pytest.mark.parametrize("writable", [True, False])
def test_an_evaluation_from_before_is_read(opened: WorkspaceReader, monkeypatch: pytest.MonkeyPatch, writable: bool) -> None:
    """A file of the first version is migrated where it may be written to, and read as it is where not."""
    monkeypatch.setattr(RetrainingFile, "migrations", (m001_runs,))
    with RetrainingFile(opened.path / FILE, read_only=False) as file, file.transaction() as cursor:
        build = open_store(opened).build
        cursor.execute("insert into evaluations values ('old', ?, '{\"ks\": [2]}', '2026-01-01')", [build])
        cursor.execute("insert into deletion_points values ('old', 'random', '+', 2, 't1', 'pos', 1, 0.5, 0.1, 0.2)")
        cursor.execute("insert into deletion_curves values ('old', 'random', '+', 2, 'margin', 0.1, 0, 0.2)")
        cursor.execute("insert into deletion_areas values ('old', 'random', '+', 'margin', 0.1, 0, 0.2, 0, 0, 0)")
    monkeypatch.undo()
    if not writable:
        monkeypatch.setattr("influence.retraining.tables.os.access", lambda *_: False)
        monkeypatch.setattr("influence.workspace.database.os.access", lambda *_: False)
    [found] = evaluation_tables(opened)
    assert (found.name, found.settings, found.finished_at) == ("old", {"ks": [2]}, "2026-01-01")
    [point], [area] = found.points.to_dict("records"), found.areas.to_dict("records")
    assert (point["removed"], point["probability"], area["mean"]) == (1, 0.1, 0.1)
    assert all(pd.isna(value) for value in (point["available"], point["loss"], area["retraining_sd"]))
    assert found.seeds.empty
    assert found.qld.empty
    assert found.runs.empty
    assert found.beyond("random", "+", "margin", "random") is None
    [counted] = found.removals.to_dict("records")
    assert (counted["removed"], counted["least"], counted["most"]) == (1, 1, 1)
    with RetrainingFile(opened.path / FILE) as file:
        assert file.version == (4 if writable else 1)


def test_evaluations_are_read_without_pytorch(evaluated: WorkspaceReader) -> None:
    code = f"""
import sys
from influence.experiments.evaluation import evaluation_tables
from influence.workspace import read_workspace
print(len(evaluation_tables(read_workspace({str(evaluated.path)!r}))), {{'torch', 'streamlit'}} & set(sys.modules))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split(maxsplit=1)[1] == "set()\n"
    assert int(said.split()[0]) >= 1


def test_no_evaluation_yet(opened: WorkspaceReader) -> None:
    assert evaluation_tables(opened) == []
    assert not (opened.path / FILE).exists()


def test_what_a_class_cannot_spare_is_said_by_the_option_that_asks_for_it(data: dict[str, str], tmp_path: Path) -> None:
    """With one example of a label, the strongest 1 % may be it."""
    import csv

    with Path(data["train"]).open(encoding="utf-8", newline="") as file:
        header, *train = csv.reader(file)
    with Path(data["test"]).open(encoding="utf-8", newline="") as file:
        _, *tests = csv.reader(file)
    train = [row for row in train if row[2] == "neg"] + [row for row in train if row[2] == "pos"][:1]
    files = {name: write_csv(tmp_path / f"{name}.csv", some, header) for name, some in (("train", train), ("test", tests))}
    build_workspace(tmp_path / "one", request(files, training=training_settings("cnn", epochs=1, batch_size=16)))
    one = read_workspace(tmp_path / "one")
    settings = EvaluationSettings(methods=("tracin-last",), ks=(1,), test_points=2, retrains=1)
    with pytest.raises(SettingsError, match=r"^--k 1: no training example of 'pos' would be left.*; give smaller numbers$"):
        evaluate(one, settings)
    n = one.info.n_train
    said = r"^--qld \(the strongest 1\): no training example of 'pos' .* \(.*\); leave it out with --no-qld$"
    with pytest.raises(SettingsError, match=said):
        check(one, _trials_of_the_only(n), option="--qld (the strongest {k})", instead="leave it out with --no-qld")
    assert not (one.path / FILE).exists()
    one.close()


def _trials_of_the_only(n: int) -> list[Trial]:
    return [Trial("tracin-last", "+", 1, 0, (Change(removed=(n - 1,)),))]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ks": (80,)}, "--k 80: must be less than 80"),
        ({"ks": (500,)}, "--k 500: must be less than 80"),
        (
            {"ks": (8,), "no_overlap": True},
            "--k 8: must be less than 8, the number of training examples with little word overlap",
        ),
        ({"ks": (79,)}, "--k 79: no training example of '(neg|pos)' would be left"),
        ({"test_points": 40}, "--test-points 40: .* only 7 test examples are labelled 'pos'; give at most 14"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_is_trained(
    opened: WorkspaceReader, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        evaluate(opened, replace(SMALL, **options))
    assert not (opened.path / FILE).exists()


def test_the_class_that_runs_out_is_named(opened: WorkspaceReader) -> None:
    labels = load_array(opened.build / "index" / "test" / "labels.npy")
    assert np.bincount(labels).tolist() == [9, 7]  # as the message above says


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ks": ()}, "--k without a number"),
        ({"ks": (0, 10)}, "--k 0,10: give whole numbers of 1 or more"),
        ({"test_points": 0}, "--test-points 0"),
        ({"retrains": 0}, "--retrains 0: must be from 1"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_impossible_settings(options: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        EvaluationSettings(**options)


def test_an_unknown_method_names_those_there_are() -> None:
    with pytest.raises(QueryError, match="unknown method 'tracing'; choose one of tracin-we-topk"):
        EvaluationSettings(methods=("tracing",))
    assert EvaluationSettings(methods=("random", "tracin-last", "random")).methods == (
        "random",
        "tracin-last",
        "random-same-label",
    )


def command(workspace: WorkspaceReader, *more: str) -> list[str]:
    given = ["--methods", "tracin-we-topk", "--k", "2,5", "--test-points", "4", "--retrains", "3"]
    return ["evaluate", "--workspace", str(workspace.path), *given, *more]


def test_the_command(evaluated: WorkspaceReader, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(evaluated)) == 0
    told = capsys.readouterr()
    assert "tracin-we-topk " in told.out
    assert "random-same-label" in told.out
    assert main(command(evaluated, "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"settings", "areas", "curves", "points", "seeds", "qld", "removals"}
    stored = next(e for e in evaluation_tables(evaluated) if e.settings == found["settings"])
    for name in ("areas", "curves", "points", "seeds", "qld", "removals"):
        assert found[name] == getattr(stored, name).to_dict("records")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--k", "ten"], "--k 'ten': give whole numbers"),
        (["--k", ""], "--k without a number"),
        (["--k", "80"], "--k 80: must be less than 80"),
        (["--methods", "tracin-we-topk,nothing"], "unknown method 'nothing'"),
        (["--retrains", "0"], "--retrains 0"),
    ],
)
def test_the_command_on_bad_input_says_one_line(
    evaluated: WorkspaceReader, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    assert main(command(evaluated, *more)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("wordtrace: ")]
    assert says in line
