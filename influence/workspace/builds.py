"""Publishing a finished build with one rename, what is published, and the lock that a build holds.

    WORKSPACE/workspace.json      which build is published, and where it came from
    WORKSPACE/builds/ID/          checkpoints/, index/, results.duckdb and build.json of one build, their hashes in hashes.json
    WORKSPACE/build.lock          held while a build runs

A build writes only into its own folder. Replacing `workspace.json` publishes it, so a reader sees the old build or the
new one and never a mixture; a reader that has the old one open keeps it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from influence import seals
from influence.described import described, is_inside
from influence.errors import WorkspaceDamaged, WorkspaceError, WorkspaceMissing, WorkspaceNewer
from influence.files import UNREADABLE, check_contained, file_sizes, is_disk_full, locked, read_json, write_json
from influence.program import PROGRAM

SCHEMA_VERSION = 3  # 3: the index is in segments of compact rows; those before are read as they are
SEALED_SINCE = 2  # from here on workspace.json names the build's hashes.json, and both hold a digest of themselves
POINTER, LOCK, BUILDS = "workspace.json", "build.lock", "builds"
DATA_FOLDER, BACKUPS = "data", "backups"  # folders beside the workspaces that are not workspaces
OWN = (DATA_FOLDER, BACKUPS)
OPINIONS = "opinions"  # in a workspace: what others think of its training labels, see `opinion_files`


@dataclass(frozen=True)
class CheckpointInfo:
    """One checkpoint that takes part in the scores."""

    name: str
    learning_rate: float
    train_loss: float | None  # mean cross-entropy in nats during the epoch; None for an imported checkpoint
    train_accuracy: float
    test_loss: float
    test_accuracy: float


@dataclass(frozen=True)
class EpochInfo(CheckpointInfo):
    """One checkpoint of the run that made the model: an epoch, or a checkpoint of a Trainer's."""

    checkpoint: int | None = None  # its place among those that take part in the scores; None for the others

    @property
    def as_checkpoint(self) -> CheckpointInfo:
        """What is known of it as of one that takes part in the scores."""
        return CheckpointInfo(**{name: value for name, value in asdict(self).items() if name != "checkpoint"})


@dataclass(frozen=True)
class WorkspaceInfo:
    """What a workspace was built from and how good its model is; stored in `workspace.json`."""

    built_at: str  # ISO 8601, UTC
    train_source: str
    train_sha256: str
    test_source: str
    test_sha256: str
    n_train: int
    n_test: int
    labels: list[str]
    model: str
    has_pairs: bool
    top_k: int
    max_length: int
    settings: dict[str, Any]
    versions: dict[str, str]
    checkpoints: list[CheckpointInfo]
    warnings: list[str]
    seconds: float
    bytes: int
    files: dict[str, int] = field(repr=False)  # size of every file of the build, to notice a damaged one
    training_seconds: float | None = None  # of all epochs; None where the checkpoints were there already
    epochs: list[EpochInfo] = field(default_factory=list)  # the whole run; all of it takes part where an older build says nothing

    def __post_init__(self) -> None:
        whole = self.epochs or [EpochInfo(**asdict(one), checkpoint=place) for place, one in enumerate(self.checkpoints)]
        object.__setattr__(self, "epochs", whole)

    @property
    def accuracy(self) -> float:
        """Test accuracy at the last checkpoint, 0 to 1."""
        return self.checkpoints[-1].test_accuracy

    @property
    def approximation(self) -> str:
        """In what TracIn scores are an approximation, a sentence; empty where the model was trained by the steps they are of."""
        training = self.settings.get("training") or {}
        if training.get("optimizer") == "sgd":
            return ""
        by = "by AdamW" if training else "elsewhere, most likely by AdamW"
        return (
            f"TracIn scores say what a step of SGD does. These checkpoints were trained {by}, so they are an approximation: "
            "measured, their rank correlation with scores of Adam's own steps was 0.96, and 5 % of the signs differed."
        )


def published_build(path: Path) -> tuple[Path, Path, WorkspaceInfo]:
    """What a `WorkspaceReader` is made of: its folder, that of its published build, and what is known of it.

    Raises as `read_workspace` does.
    """
    if path.is_dir():
        check_contained(path)
    pointer = read_pointer(path)
    build = path / BUILDS / pointer["build"]
    try:
        info = described(WorkspaceInfo, pointer["info"])
        if not info.checkpoints or not info.labels:
            raise ValueError("no checkpoints or no labels")
        chosen = [epoch.checkpoint for epoch in info.epochs if epoch.checkpoint is not None]
        if chosen != list(range(len(info.checkpoints))) or info.epochs[-1].checkpoint is None:
            raise ValueError("its epochs are not those of its checkpoints")
    except UNREADABLE as error:
        raise WorkspaceError(f"{str(path / POINTER)!r} is damaged ({error}); build the workspace again") from error
    for name, size in info.files.items():
        file = build / name
        if not is_inside(name) or not file.is_file() or file.stat().st_size != size:
            found = f"{file.stat().st_size} bytes" if is_inside(name) and file.is_file() else "missing"
            raise WorkspaceError(
                f"workspace {str(path)!r} is damaged: {name!r} is {found}, not {size} bytes; build the workspace again"
            )
    _check_seals(build, pointer)
    return path, build, info


