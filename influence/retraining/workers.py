"""Retraining by an engine: which runs are one piece of work, and what comes back of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from influence.engines import Engine
from influence.retraining.change import Run
from influence.retraining.tables import Outcome
from influence.retraining.worker import train
from influence.workspace import WorkspaceReader

RETRIES = 2  # of runs that are lost with a machine


def by_engine(
    engine: Engine,
    workspace: WorkspaceReader,
    runs: Sequence[Run],
    tests: Sequence[int],
    *,
    frozen: bool,
    retries: int = 0,
    step: Callable[[int], None],
) -> Iterator[tuple[Run, Outcome]]:
    """Train the runs where the engine has room, and yield each as it finishes, with what it left.

    `step` is called a few times a second with the number of steps taken, and may raise to stop. Raises what a run cannot be
    trained for, and `EngineError` where one was lost.
    """
    pieces = _pieces(runs, engine.places) if engine.device == "cuda" else [[run] for run in runs]
    common = {
        "workspace": str(workspace.path.resolve()),
        "build": workspace.build.name,
        "masking": [asdict(change) for change in {run.change for run in runs if run.change.masked}],
        "tests": list(tests),
        "frozen": frozen,
        "device": engine.device,
    }
    tasks = [{**common, "runs": [{"seed": r.seed, "change": asdict(r.change)} for r in piece]} for piece in pieces]
    for ended in engine.run(train, tasks, retries=retries, step=step):
        for run, found in zip(pieces[ended.task], ended.value, strict=True):
            yield run, _outcome(found)


def _outcome(found: dict[str, Any]) -> Outcome:
    return Outcome(np.array(found["found"], dtype=np.float32), found["seconds"], found["processor"])


def _pieces(runs: Sequence[Run], places: int) -> list[list[Run]]:
    """Runs of one seed that a card trains as one batched model, in as many parts as there are cards."""
    by_seed: dict[int, list[Run]] = {}
    for run in runs:
        by_seed.setdefault(run.seed, []).append(run)
    parts = max(1, places // max(1, len(by_seed)))
    pieces = []
    for some in by_seed.values():
        size = -(-len(some) // parts)
        pieces += [some[start : start + size] for start in range(0, len(some), size)]
    return pieces
