"""Opinions from files in the ranking: they count where they speak, are told of, and leave no trace when they are forgotten."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny import rows, write_csv

from influence.cli import main
from influence.opinion_files.keeping import kept_opinions
from influence.opinion_files.matched import Heard
from influence.opinions.average import balanced, test_split_balance as split_balance
from influence.opinions.gathering import _as_scaled
from influence.opinions.material import Material
from influence.opinions.opinion import Taught, shares
from influence.opinions.settings import OpinionSettings
from influence.suspects.ranking import suspect, suspects
from influence.types import silent
from influence.workspace.workspace import opened, read_workspace

N = 120
MADE = rows(N, seed=8)
OTHER = {"neg": "pos", "pos": "neg"}
WRONG = {id for number, (id, _, _) in enumerate(MADE) if number % 5 == 0}
TRUE = {id: label for id, _, label in MADE}
GIVEN = {id: OTHER[label] if id in WRONG else label for id, label in TRUE.items()}
# One annotator speaks of every second example and knows the truth; an LLM gives probabilities of every third.
ANN = [id for number, id in enumerate(TRUE) if number % 2 == 0]
LLM = [id for number, id in enumerate(TRUE) if number % 3 == 0]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counting")
    write_csv(folder / "train.csv", [(id, text, GIVEN[id]) for id, text, _ in MADE])
    write_csv(folder / "test.csv", rows(40, seed=9, prefix="t"))
    write_csv(folder / "ann.csv", [("ann <b>1</b>", id, TRUE[id]) for id in ANN], ("name", "example_id", "label"))
    shares = {id: 0.93 if TRUE[id] == "neg" else 0.07 for id in LLM}
    said = [{"example_id": id, "p_neg": share, "p_pos": round(1 - share, 2)} for id, share in shares.items()]
    (folder / "gpt.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in said), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def path(files: Path) -> Path:
    """A workspace built with the annotator's opinions."""
    data = ["--train", str(files / "train.csv"), "--test", str(files / "test.csv"), "--id", "id"]
    given = ["--model", "cnn", "--epochs", "2", "--encoder", "none", "--opinions", str(files / "ann.csv")]
    assert main(["build", *data, *given, "--workspace", str(files / "workspace")]) == 0
    return files / "workspace"


