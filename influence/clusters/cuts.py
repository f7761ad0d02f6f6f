"""Clusters: difficult training examples that pull one another the same way, named by the words they share (appendix A).

    write_clusters("workspaces/demo")                                   # in `compute`: computes them, once
    for cluster in clusters(open_workspace("workspaces/demo"), threshold=0.8, min_size=3): ...

The dendrogram is stored, so another threshold or minimum size is a look-up. A cluster's number names the same examples
at every threshold.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from influence.attribution import METHODS, StoredQueries, train_queries
from influence.clusters.settings import DEFAULT_MIN_SIZE, DEFAULT_THRESHOLD, WE, WE_TOPK, ClusterOrder
from influence.clusters.tables import ClusterStore
from influence.data import is_function_word
from influence.errors import QueryError
from influence.explanations import Sentence, sentences
from influence.types import IntArray
from influence.workspace import WorkspaceReader, open_published, published

KIND = "clusters"
PARTNERS = 100  # of a member, looked at for its words
NAME_WORDS = 5


@dataclass(frozen=True)
class Cluster:
    """Examples at a mean influence distance of at most the threshold from one another."""

    number: int
    words: list[str]  # whole words that tie its members and tell them from other texts, in lower case; empty: none does
    size: int
    height: float  # mean influence distance between its two last parts; 0 to 1
    labels: dict[str, int]  # how many members are given each label, the most frequent first
    predictions: dict[str, int]  # likewise for the model's prediction at the last checkpoint
    suggestions: dict[str, int]  # likewise for the suggested label
    contradicted: int  # members for which another label is suggested
    train_ids: list[str]  # the most suspicious first
    # Missing in files of earlier versions:
    doubt: float | None  # sum over its members of 1 - confidence in their labels; it orders, and is no number of wrong ones
    mistakes: int | None  # wrong test predictions of whose opponents' pull its members together carry 5 % or more
    mistake_pull: float | None  # the mean of that share over those
    start_end_share: float | None  # of its members' pull that start and end tokens carry; below 0 or above 1: against words

    @property
    def name(self) -> str:
        """What it is called: the words that its members share and other texts do not. Of function words alone that is said."""
        named = ", ".join(self.words[:NAME_WORDS])
        if not named:
            return "no word in common"
        return f"only function words: {named}" if all(map(is_function_word, self.words)) else named


@dataclass(frozen=True)
class Member:
    """One example of a cluster, with the words that tie it to the others."""

    sentence: Sentence
    suggested_label: str
    suspicion: float
    words: dict[int, float]  # mean contribution of its words to its scores with the others, by word index


def has_clusters(workspace: WorkspaceReader) -> bool:
    """Whether the clusters of a workspace have been computed."""
    return published(workspace.build, KIND) is not None


def clusters_provenance(workspace: WorkspaceReader) -> dict[str, Any]:
    """What the clusters were made from: settings, how many examples are difficult and how many were clustered."""
    return _store(workspace).provenance()


def clusters(
    workspace: WorkspaceReader,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    min_size: int = DEFAULT_MIN_SIZE,
    order: ClusterOrder = "worth",
) -> list[Cluster]:
    """The clusters at a threshold, in an order.

    `worth`: by how much its labels are doubted, to a tenth, then by how many mistakes it pushes;
    `mistakes`: by these first; `size`: the largest first. Then the larger, the tighter and the lower number first.
    Raises `QueryError` for a threshold outside (0, 1], a size below 2 or another order, `WorkspaceMissing` where none
    were computed.
    """
    check_cut(threshold, min_size)
    if order not in ORDERS:
        raise QueryError(f"unknown order {order!r}; choose one of {', '.join(ORDERS)}")
    store = _store(workspace)
    members = store.members(threshold, min_size)
    groups: dict[Any, pd.DataFrame] = dict(iter(members.groupby("cluster")))
    found = [_cluster(row, groups[row["cluster"]]) for row in store.cut(threshold, min_size).to_dict("records")]
    return sorted(found, key=ORDERS[order])


def cluster(workspace: WorkspaceReader, number: int) -> Cluster:
    """One cluster by its number. Raises `QueryError` for an unknown one."""
    return _cluster(*_one(workspace, number))


def cluster_members(workspace: WorkspaceReader, number: int, *, limit: int = 50, offset: int = 0) -> list[Member]:
    """Members of a cluster with their words lit, the most suspicious first. Raises `QueryError` for an unknown one."""
    _, members = _one(workspace, number)
    page = members.iloc[offset : offset + limit]
    texts = sentences(workspace, "train", page["position"].tolist())
    everyone = members["position"].to_numpy()
    method = clusters_provenance(workspace).get("method", WE_TOPK)  # by which files of earlier versions were made
    queries = train_queries(workspace.index, all_positions=method == WE)
    return [
        Member(
            texts[row["position"]],
            row["suggested_label"],
            row["suspicion"],
            _lit_words(workspace, queries, row["position"], everyone, method),
        )
        for row in page.to_dict("records")
    ]


def cluster_suggestions(workspace: WorkspaceReader, number: int) -> dict[str, str]:
    """The label suggested for each member of a cluster, its own where it is to stay. Raises `QueryError` for an unknown one."""
    _, members = _one(workspace, number)
    return dict(zip(members["train_id"], members["suggested_label"], strict=True))


def cluster_map(
    workspace: WorkspaceReader, *, threshold: float = DEFAULT_THRESHOLD, min_size: int = DEFAULT_MIN_SIZE
) -> pd.DataFrame:
    """Every difficult example on a plane, close ones together, with the number of its cluster (missing: in none).

    Columns train_id, text, text_pair, label, predicted, suggested_label, suspicion, x, y, cluster. Only who is near whom
    means anything: neither axes nor distances between groups do.
    """
    check_cut(threshold, min_size)
    store = _store(workspace)
    members = store.members(threshold, min_size)[["train_id", "cluster"]]
    return store.places().merge(members, on="train_id", how="left").astype({"cluster": "Int64"})


def check_cut(threshold: float, min_size: int) -> None:
    """Raise `QueryError` for a threshold outside (0, 1] or a minimum size below 2."""
    if not 0 < threshold <= 1:
        raise QueryError(f"--threshold {threshold}: must be above 0 and at most 1, an influence distance")
    if min_size < 2:
        raise QueryError(f"--min-size {min_size}: must be 2 or more examples")


def _one(workspace: WorkspaceReader, number: int) -> tuple[dict[Any, Any], pd.DataFrame]:
    """The row of a cluster, and its members."""
    found, members = _store(workspace).one(number)
    if found.empty:
        raise QueryError(f"unknown cluster {number} in workspace {workspace.name!r}")
    return found.iloc[0].to_dict(), members


def _cluster(row: dict[Any, Any], members: pd.DataFrame) -> Cluster:
    def counts(column: str) -> dict[str, int]:
        return dict(Counter(members[column].tolist()).most_common())

    pull = _known(row, "mistake_pull")
    return Cluster(
        number=row["cluster"],
        words=list(row["words"]),
        size=row["size"],
        height=row["height"],
        labels=counts("label"),
        predictions=counts("predicted"),
        suggestions=counts("suggested_label"),
        contradicted=int((members["suggested_label"] != members["label"]).sum()),
        train_ids=members["train_id"].tolist(),
        doubt=_known(row, "doubt"),
        mistakes=None if pull is None else int(row["mistakes"]),
        mistake_pull=pull,
        start_end_share=_known(row, "start_end_share"),
    )


def _known(row: dict[Any, Any], column: str) -> float | None:
    """A number that files of earlier versions have not got."""
    value = row.get(column)
    return None if value is None or pd.isna(value) else float(value)


def _worth(one: Cluster) -> tuple[float, int]:
    return -round(one.doubt or 0.0, 1), -(one.mistakes or 0)


ORDERS: dict[ClusterOrder, Callable[[Cluster], tuple[float, ...]]] = {
    "worth": lambda one: (*_worth(one), -one.size, one.height, one.number),
    "mistakes": lambda one: (*reversed(_worth(one)), -one.size, one.height, one.number),
    "size": lambda one: (-one.size, one.height, one.number),
}


def _lit_words(
    workspace: WorkspaceReader, queries: StoredQueries, position: int, everyone: IntArray, method: str
) -> dict[int, float]:
    selection = METHODS[method].selection
    assert selection is not None
    others = everyone[everyone != position][:PARTNERS]
    found = workspace.index.matches(queries[position], others, selection)
    sums = np.bincount(found.query_words_X, weights=found.scores_X) / len(others)
    return {int(word): float(sums[word]) for word in np.unique(found.query_words_X)}


def _store(workspace: WorkspaceReader) -> ClusterStore:
    return open_published(workspace.path, workspace.build, KIND, ClusterStore)
