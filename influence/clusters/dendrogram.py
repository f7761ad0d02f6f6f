"""Clusters of examples by influence distance: every cluster that any threshold can give, found once (appendix A).

Average linkage joins the two closest groups again and again. Each join is a node: the clusters at a threshold are the
nodes at or below it whose parent lies above it, and a node's members stand side by side in one order of the examples.
So cutting at another threshold is a look-up.

Axes: E examples to cluster, J joins (E - 1).
"""

from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from influence.types import FloatArray, IntArray

SMALL = 4  # fewer points than this have no map worth computing
PERPLEXITY = 30.0
MAP_STEPS = 500  # of t-SNE; twice as many change little that can be seen
MAP_ANGLE = 0.8  # coarser than usual: a third faster, and as many nearest neighbours in the same cluster


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

    def meeting_EE(self) -> IntArray:
        """The join at which two examples come together, by their places in `order_E`, shape (E, E); -1 on the diagonal."""
        n = len(self.order_E)
        meeting_EE = np.full((n, n), -1, dtype=np.int32)
        for join, (first, size, (left, _)) in enumerate(
            zip(self.first_J.tolist(), self.sizes_J.tolist(), self.children_J2.tolist(), strict=True)
        ):
            middle, end = first + (1 if left < n else int(self.sizes_J[left - n])), first + size
            meeting_EE[first:middle, middle:end] = join
            meeting_EE[middle:end, first:middle] = join
        return meeting_EE

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
    layout = TSNE(
        metric="precomputed", init="random", perplexity=perplexity, max_iter=MAP_STEPS, angle=MAP_ANGLE, random_state=seed
    )
    places_E2: FloatArray = layout.fit_transform(distances_EE).astype(np.float64)
    return places_E2
