"""Cancellation by layer against dense autograd, one example at a time in float64 (section 3)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from contents import build_folder
from oracles import doubled, loss, rows_of
from tiny import MODELS, request

from influence import open_workspace
from influence.checkpoints import load_checkpoint
from influence.cli import main
from influence.errors import QueryError
from influence.explanations.cancellation import KIND, cancellation_table, write_cancellation
from influence.explanations.cancellation_tables import CancellationStore
from influence.workspace import open_published
from influence.workspace.build import build_workspace

ROLES = {"first": "embedding.", "second": "convolutions.0.", "third": "convolutions.1.", "last": "classifier.", "all": ""}


@pytest.fixture(scope="module")
def measured(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    path = tmp_path_factory.mktemp("measured") / "tiny"
    shutil.copytree(workspace, path)
    assert cancellation_table(open_workspace(path)) is None
    write_cancellation(path)
    return path


def gradients(path: Path, number: int, split: str, prefix: str, part: str) -> np.ndarray:
    """Dense gradients of every example by all parameters under a prefix, float64, shape (examples, parameters)."""
    opened = open_workspace(path)
    model = doubled(load_checkpoint(build_folder(path) / "checkpoints", number))
    chosen = [p for name, p in model.named_parameters() if name.startswith(prefix) and name.endswith(part)]
    side: Any = opened.index if split == "train" else opened.queries
    labels = opened.index.labels_N if split == "train" else opened.queries.labels_M
    found = []
    for row in rows_of(side.encoding, labels.tolist()):
        parts = torch.autograd.grad(loss(model, row), chosen)
        found.append(np.concatenate([part.numpy().ravel() for part in parts]))
    return np.stack(found)


def moved(path: Path, number: int, prefix: str, part: str) -> float:
    weights = []
    for at in (number, number + 1):
        model = load_checkpoint(build_folder(path) / "checkpoints", at).double()
        chosen = [
            p.detach().numpy().ravel() for name, p in model.named_parameters() if name.startswith(prefix) and name.endswith(part)
        ]
        weights.append(np.concatenate(chosen))
    return float(np.linalg.norm(weights[1] - weights[0]))


@pytest.mark.parametrize(
    ("role", "part"), [(role, part) for role in ROLES for part in ("weight", "bias") if (role, part) != ("first", "bias")]
)
def test_every_number_equals_dense_autograd(measured: Path, role: str, part: str) -> None:
    table = cancellation_table(open_workspace(measured))
    assert table is not None
    (row,) = table[(table["role"] == role) & (table["part"] == part)].to_dict("records")
    rate, prefix = 0.1, ROLES[role]
    total, change, cosines = 0.0, 0.0, []
    for number in (0, 1):  # of three checkpoints: what comes after the last is not known
        dense = gradients(measured, number, "train", prefix, part)
        total += rate * np.linalg.norm(dense, axis=1).sum()
        change += moved(measured, number, prefix, part)
        units = gradients(measured, number, "test", prefix, part)
        units = units / np.linalg.norm(units, axis=1, keepdims=True)
        products = units @ units.T
        cosines.append(products[~np.eye(len(units), dtype=bool)].mean())
    assert row["gradient"] == pytest.approx(total, rel=1e-4)
    assert row["change"] == pytest.approx(change, rel=1e-4)
    assert row["ratio"] == pytest.approx(total / change, rel=1e-4)
    assert row["cosine"] == pytest.approx(np.mean(cosines), abs=1e-5)
    assert row["parameters"] == dense.shape[1]


def test_the_table_has_a_row_for_each_layer_and_part(measured: Path) -> None:
    opened = open_workspace(measured)
    table = cancellation_table(opened)
    assert table is not None
    assert list(table.columns) == ["layer", "role", "part", "parameters", "gradient", "change", "ratio", "cosine"]
    layers = [("word embedding", "first"), ("convolutions.0", "second"), ("convolutions.1", "third"), ("convolutions.2", "")]
    layers += [("classifier", "last"), ("all but the word embedding", ""), ("all", "all")]
    expected = [(*layer, part) for layer in layers for part in ("weight", "bias") if (layer[1], part) != ("first", "bias")]
    assert list(table[["layer", "role", "part"]].itertuples(index=False, name=None)) == expected
    steps = open_published(opened.path, opened.build, KIND, CancellationStore).frame("from steps")
    assert steps.groupby(["layer", "part"])["gradient"].sum().to_dict() == pytest.approx(
        table.set_index(["layer", "part"])["gradient"].to_dict()
    )
    assert sorted(set(steps["checkpoint"])) == [0, 1]


def test_it_is_measured_once(measured: Path) -> None:
    told: list[str] = []
    write_cancellation(measured, progress=lambda stage, done, total: told.append(stage))
    assert told == []


def test_the_command_prints_the_table_and_json(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = cancellation_table(open_workspace(measured))
    assert table is not None
    assert main(["cancellation", "--workspace", str(measured), "--json"]) == 0
    pd.testing.assert_frame_equal(pd.DataFrame(json.loads(capsys.readouterr().out)), table, check_dtype=False)
    assert main(["cancellation", "--workspace", str(measured)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(table)
    assert lines[0].split() == ["layer", "role", "part", "parameters", "G", "change", "ratio", "cosine"]


def test_one_checkpoint_is_not_enough(data: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from influence.workspace.build_request import training_settings

    build_workspace(tmp_path / "one", request(data, training=training_settings("cnn", epochs=1)))
    with pytest.raises(QueryError):
        write_cancellation(tmp_path / "one")
    assert main(["cancellation", "--workspace", str(tmp_path / "one")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "wordtrace: workspace 'one' has one checkpoint: cancellation compares gradients with the change to the next; "
        "build with --epochs 2 or more"
    )


def test_a_transformer_s_layers(data: dict[str, str], tmp_path: Path, copied: Callable[[], Path]) -> None:
    """Blocks of several modules, against autograd at one checkpoint."""
    from influence.explanations.layer_norms import groups_of, squared_norms
    from influence.gradients.layers import TracedModel, layers_of

    opened = open_workspace(copied())
    encoding, labels = opened.queries.encoding, np.asarray(opened.queries.labels_M)
    model = MODELS["bert"](len(opened.live.tokenizer), 2, seed=1)
    layers = layers_of(model)
    with TracedModel(model, layers, opened.live.settings) as traced:
        squares = squared_norms(traced, encoding, labels, stage="norms")
    assert [group.role for group in groups_of(layers)] == ["first", "second", "third", "", "last", "", "all"]
    double = doubled(model)
    twins = dict(zip(map(id, model.modules()), double.modules(), strict=True))
    for at, row in enumerate(rows_of(encoding, labels.tolist())[:6]):
        value = loss(double, row)
        for number, layer in enumerate(layers):
            for part, name in enumerate(("weight", "bias")):
                chosen = [getattr(twins[id(module)], name) for module in layer.modules]
                found = torch.autograd.grad(value, chosen, retain_graph=True)
                expected = sum(float(gradient.square().sum()) for gradient in found)
                assert squares[at, number, part] == pytest.approx(expected, rel=1e-4)
