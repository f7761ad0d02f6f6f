"""Computing the clusters of a workspace's difficult training examples: distances, dendrogram, names and map, once.

Difficult are the examples that were misclassified after a large share of the epochs of training (appendix A).
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from influence.attribution import DEFAULT_METHOD, METHODS, queries_at_once
from influence.clusters.dendrogram import Dendrogram, cluster_words, dendrogram, flat_map, influence_distances
from influence.clusters.settings import ClusterSettings
from influence.clusters.tables import ClusterStore
from influence.data import SPECIAL_SIDE
from influence.suspects import SUSPECTS, difficult_examples
from influence.types import FloatArray, IntArray, Progress, StageKind, silent
from influence.workspace import WorkspaceReader, build_lock, disk_full_explained, opened, published, publishing

CLUSTERS = "clusters"
NAMED_HEIGHT = 1.0  # above it members do not pull together at all


def write_clusters(path: str | Path, settings: ClusterSettings | None = None, *, progress: Progress = silent) -> dict[str, Any]:
    """Compute the clusters of a workspace, unless they are there for its present suspects with the same settings.

    Returns the settings used. Raises `WorkspaceMissing` where the suspects have not been computed.
    """
    path = Path(path)
    with disk_full_explained(path), build_lock(path), opened(path) as workspace:
        started = time.monotonic()
        chosen = settings or ClusterSettings()
        examples, total = difficult_examples(workspace, chosen.difficult, chosen.cap)
        suspects = published(workspace.build, SUSPECTS)
        wanted = {**asdict(chosen), "suspects": suspects[0].name if suspects else None}
        found = published(workspace.build, CLUSTERS)
        if found is not None and found[1] == wanted:
            return wanted
        tree, names, places_E2 = _clustered(workspace, examples, chosen, progress)
        with publishing(workspace.build, CLUSTERS, ClusterStore, wanted) as store:
            store.fill("examples", _in_order(examples, tree, places_E2))
            store.fill("joins", _joins(tree, names))
            store.write_provenance({"settings": wanted, "difficult": total, "clustered": len(examples)}, started)
    return wanted


def _clustered(
    workspace: WorkspaceReader, examples: pd.DataFrame, settings: ClusterSettings, progress: Progress
) -> tuple[Dendrogram, list[list[str]], FloatArray]:
    positions_E = examples["position"].to_numpy()
    distances_EE = influence_distances(pair_scores(workspace, positions_E, progress))
    progress(StageKind.DENDROGRAM, 0, 1)
    tree = dendrogram(distances_EE)
    progress(StageKind.DENDROGRAM, 1, 1)
    names = cluster_words(tree, pair_words(workspace, examples), max_height=NAMED_HEIGHT, seed=settings.seed, progress=progress)
    progress(StageKind.MAP, 0, 1)
    places_E2 = flat_map(distances_EE, settings.seed)
    progress(StageKind.MAP, 1, 1)
    return tree, names, places_E2


def pair_scores(workspace: WorkspaceReader, positions_E: IntArray, progress: Progress = silent) -> FloatArray:
    """Influence between every two of some training examples by the default method, shape (E, E)."""
    selection = METHODS[DEFAULT_METHOD].selection
    assert selection is not None
    scores_EE = np.zeros((len(positions_E), len(positions_E)))
    size = queries_at_once(workspace.info.n_train)
    for start in range(0, len(positions_E), size):
        batch = [workspace.train_queries[position] for position in positions_E[start : start + size].tolist()]
        scores_EE[start : start + size] = workspace.index.word_scores_many(batch, selection)[:, positions_E]
        progress(StageKind.DISTANCES, min(start + size, len(positions_E)), len(positions_E))
    return scores_EE


def pair_words(workspace: WorkspaceReader, examples: pd.DataFrame) -> Callable[[int, IntArray], list[list[tuple[str, float]]]]:
    """The whole words through which one of the examples and others pull at each other, with their contributions.

    Start and end tokens and punctuation are left out: they name nothing.
    """
    selection = METHODS[DEFAULT_METHOD].selection
    assert selection is not None
    positions_E = examples["position"].to_numpy()
    words_E = _words(workspace, examples)

    def of_pairs(one: int, others: IntArray) -> list[list[tuple[str, float]]]:
        found = workspace.index.matches(workspace.train_queries[int(positions_E[one])], positions_E[others], selection)
        pairs: list[list[tuple[str, float]]] = [[] for _ in others]
        for other, word, score in zip(
            found.examples_X.tolist(), found.query_words_X.tolist(), found.scores_X.tolist(), strict=True
        ):
            if words_E[one][word]:
                pairs[other].append((words_E[one][word], score))
        return pairs

    return of_pairs


def _words(workspace: WorkspaceReader, examples: pd.DataFrame) -> list[list[str]]:
    """The whole words of every example in lower case; start and end tokens and punctuation are empty."""
    encoding = workspace.index.encoding
    words: list[list[str]] = []
    for position, text, pair in zip(examples["position"], examples["text"], examples["text_pair"], strict=True):
        rows = slice(*encoding.word_offsets_N1[position : position + 2].tolist())
        spans = zip(encoding.word_sides_W[rows], encoding.word_starts_W[rows], encoding.word_ends_W[rows], strict=True)
        sides = (text, pair)
        found = ["" if side == SPECIAL_SIDE else sides[side][start:end].lower() for side, start, end in spans]
        words.append([word if any(character.isalnum() for character in word) else "" for word in found])
    return words


def _in_order(examples: pd.DataFrame, tree: Dendrogram, places_E2: FloatArray) -> pd.DataFrame:
    placed = examples.assign(x=places_E2[:, 0], y=places_E2[:, 1]).iloc[tree.order_E]
    return placed.assign(place=np.arange(len(placed)))


def _joins(tree: Dendrogram, names: list[list[str]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cluster": np.arange(len(names)),
            "height": tree.heights_J,
            "parent_height": tree.parent_heights_J,
            "first": tree.first_J,
            "size": tree.sizes_J,
            "words": pd.Series(names, dtype=object),
        }
    )
