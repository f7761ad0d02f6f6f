"""Splits and mends: every row in one part, labels in proportion, no text in both, and a build from what was written."""

import json
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from influence.cli import main
from influence.data.dataset import Columns
from influence.data.preparing import encode_table, prepare, prepare_files, split_rows
from influence.data.settings import MOST_TEST, Preparation
from influence.data.tables import Table, read_table
from influence.errors import DataError, SettingsError
from influence.workspace.workspace import read_workspace


def table(**columns: list) -> Table:
    return Table(columns, "file.csv", "0" * 64)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("xyz")), min_size=2, max_size=60), st.integers(0, 5))
def test_no_text_is_in_both_parts_and_no_label_is_lost(rows, seed):
    texts, labels = [f"text {n}" for n, _ in rows], [label for _, label in rows]
    label_of = dict(reversed(list(zip(texts, labels, strict=True))))  # a text counts for the label it has first
    try:
        parts = split_rows(table(text=texts, label=labels), Columns(), Preparation(seed=seed))
    except DataError:
        assert max(Counter(label_of.values()).values()) == 1  # nothing could be set aside without losing a label
        return
    assert sorted(parts["train"] + parts["test"]) == list(range(len(rows)))
    assert not {texts[row] for row in parts["train"]} & {texts[row] for row in parts["test"]}
    assert {label_of[texts[row]] for row in parts["train"]} == set(label_of.values())
    several = {label for label, count in Counter(label_of.values()).items() if count > 1}
    assert {label_of[texts[row]] for row in parts["test"]} == several


def test_labels_keep_their_proportion_and_the_seed_decides():
    labels = ["a"] * 600 + ["b"] * 300 + ["c"] * 100
    found = table(text=[str(n) for n in range(1000)], label=labels)
    parts = split_rows(found, Columns(), Preparation(test_share=0.2))
    assert Counter(labels[row] for row in parts["test"]) == {"a": 120, "b": 60, "c": 20}
    assert parts == split_rows(found, Columns(), Preparation(test_share=0.2))
    assert parts != split_rows(found, Columns(), Preparation(test_share=0.2, seed=1))
    many = table(text=[str(n) for n in range(60_000)], label=["a", "b"] * 30_000)
    assert len(split_rows(many, Columns(), Preparation())["test"]) == MOST_TEST


def test_mends():
    train = table(text=["a", "", "c", "d", "e"], label=["Pos", "pos", " pos", "neg", None])
    test = table(text=["x", "y", ""], label=["POS", "unknown", "neg"])
    parts, columns = prepare({"train": train, "test": test}, Columns(), Preparation(drop_unusable=True, merge_labels=True))
    assert columns.id == "row"
    assert parts["train"].columns == {"row": [0, 2, 3], "text": ["a", "c", "d"], "label": ["Pos", "Pos", "neg"]}
    assert parts["test"].columns == {"row": [0], "text": ["x"], "label": ["Pos"]}


def test_a_column_called_row_is_left_alone():
    parts, columns = prepare(
        {"train": table(row=[9] * 8, text=[str(n) for n in range(8)], label=["a", "b"] * 4)}, Columns(), Preparation()
    )
    assert columns.id == "row_1"
    assert set(parts["train"].columns["row"]) == {9}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_files_come_back_as_they_were(tmp_path, suffix):
    content = {"text": ['a "b"\nc, d\te', "=1+1", "é🎬"], "label": ["x", "y", "x"]}
    file = tmp_path / f"file{suffix}"
    file.write_bytes(encode_table(table(**content), suffix))
    assert read_table(str(file), split="train").columns == content


@pytest.mark.parametrize("share", [0, 1, -1, 2])
def test_impossible_shares(share):
    with pytest.raises(SettingsError, match="--test-share"):
        Preparation(test_share=share)


def test_the_same_request_gives_the_same_files(data, tmp_path):
    first, second = (
        prepare_files(tmp_path / name, data["train"], None, Columns(id="id"), Preparation()) for name in ("one", "two")
    )
    read = [read_table(made.train, split="train").sha256 for made in (first, second)]
    assert read[0] == read[1]
    assert first.train.removeprefix(str(tmp_path / "one")) == second.train.removeprefix(str(tmp_path / "two"))
    assert first.record["rows"]["train"] + first.record["rows"]["test"] == 80


def test_a_build_without_a_test_file_and_again_with_resume(data, tmp_path, capsys):
    arguments = [
        "build",
        "--train",
        data["train"],
        "--workspace",
        str(tmp_path / "mine"),
        "--model",
        "cnn",
        "--epochs",
        "1",
        "--test-share",
        "0.25",
    ]
    assert main(arguments) == 0
    workspace = read_workspace(tmp_path / "mine")
    assert (workspace.info.n_train, workspace.info.n_test) == (60, 20)
    source = read_table(data["train"], split="train").columns
    for id, text in workspace.store.train_frame()[["id", "text"]].itertuples(index=False):
        assert source["text"][int(id)] == text  # ids are the rows of the file the user has
    built = workspace.build.name
    workspace.close()
    assert main([*arguments, "--resume"]) == 0
    assert read_workspace(tmp_path / "mine").build.name == built
    record = json.loads(next((tmp_path / "mine" / "data").glob("*/prepared.json")).read_text("utf-8"))
    assert record["rows"] == {"train": 60, "test": 20}
    capsys.readouterr()
    assert main([*arguments, "--test", data["test"]]) == 2
    assert "--test-share" in capsys.readouterr().err
