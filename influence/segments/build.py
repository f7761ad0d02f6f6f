"""Filling an index folder: what all segments share, then each segment at each checkpoint, by one process or several.

Whatever is whole is left as it is, so any of it may be done again, twice at once, or by somebody else.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel

from influence.errors import WorkspaceError
from influence.files import load_array
from influence.gradients import GradientSettings, WordGradients, first_alike
from influence.models import Encoding
from influence.sealed import is_finished
from influence.segments.plan import FIRST_ALIKE, PLAN, IndexSettings, Segment, plan_segments, read_plan, save_plan
from influence.segments.writer import write_segment
from influence.types import IntArray, Progress, Stage, StageKind, silent


@dataclass(frozen=True, kw_only=True)
class IndexBuilder:
    """An index to be made of checkpoints and encoded splits."""

    folder: Path
    encodings: Mapping[str, Encoding]
    labels: Mapping[str, IntArray]
    settings: Mapping[str, IndexSettings]  # by split
    checkpoints: int
    model: Callable[[int], PreTrainedModel]  # a checkpoint, on its device
    options: GradientSettings
    progress: Progress = silent

    @property
    def is_prepared(self) -> bool:
        """Whether what all segments share is there."""
        return all((self.folder / split / PLAN).is_file() for split in self.encodings)

    def prepare(self, width: int) -> None:
        """Write down which examples are alike and which segments there are, for embeddings so wide.

        Raises `WorkspaceError` where the disk has no room for the rows.
        """
        needed, free = self.bytes_needed(width), shutil.disk_usage(self.folder).free
        if needed > free:
            raise WorkspaceError(
                f"disk full: the index needs about {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free at "
                f"{str(self.folder)!r}; free some space, or use fewer --epochs or --index top-k, and add --resume"
            )
        for split, encoding in self.encodings.items():
            np.save(self.folder / split / FIRST_ALIKE, first_alike(encoding, self.labels[split]))
            save_plan(self.folder / split, plan_segments(encoding.lengths_N, width, self.settings[split]))

    def bytes_needed(self, width: int) -> int:
        """About how many bytes the rows will take, for embeddings so wide."""
        rows = {split: int(self.settings[split].stored(one.lengths_N).sum()) for split, one in self.encodings.items()}
        return self.checkpoints * sum(self.settings[split].row_bytes(width) * count for split, count in rows.items())

    def plan(self) -> list[tuple[str, Segment]]:
        """Every segment, with its split: those of the training examples first."""
        return [(split, segment) for split in self.encodings for segment in read_plan(self.folder / split)]

    def at(self, split: str, segment: Segment, checkpoint: int) -> Path:
        """The folder of a segment at a checkpoint."""
        return self.folder / split / segment.name / str(checkpoint)

    def missing(self) -> list[tuple[str, Segment, int]]:
        """The segments that are not whole yet, at each checkpoint, verified by their hashes."""
        every = [(split, segment, number) for number in range(self.checkpoints) for split, segment in self.plan()]
        return [one for one in every if not is_finished(self.at(*one))]

    def run(self, chosen: Callable[[str, Segment], bool] = lambda split, segment: True) -> None:
        """Make the chosen segments that are not whole yet."""
        plan = [(split, segment) for split, segment in self.plan() if chosen(split, segment)]
        for number in range(self.checkpoints):
            if any(not is_finished(self.at(split, segment, number)) for split, segment in plan):
                with WordGradients(self.model(number), self.options) as gradients:
                    self._write(gradients, number, plan)

    def _write(self, gradients: WordGradients, number: int, plan: list[tuple[str, Segment]]) -> None:
        for split in self.encodings:
            segments = [segment for of, segment in plan if of == split]
            stage = Stage(StageKind.GRADIENTS, number=number + 1, out_of=self.checkpoints, examples=split)
            told = _Told(self.progress, stage, sum(map(len, segments)))
            for segment in segments:
                self.make(gradients, split, segment, number, told)

    def make(self, gradients: WordGradients, split: str, segment: Segment, checkpoint: int, told: Callable[[int], None]) -> None:
        """Make one segment at a checkpoint, whose gradients are given, unless it is whole; `told` hears of examples done."""
        write_segment(
            gradients,
            self.encodings[split],
            self.labels[split],
            load_array(self.folder / split / FIRST_ALIKE),
            self.at(split, segment, checkpoint),
            segment,
            settings=self.settings[split],
            told=told,
        )


class _Told:
    """Progress over the segments of a split."""

    def __init__(self, progress: Progress, stage: Stage, total: int) -> None:
        self._progress, self._stage, self._total, self._done = progress, stage, total, 0

    def __call__(self, done: int) -> None:
        self._done += done
        self._progress(self._stage, self._done, self._total)
