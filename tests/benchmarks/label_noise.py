"""Rankings of training examples against the truth about their labels, with bootstrap intervals."""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score

from influence.cli.progress import ProgressLine, duration
from influence.data.dataset import Columns
from influence.files import load_array
from influence.suspects.compute import gather_opinions, write_suspects
from influence.suspects.held_out import held_out_models
from influence.suspects.ranking import suspects
from influence.suspects.settings import HeldOutSettings
from influence.suspects.signals import Neighbours, calibrated, doubt, usual_confidence
from influence.suspects.suspicion import NEIGHBOUR_WEIGHT, judge
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.workspace import WorkspaceReader, read_workspace

DEPTHS = (100, 500, 2_000)
RESAMPLES = 500
LOW, HIGH = 2.5, 97.5  # percentiles of the bootstrap
SINGLE = {  # signal: its sign, so that larger is more suspicious
    "self_influence": 1,
    "misclassified_share": 1,
    "held_out_confidence": -1,
    "opposition": 1,
    "opposed_tests": 1,
    "driven_errors": 1,
    "neighbour_disagreement": 1,
}


def print_comparison(data: Path, path: Path, models: int, epochs: int | None) -> None:
    """Build the workspace and its suspects where they are missing, and print every ranking."""
    seconds: dict[str, float] = {}
    with ProgressLine(sys.stderr) as progress:
        started = time.monotonic()
        request = BuildRequest(
            train=str(data / "train.csv"),
            test=str(data / "test.csv"),
            columns=Columns(),
            training=training_settings("cnn", epochs=epochs),
        )
        build_workspace(path, request, resume=True, progress=progress)
        for stage, settings in (("build", None), ("cheap", 0), ("models", models)):
            if settings is not None:
                write_suspects(path, HeldOutSettings(models=settings), progress=progress)
                if stage == "cheap":
                    cheap = _in_order(read_workspace(path))
            seconds[stage] = time.monotonic() - started
            started = time.monotonic()
    workspace = read_workspace(path)
    found = _in_order(workspace)
    truth = pd.read_csv(data / "train.csv", dtype=str, keep_default_na=False)
    wrong_N = (truth["label"] != truth["true_label"]).to_numpy()
    print(f"{data.name}: {len(found):,} training examples, {wrong_N.mean():.2%} wrong labels, CNN, {models} held-out models")
    print(f"test accuracy {workspace.info.accuracy:.1%} after {len(workspace.info.checkpoints)} epochs")
    print("seconds: " + ", ".join(f"{stage} {duration(value)}" for stage, value in seconds.items()))
    settings = HeldOutSettings(models=models)
    ours = {
        "suspicion": found["suspicion"],
        "suspicion without held-out models": cheap["suspicion"],
        **_without(workspace, settings, found),
    }
    single = {f"only {name}": sign * found[name] for name, sign in SINGLE.items()}
    theirs = _cleanlab(workspace, settings)
    _print_table({**ours, **single, **theirs, **_cleanlab_on_ours(workspace, settings)}, wrong_N, best_of=list(theirs))
    _print_suggestions(found, truth)


def _in_order(workspace: WorkspaceReader) -> pd.DataFrame:
    rows = suspects(workspace, limit=workspace.info.n_train)[1]
    return rows.set_index("train_id").loc[workspace.train_ids()].reset_index()


def _without(workspace: WorkspaceReader, settings: HeldOutSettings, found: pd.DataFrame) -> dict[str, np.ndarray]:
    """The suspicion with one of its parts left out."""
    opinions, factors_Y = gather_opinions(workspace, settings)
    labels_N, near_N = opinions.labels_N, found["neighbour_disagreement"].to_numpy()
    held_out_NY = opinions.held_out_mean_NY()
    assert held_out_NY is not None
    even_Y = np.ones_like(factors_Y)
    calibrated_NY = calibrated(opinions.mean_NY(), factors_Y)
    unseen_NY = calibrated(held_out_NY, factors_Y)
    return {
        "suspicion, knowing nothing of the test split": judge(opinions, even_Y, Neighbours(near_N, near_N, near_N)).suspicion_N,
        "suspicion, unusual confidence not considered": (1 - NEIGHBOUR_WEIGHT) * doubt(calibrated_NY, labels_N, 0 * even_Y)
        + NEIGHBOUR_WEIGHT * near_N,
        "suspicion, no neighbours": doubt(calibrated_NY, labels_N, usual_confidence(unseen_NY, labels_N)),
        "suspicion, held-out predictions only": doubt(unseen_NY, labels_N, usual_confidence(unseen_NY, labels_N)),
    }


