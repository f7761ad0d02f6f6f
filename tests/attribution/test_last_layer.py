"""Influence functions and representer points on the last layer, against true retraining, autograd and stationarity."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracles import relative_error
from tiny import Bench, bench, cnn, labelled, word_pieces
from torch.autograd.functional import hessian, jacobian

from influence.attribution.methods import METHODS, Method
from influence.attribution.query import MethodSettings
from influence.errors import QueryError, SettingsError
from influence.formulas import curvature
from influence.formulas.curvature import hessian_solver, influence_scores, last_layer_hessian
from influence.formulas.layers import representer_scores, with_bias_input
from influence.models.encoding import encode

DAMPING, LABELS = 0.05, 3


def fitted(features_NH: np.ndarray, labels_N: np.ndarray, keep_N: np.ndarray, *, penalty: float = DAMPING) -> np.ndarray:
    """W (Y, H) that minimises (1/n) Σ over kept examples of cross-entropy + penalty/2 ‖W‖², by Newton's method, float64.

    n counts all examples, kept or not: leaving one out lowers its weight from 1/n to 0.
    """
    features, labels = torch.tensor(features_NH, dtype=torch.float64), torch.tensor(labels_N)
    keep = torch.tensor(keep_N, dtype=torch.float64)

    def objective(flat: torch.Tensor) -> torch.Tensor:
        weights = flat.reshape(LABELS, -1)
        losses = F.cross_entropy(features @ weights.T, labels, reduction="none")
        return (losses * keep).sum() / len(labels) + penalty / 2 * flat.square().sum()

    flat = torch.zeros(LABELS * features.shape[1], dtype=torch.float64)
    for _ in range(30):
        gradient = jacobian(objective, flat)
        if gradient.abs().max() < 1e-13:
            break
        flat = flat - torch.linalg.solve(hessian(objective, flat), gradient)
    assert gradient.abs().max() < 1e-12
    return flat.reshape(LABELS, -1).numpy()


def losses(features_NH: np.ndarray, labels_N: np.ndarray, weights_YH: np.ndarray) -> np.ndarray:
    logits = torch.tensor(features_NH.astype(np.float64) @ weights_YH.T)
    return F.cross_entropy(logits, torch.tensor(labels_N), reduction="none").numpy()


@pytest.fixture(scope="module", params=[False, True], ids=["weights", "with bias"])
def stationary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, bool, Any]:
    """The CNN with its last layer fitted to the bottom of the penalised loss on its own features: logistic regression."""
    tokenizer, with_bias = word_pieces(), bool(request.param)
    model = cnn(len(tokenizer), LABELS, seed=3)
    sides = []
    for seed, n in ((1, 40), (2, 8)):
        examples = labelled(n, seed=seed)
        sides.append((encode(tokenizer, [text for text, _ in examples], None, max_length=60), [label for _, label in examples]))

    def made(name: str) -> Bench:
        return Bench(tmp_path_factory.mktemp(name), [model], [0.5], tokenizer, *sides, top_k=4)

    with torch.no_grad():
        model.convolutions[2].weight.mul_(0.1)  # features of a size at which logits are not all 0 or 1
    features_NH = np.asarray(made("features").index.last_layer(0)[0])  # type: ignore[index]
    inputs_NH = with_bias_input(features_NH) if with_bias else features_NH
    weights_YH = fitted(inputs_NH, np.array(sides[0][1]), np.ones(len(inputs_NH)))
    with torch.no_grad():
        model.classifier.weight.copy_(torch.tensor(weights_YH[:, : features_NH.shape[1]]))
        model.classifier.bias.copy_(torch.tensor(weights_YH[:, -1] if with_bias else np.zeros(LABELS)))
    return made("stationary"), with_bias, weights_YH


def inputs_of(engine: Bench, with_bias: bool) -> tuple[np.ndarray, np.ndarray]:
    """Last-layer inputs of the training and the test examples."""
    train = np.asarray(engine.index.last_layer(0)[0])  # type: ignore[index]
    test = np.stack([query.checkpoints[0].features_H for query in engine.query_list()])  # type: ignore[misc]
    return (with_bias_input(train), with_bias_input(test)) if with_bias else (train, test)


def with_settings(id: str, **changes: Any) -> Method:
    return METHODS[id].with_settings(MethodSettings(**changes))


def test_influence_last_is_what_leaving_an_example_out_does(stationary: tuple[Bench, bool, Any]) -> None:
    """Every training example left out in turn and the last layer fitted again: the rise of each test loss, in nats."""
    engine, with_bias, weights_YH = stationary
    train, test = inputs_of(engine, with_bias)
    labels_N, labels_M = engine.labels["train"], engine.labels["test"]
    before_M = losses(test, labels_M, weights_YH)
    rises = []
    for left_out in range(len(labels_N)):
        again = fitted(train, labels_N, np.arange(len(labels_N)) != left_out)
        rises.append(losses(test, labels_M, again) - before_M)
    true_MN = np.array(rises).T
    found_MN = engine.scores(with_settings("influence-last", damping=DAMPING, with_bias=with_bias))
    for found_N, true_N in zip(found_MN, true_MN, strict=True):
        assert np.corrcoef(found_N, true_N)[0, 1] > 0.99
    assert np.corrcoef(found_MN.ravel(), true_MN.ravel())[0, 1] > 0.99
    assert 0.8 < np.polyfit(true_MN.ravel(), found_MN.ravel(), 1)[0] < 1.2  # not the order only: the size, too
    assert (true_MN > 0).any()
    assert (true_MN < 0).any()


def test_influence_last_equals_the_explicit_formula(stationary: tuple[Bench, bool, Any]) -> None:
    """(1/n) ∇ℓᵀ (H + damping I)⁻¹ ∇ℓ' with every piece by autograd in float64."""
    engine, with_bias, weights_YH = stationary
    train, test = inputs_of(engine, with_bias)

    def loss(flat: torch.Tensor, inputs: np.ndarray, labels: np.ndarray) -> torch.Tensor:
        logits = torch.tensor(inputs, dtype=torch.float64) @ flat.reshape(LABELS, -1).T
        return F.cross_entropy(logits, torch.tensor(labels))

    flat = torch.tensor(weights_YH).ravel()
    curvature = hessian(lambda flat: loss(flat, train, engine.labels["train"]), flat)

    def gradient(split: str, inputs: np.ndarray, at: int) -> torch.Tensor:
        return jacobian(lambda flat: loss(flat, inputs[at : at + 1], engine.labels[split][at : at + 1]), flat)

    sides = [
        torch.stack([gradient(split, inputs, at) for at in range(len(inputs))])
        for split, inputs in (("train", train), ("test", test))
    ]
    damping = 0.2
    solved = torch.linalg.solve(curvature + damping * torch.eye(len(flat)), sides[0].T)
    expected_MN = (sides[1] @ solved / len(train)).numpy()
    found_MN = engine.scores(with_settings("influence-last", damping=damping, with_bias=with_bias))
    assert relative_error(found_MN, expected_MN) < 1e-4


