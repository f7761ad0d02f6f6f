"""Computing the suspects of a finished build: opinions, signals, suspicion, and the file that keeps them.

Whatever takes long is kept, so an interrupted, a larger or a second run goes on from there: embeddings, who is near whom,
each held-out model's predictions, and the two signals that come of the word gradients. What is left takes seconds, so the
ranking is made again whenever reviewers have decided some more.
"""

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from influence.engines import Engine
from influence.files import load_array
from influence.formulas import tracin_term
from influence.opinion_files import state as opinion_state
from influence.opinions import Gathered, Material, OpinionSettings, Voice, baseline_accuracy, gather, read_settings
from influence.sealed import kept, kept_array, save_array, save_kept
from influence.suspects.choices import read_choices
from influence.suspects.decided import decided_labels
from influence.suspects.signals import Neighbours, Opposition, neighbours, opposition
from influence.suspects.suspicion import FORMULA, Findings, said_rows, suspect_rows
from influence.suspects.tables import SuspectStore, driven_errors, opposed_tests, self_influences, training_examples
from influence.types import FloatArray, Progress, silent
from influence.workspace import WorkspaceReader, build_lock, disk_full_explained, opened, published, publishing

SUSPECTS = "suspects"


def write_suspects(
    path: str | Path,
    settings: OpinionSettings | None = None,
    *,
    device: str = "auto",
    engine: Engine | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Rank the training examples of a workspace's published build, unless that was done with the same settings and decisions.

    Without settings: those of the ranking that is there, and what the workspace has chosen of its test split. Where
    reviewers have decided, the opinions learn from that; opinions that the workspace keeps from files count, too. Held-out
    models are trained here or by an `engine`. Returns the settings used.
    Raises `SettingsError` where models cannot be trained like the workspace's own, `ModelError` for an encoder that
    cannot be loaded, and `WorkspaceBusy`.
    """
    path = Path(path)
    with opened(path) as workspace:
        chosen = settings or usual_settings(workspace)
        decided = decided_labels(workspace)
        wanted = asdict(chosen)
        names = opinion_state(workspace)  # without any, a ranking stays what it was
        made_from = {**wanted, "formula": FORMULA, "decided": decided.sha256, **({"opinions": names} if names else {})}
        found = published(workspace.build, SUSPECTS)
        if found is not None and found[1] == made_from:
            return wanted
    with disk_full_explained(path), build_lock(path), opened(path) as workspace:
        started = time.monotonic()
        if chosen.held_out.models:
            from influence.opinions import ensure_trained  # PyTorch takes seconds that a ranking made again can do without

            ensure_trained(workspace, chosen.held_out, device, progress, engine)
        material = Material(workspace, chosen, device, progress)
        gathered = gather(material, decided.taught(material.labels("train")))
        drives, opposed = _driven(workspace)
        findings = _findings(workspace, gathered, progress)
        rows = suspect_rows(findings, training_examples(workspace.store), drives, opposed)
        with publishing(workspace.build, SUSPECTS, SuspectStore, made_from) as store:
            store.fill("suspects", rows)
            store.fill("driven_errors", drives)
            store.fill("said", said_rows(material.heard, workspace.info.labels))
            store.write_provenance(
                {"settings": wanted, "decisions": len(decided.labels), **_made_of(material, gathered)}, started
            )
    return wanted


def usual_settings(workspace: WorkspaceReader) -> OpinionSettings:
    """Those of the ranking that the build has, if any, with what the workspace has chosen of its test split."""
    found, choices = published(workspace.build, SUSPECTS), read_choices(workspace.path)
    kept = OpinionSettings() if found is None else read_settings(found[1])
    return replace(kept, test_labels_checked=choices.test_labels_checked, use_test_balance=choices.use_test_balance)


def _driven(workspace: WorkspaceReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The wrong predictions each training example drives, and the test examples it opposes; of the build alone, so kept."""
    folder = workspace.build / "signals"
    return (
        _kept_frame(folder / "opponents_of_wrong.parquet", lambda: driven_errors(workspace.store)),
        _kept_frame(folder / "opponents_of_right.parquet", lambda: opposed_tests(workspace.store)),
    )


def _made_of(material: Material, gathered: Gathered) -> dict[str, Any]:
    """What the ranking rests on; each opinion with its accuracy on given labels (the own model's on the test split)."""
    weights = gathered.average.weights
    return {
        "build": material.workspace.build.name,
        "versions": material.workspace.info.versions,
        "encoder": None if material.encoder is None else Path(material.encoder.name).name,
        "opinions": [
            {"name": o.name, "accuracy": round(o.accuracy, 4), "weight": weights[o.name], "seconds": o.seconds}
            for o in gathered.opinions
        ]
        + [_of_file(voice, gathered.average.voice_weights) for voice in gathered.voices],
        "baseline": _baseline(material),
    }


def _of_file(voice: Voice, weights: Mapping[str, float]) -> dict[str, Any]:
    """A name of a file: of how many examples it speaks, how often it says the given label, how far it is believed."""
    heard = voice.heard
    return {
        "name": heard.name,
        "accuracy": round(voice.accuracy, 4),
        "weight": weights[heard.name],
        "seconds": 0.0,
        "examples": len(heard.positions_S),
        "reliability": round(voice.reliability, 4),
        "source": heard.source,
        "sha256": heard.sha256,
    }


def _baseline(material: Material) -> float | None:
    """Test accuracy of tf-idf and logistic regression; it depends on the build alone, so it is found once."""
    file = material.workspace.build / "signals" / "baseline.npy"
    found = float(_kept(file, lambda: np.array(baseline_accuracy(material)))[()])
    return None if np.isnan(found) else round(found, 4)


def _findings(workspace: WorkspaceReader, gathered: Gathered, progress: Progress) -> Findings:
    opposed, near = _word_signals(workspace, progress)
    return Findings(
        names=workspace.info.labels,
        labels_N=_labels(workspace, "train"),
        gathered=gathered,
        self_influence_N=self_influences(workspace.store),
        opposition=opposed,
        neighbours=near,
        tie_ranks_N=workspace.tie_ranks_N,
    )


def _word_signals(workspace: WorkspaceReader, progress: Progress) -> tuple[Opposition, Neighbours]:
    folder = workspace.build / "signals"
    right_M = workspace.probabilities("test").argmax(axis=1) == _labels(workspace, "test")
    opposed = _kept(
        folder / "opposition.npy", lambda: np.stack(opposition(workspace.index, workspace.queries, right_M, progress))
    )
    # Where the test loss is lowest, wrong labels are not yet fitted (appendix A stops there too); of those that count at all.
    losses_C = np.array([checkpoint.test_loss for checkpoint in workspace.info.checkpoints])
    best = int(np.where(workspace.learning_rates_C > 0, losses_C, np.inf).argmin())
    own_N = self_influence_at(workspace, best)
    near = _kept(folder / "neighbours.npy", lambda: np.stack(neighbours(workspace.index.at_checkpoint(best), own_N, progress)))
    return Opposition(*opposed), Neighbours(near[0], near[1].astype(np.int64), near[2].astype(np.int64))


def self_influence_at(workspace: WorkspaceReader, checkpoint: int) -> FloatArray:
    """Self-influence over the kept words at one checkpoint, learning rate included, shape (N,)."""
    stored_N2 = workspace.example_numbers("train", checkpoint, "self_influence")
    own_N: FloatArray = tracin_term(workspace.learning_rates_C[checkpoint], stored_N2[:, 0])
    return own_N


def _kept(file: Path, compute: Callable[[], FloatArray]) -> FloatArray:
    """An array from its file, computed and written there if it is not yet, or is no longer what was written."""
    found = kept_array(file)
    if found is None:
        file.parent.mkdir(exist_ok=True)
        save_array(file, found := compute())
    return found


def _labels(workspace: WorkspaceReader, split: str) -> npt.NDArray[Any]:
    return load_array(workspace.build / "index" / split / "labels.npy")


def _kept_frame(file: Path, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """A table from its file, computed and written there if it is not yet, or is no longer what was written."""
    found = kept(file)
    if found is None:
        file.parent.mkdir(exist_ok=True)
        save_kept(file, found := compute().to_parquet())
    return pd.read_parquet(io.BytesIO(found))
