"""Suspects: every signal against a slow loop, planted flips on top, and what is on disk after each kind of run."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, strategies as st
from sklearn.metrics import average_precision_score
from tiny import bench, labelled, rows, write_csv

from influence.attribution.methods import METHODS
from influence.cli import main
from influence.data.dataset import Columns
from influence.errors import QueryError, SettingsError, WorkspaceBusy, WorkspaceError, WorkspaceMissing, WorkspaceNewer
from influence.explanations.explaining import all_scores
from influence.models.encoding import Encoding, encode
from influence.models.model import new_classifier, train_word_pieces
from influence.models.training import TrainingSettings, make_optimizer, train_epoch
from influence.suspects.compute import write_suspects
from influence.suspects.cross_validation import predict
from influence.suspects.held_out import left_out, model_folder
from influence.suspects.ranking import SuspectFilter, has_suspects, provenance, suspect, suspects, suspects_behind
from influence.suspects.reasons import Facts, reason
from influence.suspects.settings import HeldOutSettings
from influence.suspects.signals import (
    NEIGHBOURS,
    SAME_WORD,
    Neighbours,
    Opinions,
    calibrated,
    calibration,
    disagreement,
    doubt,
    epoch_weights,
    held_out_confidence,
    neighbours,
    opposition,
    strongest,
    usual_confidence,
)
from influence.suspects.suspicion import judge, ranks
from influence.suspects.tables import SIGNALS
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.builds import build_lock
from influence.workspace.database import published
from influence.workspace.workspace import WorkspaceReader, read_workspace

N, FLIPS = 240, 24
FIVE = HeldOutSettings(models=5)


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


# What models say ---------------------------------------------------------------------------------------------------


def test_opinions_are_means_over_models_and_counts_over_epochs() -> None:
    """Two models, two epochs, three examples, two labels; the second model leaves the last example out."""
    labels_N = np.array([0, 1, 0])
    first = np.array([[[0.9, 0.1], [0.5, 0.5], [0.4, 0.6]], [[0.7, 0.3], [0.2, 0.8], [0.1, 0.9]]])
    second = np.array([[[0.6, 0.4], [0.6, 0.4], [0.3, 0.7]], [[0.8, 0.2], [0.4, 0.6], [0.2, 0.8]]])
    opinions = Opinions(labels_N, 2)
    opinions.add(first, np.array([[4, 0], [0, 4]]), np.array([0.25, 0.75]))
    opinions.add(second, np.array([[2, 2], [2, 2]]), np.array([0.5, 0.5]), np.array([False, False, True]))
    np.testing.assert_allclose(opinions.expected_Y, [1 + 2, 3 + 2])

    means_first = [[0.75, 0.25], [0.275, 0.725], [0.175, 0.825]]
    means_second = [[0.7, 0.3], [0.5, 0.5], [0.25, 0.75]]
    np.testing.assert_allclose(opinions.mean_NY(), (np.array(means_first) + means_second) / 2)
    # Example 1: label 1; the first model says 0 on a tie in epoch 1, the second in epoch 1: 2 of 4 epochs.
    np.testing.assert_allclose(opinions.misclassified_share_N(), [0, 2 / 4, 2 / 2])
    assert opinions.trained_N.tolist() == [4, 4, 2]
    assert opinions.held_out_N.tolist() == [0, 0, 1]
    assert opinions.votes_NY.tolist() == [[0, 0], [0, 0], [0, 1]]
    assert opinions.held_out_mean_NY() is None  # not everyone was left out
    assert np.isnan(held_out_confidence(opinions)).all()
    opinions.add(first, np.zeros((2, 2)), np.array([1.0, 0.0]), np.array([True, True, False]))
    np.testing.assert_allclose(held_out_confidence(opinions), [0.9, 0.5, 0.25])


@pytest.mark.parametrize(
    ("accuracies", "guess", "weights"),
    [
        ([0.5, 0.7, 0.9], 0.5, [0, 1 / 3, 2 / 3]),
        ([0.3, 0.4], 0.5, [0.5, 0.5]),  # nothing was learnt
        ([0.6], 0.5, [1]),
    ],
)
def test_epochs_count_by_what_was_learnt(accuracies: list[float], guess: float, weights: list[float]) -> None:
    np.testing.assert_allclose(epoch_weights(np.array(accuracies), guess), weights, atol=1e-12)


def test_calibration_compares_given_with_expected_counts() -> None:
    """Expected 2.0 and 1.0, given 1 and 2; one of each is added to both: 2/3 and 3/2."""
    factors_Y = calibration(np.array([2.0, 1.0]), np.array([1, 2]))
    np.testing.assert_allclose(factors_Y, [2 / 3, 3 / 2])
    np.testing.assert_allclose(calibrated(np.array([[0.6, 0.4]]), factors_Y), [[0.4, 0.6]])
    np.testing.assert_allclose(calibration(np.array([1.0, 3.0]), np.array([1, 3])), [1, 1])


def test_doubt_is_a_half_where_another_label_is_as_far_ahead() -> None:
    probabilities_NY = np.array([[1, 0, 0], [0.4, 0.4, 0.2], [0.2, 0.5, 0.3], [0, 0, 1]])
    labels_N = np.array([0, 0, 0, 0])
    np.testing.assert_allclose(doubt(probabilities_NY, labels_N, np.zeros(3)), [1 / 6, 1 / 2, 0.6, 5 / 6])
    # Label 0 is usually given 0.4, label 2 only 0.2: in the second row it counts 0.2 - 0.1 = 0.1 against 0.4 - 0.2.
    usual_Y = np.array([0.4, 1.0, 0.2])
    np.testing.assert_allclose(doubt(probabilities_NY, labels_N, usual_Y)[1], 1 / 2 + (0.1 - 0.2) / 3)


def test_usual_confidence_is_the_mean_where_a_label_is_given() -> None:
    probabilities_NY = np.array([[0.9, 0.1, 0], [0.5, 0.5, 0], [0.2, 0.8, 0]])
    np.testing.assert_allclose(usual_confidence(probabilities_NY, np.array([0, 0, 1])), [0.7, 0.8, 0])


@given(st.integers(2, 5), st.integers(0, 1_000))
def test_doubt_stays_between_0_and_1(labels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities_NY = generator.dirichlet(np.full(labels, 0.1), size=50)
    labels_N = generator.integers(labels, size=50)
    doubts_N = doubt(probabilities_NY, labels_N, usual_confidence(probabilities_NY, labels_N))
    assert ((doubts_N >= 0) & (doubts_N <= 1)).all()


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_ranks_are_a_permutation_and_ties_go_by_id(values: list[float], random: object) -> None:
    ties = list(range(len(values)))
    random.shuffle(ties)  # type: ignore[attr-defined]
    found = ranks(np.array(values), ties)
    expected = sorted(range(len(values)), key=lambda at: (-values[at], ties[at]))
    assert [int(np.flatnonzero(found == place + 1)[0]) for place in range(len(values))] == expected


def test_judgement_by_hand() -> None:
    """Two labels, two examples; one model had both, another left both out.

    Example 0, label 0: (0.8 + 0.3) / 2 = 0.55 by all models, 0.3 held out. Example 1, label 1: 0.8 and 0.7. Usual of the
    labels, held out: 0.3 and 0.7. So doubt of example 0 = 1/2 + ((0.45 - 0.35) - (0.55 - 0.15)) / 3 = 0.4.
    """
    opinions = Opinions(np.array([0, 1]), 2)
    opinions.add(np.array([[[0.8, 0.2], [0.1, 0.9]]]), np.zeros((1, 2)), np.array([1.0]))
    near = Neighbours(np.array([0.6, 0.0]), np.array([3, 0]), np.array([5, 5]))
    even = np.array([1.0, 1.0])
    alone = judge(opinions, even, near)  # usual: 0.8 and 0.9
    np.testing.assert_allclose(alone.suspicion_N[0], 0.95 * (0.5 + ((0.2 - 0.45) - (0.8 - 0.4)) / 3) + 0.05 * 0.6)
    assert alone.suggested_N.tolist() == [0, 1]
    opinions.add(np.array([[[0.3, 0.7], [0.3, 0.7]]]), np.zeros((1, 2)), np.array([1.0]), np.array([True, True]))
    found = judge(opinions, even, near)
    np.testing.assert_allclose(found.suspicion_N[0], 0.95 * 0.4 + 0.05 * 0.6)
    assert found.suggested_N.tolist() == [1, 1]  # (0.55 + 0.3) / 2 for label 0 of the first
    swayed = judge(opinions, np.array([3.0, 1.0]), near)
    assert swayed.suggested_N.tolist()[0] == 0
    assert swayed.suspicion_N[0] < found.suspicion_N[0]


FACTS = Facts(
    label="World",
    suggested_label="Sports",
    held_out=5,
    votes=4,
    trained=20,
    missed=11,
    opposed_tests=1_041,
    opposed_word="championship",
    driven_errors=1,
    neighbours=10,
    neighbours_against=8,
    neighbour_disagreement=0.75,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            "given World, 4 of 5 held-out models say Sports; misclassified after 11 of 20 epochs of training; "
            "drives 1 wrong test prediction; opposes 1,041 correct test examples, most through 'championship'; "
            "8 of its 10 strongest same-word neighbours pull against it",
        ),
        (
            {
                "suggested_label": "World",
                "votes": 1,
                "held_out": 1,
                "missed": 0,
                "driven_errors": 0,
                "opposed_tests": 0,
                "neighbour_disagreement": 0.1,
            },
            "given World, and 1 of 1 held-out model says so",
        ),
        (
            {
                "held_out": 0,
                "votes": 0,
                "missed": 0,
                "driven_errors": 2,
                "opposed_tests": 1,
                "opposed_word": None,
                "neighbours": 0,
            },
            "given World, on average over its training the model says Sports; drives 2 wrong test predictions; "
            "opposes 1 correct test example",
        ),
        (
            {
                "held_out": 0,
                "suggested_label": "World",
                "missed": 0,
                "driven_errors": 0,
                "opposed_tests": 0,
                "neighbour_disagreement": 0.2,
            },
            "given World, and on average over its training the model says so",
        ),
    ],
)
def test_reason_in_words(changes: dict[str, object], expected: str) -> None:
    assert reason(replace(FACTS, **changes)) == expected


# Held-out models ---------------------------------------------------------------------------------------------------


def encoded(texts: list[str]) -> Encoding:
    return encode(train_word_pieces([text for _, text, _ in rows(60, seed=0)]), texts, None, max_length=40)


def test_every_example_is_left_out_once_a_repeat_and_labels_are_spread() -> None:
    made = rows(100, seed=11)
    labels_N = np.array([label == "pos" for _, _, label in made]).astype(int)
    settings = HeldOutSettings(models=8, folds=4, seed=5)
    out_XN = np.stack([left_out(encoded([text for _, text, _ in made]), labels_N, settings, model) for model in range(8)])
    assert (out_XN[:4].sum(axis=0) == 1).all()
    assert (out_XN[4:].sum(axis=0) == 1).all()
    assert (out_XN[:4] != out_XN[4:]).any()
    for label in (0, 1):
        counts = out_XN[:4, labels_N == label].sum(axis=1)
        assert counts.max() - counts.min() <= 1


def test_copies_of_a_text_are_left_out_together() -> None:
    texts = ["good film", "bad plot", "good film", "the actor", "a scene", "GOOD film", "dull music", "poor story"]
    labels_N = np.array([1, 0, 0, 1, 0, 1, 0, 0])
    for model in range(4):
        out_N = left_out(encoded(texts), labels_N, HeldOutSettings(models=4, folds=4), model)
        assert len(set(out_N[[0, 2, 5]])) == 1


def test_training_on_a_subset_is_training_on_those_examples_alone() -> None:
    """The weights equal those of a data set that holds nothing else."""
    made = rows(40, seed=7)
    texts, labels_N = [text for _, text, _ in made], np.array([label == "pos" for _, _, label in made]).astype(int)
    chosen = np.array([1, 2, 5, 8, 13, 21, 34, 3, 30])
    settings = TrainingSettings(epochs=2, learning_rate=0.1, optimizer="sgd", batch_size=4, seed=9)

    def trained(encoding: Encoding, labels: np.ndarray, examples: np.ndarray | None) -> dict[str, torch.Tensor]:
        model = new_classifier("cnn", ["neg", "pos"], seed=1, vocabulary=200)
        optimizer = make_optimizer(model, settings)
        for epoch in (1, 2):
            train_epoch(model, optimizer, encoding, labels, settings, epoch=epoch, pad_token=0, examples_E=examples)
        return dict(model.state_dict())

    part = trained(encoded(texts), labels_N, chosen)
    alone = trained(encoded([texts[at] for at in chosen]), labels_N[chosen], None)
    whole = trained(encoded(texts), labels_N, None)
    assert all(torch.equal(part[name], alone[name]) for name in part)
    assert not all(torch.equal(part[name], whole[name]) for name in part)


def test_predictions_are_those_of_one_example_at_a_time() -> None:
    encoding = encoded([text for _, text, _ in rows(30, seed=12)])
    model = new_classifier("cnn", ["a", "b", "c"], seed=1, vocabulary=200)
    model.train()
    found_NY = predict(model, encoding, pad_token=0)
    for number in range(30):
        tokens = encoding.tokens_R[encoding.offsets_N1[number] : encoding.offsets_N1[number + 1]]
        with torch.no_grad():
            alone = model.eval()(input_ids=torch.tensor(tokens[None].astype(np.int64))).logits.softmax(dim=1)
        np.testing.assert_allclose(found_NY[number], alone[0].numpy(), rtol=1e-5)


def test_held_out_models_give_what_training_them_by_hand_gives(planted: tuple[Path, set[str]], opened: WorkspaceReader) -> None:
    """Model 3 of the five, trained here in ten lines; its seed and fold are the only things taken from the engine."""
    folder = opened.build
    encoding = Encoding.load(folder / "index" / "train" / "encoding")
    labels_N = np.load(folder / "index" / "train" / "labels.npy")
    seed = int(np.random.SeedSequence([0, 3]).generate_state(1)[0])
    settings = replace(TrainingSettings(**opened.info.settings["training"]), epochs=4, seed=seed)
    vocabulary = json.loads((folder / "checkpoints" / "0" / "config.json").read_text())["vocab_size"]
    model = new_classifier("cnn", opened.info.labels, seed=seed, vocabulary=vocabulary)
    optimizer = make_optimizer(model, settings)
    seen = np.flatnonzero(~left_out(encoding, labels_N, FIVE, 3))
    test = Encoding.load(folder / "index" / "test" / "encoding")
    expected_EY = np.load(model_folder(folder, FIVE, 3) / "expected.npy")
    stored_ENY = np.load(model_folder(folder, FIVE, 3) / "probabilities.npy")
    assert stored_ENY.shape == (4, N, 2)
    for epoch in range(1, 5):
        train_epoch(model, optimizer, encoding, labels_N, settings, epoch=epoch, pad_token=0, examples_E=seen)
        np.testing.assert_allclose(stored_ENY[epoch - 1], predict(model, encoding, 0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(expected_EY[epoch - 1], predict(model, test, 0).sum(axis=0), rtol=1e-4)


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
    done = [model_folder(build, FIVE, model) / "probabilities.npy" for model in range(5)]
    assert [file.is_file() for file in done] == [True, True, False, False, False]
    assert not has_suspects(read_workspace(path))
    before = done[0].stat().st_mtime_ns
    write_suspects(path, FIVE)
    assert done[0].stat().st_mtime_ns == before
    pd.testing.assert_frame_equal(everything(read_workspace(path)), everything(reference))


def everything(workspace: WorkspaceReader) -> pd.DataFrame:
    return suspects(workspace, limit=1_000)[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"models": 3}, "--models 3: must be 0 or a multiple of --folds 5, so that every example is left out by as many models"),
        (
            {"models": -5},
            "--models -5: must be 0 or a multiple of --folds 5, so that every example is left out by as many models",
        ),
        ({"folds": 1}, "--folds 1: must be 2 or more"),
        ({"seed": -1}, "--seed -1: must be 0 or more"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, int], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
        HeldOutSettings(**settings)


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
    self_N = 0.5 * np.load(tmp_path / "train" / "0" / "self_influence.npy")[:, 0]
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
    from influence.attribution.stored_queries import TrainQueries

    queries = TrainQueries(made.index)  # type: ignore[attr-defined]
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
    write_suspects(copied_planted, HeldOutSettings(models=0))
    found = everything(read_workspace(copied_planted))
    assert average_precision_score(found["train_id"].isin(planted[1]), found["suspicion"]) > 0.6
    assert found["held_out_confidence"].isna().all()
    assert not (build / "heldout").exists()
    assert found["reason"].str.contains("on average over its training").all()


def test_counts_and_self_influence_agree_with_the_results(opened: WorkspaceReader) -> None:
    found = everything(opened).set_index("train_id")
    names = opened.train_ids()
    opposed, driven = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for position, label in opened.store.rows("select position, label from examples where split = 'test'"):
        predicted = opened.store.examples("test", [position])[position].predicted
        for train, score, *_ in opened.store.influences(position, "tracin-we-topk", 100):
            if score < 0:
                (opposed if predicted == label else driven)[names[train]] += 1
    assert found["opposed_tests"].to_dict() == opposed
    assert found["driven_errors"].to_dict() == driven
    stored = dict(opened.store.rows("select position, score from self_influence where split='train' and method='tracin-we-topk'"))
    assert found["self_influence"].to_dict() == {names[position]: score for position, score in stored.items()}


def test_one_suspect_with_the_errors_it_drives_and_back(opened: WorkspaceReader) -> None:
    row = suspects(opened, order="-driven_errors", limit=1)[1].iloc[0]
    one = suspect(opened, row["train_id"])
    assert (one.train_id, one.rank, one.label, one.reason) == (row["train_id"], row["rank"], row["label"], row["reason"])
    assert one.signals == {name: pytest.approx(row[name]) for name in SIGNALS}
    assert one.text_pair is None
    assert len(one.errors) == row["driven_errors"] > 0
    assert (one.errors["label"] != one.errors["predicted"]).all()
    assert one.errors["score"].is_monotonic_increasing
    assert (one.errors["score"] < 0).all()
    test_id = one.errors["test_id"].iloc[0]
    behind = suspects_behind(opened, test_id, changed=None, limit=1_000)
    scores = all_scores(opened, test_id=test_id).set_index("train_id")["score"]
    expected = scores[scores < 0].sort_values()[:100]
    np.testing.assert_allclose(behind["score"], expected, rtol=1e-4)
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
        word = re.search(r"most through '([^']+)'", row["reason"])
        if word:
            named += 1
            assert word.group(1) in row["text"].lower()
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
        "influence.suspects.reasons.reason", lambda facts: f"{facts.votes} of {facts.held_out}, {facts.opposed_word}"
    )
    after = everything(opened)
    assert after["reason"].str.fullmatch(r"[0-9]+ of [0-9]+, .+").all()
    assert after.drop(columns="reason").equals(before.drop(columns="reason"))
    assert suspect(opened, after["train_id"][0]).reason == after["reason"][0]


def test_a_file_that_holds_sentences_shows_them(opened: WorkspaceReader, copied_planted: Path) -> None:
    """Schema version 1, as Wordtrace wrote it until November 2026: the sentence, and none of the facts behind it."""
    workspace, before = read_workspace(copied_planted), everything(opened)
    found = published(workspace.build, "suspects")
    assert found is not None
    with duckdb.connect(str(found[0])) as connection:
        for column in ("held_out", "votes", "trained", "missed", "opposed_word", "neighbours", "neighbours_against"):
            connection.execute(f"alter table suspects drop column {column}")
        connection.execute("alter table suspects add column reason varchar")
        connection.execute("update suspects set reason = 'as written then: ' || train_id")
        connection.execute("delete from schema_versions where version > 1")
    old = everything(workspace)
    assert old["reason"].tolist() == [f"as written then: {id}" for id in old["train_id"]]
    assert old[before.columns].drop(columns="reason").equals(before.drop(columns="reason"))
    assert suspect(workspace, old["train_id"][0]).reason == old["reason"][0]


def test_provenance_says_what_the_suspects_were_made_from(opened: WorkspaceReader) -> None:
    made = provenance(opened)
    assert made["settings"] == asdict(FIVE)
    assert made["build"] == opened.build.name
    assert set(made["calibration"]) == {"neg", "pos"}
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
    write_suspects(copied_planted, HeldOutSettings(models=0))
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
        write_suspects(copied_planted, HeldOutSettings(models=0))
    pd.testing.assert_frame_equal(everything(read_workspace(copied_planted)), before)
    assert not list(workspace.build.glob("*.tmp*"))


def test_more_models_keep_those_that_are_there(copied_planted: Path) -> None:
    build = read_workspace(copied_planted).build
    file = model_folder(build, FIVE, 0) / "probabilities.npy"
    before = file.stat().st_mtime_ns
    write_suspects(copied_planted, HeldOutSettings(models=10))
    assert file.stat().st_mtime_ns == before
    assert everything(read_workspace(copied_planted))["reason"].str.contains("of 2 held-out models").all()


def test_suspects_of_text_pairs(pair_workspace: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(pair_workspace, tmp_path / "pairs"))
    write_suspects(path, HeldOutSettings(models=2, folds=2))
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
        with pytest.raises(QueryError, match=r"^unknown signal .*; choose one of suspicion, self_influence, "):
            suspects(opened, order=order)
    with pytest.raises(QueryError, match=r"^a page of 0 suspects from 0"):
        suspects(opened, limit=0)


def test_a_newer_schema_is_refused(copied_planted: Path) -> None:
    workspace = read_workspace(copied_planted)
    found = published(workspace.build, "suspects")
    assert found is not None
    with duckdb.connect(str(found[0])) as connection:
        connection.execute("insert into schema_versions values (99)")
    with pytest.raises(WorkspaceNewer, match=r"has schema version 99, this Wordtrace knows 2; install a newer Wordtrace$"):
        suspects(workspace)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda build, file: (build / "suspects.json").write_text("{"),
            "is damaged .*delete it and run: python -m influence sus",
        ),
        (lambda build, file: file.unlink(), "is missing; delete 'suspects.json' beside it and run: python -m influence suspects"),
        (lambda build, file: file.write_bytes(b"no database"), "cannot be opened as a suspects file .*; delete it and run: "),
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
    pointer = copied_planted / "workspace.json"
    content = json.loads(pointer.read_text())
    content["info"]["settings"]["training"] = None
    pointer.write_text(json.dumps(content))
    build = read_workspace(copied_planted).build
    shutil.rmtree(build / "heldout")
    (build / "suspects.json").unlink()
    with pytest.raises(SettingsError, match=r"^--models 5: the checkpoints of workspace 'copy' were imported.*use --models 0$"):
        write_suspects(copied_planted, FIVE)
    assert write_suspects(copied_planted)["models"] == 0


def test_a_workspace_being_built_is_busy(copied_planted: Path) -> None:
    with build_lock(copied_planted), pytest.raises(WorkspaceBusy):
        write_suspects(copied_planted, HeldOutSettings(models=0))


# The command -------------------------------------------------------------------------------------------------------


def test_command_prints_json(planted: tuple[Path, set[str]], opened: WorkspaceReader, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suspects", "--workspace", str(planted[0]), "--top", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    assert printed["settings"] == {"models": 5, "folds": 5, "seed": 0}
    rows_ = suspects(opened, limit=3)[1].to_dict("records")
    keys = ["train_id", "label", "suggested_label", "suspicion", "predicted", "reason", *SIGNALS[1:], "text"]
    assert printed["suspects"] == [{key: row[key] for key in keys} for row in rows_]
    assert err == ""


def test_command_prints_text(planted: tuple[Path, set[str]], opened: WorkspaceReader, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suspects", "--workspace", str(planted[0]), "--top", "1"]) == 0
    row = suspects(opened, limit=1)[1].iloc[0]
    assert capsys.readouterr().out == (
        f"the 1 most suspicious of {N} training examples\n"
        f"  {row['suspicion']:.3f}  {row['train_id']}  [{row['label']} → {row['suggested_label']}]  {row['text']}\n"
        f"      {row['reason']}\n"
    )


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
