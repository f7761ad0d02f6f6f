"""What opinions are asked about: the training examples of a workspace, or of data that one will be built from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from influence.data import Dataset, label_key, label_names, text_sha256
from influence.workspace import WorkspaceReader


@dataclass(frozen=True)
class Asked:
    """N training examples: their ids, the labels there are, and what says which text was meant."""

    what: str  # "workspace 'mine'", for messages
    ids: Sequence[str]
    labels: list[str]
    hashes: Sequence[str]  # `text_sha256` of every example

    @classmethod
    def of_workspace(cls, workspace: WorkspaceReader) -> "Asked":
        """Those of a published build."""
        pairs = workspace.info.has_pairs
        hashes = [text_sha256(text, (pair or "") if pairs else None) for text, pair in workspace.store.texts("train")]
        return cls(f"workspace {workspace.name!r}", workspace.train_ids(), workspace.info.labels, hashes)

    @classmethod
    def of_data(cls, train: Dataset) -> "Asked":
        """Those that a build of this data will have."""
        return cls(repr(train.source), train.ids, label_names(train), train.text_hashes())

    @cached_property
    def positions(self) -> dict[str, int]:
        """The position of every example by its id."""
        return {id: position for position, id in enumerate(self.ids)}

    @cached_property
    def _alike(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, label in enumerate(self.labels):
            found.setdefault(label_key(label), []).append(number)
        return found

    @cached_property
    def _exact(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.labels)}

    def label(self, said: str) -> int | None:
        """The number of a label: of that spelling, else of the only one that looks alike (` sports` for `Sports`)."""
        if (number := self._exact.get(said)) is not None:
            return number
        alike = self._alike.get(label_key(said), [])
        return alike[0] if len(alike) == 1 else None