def test_representer_values_sum_to_the_logits_where_the_last_layer_is_stationary(stationary: tuple[Bench, bool, Any]) -> None:
    """Eq. 1: 0 = (1/n) Σ δ_i a_iᵀ + 2λW gives W a' = Σ_i −(1/2λn) δ_i (a_i·a'); the penalty λ‖W‖² is damping/2 ‖W‖²."""
    engine, with_bias, weights_YH = stationary
    method = with_settings("representer", l2=DAMPING / 2, with_bias=with_bias)
    _, test = inputs_of(engine, with_bias)
    for label in range(LABELS):
        sums_M = [method.score(engine.sources, replace(query, label=label)).sum() for query in engine.query_list()]
        assert sums_M == pytest.approx(test.astype(np.float64) @ weights_YH[label], rel=1e-4, abs=1e-5)


def test_only_the_last_checkpoint_counts(tmp_path: Path) -> None:
    """Both are about the model as it is, so their parts at earlier checkpoints are 0."""
    engine = bench(tmp_path, "cnn", train=labelled(12, seed=1), test=labelled(3, seed=2))
    for id in ("influence-last", "representer"):
        parts_CN = METHODS[id].score(engine.sources, engine.queries[0])
        assert (parts_CN[:-1] == 0).all()
        assert np.abs(parts_CN[-1]).max() > 0


