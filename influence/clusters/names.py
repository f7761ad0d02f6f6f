"""The words that a cluster is called by: those that pull its members together and that tell it from the other texts.

    score of a word = its share of the members' pull x log(share of the members that hold it / share of all texts that do)

The pull of a pair is its influence score divided by the geometric mean of the two self-influences, so that every pair
counts alike and a cluster's mean pull is 1 - its mean influence distance. A word is a whole word in lower case as a reader
sees it ("doesn't", not "doesn" or "t"), no punctuation, and pulls only where both texts hold it; function words name a cluster
only where no other word does, and they are several times as frequent as elsewhere. Exact for every cluster of the dendrogram:
a pair is counted once, at the join that brings it together, and a join inherits what its two parts have counted.

Axes: E clustered examples, J joins, K examples that hold one word, V words.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from influence.attribution import WordIndex
from influence.clusters.dendrogram import Dendrogram
from influence.clusters.pairs import Pull, products
from influence.data import SPECIAL_SIDE, is_function_word, whole_span
from influence.models import Encoding
from influence.types import BoolArray, FloatArray, IntArray, Progress, StageKind, silent

NAME_WORDS = 5  # kept as a cluster's name
LEAST_SHARE = 0.01  # of the pull; a word that carries less names nothing
LEAST_HOLDERS = 1 / 3  # of the members, two at least, that hold a word which names them
FREQUENT = 0.1  # of all texts; a word that more of them hold counts as a stop word, as "film" does among reviews of films
COMMON_FACTOR = 3  # a function word must be this many times as frequent in a cluster as elsewhere: "not" or "too", never "the"
SIGNS = frozenset(["amp", "nbsp"])  # spelt out
MOST_TEXTS = 20_000  # looked at for how common a word is
MOST_WAITING = 4_000_000  # values of pairs in memory before they are added up
NO_WORD = -1


class Vocabulary(NamedTuple):
    """The words that may name a cluster."""

    words_V: list[str]
    keys_R: IntArray  # for every token row of the training set: word x number of tokens + token; below 0 names nothing
    tokens: int  # number of token ids
    held_E: list[IntArray]  # the words of each clustered example
    shares_V: FloatArray  # of all texts, that hold the word; above 0
    common_V: BoolArray  # function words, and words as frequent as these


class Tally(NamedTuple):
    """What the words of a join have come to so far, in order of word."""

    words_V: IntArray
    pull_V: FloatArray  # sums over pairs of members
    holders_V: IntArray  # members that hold it


def text_words(encoding: Encoding, examples: pd.DataFrame) -> Iterator[list[str]]:
    """The whole words of examples (position, text, text_pair) in lower case, in order; start and end tokens are empty."""
    for position, *sides in zip(examples["position"].tolist(), examples["text"], examples["text_pair"], strict=True):
        rows = slice(*encoding.word_offsets_N1[position : position + 2].tolist())
        spans = zip(encoding.word_sides_W[rows], encoding.word_starts_W[rows], encoding.word_ends_W[rows], strict=True)
        yield ["" if side == SPECIAL_SIDE else _whole(str(sides[side]), start, end) for side, start, end in spans]


def _whole(text: str, start: int, end: int) -> str:
    start, end = whole_span(text, int(start), int(end))
    return text[start:end].lower()


def vocabulary(
    index: WordIndex, positions_E: IntArray, words_E: Iterable[Sequence[str]], others: Iterable[Sequence[str]]
) -> Vocabulary:
    """The words of the clustered examples; `others` are the words of texts that say how common each is."""
    number_of: dict[str, int] = {}
    encoding, tokens = index.encoding, len(index.token_kinds.special_V)
    keys_R = np.full(len(encoding.tokens_R), NO_WORD, dtype=np.int64)
    held_E = []
    for position, words in zip(positions_E.tolist(), words_E, strict=True):
        numbers_W = np.array([number_of.setdefault(word, len(number_of)) if _names(word) else NO_WORD for word in words])
        rows = slice(*encoding.offsets_N1[position : position + 2].tolist())
        of_rows = numbers_W[encoding.words_R[rows]]
        keys_R[rows] = np.where(of_rows == NO_WORD, NO_WORD, of_rows * tokens + encoding.tokens_R[rows])
        held_E.append(np.unique(numbers_W[numbers_W != NO_WORD]))
    counts_V, texts = np.ones(len(number_of)), 1  # as if one text more held them all: no share is 0
    for other in others:
        texts += 1
        counts_V[[number_of[word] for word in set(other) if word in number_of]] += 1
    shares_V = counts_V / texts
    common_V = np.array([is_function_word(word) for word in number_of], dtype=np.bool_) | (shares_V > FREQUENT)
    return Vocabulary(list(number_of), keys_R, tokens, held_E, shares_V, common_V)


def _names(word: str) -> bool:
    """Whether a word could say anything: no punctuation, no single letter or digit of ours, no spelt-out sign."""
    return any(map(str.isalnum, word)) and not (len(word) == 1 and word.isascii()) and word not in SIGNS


def join_names(
    tree: Dendrogram,
    pull: Pull,
    index: WordIndex,
    positions_E: IntArray,
    words: Vocabulary,
    *,
    method: str,
    max_height: float,
    progress: Progress = silent,
) -> list[list[str]]:
    """The words of every join, the best first, at most `NAME_WORDS`; none for joins above `max_height`."""
    named = int(np.searchsorted(tree.heights_J, max_height, side="right"))
    own = _met_at(tree, pull, index, positions_E, words, method, named, progress)
    totals_J = join_sums(tree, pull.normalised(pull.scores_EE))
    tallies: dict[int, Tally] = {}
    names = []
    n = len(positions_E)
    for join in range(named):
        parts = [own.get(join, _leaf(np.zeros(0, dtype=np.int64)))]
        for child in tree.children_J2[join].tolist():
            parts.append(tallies.pop(child - n) if child >= n else _leaf(words.held_E[child], holders=1))
        tallies[join] = together = _added(parts)
        names.append(best_words(together, words, float(totals_J[join]), int(tree.sizes_J[join])))
    return names + [[] for _ in range(len(tree.heights_J) - named)]


def best_words(tally: Tally, words: Vocabulary, total: float, size: int) -> list[str]:
    """The words of largest score, see the top of the module; ties by the alphabet."""
    factors_V = tally.holders_V / size / words.shares_V[tally.words_V]
    shares_V = tally.pull_V / total if total > 0 else np.zeros(len(tally.words_V))
    held_V = tally.holders_V >= max(2, LEAST_HOLDERS * size)
    common_V = words.common_V[tally.words_V]
    likely_V = held_V & (factors_V > np.where(common_V, COMMON_FACTOR, 1)) & (shares_V >= LEAST_SHARE)
    if (likely_V & ~common_V).any():
        likely_V &= ~common_V
    scores_V = shares_V * np.log(factors_V)
    # Rounded: sums of the same numbers in another order must not turn a tie into an order.
    found = [(-float(f"{scores_V[at]:.6g}"), words.words_V[tally.words_V[at]]) for at in np.flatnonzero(likely_V).tolist()]
    return [word for _, word in sorted(found)[:NAME_WORDS]]


def join_sums(tree: Dendrogram, values_EE: FloatArray) -> FloatArray:
    """For every join the sum of a symmetric matrix over all pairs of its members, shape (J,)."""
    upper = np.triu_indices(len(tree.order_E), 1)
    met_at = tree.meeting_EE()[upper]
    ordered_EE = values_EE[np.ix_(tree.order_E, tree.order_E)]
    sums_J = _summed(met_at, ordered_EE[upper], len(tree.heights_J))
    n = len(tree.order_E)
    for join, children in enumerate(tree.children_J2.tolist()):
        sums_J[join] += sum(sums_J[child - n] for child in children if child >= n)
    return sums_J


def _met_at(
    tree: Dendrogram,
    pull: Pull,
    index: WordIndex,
    positions_E: IntArray,
    words: Vocabulary,
    method: str,
    named: int,
    progress: Progress,
) -> dict[int, Tally]:
    """For every join below `named` that brings together pairs with a word in common: what each word carries between them."""
    place_E, size = np.argsort(tree.order_E), max(len(words.words_V), 1)
    meeting_EE, scale_E = tree.meeting_EE(), pull.scales_E()
    found, pairs = _Sums(), products(index, positions_E, words.keys_R, method, progress, stage=StageKind.NAMES, holders=2)
    for one in pairs:
        first, second = _pairs(len(one.places_K))
        a, b = one.places_K[first], one.places_K[second]
        joins_P = meeting_EE[place_E[a], place_E[b]]
        low_P = joins_P < named
        values_P = one.products_KK[first, second] * scale_E[a] * scale_E[b]
        found.add(joins_P[low_P].astype(np.int64) * size + one.key // words.tokens, values_P[low_P])
    keys_U, sums_U = found.sums()
    joins_U, words_U = np.divmod(keys_U, size)
    return {join: Tally(words_U[at], sums_U[at], np.zeros(at.stop - at.start, dtype=np.int64)) for join, at in _runs(joins_U)}


@lru_cache(maxsize=256)
def _pairs(count: int) -> tuple[IntArray, IntArray]:
    return np.triu_indices(count, 1)


class _Sums:
    """Sums by key of values that come in pieces, added up whenever many have come."""

    def __init__(self) -> None:
        self._keys: list[IntArray] = [np.zeros(0, dtype=np.int64)]
        self._values: list[FloatArray] = [np.zeros(0)]
        self._waiting = 0

    def add(self, keys_P: IntArray, values_P: FloatArray) -> None:
        """More values, one for each key."""
        self._keys.append(keys_P)
        self._values.append(values_P)
        self._waiting += len(keys_P)
        if self._waiting > MOST_WAITING:
            keys_U, sums_U = self.sums()
            self._keys, self._values, self._waiting = [keys_U], [sums_U], 0

    def sums(self) -> tuple[IntArray, FloatArray]:
        """The keys in order, and the sum of each."""
        keys_U, at_X = np.unique(np.concatenate(self._keys), return_inverse=True)
        return keys_U, _summed(at_X, np.concatenate(self._values), len(keys_U))


def _runs(values_U: IntArray) -> Iterator[tuple[int, slice]]:
    """The stretches of equal values of an array in order."""
    for start, stop in pairwise([*np.flatnonzero(np.diff(values_U, prepend=-1)).tolist(), len(values_U)]):
        yield int(values_U[start]), slice(start, stop)


def _leaf(words_V: IntArray, *, holders: int = 0) -> Tally:
    return Tally(words_V, np.zeros(len(words_V)), np.full(len(words_V), holders))


def _added(parts: Sequence[Tally]) -> Tally:
    """The sums, word by word."""
    words_V, at = np.unique(np.concatenate([part.words_V for part in parts]), return_inverse=True)
    pull_V = _summed(at, np.concatenate([part.pull_V for part in parts]), len(words_V))
    holders_V = _summed(at, np.concatenate([part.holders_V for part in parts]), len(words_V))
    return Tally(words_V, pull_V, holders_V.astype(np.int64))


def _summed(at_X: IntArray, values_X: FloatArray | IntArray, size: int) -> FloatArray:
    # Of no values at all bincount makes integers.
    return np.bincount(at_X, weights=values_X, minlength=size).astype(np.float64, copy=False)
