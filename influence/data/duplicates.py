"""Texts that stand in a data set more than once, letter for letter or nearly.

Two texts are near duplicates when the sets of their words, capitals aside, have a Jaccard similarity (shared words over
all words of the two) of at least `NEAR`. No pair is missed: such texts must share
`SHARED` of their rarest few words (prefix filtering), so only pairs that do are compared in full.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from influence.data.examples import SIDES
from influence.types import IntArray

NEAR = 0.8
# A Chinese or Japanese text has no spaces: each of its characters counts as a word.
WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
MOST_CANDIDATES = 150_000_000  # pairs looked at; more are not worth the wait, and a random part of the texts says as much
SHARED = 2
CHUNK = 4_000_000


@dataclass(frozen=True)
class NearPairs:
    """Pairs of positions (first < second) that are near duplicates, among `compared` of the `of` different texts."""

    pairs_P2: IntArray
    compared: int
    of: int


def near_pairs(texts: Sequence[str], *, threshold: float = NEAR, seed: int = 0, most: int = MOST_CANDIDATES) -> NearPairs:
    """The pairs of texts whose word sets have a Jaccard similarity of at least `threshold`, equal texts left out.

    A pair is named by the first position of either text. Where more than `most` pairs would have to be looked at, a
    random part of the texts is compared (`compared` < `of`).
    """
    first: dict[str, int] = {}
    for position, text in enumerate(texts):
        first.setdefault(text, position)
    chosen_U = np.array(list(first.values()), dtype=np.int64)
    words = CountVectorizer(analyzer=_words, binary=True, dtype=np.int32)
    try:
        words_UV = words.fit_transform(first).tocsr()
    except ValueError:  # no text holds a word
        return NearPairs(np.empty((0, 2), np.int64), len(first), len(first))
    words_UV = _rarest_first(words_UV)
    prefixes_UV = _prefixes(words_UV, threshold)
    work = float((prefixes_UV.sum(axis=0).astype(np.float64) ** 2).sum())
    if work > most:
        # The work grows with the square of the number of texts.
        count = int(len(first) * (most / work) ** 0.5)
        part = np.sort(np.random.default_rng(seed).choice(len(first), size=count, replace=False))
        words_UV, prefixes_UV, chosen_U = words_UV[part], prefixes_UV[part], chosen_U[part]
    pairs_P2 = _similar(words_UV, prefixes_UV, threshold)
    return NearPairs(np.sort(chosen_U[pairs_P2], axis=1), len(chosen_U), len(first))


def _words(text: str) -> list[str]:
    """A text's words; those of a pair's second text are words of their own, so that both texts must be alike."""
    first, _, second = text.lower().partition(SIDES)
    return [*WORDS.findall(first), *(SIDES + word for word in WORDS.findall(second))]


def _rarest_first(words_UV: Any) -> Any:
    """The same matrix with its columns in order of frequency, so that a row's first entries are its rarest words."""
    frequency_V = np.asarray(words_UV.sum(axis=0)).ravel()
    place_V = np.argsort(np.argsort(frequency_V, kind="stable")).astype(np.int32)
    moved = sparse.csr_array((words_UV.data, place_V[words_UV.indices], words_UV.indptr), shape=words_UV.shape)
    moved.sort_indices()
    return moved


def _prefixes(words_UV: Any, threshold: float) -> Any:
    """Each row's first n − ⌈threshold · n⌉ + SHARED entries: two rows that are similar enough share SHARED of these."""
    sizes_U = np.diff(words_UV.indptr)
    keep_U = np.minimum(sizes_U, sizes_U - np.ceil(threshold * sizes_U - 1e-9).astype(np.int64) + SHARED)
    place_R = np.arange(words_UV.nnz) - np.repeat(words_UV.indptr[:-1], sizes_U)
    kept_R = place_R < np.repeat(keep_U, sizes_U)
    indptr = np.concatenate([[0], np.cumsum(keep_U)])
    return sparse.csr_array((words_UV.data[kept_R], words_UV.indices[kept_R], indptr), shape=words_UV.shape)


def _similar(words_UV: Any, prefixes_UV: Any, threshold: float) -> IntArray:
    sizes_U = np.diff(words_UV.indptr)
    by_word_VU = prefixes_UV.T.tocsr()
    candidates_U = prefixes_UV @ np.diff(by_word_VU.indptr)
    # So many rows at once that their candidates fit into memory.
    part_U = np.cumsum(candidates_U) // CHUNK
    found = [np.empty((0, 2), np.int64)]
    for part in np.unique(part_U):
        rows = np.flatnonzero(part_U == part)
        shared = (prefixes_UV[rows] @ by_word_VU).tocoo()
        left, right = rows[shared.row], shared.col.astype(np.int64)
        # Similar texts share this many words at least; where that is less than SHARED, the prefixes are the whole rows.
        needed = np.ceil(threshold * np.maximum(sizes_U[left], sizes_U[right]) - 1e-9)
        fits = (
            (left < right) & (shared.data >= np.minimum(needed, SHARED)) & (np.minimum(sizes_U[left], sizes_U[right]) >= needed)
        )
        left, right = left[fits], right[fits]
        for start in range(0, len(left), CHUNK // 16):
            a, b = left[start : start + CHUNK // 16], right[start : start + CHUNK // 16]
            both = np.asarray(words_UV[a].multiply(words_UV[b]).sum(axis=1)).ravel()
            alike = both >= threshold * (sizes_U[a] + sizes_U[b] - both) - 1e-9
            found.append(np.stack([a[alike], b[alike]], axis=1))
    return np.concatenate(found)
