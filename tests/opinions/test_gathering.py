"""Two looks: at the second, what looked wrong at the first teaches nothing."""

from pathlib import Path

import numpy as np
import pytest
from tiny import rows, write_csv

from influence.cli import main
from influence.opinions import average as averaging
from influence.opinions.average import DOUBTED, Average, average, balanced, suspicion, without_doubted
from influence.opinions.gathering import gather
from influence.opinions.material import Material
from influence.opinions.nearest import votes
from influence.opinions.opinion import Opinion, Taught, accuracy, shares
from influence.opinions.settings import OpinionSettings
from influence.opinions.words import naive_bayes
from influence.types import StageKind
from influence.workspace.workspace import read_workspace

N = 200
WRONG_N = np.array([label == "neg" and number % 5 < 2 for number, (_, _, label) in enumerate(rows(N, seed=8))])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which some of one label are given the other."""
    folder = tmp_path_factory.mktemp("gathering")
    train = [(id, text, "pos" if wrong else label) for (id, text, label), wrong in zip(rows(N, seed=8), WRONG_N, strict=True)]
    files = {
        "train": write_csv(folder / "train.csv", train),
        "test": write_csv(folder / "test.csv", rows(60, seed=9, prefix="t")),
    }
    given = ["--train", files["train"], "--test", files["test"], "--id", "id", "--workspace", str(folder / "workspace")]
    assert main(["build", *given, "--model", "cnn", "--epochs", "2", "--encoder", "none"]) == 0
    return folder / "workspace"


def looked(material: Material, taught: Taught, own: Opinion) -> Average:
    """The average of the opinions on words and the model's own, taught so."""
    labels = material.n_labels
    made = [
        naive_bayes(material.words_NV, taught, labels, material.copies_N),
        votes(material.nearest_by_words_NK, taught, labels),  # type: ignore[arg-type]  # there are words
    ]
    scaled = [balanced(shares(one), averaging.test_split_balance(material.labels("test"), labels)) for one in made]
    opinions = [Opinion(str(at), one, accuracy(one, taught.labels_N), 0.0) for at, one in enumerate(scaled)]
    return average([*opinions, own], np.bincount(taught.labels_N).max() / len(taught.labels_N))


@pytest.mark.parametrize("checked", [[], [0, 5, 10, 15, 20]])
def test_the_second_look_is_taught_what_was_not_doubted(path: Path, checked: list[int]) -> None:
    heard: list[tuple[int, int]] = []
    material = Material(
        read_workspace(path),
        OpinionSettings(encoder="none"),
        "cpu",
        lambda stage, done, total: heard.append((done, total)) if stage == StageKind.OPINIONS else None,
    )
    given_N = material.labels("train")
    weights_N = np.ones(N)
    weights_N[checked] = 3.0
    taught = Taught(given_N, weights_N)
    found = gather(material, taught)
    first_N = suspicion(looked(material, taught, found.opinions[-1]).probabilities_NY, given_N)
    second = looked(material, without_doubted(taught, first_N), found.opinions[-1])
    np.testing.assert_allclose(found.average.probabilities_NY, second.probabilities_NY, rtol=1e-6)
    assert list(found.average.weights.values()) == list(second.weights.values())
    learnt_N = suspicion(found.average.probabilities_NY, given_N)
    assert learnt_N[WRONG_N].mean() > first_N[WRONG_N].mean()
    assert learnt_N[~WRONG_N].mean() < first_N[~WRONG_N].mean()
    assert heard == [*((done, 8) for done in range(5)), *((done, 8) for done in range(4, 9))]


def test_what_is_doubted_by_hand() -> None:
    """Of the first label one is above the limit and another checked; of the second, doubted as a whole, the worse half goes."""
    labels_N, weights_N = np.array([0, 0, 0, 0, 0, 1, 1, 1]), np.array([1.0, 1.0, 1.0, 3.0, 0.0, 1.0, 1.0, 1.0])
    suspicion_N = np.array([0.9, 0.2, DOUBTED, 0.9, 0.1, 0.8, 0.7, 0.99])
    found = without_doubted(Taught(labels_N, weights_N), suspicion_N)
    assert found.labels_N.tolist() == labels_N.tolist()
    assert found.weights_N.tolist() == [0, 1, 1, 3, 0, 1, 1, 0]
    assert without_doubted(Taught(labels_N, weights_N), np.full(8, 0.9)).weights_N.tolist() == weights_N.tolist()
