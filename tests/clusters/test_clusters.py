"""Clusters: distances from dense autograd, a dendrogram drawn by hand, SciPy and scikit-learn as judges, names by loops."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from contents import reseal_published
from hypothesis import given, strategies as st
from oracles import position_gradients, rows_of
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from tiny import PLAIN, Bench, bench, labelled, request, rows, write_csv

from influence.attribution.methods import METHODS
from influence.attribution.stored_queries import train_queries
from influence.cli import main
from influence.clusters.compute import write_clusters
from influence.clusters.cuts import Cluster, cluster, cluster_map, cluster_members, clusters, clusters_provenance, has_clusters
from influence.clusters.dendrogram import dendrogram, flat_map, influence_distances
from influence.clusters.difficulty import best_epoch, misclassified_shares
from influence.clusters.names import SIGNS, Tally, Vocabulary, best_words, join_sums
from influence.clusters.pairs import pull
from influence.clusters.settings import ClusterSettings
from influence.clusters.worth import join_worth
from influence.data.dataset import Columns
from influence.errors import QueryError, SettingsError, WorkspaceMissing, WorkspaceNewer
from influence.explanations.explanation import sentences
from influence.opinions.held_out import left_out
from influence.opinions.settings import HeldOutSettings, OpinionSettings
from influence.suspects.compute import write_suspects
from influence.suspects.ranking import difficult_examples, suspect, suspects
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.database import published
from influence.workspace.workspace import WorkspaceReader, read_workspace

CHEAP = OpinionSettings(encoder="none")
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
        store_rest=True,
        train=write_csv(folder / "train.csv", table),
        test=write_csv(folder / "test.csv", rows(40, seed=42, prefix="t")),
        columns=Columns(id="id"),
        training=training_settings("cnn", epochs=4, learning_rate=0.05, batch_size=8),
        top_k=5,
    )
    made = folder / "workspace"
    build_workspace(made, request)
    write_suspects(made, CHEAP)
    write_clusters(made, EASY)
    return made


@pytest.fixture
def opened(path: Path) -> WorkspaceReader:
    return read_workspace(path)


@pytest.fixture
def copied_path(path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(path, tmp_path / "copy"))


# Distances ---------------------------------------------------------------------------------------------------------


def dense_scores(made: Bench, *, every_word: bool, special: bool) -> np.ndarray:
    """Influence of every two training examples from dense float64 gradients, one example at a time."""
    encoding = made.encodings["train"]
    examples = rows_of(encoding, made.labels["train"])
    ends = set(encoding.tokens_R[encoding.special_R].tolist())
    scores = np.zeros((len(examples), len(examples)))
    for model, rate in zip(made.models, made.learning_rates, strict=True):
        vocabulary = model.get_input_embeddings().weight.shape[0]
        dense = []
        for row in examples:
            gradients = position_gradients(model, row)
            best = np.argsort(-np.linalg.norm(gradients, axis=1), kind="stable")[: None if every_word else made.top_k]
            matrix = np.zeros((vocabulary, gradients.shape[1]))
            for position in best:
                if not special or row.tokens[position] in ends:
                    matrix[row.tokens[position]] += gradients[position]
            dense.append(matrix.ravel())
        stacked = np.stack(dense)
        scores += rate * stacked @ stacked.T
    return scores


@pytest.mark.parametrize("method", ["tracin-we", "tracin-we-topk"])
@pytest.mark.parametrize("kind", ["cnn", "bert"])
def test_distances_from_dense_autograd(tmp_path: Path, kind: str, method: str) -> None:
    """max(1 - I(a,b) / sqrt(I(a,a) I(b,b)), 0) with I from the embedding matrix's own gradients."""
    made = bench(tmp_path, kind, train=labelled(18, seed=3), test=labelled(2, seed=4))
    chosen = np.array([16, 3, 0, 11, 5, 7, 2, 9, 17, 13])  # in no order, not all
    every_word = method == "tracin-we"
    expected = dense_scores(made, every_word=every_word, special=False)[np.ix_(chosen, chosen)]
    found = pull(made.index, chosen, method)
    np.testing.assert_allclose(found.scores_EE, expected, atol=1e-5 * np.abs(expected).max())
    special = dense_scores(made, every_word=every_word, special=True)[np.ix_(chosen, chosen)]
    np.testing.assert_allclose(found.special_EE, special, atol=1e-5 * np.abs(expected).max())
    found_EE = influence_distances(found.scores_EE)
    for a, b in combinations(range(len(chosen)), 2):
        distance = max(1 - expected[a, b] / np.sqrt(expected[a, a] * expected[b, b]), 0)
        assert found_EE[a, b] == pytest.approx(distance, abs=1e-5)
        assert found_EE[b, a] == found_EE[a, b]
    assert np.diagonal(found_EE).tolist() == [0] * len(chosen)
    assert found_EE.max() > 1, "some pairs should push apart"
    np.testing.assert_allclose(np.diagonal(found.normalised(found.scores_EE)), 1, rtol=1e-5)


