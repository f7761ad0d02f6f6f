"""TracIn-WE by Adam's steps: dense float64 autograd, a real step with frozen moments, and moments as training left them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import doubled, embedding_gradient, loss, relative_error, rows_of
from tiny import Bench, bench, labelled, request

from influence import QueryError, SettingsError, explain, open_workspace
from influence.attribution.methods import METHODS
from influence.attribution.training_set import TrainingSet
from influence.checkpoints.moments import read_second_moments
from influence.explanations.scores import scores_of
from influence.files import load_array
from influence.models.encoding import Encoding
from influence.models.model import load_tokenizer, new_classifier
from influence.models.training import TrainingSettings, make_optimizer, train_epoch
from influence.workspace.build import build_workspace
from influence.workspace.build_request import training_settings

METHOD, EPSILON = METHODS["tracin-we-adam"], 1e-8


@pytest.fixture(scope="module", params=["cnn", "bert"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = bench(tmp_path_factory.mktemp(request.param), request.param, train=labelled(14, seed=1), test=labelled(4, seed=2))
    generator = np.random.default_rng(0)
    shape = made.models[0].get_input_embeddings().weight.shape
    made.moments = [np.exp(generator.normal(-6, 3, size=shape)).astype(np.float32) for _ in made.models]  # type: ignore[attr-defined]
    return made


def sources(engine: Bench) -> TrainingSet:
    return TrainingSet(engine.index, replace(engine.sources.parts, second_moments=lambda number: engine.moments[number]))  # type: ignore[attr-defined]


def test_it_is_the_inner_product_with_the_preconditioner_between(engine: Bench) -> None:
    expected = np.zeros((4, 14))
    for model, rate, moments_VD in zip(engine.models, engine.learning_rates, engine.moments, strict=True):  # type: ignore[attr-defined]
        scale_VD = 1 / (np.sqrt(moments_VD.astype(np.float64)) + EPSILON)
        train, test = (
            np.stack([embedding_gradient(model, row) for row in rows_of(engine.encodings[s], engine.labels[s])])
            for s in ("train", "test")
        )
        expected += rate * np.einsum("nvd,vd,mvd->mn", train, scale_VD, test)
    single = np.stack([METHOD.score(sources(engine), query).sum(axis=0) for query in engine.query_list()])
    assert METHOD.selection is not None
    many = sources(engine).word_scores_many(engine.query_list(), METHOD.selection)
    assert relative_error(single, expected) < 1e-5
    assert relative_error(many, expected) < 1e-5
    assert relative_error(engine.scores("tracin-we"), expected) > 0.1  # it is another number
    for row, query in enumerate(engine.query_list()):  # word parts sum to the scores
        found = sources(engine).matches(query, np.arange(14), METHOD.selection)
        sums = np.bincount(found.examples_X, found.scores_X, 14)
        assert relative_error(sums, expected[row]) < 1e-5


def test_a_step_of_adam_along_one_example_lowers_the_loss_by_rate_times_score(engine: Bench) -> None:
    """Both ways, so that second orders cancel; the optimizer is PyTorch's Adam with its state put in and β₂ = 1, so v stays."""
    model, moments_VD = engine.models[0], engine.moments[0]  # type: ignore[attr-defined]
    train, test = (rows_of(engine.encodings[s], engine.labels[s]) for s in ("train", "test"))
    small = 1e-5

    def loss_after(row: Any, other: Any, sign: float) -> float:
        stepped = doubled(model)
        weight = stepped.get_input_embeddings().weight
        (gradient,) = torch.autograd.grad(loss(stepped, row), [weight])
        optimizer = torch.optim.Adam([weight], lr=small, betas=(0.0, 0.999), eps=EPSILON)
        # What PyTorch makes of it: v ← β₂ v + (1 − β₂) g², v̂ = v / (1 − β₂ᵗ); put in what makes v̂ the frozen one.
        step = torch.tensor(1e6)
        v = (torch.from_numpy(moments_VD).double() - (1 - 0.999) * gradient**2) / 0.999
        optimizer.state[weight] = {"step": step, "exp_avg": torch.zeros_like(weight), "exp_avg_sq": v}
        weight.grad = sign * gradient
        optimizer.step()
        with torch.no_grad():
            return float(loss(stepped, other))

    found = METHOD.score(sources(engine), engine.queries[0])[0][:5] / engine.learning_rates[0]
    lowered = [(loss_after(row, test[0], -1.0) - loss_after(row, test[0], 1.0)) / (2 * small) for row in train[:5]]
    assert relative_error(found, np.array(lowered)) < 1e-2
    assert (np.sign(found) == np.sign(lowered))[np.abs(lowered) > 1e-2 * np.abs(lowered).max()].all()


def test_a_build_keeps_the_moments_of_its_own_training(data: dict[str, str], tmp_path: Path) -> None:
    training = training_settings("cnn", epochs=2, learning_rate=0.01, batch_size=16, optimizer="adamw")
    build_workspace(tmp_path / "kept", request(data, training=training, keep_optimizer=True))
    workspace = open_workspace(tmp_path / "kept")
    train = Encoding.load(workspace.build / "index" / "train" / "encoding")
    labels_N = np.array(load_array(workspace.build / "index" / "train" / "labels.npy"))
    tokenizer = load_tokenizer(str(workspace.build / "checkpoints" / "tokenizer"))
    model = new_classifier("cnn", workspace.info.labels, seed=0, vocabulary=len(tokenizer))
    settings = TrainingSettings(**workspace.info.settings["training"])
    optimizer = make_optimizer(model, settings)
    for epoch in (1, 2):
        train_epoch(model, optimizer, train, labels_N, settings, epoch=epoch, pad_token=tokenizer.pad_token_id)
        state = optimizer.state[model.get_input_embeddings().weight]
        expected = state["exp_avg_sq"] / (1 - 0.999 ** int(state["step"]))
        found = read_second_moments(workspace.build / "checkpoints" / str(epoch - 1))
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-12)
    explained = explain(workspace, test_id="te1", method="tracin-we-adam")
    first = explained.proponents[0]
    assert sum(match.score for match in first.matches) == pytest.approx(first.score, rel=1e-4)
    assert first.score == pytest.approx(scores_of(workspace, "tracin-we-adam", [1])[0].max(), rel=1e-4)


def test_without_moments_it_is_one_line(copied: Callable[[], Path], data: dict[str, str]) -> None:
    with pytest.raises(QueryError) as caught:
        explain(open_workspace(copied()), test_id="te1", method="tracin-we-adam")
    assert str(caught.value) == (
        "method 'tracin-we-adam': this workspace keeps no optimizer states; build it with --optimizer adamw --keep-optimizer"
    )
    with pytest.raises(
        SettingsError, match=r"^--keep-optimizer keeps the second moments of AdamW; it goes with --optimizer adamw$"
    ):
        request(data, keep_optimizer=True)
