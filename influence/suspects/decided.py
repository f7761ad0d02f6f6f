"""What reviewers have decided, as labels for the opinions to learn from.

Axes: N training examples.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from influence.opinions import Taught
from influence.review import has_reviews, read_reviews, resolve
from influence.types import IntArray
from influence.workspace import WorkspaceReader

CHECKED = 3.0  # how many given labels one that somebody has looked at is worth


@dataclass(frozen=True)
class Decided:
    """The label that each decided example has been found to have, by position; None for one that is to be removed."""

    labels: dict[int, int | None]

    @property
    def sha256(self) -> str:
        """Equal for equal decisions."""
        return hashlib.sha256(json.dumps(sorted(self.labels.items())).encode()).hexdigest()

    def taught(self, labels_N: IntArray) -> Taught:
        """The given labels with those decided in their place, which count for more."""
        taught_N, weights_N = np.array(labels_N), np.ones(len(labels_N))
        for position, label in self.labels.items():
            weights_N[position] = 0.0 if label is None else CHECKED
            if label is not None:
                taught_N[position] = label
        return Taught(taught_N, weights_N)


def decided_labels(workspace: WorkspaceReader) -> Decided:
    """What the standing decisions on a build's examples come to; where reviewers disagree and nothing settles it, nothing.

    Reads the journal, so the app may have the reviews open meanwhile. An example that is to be masked keeps its label.
    """
    if not has_reviews(workspace.path):
        return Decided({})
    reviews = read_reviews(workspace)
    try:
        place = {id: position for position, id in enumerate(reviews.corpus.examples)}
        index = {name: number for number, name in enumerate(workspace.info.labels)}
        labels: dict[int, int | None] = {}
        for resolution in resolve(reviews.decisions()):
            decision = resolution.decision
            if decision is None:
                continue
            given = reviews.corpus[decision.example_id].label
            if given not in (decision.old_label, decision.new_label):
                continue  # the label was changed since, to something that nobody has looked at
            label = decision.new_label or given
            labels[place[decision.example_id]] = None if decision.kind == "remove" else index[label]
        return Decided(labels)
    finally:
        reviews.close()
