"""Suspects: every signal against a slow loop, planted flips on top, and what is on disk after each kind of run."""

import json
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from contents import edit_pointer, reseal_published
from hypothesis import given, strategies as st
from reviewing import reviews_at
from sklearn.metrics import average_precision_score
from tiny import bench, labelled, rows, stored, write_csv

from influence.attribution.methods import METHODS
from influence.cli import main
from influence.data.dataset import Columns
from influence.data.words import is_function_word
from influence.errors import QueryError, SettingsError, WorkspaceBusy, WorkspaceError, WorkspaceMissing, WorkspaceNewer
from influence.explanations.explaining import all_scores
from influence.opinions.held_out import model_folder
from influence.opinions.settings import HeldOutSettings, OpinionSettings
from influence.review.events import Reviewer
from influence.suspects.compute import write_suspects
from influence.suspects.ranking import SuspectFilter, has_suspects, provenance, suspect, suspect_ids, suspects, suspects_behind
from influence.suspects.reasons import Facts, Saying, names_nobody, reason
from influence.suspects.signals import NEIGHBOURS, SAME_WORD, disagreement, neighbours, opposition, strongest
from influence.suspects.suspicion import ranks, suggestions
from influence.suspects.tables import SIGNALS
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.builds import build_lock
from influence.workspace.database import published
from influence.workspace.workspace import WorkspaceReader, read_workspace

N, FLIPS = 240, 24
FIVE = OpinionSettings(held_out=HeldOutSettings(models=5))
WORDS_ONLY = OpinionSettings(encoder="none")
HELD_OUT = FIVE.held_out


