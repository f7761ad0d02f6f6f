"""A run's checkpoints: one folder each with weights, learning rate and training loss, trained here or imported.

A folder counts once its marker file is there, so an interrupted run goes on after the last whole one.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from influence.checkpoints.moments import MOMENTS
from influence.files import DONE, write_json
from influence.models import (
    Encoding,
    Run,
    TrainingSettings,
    load_classifier,
    make_optimizer,
    new_classifier,
    padding_of,
    quicken,
    train_epoch,
)
from influence.sealed import finish
from influence.types import IntArray, Progress, StageKind

OPTIMIZER = "optimizer.pt"
EPOCHS = "epochs.json"


class Checkpoint(NamedTuple):
    """What the marker file of a checkpoint folder says."""

    name: str
    learning_rate: float
    train_loss: float | None  # None for an imported one


def checkpoint_folder(folder: Path, number: int) -> Path:
    """Where checkpoint `number` (from 0) lies."""
    return folder / str(number)


def read_checkpoints(folder: Path) -> list[Checkpoint]:
    """The whole checkpoints in a folder, in order."""
    found: list[Checkpoint] = []
    while (done := checkpoint_folder(folder, len(found)) / DONE).is_file():
        found.append(Checkpoint(**json.loads(done.read_text(encoding="utf-8"))))
    return found


class Epoch(NamedTuple):
    """A checkpoint of the run, whether or not scores are summed over it."""

    name: str
    learning_rate: float
    train_loss: float | None
    checkpoint: int | None  # its number among those that scores are summed over, from 0


def read_epochs(folder: Path) -> list[Epoch] | None:
    """All checkpoints of the run whose chosen ones are kept in a folder; None where none have been chosen yet."""
    file = folder / EPOCHS
    return [Epoch(**epoch) for epoch in json.loads(file.read_text(encoding="utf-8"))] if file.is_file() else None


def write_epochs(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Record which checkpoints of the run are chosen; from here on they are."""
    write_json(folder / EPOCHS, [epoch._asdict() for epoch in epochs])


@dataclass(frozen=True, kw_only=True)
class CheckpointTrainer:
    """Fine-tunes a classifier, one checkpoint an epoch."""

    folder: Path
    model: str
    num_hidden_layers: int | None
    labels: list[str]
    tokenizer: PreTrainedTokenizerFast
    settings: TrainingSettings
    epochs: int
    device: torch.device
    keep_optimizer: bool = False  # AdamW's running moments of the word embedding, beside each checkpoint

    def run(self, encoding: Encoding, labels_N: IntArray, progress: Progress) -> float | None:
        """Train the epochs whose checkpoints are not there yet.

        Returns the seconds that all epochs take, those trained before counted as long as these; None where none was left.
        """
        first, began = len(read_checkpoints(self.folder)) + 1, time.monotonic()
        if first <= self.epochs:
            self._train(first, encoding, labels_N, progress)
        for number in range(self.epochs):  # a kill may have left one behind
            (checkpoint_folder(self.folder, number) / OPTIMIZER).unlink(missing_ok=True)
        left = self.epochs - first + 1
        return round((time.monotonic() - began) * self.epochs / left, 1) if left > 0 else None

    def _train(self, first: int, encoding: Encoding, labels_N: IntArray, progress: Progress) -> None:
        model, optimizer = self._resume_point(first)
        padding = padding_of(model, self.tokenizer, encoding)
        quicken(model, encoding, padding.token)
        for epoch in range(first, self.epochs + 1):
            loss = train_epoch(
                model,
                optimizer,
                encoding,
                labels_N,
                self.settings,
                epoch=epoch,
                pad_token=padding.token,
                pad_left=padding.left,
                progress=progress,
            )
            self._save(model, optimizer, epoch, loss)

    def _resume_point(self, epoch: int) -> tuple[PreTrainedModel, torch.optim.Optimizer]:
        """Model and optimizer as they were when `epoch` began."""
        if epoch > 1:
            before = checkpoint_folder(self.folder, epoch - 2)
            model = load_classifier(str(before)).to(self.device)
            optimizer = make_optimizer(model.requires_grad_(True), self.settings)
            optimizer.load_state_dict(torch.load(before / OPTIMIZER, weights_only=True, map_location=self.device))
            return model, optimizer
        model = new_classifier(
            self.model,
            self.labels,
            seed=self.settings.seed,
            vocabulary=len(self.tokenizer),
            num_hidden_layers=self.num_hidden_layers,
        )
        return model.to(self.device), make_optimizer(model, self.settings)

    def _save(self, model: PreTrainedModel, optimizer: torch.optim.Optimizer, epoch: int, loss: float) -> None:
        folder = checkpoint_folder(self.folder, epoch - 1)
        model.save_pretrained(folder)
        if self.keep_optimizer:
            _save_moments(model, optimizer, folder / MOMENTS)
        if epoch < self.epochs:
            torch.save(optimizer.state_dict(), folder / OPTIMIZER)
        finish(folder, Checkpoint(f"epoch {epoch}", self.settings.learning_rate, loss)._asdict())
        if epoch > 1:
            (checkpoint_folder(self.folder, epoch - 2) / OPTIMIZER).unlink(missing_ok=True)


def _save_moments(model: PreTrainedModel, optimizer: torch.optim.Optimizer, file: Path) -> None:
    state, options = optimizer.state[model.get_input_embeddings().weight], optimizer.param_groups[0]
    tensors = {name: state[name].detach().cpu().contiguous() for name in ("exp_avg", "exp_avg_sq")}
    save_file(tensors, file, metadata={"step": str(int(state["step"])), "beta2": repr(options["betas"][1])})


def import_checkpoints(folder: Path, run: Run, progress: Progress) -> None:
    """Save the models of a Trainer run that are not there yet as a build keeps its own: whole, in float32, safetensors.

    Their outputs have the names of the run's labels. Raises `ModelError` for one that cannot be loaded.
    """
    names = dict(enumerate(run.labels))
    for number, checkpoint in enumerate(run.checkpoints):
        target = checkpoint_folder(folder, number)
        if (target / DONE).is_file():
            continue
        model = load_classifier(str(checkpoint.folder))
        model.config.id2label, model.config.label2id = names, {name: place for place, name in names.items()}
        model.save_pretrained(target)
        finish(target, Checkpoint(checkpoint.name, checkpoint.learning_rate, None)._asdict())
        progress(StageKind.IMPORT, number + 1, len(run.checkpoints))