def test_pulls_are_the_same_however_large_a_slice_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench(tmp_path, "bert", train=labelled(18, seed=3), test=labelled(2, seed=4))
    whole = pull(made.index, np.arange(18), "tracin-we")
    assert np.abs(whole.special_EE).max() > 0
    monkeypatch.setattr("influence.clusters.pairs.SLICE_BYTES", 1)
    for found, expected in zip(pull(made.index, np.arange(18), "tracin-we"), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


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


def test_where_pairs_meet_by_hand() -> None:
    """0 and 1 meet at join 0, 3 meets them at join 1, 7 meets everyone at join 2."""
    tree = dendrogram(np.abs(LINE[:, None] - LINE[None, :]))
    place = np.argsort(tree.order_E)
    met = tree.meeting_EE()[np.ix_(place, place)]
    assert met.tolist() == [[-1, 0, 1, 2], [0, -1, 1, 2], [1, 1, -1, 2], [2, 2, 2, -1]]
    values = np.arange(16.0).reshape(4, 4)
    assert join_sums(tree, values + values.T).tolist() == [5, 5 + 10 + 15, 5 + 10 + 15 + 15 + 20 + 25]


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_join(n: int) -> None:
    tree = dendrogram(np.zeros((n, n)))
    assert tree.cut(1, 2).tolist() == []
    assert join_sums(tree, np.zeros((n, n))).tolist() == []
    assert join_worth(tree, np.ones(n), [{"a": 1.0}] * n).mistakes_J.tolist() == []
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


def test_best_words_by_hand() -> None:
    """Of a pull of 10 in a cluster of 6: share x log(share of members / share of texts)."""
    names = ["film", "twist", "plot", "odd", "the", "not", "alike"]
    shares = np.array([0.5, 0.01, 0.05, 0.001, 0.6, 0.1, 0.01])
    words = Vocabulary(names, np.zeros(0, dtype=np.int64), 1, [], shares, np.isin(names, ["the", "not"]))
    tally = Tally(np.arange(7), np.array([4.0, 2.0, 3.0, 0.9, 5.0, 4.0, 2.0]), np.array([3, 3, 6, 1, 6, 6, 3]))
    # film is as frequent elsewhere; odd is held by one; plot 0.3 log 20 is above twist 0.2 log 50, the same as alike
    assert best_words(tally, words, 10.0, 6) == ["plot", "alike", "twist"]
    only_common = Tally(np.array([0, 4, 5]), np.array([4.0, 5.0, 4.0]), np.array([3, 6, 6]))
    assert best_words(only_common, words, 10.0, 6) == ["not"]  # ten times as frequent; "the" less than three times
    assert best_words(Tally(np.array([1]), np.array([0.05]), np.array([6])), words, 10.0, 6) == []  # half a per cent
    assert best_words(Tally(np.array([1]), np.array([-2.0]), np.array([6])), words, 10.0, 6) == []
    assert best_words(tally, words, 0.0, 6) == []


def eligible(word: str) -> bool:
    return any(map(str.isalnum, word)) and (len(word) > 1 or not word.isascii()) and word not in SIGNS


def words_by_hand(opened: WorkspaceReader, ids: list[str], texts: list[set[str]]) -> tuple[list[str], float]:
    """What a cluster is called, and the start and end tokens' share, by a loop over its pairs."""
    selection = METHODS["tracin-we"].selection
    assert selection is not None
    queries = train_queries(opened.index, all_positions=True)
    positions = [opened.store.positions("train", [id])[id] for id in ids]
    texts_of = sentences(opened, "train", positions)
    said = [texts_of[position].text.split() for position in positions]
    pulls: Counter[str] = Counter()
    total = special = 0.0
    for a, b in combinations(range(len(ids)), 2):
        pair = opened.index.matches(queries[positions[a]], np.array([positions[b]]), selection)
        own = [opened.index.word_scores(queries[positions[at]], selection).sum(axis=0)[positions[at]] for at in (a, b)]
        scores = pair.scores_X / np.sqrt(own[0] * own[1])
        total += scores.sum()
        special += scores[pair.special_X].sum()
        for mine, other, score in zip(pair.query_words_X - 1, pair.train_words_X - 1, scores, strict=True):
            inside = 0 <= mine < len(said[a]) and 0 <= other < len(said[b])  # the rest are start and end tokens
            if inside and said[a][mine] == said[b][other] and eligible(said[a][mine]):
                pulls[said[a][mine]] += score
    worth: dict[str, float] = {}
    common: set[str] = set()
    for word, carried in pulls.items():
        held = sum(word in words for words in said)
        of_all = (sum(word in words for words in texts) + 1) / (len(texts) + 1)
        factor = held / len(ids) / of_all
        if word in ENGLISH_STOP_WORDS or of_all > 0.1:
            common.add(word)
        if held >= max(2, len(ids) / 3) and factor > (3 if word in common else 1) and carried / total >= 0.01:
            worth[word] = carried / total * np.log(factor)
    some = {word: value for word, value in worth.items() if word not in common} or worth
    return sorted(some, key=lambda word: (-some[word], word))[:5], special / total


def test_names_by_a_double_loop_over_pairs(opened: WorkspaceReader) -> None:
    texts = [set(text.split()) for (text,) in opened.store.rows("select text from examples where split = 'train'")]
    small = [one for cut in (0.6, 0.8) for one in clusters(opened, threshold=cut, min_size=2) if one.size <= 9][:20]
    for one in small:
        words, share = words_by_hand(opened, one.train_ids, texts)
        assert one.words == words
        assert one.start_end_share == pytest.approx(share, abs=1e-4)
        assert one.name == (", ".join(words) or "no word in common")
    assert sum(bool(one.words) for one in small) > 5


# Worth -------------------------------------------------------------------------------------------------------------


def test_worth_by_hand() -> None:
    tree = dendrogram(np.abs(LINE[:, None] - LINE[None, :]))
    """Each alone carries too little of t2, both together enough; of t1 and t4 nobody ever does."""
    shares = [{"t1": 0.04, "t2": 0.03}, {"t2": 0.03}, {"t4": 0.009}, {"t3": 0.2}]
    worth = join_worth(tree, np.array([0.5, 0.25, 1.0, 0.0]), shares)
    assert worth.doubt_J.tolist() == [0.75, 1.75, 1.75]
    assert worth.mistakes_J.tolist() == [1, 1, 2]
    assert worth.pull_J.tolist() == pytest.approx([0.06, 0.06, 0.13])


def test_worth_recounted_from_the_suspects(copied: Callable[[], Path]) -> None:
    path = copied()
    write_suspects(path, CHEAP)
    write_clusters(path, ClusterSettings(difficult=0.0))
    opened = read_workspace(path)
    found = clusters(opened, threshold=0.8, min_size=2)
    for one in found:
        members = [suspect(opened, id) for id in one.train_ids]
        assert one.doubt == pytest.approx(sum(1 - (member.signals["confidence"] or 0) for member in members))
        assert one.contradicted == sum(member.suggested_label != member.label for member in members)
        together = pd.concat([member.errors for member in members]).groupby("test_id")["share"].sum()
        counted = together[together >= 0.05]
        assert one.mistakes == len(counted)
        assert one.mistake_pull == pytest.approx(counted.mean() if len(counted) else 0.0)
    assert any(one.mistakes for one in found)
    assert not all(one.mistakes for one in found)


def test_orders(opened: WorkspaceReader) -> None:
    def wrong(one: Cluster) -> float:
        return round(one.doubt or 0, 1)

    first = clusters(opened, threshold=0.75, min_size=2)
    assert len(first) > 3
    assert first == clusters(opened, threshold=0.75, min_size=2, order="worth")
    for before, after in pairwise(first):
        assert (wrong(before), before.mistakes) >= (wrong(after), after.mistakes)
    for before, after in pairwise(clusters(opened, threshold=0.75, min_size=2, order="mistakes")):
        assert (before.mistakes, wrong(before)) >= (after.mistakes, wrong(after))
    for before, after in pairwise(clusters(opened, threshold=0.75, min_size=2, order="size")):
        assert (before.size, -before.height) >= (after.size, -after.height)
    with pytest.raises(QueryError, match=r"^unknown order 'age'; choose one of worth, mistakes, size$"):
        clusters(opened, order="age")  # type: ignore[arg-type]


# Difficult by many models ------------------------------------------------------------------------------------------


def test_training_counts_up_to_its_best_epoch() -> None:
    """Losses on the two left out: log 2, then log 4/3, then (log 10/9 + log 10) / 2."""
    given = np.array([[0.5, 0.5, 0.0], [0.75, 0.75, 0.0], [0.9, 0.1, 1.0]])
    probabilities_ENY = np.stack([given, 1 - given], axis=2)
    labels_N, out_N = np.zeros(3, dtype=np.int64), np.array([True, True, False])
    assert best_epoch(probabilities_ENY, labels_N, out_N) == 1
    assert best_epoch(probabilities_ENY, labels_N, ~out_N) == 2
    assert best_epoch(np.zeros_like(probabilities_ENY), labels_N, out_N) == 0  # no loss is infinite
    assert best_epoch(probabilities_ENY, labels_N, np.zeros(3, dtype=bool)) == 2


def test_difficult_by_models_that_stop_early(copied_path: Path) -> None:
    """Shares by loops over what the models left on disk; finished models are not trained again."""
    settings = ClusterSettings(models=5, difficult=0.3)
    write_clusters(copied_path, settings)
    workspace = read_workspace(copied_path)
    labels = np.load(workspace.build / "index" / "train" / "labels.npy")
    missed, counted = Counter[int](), Counter[int]()
    for model in range(5):
        probabilities = np.load(workspace.build / "heldout" / "5-folds-seed-0" / str(model) / "probabilities.npy")
        out = left_out(workspace.index.encoding, labels, HeldOutSettings(models=5), model)
        losses = [-np.mean([np.log(epoch[n, labels[n]]) for n in np.flatnonzero(out)]) for epoch in probabilities]
        for epoch in probabilities[: int(np.argmin(losses)) + 1]:
            for n in np.flatnonzero(~out):
                missed[n] += int(epoch[n].argmax() != labels[n])
                counted[n] += 1
    shares = np.array([missed[n] / counted[n] for n in range(len(labels))])
    reported: list[str] = []
    found = misclassified_shares(workspace, settings, "cpu", lambda stage, done, total: reported.append(stage))
    np.testing.assert_allclose(found, shares)
    assert reported == []
    ids = workspace.train_ids()
    assert set(cluster_map(workspace)["train_id"]) == {ids[n] for n in np.flatnonzero(shares >= 0.3)}
    assert clusters_provenance(workspace)["settings"]["models"] == 5


# The whole ---------------------------------------------------------------------------------------------------------


def test_planted_patterns_become_clusters_named_by_their_words(opened: WorkspaceReader) -> None:
    found = clusters(opened, threshold=0.8)
    for words, right, wrong in PATTERNS:
        [mine] = [one for one in found if set(one.words[:2]) == set(words.split()) and one.size > MISLABELLED]
        pattern = re.compile(rf"(fine|{words.split()[0]}){words[0]}\d+")
        assert sum(bool(pattern.fullmatch(id)) for id in mine.train_ids) >= 0.7 * mine.size, mine.train_ids
        assert set(mine.labels) <= {right, wrong}


def test_clusters_are_those_of_a_cut_of_all_pairs(opened: WorkspaceReader) -> None:
    """Distances one pair at a time through `matches`, clustered by SciPy; labels counted by hand."""
    examples, total = difficult_examples(opened, 0.01, 3_000)
    assert len(examples) == total > 20
    positions = examples["position"].tolist()
    selection = METHODS["tracin-we"].selection
    assert selection is not None
    queries = train_queries(opened.index, all_positions=True)
    scores = np.array(
        [opened.index.matches(queries[a], np.array(positions), selection).checkpoint_scores_EC.sum(axis=1) for a in positions]
    )
    np.testing.assert_allclose(pull(opened.index, np.array(positions), "tracin-we").scores_EE, scores, rtol=1e-3, atol=1e-6)
    joins = linkage(squareform(influence_distances(scores), checks=False), method="average")
    for threshold in (0.6, 0.8, 1.0):
        expected = partition(fcluster(joins, threshold, "distance"), 3)
        found = clusters(opened, threshold=threshold, min_size=3)
        ids = examples["train_id"].tolist()
        assert {frozenset(one.train_ids) for one in found} == {frozenset(ids[at] for at in group) for group in expected}
        assert [one.size for one in found] == [len(one.train_ids) for one in found]
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
    selection = METHODS["tracin-we"].selection
    assert selection is not None
    queries = train_queries(opened.index, all_positions=True)
    for member in members:
        assert member.sentence.id is not None
        mine = positions[member.sentence.id]
        scores_N = opened.index.word_scores(queries[mine], selection).sum(axis=0)
        others = [position for id, position in positions.items() if id != member.sentence.id]
        assert sum(member.words.values()) == pytest.approx(scores_N[others].mean(), rel=1e-4)
        assert all(0 <= word < len(member.sentence.words) for word in member.words)
    page = cluster_members(opened, one.number, limit=2, offset=1)
    assert page == members[1:3]


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
    difficult = ranked[ranked["contradicted_share"] >= 0.01]
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
        ({"difficult": 1.5}, "--difficult 1.5: must be from 0 to 1, a share of opinions or epochs"),
        ({"cap": 1}, "--cap 1: must be 2 or more examples"),
        ({"seed": -1}, "--seed -1: must be 0 or more"),
        ({"models": -1}, "--models -1: must be 0 or a multiple of 5"),
        ({"models": 7}, "--models 7: must be 0 or a multiple of 5"),
        ({"method": "bm25"}, "--method bm25: choose tracin-we or tracin-we-topk$"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}"):
        ClusterSettings(**settings)  # type: ignore[arg-type]


def test_a_newer_schema_is_refused(copied_path: Path) -> None:
    workspace = read_workspace(copied_path)
    found = published(workspace.build, "clusters")
    assert found is not None
    with duckdb.connect(str(found[0])) as connection:
        connection.execute("insert into schema_versions values (99)")
    reseal_published(workspace.build, "clusters")
    with pytest.raises(WorkspaceNewer, match=r"has schema version 99, this Wordtrace knows 3; install a newer Wordtrace$"):
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
        "method": "tracin-we",
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
                "contradicted": one.contradicted,
                "train_ids": one.train_ids,
                "doubt": one.doubt,
                "mistakes": one.mistakes,
                "mistake_pull": one.mistake_pull,
                "start_end_share": one.start_end_share,
            }
            for one in found
        ],
    }
    assert err == ""


