"""Which examples each segment holds: contiguous blocks, fixed by the data and the settings alone, never by who builds them.

index/SPLIT/segments.json                        how many segments, and the example at which each begins
index/SPLIT/SEGMENT/CHECKPOINT/top.safetensors   rows of the positions kept by top-k, in order of token and example
index/SPLIT/SEGMENT/CHECKPOINT/rest.safetensors  those of all other positions, where they are stored too
index/SPLIT/SEGMENT/CHECKPOINT/examples.safetensors   one row an example: probabilities, losses, self-influence, features
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from influence.errors import WorkspaceError
from influence.files import UNREADABLE, read_json, write_json
from influence.types import IntArray

TOP, REST = "top", "rest"  # the positions kept by top-k, and all others
FEATURES = "features"
EXAMPLE_FILE = "examples.safetensors"
FIRST_ALIKE = "first.npy"  # of each example the first one alike, in the folder of its split
PLAN, FORMAT = "segments.json", 1
MOST_EXAMPLES = 1 << 15  # of a segment: few enough that a large build has work for many, and an example's number fits 16 bits
MOST_BYTES = 256 << 20  # of a segment's rows at one checkpoint, which its writer holds
ROW_BYTES = 9  # of a compact row, beside its planes
_LARGEST = 1 << 16  # what a 16-bit number counts to


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """Which positions are kept by top-k, whether the others are stored too, and in what precision."""

    top_k: int
    store_rest: bool = False
    exact: bool = False  # float32 instead of compact rows
    features: bool = True  # the inputs of the last linear layer, too
    segment_examples: int = MOST_EXAMPLES

    def row_bytes(self, width: int) -> int:
        """Bytes that a stored row takes."""
        return (4 if self.exact else 2) * width + ROW_BYTES

    def stored(self, lengths_N: IntArray) -> IntArray:
        """How many rows of each example are stored at a checkpoint, by its length."""
        return lengths_N if self.store_rest else np.minimum(lengths_N, self.top_k)


class Segment(NamedTuple):
    """A block of examples, `start` to `stop`."""

    number: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Its folder's."""
        return f"{self.number:05d}"

    def __len__(self) -> int:
        return self.stop - self.start


def rows_file(part: str) -> str:
    """The name of the file of a part's rows."""
    return f"{part}.safetensors"


def plan_segments(lengths_N: IntArray, width: int, settings: IndexSettings) -> list[Segment]:
    """The segments of examples of some lengths in tokens: as many each as fit `segment_examples` and `MOST_BYTES`."""
    rows_N = settings.stored(lengths_N)
    most = max(1, MOST_BYTES // settings.row_bytes(width))
    size, ends_N, bounds = min(settings.segment_examples, _LARGEST), np.cumsum(rows_N), [0]
    while bounds[-1] < len(lengths_N):
        start = bounds[-1]
        before = int(ends_N[start - 1]) if start else 0
        fitting = int(np.searchsorted(ends_N, before + most, side="right"))
        bounds.append(min(max(fitting, start + 1), start + size, len(lengths_N)))
    return [Segment(number, start, stop) for number, (start, stop) in enumerate(pairwise(bounds))]


def save_plan(folder: Path, segments: list[Segment]) -> None:
    """Write `segments.json`."""
    write_json(folder / PLAN, {"format": FORMAT, "begin": [one.start for one in segments], "examples": segments[-1].stop})


def read_plan(folder: Path) -> list[Segment]:
    """The segments of `save_plan`. Raises `WorkspaceError` where they are not what was written."""
    try:
        found = read_json(folder / PLAN)
        bounds = [*(int(start) for start in found["begin"]), int(found["examples"])]
        if found["format"] != FORMAT or bounds[0] or any(stop <= start for start, stop in pairwise(bounds)):
            raise ValueError("no order")
    except UNREADABLE as error:
        where = f"{PLAN!r} in {str(folder)!r}"
        raise WorkspaceError(f"the index is damaged: {where} cannot be read ({error}); build the workspace again") from error
    return [Segment(number, start, stop) for number, (start, stop) in enumerate(pairwise(bounds))]
