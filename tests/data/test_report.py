"""The data report against slow, obvious computations; columns guessed; the remarks; the command."""

import csv
import itertools
import json
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from influence.cli import main
from influence.data.advice import findings
from influence.data.columns import guess_columns
from influence.data.dataset import Columns
from influence.data.duplicates import NEAR, near_pairs
from influence.data.report import data_report
from influence.errors import DataError
from influence.reading import Table

FEW = st.lists(st.sampled_from(["a", "b", "c", "dog", "Cat", "cat", "tree,", "10"]), min_size=0, max_size=7).map(" ".join)


def table(**columns: list) -> Table:
    return Table(columns, "file.csv", "0" * 64)


def jaccard(first: str, second: str) -> float:
    one, two = (set(re.findall(r"\w+", text.lower())) for text in (first, second))
    return len(one & two) / len(one | two) if one | two else 0.0


def slow_pairs(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    first = {text: at for at, text in reversed(list(enumerate(texts)))}
    places = sorted(first.values())
    return {(a, b) for a, b in itertools.combinations(places, 2) if jaccard(texts[a], texts[b]) >= threshold - 1e-9}


@given(st.lists(FEW, max_size=14), st.sampled_from([0.5, 0.6, 0.8, 1.0]))
def test_no_near_pair_is_missed_and_none_invented(texts, threshold):
    found = near_pairs(texts, threshold=threshold)
    assert {(int(a), int(b)) for a, b in found.pairs_P2} == slow_pairs(texts, threshold)
    assert len(found.pairs_P2) == len({tuple(pair) for pair in found.pairs_P2.tolist()})
    assert found.compared == found.of == len(set(texts))


def test_near_pairs_of_longer_texts():
    generator = np.random.default_rng(0)
    words = [f"w{n}" for n in range(60)]
    texts = []
    for _ in range(60):
        base = list(generator.choice(words, size=int(generator.integers(3, 30)), replace=False))
        texts.append(" ".join(base))
        changed = list(base)
        changed[0] = "new"
        texts.append(" ".join(changed))
    assert {(int(a), int(b)) for a, b in near_pairs(texts).pairs_P2} == slow_pairs(texts, NEAR)


def test_both_texts_of_a_pair_must_be_alike():
    same = "a man walks his dog in the park\x1f"
    texts = [same + "somebody sleeps", same + "nobody is there at all", same + "somebody sleeps!"]
    assert near_pairs(texts).pairs_P2.tolist() == [[0, 2]]


def test_too_many_candidates_are_sampled_and_it_says_so():
    texts = [f"the same words in every text {n % 7} {n}" for n in range(400)]
    found = near_pairs(texts, most=20_000)
    assert 0 < found.compared < found.of == 400
    assert {(int(a), int(b)) for a, b in found.pairs_P2} <= slow_pairs(texts, NEAR)


def test_characters_are_the_words_of_chinese():
    assert len(near_pairs(["这部电影非常好看啊", "这部电影非常好看", "完全不同的一句话"]).pairs_P2) == 1


TRAIN = table(
    text=["good film", "bad film", "", "good film", "bad film", "Good film!", "so so", "x y z", None, "lone"],
    label=["pos", "neg", "pos", "pos", "pos", "POS", "neg", "", "neg", "rare"],
    id=["a", "b", "c", "d", "e", "f", "g", "h", "i", "a"],
)
TEST = table(text=["good film", "never seen", "So so?", "", "new"], label=["pos", "neg", "neg", "neg", "odd"], id=list("vwxyz"))


def test_every_number_of_a_small_report():
    report = data_report(TRAIN, TEST, Columns(id="id"))
    assert (report.rows, report.test_rows) == (10, 5)
    assert {one.label: (one.train, one.test) for one in report.labels} == {
        "pos": (3, 1), "neg": (2, 2), "POS": (1, 0), "rare": (1, 0), "odd": (0, 1),
    }  # fmt: skip
    assert (report.words.least, report.words.median, report.words.most) == (1, 2, 2)
    assert [(one.what, one.rows.first) for one in report.unusable] == [
        ("without a text in column 'text'", [3, 9]),
        ("without a label in column 'label'", [8]),
    ]
    assert [one.rows.first for one in report.test_unusable] == [[4]]
    assert (report.usable, report.test_usable) == (7, 3)
    assert report.repeats.first == [4, 5]
    assert report.n_conflicts == 1
    assert (report.conflicts[0].text, report.conflicts[0].labels) == ("bad film", {"neg": 1, "pos": 1})
    assert report.conflicts[0].rows == [2, 5]
    assert (report.near.texts, report.near.pairs, report.near.differing) == (2, 1, 1)
    assert (report.near.rows.count, report.near.rows.first) == (3, [1, 4, 6])
    assert report.overlap.first == [1]
    assert report.near_overlap.first == [3]
    assert report.variants == [["pos", "POS"]]
    assert report.unknown_labels.first == [5]
    assert report.repeated_ids.first == [10]
    assert report.train_counts == {"pos": 4, "neg": 2, "rare": 1}
    assert report.imbalance == 4


@given(st.lists(st.tuples(FEW, st.sampled_from(["x", "X", "y", ""])), min_size=1, max_size=20))
def test_counts_agree_with_plain_loops(rows):
    report = data_report(table(text=[t for t, _ in rows], label=[y for _, y in rows]), None, Columns())
    whole = [(text, label) for text, label in rows if text.strip() and label.strip()]
    left_out = {one.what: one.rows.count for one in report.unusable}
    assert left_out.get("without a text in column 'text'", 0) == sum(not text.strip() for text, _ in rows)
    assert report.usable == len(whole) == len(rows) - sum(left_out.values())
    assert report.repeats.count == len(whole) - len({text for text, _ in whole})
    by_text = {text: {label for other, label in whole if other == text} for text, _ in whole}
    assert report.n_conflicts == sum(len(labels) > 1 for labels in by_text.values())
    assert {one.label: one.train for one in report.labels} == dict(Counter(label for _, label in whole))


@pytest.mark.parametrize(
    ("changed", "level", "said"),
    [
        ({"label": ["a"] * 20}, "stop", "Every row has the label 'a'"),
        ({"label": [f"l{n}" for n in range(20)]}, "stop", "20 different labels in 20 rows"),
        ({"text": [""] * 20}, "stop", "No row can be used"),
        ({"text": ["", *map(str, range(19))]}, "mend", "1 row (1) without a text"),
        ({"label": ["a", "b", " A", *"ab" * 8, "b"]}, "mend", "'a' = ' A'"),
        ({"label": ["caf\u00e9", "cafe\u0301", *"ab" * 9]}, "mend", r"'caf\xe9' = 'cafe\u0301'"),
        ({"label": ["a\u200b", "\u0430", *"ab" * 9]}, "mend", r"'a' = 'a\u200b' = '\u0430'"),
        ({"label": ["a b", "a\xa0b", *"ab" * 9]}, "mend", r"'a b' = 'a\xa0b'"),
        ({"label": ["a#b", *"ab" * 9, "b"]}, "look", "1 row (1) whose label is several joined: 'a#b'"),
        ({"label": [["a", "b"], *"ab" * 9, "b"]}, "mend", "1 row (1) with a list of several values for a label"),
        ({"label": ["label", *"ab" * 9, "b"]}, "look", "The label column's name, 'label', is also a label"),
        ({"label": [*"a" * 18, *"bb"]}, "look", "fewer than 5 training rows: 'b'"),
        ({}, "fine", "Nothing stands in the way"),
    ],
)
def test_remarks(changed, level, said):
    columns = {"text": [f"text number {n} {n * n} {n**3}" for n in range(20)], "label": list("ab" * 10), **changed}
    found = findings(data_report(table(**columns), None, Columns()))
    assert any(one.level == level and said in one.what for one in found), found
    assert [one.level for one in found] == sorted((one.level for one in found), key=["stop", "mend", "look", "fine"].index)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"text": ["a b"] * 4, "label": [0, 1, 0, 1]}, ("text", None, "label", None)),
        (
            {"Review ID": [1, 2, 3, 4], "Comment": list("abcd"), "Sentiment": [0, 1, 0, 1]},
            ("Comment", None, "Sentiment", "Review ID"),
        ),
        (
            {"premise": list("abcd"), "hypothesis": list("efgh"), "gold_label": [1, 2, 1, 2]},
            ("premise", "hypothesis", "gold_label", None),
        ),
        ({"Was": ["long words here"] * 4, "Urteil": ["a", "b", "a", "b"]}, ("Was", None, "Urteil", None)),
        ({"id": [1, 1, 2, 3], "text": list("abcd"), "class": [0, 1, 0, 1]}, ("text", None, "class", None)),
        ({"a": ["x"] * 4, "b": ["x"] * 4}, ("a", None, None, None)),
        ({"Nr": [1, 2, 3, 4], "text": list("abcd"), "label": [0, 1, 0, 1]}, ("text", None, "label", "Nr")),
        ({"ticket_id": list("pqrs"), "text": list("abcd"), "label": [0, 1, 0, 1]}, ("text", None, "label", "ticket_id")),
        ({"ticketId": list("pqrs"), "text": list("abcd"), "label": [0, 1, 0, 1]}, ("text", None, "label", "ticketId")),
        ({"": [0, 1, 2, 3], "text": list("abcd"), "label": [0, 1, 0, 1]}, ("text", None, "label", "")),
        ({"Unnamed: 0": [0, 1, 2, 3], "text": list("abcd"), "label": [0, 1, 0, 1]}, ("text", None, "label", "Unnamed: 0")),
        ({"ticket_id": ["p", "", "r", "s"], "text": list("abcd"), "label": [0, 1, 0, 1]}, ("text", None, "label", None)),
        ({"ticket_id": list("ppqr"), "text": list("abcd"), "label": [0, 1, 0, 1]}, ("text", None, "label", None)),
        ({"candid": list("pqrs"), "text": list("abcd"), "label": [0, 1, 0, 1]}, ("text", None, "label", None)),
        ({"a": [1, 3, 1, 3], "b": ["10-12", "11-12", "12-12", "9"]}, (None, None, "a", None)),  # no word in it
        ({"文本": ["long words here", "others", "more", "x"], "标签": [0, 1, 0, 1]}, ("文本", None, "标签", None)),
    ],
)  # fmt: skip
def test_guesses(columns, expected):
    guess = guess_columns(table(**columns))
    assert (guess.text, guess.text_pair, guess.label, guess.id) == expected
    roles = zip(("text", "text_pair", "label", "id"), expected, strict=True)
    assert set(guess.reasons) == {role for role, name in roles if name is not None}


