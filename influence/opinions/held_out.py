"""Which examples each held-out model leaves out, and the predictions it left on disk; no PyTorch needed to read them.

Model m leaves out fold m mod K of the (m div K)-th random split into K folds, so N models, a multiple of K, leave
every example out N/K times. Each predicts every example after every epoch: for those it left out that is what it says
without having seen their labels, for the others how readily it learnt them.

Axes: N training examples, E epochs, Y labels.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from influence.files import load_array
from influence.gradients import first_alike
from influence.models import Encoding
from influence.opinions.settings import HeldOutSettings
from influence.sealed import is_finished
from influence.types import BoolArray, FloatArray, IntArray


class HeldOutModel(NamedTuple):
    """One model's predictions of every training example, and which of them it never saw."""

    probabilities_ENY: FloatArray
    expected_EY: FloatArray  # sums of its probabilities over the test split
    left_out_N: BoolArray


def model_folder(build: Path, settings: HeldOutSettings, model: int) -> Path:
    """Where a model's predictions lie; the same for every number of models, so that more can be added later."""
    return build / "heldout" / f"{settings.folds}-folds-seed-{settings.seed}" / str(model)


def left_out(encoding: Encoding, labels_N: IntArray, settings: HeldOutSettings, model: int) -> BoolArray:
    """Which examples a model must not see, shape (N,).

    Every label is spread evenly over the folds, and copies of a text are left out together: a model that had learnt
    the copy would repeat its label.
    """
    repeat, fold = divmod(model, settings.folds)
    generator = np.random.default_rng([settings.seed, repeat])
    return np.asarray(fold_of(same_text(encoding), labels_N, settings.folds, generator) == fold)


def held_out_models(build: Path, labels_N: IntArray, settings: HeldOutSettings) -> Iterator[HeldOutModel]:
    """The predictions of every model, memory-mapped, in order; all must have been trained."""
    encoding = Encoding.load(build / "index" / "train" / "encoding")
    for model in range(settings.models):
        folder = model_folder(build, settings, model)
        yield HeldOutModel(
            probabilities_ENY=load_array(folder / "probabilities.npy"),
            expected_EY=load_array(folder / "expected.npy"),
            left_out_N=left_out(encoding, labels_N, settings, model),
        )


def is_trained(build: Path, settings: HeldOutSettings, model: int) -> bool:
    """Whether a model's predictions are whole."""
    return is_finished(model_folder(build, settings, model))


def same_text(encoding: Encoding) -> IntArray:
    """For every example the position of the first one with the same tokens, shape (N,)."""
    no_types_R, no_labels_N = np.broadcast_to(np.int8(0), encoding.tokens_R.shape), np.broadcast_to(np.int64(0), len(encoding))
    return first_alike(replace(encoding, types_R=no_types_R), no_labels_N)


def fold_of(copies_N: IntArray, labels_N: IntArray, folds: int, generator: np.random.Generator) -> IntArray:
    """The part, 0 to `folds` - 1, that each example is in, shape (N,). `copies_N` is that of `same_text`."""
    first_U, texts_N = np.unique(copies_N, return_inverse=True)
    folds_U = np.empty(len(first_U), dtype=np.int64)
    for label in np.unique(labels_N):
        with_label = generator.permutation(np.flatnonzero(labels_N[first_U] == label))
        folds_U[with_label] = (np.arange(len(with_label)) + generator.integers(folds)) % folds
    folds_N: IntArray = folds_U[texts_N]
    return folds_N
