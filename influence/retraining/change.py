"""What a retraining changes in the workspace's training set, and runs of it: plain values with stable names.

A removed example keeps its place in its batch and counts nothing there, so two runs of one seed share their batches,
their order and their dropout, and differ by the change alone.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from influence.data import Edit
from influence.errors import SettingsError


@dataclass(frozen=True)
class Change:
    """What differs from the workspace's own training set; rows are train row numbers, labels label numbers.

    `Change()` changes nothing: the control. The order in which rows and words are given does not matter. Raises
    `SettingsError` for a row that is removed and also relabelled or masked, or relabelled twice.
    """

    removed: tuple[int, ...] = ()
    relabelled: tuple[tuple[int, int], ...] = ()  # (row, new label)
    masked: tuple[tuple[int, tuple[str, ...]], ...] = ()  # (row, words whose tokens become the mask token)

    def __post_init__(self) -> None:
        object.__setattr__(self, "removed", tuple(sorted({int(row) for row in self.removed})))
        relabelled = sorted({(int(row), int(label)) for row, label in self.relabelled})
        object.__setattr__(self, "relabelled", tuple(relabelled))
        words: dict[int, set[str]] = {}
        for row, some in self.masked:
            words.setdefault(int(row), set()).update(some)
        object.__setattr__(self, "masked", tuple((row, tuple(sorted(words[row]))) for row in sorted(words)))
        gone = set(self.removed)
        twice = sorted(gone & {row for row, _ in relabelled} | gone & set(words))
        if twice:
            raise SettingsError(f"training row {twice[0]} is removed and also relabelled or masked; do one of them")
        rows = [row for row, _ in relabelled]
        if len(set(rows)) < len(rows):
            raise SettingsError(f"training row {next(r for r in rows if rows.count(r) > 1)} is given two new labels")

    @classmethod
    def of(cls, edits: Mapping[int, Edit], labels: Sequence[str]) -> "Change":
        """What edits, by row, change; `labels` in the order of their numbers."""
        new = {row: edit.new_label for row, edit in edits.items() if edit.new_label is not None}
        return cls(
            removed=tuple(row for row, edit in edits.items() if edit.does.drops),
            relabelled=tuple((row, labels.index(label)) for row, label in new.items()),
            masked=tuple((row, edit.words) for row, edit in edits.items() if edit.does.masks),
        )

    def edits(self, labels: Sequence[str]) -> Iterator[tuple[int, Edit]]:
        """The change as edits, with the row of each; a row may be relabelled and masked."""
        yield from ((row, Edit("remove")) for row in self.removed)
        yield from ((row, Edit("relabel", labels[label])) for row, label in self.relabelled)
        yield from ((row, Edit("mask", words=words)) for row, words in self.masked)

    @cached_property
    def key(self) -> str:
        """A name of the change, the same on every machine; equal changes have equal keys."""
        # Runs are kept by this name; those that deleted words instead of masking them in place had none for how.
        how = {"masking": "in place"} if self.masked else {}
        return hashlib.sha256(json.dumps({**asdict(self), **how}, separators=(",", ":")).encode()).hexdigest()[:32]

    def __bool__(self) -> bool:
        return bool(self.removed or self.relabelled or self.masked)


@dataclass(frozen=True)
class Run:
    """One fine-tuning by the workspace's own recipe: initial weights, batches and dropout follow from the seed."""

    seed: int
    change: Change = Change()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SettingsError(f"seed {self.seed}: must be 0 or more")
