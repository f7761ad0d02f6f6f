"""The segments of a split: their rows and per-example numbers at every checkpoint, opened when first asked for.

Axes: N examples of the split, n of a segment, H inputs of the last linear layer.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from influence.segments.arrays import AnyArray, ArrayFile, Arrays
from influence.segments.compact import expanded
from influence.segments.legacy import is_legacy, legacy_examples, legacy_postings, legacy_segments
from influence.segments.plan import EXAMPLE_FILE, FEATURES, REST, TOP, Segment, read_plan, rows_file
from influence.segments.postings import FIRST, SCALES, SECOND, Postings
from influence.segments.residence import Residence
from influence.types import FloatArray, IntArray

FILES_A_SEGMENT = 3  # of one checkpoint


class SplitSegments:
    """A split's segments at C checkpoints. Raises `WorkspaceError` where they are not what was written."""

    def __init__(self, folder: Path, checkpoints: int, offsets_N1: IntArray, first_N: IntArray | None = None) -> None:
        self.folder, self.checkpoints, self._offsets_N1 = folder, checkpoints, offsets_N1
        self._first_N = first_N  # of each example the first one alike: what is read of copies is equal to the last bit
        self.legacy = is_legacy(folder)
        self.segments = legacy_segments(len(offsets_N1) - 1) if self.legacy else read_plan(folder)
        self.begins = np.array([one.start for one in self.segments])
        self._residence = Residence()
        self._postings: dict[tuple[int, int, str], Postings] = {}
        self._examples: dict[tuple[int, int], Arrays] = {}
        first = self._at(self.segments[0], 0)
        self.stores_rest = (first / (REST if self.legacy else rows_file(REST))).exists()  # positions outside the top k, too
        _allow_files(FILES_A_SEGMENT * len(self.segments) * checkpoints)

    def _at(self, segment: Segment, checkpoint: int) -> Path:
        return self.folder / str(checkpoint) if self.legacy else self.folder / segment.name / str(checkpoint)

    def postings(self, segment: Segment, checkpoint: int, part: str) -> Postings:
        """The rows of a segment's part, `TOP` or `REST`, at a checkpoint."""
        key = segment.number, checkpoint, part
        if key not in self._postings:
            at = self._at(segment, checkpoint)
            arrays = legacy_postings(at / part, self._offsets_N1) if self.legacy else ArrayFile(at / rows_file(part))
            lengths_n = np.diff(self._offsets_N1[segment.start : segment.stop + 1])
            self._postings[key] = Postings(arrays, lengths_n)
        found = self._postings[key]
        self._residence.read(found.size, self._postings.values())
        return found

    @property
    def exact(self) -> bool:
        """Whether rows are stored in float32."""
        return self.postings(self.segments[0], 0, TOP).exact

    def _examples_of(self, segment: Segment, checkpoint: int) -> Arrays:
        key = segment.number, checkpoint
        if key not in self._examples:
            at = self._at(segment, checkpoint)
            self._examples[key] = legacy_examples(at) if self.legacy else ArrayFile(at / EXAMPLE_FILE)
        return self._examples[key]

    def numbers(self, segment: Segment, checkpoint: int, name: str) -> AnyArray:
        """A number, or a few, of a segment's examples: `probabilities`, `losses`, `self_influence`; shape (n, …)."""
        found = self._examples_of(segment, checkpoint).whole(name)
        firsts_n = None if self._first_N is None else self._first_N[segment.start : segment.stop]
        if firsts_n is None or not (elsewhere := np.flatnonzero(firsts_n < segment.start)).size:
            return found
        found = found.copy()
        for other, places, chosen in self.holding(firsts_n[elsewhere]):
            found[elsewhere[places]] = self._examples_of(other, checkpoint).whole(name)[chosen]
        return found

    def column(self, name: str, checkpoint: int) -> AnyArray:
        """`numbers` of the whole split, in memory: shape (N, …)."""
        return np.concatenate([self.numbers(segment, checkpoint, name) for segment in self.segments])

    def features(self, segment: Segment, checkpoint: int) -> FloatArray | None:
        """Inputs of the last linear layer (n, H); None: a model without one."""
        arrays = self._examples_of(segment, checkpoint)
        if FEATURES in arrays:
            return self.numbers(segment, checkpoint, FEATURES)
        names = [f"{FEATURES}_{name}" for name in (FIRST, SECOND, SCALES)]
        return expanded(*(self.numbers(segment, checkpoint, name) for name in names)) if names[0] in arrays else None

    def holding(self, examples_E: IntArray) -> Iterator[tuple[Segment, IntArray, IntArray]]:
        """The segments that hold some examples: which of them (e), and their numbers there, in order (e)."""
        order_E = np.argsort(examples_E, kind="stable")
        sorted_E = np.asarray(examples_E)[order_E]
        edges = np.searchsorted(sorted_E, [*self.begins, self.segments[-1].stop])
        for segment, start, stop in zip(self.segments, edges[:-1], edges[1:], strict=True):
            if stop > start:
                yield segment, order_E[start:stop], sorted_E[start:stop] - segment.start


def _allow_files(count: int) -> None:
    """Let this process keep so many more files open, as far as the system allows."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * count + 1_024
        if soft not in (resource.RLIM_INFINITY,) and soft < wanted:
            limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
