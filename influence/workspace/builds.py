"""Publishing a finished build with one rename, what is published, and the lock that a build holds.

    WORKSPACE/workspace.json      which build is published, and where it came from
    WORKSPACE/builds/ID/          checkpoints/, index/, results.duckdb and build.json of one build
    WORKSPACE/build.lock          held while a build runs

A build writes only into its own folder. Replacing `workspace.json` publishes it, so a reader sees the old build or the
new one and never a mixture; a reader that has the old one open keeps it.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from influence.errors import WorkspaceError, WorkspaceMissing, WorkspaceNewer
from influence.files import is_disk_full, locked, write_json

SCHEMA_VERSION = 1
POINTER, LOCK, BUILDS = "workspace.json", "build.lock", "builds"


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

    @property
    def accuracy(self) -> float:
        """Test accuracy at the last checkpoint, 0 to 1."""
        return self.checkpoints[-1].test_accuracy


def published_build(path: Path) -> tuple[Path, Path, WorkspaceInfo]:
    """What a `WorkspaceReader` is made of: its folder, that of its published build, and what is known of it.

    Raises as `read_workspace` does.
    """
    pointer = read_pointer(path)
    build = path / BUILDS / pointer["build"]
    try:
        info = WorkspaceInfo(**{**pointer["info"], "checkpoints": [CheckpointInfo(**c) for c in pointer["info"]["checkpoints"]]})
    except (TypeError, KeyError) as error:
        raise WorkspaceError(f"{str(path / POINTER)!r} is damaged ({error}); build the workspace again") from error
    for name, size in info.files.items():
        file = build / name
        if not file.is_file() or file.stat().st_size != size:
            found = f"{file.stat().st_size} bytes" if file.is_file() else "missing"
            raise WorkspaceError(
                f"workspace {str(path)!r} is damaged: {name!r} is {found}, not {size} bytes; build the workspace again"
            )
    return path, build, info


def read_pointer(path: Path) -> dict[str, Any]:
    """The content of `workspace.json`, its version checked."""
    file = path / POINTER
    try:
        pointer = json.loads(file.read_text(encoding="utf-8"))
        version, build = int(pointer["schema_version"]), str(pointer["build"])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(f"{str(file)!r} cannot be read ({error}); build the workspace again") from error
    if version > SCHEMA_VERSION:
        raise WorkspaceNewer(
            f"workspace {str(path)!r} has schema version {version}, this Wordtrace knows {SCHEMA_VERSION}; "
            "install a newer Wordtrace"
        )
    if Path(build).name != build:
        raise WorkspaceError(f"{str(file)!r} names a build outside the workspace ({build!r}); build the workspace again")
    return dict(pointer)


def _missing(path: Path) -> WorkspaceMissing:
    if unfinished_builds(path):
        return WorkspaceMissing(
            f"workspace {str(path)!r} is half built: its first build never finished; run the same build command with --resume"
        )
    return WorkspaceMissing(f"there is no workspace at {str(path)!r}; make one with: python -m influence demo --workspace {path}")


def list_workspaces(root: str | Path) -> list[str]:
    """Names of the folders directly under `root` that hold a published workspace, sorted."""
    root = Path(root)
    return sorted(child.parent.name for child in root.glob(f"*/{POINTER}") if child.is_file())


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
        return str(json.loads((path / POINTER).read_text(encoding="utf-8"))["build"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def build_lock(path: Path) -> AbstractContextManager[None]:
    """Hold the workspace's build lock; the system frees it however the process ends. Raises `WorkspaceBusy`."""
    path.mkdir(parents=True, exist_ok=True)
    busy = f"another process is building workspace {str(path)!r}; wait for it or choose another --workspace"
    return locked(path / LOCK, wait=0.0, busy=busy)


def publish(path: Path, build: Path, info: WorkspaceInfo) -> None:
    """Make a finished build the workspace's own, then remove those before it."""
    write_json(path / POINTER, {"schema_version": SCHEMA_VERSION, "build": build.name, "info": asdict(info)})
    remove_superseded(path)


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