def test_command_prints_text(path: Path, opened: WorkspaceReader, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clusters", "--workspace", str(path), "--threshold", "0.9", "--difficult", "0.01"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = clusters(opened, threshold=0.9)
    assert lines[0] == f"{len(found)} clusters by tracin-we; {clusters_provenance(opened)['difficult']} difficult examples"
    assert lines[1] == f"  {found[0].number}: {found[0].size} examples, {found[0].name}"
    one = found[0]
    assert one.start_end_share is not None
    pushed = f"{one.mistake_pull:.0%} of the pull against {one.mistakes} test mistake{'s' if one.mistakes != 1 else ''}; "
    assert lines[2].strip() == (
        f"another label suggested for {one.contradicted} of {one.size}; {pushed if one.mistakes else ''}"
        f"start and end tokens carry {one.start_end_share:.0%} of the pull"
    )
    assert lines[4].strip().split(", ")[:3] == found[0].train_ids[:3]
    assert len(lines) == 1 + 4 * len(found)


def test_an_index_of_the_top_k_only(data: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Clustered by tracin-we-topk, said; tracin-we itself is one clear line."""
    path = tmp_path / "topk"
    build_workspace(path, request(data, store_rest=False))
    write_suspects(path, CHEAP)
    assert write_clusters(path, EASY)["method"] == "tracin-we-topk"
    workspace = read_workspace(path)
    assert clusters_provenance(workspace)["method"] == "tracin-we-topk"
    found = clusters(workspace, threshold=1.0, min_size=2)
    assert cluster_members(workspace, found[0].number)
    capsys.readouterr()
    assert main(["clusters", "--workspace", str(path), "--method", "tracin-we"]) == 2
    message = (
        "wordtrace: --method tracin-we: this workspace stores the gradients of the top-k positions only; "
        "use --method tracin-we-topk, or build it again with --index all"
    )
    assert capsys.readouterr().err.splitlines()[-1] == message


def test_top_k_on_request(copied_path: Path) -> None:
    write_clusters(copied_path, ClusterSettings(difficult=0.01, method="tracin-we-topk"))
    workspace = read_workspace(copied_path)
    selection = METHODS["tracin-we-topk"].selection
    assert selection is not None
    pairs = [one for cut in (0.4, 0.6, 0.8) for one in clusters(workspace, threshold=cut, min_size=2) if one.size == 2]
    assert pairs
    for one in pairs:
        a, b = (workspace.store.positions("train", [id])[id] for id in one.train_ids)
        scores = [workspace.index.word_scores(workspace.train_queries[at], selection).sum(axis=0) for at in (a, b)]
        assert one.height == pytest.approx(1 - scores[0][b] / np.sqrt(scores[0][a] * scores[1][b]), abs=1e-4)


def test_a_file_of_an_earlier_version_is_read_without_what_it_has_not_got(copied_path: Path) -> None:
    workspace = read_workspace(copied_path)
    found = published(workspace.build, "clusters")
    assert found is not None
    with duckdb.connect(str(found[0])) as connection:
        for column in ("doubt", "mistakes", "start_end_share", "mistake_pull"):
            connection.execute(f"alter table joins drop column {column}")
        connection.execute("delete from provenance where name = 'method'")
        connection.execute("delete from schema_versions where version >= 2")
    reseal_published(workspace.build, "clusters")
    old = clusters(workspace, threshold=0.9)
    assert [one.size for one in old] == sorted((one.size for one in old), reverse=True)
    assert {(one.doubt, one.mistakes, one.start_end_share) for one in old} == {(None, None, None)}
    assert cluster_members(workspace, old[0].number)


EQUAL = [(f"e{n}", "a great film", "neg" if n % 3 else "pos") for n in range(30)]
MANY = [(f"m{n}", f"text number {n} of label{n % 77}", f"label{n % 77}") for n in range(77 * 3)]
LONELY = [("a", "a great film", "pos"), ("b", "a dull film", "neg")]


@pytest.mark.parametrize(
    ("table", "least"), [(EQUAL, 1), (MANY, 0), (LONELY, 0)], ids=["equal texts", "77 labels", "one a label"]
)
def test_odd_data_gives_clusters_or_none_and_numbers_only(table: list[tuple[str, str, str]], least: int, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    file = write_csv(tmp_path / "odd.csv", table)
    training = training_settings("cnn", epochs=2, learning_rate=0.05, batch_size=8)
    build_workspace(path, BuildRequest(train=file, test=file, columns=Columns(id="id"), training=training, top_k=5))
    write_suspects(path, CHEAP)
    for share in (0.4, 0.0):
        write_clusters(path, ClusterSettings(difficult=share))
        workspace = read_workspace(path)
        found = clusters(workspace, threshold=1.0, min_size=2)
        assert len(found) >= (least if share == 0 else 0)
        for one in found:
            assert np.isfinite([one.height, one.doubt, one.mistakes]).all()
            assert one.start_end_share is None or np.isfinite(one.start_end_share)


def test_clusters_of_text_pairs(pair_workspace: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(pair_workspace, tmp_path / "pairs"))
    write_suspects(path, CHEAP)
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
