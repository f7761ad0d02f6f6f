"""What looking at a cluster is worth, for every cluster of the dendrogram: labels in doubt, mistakes that hang on it.

Axes: E clustered examples, J joins.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from influence.clusters.dendrogram import Dendrogram
from influence.types import FloatArray, IntArray


class Worth(NamedTuple):
    """For every join."""

    doubt_J: FloatArray  # the sum of its members' doubts, each 0 to 1; it orders, and is no number of wrong labels
    mistakes_J: IntArray  # different wrong test predictions among whose strongest opponents a member is


def join_worth(tree: Dendrogram, doubts_E: FloatArray, mistakes_E: Iterable[Iterable[str]]) -> Worth:
    """Doubts summed, and mistakes counted once each, over the members of every join."""
    ordered_E1 = np.concatenate([[0.0], np.cumsum(doubts_E[tree.order_E])])
    doubt_J = ordered_E1[tree.first_J + tree.sizes_J] - ordered_E1[tree.first_J]
    of_node = dict(enumerate(map(frozenset, mistakes_E)))
    mistakes_J = np.zeros(len(tree.heights_J), dtype=np.int64)
    for join, (left, right) in enumerate(tree.children_J2.tolist()):
        driven = of_node.pop(left) | of_node.pop(right)  # a part is asked once, so it need not be kept
        of_node[len(tree.order_E) + join] = driven
        mistakes_J[join] = len(driven)
    return Worth(doubt_J, mistakes_J)