def _cleanlab_on_ours(workspace: WorkspaceReader, settings: HeldOutSettings) -> dict[str, np.ndarray]:
    """cleanlab's best rankings on our average over all models and epochs, which it was not made for."""
    opinions, factors_Y = gather_opinions(workspace, settings)
    found = {}
    for name, probabilities_NY in (
        ("our average", opinions.mean_NY()),
        ("our calibrated average", calibrated(opinions.mean_NY(), factors_Y)),
    ):
        for method in ("self_confidence", "normalized_margin"):
            scores_N = get_label_quality_scores(opinions.labels_N, probabilities_NY, method=method, adjust_pred_probs=True)
            found[f"({name}: cleanlab {method}, adjusted)"] = -scores_N
    return found


def _cleanlab(workspace: WorkspaceReader, settings: HeldOutSettings) -> dict[str, np.ndarray]:
    """cleanlab's rankings on the probabilities of the same held-out models: of their last epoch, and mean over epochs."""
    labels_N = load_array(workspace.build / "index" / "train" / "labels.npy")
    last_NY, mean_NY = (np.zeros((len(labels_N), len(workspace.info.labels))) for _ in range(2))
    for model in held_out_models(workspace.build, labels_N, settings):
        last_NY[model.left_out_N] += model.probabilities_ENY[-1, model.left_out_N]
        mean_NY[model.left_out_N] += model.probabilities_ENY[:, model.left_out_N].mean(axis=0)
    found = {}
    for epochs, sums_NY in (("last epoch", last_NY), ("mean epoch", mean_NY)):
        probabilities_NY = sums_NY / sums_NY.sum(axis=1, keepdims=True)
        for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
            for adjust in (False, True) if method != "confidence_weighted_entropy" else (False,):
                scores_N = get_label_quality_scores(labels_N, probabilities_NY, method=method, adjust_pred_probs=adjust)
                found[f"cleanlab {method}{', adjusted' if adjust else ''}, {epochs}"] = -scores_N
        issues = find_label_issues(labels_N, probabilities_NY, return_indices_ranked_by="self_confidence")
        ranked_N = np.zeros(len(labels_N))
        ranked_N[issues] = np.arange(len(issues), 0, -1)  # the rest, not called issues, by self-confidence after them
        rest_N = -get_label_quality_scores(labels_N, probabilities_NY, method="self_confidence")
        found[f"cleanlab find_label_issues, {epochs}"] = ranked_N + rest_N
    return found


def _print_table(scores: dict[str, np.ndarray], wrong_N: np.ndarray, *, best_of: list[str]) -> None:
    generator = np.random.default_rng(0)
    samples = [generator.integers(len(wrong_N), size=len(wrong_N)) for _ in range(RESAMPLES)]
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    resampled = {name: np.array([_average_precision(wrong_N[s], x[s]) for s in samples]) for name, x in arrays.items()}
    print(f"\n{'ranking':62} {'AP':>6}  95 % interval    " + "  ".join(f"P@{depth:<5,}" for depth in DEPTHS))
    for name, values in arrays.items():
        low, high = np.percentile(resampled[name], [LOW, HIGH])
        order = np.argsort(-values, kind="stable")
        precisions = "  ".join(f"{wrong_N[order[:depth]].mean():7.3f}" for depth in DEPTHS)
        print(f"{name:62} {_average_precision(wrong_N, values):6.4f}  {low:.4f}-{high:.4f}  {precisions}")
    best = max(best_of, key=lambda name: _average_precision(wrong_N, arrays[name]))
    for name in ("suspicion", "suspicion without held-out models", "suspicion, knowing nothing of the test split"):
        low, high = np.percentile(resampled[name] - resampled[best], [LOW, HIGH])
        gain = _average_precision(wrong_N, arrays[name]) - _average_precision(wrong_N, arrays[best])
        print(f"{name} less the best of cleanlab ({best}): {gain:+.4f} ({low:+.4f} to {high:+.4f}, paired)")


def _average_precision(wrong_N: np.ndarray, scores_N: np.ndarray) -> float:
    return float(average_precision_score(wrong_N, scores_N))


def _print_suggestions(found: pd.DataFrame, truth: pd.DataFrame) -> None:
    changed = (found["suggested_label"] != found["label"]).to_numpy()
    right = (found["suggested_label"] == truth["true_label"]).to_numpy()
    order = np.argsort(found["rank"].to_numpy())
    print(f"\nsuggested: another label for {changed.sum():,} examples, right for {right[changed].mean():.1%} of them")
    for depth in DEPTHS:
        top = order[:depth]
        before = (found["label"] == truth["true_label"]).to_numpy()[top].mean()
        print(f"   of the top {depth:,}: right before {before:.1%}, right with the suggestions {right[top].mean():.1%}")