def flipped_rows(n: int, flips: int, seed: int) -> tuple[list[tuple[str, str, str]], set[str]]:
    """Rows whose label follows from their words, but for some, whose ids are returned too."""
    made = rows(n, seed=seed)
    chosen = set(np.random.default_rng(seed).choice(n, flips, replace=False).tolist())
    other = {"neg": "pos", "pos": "neg"}
    table = [(id, text, other[label] if number in chosen else label) for number, (id, text, label) in enumerate(made)]
    return table, {made[number][0] for number in chosen}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A workspace with flipped training labels and its suspects from five held-out models; the flipped ids."""
    folder = tmp_path_factory.mktemp("planted")
    table, flipped = flipped_rows(N, FLIPS, seed=3)
    request = BuildRequest(
        train=write_csv(folder / "train.csv", table),
        test=write_csv(folder / "test.csv", rows(60, seed=4, prefix="t")),
        columns=Columns(id="id"),
        training=training_settings("cnn", epochs=4, learning_rate=0.05, batch_size=8),
        top_k=5,
    )
    path = folder / "workspace"
    build_workspace(path, request)
    write_suspects(path, FIVE)
    return path, flipped


@pytest.fixture
def opened(planted: tuple[Path, set[str]]) -> WorkspaceReader:
    return read_workspace(planted[0])


@pytest.fixture
def copied_planted(planted: tuple[Path, set[str]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(planted[0], tmp_path / "copy"))


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_ranks_are_a_permutation_and_ties_go_by_id(values: list[float], random: object) -> None:
    ties = list(range(len(values)))
    random.shuffle(ties)  # type: ignore[attr-defined]
    found = ranks(np.array(values), ties)
    expected = sorted(range(len(values)), key=lambda at: (-values[at], ties[at]))
    assert [int(np.flatnonzero(found == place + 1)[0]) for place in range(len(values))] == expected


def test_the_given_label_is_suggested_where_none_is_more_probable() -> None:
    average_NY = np.array([[0.4, 0.4, 0.2], [0.1, 0.3, 0.6], [0.2, 0.7, 0.1]])
    assert suggestions(average_NY, np.array([1, 1, 1])).tolist() == [1, 2, 1]


FACTS = Facts(
    label="World",
    suggested_label="Sports",
    opinions=5,
    votes=4,
    trained=20,
    missed=11,
    opposed_tests=1_041,
    opposed_word="championship",
    driven_errors=1,
    error_pull=0.074,
    neighbours=10,
    neighbours_against=8,
    neighbour_disagreement=0.75,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            "labelled World, 4 of 5 opinions say Sports; misclassified after 11 of 20 epochs of training; "
            "one of the strongest opponents of 1 wrong test prediction, with 7% of the pull; "
            "among the 100 strongest opponents of 1,041 right test predictions, most through “championship”; "
            "8 of its 10 strongest same-word neighbours pull against it",
        ),
        (
            {
                "suggested_label": "World",
                "votes": 1,
                "opinions": 1,
                "missed": 0,
                "driven_errors": 0,
                "opposed_tests": 0,
                "neighbour_disagreement": 0.1,
            },
            "labelled World, and 1 of 1 opinion says so",
        ),
        (
            {"missed": 0, "driven_errors": 2, "error_pull": 0.3, "opposed_tests": 1, "opposed_word": None, "neighbours": 0},
            "labelled World, 4 of 5 opinions say Sports; one of the strongest opponents of 2 wrong test predictions, with 30% of "
            "the pull; among the 100 strongest opponents of 1 right test prediction",
        ),
        (  # a word that says nothing, as files of earlier versions have it
            {"missed": 0, "driven_errors": 0, "opposed_tests": 7, "opposed_word": "t", "neighbours": 0},
            "labelled World, 4 of 5 opinions say Sports; among the 100 strongest opponents of 7 right test predictions",
        ),
    ],
)
def test_reason_in_words(changes: dict[str, object], expected: str) -> None:
    facts = replace(FACTS, **changes)
    assert reason(facts) == expected
    assert names_nobody(expected, ["World", "Sports"])
    assert not names_nobody(expected, ["World"]) or "Sports" not in expected
    for said in ([Saying("ann", "Sports", None)], [Saying("misclassified after 1 of 2 epochs of training", "World", 0.5)]):
        assert not names_nobody(reason(replace(facts, said=said)), ["World", "Sports"])


def test_an_interrupted_run_goes_on_with_the_next_model(planted: tuple[Path, set[str]], copied_planted: Path) -> None:
    path, reference = copied_planted, read_workspace(planted[0])
    build = read_workspace(path).build
    shutil.rmtree(build / "heldout")
    for file in build.glob("suspects*"):
        file.unlink()

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "held-out models" and done == 11:  # in the third of five models of four epochs
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_suspects(path, FIVE, progress=stop)
    done = [model_folder(build, HELD_OUT, model) / "probabilities.npy" for model in range(5)]
    assert [file.is_file() for file in done] == [True, True, False, False, False]
    assert not has_suspects(read_workspace(path))
    before = done[0].stat().st_mtime_ns
    write_suspects(path, FIVE)
    assert done[0].stat().st_mtime_ns == before
    pd.testing.assert_frame_equal(everything(read_workspace(path)), everything(reference))


def everything(workspace: WorkspaceReader) -> pd.DataFrame:
    return suspects(workspace, limit=1_000)[1]


# Word signals ------------------------------------------------------------------------------------------------------


def test_opposition_is_the_sum_of_negative_scores(opened: WorkspaceReader) -> None:
    """One test example at a time, by the way `scores` goes."""
    tests = opened.store.rows("select id, label, position from examples where split = 'test' order by position")
    predicted = dict(opened.store.rows("select position, predicted from predictions where split = 'test' and checkpoint = 3"))
    right = [id for id, label, position in tests if predicted[position] == label]
    assert 0 < len(right) < len(tests), "the fixture needs right and wrong predictions"
    scores_MN = np.stack([all_scores(opened, test_id=id)["score"].to_numpy() for id in right])
    found = everything(opened).set_index("train_id").loc[opened.train_ids()]
    np.testing.assert_allclose(found["opposition"], -np.minimum(scores_MN, 0).sum(axis=0), rtol=1e-4, atol=1e-7)

    mask_M = np.array([predicted[position] == label for _, label, position in tests])
    both = opposition(opened.index, opened.queries, mask_M)
    np.testing.assert_allclose(both.for_N, np.maximum(scores_MN, 0).sum(axis=0), rtol=1e-4, atol=1e-7)


def test_neighbours_are_the_strongest_for_their_own_size(tmp_path: Path) -> None:
    made = bench(tmp_path, "cnn", train=labelled(40, seed=21), test=labelled(2, seed=22), learning_rates=(0.5,))
    self_N = 0.5 * stored(tmp_path, "train", 0, "self_influence")[:, 0]
    found = neighbours(made.index, self_N)
    scores_NN = np.stack([made.index.word_scores(query, SAME_WORD).sum(axis=0) for query in train_queries(made)])
    for one in range(40):
        shares = {
            other: scores_NN[one, other] / np.sqrt(self_N[other]) for other in range(40) if other != one and self_N[other] > 0
        }
        best = sorted(shares.values(), key=lambda share: -abs(share))[:NEIGHBOURS]
        against = sum(-share for share in best if share < 0)
        total = sum(abs(share) for share in best)
        assert found.disagreement_N[one] == pytest.approx(against / total if total else 0, rel=1e-4)
        assert found.count_N[one] == sum(share != 0 for share in best)
        assert found.against_N[one] == sum(share < 0 for share in best)
    assert 0 < found.disagreement_N.mean() < 1


def train_queries(made: object) -> list[object]:
    from influence.attribution.stored_queries import train_queries

    queries = train_queries(made.index)  # type: ignore[attr-defined]
    return [queries[position] for position in range(len(queries))]


def test_a_training_example_as_a_query_scores_as_a_test_example_would(tmp_path: Path) -> None:
    """The same sentences as both splits: asking for training example n is asking for test example n."""
    same = labelled(25, seed=31)
    made = bench(tmp_path, "bert", train=same, test=same)
    for method in (METHODS["tracin-we-topk"].selection, SAME_WORD):
        assert method is not None
        asked = made.index.word_scores_many(train_queries(made), method)
        np.testing.assert_allclose(asked, made.index.word_scores_many(made.query_list(), method), rtol=1e-5, atol=1e-6)


def test_strongest_and_disagreement_by_hand() -> None:
    scores_QN = np.array([[0.1, -3.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    strongest_QK = strongest(scores_QN, 2)
    assert strongest_QK.tolist() == [[-3.0, 2.0], [0.0, 0.0]]
    np.testing.assert_allclose(disagreement(strongest_QK), [3 / 5, 0])
    assert strongest(scores_QN, 9).shape == (2, 4)


# The whole ---------------------------------------------------------------------------------------------------------


def test_planted_flips_surface_at_the_top(planted: tuple[Path, set[str]], opened: WorkspaceReader) -> None:
    flipped = planted[1]
    found = everything(opened)
    assert len(found) == N
    wrong = found["train_id"].isin(flipped)
    assert wrong.mean() == FLIPS / N
    assert average_precision_score(wrong, found["suspicion"]) > 0.9
    assert wrong[: FLIPS // 2].mean() == 1
    right_labels = {id: label for id, _, label in rows(N, seed=3)}
    top = found[:FLIPS][wrong[:FLIPS]]
    assert (top["suggested_label"] == top["train_id"].map(right_labels)).mean() > 0.9
    assert (found["suspicion"].between(0, 1)).all()
    assert found["rank"].tolist() == list(range(1, N + 1))
    assert found["suspicion"].is_monotonic_decreasing


def test_cheap_signals_alone_find_most_flips(planted: tuple[Path, set[str]], copied_planted: Path) -> None:
    build = read_workspace(copied_planted).build
    shutil.rmtree(build / "heldout")
    write_suspects(copied_planted, WORDS_ONLY)
    found = everything(read_workspace(copied_planted))
    assert average_precision_score(found["train_id"].isin(planted[1]), found["suspicion"]) > 0.6
    assert found["held_out_confidence"].isna().all()
    assert not (build / "heldout").exists()
    assert found["reason"].str.contains(r"\bof 3 opinions say").all()


def test_counts_and_self_influence_agree_with_the_results(opened: WorkspaceReader) -> None:
    found = everything(opened).set_index("train_id")
    names = opened.train_ids()
    opposed, driven = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    pulls: dict[str, list[tuple[float, float]]] = {id: [] for id in names}
    for position, label in opened.store.rows("select position, label from examples where split = 'test'"):
        predicted = opened.store.examples("test", [position])[position].predicted
        against = {names[train]: s for train, s, *_ in opened.store.influences(position, "tracin-we-topk", 100) if s < 0}
        for id, score in against.items():
            if predicted == label:
                opposed[id] += 1
            elif score <= 0.05 * sum(against.values()):
                driven[id] += 1
                pulls[id].append((score, sum(against.values())))
    assert found["opposed_tests"].to_dict() == opposed
    assert found["driven_errors"].to_dict() == driven
    assert sum(driven.values()) > 0
    for id, pairs in pulls.items():
        said = re.search(r"opponents of [\d,]+ wrong test predictions?, with (\d+)% of the pull", found.loc[id, "reason"])
        assert (said is not None) == bool(pairs)
        if said:
            scores, totals = zip(*pairs, strict=True)
            assert int(said.group(1)) == pytest.approx(100 * sum(scores) / sum(totals), abs=0.51)
    stored = dict(opened.store.rows("select position, score from self_influence where split='train' and method='tracin-we-topk'"))
    assert found["self_influence"].to_dict() == {names[position]: score for position, score in stored.items()}


def test_one_suspect_with_the_errors_it_drives_and_back(opened: WorkspaceReader) -> None:
    row = suspects(opened, order="-driven_errors", limit=1)[1].iloc[0]
    one = suspect(opened, row["train_id"])
    assert (one.train_id, one.rank, one.label, one.reason) == (row["train_id"], row["rank"], row["label"], row["reason"])
    assert one.signals == {name: pytest.approx(row[name]) for name in SIGNALS}
    assert one.text_pair is None
    assert (one.errors["share"] >= 0.05).sum() == row["driven_errors"] > 0
    assert (one.errors["label"] != one.errors["predicted"]).all()
    assert one.errors["share"].is_monotonic_decreasing
    assert (one.errors["score"] < 0).all()
    test_id = one.errors["test_id"].iloc[0]
    behind = suspects_behind(opened, test_id, changed=None, limit=1_000)
    scores = all_scores(opened, test_id=test_id).set_index("train_id")["score"]
    expected = scores[scores < 0].sort_values()[:100]
    np.testing.assert_allclose(behind["score"], expected, rtol=1e-4)
    np.testing.assert_allclose(behind["share"], expected / expected.sum(), rtol=1e-4)
    assert one.train_id in set(behind["train_id"])
    changed = suspects_behind(opened, test_id, limit=1_000)
    kept = behind[behind["suggested_label"] != behind["label"]]
    pd.testing.assert_frame_equal(changed, kept.reset_index(drop=True))


def test_a_right_prediction_has_no_suspects_behind_it(opened: WorkspaceReader) -> None:
    right = opened.store.rows(
        "select id from examples e join predictions p using (split, position) "
        "where split = 'test' and checkpoint = 3 and e.label = p.predicted limit 1"
    )[0][0]
    assert suspects_behind(opened, right).empty


def test_words_named_in_reasons_are_in_the_text(opened: WorkspaceReader) -> None:
    named = 0
    for row in everything(opened).to_dict("records"):
        word = re.search(r"most through “([^”]+)”", row["reason"])
        if word:
            named += 1
            assert word.group(1) in row["text"].lower().split()
            assert not is_function_word(word.group(1))
    assert named > N / 2


@pytest.mark.parametrize(
    ("filter", "kept"),
    [
        (SuspectFilter(label="pos"), lambda f: f["label"] == "pos"),
        (SuspectFilter(suggested_label="neg", label="pos"), lambda f: (f.suggested_label == "neg") & (f.label == "pos")),
        (SuspectFilter(predicted="neg"), lambda f: f["predicted"] == "neg"),
        (SuspectFilter(changed=True), lambda f: f["suggested_label"] != f["label"]),
        (SuspectFilter(changed=False), lambda f: f["suggested_label"] == f["label"]),
        (SuspectFilter(text="AWFUL"), lambda f: f["text"].str.contains("awful")),
        (SuspectFilter(text="e17"), lambda f: f["train_id"] == "e17"),
    ],
)
def test_filters(opened: WorkspaceReader, filter: SuspectFilter, kept: Callable) -> None:
    total, found = suspects(opened, filter, limit=1_000)
    whole = everything(opened)
    expected = whole[kept(whole)].reset_index(drop=True)
    assert 0 < len(expected) < N
    assert total == len(expected)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_sorts_both_ways_and_pages_are_whole(opened: WorkspaceReader, signal: str) -> None:
    values = everything(opened)[signal]
    assert suspects(opened, order=f"-{signal}", limit=1_000)[1][signal].tolist() == sorted(values, reverse=True)
    pages = [suspects(opened, order=signal, limit=100, offset=start)[1] for start in (0, 100, 200)]
    assert pd.concat(pages)[signal].tolist() == sorted(values)
    assert pd.concat(pages)["train_id"].nunique() == N


def test_a_reason_worded_anew_shows_at_once(opened: WorkspaceReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file holds the facts; every way to read it makes the sentence of today."""
    before = everything(opened)
    assert before.columns[8] == "reason"
    monkeypatch.setattr(
        "influence.suspects.reasons.reason", lambda facts: f"{facts.votes} of {facts.opinions}, {facts.opposed_word}"
    )
    after = everything(opened)
    assert after["reason"].str.fullmatch(r"[0-9]+ of [0-9]+, .+").all()
    assert after.drop(columns="reason").equals(before.drop(columns="reason"))
    assert suspect(opened, after["train_id"][0]).reason == after["reason"][0]


