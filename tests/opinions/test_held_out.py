"""Held-out models: who is left out, training on a part, and what they leave on disk, against training by hand."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import rows, write_csv

from influence.data.dataset import Columns
from influence.errors import SettingsError
from influence.models.encoding import Encoding, encode
from influence.models.model import new_classifier, resolve_device, train_word_pieces
from influence.models.training import TrainingSettings, make_optimizer, train_epoch
from influence.opinions.cross_validation import predict, train_held_out
from influence.opinions.epochs import epoch_weights
from influence.opinions.held_out import left_out, model_folder
from influence.opinions.settings import HeldOutSettings
from influence.types import silent
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.workspace import WorkspaceReader, read_workspace

FIVE = HeldOutSettings(models=5)
N = 240


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> WorkspaceReader:
    """A workspace with five held-out models."""
    folder = tmp_path_factory.mktemp("held-out")
    request = BuildRequest(
        train=write_csv(folder / "train.csv", rows(N, seed=3)),
        test=write_csv(folder / "test.csv", rows(60, seed=4, prefix="t")),
        columns=Columns(id="id"),
        training=training_settings("cnn", epochs=4, learning_rate=0.05, batch_size=8),
        top_k=5,
    )
    build_workspace(folder / "workspace", request)
    workspace = read_workspace(folder / "workspace")
    recipe = TrainingSettings(**workspace.info.settings["training"])
    train_held_out(workspace, recipe, FIVE, resolve_device("cpu"), silent)
    return workspace


def encoded(texts: list[str]) -> Encoding:
    return encode(train_word_pieces([text for _, text, _ in rows(60, seed=0)]), texts, None, max_length=40)


def test_every_example_is_left_out_once_a_repeat_and_labels_are_spread() -> None:
    made = rows(100, seed=11)
    labels_N = np.array([label == "pos" for _, _, label in made]).astype(int)
    settings = HeldOutSettings(models=8, folds=4, seed=5)
    out_XN = np.stack([left_out(encoded([text for _, text, _ in made]), labels_N, settings, model) for model in range(8)])
    assert (out_XN[:4].sum(axis=0) == 1).all()
    assert (out_XN[4:].sum(axis=0) == 1).all()
    assert (out_XN[:4] != out_XN[4:]).any()
    for label in (0, 1):
        counts = out_XN[:4, labels_N == label].sum(axis=1)
        assert counts.max() - counts.min() <= 1


def test_copies_of_a_text_are_left_out_together() -> None:
    texts = ["good film", "bad plot", "good film", "the actor", "a scene", "GOOD film", "dull music", "poor story"]
    labels_N = np.array([1, 0, 0, 1, 0, 1, 0, 0])
    for model in range(4):
        out_N = left_out(encoded(texts), labels_N, HeldOutSettings(models=4, folds=4), model)
        assert len(set(out_N[[0, 2, 5]])) == 1


def test_training_on_a_subset_is_training_on_those_examples_alone() -> None:
    """The weights equal those of a data set that holds nothing else."""
    made = rows(40, seed=7)
    texts, labels_N = [text for _, text, _ in made], np.array([label == "pos" for _, _, label in made]).astype(int)
    chosen = np.array([1, 2, 5, 8, 13, 21, 34, 3, 30])
    settings = TrainingSettings(epochs=2, learning_rate=0.1, optimizer="sgd", batch_size=4, seed=9)

    def trained(encoding: Encoding, labels: np.ndarray, examples: np.ndarray | None) -> dict[str, torch.Tensor]:
        model = new_classifier("cnn", ["neg", "pos"], seed=1, vocabulary=200)
        optimizer = make_optimizer(model, settings)
        for epoch in (1, 2):
            train_epoch(model, optimizer, encoding, labels, settings, epoch=epoch, pad_token=0, examples_E=examples)
        return dict(model.state_dict())

    part = trained(encoded(texts), labels_N, chosen)
    alone = trained(encoded([texts[at] for at in chosen]), labels_N[chosen], None)
    whole = trained(encoded(texts), labels_N, None)
    assert all(torch.equal(part[name], alone[name]) for name in part)
    assert not all(torch.equal(part[name], whole[name]) for name in part)


def test_predictions_are_those_of_one_example_at_a_time() -> None:
    encoding = encoded([text for _, text, _ in rows(30, seed=12)])
    model = new_classifier("cnn", ["a", "b", "c"], seed=1, vocabulary=200)
    model.train()
    found_NY = predict(model, encoding)
    for number in range(30):
        tokens = encoding.tokens_R[encoding.offsets_N1[number] : encoding.offsets_N1[number + 1]]
        with torch.no_grad():
            alone = model.eval()(input_ids=torch.tensor(tokens[None].astype(np.int64))).logits.softmax(dim=1)
        np.testing.assert_allclose(found_NY[number], alone[0].numpy(), rtol=1e-5)


def test_held_out_models_give_what_training_them_by_hand_gives(opened: WorkspaceReader) -> None:
    """Model 3 of the five, trained here in ten lines; its seed and fold are the only things taken from the engine."""
    folder = opened.build
    encoding = Encoding.load(folder / "index" / "train" / "encoding")
    labels_N = np.load(folder / "index" / "train" / "labels.npy")
    seed = int(np.random.SeedSequence([0, 3]).generate_state(1)[0])
    settings = replace(TrainingSettings(**opened.info.settings["training"]), epochs=4, seed=seed)
    vocabulary = json.loads((folder / "checkpoints" / "0" / "config.json").read_text())["vocab_size"]
    model = new_classifier("cnn", opened.info.labels, seed=seed, vocabulary=vocabulary)
    optimizer = make_optimizer(model, settings)
    seen = np.flatnonzero(~left_out(encoding, labels_N, FIVE, 3))
    test = Encoding.load(folder / "index" / "test" / "encoding")
    expected_EY = np.load(model_folder(folder, FIVE, 3) / "expected.npy")
    stored_ENY = np.load(model_folder(folder, FIVE, 3) / "probabilities.npy")
    assert stored_ENY.shape == (4, N, 2)
    for epoch in range(1, 5):
        train_epoch(model, optimizer, encoding, labels_N, settings, epoch=epoch, pad_token=0, examples_E=seen)
        np.testing.assert_allclose(stored_ENY[epoch - 1], predict(model, encoding), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(expected_EY[epoch - 1], predict(model, test).sum(axis=0), rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"models": 3}, "--models 3: must be 0 or a multiple of --folds 5, so that every example is left out by as many models"),
        (
            {"models": -5},
            "--models -5: must be 0 or a multiple of --folds 5, so that every example is left out by as many models",
        ),
        ({"folds": 1}, "--folds 1: must be 2 or more"),
        ({"seed": -1}, "--seed -1: must be 0 or more"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, int], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
        HeldOutSettings(**settings)


@pytest.mark.parametrize(
    ("accuracies", "guess", "weights"),
    [
        ([0.5, 0.7, 0.9], 0.5, [0, 1 / 3, 2 / 3]),
        ([0.3, 0.4], 0.5, [0.5, 0.5]),  # nothing was learnt
        ([0.6], 0.5, [1]),
    ],
)
def test_epochs_count_by_what_was_learnt(accuracies: list[float], guess: float, weights: list[float]) -> None:
    np.testing.assert_allclose(epoch_weights(np.array(accuracies), guess), weights, atol=1e-12)
