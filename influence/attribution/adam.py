"""TracIn-WE for models trained by AdamW: what a step of Adam on an example does, not one of SGD.

With its running second moments frozen, Adam's step along a gradient g is η g / (√v̂ + ε), coordinate by coordinate. So
Σ_c η_c Σ_w ⟨g_w / (√v̂_w + ε), g'_w⟩ is TracIn-WE with one side scaled; the matrix between is diagonal, so it is the query that
is scaled here, and everything else is the index's own. Only the direction that this one example gives is meant: what the
running mean of earlier gradients adds, and decoupled weight decay, are the same step whatever the example.

Axes as in `index`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from influence.attribution.matches import Matches
from influence.attribution.query import Query, WordSelection
from influence.errors import QueryError
from influence.formulas import adam_direction
from influence.types import FloatArray, IntArray

if TYPE_CHECKING:
    from influence.attribution.index import WordIndex
    from influence.attribution.live_model import PassIndex


def read_moments(moments: Callable[[int], FloatArray | None], checkpoints: int) -> list[FloatArray]:
    """v̂ of the word embedding (V, D) at every checkpoint. Raises `QueryError` where a workspace has not kept them."""
    found = [moments(number) for number in range(checkpoints)]
    if any(one is None for one in found):
        raise QueryError(
            "method 'tracin-we-adam': this workspace keeps no optimizer states; build it with --optimizer adamw --keep-optimizer"
        )
    return [one for one in found if one is not None]


class AdamIndex:
    """Word scores of Adam's steps over an index, or a pass that stands in for it, with v̂ of each checkpoint's embedding."""

    def __init__(self, index: "WordIndex | PassIndex", moments_CVD: Sequence[FloatArray]) -> None:
        self.index, self._moments_CVD = index, moments_CVD

    def word_scores(self, query: Query, selection: WordSelection) -> FloatArray:
        """Scores for every checkpoint and example, shape (C, N)."""
        return self.index.word_scores(self._scaled(query), selection)

    def word_scores_many(self, queries: Sequence[Query], selection: WordSelection) -> FloatArray:
        """`word_scores` of many queries, summed over checkpoints, shape (Q, N)."""
        return self.index.word_scores_many([self._scaled(query) for query in queries], selection)

    def matches(self, query: Query, examples_E: IntArray, selection: WordSelection) -> Matches:
        """Word contributions of the query with each of the chosen examples; they sum to the scores."""
        return self.index.matches(self._scaled(query), examples_E, selection)

    def _scaled(self, query: Query) -> Query:
        return replace(
            query,
            checkpoints=[
                one._replace(gradients_LD=adam_direction(one.gradients_LD, np.asarray(moments_VD[query.tokens_L])))
                for one, moments_VD in zip(query.checkpoints, self._moments_CVD, strict=True)
            ],
        )