def test_a_ranking_by_another_formula_is_told_and_made_again(copied_planted: Path) -> None:
    """Its file stands beside a newer program until somebody ranks again; nothing is read out of it."""
    build = read_workspace(copied_planted).build
    reseal_published(build, "suspects", settings={"models": 5, "folds": 5, "seed": 0, "formula": 2})
    workspace = read_workspace(copied_planted)
    assert not has_suspects(workspace)
    with pytest.raises(WorkspaceMissing, match=r"were ranked by another version; rank them again with: python -m influence sus"):
        suspects(workspace)
    assert write_suspects(copied_planted) == asdict(FIVE)  # with the models that it had
    assert has_suspects(workspace)


def test_provenance_says_what_the_suspects_were_made_from(opened: WorkspaceReader) -> None:
    made = provenance(opened)
    assert made["settings"] == asdict(FIVE)
    assert made["build"] == opened.build.name
    assert [opinion["name"] for opinion in made["opinions"]] == [
        "embeddings, logistic regression",
        "embeddings, nearest neighbours",
        "words, naive Bayes",
        "words, nearest neighbours",
        "own model",
        "held-out models",
    ]
    assert sum(opinion["weight"] for opinion in made["opinions"]) == pytest.approx(1, abs=1e-3)
    assert made["encoder"] == "model"
    assert (made["decisions"], made["baseline"]) == (0, 1.0)  # every word of that data tells the label
    assert made["versions"] == opened.info.versions


