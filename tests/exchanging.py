"""A workspace with planted wrong labels and its suspects, for tasks and their answers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import request, rows, write_csv

from influence.exchange.tasks import LitWord, Task
from influence.opinions.settings import OpinionSettings
from influence.suspects.compute import write_suspects
from influence.workspace.build import build_workspace

TURNED = (3, 11, 19, 27, 35, 43)  # rows whose label is turned


@pytest.fixture(scope="session")
def planted(data: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace. Not to be changed: see `fresh`."""
    folder = tmp_path_factory.mktemp("exchange")
    other = {"neg": "pos", "pos": "neg"}
    made = [
        (id, text, other[label] if number in TURNED else label)
        for number, (id, text, label) in enumerate(rows(60, seed=7, prefix="tr"))
    ]
    train = write_csv(folder / "train.csv", made)
    build_workspace(folder / "ws", request({**data, "train": train}))
    write_suspects(folder / "ws", OpinionSettings(encoder="none"))
    return folder / "ws"


@pytest.fixture
def fresh(planted: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes copies of it, to decide in."""

    def copy() -> Path:
        path = tmp_path / f"ws{len(list(tmp_path.glob('ws*')))}"
        return Path(shutil.copytree(planted, path))

    return copy


@pytest.fixture
def single() -> Task:
    """A task of a text with what tools stumble over: markup, quotes, an emoji before a lit word, a line break."""
    text = 'A <b>"dull"</b> film 👍🏽 & so\nvery dull'
    words = (LitWord(0, 6, 10, "dull", -1.0), LitWord(0, 35, 39, "dull", -0.25), LitWord(0, 16, 20, "film", 0.5))
    words = tuple(sorted(words, key=lambda word: word.start))
    return Task("a/1", text, None, "0" * 64, "pos", "neg", 0.875, 1, "labelled pos, 3 of 3 opinions say neg", words)


@pytest.fixture
def pair() -> Task:
    """A task of a pair, a word lit in either text."""
    words = (LitWord(0, 2, 5, "man", 1.0), LitWord(1, 0, 6, "Nobody", -0.5))
    return Task("p1", "A man runs", "Nobody runs", "1" * 64, "yes", "no", 0.5, 2, "labelled yes", words)
