"""Builds of workspaces: one queue of a server, in its own folder, one build at a time; how far each is, and when it will end.

STATE/ROOT/runs/jobs/…        see `background` and `frame.state`
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from influence.cli import ProgressEvent
from influence.types import StageKind
from pages.ui.frame import state, workspaces
from pages.ui.jobs import background, processes
from pages.ui.jobs.background import Job

RUNS = "runs"
# A build's stages in order, with the share of the whole that each usually takes; several of a kind divide it.
WEIGHTS: dict[str, int] = {
    StageKind.TOKENIZER: 2,
    StageKind.TOKENIZE: 4,
    StageKind.TRAIN: 45,
    StageKind.GRADIENTS: 40,
    StageKind.INFLUENCES: 6,
    StageKind.EMBEDDINGS: 8,
    StageKind.OPINIONS: 2,
    StageKind.OPPOSITION: 1,
    StageKind.NEIGHBOURS: 2,
}
SOON, EARLY = 10.0, 0.25  # seconds before which, and the share done from which, the pace of the build itself tells


def folder_of(name: str) -> Path | None:
    """The folder of one of the server's own queues; None where there is no place to be trusted with one."""
    root = workspaces.root()
    place = state.place_of(root, among=root)
    return None if place is None else place / name


def made_folder(name: str) -> Path:
    """The same, its place made. Raises `WorkspaceError` where it cannot be."""
    root = workspaces.root()
    return state.made_for(root, among=root) / name


def runs() -> list[Job]:
    """The builds that run, wait, or have failed or been stopped, in this order."""
    return background.jobs_in(folder_of(RUNS))


def enqueue(name: str, options: Sequence[str], about: dict[str, Any]) -> None:
    """Queue the build of the workspace of that name. `about`: its name, and what else pages want to know of it.

    Raises `WorkspaceError` where the server's own folder cannot be written.
    """
    makes = workspaces.root().resolve() / name
    background.enqueue_in(made_folder(RUNS), "build", *options, title=name, key=name, makes=makes, about={"name": name, **about})


def resume(job: Job) -> None:
    """Go on with a build that was stopped or interrupted."""
    options = [option for option in job.options if option != "--resume"]
    background.enqueue_in(
        made_folder(RUNS), job.command, *options, "--resume", title=job.title, key=job.key, makes=job.makes, about=job.about
    )


def complaint(job: Job) -> str:
    """Why a job has failed, in one line."""
    if errors := job.errors():
        return errors[-1]
    if job.code in (processes.KILLED, -9):
        return "it was stopped from outside: the machine was short of memory, or was restarted"
    return (job.tail() or [f"it ended with exit code {job.code}"])[-1]


def overall(found: Sequence[ProgressEvent], about: dict[str, Any]) -> float:
    """About how much of the whole is done, 0 to 1, by what the stages that have begun are expected to take.

    By its own measured seconds of each kind of stage where the build was estimated, else by what stages usually take.
    """
    measured = {str(kind): float(seconds) for kind, seconds in (about.get("stages") or {}).items()}
    weights = measured or WEIGHTS
    total = about.get("epochs") or max((event.stage.out_of for event in found), default=0) or 10
    parts: dict[str, int] = {StageKind.TOKENIZE: 2, StageKind.TRAIN: total}
    done = 0.0
    for event in found:
        of_both_splits = 2 * event.stage.out_of if event.stage.kind in (StageKind.GRADIENTS, StageKind.PREDICT) else 0
        done += weights.get(event.stage.kind, 0) / (of_both_splits or parts.get(event.stage.kind, 1)) * event.share
    return float(min(done / (sum(weights.values()) or 1), 0.99))


def seconds_left(share: float, so_far: float, expected: float | None) -> float | None:
    """How long a build still takes, once that can be told: at first as was promised, then by the pace that it has itself.

    `expected`: what the whole was expected to take, in seconds; None where nobody knew.
    """
    by_promise = None if expected is None else expected * (1 - share)
    if so_far < SOON or share < 0.02:
        return by_promise
    by_pace = so_far * (1 - share) / share
    if by_promise is None:
        return None if share < 0.08 else by_pace
    trust = min(1.0, share / EARLY)
    return (1 - trust) * by_promise + trust * by_pace