def test_the_hessian_equals_autograd() -> None:
    generator = np.random.default_rng(0)
    features_NH, weights_YH = generator.normal(size=(20, 4)), generator.normal(size=(3, 4))
    probabilities_NY = torch.tensor(features_NH @ weights_YH.T).softmax(dim=1).numpy()
    labels = torch.tensor(generator.integers(3, size=20))  # the Hessian does not depend on them

    def loss(flat: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(torch.tensor(features_NH) @ flat.reshape(3, 4).T, labels)

    expected = hessian(loss, torch.tensor(weights_YH).ravel()).numpy()
    np.testing.assert_allclose(last_layer_hessian(features_NH, probabilities_NY), expected, atol=1e-12)


def test_a_layer_too_large_for_a_matrix_is_solved_to_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    features_NH = generator.normal(size=(50, 6)).astype(np.float32)
    probabilities_NY = generator.dirichlet(np.ones(4), size=50)
    gradient_YH = generator.normal(size=(4, 6))
    explicit = hessian_solver(features_NH, probabilities_NY, damping=0.01)(gradient_YH)
    monkeypatch.setattr(curvature, "EXPLICIT_WEIGHTS", 0)
    iterative = hessian_solver(features_NH, probabilities_NY, damping=0.01)(gradient_YH)
    assert relative_error(iterative, explicit) < 1e-6


def test_one_example_by_hand() -> None:
    """One feature, two labels, p = (¼, ¾), label 1, a = 2: δ = (¼, −¼), H = 3/16 · 4 · [[1, −1], [−1, 1]] = ¾ [[1, −1], [−1, 1]].

    ∇ = δa = (½, −½) is the eigenvector of eigenvalue 3/2, so with damping ½ H⁻¹∇ = ∇/2 and the score of the example with
    itself is ∇·∇/2 = ¼: positive, a proponent of itself. Representer with λ = ½: −δ_1 a a / (2 λ n) = ¼ · 4 = 1.
    """
    features_NH, probabilities_NY = np.array([[2.0]]), np.array([[0.25, 0.75]])
    deltas_NY = np.array([[0.25, -0.25]])
    direction = hessian_solver(features_NH, probabilities_NY, damping=0.5)(np.array([[0.5], [-0.5]]))
    assert direction.ravel().tolist() == pytest.approx([0.25, -0.25])
    assert influence_scores(features_NH, deltas_NY, direction).tolist() == pytest.approx([0.25])
    assert representer_scores(features_NH, deltas_NY, np.array([2.0]), 1, l2=0.5).tolist() == pytest.approx([1.0])
    assert representer_scores(features_NH, deltas_NY, np.array([2.0]), 0, l2=0.5).tolist() == pytest.approx([-1.0])


@pytest.mark.parametrize(("name", "value"), [("damping", 0.0), ("damping", -1.0), ("l2", 0.0), ("l2", float("nan"))])
def test_settings_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=rf"^--{name} {value}: must be above 0$"):
        MethodSettings(**{name: value})


def test_biases_are_refused_where_there_are_none() -> None:
    for id in ("tracin-we", "tracin-first", "tracin-tfidf", "random"):
        with pytest.raises(QueryError, match=f"^--with-bias: method '{id}' works on no layer with a bias$"):
            with_settings(id, with_bias=True)
