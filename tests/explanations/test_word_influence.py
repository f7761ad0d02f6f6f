"""Words summed over the mistakes: the one query in SQL against a slow double loop over explanations."""

import json
import shutil
import threading
from collections import defaultdict

import numpy as np
import pytest
from tiny import write_csv

from influence import QueryError, Workspace, WorkspaceBusy, explain, open_workspace
from influence.cli import main
from influence.data.dataset import Columns
from influence.explanations.word_influence import MistakeFilter, confusions, count_mistakes, read_examples, word_examples, words
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings
from influence.workspace.builds import build_lock

WRITTEN = [
    "Film", "FILM", "film", "Straße", "STRASSE", "İzmir", "I", "🎬", "👩‍👩‍👧", "cafe\u0301", "مرحبا", "שלום", "電影",
    "<script>alert(1)</script>", "it's", "=cmd()", "the", "The", ",", "\u200b-", "![m](http://h.example)", "a&b", "1\u00a0000",
]  # fmt: skip


def hostile_rows(n, *, seed, prefix, pairs):
    """Texts of markup, emoji, several scripts and cases; the label is a coin's, so that many predictions are wrong."""
    generator = np.random.default_rng(seed)
    labels = ["<b>neg</b>", "pos", "plain"]
    rows = []
    for number in range(n):
        sides = [" ".join(generator.choice(WRITTEN, size=int(generator.integers(3, 9)))) for _ in range(2 if pairs else 1)]
        rows.append((f"{prefix}{number}", *sides, labels[int(generator.integers(3))]))
    return rows


@pytest.fixture(scope="module", params=["single", "pairs"])
def workspace(request, tmp_path_factory):
    pairs = request.param == "pairs"
    folder = tmp_path_factory.mktemp(request.param)
    header = ("id", "text", "second", "label") if pairs else ("id", "text", "label")
    files = {}
    for split, n, seed in (("train", 60, 1), ("test", 30, 2)):
        table = hostile_rows(n, seed=seed, prefix=split, pairs=pairs)
        files[split] = write_csv(folder / f"{split}.csv", table, header)
    training = training_settings("cnn", epochs=2, learning_rate=0.1, batch_size=8)
    columns = Columns(id="id", text_pair="second" if pairs else None)
    build_workspace(folder / "workspace", BuildRequest(**files, columns=columns, training=training))
    return open_workspace(folder / "workspace")


def slow_pairs(workspace, label=None, predicted=None):
    """(word, is a token), test, train -> what it carries; from explanations, one at a time."""
    pairs = defaultdict(float)
    for test in workspace.search_tests(engine_filter(label, predicted), limit=10_000)[1]["id"]:
        found = explain(workspace, test_id=test, top=100)
        for one in (*found.proponents, *found.opponents):
            for word, score in one.train_words().items():
                text, token = one.train.words[word].text, one.train.words[word].side < 0
                pairs[(text if token else text.casefold(), token), test, one.train.id] += score
    return pairs


def engine_filter(label, predicted):
    from influence import TestFilter

    return TestFilter(wrong=True, label=label, predicted=predicted)


def some_filters(workspace):
    first = confusions(workspace).iloc[0]
    return [(None, None), (first["label"], None), (None, first["predicted"]), (first["label"], first["predicted"])]


@pytest.mark.parametrize("which", range(4))
def test_words_are_explanations_summed_one_by_one(workspace, which):
    label, predicted = some_filters(workspace)[which]
    pairs = slow_pairs(workspace, label, predicted)
    expected = {}
    for (word, test, train), score in pairs.items():
        sums = expected.setdefault(word, [0.0, 0.0, set(), set()])
        sums[0 if score < 0 else 1] += score
        if score < 0:
            sums[2].add(test)
            sums[3].add(train)
    expected = {word: sums for word, sums in expected.items() if sums[0] < 0}
    found = words(workspace, MistakeFilter(label=label, predicted=predicted))
    assert {(row.word, row.kind == "token") for row in found.itertuples()} == set(expected)
    assert len(found) == len(expected) > 5
    assert found["against"].is_monotonic_increasing
    for row in found.itertuples():
        against, support, tests, trains = expected[row.word, row.kind == "token"]
        assert (row.against, row.support) == pytest.approx((against, support), rel=1e-9)
        assert row.score == pytest.approx(against + support, rel=1e-6, abs=1e-12)
        assert (row.mistakes, row.examples) == (len(tests), len(trains))


