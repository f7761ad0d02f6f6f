"""A workspace opened for reading: its results, its index, and the queries whose gradients are stored."""

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import proxy

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from influence.attribution import LiveQueries, StoredQueries, WordIndex, train_queries
from influence.checkpoints import predictions_folder
from influence.errors import WorkspaceError
from influence.files import load_array, share
from influence.gradients import Alike
from influence.models import Encoding
from influence.segments import FIRST_ALIKE, SplitSegments
from influence.sources import RowNumbers
from influence.types import FloatArray, IntArray
from influence.workspace.builds import WorkspaceInfo, published_build
from influence.workspace.manage import lets_go
from influence.workspace.result_tables import ResultStore

if TYPE_CHECKING:  # reading stored results must not wait for PyTorch to be imported
    from influence.attribution import LiveModel

TIE_RANKS = "tie_ranks.npy"  # in a build: the ranks of the training ids; builds of earlier versions have none
LONGEST_NUMBER, AT_ONCE = 18, 8_192  # digits of an id that is sorted as a number of 64 bits; ids read together


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


class WorkspaceReader:
    """A published build, opened for reading. Large arrays stay on disk."""

    def __init__(self, path: Path, build: Path, info: WorkspaceInfo) -> None:
        self.path, self.build, self.info = path, build, info
        self.name = path.name
        self.store = ResultStore(build / "results.duckdb")
        self._loading = threading.Lock()
        self._held: weakref.finalize[[int], WorkspaceReader] | None = None
        self.hold()
        _open.add(self)

    def hold(self) -> None:
        """Say to other processes that the workspace is open here, until it is closed or forgotten."""
        descriptor = share(self.path)
        self._held = None if descriptor is None else weakref.finalize(self, os.close, descriptor)

    @property
    def holds(self) -> bool:
        """Whether it says so."""
        return self._held is not None and self._held.alive

    def let_go(self) -> None:
        """Say it no longer: the workspace is about to move or to go."""
        if self._held is not None:
            self._held()

    def check_build(self, name: str) -> None:
        """Raise `WorkspaceError` where this is not the build of a name: that of another machine that says what to do with it."""
        if self.build.name != name:
            raise WorkspaceError(
                f"workspace {str(self.path)!r} has another build here than where this began; "
                "every machine must see the same folder"
            )

    def close(self) -> None:
        """Close the results file."""
        self.store.close()
        self.let_go()

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
        kept = self.build / TIE_RANKS
        return load_array(kept) if kept.is_file() else id_ranks(self.train_ids())

    @cached_property
    def learning_rates_C(self) -> FloatArray:
        """Learning rate of every checkpoint."""
        return np.array([checkpoint.learning_rate for checkpoint in self.info.checkpoints])

    def probabilities(self, split: str, epoch: int = -1) -> FloatArray:
        """Label probabilities of a split's examples after an epoch of the run, the last unless told, float32 of shape (N, Y)."""
        number = epoch % len(self.info.epochs)
        blocks = epoch_numbers(self.build, split, number, self.info.epochs[number].checkpoint, "probabilities")
        return np.concatenate([probabilities_BY for _, probabilities_BY in blocks])

    @cached_property
    def index(self) -> WordIndex:
        """The training side of the index."""
        return open_index(self.build / "index", self.learning_rates_C)

    @cached_property
    def train_queries(self) -> StoredQueries:
        """The training examples as queries, by position."""
        return train_queries(self.index)

    def example_numbers(self, split: str, checkpoint: int, name: str) -> npt.NDArray[Any]:
        """A number, or a few, of every example of a split at a checkpoint: `losses`, `probabilities` or `self_influence`."""
        return (self.index.split if split == "train" else self._test_segments).column(name, checkpoint)

    @cached_property
    def _test_segments(self) -> SplitSegments:
        queries = self.queries
        offsets_N1, first_N = queries.encoding.offsets_N1, queries.alike.first_N
        return SplitSegments(self.build / "index" / "test", len(self.info.checkpoints), offsets_N1, first_N)

    @cached_property
    def live(self) -> "LiveModel":
        """The checkpoints themselves, for texts and labels whose gradients are not stored; loads PyTorch."""
        with self._loading:  # once: whoever asks while they are loaded ahead waits for the same ones
            if "live" not in self.__dict__:
                from influence.attribution import LiveModel

                self.__dict__["live"] = LiveModel(
                    self.build / "checkpoints",
                    checkpoints=len(self.info.checkpoints),
                    top_k=self.info.top_k,
                    max_length=self.info.max_length,
                )
                if (device := self.__dict__["live"].settings.device).type == "cuda":
                    self.index.hold_on(device)
            found: LiveModel = self.__dict__["live"]
            return found

    @cached_property
    def queries(self) -> LiveQueries:
        """The test examples as queries, by position; their gradients are made when asked for, which loads PyTorch."""
        own = proxy(self)
        encoding, labels_M, first_M = _encoded(self.build / "index" / "test")
        return LiveQueries(encoding, labels_M, lambda: own.live, alike=Alike(encoding, labels_M, first_M))


