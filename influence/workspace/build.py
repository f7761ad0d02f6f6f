"""Building a workspace: the request is checked, the stages run in a folder of their own, the result is published.

An interrupted build leaves its folder; asked to resume, the same request goes on in it.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from influence.data import Splits, label_names, read_splits
from influence.errors import DataError, ModelError, SettingsError, WordtraceError, WorkspaceError
from influence.files import is_disk_full, sync, write_json
from influence.gradients import check_precision
from influence.models import resolve_device
from influence.types import Progress, silent
from influence.workspace.build_request import BuildRequest, identity
from influence.workspace.builds import (
    BUILDS,
    LOCK,
    WorkspaceInfo,
    build_lock,
    other_builds,
    publish,
    read_pointer,
    remove_superseded,
    unfinished_builds,
)
from influence.workspace.stages import BuildStages, look_through
from influence.workspace.workspace import opened

STATE = "build.json"


def build_workspace(
    path: str | Path,
    request: BuildRequest,
    data: Splits | None = None,
    *,
    device: str = "auto",
    resume: bool = False,
    progress: Progress = silent,
    before_publishing: Callable[[], None] = lambda: None,
) -> WorkspaceInfo:
    """Build a workspace and publish it; until then whatever was published before stays as it is.

    `data` is what the request's files hold, where they have been read already. `before_publishing` puts into the workspace what
    must be there when it is first opened. Raises a `WordtraceError` for bad data, models
    or settings, and leaves nothing behind then.
    """
    started = time.monotonic()
    path = Path(path)
    data = data or read_request(request, path)
    names = label_names(data.train)
    processor = resolve_device(device)
    check_precision(processor, bf16=request.bf16)
    pretrained = look_through(request, names)
    wanted = identity(request, data)
    with _nothing_left(path), _disk_full(path), build_lock(path):
        if resume and (published := _published(path, wanted)) is not None:
            remove_superseded(path)  # where a kill came between publishing and tidying up
            return published
        folder = _build_folder(path, wanted, resume=resume)
        parts = {"train": data.train, "test": data.test}
        with _removed_when_refused(folder):
            info = BuildStages(folder, request, parts, names, pretrained, processor, progress).run()
        sync(folder)
        before_publishing()
        return publish(path, folder, replace(info, seconds=round(time.monotonic() - started, 1)))


def read_request(request: BuildRequest, path: Path | None = None) -> Splits:
    """Read the data of a request, for a workspace at a path. Raises `DataError` for what cannot be built from."""
    return read_splits(request.train, request.test, request.columns, request.preparation, request.form, near=path)


@contextmanager
def _removed_when_refused(folder: Path) -> Iterator[None]:
    """A build of a request that cannot be built is of no use to `--resume`; one that was interrupted is."""
    try:
        yield
    except (DataError, ModelError, SettingsError):
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def _nothing_left(path: Path) -> Iterator[None]:
    """Where a build is refused, its workspace's folder goes again, if it was made for it and nothing else is in it."""
    made = [place for place in (path, *path.parents) if not place.exists()]
    try:
        yield
    except (DataError, ModelError, SettingsError):
        if made and not any(file.is_file() and file.name != LOCK for file in path.rglob("*")):
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):  # something else has been put there since
                for place in made[1:]:
                    place.rmdir()
        raise


def _published(path: Path, wanted: dict[str, Any]) -> WorkspaceInfo | None:
    """The published build, when it is the one asked for."""
    try:
        build = path / BUILDS / read_pointer(path)["build"]
        if json.loads((build / STATE).read_text(encoding="utf-8")) != wanted:
            return None
        with opened(path) as workspace:
            return workspace.info
    except (WorkspaceError, OSError, ValueError):
        return None


def _build_folder(path: Path, wanted: dict[str, Any], *, resume: bool) -> Path:
    """The folder to build in: the unfinished one of the same request when resuming, else a fresh one."""
    if resume:
        unfinished = unfinished_builds(path)
        for leftover in unfinished:
            state = leftover / STATE
            if state.is_file() and json.loads(state.read_text(encoding="utf-8")) == wanted:
                return leftover
        if any((leftover / STATE).is_file() for leftover in unfinished):
            raise SettingsError(
                "--resume: the unfinished build was started with other data or settings; "
                "give the same options again, or leave --resume out to start over"
            )
    for leftover in other_builds(path):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = path / BUILDS / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    folder.mkdir(parents=True)
    write_json(folder / STATE, wanted)
    return folder


@contextmanager
def _disk_full(path: Path) -> Iterator[None]:
    try:
        yield
    except WordtraceError:
        raise
    except Exception as error:  # the libraries that write for us raise kinds of their own
        if is_disk_full(error):
            raise WorkspaceError(
                f"disk full while writing workspace {str(path)!r}; free some space and run the same command with --resume"
            ) from error
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise WorkspaceError(f"workspace {str(path)!r} cannot be written: {reason}; choose another folder") from error
        raise
