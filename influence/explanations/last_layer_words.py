"""The words of a training example that a score on the last layer hangs on (see `gradients.score_words`): appendix L's baseline.

Axes: E chosen training examples, B a batch of them, L positions, H inputs of the last layer, Y labels.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from influence.attribution import Method, MethodSettings, Query, get_method
from influence.errors import QueryError
from influence.explanations.scores import training_set
from influence.formulas import tracin_term
from influence.types import FloatArray
from influence.workspace import WorkspaceReader

if TYPE_CHECKING:  # which brings PyTorch
    from influence.gradients import ScoreWords


def has_score_words(method: Method) -> bool:
    """Whether `score_words` can be asked about a method: it works on the last layer, and has no words of its own."""
    return method.needs == "last layer"


def score_words(
    workspace: WorkspaceReader, method_id: str, asked: Mapping[int, Sequence[int]]
) -> dict[int, list[dict[int, float]]]:
    """For each test example and each of its chosen training examples the part of each word in their score, by word index.

    Parts below 0 pull the score down; they do not sum to it, for they are first-order estimates of what would go with the
    word. Start and end tokens are words here. Raises `QueryError` for a method that is not one on the last layer.
    """
    from influence.gradients import ScoreWords

    live, method = workspace.live, get_method(method_id)
    if not has_score_words(method):
        raise QueryError(f"method {method.id!r} is not one of those on the last layer")
    forms = {test: _forms(workspace, method, workspace.queries[test]) for test in asked}
    found: dict[int, list[dict[int, float]]] = {test: [{} for _ in examples] for test, examples in asked.items()}
    for checkpoint in sorted({checkpoint for some in forms.values() for checkpoint in some}):
        with ScoreWords(live.model(checkpoint), live.settings) as traced:
            for test, examples_E in asked.items():
                if checkpoint in forms[test]:
                    _add(workspace, traced, examples_E, forms[test][checkpoint], found[test])
    return found


def _add(
    workspace: WorkspaceReader,
    traced: "ScoreWords",
    examples_E: Sequence[int],
    form_YH: FloatArray,
    found: list[dict[int, float]],
) -> None:
    """Add what one checkpoint says, in place."""
    from influence.models import BATCH_TOKENS, length_buckets, of_one_length

    encoding, labels_N = workspace.index.encoding, np.asarray(workspace.index.labels_N)
    chosen_E = np.asarray(examples_E, dtype=np.int64)
    for places_B in length_buckets(encoding.lengths_N[chosen_E], batch_tokens=BATCH_TOKENS[traced.settings.device.type]):
        examples_B = chosen_E[places_B]
        parts_BL = traced.parts(of_one_length(encoding, examples_B), labels_N[examples_B], form_YH)
        for place, example, parts_L in zip(places_B.tolist(), examples_B.tolist(), parts_BL, strict=True):
            words_L = encoding.words_R[slice(*encoding.offsets_N1[example : example + 2].tolist())].tolist()
            own = found[place]
            for word, part in zip(words_L, parts_L.tolist(), strict=True):
                own[word] = own.get(word, 0.0) + part


def _forms(workspace: WorkspaceReader, method: Method, query: Query) -> dict[int, FloatArray]:
    """M (Y, H) of the method's score δᵀ M a at every checkpoint that has a part in it."""
    last, n = len(workspace.info.checkpoints) - 1, workspace.info.n_train
    forms = {}
    for c, (rate, one) in enumerate(zip(workspace.learning_rates_C.tolist(), query.checkpoints, strict=True)):
        if one.features_H is None:
            raise QueryError(f"method {method.id!r}: this model has no last linear layer with one input per example")
        outer_YH = np.outer(one.deltas_Y, one.features_H)
        if method.id == "tracin-last" and rate:
            forms[c] = tracin_term(rate, outer_YH)
        elif method.id == "influence-last" and c == last:
            forms[c] = training_set(workspace).inverse_hessian(outer_YH, MethodSettings()) / n
        elif method.id == "representer" and c == last:
            forms[c] = np.zeros_like(outer_YH)
            forms[c][query.label] = one.features_H / (-2 * MethodSettings.l2 * n)
    return forms
