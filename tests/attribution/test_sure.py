"""Models that are sure: float32 says p = 1 of the label, and what is left of the gradient must still be right.

p − 1 would be 0 or have one digit; −Σ of the other probabilities keeps them all. Against autograd in float64.
"""

from typing import Any

import numpy as np
import pytest
import torch
from oracles import doubled, embedding_gradient, last_weight_gradient, loss, position_gradients, rows_of, tracin
from tiny import Bench, bench, labelled, stored

from influence.attribution.methods import METHODS
from influence.formulas.curvature import last_layer_hessian
from influence.formulas.loss import logit_gradients, probabilities_of

TOLERANCE = 2e-4  # of each score: what float32 logits leave of a probability of 1e-9


@pytest.fixture(scope="module", params=["cnn", "bert"])
def sure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Every example labelled as the model says, with margins of up to 22 nats: p is short of 1 by as little as 1e-10."""
    examples, test = labelled(12, seed=1), labelled(4, seed=2)
    folder = tmp_path_factory.mktemp(request.param)
    plain = bench(folder / "plain", request.param, train=examples, test=test, learning_rates=(0.5,))
    model, labels, widest = plain.models[0], {}, 0.0
    for split in ("train", "test"):
        logits = np.stack([logits_of(model, row) for row in rows_of(plain.encodings[split], plain.labels[split])])
        ranked, labels[split] = np.sort(logits, axis=1), logits.argmax(axis=1)
        widest = max(widest, float((ranked[:, -1] - ranked[:, -2]).max()))
    with torch.no_grad():
        for weight in model.classifier.parameters():
            weight.mul_(22 / widest)
    splits = [(plain.encodings[split], labels[split].tolist()) for split in ("train", "test")]
    return Bench(folder / "sure", plain.models, [0.5], plain.tokenizer, *splits, top_k=4)


def logits_of(model: Any, row: Any) -> np.ndarray:
    mask = torch.ones(1, len(row.tokens), dtype=torch.long)
    with torch.no_grad():
        return doubled(model)(input_ids=torch.tensor([row.tokens]), attention_mask=mask).logits[0].numpy()


def expected(engine: Bench, gradient: Any) -> np.ndarray:
    rows = {split: rows_of(engine.encodings[split], engine.labels[split]) for split in ("train", "test")}
    train, test = ([gradient(engine.models[0], row) for row in rows[split]] for split in ("train", "test"))
    return 0.5 * tracin(train, test)


def logit_gradient(model: Any, row: Any) -> np.ndarray:
    p = torch.tensor(logits_of(model, row)).softmax(dim=0).numpy()
    delta = p.copy()
    delta[row.label] = -np.delete(p, row.label).sum()
    return delta


def test_the_model_is_sure(sure: Bench) -> None:
    """Float32 has p = 1 of many examples, where p − 1 is 0; the loss gradient is not."""
    probabilities = stored(sure.folder, "train", 0, "probabilities")
    certain = probabilities[np.arange(12), sure.labels["train"]] == 1
    assert certain.sum() >= 1
    deltas = sure.index.deltas(0)
    assert (deltas[certain, sure.labels["train"][certain]] < 0).all()


def test_scores_of_sure_predictions_keep_their_digits(sure: Bench) -> None:
    wanted = {
        "tracin-we": expected(sure, embedding_gradient),
        "tracin-last": expected(sure, last_weight_gradient),
    }
    for method, wanted_MN in wanted.items():
        np.testing.assert_allclose(sure.scores(method), wanted_MN, rtol=TOLERANCE, atol=0, err_msg=method)


@pytest.mark.parametrize("method", ["tracin-second", "tracin-all"])
def test_gradients_of_layers_keep_them_too(sure: Bench, method: str) -> None:
    from test_layers import NAMES, parameters

    model = doubled(sure.models[0])
    kind = "bert" if model.config.model_type == "bert" else "cnn"
    names = parameters(model, NAMES[kind][method], with_bias=False)
    chosen = [dict(model.named_parameters())[name] for name in names]

    def gradient(_: Any, row: Any) -> np.ndarray:
        return np.concatenate([part.numpy().ravel() for part in torch.autograd.grad(loss(model, row), chosen)])

    np.testing.assert_allclose(sure.scores(method), expected(sure, gradient), rtol=TOLERANCE, atol=0)


def test_last_layer_methods_keep_them(sure: Bench) -> None:
    """Representer points and influence functions, whose loss gradients are stored."""
    features = {s: [last_input(sure, row) for row in rows_of(sure.encodings[s], sure.labels[s])] for s in ("train", "test")}
    deltas = {s: [logit_gradient(sure.models[0], row) for row in rows_of(sure.encodings[s], sure.labels[s])] for s in features}
    a_NH, b_MH, d_NY, e_MY = (np.stack(part) for part in (features["train"], features["test"], deltas["train"], deltas["test"]))
    labels_M = sure.labels["test"]
    representer = -(a_NH @ b_MH.T).T * d_NY[:, labels_M].T / (2 * METHODS["representer"].settings.l2 * 12)
    np.testing.assert_allclose(sure.scores("representer"), representer, rtol=TOLERANCE, atol=0)
    p_NY = d_NY + np.eye(3)[sure.labels["train"]]
    damped = last_layer_hessian(a_NH, p_NY) + METHODS["influence-last"].settings.damping * np.eye(3 * a_NH.shape[1])
    left, right = (np.einsum("ny,nh->nyh", d, a).reshape(len(d), -1) for d, a in ((d_NY, a_NH), (e_MY, b_MH)))
    np.testing.assert_allclose(
        sure.scores("influence-last"), right @ np.linalg.solve(damped, left.T) / 12, rtol=TOLERANCE, atol=0
    )


def last_input(engine: Bench, row: Any) -> np.ndarray:
    kept: list[torch.Tensor] = []
    model = engine.models[0].double()
    handle = model.classifier.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0].detach()))
    with torch.no_grad():
        model(input_ids=torch.tensor([row.tokens]), attention_mask=torch.ones(1, len(row.tokens), dtype=torch.long))
    handle.remove()
    model.float()
    return kept[0][0].numpy()


def test_top_k_is_chosen_by_gradients_that_have_digits(sure: Bench) -> None:
    for at, row in enumerate(rows_of(sure.encodings["test"], sure.labels["test"])):
        norms = np.linalg.norm(position_gradients(sure.models[0], row), axis=1)
        kept = np.flatnonzero(sure.queries[at].checkpoints[0].kept_L)
        assert norms[kept].min() >= np.delete(norms, kept).max() * (1 - TOLERANCE)


def test_the_loss_gradient_at_the_label_is_minus_the_others() -> None:
    p = np.array([[1.0, 3e-9, 4e-9], [0.25, 0.5, 0.25]], dtype=np.float32)
    deltas = logit_gradients(p, np.array([0, 1]))
    np.testing.assert_allclose(deltas, [[-7e-9, 3e-9, 4e-9], [0.25, -0.5, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(1 - probabilities_of(deltas, np.array([0, 1]))[0, 0], 7e-9, rtol=1e-6)


def test_influence_last_is_minus_the_papers_with_its_summed_hessian() -> None:
    """The paper's Inf = −∇ᵀ H⁻¹ ∇ with H the sum over the examples; one label and input each, so H is a number.

    a = 2 and 1, p = ¼ for both, one weight: H = Σ p (1 − p) a² = 3/16 · 5; ∇ = (¼ − 1) a.
    """
    from influence.formulas.curvature import influence_scores

    features_NH, deltas_NY = np.array([[2.0], [1.0]]), np.array([[-0.75], [-0.75]])
    summed = 3 / 16 * 5
    papers = [-g * (1 / summed) * -0.75 * 2 for g in (-1.5, -0.75)]
    direction_YH = np.array([[-0.75 * 2]]) / (summed / 2)  # H as the mean
    assert influence_scores(features_NH, deltas_NY, direction_YH).tolist() == pytest.approx([-value for value in papers])
