"""Which training examples are difficult to learn, by many models that stop early (appendix A).

The models are the held-out ones: each is trained without a part of the data, by the workspace's own recipe, and its
training counts up to the epoch after which it did best on that part. A finished model's predictions stay in the build
folder, so an interrupted run goes on, and `suspects --models` shares them.

Axes: N training examples, E epochs, Y labels.
"""

import numpy as np

from influence.clusters.settings import FOLDS, ClusterSettings
from influence.files import load_array
from influence.opinions import HeldOutSettings, ensure_trained, held_out_models
from influence.types import BoolArray, FloatArray, IntArray, Progress
from influence.workspace import WorkspaceReader

SMALLEST = 1e-7  # probability; float32 rounds smaller ones to 0, whose logarithm is no number


def misclassified_shares(workspace: WorkspaceReader, settings: ClusterSettings, device: str, progress: Progress) -> FloatArray:
    """Share of the epochs, over the models that were trained on an example, after which they misclassified it, shape (N,).

    Trains the models that are not there yet. Raises `SettingsError` where the workspace's checkpoints were imported.
    """
    held_out = HeldOutSettings(models=settings.models, folds=FOLDS, seed=settings.seed)
    ensure_trained(workspace, held_out, device, progress)
    labels_N = load_array(workspace.build / "index" / "train" / "labels.npy")
    missed_N, epochs_N = np.zeros(len(labels_N)), np.zeros(len(labels_N))
    for probabilities_ENY, _, left_out_N in held_out_models(workspace.build, labels_N, held_out):
        stop = best_epoch(probabilities_ENY, labels_N, left_out_N)
        for probabilities_NY in probabilities_ENY[: stop + 1]:
            missed_N += ~left_out_N & (probabilities_NY.argmax(axis=1) != labels_N)
        epochs_N += ~left_out_N * (stop + 1)
    return missed_N / np.maximum(epochs_N, 1)


def best_epoch(probabilities_ENY: FloatArray, labels_N: IntArray, left_out_N: BoolArray) -> int:
    """The epoch, from 0, with the lowest mean loss on the examples that were left out; the first of equal ones."""
    out = np.flatnonzero(left_out_N)
    if len(out) == 0:  # nothing to stop by: the whole training counts
        return len(probabilities_ENY) - 1
    given_EN = np.stack([probabilities_NY[out, labels_N[out]] for probabilities_NY in probabilities_ENY])
    return int(np.argmin(-np.log(np.maximum(given_EN, SMALLEST)).mean(axis=1)))
