"""Clusters: distances from dense autograd, a dendrogram drawn by hand, SciPy and scikit-learn as judges, names by loops."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from oracles import position_gradients, rows_of
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.cluster import AgglomerativeClustering
from tiny import PLAIN, Bench, bench, labelled, rows, write_csv

from influence.attribution.methods import METHODS
from influence.attribution.stored_queries import TrainQueries
from influence.cli import main
from influence.clusters.compute import pair_scores, pair_words, write_clusters
from influence.clusters.cuts import cluster, cluster_map, cluster_members, clusters, clusters_provenance, has_clusters
from influence.clusters.dendrogram import JOIN_PAIRS, cluster_words, dendrogram, flat_map, influence_distances, top_words
from influence.clusters.settings import ClusterSettings
from influence.data.dataset import Columns
from influence.errors import QueryError, SettingsError, WorkspaceMissing, WorkspaceNewer
from influence.opinions.settings import OpinionSettings
from influence.suspects.compute import write_suspects
from influence.suspects.ranking import difficult_examples, suspects
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.database import published
from influence.workspace.workspace import WorkspaceReader, read_workspace

EASY = ClusterSettings(difficult=0.01)
PATTERNS = (("championship series", "pos", "neg"), ("quarterly merger", "neg", "pos"))  # words, right and wrong label
MISLABELLED = 7  # of 24 texts with a pattern


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which some texts with either of two patterns of words bear the wrong label, and its clusters."""
    folder = tmp_path_factory.mktemp("clusters")
    table = rows(160, seed=41)
    generator = np.random.default_rng(43)
    for words, right, wrong in PATTERNS:
        for number in range(24):
            label, name = (wrong, words.split()[0]) if number < MISLABELLED else (right, "fine")
            filler = " ".join(generator.choice(PLAIN, size=4))
            table.append((f"{name}{words[0]}{number}", f"{words} {filler}", label))
    request = BuildRequest(
        train=write_csv(folder / "train.csv", table),
        test=write_csv(folder / "test.csv", rows(40, seed=42, prefix="t")),
        columns=Columns(id="id"),
        training=training_settings("cnn", epochs=4, learning_rate=0.05, batch_size=8),
        top_k=5,
    )
    made = folder / "workspace"
    build_workspace(made, request)
    write_suspects(made, OpinionSettings(encoder="none"))
    write_clusters(made, EASY)
    return made


@pytest.fixture
def opened(path: Path) -> WorkspaceReader:
    return read_workspace(path)


@pytest.fixture
def copied_path(path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(path, tmp_path / "copy"))


# Distances ---------------------------------------------------------------------------------------------------------


def dense_scores(made: Bench) -> np.ndarray:
    """Influence of every two training examples from dense float64 gradients, one example at a time, top-k positions."""
    examples = rows_of(made.encodings["train"], made.labels["train"])
    scores = np.zeros((len(examples), len(examples)))
    for model, rate in zip(made.models, made.learning_rates, strict=True):
        vocabulary = model.get_input_embeddings().weight.shape[0]
        dense = []
        for row in examples:
            gradients = position_gradients(model, row)
            best = np.argsort(-np.linalg.norm(gradients, axis=1), kind="stable")[: made.top_k]
            matrix = np.zeros((vocabulary, gradients.shape[1]))
            for position in best:
                matrix[row.tokens[position]] += gradients[position]
            dense.append(matrix.ravel())
        stacked = np.stack(dense)
        scores += rate * stacked @ stacked.T
    return scores


@pytest.mark.parametrize("kind", ["cnn", "bert"])
def test_distances_from_dense_autograd(tmp_path: Path, kind: str) -> None:
    """max(1 - I(a,b) / sqrt(I(a,a) I(b,b)), 0) with I from the embedding matrix's own gradients."""
    made = bench(tmp_path, kind, train=labelled(18, seed=3), test=labelled(2, seed=4))
    expected = dense_scores(made)
    queries = TrainQueries(made.index)
    selection = METHODS["tracin-we-topk"].selection
    assert selection is not None
    found_EE = influence_distances(made.index.word_scores_many([queries[n] for n in range(18)], selection))
    for a, b in combinations(range(18), 2):
        distance = max(1 - expected[a, b] / np.sqrt(expected[a, a] * expected[b, b]), 0)
        assert found_EE[a, b] == pytest.approx(distance, abs=1e-5)
        assert found_EE[b, a] == found_EE[a, b]
    assert np.diagonal(found_EE).tolist() == [0] * 18
    assert found_EE.max() > 1, "some pairs should push apart"


