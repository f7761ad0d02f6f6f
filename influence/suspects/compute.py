"""Computing the suspects of a finished build: held-out models, signals, suspicion, and the file that keeps them.

Whatever takes long is kept in the build folder, so an interrupted or a larger run goes on from there: each held-out
model's predictions, and the two signals that come of the word gradients.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from influence.attribution import tracin_term
from influence.errors import SettingsError
from influence.files import load_array
from influence.suspects.held_out import held_out_models, is_trained
from influence.suspects.settings import DEFAULT_MODELS, HeldOutSettings
from influence.suspects.signals import (
    Neighbours,
    Opinions,
    Opposition,
    calibration,
    epoch_weights,
    held_out_confidence,
    neighbours,
    opposition,
)
from influence.suspects.suspicion import FORMULA, Findings, judge, suspect_rows
from influence.suspects.tables import SuspectStore, driven_errors, opposed_tests, self_influences, training_examples
from influence.types import FloatArray, Progress, silent
from influence.workspace import WorkspaceReader, build_lock, disk_full_explained, opened, published, publishing

SUSPECTS = "suspects"


def write_suspects(
    path: str | Path, settings: HeldOutSettings | None = None, *, device: str = "auto", progress: Progress = silent
) -> dict[str, Any]:
    """Compute the suspects of a workspace's published build, unless they are there with the same settings.

    Held-out models are by default five, or none where the checkpoints were imported: what they were trained from is not
    known. With 0 models nothing is trained. Returns the settings used.
    Raises `SettingsError` where models cannot be trained like the workspace's own, and `WorkspaceBusy`.
    """
    path = Path(path)
    with opened(path) as workspace:
        usual = HeldOutSettings(models=DEFAULT_MODELS if workspace.info.settings["training"] else 0)
        wanted = asdict(settings or usual)
        found = published(workspace.build, SUSPECTS)
        if found is not None and found[1] == {**wanted, "formula": FORMULA}:
            return wanted
    with disk_full_explained(path), build_lock(path), opened(path) as workspace:
        started = time.monotonic()
        chosen = HeldOutSettings(**wanted)
        _train(workspace, chosen, device, progress)
        findings, factors_Y = _findings(workspace, chosen, progress)
        drives = driven_errors(workspace.store)
        rows = suspect_rows(findings, training_examples(workspace.store), drives, opposed_tests(workspace.store))
        with publishing(workspace.build, SUSPECTS, SuspectStore, {**wanted, "formula": FORMULA}) as store:
            store.fill("suspects", rows)
            store.fill("driven_errors", drives)
            store.write_provenance(
                {
                    "settings": wanted,
                    "build": workspace.build.name,
                    "calibration": dict(zip(workspace.info.labels, factors_Y.round(4).tolist(), strict=True)),
                    "versions": workspace.info.versions,
                },
                started,
            )
    return wanted


def _train(workspace: WorkspaceReader, settings: HeldOutSettings, device: str, progress: Progress) -> None:
    if all(is_trained(workspace.build, settings, model) for model in range(settings.models)):
        return
    training = workspace.info.settings["training"]
    if training is None:
        raise SettingsError(
            f"--models {settings.models}: the checkpoints of workspace {workspace.name!r} were imported, so the model they "
            "were trained from is not known; use --models 0"
        )
    from influence.models import TrainingSettings, resolve_device
    from influence.suspects.cross_validation import train_held_out

    train_held_out(workspace, TrainingSettings(**training), settings, resolve_device(device), progress)


def _findings(workspace: WorkspaceReader, settings: HeldOutSettings, progress: Progress) -> tuple[Findings, FloatArray]:
    opposed, near = _word_signals(workspace, progress)
    opinions, factors_Y = gather_opinions(workspace, settings)
    findings = Findings(
        names=workspace.info.labels,
        opinions=opinions,
        held_out_confidence_N=held_out_confidence(opinions),
        judgement=judge(opinions, factors_Y, near),
        self_influence_N=self_influences(workspace.store),
        opposition=opposed,
        neighbours=near,
        tie_ranks_N=workspace.tie_ranks_N,
    )
    return findings, factors_Y


def gather_opinions(workspace: WorkspaceReader, settings: HeldOutSettings) -> tuple[Opinions, FloatArray]:
    """What the workspace's own model and the held-out ones say, and the calibration of their average on the test split."""
    labels_N, labels_M = _labels(workspace, "train"), _labels(workspace, "test")
    names = workspace.info.labels
    opinions = Opinions(labels_N, len(names))
    tests_CMY, trains_CNY = (_probabilities(workspace, split) for split in ("test", "train"))
    given_Y = np.bincount(labels_M, minlength=len(names))
    right_C = np.array([(p.argmax(axis=1) == labels_M).mean() for p in tests_CMY])
    expected_CY = np.stack([p.sum(axis=0, dtype=np.float64) for p in tests_CMY])
    opinions.add(trains_CNY, expected_CY, epoch_weights(right_C, given_Y.max() / len(labels_M)))
    guess = np.bincount(labels_N).max() / len(labels_N)
    for probabilities_ENY, expected_EY, left_out_N in held_out_models(workspace.build, labels_N, settings):
        right_E = np.array([(p[left_out_N].argmax(axis=1) == labels_N[left_out_N]).mean() for p in probabilities_ENY])
        opinions.add(probabilities_ENY, expected_EY, epoch_weights(right_E, guess), left_out_N)
    return opinions, calibration(opinions.expected_Y / opinions.models, given_Y)


def _word_signals(workspace: WorkspaceReader, progress: Progress) -> tuple[Opposition, Neighbours]:
    folder = workspace.build / "signals"
    last_MY = _probabilities(workspace, "test")[-1]
    right_M = last_MY.argmax(axis=1) == _labels(workspace, "test")
    opposed = _kept(
        folder / "opposition.npy", lambda: np.stack(opposition(workspace.index, workspace.queries, right_M, progress))
    )
    # Where the test loss is lowest, wrong labels are not yet fitted (appendix A stops there too).
    best = int(np.argmin([checkpoint.test_loss for checkpoint in workspace.info.checkpoints]))
    own_N = self_influence_at(workspace, best)
    near = _kept(folder / "neighbours.npy", lambda: np.stack(neighbours(workspace.index.at_checkpoint(best), own_N, progress)))
    return Opposition(*opposed), Neighbours(near[0], near[1].astype(np.int64), near[2].astype(np.int64))


def self_influence_at(workspace: WorkspaceReader, checkpoint: int) -> FloatArray:
    """Self-influence over the kept words at one checkpoint, learning rate included, shape (N,)."""
    stored_N2 = load_array(workspace.build / "index" / "train" / str(checkpoint) / "self_influence.npy")
    own_N: FloatArray = tracin_term(workspace.learning_rates_C[checkpoint], stored_N2[:, 0])
    return own_N


def _kept(file: Path, compute: Callable[[], FloatArray]) -> FloatArray:
    """An array from its file, computed and written there if it is not yet."""
    if not file.is_file():
        file.parent.mkdir(exist_ok=True)
        unfinished = file.with_suffix(".tmp.npy")
        np.save(unfinished, compute(), allow_pickle=False)
        unfinished.replace(file)
    return load_array(file)


def _labels(workspace: WorkspaceReader, split: str) -> npt.NDArray[Any]:
    return load_array(workspace.build / "index" / split / "labels.npy")


def _probabilities(workspace: WorkspaceReader, split: str) -> list[FloatArray]:
    folder = workspace.build / "index" / split
    return [load_array(folder / str(number) / "probabilities.npy") for number in range(len(workspace.info.checkpoints))]
