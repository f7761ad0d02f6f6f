"""Builds of new workspaces, and looks at data before one: two queues in the server's own folder, one job at a time in each.

STATE/ROOT/runs/jobs/…        builds; see `background` and `frame.state`
STATE/ROOT/checks/jobs/…      reports and estimates, which need not wait for a build
STATE/ROOT/checks/KEY.json    what they found
"""

import json
import shlex
from pathlib import Path
from typing import Any

import influence
from influence.cli import ProgressEvent
from influence.types import StageKind
from influence.workspace import check_name
from pages.ui.data.address import DataAddress
from pages.ui.frame import state, workspaces
from pages.ui.jobs import Job, background, processes

RUNS, CHECKS = "runs", "checks"
KEPT = 60  # reports and estimates
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


def _queue(name: str) -> Path | None:
    """The folder of a queue; None where there is no place to be trusted with one."""
    root = workspaces.root()
    place = state.place_of(root, among=root)
    return None if place is None else place / name


def _made_queue(name: str) -> Path:
    """The same, its place made. Raises `WorkspaceError` where it cannot be."""
    root = workspaces.root()
    return state.made_for(root, among=root) / name


# Reports and estimates --------------------------------------------------------------------------------------------------


def ask(key: str, options: list[str], title: str) -> None:
    """Have a report or an estimate made, unless it is there, being made, or has failed and was not dismissed.

    Raises `WorkspaceError` where it cannot be asked for.
    """
    found = answer(key)
    if (found is not None and (found["report"] or found["estimate"] or found.get("encodings"))) or asked(key) is not None:
        return
    queue = _made_queue(CHECKS)
    for old in sorted(queue.glob("*.json"), key=lambda file: file.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
    background.enqueue_in(queue, "check", *options, "--output", str(queue / f"{key}.json"), title=title, key=key)


def answer(key: str) -> dict[str, Any] | None:
    """What is known by now; None before the first rows are."""
    if (queue := _queue(CHECKS)) is None:
        return None
    try:
        return dict(json.loads((queue / f"{key}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def asked(key: str) -> Job | None:
    """The job that makes it, or has failed to."""
    return next((job for job in background.jobs_in(_queue(CHECKS)) if job.key == key), None)


def complaint(job: Job) -> str:
    """Why a job has failed, in one line."""
    if errors := job.errors():
        return errors[-1]
    if job.code in (processes.KILLED, -9):
        return "it was stopped from outside: the machine was short of memory, or was restarted"
    return (job.tail() or [f"it ended with exit code {job.code}"])[-1]


# Builds -----------------------------------------------------------------------------------------------------------------


def command(address: DataAddress, folder: Path) -> list[str]:
    """The options of the build that an address describes. Raises a `WordtraceError` for what cannot be had."""
    options = ["--workspace", str(folder), *address.data_options(), *address.model_options(), "--seed", str(address.seed)]
    if address.momentum and address.model == "cnn":
        options += ["--momentum", address.momentum]
    if address.decay:
        options += ["--weight-decay", address.decay]
    if address.freeze:
        options.append("--freeze-embedding")
    elif address.moments and address.model != "cnn":
        options.append("--keep-optimizer")
    if address.mend:
        options += ["--drop-unusable", "--merge-labels"]
    return options if address.test else [*options, "--test-share", f"{address.share / 100:g}"]


def start(address: DataAddress, columns: dict[str, str | None], epochs: int | None) -> str:
    """Queue the build; returns the workspace's name. Raises a `WordtraceError` for what cannot be had."""
    root = workspaces.root().resolve()
    name = check_name(root, address.name)
    if any(job.about.get("name") == name for job in runs()):
        raise influence.SettingsError(f"a build of {name!r} is waiting or running; choose another name")
    chosen = {role: value or "" for role, value in columns.items()}
    address = address.at(text=chosen["text"], pair=chosen["text_pair"], label=chosen["label"], id=chosen["id"])
    about = {"name": name, "address": address.parameters(), "epochs": address.epochs or epochs}
    options = command(address, root / name)
    background.enqueue_in(_made_queue(RUNS), "build", *options, title=name, key=name, makes=root / name, about=about)
    return name


def runs() -> list[Job]:
    """The builds that run, wait, or have failed, in this order."""
    return background.jobs_in(_queue(RUNS))


def resume(job: Job) -> None:
    """Go on with a build that was interrupted."""
    options = [option for option in job.options if option != "--resume"]
    background.enqueue_in(
        _made_queue(RUNS), job.command, *options, "--resume", title=job.title, key=job.key, makes=job.makes, about=job.about
    )


def shown_command(address: DataAddress, name: str) -> str:
    """The command that does the same."""
    return shlex.join(["python", "-m", "influence", "build", *command(address, workspaces.root() / name)])


def overall(found: list[ProgressEvent], epochs: int | None) -> float:
    """About how much of the whole is done, 0 to 1, by what the stages that have begun usually take."""
    total = epochs or max((event.stage.out_of for event in found), default=0) or 10
    parts: dict[str, int] = {StageKind.TOKENIZE: 2, StageKind.TRAIN: total, StageKind.GRADIENTS: 2 * total}
    done = sum(WEIGHTS.get(event.stage.kind, 0) / parts.get(event.stage.kind, 1) * event.share for event in found)
    return min(done / sum(WEIGHTS.values()), 0.99)
