"""What looking at a cluster is worth, for every cluster of the dendrogram: labels in doubt, mistakes that hang on it.

Axes: E clustered examples, J joins.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from influence.clusters.dendrogram import Dendrogram
from influence.types import FloatArray, IntArray
from influence.workspace import LEAST_PULL


class Worth(NamedTuple):
    """For every join."""

    doubt_J: FloatArray  # the sum of its members' doubts, each 0 to 1; it orders, and is no number of wrong labels
    mistakes_J: IntArray  # wrong test predictions of whose opponents' pull its members together carry `LEAST_PULL` or more
    pull_J: FloatArray  # the mean of that share over those mistakes; 0 where there are none


def join_worth(tree: Dendrogram, doubts_E: FloatArray, shares_E: Iterable[Mapping[str, float]]) -> Worth:
    """Doubts summed, and shares of the pull against each mistake summed, over the members of every join.

    `shares_E`: of each example, its share of the pull against the mistakes that it opposes, by mistake.
    """
    ordered_E1 = np.concatenate([[0.0], np.cumsum(doubts_E[tree.order_E])])
    doubt_J = ordered_E1[tree.first_J + tree.sizes_J] - ordered_E1[tree.first_J]
    of_node = dict(enumerate(map(Counter, shares_E)))
    mistakes_J, pull_J = np.zeros(len(tree.heights_J), dtype=np.int64), np.zeros(len(tree.heights_J))
    for join, (left, right) in enumerate(tree.children_J2.tolist()):
        smaller, larger = sorted((of_node.pop(left), of_node.pop(right)), key=len)  # a part is asked once: it need not be kept
        larger.update(smaller)
        of_node[len(tree.order_E) + join] = larger
        counted = [share for share in larger.values() if share >= LEAST_PULL]
        mistakes_J[join] = len(counted)
        pull_J[join] = np.mean(counted) if counted else 0.0
    return Worth(doubt_J, mistakes_J, pull_J)
