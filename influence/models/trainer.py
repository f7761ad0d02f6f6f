"""The output folder of a Hugging Face Trainer: its checkpoints, the learning rate in force at each, and its final model.

    output/checkpoint-STEP/   config.json, model.safetensors, trainer_state.json
    output/                   the model that `save_model` wrote, where it was called: the user's final one

The last checkpoint is always the final model. With `load_best_model_at_end` that is an earlier checkpoint, and what the run
did afterwards is not its history; a model that is none of the checkpoints counts as one after them, with learning rate 0.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerFast

from influence.errors import ModelError
from influence.models.folders import ADAPTER, CONFIG, SHARDS, WEIGHTS, an_adapter, read_json
from influence.models.model import load_tokenizer, match_labels
from influence.models.weights import OpenedModel, open_classifier

STATE = "trainer_state.json"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "tokenizer.model")
STATE_BYTES = 512 << 20
NAME = re.compile(r"checkpoint-([0-9]+)")
FINAL = "final model"


@dataclass(frozen=True)
class TrainerCheckpoint:
    """A model of a Trainer run and the learning rate in force when it was saved."""

    folder: Path
    step: int
    learning_rate: float
    name: str
    logged_at: int  # the step of the log that the learning rate stands in


class Run(NamedTuple):
    """What is imported of a Trainer's output folder."""

    checkpoints: list[TrainerCheckpoint]  # the last is the final model
    labels: list[str]  # the data's names of the model's outputs, in their order
    notes: list[str]


def read_trainer_folder(folder: Path) -> list[TrainerCheckpoint]:
    """The checkpoints of a Trainer output folder, by step. Raises `ModelError` for one that cannot be used."""
    if not folder.is_dir():
        raise ModelError(f"--checkpoints {str(folder)!r}: there is no such folder")
    found = sorted((int(match[1]), path) for path in folder.iterdir() if (match := NAME.fullmatch(path.name)) and path.is_dir())
    if not found:
        if (folder / ADAPTER).is_file():
            raise ModelError(an_adapter(str(folder)))
        raise ModelError(
            f"--checkpoints {str(folder)!r} holds no checkpoint-* folders; "
            "give the Trainer's output_dir and train with save_strategy='epoch'"
        )
    logged = [_learning_rate(path, step) for step, path in found]
    return [TrainerCheckpoint(path, step, rate, path.name, at) for (step, path), (at, rate) in zip(found, logged, strict=True)]


def read_run(folder: Path, labels: Sequence[str]) -> Run:
    """The checkpoints to import, for data with these labels, and what a user should know of them.

    Every weight of every model is looked for before anything is copied. Raises `ModelError` for a run that cannot be used: a
    model that is not whole, models that differ in shape, outputs whose names are not the data's labels, no learning rate
    above 0.
    """
    found = read_trainer_folder(folder)
    models = [open_classifier(str(checkpoint.folder)) for checkpoint in found]
    notes = _of_another_run(found)
    final = _final_model(folder)
    if final is None:
        notes += _not_the_best(found)
    else:
        models, found, remarks = _ending_with(final, models, found)
        notes += remarks
    for model in models:
        model.demand_whole()
    _check_alike(models)
    if not any(checkpoint.learning_rate for checkpoint in found):
        raise ModelError(
            f"--checkpoints {str(folder)!r}: every checkpoint has learning rate 0, so every score would be 0; "
            "train with save_strategy='epoch' and a schedule that does not end at 0"
        )
    kept = [checkpoint for checkpoint in found[:-1] if checkpoint.learning_rate] + found[-1:]
    return Run(kept, _names_of_outputs(models[-1], labels), [*notes, *_on_rates(found)])


def _on_rates(found: Sequence[TrainerCheckpoint]) -> list[str]:
    notes = [
        f"the learning rate of {checkpoint.name}, {checkpoint.learning_rate:g}, was logged at step {checkpoint.logged_at}"
        for checkpoint in found
        if checkpoint.logged_at < checkpoint.step
    ]
    for checkpoint in found[:-1]:
        if not checkpoint.learning_rate:
            notes.append(f"{checkpoint.name} was saved at learning rate 0, so it would add nothing to any score; left out")
    if not found[-1].learning_rate:
        notes.append(
            f"{found[-1].name} has learning rate 0: as the last checkpoint it gives the predictions, influence-last and "
            "representer, and adds nothing to sums over checkpoints"
        )
    return notes


def _final_model(folder: Path) -> OpenedModel | None:
    """The model that stands in the output folder itself."""
    if (folder / CONFIG).is_file() and any((folder / name).is_file() for name in (WEIGHTS, SHARDS)):
        return open_classifier(str(folder))
    return None


def _ending_with(
    final: OpenedModel, models: list[OpenedModel], found: list[TrainerCheckpoint]
) -> tuple[list[OpenedModel], list[TrainerCheckpoint], list[str]]:
    """Models and checkpoints of the run up to its final model, and a note where that is not the last checkpoint."""
    same = [number for number, model in enumerate(models) if _same_weights(model, final)]
    if not same:
        note = f"the model in {final.name!r} is none of its checkpoints: it counts as one after them, with learning rate 0"
        last = TrainerCheckpoint(Path(final.name), found[-1].step, 0.0, FINAL, found[-1].step)
        return [*models, final], [*found, last], [note]
    end = same[-1] + 1
    left = ", ".join(checkpoint.name for checkpoint in found[end:])
    note = (
        f"the model in {final.name!r} is {found[end - 1].name}, so the run ends there (load_best_model_at_end); left out: {left}"
    )
    return models[:end], found[:end], [note] if left else []


