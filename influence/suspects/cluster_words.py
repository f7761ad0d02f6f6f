"""What the members of a cluster have in common: the words that carry the influence between its pairs (appendix A).

For every pair the five words that contribute most to its score are noted; a cluster is named by the words that are
noted for most of its pairs. Pairs are counted once, at the join that brings the two together, and a join's counts are
its children's and its own, so every possible cluster is named in one pass.

Axes: E examples to cluster, J joins.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from influence.suspects.dendrogram import Dendrogram
from influence.types import IntArray, Progress, StageKind, silent

PAIR_WORDS = 5  # words noted for a pair, as in the paper
NAME_WORDS = 5  # words kept as a cluster's name
JOIN_PAIRS = 100  # pairs looked at in one join; more are counted by a sample of that size

PairWords = Callable[[int, IntArray], list[list[tuple[str, float]]]]  # an example, others: (word, score) for each pair


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
