"""What rankings follow (appendix G), against loops over dense gradients and plain lists."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from contents import build_folder
from oracles import by_token, doubled, kept_positions, loss, position_gradients, rows_of

from influence import open_workspace
from influence.api import Workspace
from influence.checkpoints import load_checkpoint
from influence.cli import main
from influence.errors import QueryError, SettingsError
from influence.experiments import Overlaps, OverlapSettings, measure_overlaps, overlap_difference, overlap_table, overlaps
from influence.experiments.whatif_tables import FILE, WhatIfStore, m001_initial

METHODS = ("tracin-last", "tracin-we", "tracin-we-topk", "tracin-tfidf")
SETTINGS = OverlapSettings(methods=METHODS, top=7, near=3, test_points=5, seed=2)
RATE, TOP_K = 0.1, 4  # of the fixture


@pytest.fixture(scope="module")
def opened(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return open_workspace(shutil.copytree(workspace, tmp_path_factory.mktemp("overlaps") / "tiny"))


@pytest.fixture(scope="module")
def found(opened: Workspace) -> Overlaps:
    return measure_overlaps(opened, SETTINGS)


class Factors:
    """Every factor of every pair by autograd in float64, one example at a time."""

    def __init__(self, opened: Workspace) -> None:
        sides = {
            "train": (opened.index.encoding, opened.index.labels_N),
            "test": (opened.queries.encoding, opened.queries.labels_M),
        }
        rows = {split: rows_of(encoding, np.asarray(labels).tolist()) for split, (encoding, labels) in sides.items()}
        self.loss = np.zeros(len(rows["train"]))
        shape = (len(rows["test"]), len(rows["train"]))
        self.activations, self.products, self.norms = np.zeros(shape), {}, {}
        for number in range(3):
            model = doubled(load_checkpoint(build_folder(opened.path) / "checkpoints", number))
            inputs: list[torch.Tensor] = []
            handle = model.classifier.register_forward_pre_hook(lambda _, given, kept=inputs: kept.append(given[0]))
            made: dict[str, list[dict[str, np.ndarray]]] = {}
            for split, some in rows.items():
                made[split] = []
                for row in some:
                    inputs.clear()
                    value = loss(model, row)
                    activation = inputs[0].detach().numpy()[0]
                    (last,) = torch.autograd.grad(value, [model.classifier.weight])
                    delta = last.numpy() @ activation / (activation @ activation)  # of the outer product delta activation'
                    words = position_gradients(model, row)
                    size = len(model.get_input_embeddings().weight)
                    kept = {"tracin-we": range(len(words)), "tracin-we-topk": kept_positions(words, TOP_K)}
                    dense = {name: by_token(words, row.tokens, list(some), size).ravel() for name, some in kept.items()}
                    made[split].append({"activation": activation, "delta": delta, "tracin-last": last.numpy().ravel(), **dense})
            handle.remove()
            train, test = made["train"], made["test"]
            self.loss += [RATE * math.sqrt(sum(d * d for d in one["delta"])) for one in train]
            self.activations += [[RATE * float(other["activation"] @ one["activation"]) for one in train] for other in test]
            for method in METHODS[:3]:
                products = np.array([[RATE * float(other[method] @ one[method]) for one in train] for other in test])
                self.products[method] = self.products.get(method, 0.0) + products
                self.norms[method] = self.norms.get(method, 0.0) + np.array([RATE * float(o[method] @ o[method]) for o in train])


@pytest.fixture(scope="module")
def factors(opened: Workspace) -> Factors:
    return Factors(opened)


def first(values: np.ndarray, ids: list[str], count: int) -> list[str]:
    order = sorted(range(len(values)), key=lambda n: (-values[n], ids[n]))
    return [ids[n] for n in order[:count] if values[n] > 0]


def test_every_overlap_equals_dense_autograd(opened: Workspace, found: Overlaps, factors: Factors) -> None:
    ids = opened.train_ids()
    tests = sorted(np.random.default_rng([2, 16]).permutation(16)[:5].tolist())
    names = {row: example.id for row, example in opened.store.examples("test", tests).items()}
    expected = []
    for method in METHODS[:3]:
        norms = np.sqrt(factors.norms[method])
        for against in ("loss", "activations", "norm", "cosine"):
            for test in tests:
                scores = factors.products[method][test]
                other = {"loss": factors.loss, "activations": factors.activations[test], "norm": norms, "cosine": scores / norms}
                mine, theirs = first(scores, ids, 7), first(other[against], ids, 7)
                expected.append((method, names[test], against, len(mine), len(set(mine) & set(theirs))))
    here = found.points[found.points["method"].isin(METHODS[:3])]
    assert list(here.itertuples(index=False, name=None)) == expected
    # Of a method without gradients of its own only the paper's two factors are known, and of random ones, too.
    rest = found.points[~found.points["method"].isin(METHODS[:3])]
    assert set(zip(rest["method"], rest["against"], strict=True)) == {
        (method, against) for method in ("tracin-tfidf", "random") for against in ("loss", "activations")
    }


def test_repeats_are_counted_one_by_one(opened: Workspace, found: Overlaps, factors: Factors) -> None:
    ids = opened.train_ids()
    tests = sorted(np.random.default_rng([2, 16]).permutation(16)[:5].tolist())
    for method in METHODS[:3]:
        proponents = [first(factors.products[method][test], ids, 3) for test in tests]
        opponents = [first(-factors.products[method][test], ids, 3) for test in tests]
        both = [{*a, *b} for a, b in zip(proponents, opponents, strict=True)]
        repeated = [sum(one[0] in there for there in both) for one in proponents]
        counts = {id: sum(id in there for there in both) for id in ids}
        most = sorted(ids, key=lambda id: (-counts[id], id))[0]
        [row] = found.repeats[found.repeats["method"] == method].to_dict("records")
        assert row == {
            "method": method,
            "listed": sum(map(len, proponents)),
            "examples": len(set().union(*proponents)),
            "repeated": sum(repeated) / len(repeated),
            "most_id": most,
            "most": counts[most],
        }


def test_the_table_is_the_mean_over_tests(found: Overlaps) -> None:
    table = overlap_table(found.points)
    assert len(table) == 3 * 4 + 2 * 2
    for row in table.to_dict("records"):
        here = found.points[(found.points["method"] == row["method"]) & (found.points["against"] == row["against"])]
        shared = here["shared"].tolist()
        assert (row["shared"], row["listed"]) == (sum(shared) / 5, sum(here["listed"]) / 5)
        deviation = max(np.std(shared, ddof=1), 6**-0.5)  # whole numbers
        half = 2.776445 * deviation / np.sqrt(5)  # Student's t with four degrees of freedom
        ends = max(row["shared"] - half, 0.0), min(row["shared"] + half, row["listed"])
        assert (row["low"], row["high"]) == pytest.approx(ends, rel=1e-3)


def test_two_methods_are_told_apart_by_the_differences_of_each_test(found: Overlaps) -> None:
    method, other = found.settings["methods"][:2]
    mean, low, high = overlap_difference(found.points, method, other, "loss")
    here = found.points[found.points["against"] == "loss"].to_dict("records")
    shared = {(row["method"], row["test_id"]): row["shared"] for row in here}
    apart = [shared[method, test] - shared[other, test] for test in sorted({row["test_id"] for row in here})]
    half = 2.776445 * max(np.std(apart, ddof=1), 6**-0.5) / np.sqrt(5)
    assert (mean, low, high) == pytest.approx((np.mean(apart), np.mean(apart) - half, np.mean(apart) + half), rel=1e-3)
    two = found.points[found.points["test_id"].isin(sorted({row["test_id"] for row in here})[:2])]
    assert overlap_difference(two, method, other, "loss")[1:] == (-np.inf, np.inf)


def test_it_is_kept(opened: Workspace, found: Overlaps) -> None:
    [kept] = overlaps(opened)
    assert (kept.id, kept.made_at, kept.settings) == (found.id, found.made_at, found.settings)
    assert kept.settings == {"methods": [*METHODS, "random"], "top": 7, "near": 3, "test_points": 5, "seed": 2}
    pd.testing.assert_frame_equal(kept.points, found.points)
    pd.testing.assert_frame_equal(kept.repeats, found.repeats)


def test_a_short_split_is_taken_whole_and_said(copied: Callable[[], Path]) -> None:
    made = measure_overlaps(open_workspace(copied()), OverlapSettings(methods=("tracin-last",)))
    assert made.settings["test_points"] == 16
    assert made.points["test_id"].nunique() == 16


def test_a_file_from_before_overlaps_opens_and_takes_them(copied: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_workspace(copied())
    monkeypatch.setattr(WhatIfStore, "migrations", (m001_initial,))
    with WhatIfStore(opened.path / FILE, read_only=False):
        pass
    monkeypatch.undo()
    assert overlaps(opened) == []
    made = measure_overlaps(opened, OverlapSettings(methods=("tracin-last",), top=2, test_points=2))
    assert [one.id for one in overlaps(opened)] == [made.id]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"top": 0}, SettingsError, "--top 0: must be 1 or more"),
        ({"near": 0}, SettingsError, "--near 0: must be 1 or more"),
        ({"test_points": 0}, SettingsError, "--test-points 0: must be 1 or more"),
        ({"seed": -1}, SettingsError, "--seed -1: must be 0 or more"),
        ({"methods": ("magic",)}, QueryError, "unknown method 'magic'"),
    ],
)
def test_impossible_settings(change: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        OverlapSettings(**change)


def test_the_command(opened: Workspace, found: Overlaps, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--methods", ",".join(METHODS), "--top", "7", "--near", "3", "--test-points", "5", "--seed", "2"]
    command = ["overlaps", "--workspace", str(opened.path), *options]
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["settings"] == found.settings
    assert said["points"] == found.points.to_dict("records")
    assert said["repeats"] == found.repeats.to_dict("records")
    assert said["overlaps"] == overlap_table(found.points).to_dict("records")
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:7]] == [*METHODS, "random"]
    assert [line.split()[0] for line in lines[9:]] == [*METHODS, "random"]
    assert main([*command, "--top", "0"]) == 2
    assert capsys.readouterr().err == "wordtrace: --top 0: must be 1 or more\n"
