"""The influence methods: formulas on plain arrays, and the table that names them.

Sign, here and everywhere: a score above 0 is a proponent (a gradient step on the training example lowers the loss on
the query), below 0 an opponent. The paper prints a minus in eqs. 2, 3, 6 and 7; its own tables need this plus.

Axes: N training examples, C checkpoints, L positions, D embedding width, H features, Y labels, B a batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple, Protocol

import numpy as np

from influence.encoding import BoolArray, FloatArray, IntArray
from influence.errors import QueryError

DEFAULT_METHOD = "tracin-we-topk"
TokenKind = Literal["all", "uncommon", "start-end"]
SpecialTokens = Literal["include", "exclude", "only"]  # what becomes of start and end tokens


class QueryCheckpoint(NamedTuple):
    """The query's gradients at one checkpoint."""

    gradients_LD: FloatArray
    kept_L: BoolArray  # the top-k positions
    features_H: FloatArray | None
    deltas_Y: FloatArray


@dataclass(frozen=True)
class Query:
    """An example whose loss on one label is to be explained; `key` seeds the random controls."""

    key: str
    label: int
    tokens_L: IntArray
    words_L: IntArray
    special_L: BoolArray
    checkpoints: list[QueryCheckpoint]


@dataclass(frozen=True)
class WordSelection:
    """Which positions of both sentences count: by gradient norm, by kind of token, and the user's own wish."""

    top_k: bool = False
    tokens: TokenKind = "all"
    special_tokens: SpecialTokens = "include"


class TrainingIndex(Protocol):
    """What a method may ask about the training set."""

    learning_rates_C: FloatArray
    labels_N: IntArray

    def word_scores(self, query: Query, selection: WordSelection) -> FloatArray:
        """Scores over shared words, shape (C, N)."""
        ...

    def last_layer(self, checkpoint: int) -> tuple[FloatArray, FloatArray]:
        """Inputs (N, H) of the last linear layer and loss gradients (N, Y) at its output."""
        ...


@dataclass(frozen=True)
class Method:
    """One way to score every training example for a query: `score` returns shape (C, N), summed over C for the score."""

    id: str
    title: str
    about: str
    source: str
    score: Callable[[TrainingIndex, Query], FloatArray]
    selection: WordSelection | None = None

    @property
    def words(self) -> bool:
        """Whether a score splits exactly into word contributions."""
        return self.selection is not None

    def with_selection(self, selection: WordSelection) -> "Method":
        """The same method over other positions."""
        return replace(self, selection=selection, score=partial(_words, selection))


def top_k_positions(norms_BL: FloatArray, real_BL: BoolArray, k: int) -> BoolArray:
    """The k real positions of largest gradient norm in each row (eq. 5); ties go to the earlier position."""
    ranked_BL = np.argsort(np.where(real_BL, -norms_BL, np.inf), axis=1, kind="stable")
    kept_BL = np.zeros_like(real_BL)
    np.put_along_axis(kept_BL, ranked_BL[:, :k], True, axis=1)
    return kept_BL & real_BL


def word_contributions(
    tokens_L: IntArray, gradients_LD: FloatArray, other_tokens_M: IntArray, other_gradients_MD: FloatArray
) -> FloatArray:
    """Contribution of every pair of positions that hold the same token, shape (L, M); 0 elsewhere (eqs. 3, 4).

    Summed over all positions it is the inner product of the two examples' word-embedding gradients, because
    ⟨Σ g_i, Σ g'_j⟩ = Σ ⟨g_i, g'_j⟩ over the positions of a word. Without learning rate; one checkpoint.
    """
    same_LM = tokens_L[:, None] == other_tokens_M[None, :]
    return np.where(same_LM, gradients_LD @ other_gradients_MD.T, 0.0)


def last_layer_scores(features_NH: FloatArray, deltas_NY: FloatArray, features_H: FloatArray, deltas_Y: FloatArray) -> FloatArray:
    """⟨∂ℓ/∂W, ∂ℓ'/∂W⟩ for the last linear layer without its bias = (a·a′)(δ·δ′), shape (N,) (section 2, app. G)."""
    products_N: FloatArray = (features_NH @ features_H) * (deltas_NY @ deltas_Y)
    return products_N


