"""The data of the demonstration workspace: which rows, and which labels are turned on purpose."""

import csv
from pathlib import Path

import pytest

from influence.errors import DataError
from influence.workspace import demo


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "data"
    try:
        demo._write_data(folder)
    except DataError as error:
        pytest.skip(str(error))
    return folder


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_what_is_turned_is_listed_with_the_true_labels(data: Path) -> None:
    truth = {id: label for id, _, label in demo.film_reviews()}
    train, test = table(data / "train.csv"), table(data / "test.csv")
    assert (len(train), len(test)) == (demo.N_TRAIN, demo.N_TEST)
    assert not {row["id"] for row in train} & {row["id"] for row in test}
    assert all(row["label"] == truth[row["id"]] for row in test)
    wrong = {row["id"]: truth[row["id"]] for row in train if row["label"] != truth[row["id"]]}
    assert len(wrong) == demo.N_TURNED
    assert demo.turned_labels(data.parent) == wrong
    assert "rt-0005" in {row["id"] for row in test}  # which the README's commands ask about


def test_it_is_the_same_every_time(data: Path, tmp_path: Path) -> None:
    demo._write_data(tmp_path / "again")
    for file in data.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_other_workspaces_have_nothing_turned(tmp_path: Path) -> None:
    assert demo.turned_labels(tmp_path) == {}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / demo.TURNED).write_text("something,else\n1,2\n")
    assert demo.turned_labels(tmp_path) == {}
