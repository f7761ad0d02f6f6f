"""How chosen training examples pull at each other, word by word: one matrix product for every word that they share.

A score between two examples is a sum over the words that both hold (eqs. 3 to 6), so E examples are compared by going
through the words once; only the gradients of these examples are read, a slice of them at a time.

Axes: E chosen examples, R token rows of the training set, X of those the rows that count, K examples that hold one word,
D embedding width, C checkpoints, F = C x D.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from influence.attribution import WordIndex
from influence.clusters.settings import WE, WE_TOPK
from influence.errors import SettingsError
from influence.formulas import tracin_term, word_gradients, word_products
from influence.segments import REST, TOP
from influence.types import FloatArray, IntArray, Progress, StageKind, silent

SLICE_BYTES = 64 << 20  # of gradients in memory at a time


class Products(NamedTuple):
    """What one word adds to the scores of the examples that hold it, over all checkpoints, learning rates included."""

    key: int  # of the word, as given
    places_K: IntArray  # of the examples among the chosen, in order
    products_KK: FloatArray


class Pull(NamedTuple):
    """Scores between every two of the chosen examples, shape (E, E), self-influence on the diagonal."""

    scores_EE: FloatArray
    special_EE: FloatArray  # the part that start and end tokens carry

    def scales_E(self) -> FloatArray:
        """1 / square root of every example's self-influence, 0 where it has none."""
        self_E = np.clip(np.diagonal(self.scores_EE).astype(np.float64), 0, None)
        scales_E: FloatArray = np.divide(1, np.sqrt(self_E), out=np.zeros_like(self_E), where=self_E > 0)
        return scales_E

    def normalised(self, values_EE: FloatArray) -> FloatArray:
        """Scores, or a part of them, over the geometric mean of the two self-influences, shape (E, E)."""
        scales_E = self.scales_E()
        return values_EE * scales_E[:, None] * scales_E


def method_to_use(index: WordIndex, method: str | None) -> str:
    """The method asked for; without one `tracin-we`, as in the paper, or `tracin-we-topk` where only the top k are stored.

    Raises `SettingsError` for `tracin-we` where only the top k are stored.
    """
    if method == WE and not index.stores_all:
        raise SettingsError(
            f"--method {WE}: this workspace stores the gradients of the top-k positions only; "
            f"use --method {WE_TOPK}, or build it again with --index all"
        )
    return method or (WE if index.stores_all else WE_TOPK)


def pull(index: WordIndex, positions_E: IntArray, method: str, progress: Progress = silent) -> Pull:
    """Influence between every two of some training examples by one of `METHOD_CHOICES`; a word is a token here."""
    n = len(positions_E)
    found = Pull(np.zeros((n, n), dtype=np.float32), np.zeros((n, n), dtype=np.float32))
    for one in products(index, positions_E, np.asarray(index.encoding.tokens_R), method, progress):
        for scores_EE in (found.scores_EE, found.special_EE)[: 2 if index.token_kinds.special_V[one.key] else 1]:
            if len(one.places_K) == n:
                scores_EE += one.products_KK
            else:
                scores_EE[np.ix_(one.places_K, one.places_K)] += one.products_KK
    return found


def products(
    index: WordIndex,
    positions_E: IntArray,
    keys_R: IntArray,
    method: str,
    progress: Progress = silent,
    *,
    stage: str = StageKind.DISTANCES,
    holders: int = 1,
) -> Iterator[Products]:
    """For every key that `holders` examples or more hold, the products of these; rows with a key below 0 are left out.

    `keys_R` says for every token row of the training set which word it belongs to. Gradients of one key in an example
    are summed before any product is taken.
    """
    n, encoding = len(positions_E), index.encoding
    if n == 0:
        return
    bounds_E2 = np.stack([encoding.offsets_N1[positions_E], encoding.offsets_N1[positions_E + 1]], axis=1).tolist()
    rows_X = np.concatenate([np.arange(first, end) for first, end in bounds_E2])
    places_X = np.repeat(np.arange(n), [end - first for first, end in bounds_E2])
    both_X = keys_R[rows_X].astype(np.int64) * n + places_X
    order_X = np.lexsort((rows_X, both_X))
    order_X = order_X[np.searchsorted(both_X[order_X], 0) :]
    rows_X, both_X = rows_X[order_X], both_X[order_X]
    gradients = _Gradients(index, method)
    for at in _slices(both_X // n, SLICE_BYTES // (4 * gradients.width)):
        both_U, sums_UF = _sums(both_X[at], gradients.of_rows(rows_X[at]))
        keys_U, places_U = np.divmod(both_U, n)
        scaled_UF = gradients.scaled(sums_UF)
        for start, stop in pairwise([*np.flatnonzero(np.diff(keys_U, prepend=-1)).tolist(), len(keys_U)]):
            if stop - start >= holders:
                products_KK = word_products(scaled_UF[start:stop], sums_UF[start:stop], each_with_each=True)
                yield Products(int(keys_U[start]), places_U[start:stop], products_KK)
        progress(stage, at.stop, len(rows_X))


def _sums(words_X: IntArray, gradients_XF: FloatArray) -> tuple[IntArray, FloatArray]:
    """`word_gradients` of words in order; few occur more than once, and only those take its slow sums."""
    words_U, starts_U, counts_U = np.unique(words_X, return_index=True, return_counts=True)
    sums_UF = gradients_XF[starts_U]
    many_X = np.flatnonzero(np.repeat(counts_U > 1, counts_U))
    if len(many_X):
        sums_UF[counts_U > 1] = word_gradients(words_X[many_X], gradients_XF[many_X])[1]
    return words_U, sums_UF


class _Gradients:
    """Gradients of the chosen examples' token rows at all checkpoints, side by side; 0 where the method leaves a row out."""

    def __init__(self, index: WordIndex, method: str) -> None:
        names = (TOP,) if method == WE_TOPK else (TOP, REST)
        self._index, self._names = index, names
        self._rates_C, self._depth = index.learning_rates_C, index.width

    @property
    def width(self) -> int:
        """Numbers a row: embedding width times checkpoints."""
        return self._depth * len(self._rates_C)

    def of_rows(self, rows_X: IntArray) -> FloatArray:
        """The gradients of these rows, shape (X, checkpoints x embedding width)."""
        found_XCD = np.zeros((len(rows_X), len(self._rates_C), self._depth), dtype=np.float32)
        for number in range(len(self._rates_C)):
            found_XCD[:, number] = self._index.gradients_of(rows_X, number, self._names)
        return found_XCD.reshape(len(rows_X), self.width)

    def scaled(self, sums_UF: FloatArray) -> FloatArray:
        """The same, each checkpoint times its learning rate."""
        scaled_UF = np.empty_like(sums_UF)
        for number, rate in enumerate(self._rates_C):
            at = slice(number * self._depth, (number + 1) * self._depth)
            scaled_UF[:, at] = tracin_term(np.float32(rate), sums_UF[:, at])
        return scaled_UF


def _slices(keys_X: IntArray, size: int) -> Iterator[slice]:
    """Slices of at least `size` rows, but the last, that do not part the rows of a key; `keys_X` are in order."""
    start = 0
    while start < len(keys_X):
        stop = min(start + max(size, 1), len(keys_X))
        stop = int(np.searchsorted(keys_X, keys_X[stop - 1], side="right"))
        yield slice(start, stop)
        start = stop
