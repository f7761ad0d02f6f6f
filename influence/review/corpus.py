"""The training examples of one build as reviewers see them: by id, with their hash, label and prediction."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from influence.data import Edit, balance, known_label
from influence.errors import QueryError
from influence.standing import Applied, read_applied
from influence.workspace import WorkspaceReader


class TrainExample(NamedTuple):
    """One training example; `predicted` and `confidence` (0 to 1) are the last checkpoint's."""

    id: str
    text: str
    text_pair: str | None
    label: str
    text_sha256: str
    predicted: str
    confidence: float

    @property
    def whole_text(self) -> str:
        """The text whose SHA-256 is `text_sha256`: both texts with a unit separator between for a pair."""
        return self.text if self.text_pair is None else f"{self.text}\x1f{self.text_pair}"


class Corpus:
    """The training examples of a workspace's build, read once."""

    def __init__(self, workspace: WorkspaceReader) -> None:
        self.workspace = workspace
        self.build, self.labels = workspace.build.name, workspace.info.labels

    @property
    def results(self) -> Path:
        """The file that the examples are read from."""
        return self.workspace.build / "results.duckdb"

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Columns id, text, text_pair, label, text_sha256, predicted, confidence, in the data's order."""
        return self.workspace.store.train_frame()

    @cached_property
    def examples(self) -> dict[str, TrainExample]:
        """Every training example by id, in the data's order."""
        columns = [[None if pd.isna(v) else v for v in self.frame[name]] for name in TrainExample._fields]
        return {row[0]: TrainExample._make(row) for row in zip(*columns, strict=True)}

    @cached_property
    def applied(self) -> Applied:
        """The fixes that are in the data already. Raises `WorkspaceDamaged` where that cannot be known."""
        return read_applied(self.workspace)

    def has(self, example_id: str, text_sha256: str) -> bool:
        """Whether it has the example with the text of that hash, or with what masking words in that text has left of it."""
        example = self.examples.get(example_id)
        if example is None:
            return False
        return example.text_sha256 == text_sha256 or text_sha256 in self.applied.former.get(example_id, ())

    def __getitem__(self, example_id: str) -> TrainExample:
        try:
            return self.examples[example_id]
        except KeyError:
            raise QueryError(
                f"unknown training id {example_id!r}; workspace {self.workspace.name!r} has {len(self.examples):,}, "
                f"from {next(iter(self.examples))!r} to {next(reversed(self.examples))!r}"
            ) from None

    def checked_label(self, label: str) -> str:
        """The label. Raises `QueryError` for one that the classifier does not have."""
        return known_label(label, self.labels)

    def class_counts(self, labels: Iterable[str] | None = None) -> dict[str, int]:
        """How many examples carry each label, every label named; of the corpus, or of the given labels."""
        counts = dict.fromkeys(self.labels, 0)
        for label in (example.label for example in self.examples.values()) if labels is None else labels:
            counts[label] = counts.get(label, 0) + 1
        return counts

    def balance(self, edits: Mapping[str, Edit]) -> tuple[dict[str, int], dict[str, int]]:
        """Class counts as they are, and once the edits are made, by example id."""
        before = self.class_counts()
        return before, balance(before, ((self[id].label, edit) for id, edit in edits.items()))