def ranked(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["suspects", "--workspace", str(path), "--top", str(N), "--json", *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_what_they_say_counts_is_told_and_can_be_forgotten(path: Path, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = ranked(path, capsys)
    both = ranked(path, capsys, "--opinions", str(files / "gpt.jsonl"))
    name = "ann <b>1</b>"
    built_in = len(first["opinions"]) - 1
    assert [one["name"] for one in both["opinions"][built_in:]] == [name, "gpt"]
    about = both["opinions"][built_in]
    assert (about["examples"], about["source"]) == (len(ANN), "ann.csv")
    assert about["accuracy"] == pytest.approx(np.mean([GIVEN[id] == TRUE[id] for id in ANN]), abs=1e-4)
    assert sum(one["weight"] for one in both["opinions"]) == pytest.approx(1, abs=5e-4)
    for one in both["suspects"]:
        id = one["train_id"]
        expected = [{"name": name, "label": TRUE[id], "probability": None}] if id in ANN else []
        expected += [{"name": "gpt", "label": TRUE[id], "probability": 0.93}] if id in LLM else []
        assert one["said"] == expected
        total = built_in + len(expected)
        assert f" of {total} opinions say" in one["reason"]
        told = ", ".join(f"{said['name']}: {said['label']}{' 0.93' if said['name'] == 'gpt' else ''}" for said in expected)
        assert (told in one["reason"].split("; ")) == bool(expected)
        assert one["contradicted_share"] * total == pytest.approx(round(one["contradicted_share"] * total))
    spoken = {one["train_id"]: one["suspicion"] for one in both["suspects"]}
    alone = ranked(path, capsys, "--forget-opinion", name, "--forget-opinion", "gpt")
    assert all("said" not in one for one in alone["suspects"])
    assert {len(one["opinions"]) for one in (alone,)} == {built_in}
    plain = {one["train_id"]: one["suspicion"] for one in alone["suspects"]}
    wrong, right = [id for id in ANN if id in WRONG], [id for id in ANN if id not in WRONG]
    apart = [np.mean([of[id] for id in wrong]) - np.mean([of[id] for id in right]) for of in (plain, spoken)]
    assert apart[1] > apart[0]
    again = ranked(path, capsys, "--opinions", str(files / "ann.csv"))
    assert again["suspects"] == first["suspects"]
    assert ranked(path, capsys)["opinions"] == again["opinions"], "nothing new: nothing is made again"
    assert kept_opinions(path)[0].name == name


def test_a_single_suspect_tells_it_too(path: Path, capsys: pytest.CaptureFixture[str], files: Path) -> None:
    ranked(path, capsys, "--opinions", str(files / "gpt.jsonl"))
    with opened(path) as workspace:
        (id, *_) = set(ANN) & set(LLM)
        assert f"ann <b>1</b>: {TRUE[id]}, gpt: {TRUE[id]} 0.93" in suspect(workspace, id).reason
        frame = suspects(workspace, limit=N)[1].set_index("train_id")
        assert frame.loc[id, "reason"] == suspect(workspace, id).reason
        assert isinstance(frame, pd.DataFrame)


@pytest.mark.parametrize(
    ("command", "content", "line"),
    [
        ("suspects", "example_id,label\nx,neg\n", "none of its 1 ids is one of a training example: it has 'x', workspace"),
        ("suspects", "example_id,label\ne0,Neg ative\n", "1 row with a label that training does not have"),
        ("build", "example_id,label\ne0,none\n", "1 row with a label that training does not have (row 2: 'none'; it has 'neg'"),
    ],
)
def test_bad_files_are_one_line_and_change_nothing(
    command: str, content: str, line: str, path: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text(content, encoding="utf-8")
    before = kept_opinions(path)
    data = ["--train", str(files / "train.csv"), "--test", str(files / "test.csv"), "--id", "id", "--model", "cnn"]
    place = str(path) if command == "suspects" else str(tmp_path / "new")
    options = [] if command == "suspects" else data
    capsys.readouterr()
    assert main([command, *options, "--workspace", place, "--opinions", str(tmp_path / "bad.csv")]) == 2
    said = capsys.readouterr()
    assert line in said.err
    assert (said.out, len(said.err.strip().splitlines())) == ("", 1)
    assert kept_opinions(path) == before
    assert not (tmp_path / "new").exists(), "told before hours of training"


def test_who_is_not_known_cannot_be_forgotten(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suspects", "--workspace", str(path), "--forget-opinion", "nobody"]) == 2
    assert "has no opinion by the name 'nobody'; it keeps 'ann <b>1</b>'" in capsys.readouterr().err


def test_who_gives_probabilities_of_all_is_scaled_to_the_test_split(path: Path) -> None:
    material = Material(read_workspace(path), OpinionSettings(encoder="none"), "cpu", silent)
    taught = Taught.as_given(material.labels("train"))
    said_NY = np.random.default_rng(0).dirichlet([2.0, 1.0], N)
    whole = Heard("svm", "x", "", np.arange(N), said_NY.argmax(axis=1), said_NY)
    found = _as_scaled(material, taught, whole)
    expected = balanced(shares(said_NY), split_balance(material.labels("test"), 2))
    np.testing.assert_allclose(found.probabilities_SY, expected)
    assert found.said_S.tolist() == whole.said_S.tolist()
    part = replace(whole, positions_S=np.arange(N // 2), said_S=whole.said_S[: N // 2], probabilities_SY=said_NY[: N // 2])
    assert _as_scaled(material, taught, part) is part