_open: "weakref.WeakSet[WorkspaceReader]" = weakref.WeakSet()


@lets_go
def _let_go(path: Path) -> Callable[[], None]:
    """Let another process, or this one, move the workspace; returns what holds it again."""
    here = path.resolve()
    mine = [reader for reader in list(_open) if reader.holds and reader.path.resolve() == here]
    for reader in mine:
        reader.let_go()

    def hold_again() -> None:
        for reader in mine:
            reader.hold()

    return hold_again


def open_index(folder: Path, learning_rates_C: FloatArray) -> WordIndex:
    """The training side of an index folder."""
    encoding, labels_N, first_N = _encoded(folder / "train")
    return WordIndex(
        folder / "train",
        encoding,
        labels_N=labels_N,
        learning_rates_C=learning_rates_C,
        special_V=load_array(folder / "special_tokens.npy"),
        common_V=load_array(folder / "common_tokens.npy"),
        first_N=first_N,
    )


def open_queries(folder: Path, checkpoints: int) -> StoredQueries:
    """The test examples of an index folder while it is built: their gradients are there until all is done."""
    encoding, labels_M, first_M = _encoded(folder / "test")
    segments = SplitSegments(folder / "test", checkpoints, encoding.offsets_N1, first_M)
    return StoredQueries("test", segments, encoding, labels_M, alike=Alike(encoding, labels_M, first_M))


def open_segments(folder: Path, split: str, checkpoints: int) -> SplitSegments:
    """A split's segments in an index folder."""
    encoding, _, first_N = _encoded(folder / split)
    return SplitSegments(folder / split, checkpoints, encoding.offsets_N1, first_N)


def epoch_numbers(
    build: Path, split: str, epoch: int, checkpoint: int | None, name: str
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """What a split's examples have under a name after an epoch of the run, `probabilities` or `losses`, block by block.

    With the number of the first example of each block. `checkpoint` is the epoch's place among those that scores are summed
    over, None where it is none of them.
    """
    if checkpoint is None:
        yield 0, load_array(predictions_folder(build, split, epoch) / f"{name}.npy")
        return
    segments = open_segments(build / "index", split, checkpoint + 1)
    for segment in segments.segments:
        yield segment.start, segments.numbers(segment, checkpoint, name)


def _encoded(folder: Path) -> tuple[Encoding, IntArray, IntArray | None]:
    """A split's tokens, its labels, and of each example the first one alike, where the build has written that down."""
    first = folder / FIRST_ALIKE
    return Encoding.load(folder / "encoding"), load_array(folder / "labels.npy"), load_array(first) if first.is_file() else None


def id_ranks(ids: Sequence[str]) -> IntArray:
    """Rank of each id: numbers in numeric order when all are numbers, else as text. No object of Python's an id is kept."""
    if isinstance(ids, RowNumbers):
        return np.arange(len(ids))
    numbers = all(id.isdecimal() and id.isascii() for id in ids)
    if numbers and max(map(len, ids), default=0) > LONGEST_NUMBER:
        order = np.array(sorted(range(len(ids)), key=lambda at: (int(ids[at]), ids[at])), dtype=np.int64)
    else:
        blocks = (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
        # Arrow sorts texts by their bytes, which in UTF-8 is the order of their characters.
        columns = {"text": pa.chunked_array([pa.array(block, pa.large_string()) for block in blocks], pa.large_string())}
        keys = [("text", "ascending")]
        if numbers:
            columns["number"] = pa.array(np.fromiter(map(int, ids), dtype=np.int64, count=len(ids)))
            keys = [("number", "ascending"), *keys]
        order = pc.sort_indices(pa.table(columns), sort_keys=keys).to_numpy().astype(np.int64)
    ranks_N = np.empty(len(ids), dtype=np.int64)
    ranks_N[order] = np.arange(len(ids))
    return ranks_N


def read_workspace(path: str | Path) -> WorkspaceReader:
    """Open the published build of a workspace.

    Raises `WorkspaceMissing`, `WorkspaceNewer` or, for a damaged one, `WorkspaceError`.
    """
    return WorkspaceReader(*published_build(Path(path)))


def opened(path: Path) -> AbstractContextManager[WorkspaceReader]:
    """The workspace at a path, closed at the end."""
    return closing(read_workspace(path))
