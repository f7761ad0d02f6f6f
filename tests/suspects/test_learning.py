"""The ranking learns from decisions; odd data and contradictions give numbers, never NaN."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score
from tiny import rows, write_csv

from influence.cli import main
from influence.opinions.opinion import Taught
from influence.opinions.settings import OpinionSettings
from influence.review.events import Reviewer
from influence.review.reviews import Reviews, open_reviews
from influence.suspects.compute import usual_settings, write_suspects
from influence.suspects.decided import CHECKED, Decided, decided_labels
from influence.suspects.ranking import provenance, suspects, weak_model
from influence.workspace.database import published
from influence.workspace.workspace import WorkspaceReader, read_workspace

WORDS = OpinionSettings(encoder="none")
ANN, BOB, JUDGE = Reviewer(name="ann"), Reviewer(name="bob"), Reviewer(name="judge")


@pytest.fixture
def path(workspace: Path, tmp_path: Path) -> Path:
    made = Path(shutil.copytree(workspace, tmp_path / "made"))
    write_suspects(made, WORDS)
    return made


@pytest.fixture
def reviews(path: Path) -> Reviews:
    opened = open_reviews(read_workspace(path))
    yield opened
    opened.close()


def ranking(path: Path) -> pd.DataFrame:
    return suspects(read_workspace(path), limit=10_000)[1]


def test_decisions_become_labels(path: Path, reviews: Reviews) -> None:
    workspace = read_workspace(path)
    labels, ids = workspace.info.labels, workspace.train_ids()
    given = [reviews.corpus[id].label for id in ids]
    other = [next(label for label in labels if label != one) for one in given]
    reviews.decide(ANN, ids[0], "keep")
    reviews.decide(ANN, ids[1], "relabel", new_label=other[1])
    reviews.decide(ANN, ids[2], "remove")
    reviews.decide(ANN, ids[3], "flag")
    reviews.decide(ANN, ids[4], "mask", words=[reviews.corpus[ids[4]].text.split()[0]])
    reviews.decide(ANN, ids[5], "keep")
    reviews.decide(BOB, ids[5], "relabel", new_label=other[5])  # they disagree: nothing is learnt
    reviews.decide(ANN, ids[6], "keep")
    reviews.decide(BOB, ids[6], "remove")
    reviews.decide(JUDGE, ids[6], "relabel", new_label=other[6], adjudicates=True)
    found = decided_labels(workspace)
    index = {name: number for number, name in enumerate(labels)}
    assert found.labels == {0: index[given[0]], 1: index[other[1]], 2: None, 4: index[given[4]], 6: index[other[6]]}
    labels_N = np.array([index[one] for one in given])
    taught = found.taught(labels_N)
    assert taught.labels_N[[0, 1, 4, 6]].tolist() == [found.labels[at] for at in (0, 1, 4, 6)]
    assert taught.weights_N[:8].tolist() == [CHECKED, CHECKED, 0, 1, CHECKED, 1, CHECKED, 1]
    assert labels_N.tolist() == [index[one] for one in given]  # what was given stays as it was
    for unchanged, as_given in zip(Decided({}).taught(labels_N), Taught.as_given(labels_N), strict=True):
        np.testing.assert_array_equal(unchanged, as_given)


def test_the_ranking_is_made_again_when_something_was_decided(path: Path, reviews: Reviews) -> None:
    build, before = read_workspace(path).build, ranking(path)
    first = published(build, "suspects")
    write_suspects(path)
    assert published(build, "suspects") == first
    id = before["train_id"][0]
    other = next(label for label in read_workspace(path).info.labels if label != before["label"][0])
    reviews.decide(ANN, id, "relabel", new_label=other)
    write_suspects(path)  # while the app has the reviews open
    assert published(build, "suspects") != first
    assert provenance(read_workspace(path))["decisions"] == 1
    after = ranking(path).set_index("train_id")
    assert len(after) == len(before)
    assert (after["suspicion"] - before.set_index("train_id")["suspicion"]).abs().max() > 0
    # What was decided about an example says nothing in its own rank, only in others': heard, it would raise this one,
    assert after.loc[id, "suspicion"] < before["suspicion"][0] + 0.05
    reviews.undo(ANN)
    reviews.decide(ANN, id, "keep")
    write_suspects(path)  # and this would lower it
    assert ranking(path).set_index("train_id").loc[id, "suspicion"] == pytest.approx(before["suspicion"][0], abs=0.05)
    reviews.undo(ANN)
    write_suspects(path)
    pd.testing.assert_frame_equal(ranking(path), before)


@pytest.mark.slow
def test_a_reviewer_who_knows_the_truth_makes_the_rest_easier_to_find(tmp_path: Path) -> None:
    """Two in five of one label are wrong, all in one direction; half of the wrong ones are decided."""
    table, truth = [], {}
    for number, (id, text, label) in enumerate(rows(300, seed=8)):
        truth[id] = label
        table.append((id, text, "pos" if label == "neg" and number % 5 < 2 else label))
    files = {
        "train": write_csv(tmp_path / "train.csv", table),
        "test": write_csv(tmp_path / "test.csv", rows(60, seed=9, prefix="t")),
    }
    path = tmp_path / "workspace"
    given_files = ["--train", files["train"], "--test", files["test"], "--id", "id", "--workspace", str(path)]
    assert main(["build", *given_files, "--model", "cnn", "--epochs", "2", "--encoder", "none"]) == 0
    workspace = read_workspace(path)
    given = {id: label for id, _, label in table}
    wrong = [id for id in truth if truth[id] != given[id]]
    reviews = open_reviews(workspace)
    decided = set(wrong[::2]) | set([id for id in truth if truth[id] == given[id]][::4])
    for id in decided:
        kind = {"new_label": truth[id]} if truth[id] != given[id] else {}
        reviews.decide(ANN, id, "relabel" if kind else "keep", **kind)

    def precision(found: pd.DataFrame) -> float:
        rest = found[~found["train_id"].isin(decided)]
        return float(average_precision_score(rest["train_id"].isin(wrong), rest["suspicion"]))

    # Without the test split's balance, which gives this pattern away at once.
    assert main(["suspects", "--workspace", str(path), "--no-test-balance", "--top", "1"]) == 0
    learnt = precision(ranking(path))
    for _ in decided:
        reviews.undo(ANN)
    reviews.close()
    write_suspects(path)
    assert learnt > precision(ranking(path)) + 0.05


def test_checked_test_labels_are_one_more_opinion_and_the_choice_is_kept(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [opinion["name"] for opinion in provenance(read_workspace(path))["opinions"]]
    assert main(["suspects", "--workspace", str(path), "--test-labels-checked", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["settings"]["test_labels_checked"] is True
    assert [opinion["name"] for opinion in answer["opinions"]] == [*names[:-1], "checked test labels", names[-1]]
    assert usual_settings(read_workspace(path)).test_labels_checked
    write_suspects(path)
    assert provenance(read_workspace(path))["settings"]["test_labels_checked"] is True
    assert main(["suspects", "--workspace", str(path), "--no-test-labels-checked", "--no-test-balance", "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["test_labels_checked"], settings["use_test_balance"], settings["encoder"]) == (False, False, "none")


def built(folder: Path, train: list[tuple[str, ...]], test: list[tuple[str, ...]]) -> WorkspaceReader:
    files = ["--train", write_csv(folder / "train.csv", train), "--test", write_csv(folder / "test.csv", test), "--id", "id"]
    assert main(["build", *files, "--workspace", str(folder / "workspace"), "--model", "cnn", "--epochs", "1"]) == 0
    return read_workspace(folder / "workspace")


MANY = [(f"e{n}", f"word{n // 3} and text number{n}", f"label{n // 3}") for n in range(231)]


@pytest.mark.parametrize(
    "train",
    [
        [("a", "one text", "x"), ("b", "another text", "y")],  # one row a label
        MANY,  # 77 labels of 3 rows each
        [(f"e{n}", "the same text", "xy"[n % 2]) for n in range(12)],
        [(f"e{n}", "!?" * (n + 1), "xy"[n % 2]) for n in range(12)],  # no words at all
        [("a", "one text", "x"), *((f"e{n}", f"text number {n}", "y") for n in range(9))],
    ],
    ids=["a row a label", "many labels", "one text", "no words", "one of a label"],
)
def test_odd_data_is_ranked_with_numbers(train: list[tuple[str, ...]], tmp_path: Path) -> None:
    workspace = built(tmp_path, train, [(f"t{id}", text, label) for id, text, label in train[:30]])
    found = suspects(workspace, limit=1_000)[1]
    assert len(found) == len(train)
    for name in ("suspicion", "confidence", "contradicted_share", "margin", "misclassified_share"):
        assert np.isfinite(found[name]).all(), name
    assert found["suspicion"].between(0, 1).all()
    assert found["confidence"].between(0, 1).all()
    weights = [opinion["weight"] for opinion in provenance(workspace)["opinions"]]
    assert sum(weights) == pytest.approx(1, abs=1e-3)


def test_decisions_on_everything_and_removals_of_everything_leave_numbers(path: Path, reviews: Reviews) -> None:
    for id in read_workspace(path).train_ids():
        reviews.decide(ANN, id, "remove")
    write_suspects(path)
    assert np.isfinite(ranking(path)[["suspicion", "confidence"]]).all().all()


def test_a_weak_model_is_told_of() -> None:
    [warning] = weak_model(0.71, 0.766)
    assert warning.startswith("a logistic regression on tf-idf is right on 76.6% of the test split, this model on 71.0%: ")
    assert weak_model(0.766, 0.766) == []
    assert weak_model(0.1, None) == []