# On disk -----------------------------------------------------------------------------------------------------------


def test_the_same_settings_only_read(copied_planted: Path) -> None:
    build = read_workspace(copied_planted).build
    before = {file: file.stat().st_mtime_ns for file in build.rglob("*")}
    write_suspects(copied_planted, FIVE)
    assert {file: file.stat().st_mtime_ns for file in build.rglob("*")} == before


def test_another_formula_computes_anew(copied_planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = read_workspace(copied_planted).build
    before = published(build, "suspects")
    monkeypatch.setattr("influence.suspects.compute.FORMULA", 999)
    write_suspects(copied_planted, FIVE)
    assert published(build, "suspects") != before


def test_other_settings_replace_the_file_while_the_old_one_is_open(copied_planted: Path) -> None:
    workspace = read_workspace(copied_planted)
    old = everything(workspace)
    first = published(workspace.build, "suspects")
    write_suspects(copied_planted, WORDS_ONLY)
    second = published(workspace.build, "suspects")
    assert first is not None
    assert second is not None
    assert first[0] != second[0]
    assert not first[0].exists()
    new = everything(workspace)  # the same opened workspace sees the new file
    assert new["held_out_confidence"].isna().all()
    assert not old["held_out_confidence"].isna().any()
    assert sorted(file.name for file in workspace.build.glob("suspects*")) == [second[0].name, "suspects.json"]


def test_a_failure_while_writing_leaves_the_old_suspects(copied_planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = read_workspace(copied_planted)
    before = everything(workspace)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("influence.suspects.tables.SuspectStore.write_provenance", full)
    with pytest.raises(WorkspaceError, match=r"^disk full while writing into workspace .*run the same command again$"):
        write_suspects(copied_planted, WORDS_ONLY)
    pd.testing.assert_frame_equal(everything(read_workspace(copied_planted)), before)
    assert not list(workspace.build.glob("*.tmp*"))


def test_more_models_keep_those_that_are_there(copied_planted: Path) -> None:
    build = read_workspace(copied_planted).build
    file = model_folder(build, HELD_OUT, 0) / "probabilities.npy"
    before = file.stat().st_mtime_ns
    write_suspects(copied_planted, OpinionSettings(held_out=HeldOutSettings(models=10)))
    assert file.stat().st_mtime_ns == before
    assert everything(read_workspace(copied_planted))["reason"].str.contains("of 6 opinions").all()


def test_suspects_of_text_pairs(pair_workspace: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(pair_workspace, tmp_path / "pairs"))
    write_suspects(path, OpinionSettings(held_out=HeldOutSettings(models=2, folds=2)))
    workspace = read_workspace(path)
    total, found = suspects(workspace, limit=5)
    assert total == workspace.info.n_train
    stored = workspace.store.positions("train", found["train_id"].tolist())
    for row in found.to_dict("records"):
        example = workspace.store.examples("train", [stored[row["train_id"]]])[stored[row["train_id"]]]
        assert (row["text"], row["text_pair"]) == (example.text, example.text_pair)
    assert suspects(workspace, SuspectFilter(text=found["text_pair"][0][2:12]))[0] >= 1


# Bad input ---------------------------------------------------------------------------------------------------------


def test_a_workspace_without_suspects(workspace: Path) -> None:
    opened = read_workspace(workspace)
    assert not has_suspects(opened)
    message = (
        f"workspace '{workspace}' has no suspects yet; compute them with: python -m influence suspects --workspace {workspace}"
    )
    with pytest.raises(WorkspaceMissing, match=f"^{re.escape(message)}$"):
        suspects(opened)


def test_unknown_ids_signals_and_pages(opened: WorkspaceReader) -> None:
    with pytest.raises(QueryError, match=r"^unknown training id 'nobody' in workspace 'workspace'$"):
        suspect(opened, "nobody")
    with pytest.raises(QueryError, match=r"^unknown test id 'nobody' in workspace 'workspace'$"):
        suspects_behind(opened, "nobody")
    for order in ("beauty", "-text; drop table suspects"):
        with pytest.raises(QueryError, match=r"^unknown signal .*; choose one of suspicion, confidence, "):
            suspects(opened, order=order)
    with pytest.raises(QueryError, match=r"^a page of 0 suspects from 0"):
        suspects(opened, limit=0)


def test_a_newer_schema_is_refused(copied_planted: Path) -> None:
    workspace = read_workspace(copied_planted)
    found = published(workspace.build, "suspects")
    assert found is not None
    with duckdb.connect(str(found[0])) as connection:
        connection.execute("insert into schema_versions values (99)")
    reseal_published(workspace.build, "suspects")
    with pytest.raises(WorkspaceNewer, match=r"has schema version 99, this Wordtrace knows 4; install a newer Wordtrace$"):
        suspects(workspace)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda build, file: (build / "suspects.json").write_text("{"),
            "is damaged .*delete it and run: python -m influence sus",
        ),
        (lambda build, file: file.unlink(), "is missing; delete 'suspects.json' beside it and run: python -m influence suspects"),
        (
            lambda build, file: file.write_bytes(b"no database"),
            "is damaged: it has .* bytes, .*; delete 'suspects.json' beside it and run: ",
        ),
    ],
)
def test_damage_is_told(copied_planted: Path, damage: Callable, message: str) -> None:
    workspace = read_workspace(copied_planted)
    found = published(workspace.build, "suspects")
    assert found is not None
    damage(workspace.build, found[0])
    with pytest.raises(WorkspaceError, match=message):
        suspects(workspace)


