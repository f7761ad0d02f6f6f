"""Splits and mends: every row in one part, labels in proportion, no text in both, and a build from what was written."""

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from influence.cli import main
from influence.data.dataset import Columns
from influence.data.examples import read_examples
from influence.data.preparing import make_splits, read_splits, split_rows
from influence.data.settings import MOST_TEST, Preparation
from influence.errors import DataError, SettingsError
from influence.reading import Table, read_table
from influence.workspace.workspace import read_workspace


def split(texts: list, labels: list, settings: Preparation) -> dict:
    return split_rows(read_examples(table(text=texts, label=labels), Columns()), settings)


def table(**columns: list) -> Table:
    return Table(columns, "file.csv", "0" * 64)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("xyz")), min_size=2, max_size=60), st.integers(0, 5))
def test_no_text_is_in_both_parts_and_no_label_is_lost(rows, seed):
    texts, labels = [f"text {n}" for n, _ in rows], [label for _, label in rows]
    label_of = dict(reversed(list(zip(texts, labels, strict=True))))  # a text counts for the label it has first
    try:
        parts = split(texts, labels, Preparation(seed=seed))
    except DataError:
        # Nothing could be set aside without losing a label: a text that can go leaves others with each of its labels.
        for text in set(texts):
            own = [label for one, label in zip(texts, labels, strict=True) if one == text]
            rest = [label for one, label in zip(texts, labels, strict=True) if one != text]
            assert not set(own) <= set(rest) or Counter(label_of.values())[label_of[text]] == 1
        return
    assert sorted(parts["train"] + parts["test"]) == list(range(len(rows)))
    assert not {texts[row] for row in parts["train"]} & {texts[row] for row in parts["test"]}
    assert {labels[row] for row in parts["train"]} == set(labels)  # so the build knows every label it is tested on
    several = {label for label, count in Counter(label_of.values()).items() if count > 1}
    assert {label_of[texts[row]] for row in parts["test"]} <= several
    if len(set(zip(texts, labels, strict=True))) == len(set(texts)):
        assert {label_of[texts[row]] for row in parts["test"]} == several


def test_labels_keep_their_proportion_and_the_seed_decides():
    labels = ["a"] * 600 + ["b"] * 300 + ["c"] * 100
    found = read_examples(table(text=[str(n) for n in range(1000)], label=labels), Columns())
    parts = split_rows(found, Preparation(test_share=0.2))
    assert Counter(labels[row] for row in parts["test"]) == {"a": 120, "b": 60, "c": 20}
    assert parts == split_rows(found, Preparation(test_share=0.2))
    assert parts != split_rows(found, Preparation(test_share=0.2, seed=1))
    many = [str(n) for n in range(60_000)]
    assert len(split(many, ["a", "b"] * 30_000, Preparation())["test"]) == MOST_TEST


MENDED = Preparation(drop_unusable=True, merge_labels=True)


def test_mends():
    train = table(text=["a", "", "c", "d", "e"], label=["Pos", "pos", " pos", "neg", None])
    test = table(text=["x", "y", ""], label=["POS", "unknown", "neg"])
    made = make_splits(train, test, Columns(), MENDED)
    assert (made.train.ids, made.train.texts, made.train.labels) == (["0", "2", "3"], ["a", "c", "d"], ["Pos", "Pos", "neg"])
    assert (made.test.ids, made.test.texts, made.test.labels) == (["0"], ["x"], ["Pos"])
    assert made.notes == [
        "left out: 'file.csv': 1 row of 5 without a text in column 'text' (row 2); "
        "1 row of 5 without a label in column 'label' (row 5)",
        "left out: 'file.csv': 1 row of 3 without a text in column 'text' (row 3)",
        "left out: 1 test rows with a label that training never has",
    ]


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (["", " "], None, "no row can be used: 2 rows of 2 without a text in column 'text' (rows 1, 2); choose other"),
        (["a", "b"], [("x", "z")], "no row has a label that training has; give another --test"),
        (["a", "b"], [("", "x")], "no row can be used: 1 row of 1 without a text in column 'text' (row 1); give another"),
    ],
)
def test_what_leaves_nothing_is_refused(train, test, said):
    theirs = None if test is None else table(text=[text for text, _ in test], label=[label for _, label in test])
    with pytest.raises(DataError) as caught:
        make_splits(table(text=train, label=["x", "y"]), theirs, Columns(), MENDED)
    assert said in str(caught.value)


@pytest.mark.parametrize("drop", [False, True])
def test_a_class_of_minus_one_is_no_label_to_test_on(drop):
    train = table(text=list("abcd"), label=[0, 1, 0, 1])
    test = table(text=list("xyz"), label=[-1, 1, -1])
    settings = Preparation(drop_unusable=drop)
    if drop:
        assert make_splits(train, test, Columns(), settings).test.ids == ["1"]
    else:
        with pytest.raises(DataError, match=r"2 rows of 3 without a label in column 'label' \(-1 marks a hidden one\)"):
            make_splits(train, test, Columns(), settings)
    signs = table(text=list("abcd"), label=[-1, 1, -1, 1])  # here it is one
    assert make_splits(signs, test, Columns(), settings).test.labels == ["-1", "1", "-1"]


@pytest.mark.parametrize("share", [0, 1, -1, 2])
def test_impossible_shares(share):
    with pytest.raises(SettingsError, match="--test-share"):
        Preparation(test_share=share)


def test_the_same_request_gives_the_same_parts(data):
    first, second = (read_splits(data["train"], None, Columns(id="id"), Preparation()) for _ in range(2))
    assert (first.train, first.test) == (second.train, second.test)
    assert len(first.train) + len(first.test) == 80


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
    assert workspace.info.train_source == workspace.info.test_source == data["train"]  # no copy is made
    assert not (tmp_path / "mine" / "data").exists()
    capsys.readouterr()
    assert main([*arguments, "--test", data["test"]]) == 2
    assert "--test-share" in capsys.readouterr().err
