"""Training the held-out models: the workspace's own model, trained again without a part of the data.

Each finished model leaves its predictions in the build folder, so an interrupted run goes on with the next one.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from influence.engines import Arguments, Engine, Step
from influence.errors import SettingsError
from influence.files import load_array
from influence.models import (
    BATCH_TOKENS,
    Encoding,
    Padding,
    TrainingSettings,
    length_buckets,
    load_tokenizer,
    make_optimizer,
    model_inputs,
    new_classifier,
    of_one_length,
    padding_of,
    resolve_device,
    train_epoch,
)
from influence.opinions.held_out import is_trained, left_out, model_folder
from influence.opinions.settings import HeldOutSettings
from influence.sealed import finish
from influence.types import FloatArray, Progress, StageKind
from influence.workspace import WorkspaceReader, opened

RETRIES = 2  # of a model that is lost with a machine


def ensure_trained(
    workspace: WorkspaceReader, settings: HeldOutSettings, device: str, progress: Progress, engine: Engine | None = None
) -> None:
    """Train those of the models whose predictions are not there yet, here or where an engine has room.

    Raises `SettingsError` where the workspace's checkpoints were imported: what they were trained from is not known; and
    `EngineError` where a machine that was training is lost.
    """
    if all(is_trained(workspace.build, settings, model) for model in range(settings.models)):
        return
    training = workspace.info.settings["training"]
    if training is None:
        raise SettingsError(
            f"--models {settings.models}: the checkpoints of workspace {workspace.name!r} were imported, so the model they "
            "were trained from is not known; use --models 0"
        )
    if engine is None:
        train_held_out(workspace, TrainingSettings(**training), settings, resolve_device(device), progress)
    else:
        _by_engine(engine, workspace, settings, progress)


def _by_engine(engine: Engine, workspace: WorkspaceReader, settings: HeldOutSettings, progress: Progress) -> None:
    epochs = len(workspace.info.epochs)
    left = [number for number in range(settings.models) if not is_trained(workspace.build, settings, number)]
    done = (settings.models - len(left)) * epochs

    def step(more: int) -> None:
        nonlocal done
        done += more
        progress(StageKind.HELD_OUT, done, settings.models * epochs)

    common = {"workspace": str(workspace.path.resolve()), "build": workspace.build.name, "settings": asdict(settings)}
    tasks = [{**common, "number": number, "device": engine.device} for number in left]
    for ended in engine.run(train_one, tasks, threads=torch.get_num_threads(), retries=RETRIES, step=step):
        _ = ended.value  # which raises what went wrong


def train_one(arguments: Arguments, step: Step) -> None:
    """A piece of work: train one held-out model of a workspace, and leave its predictions in the build folder.

    Raises `WorkspaceError` where the workspace has another build here.
    """
    settings, number = HeldOutSettings(**arguments["settings"]), int(arguments["number"])
    with opened(Path(arguments["workspace"])) as workspace:
        workspace.check_build(arguments["build"])
        if not is_trained(workspace.build, settings, number):
            recipe = TrainingSettings(**workspace.info.settings["training"])
            device = torch.device(arguments["device"])
            _train(workspace, _Data(workspace), recipe, settings, number, device, lambda _epoch: step(1))


def train_held_out(
    workspace: WorkspaceReader, recipe: TrainingSettings, settings: HeldOutSettings, device: torch.device, progress: Progress
) -> None:
    """Train models like the workspace's own on parts of its training split, those whose predictions are not there yet."""
    data, epochs = _Data(workspace), len(workspace.info.epochs)
    for number in range(settings.models):
        if is_trained(workspace.build, settings, number):
            continue

        def trained(epoch: int, before: int = number * epochs) -> None:
            progress(StageKind.HELD_OUT, before + epoch, settings.models * epochs)

        _train(workspace, data, recipe, settings, number, device, trained)


class _Data:
    """Both splits of a workspace, and the training labels."""

    def __init__(self, workspace: WorkspaceReader) -> None:
        index = workspace.build / "index"
        self.train, self.test = (Encoding.load(index / split / "encoding") for split in ("train", "test"))
        self.labels_N = load_array(index / "train" / "labels.npy")


def _train(
    workspace: WorkspaceReader,
    data: _Data,
    recipe: TrainingSettings,
    settings: HeldOutSettings,
    number: int,
    device: torch.device,
    trained: Callable[[int], None],
) -> None:
    """Train one model and leave its predictions; `trained` is told of every epoch."""
    train, labels_N, epochs = data.train, data.labels_N, len(workspace.info.epochs)
    seen_E = np.flatnonzero(~left_out(train, labels_N, settings, number))
    if len(np.unique(labels_N[seen_E])) < 2:
        raise SettingsError(
            f"--folds {settings.folds}: without one fold the training data has a single label; it is too small to be split"
        )
    training = replace(recipe, epochs=epochs, seed=_seed(settings.seed, number))
    model, padding = _new_model(workspace, train, training.seed, device)
    optimizer = make_optimizer(model, training)
    probabilities, expected = [], []
    for epoch in range(1, epochs + 1):
        train_epoch(
            model,
            optimizer,
            train,
            labels_N,
            training,
            epoch=epoch,
            pad_token=padding.token,
            pad_left=padding.left,
            examples_E=seen_E,
        )
        probabilities.append(predict(model, train))
        expected.append(predict(model, data.test).sum(axis=0, dtype=np.float64))
        trained(epoch)
    folder = model_folder(workspace.build, settings, number)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "probabilities.npy", np.stack(probabilities), allow_pickle=False)
    np.save(folder / "expected.npy", np.stack(expected), allow_pickle=False)
    finish(folder, {"examples": len(train)})


def _new_model(workspace: WorkspaceReader, train: Encoding, seed: int, device: torch.device) -> tuple[PreTrainedModel, Padding]:
    tokenizer, info = load_tokenizer(str(workspace.build / "checkpoints" / "tokenizer")), workspace.info
    layers = info.settings["num_hidden_layers"]
    model = new_classifier(info.model, info.labels, seed=seed, vocabulary=len(tokenizer), num_hidden_layers=layers)
    return model.to(device), padding_of(model, tokenizer, train)


@torch.no_grad()
def predict(model: PreTrainedModel, encoding: Encoding) -> FloatArray:
    """Label probabilities of every example in eval mode, shape (N, Y), in batches of one length."""
    device = next(model.parameters()).device
    model.eval()
    probabilities_NY = np.zeros((len(encoding), model.config.num_labels), dtype=np.float32)
    for examples_B in length_buckets(encoding.lengths_N, batch_tokens=4 * BATCH_TOKENS[device.type]):
        logits_BY = model(**model_inputs(model, of_one_length(encoding, examples_B), device)).logits
        probabilities_NY[examples_B] = logits_BY.float().softmax(dim=1).cpu().numpy()
    return probabilities_NY


def _seed(seed: int, model: int) -> int:
    return int(np.random.SeedSequence([seed, model]).generate_state(1)[0])
