"""Scores of every training example for test examples of a workspace, one or many at once, by any method of the table.

Sign: above 0 is a proponent (training on it lowered the loss on the test example's own label), below 0 an opponent.
Axes: N training examples, M test examples asked about, C checkpoints.
"""

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary, proxy

import numpy as np

from influence.attribution import Method, MethodSettings, Parts, Query, TrainingSet, WordSelection, get_method, queries_at_once
from influence.checkpoints import read_second_moments
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
            second_moments=lambda checkpoint: read_second_moments(own.build / "checkpoints" / str(checkpoint)),
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
    the influence functions, `l2` that of `representer`, `draw` that of the random controls (see `MethodSettings`). Raises
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
    in_blocks = method.selection is not None or method.slow
    # In blocks the last bits depend on the others of the block, so test examples alike are computed once.
    keys = workspace.queries.alike.first_N[rows].tolist() if in_blocks else list(range(len(rows)))
    first: dict[int, int] = {}
    sources = [first.setdefault(key, place) for place, key in enumerate(keys)]
    places = sorted(first.values())
    size = queries_at_once(workspace.info.n_train) if in_blocks else 1
    for start in range(0, len(places), size):
        block = places[start : start + size]
        queries = _queries(workspace, method, [rows[place] for place in block])
        scores_MN[block] = _scores(training_set(workspace, progress), method, queries)
        progress(f"scores by {method.id}", min(start + size, len(places)), len(places))
    for place, source in enumerate(sources):
        if place != source:
            scores_MN[place] = scores_MN[source]
    return scores_MN


def _queries(workspace: WorkspaceReader, method: Method, rows: Sequence[int]) -> list[Query]:
    """Some test examples as queries, with what the method asks of them."""
    asked = workspace.queries
    queries = asked.several(rows) if method.needs_gradients else [asked.bare(row) for row in rows]
    if method.needs != "texts":
        return queries
    texts = (workspace.store.joined_texts("test", row)[0] for row in rows)
    return [replace(query, text=text) for query, text in zip(queries, texts, strict=True)]


def _scores(training: TrainingSet, method: Method, queries: list[Query]) -> FloatArray:
    """The scores of some queries, float64 of shape (M, N)."""
    if method.selection is not None:
        return training.word_scores_many(queries, method.selection).astype(np.float64)
    if method.layer is not None and method.needs == "hessian":
        return training.layer_influence_many(queries, method.layer, method.settings)
    if method.layer is not None and method.needs == "pass":
        scores_MN = np.zeros((len(queries), len(training.labels_N)))
        for part_MN in training.layer_scores_many(queries, method.layer, method.settings):
            scores_MN += part_MN
        if method.layer == "all":
            scores_MN += training.word_scores_many(queries, WordSelection())
        return scores_MN
    return np.stack([method.score(training, query).sum(axis=0) for query in queries])
