"""Builds of new workspaces as the address describes them, and looks at data before one, in a queue of their own.

STATE/ROOT/checks/jobs/…      reports and estimates, which need not wait for a build
STATE/ROOT/checks/KEY.json    what they found
"""

import json
from pathlib import Path
from typing import Any

import influence
from influence.workspace import check_name
from pages.ui.data.address import DataAddress
from pages.ui.frame import workspaces
from pages.ui.jobs import Job, background, builds

CHECKS = "checks"
KEPT = 60  # reports and estimates


# Reports and estimates --------------------------------------------------------------------------------------------------


def ask(key: str, options: list[str], title: str) -> None:
    """Have a report or an estimate made, unless it is there, being made, or has failed and was not dismissed.

    Raises `WorkspaceError` where it cannot be asked for.
    """
    found = answer(key)
    if (found is not None and (found["report"] or found["estimate"] or found.get("encodings"))) or asked(key) is not None:
        return
    queue = builds.made_folder(CHECKS)
    for old in sorted(queue.glob("*.json"), key=lambda file: file.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
    background.enqueue_in(queue, "check", *options, "--output", str(queue / f"{key}.json"), title=title, key=key)


def answer(key: str) -> dict[str, Any] | None:
    """What is known by now; None before the first rows are."""
    if (queue := builds.folder_of(CHECKS)) is None:
        return None
    try:
        return dict(json.loads((queue / f"{key}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def asked(key: str) -> Job | None:
    """The job that makes it, or has failed to."""
    return next((job for job in background.jobs_in(builds.folder_of(CHECKS)) if job.key == key), None)


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


def start(
    address: DataAddress, columns: dict[str, str | None], epochs: int | None, estimate: dict[str, Any] | None = None
) -> str:
    """Queue the build; returns the workspace's name. `estimate`: the seconds it is expected to take, in all and by stage.

    Raises a `WordtraceError` for what cannot be had.
    """
    root = workspaces.root().resolve()
    name = check_name(root, address.name)
    if any(job.about.get("name") == name for job in builds.runs()):
        raise influence.SettingsError(f"a build of {name!r} is waiting or running; choose another name")
    chosen = {role: value or "" for role, value in columns.items()}
    address = address.at(text=chosen["text"], pair=chosen["text_pair"], label=chosen["label"], id=chosen["id"])
    about = {"address": address.parameters(), "epochs": address.epochs or epochs} | (estimate or {})
    builds.enqueue(name, command(address, root / name), about)
    return name
