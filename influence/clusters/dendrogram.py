"""Clusters of examples by influence distance: every cluster that any threshold can give, found once (appendix A).

Average linkage joins the two closest groups again and again. Each join is a node: the clusters at a threshold are the
nodes at or below it whose parent lies above it, and a node's members stand side by side in one order of the examples.
So cutting at another threshold is a look-up. A join is named by the words that carry the influence between its pairs.

Axes: E examples to cluster, J joins (E - 1).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from influence.types import FloatArray, IntArray, Progress, StageKind, silent

SMALL = 4  # fewer points than this have no map worth computing
PERPLEXITY = 30.0
MAP_STEPS = 500  # of t-SNE; twice as many change little that can be seen
PAIR_WORDS = 5  # words noted for a pair, as in the paper
NAME_WORDS = 5  # words kept as a cluster's name
JOIN_PAIRS = 100  # pairs looked at in one join; more are counted by a sample of that size
PairWords = Callable[[int, IntArray], list[list[tuple[str, float]]]]  # an example, others: (word, score) for each pair


class Dendrogram(NamedTuple):
    """All joins, in order of height; a child below E is a single example, child E + j is join j."""

    order_E: IntArray  # the examples, such that the members of every join stand side by side
    children_J2: IntArray
    heights_J: FloatArray  # mean influence distance between the members of the two children
    parent_heights_J: FloatArray  # height of the join that this one is part of; infinity at the top
    first_J: IntArray  # place in `order_E` of the join's first member
    sizes_J: IntArray

    def members(self, join: int) -> IntArray:
        """The examples in a join."""
        members: IntArray = self.order_E[self.first_J[join] : self.first_J[join] + self.sizes_J[join]]
        return members

    def cut(self, threshold: float, min_size: int) -> IntArray:
        """The joins that are the clusters at a threshold, of at least `min_size` (2 or more) members."""
        inside_J = (self.heights_J <= threshold) & (self.parent_heights_J > threshold) & (self.sizes_J >= min_size)
        return np.flatnonzero(inside_J)


def influence_distances(scores_EE: FloatArray) -> FloatArray:
    """max(1 - I(a,b) / sqrt(I(a,a) I(b,b)), 0), shape (E, E): 0 the strongest proponents, 1 or more no pull or a push.

    `scores_EE` holds influence scores with self-influence on the diagonal; an example without any is at distance 1 from
    all others (appendix A). Above 1 the two push apart; the diagonal is 0.
    """
    self_E = np.clip(np.diagonal(scores_EE), 0, None)
    scale_EE = np.sqrt(self_E[:, None] * self_E[None, :])
    symmetric_EE = (scores_EE + scores_EE.T) / 2  # one matrix product may round differently from the other way round
    shares_EE = np.divide(symmetric_EE, scale_EE, out=np.zeros_like(scale_EE), where=scale_EE > 0)
    distances_EE: FloatArray = np.maximum(1 - shares_EE, 0)
    np.fill_diagonal(distances_EE, 0)
    return distances_EE


def dendrogram(distances_EE: FloatArray) -> Dendrogram:
    """Average linkage over a distance matrix."""
    n = len(distances_EE)
    if n < 2:
        none = np.zeros(0, dtype=np.int64)
        return Dendrogram(np.arange(n), none.reshape(0, 2), np.zeros(0), np.zeros(0), none, none)
    joins = linkage(squareform(distances_EE, checks=False), method="average")
    children_J2 = joins[:, :2].astype(np.int64)
    sizes_J, heights_J = joins[:, 3].astype(np.int64), joins[:, 2]
    parent_heights = np.full(2 * n - 1, np.inf)
    first = np.zeros(2 * n - 1, dtype=np.int64)
    sizes = np.concatenate([np.ones(n, dtype=np.int64), sizes_J])
    for join in range(n - 2, -1, -1):  # from the top down, so a parent's place is known before its children's
        left, right = children_J2[join]
        first[left] = first[n + join]
        first[right] = first[n + join] + sizes[left]
        parent_heights[[left, right]] = heights_J[join]
    return Dendrogram(np.argsort(first[:n]), children_J2, heights_J, parent_heights[n:], first[n:], sizes_J)


def flat_map(distances_EE: FloatArray, seed: int) -> FloatArray:
    """A place in the plane for every example, close ones together, shape (E, 2): t-SNE on the distances.

    Only which points are near each other means anything; the axes and the distances between groups do not.
    """
    n = len(distances_EE)
    if n < SMALL:
        return np.stack([np.arange(n, dtype=np.float64), np.zeros(n)], axis=1)
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (n - 1) / 3)
    layout = TSNE(metric="precomputed", init="random", perplexity=perplexity, max_iter=MAP_STEPS, random_state=seed)
    places_E2: FloatArray = layout.fit_transform(distances_EE).astype(np.float64)
    return places_E2


def cluster_words(
    tree: Dendrogram, pair_words: PairWords, *, max_height: float, seed: int, progress: Progress = silent
) -> list[list[str]]:
    """The name of every join: its words by the number of pairs they were noted for, then by their summed score.

    `pair_words` gives the words that two examples share with their contributions. Joins above `max_height` are left
    unnamed: they hold what no threshold of interest puts together.
    """
    named = int(np.searchsorted(tree.heights_J, max_height, side="right"))
    noted: list[Counter[str]] = [Counter() for _ in range(named)]
    scores: list[Counter[str]] = [Counter() for _ in range(named)]
    for join, weight, words in _noted_pairs(tree, named, pair_words, seed, progress):
        for word, score in words:
            noted[join][word] += weight  # type: ignore[assignment]  # a sample's weight need not be whole
            scores[join][word] += weight * score  # type: ignore[assignment]
    names = []
    n = len(tree.order_E)
    for join in range(named):
        for child in tree.children_J2[join]:
            if child >= n:
                noted[join].update(noted[child - n])
                scores[join].update(scores[child - n])
        names.append(best_words(noted[join], scores[join]))
    return names + [[] for _ in range(len(tree.heights_J) - named)]


def best_words(noted: Mapping[str, float], scores: Mapping[str, float]) -> list[str]:
    """The words noted for most pairs, ties by summed score and then by the alphabet."""
    return sorted(noted, key=lambda word: (-noted[word], -scores[word], word))[:NAME_WORDS]


def top_words(words: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The words that contribute most to a pair's score; only those that pull together."""
    summed: dict[str, float] = {}
    for word, score in words:
        summed[word] = summed.get(word, 0.0) + score
    ranked = sorted(summed.items(), key=lambda item: (-item[1], item[0]))
    return [(word, score) for word, score in ranked[:PAIR_WORDS] if score > 0]


