"""The influence function of the second layer against the dense Hessian by autograd, by both ways of solving."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from oracles import doubled, loss, relative_error, rows_of
from tiny import Bench, bench, labelled
from torch import nn

from influence.attribution.layer_scores import curvature_of
from influence.attribution.methods import METHODS, Method
from influence.attribution.query import MethodSettings
from influence.errors import QueryError, SettingsError
from influence.formulas import curvature as formulas, minres
from influence.gradients import curvature

LAYER = {"cnn": "convolutions.0", "bert": "bert.encoder.layer.0."}
DAMPING = {"cnn": 0.01, "bert": 1.0}
TOLERANCE = 1e-6  # of the largest score


class Oracle(NamedTuple):
    """One example at a time in float64 by autograd, biases included; P weights and biases."""

    weights_P: np.ndarray  # whether it is a weight, not a bias
    train_NP: np.ndarray
    test_MP: np.ndarray
    hessian_PP: np.ndarray  # of the mean loss

    def scores(self, damping: float, *, with_bias: bool) -> np.ndarray:
        """(1/n) ∇ℓᵀ (H + damping I)⁻¹ ∇ℓ′ by numpy's solver."""
        p = self.weights_P | with_bias
        damped = self.hessian_PP[np.ix_(p, p)] + damping * np.eye(p.sum())
        return np.asarray(self.test_MP[:, p] @ np.linalg.solve(damped, self.train_NP[:, p].T) / len(self.train_NP))


@pytest.fixture(scope="module", params=["cnn", "cnn-pairs", "bert", "bert-pairs"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    examples = labelled(4, seed=1)
    train = [*examples, examples[1], examples[1]]  # an example three times
    made = bench(
        tmp_path_factory.mktemp(request.param), request.param, train=train, test=labelled(2, seed=2), learning_rates=(0.5, 0.1)
    )
    made.kind = request.param.split("-")[0]  # type: ignore[attr-defined]
    return made


@pytest.fixture(scope="module")
def oracle(engine: Bench) -> Oracle:
    model, prefix = doubled(engine.models[-1]), LAYER[engine.kind]  # type: ignore[attr-defined]
    modules = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d) and f"{name}.".startswith(prefix)
    ]
    chosen = [parameter for module in modules for parameter in (module.weight, module.bias)]

    def flat(parts: Any) -> torch.Tensor:
        return torch.cat([part.flatten() for part in parts])

    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        train, test = (rows_of(engine.encodings[split], engine.labels[split]) for split in ("train", "test"))
        gradients = [np.stack([flat(torch.autograd.grad(loss(model, row), chosen)).numpy() for row in s]) for s in (train, test)]
        mean = torch.stack([loss(model, row) for row in train]).mean()
        gradient_P = flat(torch.autograd.grad(mean, chosen, create_graph=True))
        rows = [
            torch.autograd.grad(gradient_P, chosen, part, is_grads_batched=True, retain_graph=True, materialize_grads=True)
            for part in torch.eye(len(gradient_P), dtype=torch.float64).split(256)
        ]
    hessian_PP = torch.cat([torch.cat([part.flatten(1) for part in block], dim=1) for block in rows]).numpy()
    weights_P = np.concatenate([np.full(parameter.numel(), parameter.ndim > 1) for parameter in chosen])
    return Oracle(weights_P, *gradients, hessian_PP)


def second(**changes: Any) -> Method:
    return METHODS["influence-second"].with_settings(MethodSettings(**changes))


def curvature_by(engine: Bench, *, with_bias: bool) -> curvature.LayerCurvature:
    settings = engine.sources.parts.settings()
    return curvature_of(engine.models[-1], settings, engine.index, "second", with_bias=with_bias)