def extremes(scores_N: FloatArray, tie_ranks_N: IntArray, top: int) -> tuple[IntArray, IntArray]:
    """The `top` proponents (largest first) and opponents (most negative first), ties in order of `tie_ranks_N`.

    An exact zero is neither.
    """
    return _largest(scores_N, tie_ranks_N, top), _largest(-scores_N, tie_ranks_N, top)


def _largest(scores_N: FloatArray, tie_ranks_N: IntArray, top: int) -> IntArray:
    # The top-th largest of the maxima of short stretches is a bound that at least `top` scores reach and few others do;
    # all that reach it are sorted, so ties at the edge are settled by rank. (A partition of all scores is 10–100× slower.)
    if 0 < top < len(scores_N):
        peaks = np.maximum.reduceat(scores_N, np.arange(0, len(scores_N), max(1, len(scores_N) // (8 * top))))
        candidates = np.flatnonzero(scores_N >= max(np.partition(peaks, -top)[-top], 0))
    else:
        candidates = np.arange(len(scores_N))
    candidates = candidates[scores_N[candidates] > 0]
    order = np.lexsort((tie_ranks_N[candidates], -scores_N[candidates]))
    return candidates[order[:top]]


def random_scores(n: int, generator: np.random.Generator) -> FloatArray:
    """Standard normal scores: the control every method must beat, shape (N,)."""
    return generator.standard_normal(n)


def random_same_label_scores(labels_N: IntArray, label: int, generator: np.random.Generator) -> FloatArray:
    """Random scores, positive for the query's label and negative for others: what the label alone explains, shape (N,)."""
    return np.abs(generator.standard_normal(len(labels_N))) * np.where(labels_N == label, 1.0, -1.0)


def _words(selection: WordSelection, index: TrainingIndex, query: Query) -> FloatArray:
    return index.word_scores(query, selection)


def _last(index: TrainingIndex, query: Query) -> FloatArray:
    scores = []
    for number, (rate, checkpoint) in enumerate(zip(index.learning_rates_C, query.checkpoints, strict=True)):
        features_NH, deltas_NY = index.last_layer(number)
        if checkpoint.features_H is None:
            raise QueryError("method 'tracin-last': this model has no last linear layer with one input per example")
        scores.append(rate * last_layer_scores(features_NH, deltas_NY, checkpoint.features_H, checkpoint.deltas_Y))
    return np.stack(scores)


def _random(index: TrainingIndex, query: Query) -> FloatArray:
    return _over_checkpoints(index, random_scores(len(index.labels_N), _generator("random", query)))


def _random_same_label(index: TrainingIndex, query: Query) -> FloatArray:
    generator = _generator("random-same-label", query)
    return _over_checkpoints(index, random_same_label_scores(index.labels_N, query.label, generator))


def _generator(method: str, query: Query) -> np.random.Generator:
    return np.random.default_rng(list(f"{method}\x1f{query.key}".encode()))


def _over_checkpoints(index: TrainingIndex, scores_N: FloatArray) -> FloatArray:
    count = len(index.learning_rates_C)
    return np.tile(scores_N / count, (count, 1))


def _word_method(id: str, title: str, about: str, source: str, selection: WordSelection) -> Method:
    return Method(id, title, about, source, partial(_words, selection), selection)


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
            "tracin-last",
            "TracIn on the last layer",
            "Inner products of the last linear layer's gradients, bias left out; it cannot be split over words.",
            "section 2, app. G",
            _last,
        ),
        Method(
            "random",
            "Random",
            "A control: random scores. A useful method finds better examples than this.",
            "control",
            _random,
        ),
        Method(
            "random-same-label",
            "Random, same label",
            "A control: random examples of the query's label as proponents, of other labels as opponents.",
            "control",
            _random_same_label,
        ),
    )
}


def get_method(id: str) -> Method:
    """The method of that id. Raises `QueryError` naming the methods there are."""
    if id not in METHODS:
        raise QueryError(f"unknown method {id!r}; choose one of {', '.join(METHODS)}")
    return METHODS[id]
