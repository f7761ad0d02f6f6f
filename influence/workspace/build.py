"""Building a workspace: the request is checked, the stages run in a folder of their own, the result is published.

An interrupted build leaves its folder; asked to resume, the same request goes on in it.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from influence.data import Splits, label_names, read_splits
from influence.engines import Engine
from influence.errors import DataError, ModelError, SettingsError, WordtraceError, WorkspaceBusy, WorkspaceError
from influence.files import alone, is_disk_full, share, sync, write_json
from influence.gradients import check_precision
from influence.indexing import (
    Marker,
    Shard,
    clear,
    differences,
    leave,
    make_pieces,
    say_working,
    spent,
    who_works,
)
from influence.models import resolve_device
from influence.seals import json_digest
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
POLL_SECONDS = 0.5  # between looks at whether another process is done


def build_workspace(
    path: str | Path,
    request: BuildRequest,
    data: Splits | None = None,
    *,
    device: str = "auto",
    resume: bool = False,
    join: bool = False,
    engine: Engine | None = None,
    progress: Progress = silent,
    before_publishing: Callable[[], None] = lambda: None,
) -> WorkspaceInfo:
    """Build a workspace and publish it; until then whatever was published before stays as it is.

    `data` is what the request's files hold, where they have been read already. `join`: its shards have made all segments of the
    index, which is checked. `engine` makes them elsewhere. `before_publishing` puts into the workspace what must be there when it
    is first opened. Raises a `WordtraceError` for bad data, models or settings, and leaves nothing behind then, and for segments
    that are missing, which are found when it is asked to resume.
    """
    started, path = time.monotonic(), Path(path)
    work = _Work(path, request, data or read_request(request, path), device, progress)
    with _nothing_left(path), _disk_full(path), build_lock(path):
        if (resume or join) and (published := work.published()) is not None:
            remove_superseded(path)  # where a kill came between publishing and tidying up
            return published
        folder = _begun_by_shards(path, work.wanted) if join else _build_folder(path, work.wanted, resume=resume)
        if folder is None:
            raise SettingsError(
                f"--join: no shard of workspace {str(path)!r} has begun; run the same command with --shard 0/N first"
            )
        with alone(folder, busy=f"a shard is at work on workspace {str(path)!r}; wait for it, and run the same command again"):
            with _removed_when_refused(folder, kept=join):
                stages = work.stages(folder)
                info = stages.join(json_digest(work.wanted)) if join else stages.run(engine)
            seconds = time.monotonic() - started + spent(folder)
            sync(folder)
            before_publishing()
            clear(folder)
            return publish(path, folder, replace(info, seconds=round(seconds, 1)))


def build_shard(
    path: str | Path,
    request: BuildRequest,
    shard: Shard,
    data: Splits | None = None,
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> Marker | None:
    """Make a shard's segments of a build's index, going on where it was; None where the build is published already.

    What comes before the index is done by whichever process is first, the others wait for it. Publishes nothing: see `join` of
    `build_workspace`. Raises `SettingsError` where the build that is there was begun with other data or settings.
    """
    started, path = time.monotonic(), Path(path)
    work = _Work(path, request, data or read_request(request, path), device, progress)
    with _nothing_left(path), _disk_full(path, "again"):
        with _waiting(path, progress):
            if work.published() is not None:
                return None
            begun = _begun_by_shards(path, work.wanted)
            folder = begun or _build_folder(path, work.wanted, resume=False)
            say_working(folder)
            with _removed_when_refused(folder, kept=begun is not None):
                work.stages(folder).ready()
            held = share(folder)
        try:
            made = make_pieces(folder, shard.has, progress=progress)
        finally:
            if held is not None:
                os.close(held)
        return leave(folder, shard, json_digest(work.wanted), made, time.monotonic() - started)


class _Work:
    """A request that has been looked through."""

    def __init__(self, path: Path, request: BuildRequest, data: Splits, device: str, progress: Progress) -> None:
        self._path, self._request, self._progress = path, request, progress
        self._names = label_names(data.train)
        self._device = resolve_device(device)
        check_precision(self._device, bf16=request.bf16)
        self._pretrained = look_through(request, self._names)
        self._data = {"train": data.train, "test": data.test}
        self.wanted = identity(request, data)

    def stages(self, folder: Path) -> BuildStages:
        """Its stages in a folder."""
        return BuildStages(folder, self._request, self._data, self._names, self._pretrained, self._device, self._progress)

    def published(self) -> WorkspaceInfo | None:
        """The published build, when it is this one."""
        return _published(self._path, self.wanted)


@contextmanager
def _waiting(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the build lock, however long another process has it; progress says which."""
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(build_lock(path))
                break
            except WorkspaceBusy:
                folder = next(iter(unfinished_builds(path)), path)
                progress(f"waiting for {who_works(folder)}", 0, 1)
                time.sleep(POLL_SECONDS)
        yield


def read_request(request: BuildRequest, path: Path | None = None) -> Splits:
    """Read the data of a request, for a workspace at a path. Raises `DataError` for what cannot be built from."""
    return read_splits(request.train, request.test, request.columns, request.preparation, request.form, near=path)


@contextmanager
def _removed_when_refused(folder: Path, *, kept: bool) -> Iterator[None]:
    """A build of a request that cannot be built is of no use to `--resume`; one that was interrupted is, or that others made."""
    try:
        yield
    except (DataError, ModelError, SettingsError):
        if not kept:
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
        unfinished = _unfinished(path)
        for leftover, state in unfinished.items():
            if state == wanted:
                return leftover
        if unfinished:
            differ = differences(next(iter(unfinished.values())), wanted)
            raise SettingsError(
                f"--resume: the unfinished build was started with other data or settings: {differ}; "
                "give the same options again, or leave --resume out to start over"
            )
    for leftover in other_builds(path):
        with alone(leftover, busy=f"shards of a build are at work on workspace {str(path)!r}; wait for them, or stop them"):
            shutil.rmtree(leftover, ignore_errors=True)
    folder = path / BUILDS / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    folder.mkdir(parents=True)
    write_json(folder / STATE, wanted)
    return folder


def _unfinished(path: Path) -> dict[Path, dict[str, Any]]:
    """The unfinished builds, newest first, with what they were asked."""
    found = ((leftover, leftover / STATE) for leftover in unfinished_builds(path))
    return {leftover: json.loads(state.read_text(encoding="utf-8")) for leftover, state in found if state.is_file()}


def _begun_by_shards(path: Path, wanted: dict[str, Any]) -> Path | None:
    """The unfinished build to take part in; None where there is none. Raises `SettingsError` where that is another one."""
    for leftover, state in _unfinished(path).items():
        if state != wanted:
            raise SettingsError(
                f"the unfinished build of workspace {str(path)!r} was begun with other data or settings: "
                f"{differences(state, wanted)}; give the same ones, or delete {str(leftover)!r} to start over"
            )
        return leftover
    return None


@contextmanager
def _disk_full(path: Path, again: str = "with --resume") -> Iterator[None]:
    try:
        yield
    except WordtraceError:
        raise
    except Exception as error:  # the libraries that write for us raise kinds of their own
        if is_disk_full(error):
            raise WorkspaceError(
                f"disk full while writing workspace {str(path)!r}; free some space and run the same command {again}"
            ) from error
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise WorkspaceError(f"workspace {str(path)!r} cannot be written: {reason}; choose another folder") from error
        raise