def test_distances_by_hand() -> None:
    """Self-influence 4, 1 and 0: a strong proponent, and an example without any gradient."""
    scores_EE = np.array([[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(influence_distances(scores_EE), [[0, 0.5, 1], [0.5, 0, 1], [1, 1, 0]])
    assert influence_distances(np.array([[1.0, 3.0], [3.0, 1.0]]))[0, 1] == 0  # never below 0
    assert influence_distances(np.array([[1.0, -1.0], [-1.0, 1.0]]))[0, 1] == 2


# The dendrogram ----------------------------------------------------------------------------------------------------

LINE = np.array([0.0, 1.0, 3.0, 7.0])  # four points on a line; distances are differences


def test_dendrogram_by_hand() -> None:
    """0 and 1 join at 1; 3 joins them at (3 + 2) / 2 = 2.5; 7 joins all at (7 + 6 + 4) / 3 = 17 / 3."""
    tree = dendrogram(np.abs(LINE[:, None] - LINE[None, :]))
    np.testing.assert_allclose(tree.heights_J, [1, 2.5, 17 / 3])
    np.testing.assert_allclose(tree.parent_heights_J, [2.5, 17 / 3, np.inf])
    assert tree.sizes_J.tolist() == [2, 3, 4]
    assert [sorted(tree.members(join).tolist()) for join in range(3)] == [[0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert tree.cut(0.5, 2).tolist() == []
    assert tree.cut(1, 2).tolist() == [0]
    assert tree.cut(2.5, 2).tolist() == [1]
    assert tree.cut(2.4, 3).tolist() == []
    assert tree.cut(100, 2).tolist() == [2]


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_join(n: int) -> None:
    tree = dendrogram(np.zeros((n, n)))
    assert tree.cut(1, 2).tolist() == []
    assert cluster_words(tree, lambda one, others: [], max_height=1, seed=0) == []
    assert flat_map(np.zeros((n, n)), 0).shape == (n, 2)


def partition(labels: np.ndarray, min_size: int) -> set[frozenset[int]]:
    groups = (frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels))
    return {group for group in groups if len(group) >= min_size}


@given(
    st.integers(2, 25).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 10_000))),
    st.floats(0.05, 1.0),
    st.integers(2, 5),
)
def test_cuts_are_those_of_scipy_and_scikit_learn(made: tuple[int, int], threshold: float, min_size: int) -> None:
    n, seed = made
    vectors = np.random.default_rng(seed).normal(size=(n, 3))
    distances_EE = influence_distances(vectors @ vectors.T)
    tree = dendrogram(distances_EE)
    found = {frozenset(tree.members(join).tolist()) for join in tree.cut(threshold, min_size)}
    joins = linkage(squareform(distances_EE, checks=False), method="average")
    assert found == partition(fcluster(joins, threshold, "distance"), min_size)
    sklearn = AgglomerativeClustering(n_clusters=None, metric="precomputed", linkage="average", distance_threshold=threshold)
    assert found == partition(sklearn.fit_predict(distances_EE), min_size)


def test_map_puts_close_examples_together() -> None:
    """Two groups at distance 0.1 within and 1 between: everyone's nearest neighbours are of his own group."""
    group = np.arange(24) % 2
    distances_EE = np.where(group[:, None] == group[None, :], 0.1, 1.0)
    np.fill_diagonal(distances_EE, 0)
    places_E2 = flat_map(distances_EE, seed=1)
    apart = np.linalg.norm(places_E2[:, None] - places_E2[None], axis=2) + np.eye(24) * 1e9
    assert (group[apart.argmin(axis=1)] == group).all()
    np.testing.assert_array_equal(places_E2, flat_map(distances_EE, seed=1))


# Names -------------------------------------------------------------------------------------------------------------


def test_top_words_of_a_pair() -> None:
    words = [("a", 0.1), ("b", 0.5), ("a", 0.3), ("c", -0.9), ("d", 0.2), ("e", 0.25), ("f", 0.05), ("g", 0.3), ("h", 0.0)]
    assert [word for word, _ in top_words(words)] == ["b", "a", "g", "e", "d"]
    assert top_words([("x", -1.0), ("y", 1.0), ("x", 1.5)]) == [("y", 1.0), ("x", 0.5)]
    assert top_words([("x", -1.0)]) == []


def random_pair_words(n: int, seed: int) -> Callable[[int, np.ndarray], list[list[tuple[str, float]]]]:
    """Contributions of six words to every pair, the same both ways round."""
    table = np.random.default_rng(seed).normal(size=(n, n, 6))
    table = table + table.transpose(1, 0, 2)
    return lambda one, others: [[("uvwxyz"[w], float(table[one, other, w])) for w in range(6)] for other in others]


def test_names_of_every_join_by_a_double_loop() -> None:
    n = 13
    vectors = np.random.default_rng(5).normal(size=(n, 2))
    tree = dendrogram(influence_distances(vectors @ vectors.T))
    pair = random_pair_words(n, 6)
    names = cluster_words(tree, pair, max_height=10, seed=0)
    for join in range(n - 1):
        noted: Counter[str] = Counter()
        scores: Counter[str] = Counter()
        for a, b in combinations(tree.members(join).tolist(), 2):
            best = sorted(pair(a, np.array([b]))[0], key=lambda item: -item[1])[:5]
            for word, score in best:
                if score > 0:
                    noted[word] += 1
                    scores[word] += score  # type: ignore[assignment]
        assert names[join] == sorted(noted, key=lambda word: (-noted[word], -scores[word]))[:5]


def test_large_joins_are_named_by_a_sample_and_low_ones_only() -> None:
    """30 against 30 is 900 pairs: at most JOIN_PAIRS of them are asked for; joins above the limit are not named."""
    group = np.arange(60) // 30
    distances_EE = np.where(group[:, None] == group[None, :], 0.1, 0.9)
    np.fill_diagonal(distances_EE, 0)
    tree = dendrogram(distances_EE)
    between: list[tuple[int, int]] = []

    def pair(one: int, others: np.ndarray) -> list[list[tuple[str, float]]]:
        between.extend((one, int(other)) for other in others if group[one] != group[other])
        return [[("same" if group[one] == group[other] else "other", 1.0)] for other in others]

    names = cluster_words(tree, pair, max_height=1.0, seed=0)
    assert len(between) == JOIN_PAIRS
    assert len(set(between)) == JOIN_PAIRS
    assert names[-1] == ["other", "same"]  # 900 pairs between, 2 x 435 within
    low = cluster_words(tree, pair, max_height=0.5, seed=0)
    assert low[:-1] == names[:-1]
    assert low[-1] == []


# The whole ---------------------------------------------------------------------------------------------------------


def test_planted_patterns_become_clusters_named_by_their_words(opened: WorkspaceReader) -> None:
    found = clusters(opened, threshold=0.9)
    for words, _, wrong in PATTERNS:
        mine = [one for one in found if sum(id.startswith(words.split()[0]) for id in one.train_ids) >= MISLABELLED - 1]
        assert len(mine) == 1, [one.train_ids for one in found]
        assert set(words.split()) & set(mine[0].words[:2]), mine[0].words
        assert max(mine[0].labels, key=mine[0].labels.__getitem__) == wrong


def test_clusters_are_those_of_a_cut_of_all_pairs(opened: WorkspaceReader) -> None:
    """Distances one pair at a time through `matches`, clustered by SciPy; labels counted by hand."""
    examples, total = difficult_examples(opened, 0.01, 3_000)
    assert len(examples) == total > 20
    positions = examples["position"].tolist()
    selection = METHODS["tracin-we-topk"].selection
    assert selection is not None
    scores = np.array(
        [
            opened.index.matches(opened.train_queries[a], np.array(positions), selection).checkpoint_scores_EC.sum(axis=1)
            for a in positions
        ]
    )
    np.testing.assert_allclose(pair_scores(opened, np.array(positions)), scores, rtol=1e-3, atol=1e-6)
    joins = linkage(squareform(influence_distances(scores), checks=False), method="average")
    for threshold in (0.6, 0.8, 1.0):
        expected = partition(fcluster(joins, threshold, "distance"), 3)
        found = clusters(opened, threshold=threshold, min_size=3)
        ids = examples["train_id"].tolist()
        assert {frozenset(one.train_ids) for one in found} == {frozenset(ids[at] for at in group) for group in expected}
        assert [one.size for one in found] == sorted((len(one.train_ids) for one in found), reverse=True)
    rows_ = examples.set_index("train_id")
    for one in found:
        members = rows_.loc[one.train_ids]
        assert one.labels == members["label"].value_counts().to_dict()
        assert one.predictions == members["predicted"].value_counts().to_dict()
        assert one.suggestions == members["suggested_label"].value_counts().to_dict()
        assert members["suspicion"].is_monotonic_decreasing


def test_a_cluster_keeps_its_number_at_every_threshold(opened: WorkspaceReader) -> None:
    low = {one.number: one for one in clusters(opened, threshold=0.75, min_size=2)}
    for number, one in low.items():
        assert cluster(opened, number) == one
    tight = {one.number: one for one in clusters(opened, threshold=0.6, min_size=2)}
    both = low.keys() & tight.keys()
    assert both
    assert all(low[number] == tight[number] for number in both)


def test_members_with_their_words(opened: WorkspaceReader) -> None:
    """A member's words sum to its mean score with the others, start and end tokens included."""
    one = clusters(opened, threshold=0.9)[0]
    members = cluster_members(opened, one.number)
    assert [member.sentence.id for member in members] == one.train_ids
    positions = opened.store.positions("train", one.train_ids)
    selection = METHODS["tracin-we-topk"].selection
    assert selection is not None
    for member in members:
        assert member.sentence.id is not None
        mine = positions[member.sentence.id]
        scores_N = opened.index.word_scores(opened.train_queries[mine], selection).sum(axis=0)
        others = [position for id, position in positions.items() if id != member.sentence.id]
        assert sum(member.words.values()) == pytest.approx(scores_N[others].mean(), rel=1e-4)
        assert all(0 <= word < len(member.sentence.words) for word in member.words)
    page = cluster_members(opened, one.number, limit=2, offset=1)
    assert page == members[1:3]


def test_words_of_pairs_are_whole_words_of_the_text(opened: WorkspaceReader) -> None:
    examples, _ = difficult_examples(opened, 0.01, 3_000)
    words = pair_words(opened, examples)(0, np.arange(1, len(examples)))
    text = examples["text"][0].split()
    found = {word for pair in words for word, _ in pair}
    assert found
    assert found <= set(text)


def test_map_places_every_difficult_example(opened: WorkspaceReader) -> None:
    examples, _ = difficult_examples(opened, 0.01, 3_000)
    found = cluster_map(opened, threshold=0.8, min_size=3)
    assert (
        found["train_id"].tolist()
        == examples.sort_values(["suspicion", "position"], ascending=[False, True])["train_id"].tolist()
    )
    assert np.isfinite(found[["x", "y"]].to_numpy()).all()
    placed = {number: set(group["train_id"]) for number, group in found.dropna(subset="cluster").groupby("cluster")}
    assert placed == {one.number: set(one.train_ids) for one in clusters(opened, threshold=0.8, min_size=3)}


# On disk, bad input ------------------------------------------------------------------------------------------------


def test_provenance_and_the_cap(copied_path: Path) -> None:
    workspace = read_workspace(copied_path)
    ranked = suspects(workspace, limit=1_000)[1]
    difficult = ranked[ranked["misclassified_share"] >= 0.01]
    total = len(difficult)
    assert clusters_provenance(workspace)["difficult"] == clusters_provenance(workspace)["clustered"] == total
    write_clusters(copied_path, ClusterSettings(difficult=0.01, cap=10))
    made = clusters_provenance(read_workspace(copied_path))
    assert (made["difficult"], made["clustered"]) == (total, 10)
    assert set(cluster_map(workspace)["train_id"]) == set(difficult["train_id"][:10])


def test_the_same_settings_only_read_and_new_suspects_make_new_clusters(copied_path: Path) -> None:
    build = read_workspace(copied_path).build
    first = published(build, "clusters")
    write_clusters(copied_path, EASY)
    assert published(build, "clusters") == first
    write_suspects(copied_path, OpinionSettings(encoder="none", test_labels_checked=True))
    write_clusters(copied_path, EASY)
    second = published(build, "clusters")
    assert second != first
    assert len(list(build.glob("clusters-*.duckdb*"))) == 1


def test_nothing_difficult_is_no_clusters(copied_path: Path) -> None:
    write_clusters(copied_path, ClusterSettings(difficult=1.0, cap=2))
    workspace = read_workspace(copied_path)
    assert clusters(workspace, threshold=0.01, min_size=2) == []
    assert len(cluster_map(workspace)) <= 2


def test_a_workspace_without_suspects_or_clusters(workspace: Path, copied: Callable[[], Path]) -> None:
    opened = read_workspace(workspace)
    assert not has_clusters(opened)
    message = (
        f"workspace '{workspace}' has no clusters yet; compute them with: python -m influence clusters --workspace {workspace}"
    )
    with pytest.raises(WorkspaceMissing, match=f"^{re.escape(message)}$"):
        clusters(opened)
    path = copied()
    message = f"workspace '{path}' has no suspects yet; compute them with: python -m influence suspects --workspace {path}"
    with pytest.raises(WorkspaceMissing, match=f"^{re.escape(message)}$"):
        write_clusters(path)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ({"threshold": 0.0}, "--threshold 0.0: must be above 0 and at most 1, an influence distance"),
        ({"threshold": 1.01}, "--threshold 1.01: must be above 0 and at most 1, an influence distance"),
        ({"threshold": float("nan")}, "--threshold nan: must be above 0 and at most 1, an influence distance"),
        ({"min_size": 1}, "--min-size 1: must be 2 or more examples"),
    ],
)
def test_cuts_that_cannot_be(path: Path, opened: WorkspaceReader, cut: dict[str, float], message: str, capsys) -> None:  # type: ignore[no-untyped-def]
    for ask in (clusters, cluster_map):
        with pytest.raises(QueryError, match=f"^{re.escape(message)}$"):
            ask(opened, **cut)  # type: ignore[arg-type]
    option, value = next(iter(cut.items()))
    assert main(["clusters", "--workspace", str(path), f"--{option.replace('_', '-')}", str(value)]) == 2
    assert capsys.readouterr() == ("", f"wordtrace: {message}\n")