@pytest.mark.parametrize("with_bias", [False, True], ids=["weights", "with bias"])
@pytest.mark.parametrize("way", ["as chosen", "iterative"])
def test_influence_second_equals_the_dense_hessian(
    engine: Bench, oracle: Oracle, with_bias: bool, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the CNN explicit and iterative, of BERT, whose damped Hessian has eigenvalues of either sign, iterative alone."""
    kind = engine.kind  # type: ignore[attr-defined]
    if way == "iterative":
        monkeypatch.setattr(curvature, "EXPLICIT_WEIGHTS", 0)
    elif kind == "bert":
        assert not curvature_by(engine, with_bias=with_bias).explicit  # and so the other case is the same
        return
    expected_MN = oracle.scores(DAMPING[kind], with_bias=with_bias)
    settings = MethodSettings(damping=DAMPING[kind], with_bias=with_bias)
    found_MN = engine.sources.layer_influence_many(engine.query_list(), "second", settings)
    assert relative_error(found_MN, expected_MN) < TOLERANCE
    np.testing.assert_array_equal(found_MN[:, -2:], found_MN[:, [1, 1]])  # equal texts tie exactly
    assert curvature_by(engine, with_bias=with_bias).explicit == (way == "as chosen")


def test_the_explicit_matrix_is_the_hessian_and_has_no_negative_eigenvalue(engine: Bench, oracle: Oracle) -> None:
    """Of the CNN, whose logits are piecewise linear in those weights; not of BERT, and the engine sees that."""
    own = curvature_by(engine, with_bias=True)
    assert own.size == len(oracle.hessian_PP) <= curvature.EXPLICIT_WEIGHTS
    kind, scale = engine.kind, np.abs(oracle.hessian_PP).max()  # type: ignore[attr-defined]
    lowest = np.linalg.eigvalsh(oracle.hessian_PP)[0]
    assert own.explicit == (kind == "cnn")
    if kind == "cnn":
        np.testing.assert_allclose(own.matrix(), oracle.hessian_PP, atol=1e-12 * scale)
        assert lowest > -1e-12 * scale
    else:
        assert lowest < -DAMPING[kind]


def test_only_the_last_checkpoint_counts(engine: Bench) -> None:
    parts_CN = second(damping=10.0).score(engine.sources, engine.queries[0])
    assert (parts_CN[:-1] == 0).all()
    assert (parts_CN[-1] != 0).any()


def test_a_solution_that_is_none_is_refused(engine: Bench, oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the damping that is asked for is the one that makes the Hessian definite."""
    monkeypatch.setattr(curvature, "EXPLICIT_WEIGHTS", 0)
    monkeypatch.setattr(curvature, "MOST_PRODUCTS", 12 if engine.kind == "bert" else 3)  # type: ignore[attr-defined]
    with pytest.raises(QueryError) as caught:
        second(damping=0.01).score(engine.sources, engine.queries[0])
    pattern = (
        r"method 'influence-second': after \d+ products with the Hessian the residual is \S+, not 1e-05; "
        r"(the Hessian has an eigenvalue of (?P<lowest>\S+); )?take a --damping above (?P<more>\S+)"
    )
    found = re.fullmatch(pattern, str(caught.value))
    assert found is not None, str(caught.value)
    if engine.kind == "bert":  # type: ignore[attr-defined]
        p = oracle.weights_P
        lowest = np.linalg.eigvalsh(oracle.hessian_PP[np.ix_(p, p)])[0]
        assert float(found["lowest"]) == pytest.approx(lowest, rel=0.05)
        assert float(found["more"]) == -float(found["lowest"])
    else:
        assert (found["lowest"], found["more"]) == (None, "0.01")


@pytest.mark.parametrize("method", ["influence-second", "influence-last"])
@pytest.mark.parametrize("explicit", [True, False])
def test_a_damping_that_drowns_in_rounding_is_refused(
    engine: Bench, method: str, explicit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not explicit:
        monkeypatch.setattr(curvature, "EXPLICIT_WEIGHTS", 0)
        if method == "influence-last":
            monkeypatch.setattr(formulas, "EXPLICIT_WEIGHTS", 0)
    with pytest.raises(SettingsError) as caught:
        METHODS[method].with_settings(MethodSettings(damping=1e-300)).score(engine.sources, engine.queries[0])
    assert re.fullmatch(r"--damping 1e-300: lost in rounding beside this Hessian; take \de-\d\d or more", str(caught.value))


def test_a_model_without_such_a_layer_is_refused(tmp_path: Path) -> None:
    engine = bench(tmp_path, "cnn", train=labelled(4, seed=1), test=labelled(1, seed=2), learning_rates=[1.0])
    engine.query_list()  # made before the model is spoilt
    engine.models[0].convolutions[0].register_parameter("gate", nn.Parameter(torch.zeros(2, 2)))
    engine.models[0].convolutions = nn.ModuleList([nn.Identity()])
    with pytest.raises(QueryError) as caught:
        engine.scores("influence-second")
    assert str(caught.value) == (
        "method 'influence-second': CnnForSequenceClassification has no second layer; it has 0 blocks between its word "
        "embedding and its last layer"
    )


def test_minres_solves_what_is_not_definite() -> None:
    """Several right-hand sides at once, one of them zero and one an eigenvector, against a direct solution."""
    generator = np.random.default_rng(0)
    turn, _ = np.linalg.qr(generator.standard_normal((30, 30)))
    matrix = turn @ np.diag(np.linspace(-3, 5, 30)) @ turn.T
    wanted = np.stack([generator.standard_normal(30), np.zeros(30), turn[:, 4]])
    heard: list[float] = []
    found = minres(lambda rows: rows @ matrix, wanted, residual=1e-8, most=100, tell=heard.append)
    np.testing.assert_allclose(found.found_MX, np.linalg.solve(matrix, wanted.T).T, atol=1e-6)
    assert found.residual <= 1e-8
    assert found.lowest == pytest.approx(-3)
    assert heard == sorted(heard, reverse=True)
    assert minres(lambda rows: rows @ matrix, wanted, residual=1e-8, most=3).residual > 1e-8
    nothing = minres(lambda rows: rows @ matrix, np.zeros((2, 30)), residual=1e-8, most=3)
    assert (nothing.found_MX == 0).all()
    assert nothing.residual == 0
