"""Methods, and the table of them: what each compares, in which order they are offered, and what they cost.

Sign, here and everywhere: a score above 0 is a proponent (a gradient step on the training example lowers the loss on
the query), below 0 an opponent. The arithmetic stands in `formulas`.

Axes: N training examples, C checkpoints, H features, Y labels.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from influence.attribution.formulas import (
    influence_scores,
    layer_products,
    random_same_label_scores,
    random_scores,
    representer_scores,
    text_scores,
    tracin_term,
    with_bias_input,
)
from influence.attribution.query import MethodSettings, Query, WordSelection, check_method
from influence.errors import QueryError
from influence.types import FloatArray

if TYPE_CHECKING:  # the table is read where nothing is asked, too
    from influence.attribution.training_set import TrainingSet

Needs = Literal["index", "synonyms", "last layer", "texts", "pass", "nothing"]
COSTS: dict[Needs, str] = {
    "index": "Read from the index: milliseconds.",
    "synonyms": "Read from the index, with the checkpoints' word embeddings: a second or so, a few more the first time.",
    "last layer": "From the stored inputs of the last layer: well under a second, some seconds the first time for many labels.",
    "texts": "From the training texts: well under a second, some seconds the first time.",
    "pass": "Not stored: every training example goes through every checkpoint, seconds to minutes.",
    "nothing": "No computation.",
}


@dataclass(frozen=True)
class Method:
    """One way to score every training example for a query."""

    id: str
    title: str
    about: str
    source: str
    needs: Needs
    formula: Callable[["TrainingSet", Query, "Method"], FloatArray] = field(repr=False)
    selection: WordSelection | None = None
    settings: MethodSettings = field(default_factory=MethodSettings)
    layer: str | None = None  # of the methods on a layer: first, second, third, last or all

    def score(self, training: "TrainingSet", query: Query) -> FloatArray:
        """Scores of shape (C, N); summed over C they are the method's score of each training example."""
        return self.formula(training, query, self)

    @property
    def words(self) -> bool:
        """Whether a score splits exactly into word contributions."""
        return self.selection is not None

    @property
    def slow(self) -> bool:
        """Whether an answer may take minutes, because every training example goes through every checkpoint."""
        return self.needs == "pass"

    @property
    def cost(self) -> str:
        """What an answer needs and about how long it takes, in a sentence."""
        return COSTS[self.needs]

    @property
    def has_biases(self) -> bool:
        """Whether biases can be put in with `MethodSettings.with_bias`."""
        return self.needs in ("last layer", "pass")

    def with_selection(self, selection: WordSelection) -> "Method":
        """The same method over other positions."""
        return replace(self, selection=selection)

    def with_settings(self, settings: MethodSettings) -> "Method":
        """The same method with other settings. Raises `QueryError` for biases where it has none."""
        if settings.with_bias and not self.has_biases:
            raise QueryError(f"--with-bias: method {self.id!r} works on no layer with a bias")
        return replace(self, settings=settings)