def test_unknown_clusters(opened: WorkspaceReader) -> None:
    for ask in (cluster, cluster_members):
        with pytest.raises(QueryError, match=r"^unknown cluster 99999 in workspace 'workspace'$"):
            ask(opened, 99_999)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"difficult": 1.5}, "--difficult 1.5: must be from 0 to 1, a share of epochs"),
        ({"cap": 1}, "--cap 1: must be 2 or more examples"),
        ({"seed": -1}, "--seed -1: must be 0 or more"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
        ClusterSettings(**settings)  # type: ignore[arg-type]


def test_a_newer_schema_is_refused(copied_path: Path) -> None:
    workspace = read_workspace(copied_path)
    found = published(workspace.build, "clusters")
    assert found is not None
    with duckdb.connect(str(found[0])) as connection:
        connection.execute("insert into schema_versions values (99)")
    with pytest.raises(WorkspaceNewer, match=r"has schema version 99, this Wordtrace knows 1; install a newer Wordtrace$"):
        clusters(workspace)


def test_command_prints_json(path: Path, opened: WorkspaceReader, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["clusters", "--workspace", str(path), "--threshold", "0.9", "--difficult", "0.01", "--json"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    found = clusters(opened, threshold=0.9)
    made = clusters_provenance(opened)
    assert printed == {
        "threshold": 0.9,
        "min_size": 3,
        "difficult": made["difficult"],
        "clustered": made["clustered"],
        "clusters": [
            {
                "number": one.number,
                "words": one.words,
                "size": one.size,
                "height": one.height,
                "labels": one.labels,
                "predictions": one.predictions,
                "suggestions": one.suggestions,
                "train_ids": one.train_ids,
            }
            for one in found
        ],
    }
    assert err == ""


def test_command_prints_text(path: Path, opened: WorkspaceReader, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clusters", "--workspace", str(path), "--threshold", "0.9", "--difficult", "0.01"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = clusters(opened, threshold=0.9)
    assert lines[0] == f"{len(found)} clusters; {clusters_provenance(opened)['difficult']} difficult examples"
    assert lines[1] == f"  {found[0].number}: {found[0].size} examples, {', '.join(found[0].words)}"
    assert lines[3].strip().split(", ")[:3] == found[0].train_ids[:3]
    assert len(lines) == 1 + 3 * len(found)


def test_clusters_of_text_pairs(pair_workspace: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(pair_workspace, tmp_path / "pairs"))
    write_suspects(path, OpinionSettings(encoder="none"))
    write_clusters(path, ClusterSettings(difficult=0.0, cap=30))
    workspace = read_workspace(path)
    found = clusters(workspace, threshold=1.0, min_size=2)
    assert found
    texts = suspects(workspace, limit=100)[1].set_index("train_id")
    for one in found:
        words: set[str] = set()
        for id in one.train_ids:
            words |= set(f"{texts.loc[id, 'text']} {texts.loc[id, 'text_pair']}".lower().split())
        assert set(one.words) <= words
    assert isinstance(cluster_map(workspace), pd.DataFrame)
