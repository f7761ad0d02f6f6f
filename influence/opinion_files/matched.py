"""What the opinions that a workspace keeps say of the build that is published there.

An opinion is about a text. Where an example has another text by now (it was corrected, or the data have changed under ids that
are row numbers), or the label said is no longer one, the name is silent about it.

Axes: S examples that a name speaks of, Y labels.
"""

from dataclasses import dataclass

import numpy as np

from influence.opinion_files.asked import Asked
from influence.opinion_files.cells import PREFIX
from influence.opinion_files.keeping import TEXT, Kept, kept_opinions
from influence.opinion_files.rows import ID, LABEL
from influence.types import FloatArray, IntArray
from influence.workspace import WorkspaceReader


@dataclass(frozen=True)
class Heard:
    """One name's opinion on the training examples of a build."""

    name: str
    source: str
    sha256: str
    positions_S: IntArray  # of the examples, ascending
    said_S: IntArray  # the label, or the most probable one
    probabilities_SY: FloatArray  # summing to 1; NaN in rows that are a label without probabilities


def state(workspace: WorkspaceReader) -> dict[str, str]:
    """What tells the opinions kept now from others: the hash of each by its name."""
    return {kept.name: kept.sha256 for kept in kept_opinions(workspace.path)}


def heard(workspace: WorkspaceReader) -> list[Heard]:
    """All that is said of the build's training examples, by name; of no example where a name is silent about all."""
    found = kept_opinions(workspace.path)
    if not found:
        return []
    asked = Asked.of_workspace(workspace)
    return [_heard(kept, asked) for kept in found]


def _heard(kept: Kept, asked: Asked) -> Heard:
    table = kept.table()
    labels = {label: number for number, label in enumerate(asked.labels)}
    rows = zip(*(table.column(name).to_pylist() for name in (ID, TEXT, LABEL)), strict=True)
    chosen = [
        (asked.positions[id], at, labels[label])
        for at, (id, text, label) in enumerate(rows)
        if label in labels and id in asked.positions and asked.hashes[asked.positions[id]] == text
    ]
    positions_S, rows_S, said_S = np.array(sorted(chosen), dtype=np.int64).reshape(-1, 3).T
    probabilities_SY = np.full((len(rows_S), len(labels)), np.nan)
    for label, number in labels.items():
        if f"{PREFIX}{label}" in table.column_names:
            column = table.column(f"{PREFIX}{label}").to_numpy(zero_copy_only=False)
            probabilities_SY[:, number] = column[rows_S]
    return Heard(kept.name, kept.source, kept.sha256, positions_S, said_S, _whole(probabilities_SY))


def _whole(probabilities_SY: FloatArray) -> FloatArray:
    """Rows that sum to 1 over the labels there are; NaN where nothing is left."""
    given_S = np.asarray(~np.isnan(probabilities_SY).all(axis=1))
    filled_SY = np.where(given_S[:, None], np.nan_to_num(probabilities_SY), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole_SY: FloatArray = filled_SY / filled_SY.sum(axis=1, keepdims=True)
    return whole_SY