def test_models_like_imported_ones_cannot_be_trained(copied_planted: Path) -> None:
    edit_pointer(copied_planted, lambda pointer: pointer["info"]["settings"].update(training=None))
    build = read_workspace(copied_planted).build
    shutil.rmtree(build / "heldout")
    (build / "suspects.json").unlink()
    with pytest.raises(SettingsError, match=r"^--models 5: the checkpoints of workspace 'copy' were imported.*use --models 0$"):
        write_suspects(copied_planted, FIVE)
    (build / "suspects.json").unlink(missing_ok=True)
    assert write_suspects(copied_planted)["held_out"]["models"] == 0


def test_a_workspace_being_built_is_busy(copied_planted: Path) -> None:
    with build_lock(copied_planted), pytest.raises(WorkspaceBusy):
        write_suspects(copied_planted, WORDS_ONLY)


# The command -------------------------------------------------------------------------------------------------------


def test_command_prints_json(planted: tuple[Path, set[str]], opened: WorkspaceReader, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suspects", "--workspace", str(planted[0]), "--top", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    assert printed["settings"] == {
        "models": 5,
        "folds": 5,
        "seed": 0,
        "encoder": "auto",
        "test_labels_checked": False,
        "use_test_balance": True,
    }
    assert [printed[name] for name in ("decisions", "baseline")] == [0, 1.0]
    rows_ = suspects(opened, limit=3)[1].to_dict("records")
    keys = ["train_id", "label", "suggested_label", "suspicion", "predicted", "reason", *SIGNALS[1:], "text"]
    assert printed["suspects"] == [{key: row[key] for key in keys} for row in rows_]
    assert printed["scale"]["left"] is None
    assert [printed["scale"][name] for name in ("judged", "wrong", "undecided")] == [0, 0, N]
    assert err == ""