def _words(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    assert method.selection is not None
    return training.word_scores(query, method.selection)


def _last(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    scores = []
    for number, rate in enumerate(training.learning_rates_C):
        features_NH, deltas_NY, features_H = _last_layer(training, query, number, method)
        products_N = layer_products(features_NH, deltas_NY, features_H, query.checkpoints[number].deltas_Y)
        scores.append(tracin_term(rate, products_N))
    return np.stack(scores)


def _influence(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    features_NH, deltas_NY, features_H = _last_layer(training, query, -1, method)
    direction_YH = training.inverse_hessian(np.outer(query.checkpoints[-1].deltas_Y, features_H), method.settings)
    return _at_last(training, influence_scores(features_NH, deltas_NY, direction_YH))


def _representer(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    features_NH, deltas_NY, features_H = _last_layer(training, query, -1, method)
    return _at_last(training, representer_scores(features_NH, deltas_NY, features_H, query.label, l2=method.settings.l2))


def _last_layer(
    training: "TrainingSet", query: Query, checkpoint: int, method: Method
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Inputs and output gradients of the training examples, and the query's inputs; with a 1 for the bias if wanted."""
    found, features_H = training.last_layer(checkpoint), query.checkpoints[checkpoint].features_H
    if found is None or features_H is None:
        raise QueryError(f"method {method.id!r}: this model has no last linear layer with one input per example")
    if method.settings.with_bias:
        return with_bias_input(found[0]), found[1], with_bias_input(features_H)
    return *found, features_H


def _tfidf(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    similarities_N = training.text_similarities(query)
    rates = enumerate(training.learning_rates_C)
    return np.stack([text_scores(similarities_N, training.deltas(c), query.checkpoints[c].deltas_Y, rate) for c, rate in rates])


def _layer(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    assert method.layer is not None
    scores_CN = training.layer_scores(query, method.layer, method.settings)
    if method.layer == "all":
        scores_CN = scores_CN + training.word_scores(query, WordSelection())
    return scores_CN


def _random(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    return _over_checkpoints(training, random_scores(len(training.labels_N), _generator(method.id, query)))


def _random_same_label(training: "TrainingSet", query: Query, method: Method) -> FloatArray:
    generator = _generator(method.id, query)
    return _over_checkpoints(training, random_same_label_scores(training.labels_N, query.label, generator))


def _generator(method: str, query: Query) -> np.random.Generator:
    return np.random.default_rng(list(f"{method}\x1f{query.key}".encode()))


def _over_checkpoints(training: "TrainingSet", scores_N: FloatArray) -> FloatArray:
    count = len(training.learning_rates_C)
    return np.tile(scores_N / count, (count, 1))


def _at_last(training: "TrainingSet", scores_N: FloatArray) -> FloatArray:
    scores_CN = np.zeros((len(training.learning_rates_C), len(scores_N)))
    scores_CN[-1] = scores_N
    return scores_CN


def _word_method(id: str, title: str, about: str, source: str, selection: WordSelection) -> Method:
    return Method(id, title, about, source, "synonyms" if selection.synonyms else "index", _words, selection)


def _layer_method(id: str, title: str, about: str) -> Method:
    return Method(id, title, about, "section 3.3, table 1", "pass", _layer, layer=id.removeprefix("tracin-"))


METHODS: dict[str, Method] = {
    method.id: method
    for method in (
        _word_method(
            "tracin-we-topk",
            "TracIn-WE-Topk",
            "Inner products of word-embedding gradients over shared words, the strongest positions of each sentence only.",
            "eqs. 5, 6",
            WordSelection(top_k=True),
        ),
        _word_method(
            "tracin-we",
            "TracIn-WE",
            "Inner products of word-embedding gradients over every shared word.",
            "eqs. 3, 4",
            WordSelection(),
        ),
        _word_method(
            "tracin-we-syn",
            "TracIn-WE-Syn",
            "TracIn-WE-Topk where a word may also match one other word of similar embedding (cosine above 0.7).",
            "app. H, eq. 8",
            WordSelection(top_k=True, synonyms=True),
        ),
        _word_method(
            "tracin-we-noc",
            "TracIn-WE without common tokens",
            "TracIn-WE without start and end tokens, stop words and punctuation.",
            "section 5",
            WordSelection(tokens="uncommon"),
        ),
        _word_method(
            "tracin-common",
            "TracIn-WE on start and end tokens",
            "TracIn-WE on the start and end tokens only: influence that needs no shared word.",
            "section 5",
            WordSelection(tokens="start-end"),
        ),
        Method(
            "tracin-tfidf",
            "TracIn with tf-idf",
            "How alike the texts are (tf-idf cosine) times the inner product of the loss gradients at the logits.",
            "eq. 7",
            "texts",
            _tfidf,
        ),
        Method(
            "tracin-last",
            "TracIn on the last layer",
            "Inner products of the last linear layer's gradients, bias left out; it cannot be split over words.",
            "section 2, app. G",
            "last layer",
            _last,
        ),
        Method(
            "influence-last",
            "Influence function, last layer",
            "By how much the loss would rise without the example, were the last layer alone fitted again (damped Hessian).",
            "section 2",
            "last layer",
            _influence,
        ),
        Method(
            "representer",
            "Representer points",
            "What the example adds to the logit of the explained label, through the last layer's inputs.",
            "eq. 1",
            "last layer",
            _representer,
        ),
        _word_method(
            "tracin-first",
            "TracIn on the first layer",
            "Inner products of the gradients of the first layer, the word embedding: the same number as TracIn-WE.",
            "section 3.3, table 1",
            WordSelection(),
        ),
        _layer_method(
            "tracin-second",
            "TracIn on the second layer",
            "Inner products of gradients of the weights right after the word embedding: first convolution or encoder block.",
        ),
        _layer_method(
            "tracin-third",
            "TracIn on the third layer",
            "Inner products of gradients of the weights of the second convolution or encoder block.",
        ),
        _layer_method(
            "tracin-all",
            "TracIn on all layers",
            "Inner products of the gradients of all weights: word embedding, convolutions, linear layers.",
        ),
        Method(
            "random",
            "Random",
            "A control: random scores. A useful method finds better examples than this.",
            "control",
            "nothing",
            _random,
        ),
        Method(
            "random-same-label",
            "Random, same label",
            "A control: random examples of the query's label as proponents, of other labels as opponents.",
            "control",
            "nothing",
            _random_same_label,
        ),
    )
}


def get_method(id: str) -> Method:
    """The method of that id. Raises `QueryError` naming the methods there are."""
    check_method(id)
    return METHODS[id]