def _noted_pairs(
    tree: Dendrogram, named: int, pair_words: PairWords, seed: int, progress: Progress
) -> Iterator[tuple[int, float, list[tuple[str, float]]]]:
    """For the pairs that each join brings together: the join, how many pairs this one stands for, its top words."""
    asked: dict[int, list[tuple[int, int, float]]] = {}
    for join in range(named):
        pairs_P2 = _joined_pairs(tree, join)
        weight = 1.0
        if len(pairs_P2) > JOIN_PAIRS:
            weight = len(pairs_P2) / JOIN_PAIRS
            pairs_P2 = np.random.default_rng([seed, join]).choice(pairs_P2, JOIN_PAIRS, replace=False)
        for one, other in pairs_P2.tolist():
            asked.setdefault(one, []).append((other, join, weight))
    for number, (one, pairs) in enumerate(asked.items(), start=1):
        for (_, join, weight), words in zip(pairs, pair_words(one, np.array([pair[0] for pair in pairs])), strict=True):
            yield join, weight, top_words(words)
        progress(StageKind.NAMES, number, len(asked))


def _joined_pairs(tree: Dendrogram, join: int) -> IntArray:
    """Every member of the first child with every member of the second, shape (P, 2)."""
    members = tree.members(join)
    n = len(tree.order_E)
    left = tree.children_J2[join, 0]
    size = 1 if left < n else int(tree.sizes_J[left - n])
    pairs: IntArray = np.stack(np.meshgrid(members[:size], members[size:], indexing="ij"), axis=-1).reshape(-1, 2)
    return pairs
