"""Which test sentences are to be helped, and their gradients added up: all that a candidate's score needs of them.

A score is bilinear, so the mean of a candidate's scores over M test sentences is its score with their mean gradient:

    1/M Σ_x' Σ_c η_c Σ_w ⟨g_w(x), g_w(x')⟩ = Σ_c η_c Σ_w ⟨g_w(x), 1/M Σ_x' g_w(x')⟩

The top k of eq. 5 are chosen position by position in each sentence before anything is added, so this is no approximation.

Axes: M test sentences, C checkpoints, U words of theirs, D embedding width, Y labels, H features.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from influence.attribution import Method, Query, WordIndex
from influence.candidates.settings import CandidateSettings
from influence.errors import QueryError
from influence.explanations import check_label, positions_of
from influence.formulas import word_gradients
from influence.types import FloatArray, IntArray, Progress, StageKind
from influence.workspace import WorkspaceReader

TOGETHER = 128  # test sentences whose gradients are held at once


class MeanGradients(NamedTuple):
    """The mean gradient of the chosen test sentences at one checkpoint, by word or of the last layer, in double precision."""

    tokens_U: IntArray  # in order
    gradients_UD: FloatArray
    layer_YH: FloatArray | None


def chosen_tests(workspace: WorkspaceReader, settings: CandidateSettings) -> IntArray:
    """The positions of the test sentences to be helped, shape (M,).

    Raises `QueryError` for an unknown id or label, and where no prediction is wrong.
    """
    if settings.test_ids:
        return np.array(list(positions_of(workspace, "test", settings.test_ids).values()))
    labels_M, predicted_M = np.asarray(workspace.queries.labels_M), workspace.probabilities("test").argmax(axis=1)
    wrong_M, which = labels_M != predicted_M, "wrong test predictions"
    for name, numbers_M, what in ((settings.label, labels_M, "of"), (settings.predicted, predicted_M, "predicted")):
        check_label(workspace, name)
        if name is not None:
            wrong_M = wrong_M & (numbers_M == workspace.info.labels.index(name))
            which += f" {what} {name!r}"
    if not wrong_M.any():
        raise QueryError(f"workspace {workspace.name!r} has no {which} to be helped; choose test sentences with --for ID,…")
    return np.flatnonzero(wrong_M)


def in_blocks(workspace: WorkspaceReader, tests_M: IntArray) -> Iterator[tuple[IntArray, list[Query]]]:
    """The test sentences as queries with all their gradients, some at a time."""
    for start in range(0, len(tests_M), TOGETHER):
        block = tests_M[start : start + TOGETHER]
        yield block, workspace.queries.several(block.tolist())


def mean_gradients(
    workspace: WorkspaceReader, tests_M: IntArray, method: Method, progress: Progress
) -> list[MeanGradients | None]:
    """By checkpoint; None where the learning rate is 0, since such a step moves nothing."""
    summed: list[MeanGradients | None] = [None] * len(workspace.learning_rates_C)
    done = 0
    for block, queries in in_blocks(workspace, tests_M):
        for number in np.flatnonzero(workspace.learning_rates_C).tolist():
            summed[number] = _added(summed[number], _of_queries(workspace.index, queries, number, method))
        done += len(block)
        progress(StageKind.MISTAKES, done, len(tests_M))
    return [one and _scaled(one, 1 / len(tests_M)) for one in summed]


def _of_queries(index: WordIndex, queries: Sequence[Query], number: int, method: Method) -> MeanGradients:
    layer_YH = None
    words: list[tuple[IntArray, FloatArray]] = []
    for query in queries:
        if method.selection is None:
            deltas_Y, features_H = last_layer(query, number, method)
            outer_YH = np.outer(deltas_Y, features_H)
            layer_YH = outer_YH if layer_YH is None else layer_YH + outer_YH
        else:
            found = index.token_kinds.words(query, number, method.selection)
            words.append((found.tokens_U, found.gradients_UD))
    if not words:
        return MeanGradients(np.zeros(0, dtype=np.int64), np.zeros((0, 0)), layer_YH)
    tokens, gradients = (np.concatenate(part) for part in zip(*words, strict=True))
    return MeanGradients(*word_gradients(tokens, gradients.astype(np.float64)), None)


def last_layer(query: Query, number: int, method: Method) -> tuple[FloatArray, FloatArray]:
    """Loss gradients at the logits and inputs of the last layer, whose outer product is its gradient, in double precision.

    Raises `QueryError` for a model without such a layer.
    """
    at = query.checkpoints[number]
    if at.features_H is None:
        raise QueryError(f"method {method.id!r}: this model has no last linear layer with one input per example")
    return at.deltas_Y.astype(np.float64), at.features_H.astype(np.float64)


def _added(one: MeanGradients | None, other: MeanGradients) -> MeanGradients:
    if one is None:
        return other
    if one.layer_YH is not None and other.layer_YH is not None:
        return one._replace(layer_YH=one.layer_YH + other.layer_YH)
    tokens = np.concatenate([one.tokens_U, other.tokens_U])
    return MeanGradients(*word_gradients(tokens, np.concatenate([one.gradients_UD, other.gradients_UD])), None)


def _scaled(one: MeanGradients, factor: float) -> MeanGradients:
    return MeanGradients(one.tokens_U, one.gradients_UD * factor, None if one.layer_YH is None else one.layer_YH * factor)
