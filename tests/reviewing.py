"""A workspace as a build leaves it, as far as reviewing goes: real files, made by the engine's own writers, untrained."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from influence.data.dataset import text_sha256
from influence.data.edits import Edit
from influence.review.bulk import decide_bulk
from influence.review.events import Action, Reviewer
from influence.review.log import ReviewLog
from influence.review.reviews import Reviews
from influence.workspace.builds import BUILDS, CheckpointInfo, WorkspaceInfo, publish
from influence.workspace.result_tables import ResultStore
from influence.workspace.workspace import WorkspaceReader, read_workspace

ROOT = Path(__file__).parent.parent
Row = tuple[str, ...]  # id, text, label, or id, text, second text, label
ROWS: list[Row] = [
    ("e0", "the red sox win the championship series", "World"),
    ("e1", "yankees lose the championship series", "World"),
    ("e2", "stocks fall in tokyo", "Business"),
    ("e3", "a goal in the final minute", "Sport"),
    ("e4", "the championship series begins", "Sport"),
    ("e5", "oil prices climb again", "Business"),
    ("e6", "election results in ohio", "World"),
    ("e7", "red wine exports climb", "Business"),
]


def make_workspace(
    folder: Path,
    rows: Sequence[Row] = ROWS,
    *,
    build: str = "b1",
    labels: Sequence[str] = ("Business", "Sport", "World"),
    source: str = "train.csv",
    sha256: str = "",
    test: tuple[str, str] = ("test.csv", ""),  # its source and SHA-256
    id_column: str | None = "id",
) -> WorkspaceReader:
    """Publish a build of these training rows; every example is predicted to be of the first label, 0.75 sure."""
    target = folder / BUILDS / build
    target.mkdir(parents=True)
    pairs = [row[2] if len(row) == 4 else None for row in rows]
    names = ("id", "text", "label")
    columns = {name: [(row[0], row[1], row[-1])[at] for row in rows] for at, name in enumerate(names)}
    count = len(rows)
    split = {"split": ["train"] * count, "position": list(range(count))}
    with ResultStore(target / "results.duckdb", read_only=False) as store:
        hashes = [text_sha256(row[1], pair) for row, pair in zip(rows, pairs, strict=True)]
        store.insert(
            "examples",
            {**split, **columns, "text_pair": pairs, "text_sha256": hashes, "truncated": [False] * count},
        )
        store.insert(
            "predictions",
            {**split, "checkpoint": [0] * count, "predicted": [labels[0]] * count, "confidence": [0.75] * count},
        )
        store.insert("checkpoints", {"checkpoint": [0], "name": ["epoch 1"], "learning_rate": [0.1]})
    text_columns = {"text": "text", "text_pair": "text_pair" if len(rows[0]) == 4 else None, "label": "label"}
    info = WorkspaceInfo(
        built_at="2026-11-24T12:00:00+00:00",
        train_source=source,
        train_sha256=sha256,
        test_source=test[0],
        test_sha256=test[1],
        n_train=count,
        n_test=0,
        labels=list(labels),
        model="cnn",
        has_pairs=len(rows[0]) == 4,
        top_k=10,
        max_length=128,
        settings={"columns": {**text_columns, "id": id_column}},
        versions={},
        checkpoints=[CheckpointInfo("epoch 1", 0.1, None, 0.5, 0.5, 0.5)],
        warnings=[],
        seconds=1.0,
        bytes=0,
        files={},
    )
    publish(folder, target, info)
    return read_workspace(folder)


class Clock:
    """Milliseconds that pass only when told to, one at each look so that times differ."""

    def __init__(self, now: int = 1_790_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


def reviews_at(workspace: WorkspaceReader, clock: Clock | None = None) -> Reviews:
    """Reviews with a clock of one's own; close them to open the same files again."""
    return Reviews(workspace, ReviewLog(workspace.path, clock=clock or Clock(), wait=0))


def decide_many(
    reviews: Reviews,
    reviewer: Reviewer,
    ids: Iterable[str],
    kind: str,
    *,
    new_label: str | None = None,
    words: Sequence[str] = (),
    keep_decided: bool = False,
    **options: Any,
) -> Action | None:
    """One decision on many examples."""
    edits = dict.fromkeys(ids, Edit(kind, new_label, tuple(words)))
    return decide_bulk(reviews, reviewer, edits, keep_decided=keep_decided, **options)


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A real second process."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT, bufsize=1
    )
