"""TracIn-WE for models trained by AdamW: what a step of Adam on an example does, not one of SGD.

With its running second moments frozen, Adam's step along a gradient g is η g / (√v̂ + ε), coordinate by coordinate. So
Σ_c η_c Σ_w ⟨g_w / (√v̂_w + ε), g'_w⟩ is TracIn-WE with one side scaled; the matrix between is diagonal, so it is the query that
is scaled here, and everything else is the index's own. Only the direction that this one example gives is meant: what the
running mean of earlier gradients adds, and decoupled weight decay, are the same step whatever the example.

Axes as in `index`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from influence.attribution.index import Strongest, WordIndex
from influence.attribution.matches import Matches
from influence.attribution.query import Query, WordSelection
from influence.errors import QueryError
from influence.formulas import adam_direction
from influence.types import FloatArray, IntArray


class AdamIndex:
    """Word scores of Adam's steps over a `WordIndex`; `moments` gives v̂ of a checkpoint's word embedding (V, D), or None."""

    def __init__(self, index: WordIndex, moments: Callable[[int], FloatArray | None]) -> None:
        found = [moments(number) for number in range(len(index.learning_rates_C))]
        if any(one is None for one in found):
            raise QueryError(
                "method 'tracin-we-adam': this workspace keeps no optimizer states; build it with --optimizer adamw "
                "--keep-optimizer"
            )
        self.index, self._moments_CVD = index, [one for one in found if one is not None]

    def word_scores(self, query: Query, selection: WordSelection) -> FloatArray:
        """Scores for every checkpoint and example, shape (C, N)."""
        return self.index.word_scores(self._scaled(query), selection)

    def word_scores_many(self, queries: Sequence[Query], selection: WordSelection) -> FloatArray:
        """`word_scores` of many queries, summed over checkpoints, shape (Q, N)."""
        return self.index.word_scores_many([self._scaled(query) for query in queries], selection)

    def strongest(
        self, query: Query, selection: WordSelection, tie_ranks_N: IntArray, top: int, *, leaving_out: int | None = None
    ) -> Strongest:
        """The strongest proponents and opponents, as `word_scores` would rank them."""
        return self.index.strongest(self._scaled(query), selection, tie_ranks_N, top, leaving_out=leaving_out)

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
