"""TracIn-WE-Syn: words matched one to one with words of similar embedding, so that the most influence is matched (app. H).

At each checkpoint a kept word w of the query may meet a kept word w' of a training example if they are the same or the
cosine of their embeddings is above 0.7; a start or end token meets only itself. Each word meets at most one, and the
pairs are chosen to make the sum of |⟨∂ℓ/∂Θ_w, ∂ℓ'/∂Θ_w'⟩| as large as possible (eq. 8). The score is the signed sum over
the chosen pairs. Position gradients of a word that occurs twice are summed first, so without synonyms this is
TracIn-WE-Topk exactly.

Only examples that hold such a word are looked at. A word that meets just one other, and that one just it, needs no
choice; most of the rest is a word with several candidates that have no other match, where the largest wins. What is
left is solved example by example.

Axes as in `index`; U distinct tokens of the query, T tokens, X pairs of tokens in examples.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from influence.attribution.index import WordIndex
from influence.attribution.matches import Matches, merge_matches
from influence.attribution.query import Query, WordSelection
from influence.formulas import tracin_term, word_products
from influence.segments import TOP, row_blocks
from influence.types import BoolArray, FloatArray, IntArray

SYNONYM_COSINE = 0.7


class Pairs(NamedTuple):
    """Words of the query that may meet words of an example; one entry a pair and example."""

    examples_X: IntArray
    query_X: IntArray  # which of the query's distinct tokens
    tokens_X: IntArray
    products_X: FloatArray  # inner product of the two words' gradients, without learning rate


class SynonymIndex:
    """Word scores with synonyms over a `WordIndex`; `embedding` gives a checkpoint's word embeddings (V, D)."""

    def __init__(self, index: WordIndex, embedding: Callable[[int], FloatArray], threshold: float = SYNONYM_COSINE) -> None:
        self.index, self.threshold = index, threshold
        self._embedding = embedding
        self._units: dict[int, FloatArray] = {}

    def word_scores(self, query: Query, selection: WordSelection) -> FloatArray:
        """Σ η_c ⟨∂ℓ/∂Θ_w, ∂ℓ'/∂Θ_w'⟩ over the matched words, for every checkpoint and example, shape (C, N) (eq. 8)."""
        index = self.index
        scores_CN = np.zeros((len(index.learning_rates_C), len(index.encoding)))
        for number, rate in enumerate(index.learning_rates_C):
            _, _, tokens_U, gradients_UD = index.token_kinds.words(query, number, selection)
            if not len(tokens_U):
                continue
            query_X, tokens_X = np.nonzero(self._alike(number, tokens_U, None, selection))
            pairs = self._in_blocks(number, gradients_UD, query_X, tokens_X)
            chosen = one_to_one(pairs)
            sums_N = np.bincount(pairs.examples_X[chosen], pairs.products_X[chosen], minlength=len(index.encoding))
            scores_CN[number] = tracin_term(rate, sums_N.astype(np.float64, copy=False))
        return index.alike.tie(scores_CN)

    def word_scores_many(self, queries: Sequence[Query], selection: WordSelection) -> FloatArray:
        """`word_scores` of many queries, summed over checkpoints, shape (Q, N)."""
        return np.stack([self.word_scores(query, selection).sum(axis=0) for query in queries])

    def matches(self, query: Query, examples_E: IntArray, selection: WordSelection) -> Matches:
        """Contributions of the matched words of the query and each of the chosen examples; they sum to the scores."""
        index, found = self.index, []
        for number in np.flatnonzero(index.learning_rates_C).tolist():
            _, positions_K, tokens_U, gradients_UD = index.token_kinds.words(query, number, selection)
            rows_R, chosen_R, gradients_RD = self._rows_of(number, examples_E)
            tokens_T, place_R = np.unique(index.encoding.tokens_R[rows_R], return_inverse=True)
            at, of = np.nonzero(self._alike(number, tokens_U, tokens_T, selection)[:, place_R].T)
            pairs = _summed(
                chosen_R[at], of, tokens_T[place_R[at]], word_products(gradients_UD[of], gradients_RD[at]), len(tokens_U)
            )
            taken_X = one_to_one(pairs)
            keys = _keys(pairs.examples_X[taken_X], pairs.query_X[taken_X], pairs.tokens_X[taken_X], len(tokens_U))
            # The matched words again, now position by position.
            own_K = np.searchsorted(tokens_U, query.tokens_L[positions_K])
            met = np.isin(_keys(chosen_R[:, None], own_K, tokens_T[place_R][:, None], len(tokens_U)), keys)
            row, position = np.nonzero(met)
            positions_X = positions_K[position]
            found.append(index.contributions(query, number, positions_X, rows_R[row], gradients_RD[row], chosen_R[row]))
        return merge_matches(found, len(examples_E), len(index.learning_rates_C))

    def _rows_of(self, number: int, examples_E: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """The kept token rows of some examples, which of these each is of, and its gradient; in order of the examples."""
        found = []
        for segment, places, chosen in self.index.split.holding(examples_E):
            postings = self.index.postings(segment, number, TOP)
            rows_X, owners_X = postings.of_examples(chosen)
            found.append((self.index.rows_of(segment, postings, rows_X), places[owners_X], postings.rows(rows_X)))
        rows_R, chosen_R, gradients_RD = (np.concatenate(column) for column in zip(*found, strict=True))
        order_R = np.argsort(chosen_R, kind="stable")
        return rows_R[order_R], chosen_R[order_R], gradients_RD[order_R]

    def _alike(self, number: int, tokens_U: IntArray, tokens_T: IntArray | None, selection: WordSelection) -> BoolArray:
        """Whether tokens of the query may meet tokens of an example (None: all there are), shape (U, T)."""
        if number not in self._units:
            embedding_VD = self._embedding(number)
            norms_V = np.linalg.norm(embedding_VD, axis=1, keepdims=True)
            self._units[number] = embedding_VD / np.where(norms_V > 0, norms_V, 1)
        units_VD = self._units[number]
        others_T = np.arange(len(units_VD)) if tokens_T is None else tokens_T
        alike_UT = units_VD[tokens_U] @ (units_VD if tokens_T is None else units_VD[tokens_T]).T > self.threshold
        special_V = self.index.token_kinds.special_V
        alike_UT &= ~(special_V[tokens_U][:, None] | special_V[others_T])  # start and end tokens are like nothing else
        alike_UT |= tokens_U[:, None] == others_T
        if selection.special_tokens != "include":
            alike_UT &= special_V[others_T] == (selection.special_tokens == "only")
        return np.asarray(alike_UT)

    def _in_blocks(self, number: int, gradients_UD: FloatArray, query_X: IntArray, tokens_X: IntArray) -> Pairs:
        found = []
        for segment in self.index.split.segments:
            postings = self.index.postings(segment, number, TOP)
            words = list(zip(query_X.tolist(), tokens_X.tolist(), strict=True))
            for (of, token), rows_PD, examples_P in row_blocks(postings, tokens_X, words):
                same_P, token_P = np.full(len(examples_P), of), np.full(len(examples_P), token)
                products_P = word_products(gradients_UD[of], rows_PD)
                numbers_P = segment.start + examples_P.astype(np.int64)
                found.append(_summed(numbers_P, same_P, token_P, products_P, len(gradients_UD)))
        if not found:
            return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def one_to_one(pairs: Pairs) -> BoolArray:
    """Which pairs to take, so that no word of either side is in two and the sum of |product| is largest (eq. 8)."""
    words = int(pairs.query_X.max(initial=0)) + 1
    left_X = _count(pairs.examples_X.astype(np.int64) * words + pairs.query_X)
    right_X = _count((pairs.examples_X.astype(np.int64) << 32) | pairs.tokens_X)
    sizes_X = np.abs(pairs.products_X)
    chosen: BoolArray = (left_X.counts_X == 1) & (right_X.counts_X == 1)
    settled = chosen.copy()
    for own, other in ((left_X, right_X), (right_X, left_X)):
        # A word whose candidates all have no other: the largest wins.
        star_G = np.ones(own.groups, dtype=np.bool_)
        star_G[own.group_X[other.counts_X > 1]] = False
        star_X = star_G[own.group_X] & ~settled
        at = np.flatnonzero(star_X)
        order = at[np.lexsort((-sizes_X[at], own.group_X[at]))]
        chosen[order[np.flatnonzero(np.diff(own.group_X[order], prepend=-1))]] = True
        settled |= star_X
    rest = np.flatnonzero(~settled)
    rest = rest[np.argsort(pairs.examples_X[rest], kind="stable")]
    edges = np.flatnonzero(np.diff(pairs.examples_X[rest])) + 1
    for group in np.split(rest, edges) if len(rest) else ():
        chosen[group[_assigned(left_X.group_X[group], right_X.group_X[group], sizes_X[group])]] = True
    return chosen


class _Counted(NamedTuple):
    group_X: IntArray
    counts_X: IntArray
    groups: int


def _count(keys_X: IntArray) -> _Counted:
    _, group_X, counts_G = np.unique(keys_X, return_inverse=True, return_counts=True)
    return _Counted(group_X, counts_G[group_X], len(counts_G))


def _assigned(left_X: IntArray, right_X: IntArray, sizes_X: FloatArray) -> BoolArray:
    from scipy.optimize import linear_sum_assignment

    _, rows_X = np.unique(left_X, return_inverse=True)
    _, columns_X = np.unique(right_X, return_inverse=True)
    sizes = np.zeros((rows_X.max() + 1, columns_X.max() + 1))
    sizes[rows_X, columns_X] = sizes_X
    taken = np.zeros_like(sizes, dtype=np.bool_)
    taken[linear_sum_assignment(sizes, maximize=True)] = True
    return np.asarray(taken[rows_X, columns_X])


def _summed(examples_X: IntArray, query_X: IntArray, tokens_X: IntArray, products_X: FloatArray, words: int) -> Pairs:
    """Products of a word's positions summed, in order of example, word and token; `words` the query has."""
    keys_X = _keys(examples_X, query_X, tokens_X, words)
    order = np.argsort(keys_X, kind="stable")
    first = np.flatnonzero(np.diff(keys_X[order], prepend=-1))
    summed = np.add.reduceat(products_X[order].astype(np.float64), first) if len(first) else np.zeros(0)
    return Pairs(examples_X[order[first]], query_X[order[first]], tokens_X[order[first]], summed)


def _keys(examples_X: IntArray, query_X: IntArray, tokens_X: IntArray, words: int) -> IntArray:
    """One number for an example, a word of the query's `words` and a token, in that order."""
    keys_X: IntArray = (examples_X.astype(np.int64) * words + query_X) << 32 | tokens_X
    return keys_X