def _not_the_best(found: Sequence[TrainerCheckpoint]) -> list[str]:
    """A note where the run kept a model that the last checkpoint is not."""
    best = Path(str(_state(found[-1].folder).get("best_model_checkpoint") or "")).name
    if not best or best == found[-1].name:
        return []
    return [
        f"the run's best model was {best}; explained is the last, {found[-1].name}: to explain the best, save it into the "
        "folder itself with trainer.save_model()"
    ]


def _same_weights(one: OpenedModel, other: OpenedModel) -> bool:
    return one.tensors.keys() == other.tensors.keys() and all(
        tensor.shape == other.tensors[key].shape and bool((tensor == other.tensors[key]).all())
        for key, tensor in one.tensors.items()
    )


def _check_alike(models: Sequence[OpenedModel]) -> None:
    """Raise `ModelError` where the models of a run have other weights, shapes or names of outputs than the last."""
    last = models[-1]
    for model in models[:-1]:
        if _shapes(model) != _shapes(last):
            raise ModelError(f"{model.name!r} and {last.name!r} are not of one run: their weights have other shapes")
        if model.labels != last.labels:
            raise ModelError(
                f"{model.name!r} and {last.name!r} name their outputs differently ({', '.join(model.labels[:5])}; "
                f"{', '.join(last.labels[:5])}); mend id2label in their config.json"
            )


def _shapes(model: OpenedModel) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in model.skeleton.state_dict().items()}


def _names_of_outputs(model: OpenedModel, labels: Sequence[str]) -> list[str]:
    """The names of the outputs as the data spells them."""
    places = match_labels(model.labels, labels)
    if places is not None:
        spelt = dict(zip(places, labels, strict=True))
        return [spelt.get(place, own) for place, own in enumerate(model.labels)]
    own, wanted = (", ".join(names[:10]) for names in (model.labels, labels))
    what = "the model's outputs have no names" if model.unnamed else "the model's labels are not the data's"
    raise ModelError(
        f"{model.name!r}: {what} ({own}; the data: {wanted}); write the data's labels, in the order of the outputs, into "
        f'"id2label" of the config.json of every checkpoint: {{"0": …, "1": …}}'
    )


def _learning_rate(checkpoint: Path, step: int) -> tuple[int, float]:
    """The last learning rate that the Trainer logged up to the checkpoint's step, and at which step."""
    file, history = checkpoint / STATE, _history(checkpoint)
    try:
        logged = [(int(entry["step"]), float(entry["learning_rate"])) for entry in history if "learning_rate" in entry]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelError(f"{str(file)!r} is not a Trainer's state: {error}") from error
    before = [(at, rate) for at, rate in logged if at <= step]
    if not before:
        raise ModelError(f"{str(file)!r} logs no learning rate up to step {step}; train with logging_steps smaller than an epoch")
    at, rate = max(reversed(before), key=lambda entry: entry[0])  # the later one of a step that was run twice
    if not 0 <= rate < float("inf"):
        raise ModelError(f"{str(file)!r} logs the learning rate {rate} at step {step}; it must be 0 or more")
    return at, rate


def _history(checkpoint: Path) -> list[Any]:
    """What the Trainer logged up to a checkpoint."""
    history = _state(checkpoint).get("log_history")
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise ModelError(f"{str(checkpoint / STATE)!r} is not a Trainer's state: 'log_history'")
    return history


def _state(checkpoint: Path) -> dict[str, Any]:
    file = checkpoint / STATE
    if not file.is_file():
        raise ModelError(f"{str(checkpoint)!r} has no trainer_state.json, so its learning rate is not known")
    state = read_json(file, limit=STATE_BYTES)
    if not isinstance(state, dict):
        raise ModelError(f"{str(file)!r} is not a Trainer's state")
    return state


def _of_another_run(found: Sequence[TrainerCheckpoint]) -> list[str]:
    """A note where a checkpoint's log does not begin as that of the one before ends: leftovers of another run."""
    notes = []
    logs = [_rates(checkpoint) for checkpoint in found]
    for number in range(1, len(found)):
        if logs[number][: len(logs[number - 1])] != logs[number - 1]:
            before, after = found[number - 1].name, found[number].name
            notes.append(f"{before} and {after} do not seem to be of one run: the log of {after} begins otherwise")
    return notes


def _rates(checkpoint: TrainerCheckpoint) -> list[tuple[Any, Any]]:
    return [(entry["step"], entry["learning_rate"]) for entry in _history(checkpoint.folder) if "learning_rate" in entry]


def run_tokenizer(run: Run, source: Path, model: Path) -> PreTrainedTokenizerFast:
    """The tokenizer saved beside a Trainer's checkpoints, or that of the model folder they started from."""
    saved = [checkpoint.folder for checkpoint in reversed(run.checkpoints)]
    for place in (*saved, source, model):
        if any((place / name).is_file() for name in TOKENIZER_FILES):
            return load_tokenizer(str(place))
    raise ModelError(
        f"{str(saved[0])!r} holds no tokenizer; pass it to the Trainer as processing_class, or name its folder with --model"
    )
