"""What the checkpoints of a run predict: those that scores are summed over as their gradients are made, the others here.

BUILD/predictions/SPLIT/EPOCH/probabilities.npy, losses.npy     float32, a row an example
"""

from pathlib import Path

import numpy as np
import torch

from influence.errors import ModelError
from influence.files import load_array, open_rows
from influence.gradients import HookedModel, first_alike
from influence.models import Encoding
from influence.sealed import finish, is_finished
from influence.types import IntArray, Progress, Stage, silent

ROWS_AT_ONCE = 1 << 16


def write_predictions(
    model: HookedModel, encoding: Encoding, labels_N: IntArray, folder: Path, *, stage: Stage, progress: Progress = silent
) -> None:
    """Write a model's label probabilities of every example, and its losses in nats, into a folder, unless it is finished.

    Examples alike go through the model once. Raises `ModelError` for a loss that is no number.
    """
    if is_finished(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    first_N, done = first_alike(encoding, labels_N), 0
    distinct_E, losses_N = np.unique(first_N), np.zeros(len(encoding), dtype=np.float32)
    file = folder / "probabilities.npy"
    open_rows(file, (len(encoding), model.model.config.num_labels)).close()
    probabilities_NY = np.load(file, mmap_mode="r+")
    with torch.no_grad():
        for batch in model.in_batches(encoding, distinct_E):
            found = model.forward(batch, labels_N[batch.examples_B])
            if not np.isfinite(found.losses_B).all():
                raise ModelError("the loss of a checkpoint is not a number: its training diverged; use a smaller --learning-rate")
            probabilities_NY[batch.examples_B], losses_N[batch.examples_B] = found.probabilities_BY, found.losses_B
            done += len(batch.examples_B)
            progress(stage, done, len(distinct_E))
    for start in range(0, len(first_N), ROWS_AT_ONCE):  # the first of those alike stands before the others
        probabilities_NY[start : start + ROWS_AT_ONCE] = probabilities_NY[first_N[start : start + ROWS_AT_ONCE]]
    probabilities_NY.flush()
    np.save(folder / "losses.npy", losses_N[first_N])
    finish(folder, {"examples": len(encoding)})


def mean_loss(folder: Path) -> float:
    """The mean cross-entropy of the examples whose predictions lie in a folder, in nats."""
    return float(load_array(folder / "losses.npy").mean(dtype=np.float64))
