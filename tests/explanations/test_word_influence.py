"""Words summed over the mistakes: the one query in SQL against a slow double loop over explanations."""

import json
import re
import shutil
import threading
from collections import Counter, defaultdict

import numpy as np
import pytest
from tiny import write_csv

from influence import QueryError, Workspace, WorkspaceBusy, explain, open_workspace
from influence.cli import main
from influence.data.dataset import Columns
from influence.data.words import is_function_word, whole_span
from influence.explanations.explanation import sentences
from influence.explanations.word_influence import (
    PIECES,
    MistakeFilter,
    confusions,
    count_mistakes,
    read_examples,
    word_examples,
    words,
)
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
    """(word, kind), test, train -> what it carries; from explanations, one at a time."""
    pairs = defaultdict(float)
    for test in workspace.search_tests(engine_filter(label, predicted), limit=10_000)[1]["id"]:
        found = explain(workspace, test_id=test, top=100)
        for one in (*found.proponents, *found.opponents):
            for match in one.matches:
                mine, other = whole(one.train, match.train_word), whole(found.query, match.test_word)
                if one.train.words[match.train_word].side < 0:
                    key = (mine, "token")
                else:
                    key = (mine.casefold(), "word") if mine.casefold() == other.casefold() else (PIECES, "piece")
                pairs[key, test, one.train.id] += match.score
    return pairs


def whole(sentence, number):
    """The word as a reader sees it: up to white space, or what is no letter, digit, or mark between two of them."""
    word = sentence.words[number]
    if word.side < 0:
        return word.text
    text = (sentence.text, sentence.text_pair)[word.side]
    runs = [match.span() for match in re.finditer(r"[\u4e00-\u9fff]|(?:\w|(?<=[^\W\d_])'(?=[^\W\d_])|[\u0300-\u036f])+", text)]
    return next((text[a:b] for a, b in runs if a <= word.start < b), word.text)


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
    expected, of_all = {}, defaultdict(float)
    for (word, test, train), score in pairs.items():
        sums = expected.setdefault(word, [0.0, 0.0, defaultdict(float), set()])
        sums[0 if score < 0 else 1] += score
        if score < 0:
            of_all[test] += score
            sums[2][test] += score
            sums[3].add(train)
    expected = {word: sums for word, sums in expected.items() if sums[0] < 0}
    found = words(workspace, MistakeFilter(label=label, predicted=predicted))
    assert {key_of(row) for row in found.itertuples()} == set(expected)
    assert len(found) == len(expected) > 5
    assert found["against"].is_monotonic_increasing
    for row in found.itertuples():
        against, support, tests, trains = expected[key_of(row)]
        assert (row.against, row.support) == pytest.approx((against, support), rel=1e-6)
        assert row.score == pytest.approx(against + support, rel=1e-6, abs=1e-12)
        counted = [test for test, score in tests.items() if score <= 0.05 * of_all[test]]
        assert (row.mistakes, row.examples) == (len(counted), len(trains))
    assert found["mistakes"].sum() < sum(len(sums[2]) for sums in expected.values()), "some carry too little to count"


def key_of(row):
    return row.word, row.kind if row.kind in ("token", "piece") else "word"


@pytest.mark.parametrize("which", range(4))
def test_a_word_s_examples_are_those_it_was_summed_over(workspace, which):
    label, predicted = some_filters(workspace)[which]
    filter = MistakeFilter(label=label, predicted=predicted)
    pairs = slow_pairs(workspace, label, predicted)
    listed = words(workspace, filter)
    for row in listed[~listed["kind"].isin(["token", "piece"])].itertuples():
        expected = defaultdict(dict)
        for (word, test, train), score in pairs.items():
            if word == (row.word, "word") and score < 0:
                expected[train][test] = score
        found = word_examples(workspace, row.word.upper() if row.word == "film" else row.word, filter)
        assert set(found["train_id"]) == set(expected)
        assert found["against"].sum() == pytest.approx(row.against, rel=1e-6)
        assert found["against"].is_monotonic_increasing
        read = read_examples(workspace, row.word, found["position"].tolist(), filter)
        assert [one.sentence.id for one in read] == found["train_id"].tolist()
        for one in read:
            assert {m.test_id: m.score for m in one.mistakes} == pytest.approx(expected[one.sentence.id], rel=1e-6, abs=1e-9)
            assert one.words
            assert {whole(one.sentence, word).casefold() for word in one.words} == {row.word}


def test_case_and_scripts(workspace):
    found = words(workspace).set_index("word")
    assert {"film", "strasse", "🎬"} <= set(found.index)
    assert not {"Film", "FILM"} & set(found.index)
    assert found.loc["film", "written"] in ("film", "Film", "FILM")
    assert set(found["kind"]) <= {"word", "common", "token", "piece"}
    assert {found.loc[word, "kind"] for word in ("the", "it's", ",") if word in found.index} == {"common"}
    assert not {"t", "s", "it"} & set(found.index)  # parts of "it's"
    assert all(row.written.casefold() == word for word, row in found.iterrows() if row.kind != "token")
    assert {"[CLS]", "[SEP]"} >= set(found.index[found["kind"] == "token"])


def test_frequent_words_that_no_label_has_more_of_are_common(workspace):
    """By hand: the share of the training texts that hold a word, and of those that have each label."""
    rows = workspace.store.rows("select id, label from examples where split = 'train'")
    labels = dict(rows)
    usual = {label: share / len(rows) for label, share in Counter(labels.values()).items()}
    texts = sentences(workspace, "train", range(len(rows))).values()
    held = {one.id: {whole(one, n).casefold() for n, word in enumerate(one.words) if word.side >= 0} for one in texts}
    for row in words(workspace).itertuples():
        if row.kind not in ("word", "common") or is_function_word(row.word):
            continue
        holders = [labels[id] for id, said in held.items() if row.word in said]
        lifts = [count / len(holders) / usual[label] for label, count in Counter(holders).items()]
        frequent = len(holders) > 0.1 * len(rows) and max(lifts) < 1.5
        assert (row.kind == "common") == frequent, row.word


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("the", True), ("t", True), ("5", True), ("it's", True), ("doesn’t", True), ("isn't", True), ("let's", True), (",", True),
        ("film's", False), ("l'amour", False), ("good", False), ("影", False), ("🎬", False), ("o'clock", False), ("can't", True),
    ],
)  # fmt: skip
def test_function_words(word, expected):
    assert is_function_word(word) == expected


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("he doesn't work", "doesn", "doesn't"), ("he doesn't work", "t", "doesn't"), ("he doesn't work", "'", "doesn't"),
        ("the film's 'good' bits", "film", "film's"), ("the film's 'good' bits", "good", "good"),
        ("a feel-good film", "good", "good"),
        ("cuba gooding jr", "good", "gooding"), ("foo_bar", "bar", "foo_bar"), ("1,000 more", "000", "1,000"),
        ("end.Then", "end", "end"),
        ("電影很好", "影", "影"), ("cafe\u0301's", "s", "cafe\u0301's"), ("covid19", "19", "covid19"), (" ' ", "'", "'"),
    ],
)  # fmt: skip
def test_the_whole_word_around_a_part(text, part, expected):
    start = text.index(part)
    start, end = whole_span(text, start, start + len(part))
    assert text[start:end] == expected


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
