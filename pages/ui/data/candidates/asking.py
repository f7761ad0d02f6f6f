"""Rankings of new rows: asked for in a queue of the server's own, kept in its folder, found again by what was asked.

STATE/ROOT/candidates/jobs/…          the commands
STATE/ROOT/candidates/KEY.parquet     what they found
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import streamlit as st

import influence
from influence.candidates import Candidates, read_ranking
from pages.ui.data import DataAddress, files
from pages.ui.jobs import Job, background, builds

RANKINGS = "candidates"
KEPT = 30  # rankings
SUFFIX = ".parquet"


def options(workspace: influence.Workspace, address: DataAddress) -> list[str]:
    """What the address asks, as options of the command. Raises `DataError` for a file that is not in the listing."""
    if address.new not in files.listing():
        raise influence.DataError(f"there is no data file {address.new[:80]!r} on this server")
    asked = ["--workspace", str(workspace.path.resolve()), "--candidates", str((files.folder() / address.new).resolve())]
    if address.sentence:
        asked.append(f"--test-id={address.sentence}")
    else:
        asked += [f"--given={address.given}"] if address.given else []
        asked += [f"--predicted={address.said}"] if address.said else []
    return [*asked, *(["--unlabelled"] if address.unlabelled else []), "--rank", address.rank]


def key_of(workspace: influence.Workspace, address: DataAddress, asked: list[str]) -> str:
    """A key that changes with the options, the build and the file."""
    known = asdict(files.listing()[address.new])
    return hashlib.sha256(json.dumps([asked, workspace.build.name, known]).encode()).hexdigest()[:20]


def start(workspace: influence.Workspace, asked: list[str], key: str) -> None:
    """Queue the command. Raises `WorkspaceError` where the server's own folder cannot be written."""
    queue = builds.made_folder(RANKINGS)
    for old in sorted(queue.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
    out = str(queue / f"{key}{SUFFIX}")
    background.enqueue_in(queue, "candidates", *asked, "--output", out, title=f"Ranking new rows for {workspace.name}", key=key)


def file_of(key: str) -> Path | None:
    """The ranking's file; None where there is none yet."""
    queue = builds.folder_of(RANKINGS)
    found = None if queue is None else queue / f"{key}{SUFFIX}"
    return found if found is not None and found.is_file() else None


def job_of(key: str) -> Job | None:
    """The job that makes it, or has failed to."""
    return next((job for job in background.jobs_in(builds.folder_of(RANKINGS)) if job.key == key), None)


@st.cache_resource(max_entries=4, show_spinner=False)
def ranking(file: str, changed: float) -> Candidates:
    """A ranking; `changed` is when its file was written. Raises `DataError` for a file that is none."""
    return read_ranking(Path(file))
