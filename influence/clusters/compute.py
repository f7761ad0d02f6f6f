"""Computing the clusters of a workspace's difficult training examples: distances, dendrogram, names, worth and map, once."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from influence.clusters.dendrogram import Dendrogram, dendrogram, flat_map, influence_distances
from influence.clusters.names import MOST_TEXTS, join_names, join_sums, text_words, vocabulary
from influence.clusters.pairs import method_to_use, pull
from influence.clusters.settings import ClusterSettings
from influence.clusters.tables import ClusterStore, training_texts
from influence.clusters.worth import Worth, join_worth
from influence.suspects import SUSPECTS, difficult_examples, driven_by
from influence.types import FloatArray, Progress, StageKind, silent
from influence.workspace import WorkspaceReader, build_lock, disk_full_explained, opened, published, publishing

CLUSTERS = "clusters"
FORMULA = 4  # to be raised when the same examples come to other clusters, names or worths, so that stored ones are made anew
NAMED_HEIGHT = 1.0  # above it members do not pull together at all


class _Found(NamedTuple):
    tree: Dendrogram
    names: list[list[str]]
    worth: Worth
    start_end_J: FloatArray  # share of each cluster's pull that start and end tokens carry
    places_E2: FloatArray


def write_clusters(
    path: str | Path, settings: ClusterSettings | None = None, *, device: str = "auto", progress: Progress = silent
) -> dict[str, Any]:
    """Compute the clusters of a workspace, unless they are there for its present suspects with the same settings.

    Returns the settings used; `method` is the one that was. Where no example is difficult there are no clusters, and
    that is no error. Raises `WorkspaceMissing` where the suspects have not been computed, and `SettingsError` for a
    method that the index does not hold or models that cannot be trained.
    """
    path = Path(path)
    with disk_full_explained(path), build_lock(path), opened(path) as workspace:
        started = time.monotonic()
        chosen = settings or ClusterSettings()
        method = method_to_use(workspace.index, chosen.method)
        suspects = published(workspace.build, SUSPECTS)
        used = {**asdict(chosen), "method": method}
        wanted = {**used, "formula": FORMULA, "suspects": suspects[0].name if suspects else None}
        found = published(workspace.build, CLUSTERS)
        if found is not None and found[1] == wanted:
            return used
        examples, total = _difficult(workspace, chosen, device, progress)
        made = _clustered(workspace, examples, method, chosen.seed, progress)
        with publishing(workspace.build, CLUSTERS, ClusterStore, wanted) as store:
            store.fill("examples", _in_order(examples, made))
            store.fill("joins", _joins(made))
            store.write_provenance({"settings": used, "method": method, "difficult": total, "clustered": len(examples)}, started)
    return used


def _difficult(
    workspace: WorkspaceReader, settings: ClusterSettings, device: str, progress: Progress
) -> tuple[pd.DataFrame, int]:
    if not settings.models:
        return difficult_examples(workspace, settings.difficult, settings.cap)
    from influence.clusters.difficulty import misclassified_shares

    shares_N = misclassified_shares(workspace, settings, device, progress)
    among = np.flatnonzero(shares_N >= settings.difficult).tolist()
    return difficult_examples(workspace, settings.difficult, settings.cap, among)


def _clustered(workspace: WorkspaceReader, examples: pd.DataFrame, method: str, seed: int, progress: Progress) -> _Found:
    index, positions_E = workspace.index, examples["position"].to_numpy()
    pulls = pull(index, positions_E, method, progress)
    distances_EE = influence_distances(pulls.scores_EE)
    progress(StageKind.DENDROGRAM, 0, 1)
    tree = dendrogram(distances_EE)
    progress(StageKind.DENDROGRAM, 1, 1)
    texts = training_texts(workspace.store, MOST_TEXTS)
    words = vocabulary(index, positions_E, text_words(index.encoding, examples), text_words(index.encoding, texts))
    names = join_names(tree, pulls, index, positions_E, words, method=method, max_height=NAMED_HEIGHT, progress=progress)
    totals_J, special_J = (join_sums(tree, pulls.normalised(part)) for part in pulls)
    start_end_J = np.divide(special_J, totals_J, out=np.full(len(totals_J), np.nan), where=totals_J > 0)
    shares: dict[int, dict[str, float]] = {}
    for position, test_id, share in driven_by(workspace, positions_E.tolist()).itertuples(index=False):
        shares.setdefault(position, {})[test_id] = share
    worth = join_worth(tree, examples["doubt"].to_numpy(), [shares.get(position, {}) for position in positions_E.tolist()])
    progress(StageKind.MAP, 0, 1)
    places_E2 = flat_map(distances_EE, seed)
    progress(StageKind.MAP, 1, 1)
    return _Found(tree, names, worth, start_end_J, places_E2)


def _in_order(examples: pd.DataFrame, made: _Found) -> pd.DataFrame:
    placed = examples.drop(columns="doubt").assign(x=made.places_E2[:, 0], y=made.places_E2[:, 1]).iloc[made.tree.order_E]
    return placed.assign(place=np.arange(len(placed)))


def _joins(made: _Found) -> pd.DataFrame:
    tree = made.tree
    return pd.DataFrame(
        {
            "cluster": np.arange(len(made.names)),
            "height": tree.heights_J,
            "parent_height": tree.parent_heights_J,
            "first": tree.first_J,
            "size": tree.sizes_J,
            "words": pd.Series(made.names, dtype=object),
            "doubt": made.worth.doubt_J,
            "mistakes": made.worth.mistakes_J,
            "mistake_pull": made.worth.pull_J,
            "start_end_share": made.start_end_J,
        }
    )