@pytest.mark.parametrize("which", range(4))
def test_a_word_s_examples_are_those_it_was_summed_over(workspace, which):
    label, predicted = some_filters(workspace)[which]
    filter = MistakeFilter(label=label, predicted=predicted)
    pairs = slow_pairs(workspace, label, predicted)
    listed = words(workspace, filter)
    for row in listed[listed["kind"] != "token"].itertuples():
        expected = defaultdict(dict)
        for (word, test, train), score in pairs.items():
            if word == (row.word, False) and score < 0:
                expected[train][test] = score
        found = word_examples(workspace, row.word.upper() if row.word == "film" else row.word, filter)
        assert set(found["train_id"]) == set(expected)
        assert found["against"].sum() == pytest.approx(row.against, rel=1e-9)
        assert found["against"].is_monotonic_increasing
        read = read_examples(workspace, row.word, found["position"].tolist(), filter)
        assert [one.sentence.id for one in read] == found["train_id"].tolist()
        for one in read:
            assert {m.test_id: m.score for m in one.mistakes} == pytest.approx(expected[one.sentence.id], rel=1e-9)
            assert one.words
            assert {one.sentence.words[word].text.casefold() for word in one.words} == {row.word}


def test_case_and_scripts(workspace):
    found = words(workspace).set_index("word")
    assert {"film", "strasse", "🎬"} <= set(found.index)
    assert not {"Film", "FILM"} & set(found.index)
    assert found.loc["film", "written"] in ("film", "Film", "FILM")
    assert set(found["kind"]) == {"word", "common", "token"}
    assert found.loc["the", "kind"] == "common"
    assert found.loc["🎬", "kind"] == "word"
    assert all(row.written.casefold() == word for word, row in found.iterrows() if row.kind != "token")
    assert {"[CLS]", "[SEP]"} >= set(found.index[found["kind"] == "token"])


def test_special_tokens_stay_apart_from_words_written_like_them(workspace):
    found = words(workspace)
    tokens = found[found["kind"] == "token"]["word"].tolist()
    assert tokens
    for token in tokens:
        assert word_examples(workspace, token).empty


def test_counts_are_the_confusion_matrix(workspace):
    matrix = workspace.confusion()
    found = confusions(workspace)
    for row in found.itertuples():
        assert row.mistakes == matrix.loc[row.label, row.predicted]
        assert count_mistakes(workspace, MistakeFilter(label=row.label, predicted=row.predicted)) == row.mistakes
    assert found["mistakes"].sum() == count_mistakes(workspace) == matrix.to_numpy().sum() - np.trace(matrix)


def test_unknown_words_and_labels(workspace):
    assert word_examples(workspace, "nobody wrote this").empty
    with pytest.raises(QueryError, match="unknown label 'maybe'"):
        words(workspace, MistakeFilter(label="maybe"))
    label = workspace.info.labels[0]
    assert words(workspace, MistakeFilter(label=label, predicted=label)).empty


def test_computed_once_by_many_at_the_same_time(workspace, tmp_path):
    path = tmp_path / "copy"
    shutil.copytree(workspace.path, path)
    copy = open_workspace(path)
    for file in copy.build.glob("words*"):
        file.unlink()
    found, errors = [], []

    def ask():
        try:
            found.append(words(copy))
        except Exception as error:  # whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert all(one.equals(found[0]) for one in found)
    assert len(list(copy.build.glob("words-*.duckdb"))) == 1
    copy.close()


def test_a_build_under_way_is_said(workspace, tmp_path):
    path = tmp_path / "copy"
    shutil.copytree(workspace.path, path)
    copy = open_workspace(path)
    for file in copy.build.glob("words*"):
        file.unlink()
    with build_lock(path), pytest.raises(WorkspaceBusy):
        words(copy)
    assert len(words(copy)) == len(words(workspace))
    copy.close()


def test_the_command_and_the_frame_say_the_same(workspace, capsys):
    first = confusions(workspace).iloc[0]
    asked = {"label": first["label"], "predicted": first["predicted"]}
    command = ["words", "--workspace", str(workspace.path), "--label", asked["label"], "--predicted", asked["predicted"]]
    assert main([*command, "--top", "3", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["mistakes"] == first["mistakes"]
    opened = Workspace.open(workspace.path)
    frame = opened.words(**asked, top=3)
    assert [row["word"] for row in printed["words"]] == frame["word"].tolist()
    assert [row["against"] for row in printed["words"]] == frame["against"].tolist()
    assert len(printed["special_tokens"]) == len(frame.attrs["special_tokens"])
    every = opened.words(**asked, common=True)
    assert set(frame["word"]) < set(every["word"])
    with pytest.raises(QueryError, match="top=0"):
        opened.words(top=0)
    opened.close()
    assert main([*command, "--common"]) == 0
    assert every["word"][0] in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--label", "maybe"], ["--predicted", "maybe"], ["--top", "0"]])
def test_bad_options_are_one_line(workspace, wrong, capsys):
    assert main(["words", "--workspace", str(workspace.path), *wrong]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