def _check_seals(build: Path, pointer: dict[str, Any]) -> None:
    """The build must be the one whose hashes `workspace.json` names, and its small files what was written."""
    if int(pointer["schema_version"]) < SEALED_SINCE:
        return
    found = seals.read_seals(build)
    if found is None or found.digest != pointer["hashes"]:
        what = "is missing" if found is None else "is of another build"
        raise WorkspaceDamaged(f"{str(build / seals.HASHES)!r} {what}; {seals.REMEDY}")
    seals.verify_small(build)


def read_pointer(path: Path) -> dict[str, Any]:
    """The content of `workspace.json`, its version checked."""
    file = path / POINTER
    try:
        pointer = read_json(file)
        version, build = int(pointer["schema_version"]), str(pointer["build"])
        if version <= SCHEMA_VERSION:
            seals.check_json(pointer, required=version >= SEALED_SINCE)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path) from error
    except UNREADABLE as error:
        raise WorkspaceError(f"{str(file)!r} cannot be read ({error}); build the workspace again") from error
    if version > SCHEMA_VERSION:
        raise WorkspaceNewer(
            f"workspace {str(path)!r} has schema version {version}, this Wordtrace knows {SCHEMA_VERSION}; "
            "install a newer Wordtrace"
        )
    if Path(build).name != build or not is_inside(build):
        raise WorkspaceError(f"{str(file)!r} names a build outside the workspace ({build!r}); build the workspace again")
    return dict(pointer)


def state_of_files(path: Path) -> int:
    """A number that is another one as soon as a file of the published build is replaced, written to, cut or gone."""
    try:
        pointer = read_pointer(path)
        names = sorted(pointer["info"]["files"])
    except (*UNREADABLE, WorkspaceError):
        return 0
    return hash(tuple(_state(path / BUILDS / pointer["build"] / name) for name in names))


def _state(file: Path) -> tuple[int, ...]:
    try:
        return seals.identity(file)
    except (OSError, ValueError):
        return ()


def _missing(path: Path) -> WorkspaceMissing:
    if unfinished_builds(path):
        return WorkspaceMissing(
            f"workspace {str(path)!r} is half built: its first build never finished; run the same build command with --resume"
        )
    return WorkspaceMissing(f"there is no workspace at {str(path)!r}; make one with: {PROGRAM} demo --workspace {path}")


def list_workspaces(root: str | Path) -> list[str]:
    """Names of the folders directly under `root` that hold a published workspace, sorted; whether it opens is not asked.

    One that may not be looked into counts as well, or nobody would hear why it is not there.
    """
    folders = {name: Path(root, name) for name in _folders(Path(root))}
    return sorted(name for name, folder in folders.items() if os.path.lexists(folder / POINTER) or not os.access(folder, os.X_OK))


def half_built(root: Path) -> list[str]:
    """Names of the folders directly under `root` whose first build has not been published, sorted."""
    names = (name for name in _folders(root) if not os.path.lexists(root / name / POINTER))
    return sorted(name for name in names if os.path.lexists(root / name / BUILDS))


def _folders(root: Path) -> Iterator[str]:
    """Names of what may be workspaces: folders that are neither hidden nor the server's own."""
    try:
        with os.scandir(root) as entries:
            yield from (entry.name for entry in entries if _may_be_workspace(entry))
    except OSError:
        return


def _may_be_workspace(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.name.casefold() in OWN:
        return False
    try:
        entry.name.encode()  # a name that no page could show
        return entry.is_dir()
    except (OSError, UnicodeEncodeError):  # a loop of links
        return False


def other_builds(path: Path) -> list[Path]:
    """Build folders other than the published one, newest first."""
    published = _published_name(path)
    return sorted((build for build in (path / BUILDS).glob("*/") if build.name != published), reverse=True)


def unfinished_builds(path: Path) -> list[Path]:
    """Builds begun after the published one, newest first; an older one was superseded by it."""
    return [build for build in other_builds(path) if build.name > _published_name(path)]


def _published_name(path: Path) -> str:
    """Name of the published build's folder, "" where there is none."""
    try:
        return str(read_json(path / POINTER)["build"])
    except UNREADABLE:
        return ""


def build_lock(path: Path) -> AbstractContextManager[None]:
    """Hold the workspace's build lock; the system frees it however the process ends. Raises `WorkspaceBusy`."""
    path.mkdir(parents=True, exist_ok=True)
    busy = f"another process is building workspace {str(path)!r}; wait for it or choose another --workspace"
    return locked(path / LOCK, wait=0.0, busy=busy)


def publish(path: Path, build: Path, info: WorkspaceInfo) -> WorkspaceInfo:
    """Seal a finished build and make it the workspace's own, then remove those before it; returns what is known of it now."""
    hashes = seals.folder_seals(build)
    for inner in build.rglob(seals.HASHES):  # those that the stages left
        inner.unlink()
    write_json(build / seals.HASHES, hashes)
    files = file_sizes(build)
    info = replace(info, files=files, bytes=sum(files.values()))
    content = {"schema_version": SCHEMA_VERSION, "build": build.name, "hashes": hashes[seals.DIGEST], "info": asdict(info)}
    write_json(path / POINTER, seals.sealed_json(content))
    remove_superseded(path)
    return info


def remove_superseded(path: Path) -> None:
    """Remove the build folders that the published build took the place of."""
    kept = unfinished_builds(path)
    for other in other_builds(path):
        if other not in kept:
            shutil.rmtree(other, ignore_errors=True)


@contextmanager
def disk_full_explained(path: Path) -> Iterator[None]:
    """One clear line where the disk is full."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error):
            raise WorkspaceError(
                f"disk full while writing into workspace {str(path)!r}; free some space and run the same command again"
            ) from error
        raise
