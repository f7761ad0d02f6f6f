"""Cancellation: how much the gradients of the training examples pull against each other in each layer (section 3).

    write_cancellation("workspaces/demo")                 # measures it, once
    cancellation_table(open_workspace("workspaces/demo"))

Columns of the table, a row for the weights and one for the biases of each layer:

    layer       its name in the model; `word embedding`, `all but the word embedding` and `all` are ours
    role        first, second, third, last or all, as in the names of the methods; empty for others
    part        weight or bias
    parameters  how many numbers
    gradient    G = Σ_c Σ_i η_c ‖∂ℓ_i/∂W_c‖ over the training examples i
    change      ΔW = Σ_c ‖W_{c+1} − W_c‖
    ratio       C = G / ΔW; missing where nothing has changed. The larger, the more the examples' pulls cancel out
    cosine      mean cosine between the gradients of two test examples, −1 to 1, mean over the checkpoints; missing where
                fewer than two have a gradient

Checkpoints c are all but the last, for the change after which is not known. Only ratios between layers mean anything:
G adds up single examples, while training moves by batches, with momentum.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from influence.errors import QueryError
from influence.explanations.cancellation_tables import CancellationStore
from influence.types import FloatArray, Progress, silent
from influence.workspace import WorkspaceReader, build_lock, open_published, published, publishing

KIND = "cancellation"
FORMULA = 1  # counts up when the numbers would come out differently
PARTS = ("weight", "bias")


def cancellation_table(workspace: WorkspaceReader) -> pd.DataFrame | None:
    """The table described above, layers in the model's order; None where it has not been measured."""
    if published(workspace.build, KIND) is None:
        return None
    return open_published(workspace.path, workspace.build, KIND, CancellationStore).by_layer()


def write_cancellation(path: str | Path, *, progress: Progress = silent) -> None:
    """Measure the cancellation of a workspace, unless it has been. Raises `QueryError` for a single checkpoint."""
    from influence.workspace import disk_full_explained, opened  # brings PyTorch

    path = Path(path)
    with disk_full_explained(path), build_lock(path), opened(path) as workspace:
        if len(workspace.info.checkpoints) < 2:
            raise QueryError(
                f"workspace {workspace.name!r} has one checkpoint: cancellation compares gradients with the change to the next; "
                "build with --epochs 2 or more"
            )
        found = published(workspace.build, KIND)
        if found is not None and found[1] == {"formula": FORMULA}:
            return
        started = time.monotonic()
        rows = pd.DataFrame(
            [row for number in range(len(workspace.info.checkpoints) - 1) for row in _rows(workspace, number, progress)]
        )
        with publishing(workspace.build, KIND, CancellationStore, {"formula": FORMULA}) as store:
            store.fill("steps", rows)
            store.write_provenance({"versions": workspace.info.versions}, started)


def _rows(workspace: WorkspaceReader, number: int, progress: Progress) -> Iterator[dict[str, Any]]:
    """What one checkpoint adds: a row for each layer and part."""
    from influence.explanations.layer_norms import EMBEDDING, changes, groups_of, mean_cosines, sizes, squared_norms
    from influence.gradients import TracedModel, layers_of

    model, after = workspace.live.model(number), workspace.live.model(number + 1)
    layers = layers_of(model)
    groups = groups_of(layers)
    name, rate = workspace.info.checkpoints[number].name, workspace.learning_rates_C[number]
    changes_X2, sizes_X2 = changes(model, after, layers, layers_of(after)), sizes(model, layers)
    train, test = workspace.index.encoding, workspace.queries.encoding
    with TracedModel(model, layers, workspace.live.settings) as traced:
        stage = f"gradient norms, {name}"
        squares_NU2 = squared_norms(traced, train, np.asarray(workspace.index.labels_N), stage=stage, progress=progress)
        cosines_G2 = mean_cosines(
            traced,
            groups,
            test,
            np.asarray(workspace.queries.labels_M),
            _embedding_squares(workspace, "test", number),
            workspace.live.model(number),
            stage=f"gradient directions, {name}",
            progress=progress,
        )
    embedding_N2 = np.stack([_embedding_squares(workspace, "train", number), np.zeros(len(train))], axis=1)
    for place, group in enumerate(groups):
        squares_N2 = squares_NU2[:, [at for at in group.layers if at != EMBEDDING]].sum(axis=1)
        squares_N2 += embedding_N2 if EMBEDDING in group.layers else 0
        members = [at + 1 for at in group.layers]
        for part, kind in enumerate(PARTS):
            parameters = int(sizes_X2[members, part].sum())
            if parameters:
                yield {
                    "place": place,
                    "layer": group.name,
                    "role": group.role,
                    "part": kind,
                    "parameters": parameters,
                    "checkpoint": number,
                    "gradient": rate * np.sqrt(squares_N2[:, part]).sum(),
                    "change": np.sqrt(changes_X2[members, part].sum()),
                    "cosine": cosines_G2[place, part],
                }


def _embedding_squares(workspace: WorkspaceReader, split: str, number: int) -> FloatArray:
    """‖∂ℓ/∂W‖² at the word embedding, over all positions: what the build stored as self-influence."""
    return np.asarray(workspace.example_numbers(split, number, "self_influence")[:, 1])
