"""Scores of every training example for test examples of a workspace, one or many at once, by any method of the table.

Sign: above 0 is a proponent (training on it lowered the loss on the test example's own label), below 0 an opponent.
Axes: N training examples, M test examples asked about, C checkpoints.
"""

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary, proxy

import numpy as np

from influence.attribution import Method, MethodSettings, Parts, Query, TrainingSet, WordSelection, get_method, queries_at_once
from influence.errors import QueryError
from influence.types import FloatArray, Progress, silent
from influence.workspace import WorkspaceReader

_opened: WeakKeyDictionary[WorkspaceReader, TrainingSet] = WeakKeyDictionary()


def training_set(workspace: WorkspaceReader, progress: Progress = silent) -> TrainingSet:
    """The training side of every method, as long as the workspace is open; what it has made once it keeps."""
    if workspace not in _opened:
        own = proxy(workspace)  # what is kept for a workspace must not keep it open
        parts = Parts(
            texts=lambda: own.store.joined_texts("train"),
            model=lambda checkpoint: own.live.model(checkpoint),
            settings=lambda: own.live.settings,
        )
        _opened[workspace] = TrainingSet(workspace.index, parts)
    return _opened[workspace].telling(progress)


def scores_of(
    workspace: WorkspaceReader,
    method_id: str,
    test_rows: Sequence[int],
    *,
    with_bias: bool = False,
    damping: float = MethodSettings.damping,
    l2: float = MethodSettings.l2,
    draw: int = MethodSettings.draw,
    progress: Progress = silent,
) -> FloatArray:
    """The score of every training example for each of some test examples, float64 of shape (M, N).

    `test_rows` are positions in the test split, in any order; each is explained on its own label. `with_bias` puts the
    biases in where a method is about a layer that has them, and means nothing to the others; `damping` is that of
    `influence-last`, `l2` that of `representer`, `draw` that of the random controls (see `MethodSettings`). Raises
    `QueryError` for an unknown method or row, and for a method that the model cannot serve.
    """
    method = get_method(method_id)
    settings = MethodSettings(with_bias=with_bias and method.has_biases, damping=damping, l2=l2, draw=draw)
    method = method.with_settings(settings)
    rows = [int(row) for row in test_rows]
    for row in rows:
        if not 0 <= row < workspace.info.n_test:
            raise QueryError(f"test row {row}: workspace {workspace.name!r} has rows 0 to {workspace.info.n_test - 1}")
    scores_MN = np.zeros((len(rows), workspace.info.n_train))
    in_blocks = method.selection is not None or method.needs == "pass"
    size = queries_at_once(workspace.info.n_train) if in_blocks else 1
    for start in range(0, len(rows), size):
        queries = [workspace.queries[row] for row in rows[start : start + size]]
        if method.needs == "texts":
            texts = (workspace.store.joined_texts("test", row)[0] for row in rows[start : start + size])
            queries = [replace(query, text=text) for query, text in zip(queries, texts, strict=True)]
        _add(training_set(workspace, progress), method, queries, scores_MN[start : start + size])
        progress(f"scores by {method.id}", min(start + size, len(rows)), len(rows))
    return scores_MN


def _add(training: TrainingSet, method: Method, queries: list[Query], scores_MN: FloatArray) -> None:
    """Add the scores of some queries, in place."""
    if method.selection is not None:
        scores_MN += training.word_scores_many(queries, method.selection)
    elif method.layer is not None and method.needs == "pass":
        for part_MN in training.layer_scores_many(queries, method.layer, method.settings):
            scores_MN += part_MN
        if method.layer == "all":
            scores_MN += training.word_scores_many(queries, WordSelection())
    else:
        for scores_N, query in zip(scores_MN, queries, strict=True):
            scores_N += method.score(training, query).sum(axis=0)
