"""The chosen checkpoints of a build as they are kept, and loaded.

    FOLDER/epochs.json                    all checkpoints of the run, and which of them these are
    FOLDER/C/config.json, done.json       of checkpoint C, from 0
    FOLDER/C/model.safetensors            the weights of the last, whole, so that `transformers` loads its folder
    FOLDER/C/differences.safetensors      those of the others, by what they differ from checkpoint C + 1

One whose weights are not of one shape with the next one's is whole, too, and so are all of a build from before there were
differences.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from influence import seals
from influence.checkpoints.differences import DIFFERENCES, Tensors, have_one_shape, read_differences, write_differences
from influence.checkpoints.series import OPTIMIZER, checkpoint_folder
from influence.errors import ModelError
from influence.files import DONE
from influence.models import load_classifier, stored_weights
from influence.sealed import finish
from influence.types import Progress, StageKind, silent


def load_checkpoint(folder: Path, number: int) -> PreTrainedModel:
    """Checkpoint `number` of a build's `checkpoints` folder, in eval mode.

    Raises `WorkspaceDamaged` where a file is not what was written, `ModelError` where it cannot be loaded.
    """
    return _model(folder, number, weights(folder, number))


def load_checkpoints(folder: Path, count: int) -> list[PreTrainedModel]:
    """The first `count` checkpoints, in order; each difference is read once. Raises as `load_checkpoint` does."""
    models, after = [], None
    for number in reversed(range(count)):
        after = _of_next(folder, number, after) if after is not None else weights(folder, number)
        models.append(_model(folder, number, after))
    return models[::-1]


def weights(folder: Path, number: int) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint by name, exact to the bit."""
    whole = number
    while not _is_whole(folder, whole):
        whole += 1
    seals.verify_folder(checkpoint_folder(folder, whole))
    found = stored_weights(checkpoint_folder(folder, whole))
    for earlier in reversed(range(number, whole)):
        found = _of_next(folder, earlier, found)
    return found


def _is_whole(folder: Path, number: int) -> bool:
    """Whether a checkpoint has its weights. Raises `ModelError` where there is none of that number."""
    place = checkpoint_folder(folder, number)
    if not place.is_dir():
        raise ModelError(f"{str(place)!r}: there is no such checkpoint; build the workspace again")
    return not (place / DIFFERENCES).is_file()


def _of_next(folder: Path, number: int, after: Tensors) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint, given those of the next."""
    if _is_whole(folder, number):
        return weights(folder, number)
    seals.verify_folder(checkpoint_folder(folder, number))
    return read_differences(checkpoint_folder(folder, number), after)


def _model(folder: Path, number: int, tensors: Tensors) -> PreTrainedModel:
    return load_classifier(str(checkpoint_folder(folder, number)), tensors)


def keep(run: Path, folder: Path, chosen: Sequence[int], progress: Progress = silent) -> None:
    """Move the chosen checkpoints of a run into the folder of those that are kept, and remove the run's.

    Begun again after an interruption it does what is left, with the same result: the run's folders go last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    after: Tensors | None = None
    for done, number in enumerate(reversed(range(len(chosen)))):
        source, target = checkpoint_folder(run, chosen[number]), checkpoint_folder(folder, number)
        if (target / DONE).is_file():  # what is wrong with it is told when it is loaded
            after = None
        else:
            if after is None and number < len(chosen) - 1:
                after = weights(folder, number + 1)
            after = _keep_one(source, target, after)
        progress(StageKind.KEEP, done + 1, len(chosen))
    shutil.rmtree(run, ignore_errors=True)


def _keep_one(source: Path, target: Path, after: Tensors | None) -> Tensors:
    """Move one checkpoint, by what it differs from the one `after` it where that can be said; returns its weights."""
    seals.verify_folder(source)
    tensors = stored_weights(source)
    (source / OPTIMIZER).unlink(missing_ok=True)
    if after is None or not have_one_shape(tensors, after):
        shutil.rmtree(target, ignore_errors=True)  # what a kill left of an earlier try
        source.rename(target)
        return tensors
    target.mkdir(parents=True, exist_ok=True)
    write_differences(target, tensors, after)
    for file in _beside_weights(source):
        shutil.copyfile(file, target / file.name)
    finish(target, json.loads((source / DONE).read_text(encoding="utf-8")))
    return tensors


def _beside_weights(folder: Path) -> Iterator[Path]:
    """The files of a whole checkpoint that are kept as they are: its configuration, and what AdamW kept."""
    for file in sorted(folder.iterdir()):
        if file.name not in (DONE, seals.HASHES) and not file.name.startswith("model"):
            yield file