def test_command_prints_text(planted: tuple[Path, set[str]], opened: WorkspaceReader, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suspects", "--workspace", str(planted[0]), "--top", "1"]) == 0
    row = suspects(opened, limit=1)[1].iloc[0]
    assert capsys.readouterr().out == (
        f"the 1 most suspicious of {N} training examples\n"
        "nothing is judged yet: suspicion is a rank, not a probability; after 20 decisions it says how many are wrong\n"
        f"  {row['suspicion']:.3f}  {row['train_id']}  [{row['label']} → {row['suggested_label']}]  {row['text']}\n"
        f"      {row['reason']}\n"
    )


def test_command_says_what_decisions_tell(copied_planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also while the app holds the log open."""
    workspace = read_workspace(copied_planted)
    with closing(reviews_at(workspace)) as reviews:
        for place, id in enumerate(suspect_ids(workspace)[:22]):
            reviews.decide(Reviewer(name="ann"), id, "keep" if place % 2 else "remove")
        assert main(["suspects", "--workspace", str(copied_planted), "--models", "5", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)["scale"]
        assert main(["suspects", "--workspace", str(copied_planted), "--models", "5", "--top", "1"]) == 0
        text = capsys.readouterr().out.splitlines()
    assert (told["judged"], told["wrong"], sum(level["judged"] for level in told["levels"])) == (22, 11, 22)
    assert 0 <= told["left"]["low"] <= told["left"]["upper"] <= told["left"]["high"] <= N - 22
    assert text[1:4] == told["in_words"]
    assert text[3] == f"the last 22 judged held 11; at most {told['left']['upper']} are left at 95 %"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--top", "0"], "--top 0: must be 1 or more"),
        (
            ["--models", "7"],
            "--models 7: must be 0 or a multiple of --folds 5, so that every example is left out by as many models",
        ),
        (["--folds", "0"], "--folds 0: must be 2 or more"),
    ],
)
def test_command_refuses(
    planted: tuple[Path, set[str]], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suspects", "--workspace", str(planted[0]), *arguments]) == 2
    assert capsys.readouterr() == ("", f"wordtrace: {message}\n")
