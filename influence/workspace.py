"""A workspace on disk: opening one, finding them, and publishing a finished build with one rename.

    WORKSPACE/workspace.json      which build is published, and where it came from
    WORKSPACE/builds/ID/          checkpoints/, index/, results.duckdb and build.json of one build
    WORKSPACE/build.lock          held while a build runs

A build writes only into its own folder. Replacing `workspace.json` publishes it, so a reader sees the old build or the
new one and never a mixture; a reader that has the old one open keeps it.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from influence.encoding import Encoding, FloatArray, IntArray
from influence.errors import WorkspaceBusy, WorkspaceError, WorkspaceMissing, WorkspaceNewer
from influence.files import load_array, take, write_json
from influence.pairs import TrainQueries
from influence.postings import WordIndex
from influence.queries import StoredQueries
from influence.store import ResultStore

if TYPE_CHECKING:  # reading stored results must not wait for PyTorch to be imported
    from influence.live import LiveModel

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


@dataclass(frozen=True, kw_only=True)
class TestFilter:
    """Which test examples to list; every condition must hold."""

    __test__ = False  # not a pytest class
    wrong: bool | None = None
    label: str | None = None
    predicted: str | None = None
    min_confidence: float = 0.0  # of the predicted label
    max_confidence: float = 1.0
    text: str = ""  # part of the text, ignoring case, or a whole id


class Workspace:
    """A published build, opened for reading. Large arrays stay on disk."""

    def __init__(self, path: Path, build: Path, info: WorkspaceInfo) -> None:
        self.path, self.build, self.info = path, build, info
        self.name = path.name
        self.store = ResultStore(build / "results.duckdb")

    def close(self) -> None:
        """Close the results file."""
        self.store.close()

    def confusion(self) -> pd.DataFrame:
        """Test counts at the last checkpoint: rows are the given labels, columns the predicted ones."""
        counts = self.store.confusion().pivot(index="label", columns="predicted", values="examples")
        return counts.reindex(index=self.info.labels, columns=self.info.labels).fillna(0).astype(int)

    def search_tests(self, filter: TestFilter, *, limit: int, offset: int = 0) -> tuple[int, pd.DataFrame]:
        """How many test examples match, and one page of them: wrong ones first, then by confidence."""
        return self.store.search_tests(asdict(filter), limit, offset)

    def train_ids(self) -> list[str]:
        """Ids of the training examples, in order."""
        return [id for (id,) in self.store.rows("select id from examples where split = 'train' order by position")]

    @cached_property
    def tie_ranks_N(self) -> IntArray:
        """Place of every training example when sorted by id; breaks ties between equal scores."""
        return id_ranks(self.train_ids())

    @cached_property
    def learning_rates_C(self) -> FloatArray:
        """Learning rate of every checkpoint."""
        return np.array([checkpoint.learning_rate for checkpoint in self.info.checkpoints])

    @cached_property
    def index(self) -> WordIndex:
        """The training side of the index."""
        return open_index(self.build / "index", self.learning_rates_C)

    @cached_property
    def train_queries(self) -> TrainQueries:
        """The training examples as queries, by position."""
        return TrainQueries(self.index)

    @cached_property
    def live(self) -> "LiveModel":
        """The checkpoints themselves, for texts and labels whose gradients are not stored; loads PyTorch."""
        from influence.live import LiveModel

        return LiveModel(
            self.build / "checkpoints",
            checkpoints=len(self.info.checkpoints),
            top_k=self.info.top_k,
            max_length=self.info.max_length,
        )

    @cached_property
    def queries(self) -> StoredQueries:
        """The test split's stored gradients, by position."""
        return open_queries(self.build / "index", len(self.info.checkpoints))


def open_index(folder: Path, learning_rates_C: FloatArray) -> WordIndex:
    """The training side of an index folder."""
    return WordIndex(
        folder / "train",
        Encoding.load(folder / "train" / "encoding"),
        labels_N=load_array(folder / "train" / "labels.npy"),
        learning_rates_C=learning_rates_C,
        special_V=load_array(folder / "special_tokens.npy"),
        common_V=load_array(folder / "common_tokens.npy"),
    )


def open_queries(folder: Path, checkpoints: int) -> StoredQueries:
    """The test side of an index folder."""
    return StoredQueries(
        folder / "test",
        Encoding.load(folder / "test" / "encoding"),
        labels_M=load_array(folder / "test" / "labels.npy"),
        ids=lambda position: f"test\x1f{position}",
        checkpoints=checkpoints,
    )


def id_ranks(ids: list[str]) -> IntArray:
    """Rank of each id: numbers in numeric order when all are numbers, else as text."""
    if all(id.isdecimal() and id.isascii() for id in ids):
        order = sorted(range(len(ids)), key=lambda at: (int(ids[at]), ids[at]))
    else:
        order = sorted(range(len(ids)), key=ids.__getitem__)
    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[order] = np.arange(len(ids))
    return ranks


def open_workspace(path: str | Path) -> Workspace:
    """Open the published build of a workspace.

    Raises `WorkspaceMissing`, `WorkspaceNewer` or, for a damaged one, `WorkspaceError`.
    """
    return Workspace(*published_build(Path(path)))


def published_build(path: Path) -> tuple[Path, Path, WorkspaceInfo]:
    """What a `Workspace` is made of: its folder, that of its published build, and what is known of it.

    Raises as `open_workspace` does.
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
    published, builds = _published_name(path), path / BUILDS
    if not builds.is_dir():
        return []
    return sorted((b for b in builds.iterdir() if b.is_dir() and b.name != published), key=lambda b: b.name, reverse=True)


def unfinished_builds(path: Path) -> list[Path]:
    """Builds begun after the published one, newest first; an older one was superseded by it."""
    return [build for build in other_builds(path) if build.name > _published_name(path)]


def _published_name(path: Path) -> str:
    """Name of the published build's folder, "" where there is none."""
    try:
        return str(json.loads((path / POINTER).read_text(encoding="utf-8"))["build"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@contextmanager
def build_lock(path: Path) -> Iterator[None]:
    """Hold the workspace's build lock; the system frees it however the process ends. Raises `WorkspaceBusy`."""
    path.mkdir(parents=True, exist_ok=True)
    with (path / LOCK).open("a") as file:
        if not take(file.fileno(), wait=0.0):
            raise WorkspaceBusy(f"another process is building workspace {str(path)!r}; wait for it or choose another --workspace")
        yield


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
