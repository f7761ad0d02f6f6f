"""Training the held-out models: the workspace's own model, trained again without a part of the data.

Each finished model leaves its predictions in the build folder, so an interrupted run goes on with the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from influence.errors import SettingsError
from influence.files import DONE, write_json
from influence.models import (
    BATCH_TOKENS,
    Encoding,
    TrainingSettings,
    length_buckets,
    load_tokenizer,
    make_optimizer,
    model_inputs,
    new_classifier,
    pad,
    train_epoch,
)
from influence.suspects.held_out import is_trained, left_out, model_folder
from influence.suspects.settings import HeldOutSettings
from influence.types import FloatArray, IntArray, Progress, StageKind


@dataclass(frozen=True, kw_only=True)
class HeldOutTrainer:
    """Trains models like a build's own on parts of its training split."""

    build: Path
    model: str
    num_hidden_layers: int | None
    names: Sequence[str]
    training: TrainingSettings
    epochs: int
    device: torch.device

    def run(self, train: Encoding, labels_N: IntArray, test: Encoding, settings: HeldOutSettings, progress: Progress) -> None:
        """Train the models whose predictions are not there yet."""
        for number in range(settings.models):
            if not is_trained(self.build, settings, number):
                self._train(train, labels_N, test, settings, number, progress)

    def _train(
        self,
        train: Encoding,
        labels_N: IntArray,
        test: Encoding,
        settings: HeldOutSettings,
        number: int,
        progress: Progress,
    ) -> None:
        seen_E = np.flatnonzero(~left_out(train, labels_N, settings, number))
        if len(np.unique(labels_N[seen_E])) < 2:
            raise SettingsError(
                f"--folds {settings.folds}: without one fold the training data has a single label; it is too small to be split"
            )
        training = replace(self.training, epochs=self.epochs, seed=_seed(settings.seed, number))
        model, pad_token = self._new_model(training.seed)
        optimizer = make_optimizer(model, training)
        probabilities, expected = [], []
        for epoch in range(1, self.epochs + 1):
            train_epoch(model, optimizer, train, labels_N, training, epoch=epoch, pad_token=pad_token, examples_E=seen_E)
            probabilities.append(predict(model, train, pad_token))
            expected.append(predict(model, test, pad_token).sum(axis=0, dtype=np.float64))
            progress(StageKind.HELD_OUT, number * self.epochs + epoch, settings.models * self.epochs)
        self._save(np.stack(probabilities), np.stack(expected), settings, number)

    def _new_model(self, seed: int) -> tuple[PreTrainedModel, int]:
        tokenizer = load_tokenizer(str(self.build / "checkpoints" / "tokenizer"))
        model = new_classifier(
            self.model, self.names, seed=seed, vocabulary=len(tokenizer), num_hidden_layers=self.num_hidden_layers
        )
        model.config.pad_token_id = tokenizer.pad_token_id
        return model.to(self.device), tokenizer.pad_token_id

    def _save(self, probabilities_ENY: FloatArray, expected_EY: FloatArray, settings: HeldOutSettings, number: int) -> None:
        folder = model_folder(self.build, settings, number)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "probabilities.npy", probabilities_ENY, allow_pickle=False)
        np.save(folder / "expected.npy", expected_EY, allow_pickle=False)
        write_json(folder / DONE, {"examples": probabilities_ENY.shape[1]})


@torch.no_grad()
def predict(model: PreTrainedModel, encoding: Encoding, pad_token: int) -> FloatArray:
    """Label probabilities of every example in eval mode, shape (N, Y), length-bucketed."""
    device = next(model.parameters()).device
    model.eval()
    probabilities_NY = np.zeros((len(encoding), model.config.num_labels), dtype=np.float32)
    for examples_B in length_buckets(encoding.lengths_N, batch_tokens=4 * BATCH_TOKENS[device.type]):
        batch = pad(encoding, examples_B, pad_token)
        logits_BY = model(**model_inputs(model, batch, device)).logits
        probabilities_NY[examples_B] = logits_BY.float().softmax(dim=1).cpu().numpy()
    return probabilities_NY


def _seed(seed: int, model: int) -> int:
    return int(np.random.SeedSequence([seed, model]).generate_state(1)[0])
