"""How the methods of the table ask a training set, and hand what they find to a formula.

Axes: N training examples, C checkpoints, H features, Y labels. Each returns scores of shape (C, N).
"""

from typing import TYPE_CHECKING

import numpy as np

from influence.attribution.method import Method
from influence.attribution.query import Query, WordSelection
from influence.errors import QueryError
from influence.formulas import (
    influence_scores,
    layer_products,
    random_same_label_scores,
    random_scores,
    representer_scores,
    text_scores,
    tracin_term,
    with_bias_input,
)
from influence.types import FloatArray

if TYPE_CHECKING:  # the table is read where nothing is asked, too
    from influence.attribution.training_set import TrainingSet


def over_words(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """Inner products of word gradients over shared words."""
    assert method.selection is not None
    return training.word_scores(query, method.selection)


def last_layer(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """Inner products of the last layer's gradients."""
    scores = []
    for number, rate in enumerate(training.learning_rates_C):
        features_NH, deltas_NY, features_H = _of_last_layer(training, query, number, method)
        products_N = layer_products(features_NH, deltas_NY, features_H, query.checkpoints[number].deltas_Y)
        scores.append(tracin_term(rate, products_N))
    return training.alike.tie(np.stack(scores))


def influence_last(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """The influence function of the last layer, at the last checkpoint."""
    features_NH, deltas_NY, features_H = _of_last_layer(training, query, -1, method)
    direction_YH = training.inverse_hessian(np.outer(query.checkpoints[-1].deltas_Y, features_H), method.settings)
    return _at_last(training, influence_scores(features_NH, deltas_NY, direction_YH))


def representer(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """Representer points, at the last checkpoint."""
    features_NH, deltas_NY, features_H = _of_last_layer(training, query, -1, method)
    return _at_last(training, representer_scores(features_NH, deltas_NY, features_H, query.label, l2=method.settings.l2))


def _of_last_layer(
    training: "TrainingSet", query: Query, checkpoint: int, method: Method
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Inputs and output gradients of the training examples, and the query's inputs; with a 1 for the bias if wanted."""
    found, features_H = training.last_layer(checkpoint), query.checkpoints[checkpoint].features_H
    if found is None or features_H is None:
        raise QueryError(f"method {method.id!r}: this model has no last linear layer with one input per example")
    if method.settings.with_bias:
        return with_bias_input(found[0]), found[1], with_bias_input(features_H)
    return *found, features_H


def text_times_loss(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """Likeness of the texts times the product of the loss gradients at the logits."""
    similarities_N = training.text_similarities(query)
    rates = enumerate(training.learning_rates_C)
    return np.stack([text_scores(similarities_N, training.deltas(c), query.checkpoints[c].deltas_Y, rate) for c, rate in rates])


def bm25(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """BM25 of the texts."""
    return _over_checkpoints(training, training.bm25(query))


def tfidf(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """tf-idf cosine of the texts."""
    return _over_checkpoints(training, training.text_similarities(query))


def whole_layer(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """Inner products of the gradients of a layer's weights."""
    assert method.layer is not None
    scores_CN = training.layer_scores(query, method.layer, method.settings)
    if method.layer == "all":
        scores_CN = scores_CN + training.word_scores(query, WordSelection())
    return scores_CN


def influence_layer(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """The influence function of a layer's weights, at the last checkpoint."""
    assert method.layer is not None
    return _at_last(training, training.layer_influence_many([query], method.layer, method.settings)[0])


def random(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """Random scores."""
    return _over_checkpoints(training, random_scores(len(training.labels_N), _generator(method, query)))


def random_same_label(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    """Random scores with the sign that the label gives."""
    generator = _generator(method, query)
    return _over_checkpoints(training, random_same_label_scores(training.labels_N, query.label, generator))


def _generator(method: Method, query: Query) -> np.random.Generator:
    return np.random.default_rng([method.settings.draw, *f"{method.id}\x1f{query.key}".encode()])


def _over_checkpoints(training: "TrainingSet", scores_N: FloatArray) -> FloatArray:
    count = len(training.learning_rates_C)
    return np.tile(scores_N / count, (count, 1))


def _at_last(training: "TrainingSet", scores_N: FloatArray) -> FloatArray:
    scores_CN = np.zeros((len(training.learning_rates_C), len(scores_N)))
    scores_CN[-1] = scores_N
    return training.alike.tie(scores_CN)
