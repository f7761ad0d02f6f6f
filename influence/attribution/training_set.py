"""Everything that a method may ask about a training set, behind one door; what not every method needs is made when asked for.

Axes: N training examples, M queries, C checkpoints, H inputs of the last linear layer, Y labels, E chosen examples.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from influence.attribution.adam import AdamIndex, read_moments
from influence.attribution.index import WordIndex
from influence.attribution.matches import Matches, Strongest
from influence.attribution.query import MethodSettings, Query, WordSelection
from influence.attribution.synonyms import SynonymIndex
from influence.attribution.text_similarity import Bm25, TextSimilarity
from influence.formulas import extremes, hessian_solver, probabilities_of, with_bias_input
from influence.types import FloatArray, IntArray, Progress, silent

if TYPE_CHECKING:  # most methods read the index and should not wait for PyTorch to be imported
    from transformers import PreTrainedModel

    from influence.attribution.live_model import PassIndex
    from influence.gradients import GradientSettings

Made = TypeVar("Made")


@dataclass(frozen=True)
class Parts:
    """Where the parts come from that are not in the index; each is called when it is first needed."""

    texts: Callable[[], list[str]]  # of the training examples; both texts of a pair, one a line
    model: Callable[[int], "PreTrainedModel"]  # a checkpoint, read anew
    settings: Callable[[], "GradientSettings"]
    # v̂ of a checkpoint's word embedding (V, D), as Adam had it; None where it was not kept
    second_moments: Callable[[int], FloatArray | None] = lambda _: None


class TrainingSet:
    """The training side of every method."""

    def __init__(self, index: WordIndex, parts: Parts) -> None:
        self.index, self.parts = index, parts
        self.learning_rates_C, self.labels_N, self.alike = index.learning_rates_C, index.labels_N, index.alike
        self.progress: Progress = silent
        self._kept: dict[Any, Any] = {}

    def telling(self, progress: Progress) -> Self:
        """The same sources, with what they keep, that tell how far a slow answer is."""
        reporting = copy.copy(self)
        reporting.progress = progress
        return reporting

    def _once(self, key: Any, make: Callable[[], Made]) -> Made:
        if key not in self._kept:
            self._kept[key] = make()
        found: Made = self._kept[key]
        return found

    def over(self, place: int, places: int) -> "TrainingSet":
        """The same, whose strongest are sought in a share of the segments; see `WordIndex.over`."""
        return self._once(("share", place, places), lambda: TrainingSet(self.index.over(place, places), self.parts))

    def words(self, selection: WordSelection) -> "WordIndex | SynonymIndex | AdamIndex | PassIndex":
        """The index that a word method reads, or a pass where it counts positions that are not stored.

        Raises `QueryError` where Adam's states are needed and were not kept.
        """
        if selection.synonyms:
            return self._once("synonyms", self._synonyms)
        rows = self.index if selection.top_k or self.index.stores_all else self._pass()
        return AdamIndex(rows, self._once("moments", self._moments)) if selection.adam else rows

    def _pass(self) -> "PassIndex":
        from influence.attribution.live_model import PassIndex  # brings PyTorch

        return PassIndex(self.index, self.parts.model, self.parts.settings(), self.progress)

    def _moments(self) -> list[FloatArray]:
        return read_moments(self.parts.second_moments, len(self.learning_rates_C))

    def _synonyms(self) -> SynonymIndex:
        model = self.parts.model
        return SynonymIndex(self.index, lambda checkpoint: model(checkpoint).get_input_embeddings().weight.detach().numpy())

    def word_scores(self, query: Query, selection: WordSelection) -> FloatArray:
        """Scores over words, shape (C, N)."""
        return self.words(selection).word_scores(query, selection)

    def word_scores_many(self, queries: Sequence[Query], selection: WordSelection) -> FloatArray:
        """`word_scores` of many queries at once, summed over checkpoints, shape (M, N)."""
        return self.words(selection).word_scores_many(queries, selection)

    def strongest(
        self, query: Query, selection: WordSelection, tie_ranks_N: IntArray, top: int, *, leaving_out: int | None = None
    ) -> Strongest:
        """The `top` proponents and opponents by a word method, ties in order of `tie_ranks_N`, one example left out."""
        words = self.words(selection)
        if isinstance(words, WordIndex):
            return words.strongest(query, selection, tie_ranks_N, top, leaving_out=leaving_out)
        scores_CN = words.word_scores(query, selection)
        if leaving_out is not None:
            scores_CN[:, leaving_out] = 0
        one, other = extremes(scores_CN.sum(axis=0), tie_ranks_N, top)
        return Strongest(one, other, scores_CN.T[one], scores_CN.T[other])

    def matches(self, query: Query, examples_E: IntArray, selection: WordSelection) -> Matches:
        """Word contributions of the query with each of the chosen examples; they sum to the scores of `word_scores`."""
        return self.words(selection).matches(query, examples_E, selection)

    def last_layer(self, checkpoint: int) -> tuple[FloatArray, FloatArray] | None:
        """Inputs (N, H) of the last linear layer and loss gradients (N, Y) at its output; None: a model without one.

        Checkpoint -1 is the last, here and below.
        """
        return self.index.last_layer(checkpoint)

    def deltas(self, checkpoint: int) -> FloatArray:
        """Loss gradients (N, Y) at the logits."""
        return self.index.deltas(checkpoint)

    def inverse_hessian(self, gradient_YH: FloatArray, settings: MethodSettings) -> FloatArray:
        """(H + damping)⁻¹ gradient for the last layer at the last checkpoint."""
        solve = self._once(("hessian", settings.with_bias, settings.damping), lambda: self._solver(settings))
        return solve(gradient_YH)

    def _solver(self, settings: MethodSettings) -> Callable[[FloatArray], FloatArray]:
        found = self.last_layer(-1)
        assert found is not None  # the method has looked
        features_NH = with_bias_input(found[0]) if settings.with_bias else found[0]
        return hessian_solver(features_NH, probabilities_of(found[1], self.labels_N), damping=settings.damping)

    def text_similarities(self, query: Query) -> FloatArray:
        """tf-idf cosine of the query's text with every training text, shape (N,)."""
        found: TextSimilarity = self._once("tf-idf", lambda: TextSimilarity(self.parts.texts()))
        return found.to(query.text)

    def bm25(self, query: Query) -> FloatArray:
        """Okapi BM25 of every training text for the query's text, shape (N,)."""
        found: Bm25 = self._once("bm25", lambda: Bm25(self.parts.texts()))
        return found.to(query.text)

    def layer_influence_many(self, queries: Sequence[Query], layer: str, settings: MethodSettings) -> FloatArray:
        """The influence function of a layer at the last checkpoint, of many queries, shape (M, N); see `LayerCurvature`."""
        from influence.attribution.layer_scores import curvature_of, layer_influence

        model = self.parts.model(len(self.learning_rates_C) - 1)
        curvature = curvature_of(model, self.parts.settings(), self.index, layer, with_bias=settings.with_bias)
        key = (layer, settings.with_bias, settings.damping)
        held, solve = self._kept.get("factor", (None, None))
        if held != key:
            solve = curvature.solver(settings.damping, self.progress)
            self._kept["factor"] = (key, solve) if curvature.explicit else (None, None)  # one of them: it may take 400 MB
        return layer_influence(curvature, solve, self.index, queries, progress=self.progress)

    def layer_scores(self, query: Query, layer: str, settings: MethodSettings) -> FloatArray:
        """η_c ⟨∂ℓ/∂W, ∂ℓ'/∂W⟩ over the weights of the layers named but the word embedding, shape (C, N)."""
        return np.concatenate(list(self.layer_scores_many([query], layer, settings)))

    def layer_scores_many(self, queries: Sequence[Query], layer: str, settings: MethodSettings) -> Iterator[FloatArray]:
        """`layer_scores` of many queries with one pass of each checkpoint over the training set, shape (M, N) each."""
        from influence.attribution.layer_scores import layer_scores

        return layer_scores(
            self.parts.model,
            self.parts.settings(),
            self.index,
            queries,
            layer,
            with_bias=settings.with_bias,
            progress=self.progress,
        )