def test_a_guess_without_a_label_is_refused_with_the_way_out():
    with pytest.raises(DataError, match="--label"):
        guess_columns(table(a=["x"] * 4)).columns()


@pytest.mark.slow
def test_fifty_thousand_rows_take_seconds():
    generator = np.random.default_rng(0)
    words = np.array([f"w{n}" for n in range(30_000)])
    odds = 1 / np.arange(1, len(words) + 1)
    drawn = generator.choice(words, p=odds / odds.sum(), size=(55_000, 30))
    texts = [" ".join(row) for row in drawn]
    started = time.process_time()
    report = data_report(table(text=texts, label=["a", "b"] * 27_500), None, Columns())
    assert report.near.compared == len(texts)
    assert time.process_time() - started < 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    with path.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows(
            [("Comment", "Sentiment"), *(("line one\nline two, " + str(n), "ab"[n % 2]) for n in range(12))]
        )
    return path


def test_check_prints_the_report(file, capsys):
    assert main(["check", "--train", str(file)]) == 0
    said = capsys.readouterr().out
    assert "12 rows" in said
    assert "text: 'Comment' (guessed: its name)" in said
    assert main(["check", "--train", str(file), "--test", str(file), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["report"]["overlap"]["count"] == 12
    assert answer["head"][0] == {"Comment": "line one\nline two, 0", "Sentiment": "a"}
    assert answer["columns"] == {"text": "Comment", "text_pair": None, "label": "Sentiment", "id": None}


def test_check_writes_what_it_knows_before_it_fails(file, tmp_path, capsys):
    output = tmp_path / "answer.json"
    assert main(["check", "--train", str(file), "--label", "nope", "--output", str(output)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    answer = json.loads(output.read_text("utf-8"))
    assert answer["column_names"] == ["Comment", "Sentiment"]
    assert answer["report"] is None
