"""What is measured of data, against plain loops over its rows; what is said of it."""

import re
from collections import Counter

import pytest
from hypothesis import assume, given, strategies as st

from influence.data.dataset import Columns
from influence.data.report import data_report
from influence.errors import DataError
from influence.gate import Subject, as_json, as_lines, check_limits, read_limits
from influence.reading import Table

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "dog", "Cat", "cat"]), max_size=6).map(" ".join)
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from(["x", "X", "y", "z", ""]), st.sampled_from("pqrstuvw")), min_size=1, max_size=14)
OF_DATA = (
    "conflicts", "duplicates", "near-duplicates", "leaks", "near-leaks", "unusable", "repeated-ids", "unknown-labels",
    "spellings",
)  # fmt: skip


def table(name: str, rows: list[tuple[str, str, str]]) -> Table:
    columns = {key: [row[at] for row in rows] for at, key in enumerate(("text", "label", "id"))}
    return Table(columns, name, "0" * 64)


def alike(first: str, second: str) -> bool:
    one, two = (set(re.findall(r"\w+", text.lower())) for text in (first, second))
    return first != second and len(one & two) >= 0.8 * len(one | two) - 1e-9 and bool(one | two)


def by_loops(train, test) -> dict[str, tuple[int, int]]:
    """(found, of) of every kind."""
    ours, theirs = ([row for row in rows if row[0].strip() and row[1]] for rows in (train, test))
    texts, labels = [row[0] for row in ours], {row[1] for row in ours}
    both = labels | {row[1] for row in theirs}
    folded = {label.lower() for label in labels}
    return {
        "conflicts": (sum(len({y for t, y, _ in ours if t == text}) > 1 for text in set(texts)), len(set(texts))),
        "duplicates": (len(texts) - len(set(texts)), len(texts)),
        "near-duplicates": (sum(any(alike(text, other) for other in texts) for text in texts), len(texts)),
        "leaks": (sum(t in texts for t, _, _ in theirs), len(test)),
        "near-leaks": (sum(t not in texts and any(alike(t, other) for other in texts) for t, _, _ in theirs), len(test)),
        "unusable": (len(train) - len(ours) + len(test) - len(theirs), len(train) + len(test)),
        "repeated-ids": (sum(len(rows) - len({id for _, _, id in rows}) for rows in (ours, theirs)), len(train) + len(test)),
        "unknown-labels": (sum(y.lower() not in folded for _, y, _ in theirs), len(test)),
        "spellings": (len(both) - len({label.lower() for label in both}), len(both)),
    }


@given(ROWS, ROWS)
def test_every_number_agrees_with_plain_loops(train, test):
    subject = Subject(train=table("train.csv", train), test=table("test.csv", test), columns=Columns(id="id"))
    for name, all_rows in (("train", train), ("test", test)):
        if not any(text.strip() and label for text, label, _ in all_rows):
            with pytest.raises(DataError, match=rf"'{name}.csv': no row can be used, so there is nothing to measure"):
                check_limits(read_limits([",".join(OF_DATA)]), subject)
            return
    verdicts = check_limits(read_limits([",".join(OF_DATA)]), subject)
    found = {one.limit.name: (one.measured.count, one.measured.of) for one in verdicts}
    assert found == by_loops(train, test)
    assert {one.limit.name for one in verdicts if one.broken} == {name for name, (count, _) in found.items() if count}


@given(ROWS, st.integers(0, 100))
def test_the_rarest_label_is_held_against_its_share(rows, percent):
    assume(any(text.strip() and label for text, label, _ in rows))
    [verdict] = check_limits(
        read_limits([f"class-share={percent}%"]), Subject(train=table("train.csv", rows), columns=Columns(id="id"))
    )
    counts = Counter(label.lower() for text, label, _ in rows if text.strip() and label)
    rarest, of = min(counts.values(), default=0), sum(counts.values())
    assert (verdict.measured.count, verdict.measured.of) == (rarest, of)
    assert verdict.broken is (100 * rarest < percent * of)
    assert len(verdict.measured.first) == min(5, sum(100 * count < percent * of for count in counts.values()))


TRAIN = [
    ("good film", "pos", "a"), ("bad film", "neg", "b"), ("", "pos", "c"), ("good film", "neg", "d"),
    ("Good film!", "pos", "e"), ("so it goes", "POS", "f"), ("the\x1b[31m end", "ra\x1b]0;re\nlabel", "a"),
]  # fmt: skip
TEST = [("good film", "pos", "a"), ("Bad film.", "neg", "b"), ("new", "", "c"), ("more", "odd", "d")]


def test_the_lines_name_what_is_found_the_limit_the_first_rows_and_the_way_out():
    subject = Subject(train=table("train.csv", TRAIN), test=table("test.csv", TEST), columns=Columns(id="id"))
    given = ["leaks,near-leaks=1,conflicts,duplicates=1", "near-duplicates=10%", "unusable,repeated-ids,unknown-labels,spellings"]
    verdicts = check_limits(read_limits([*given, "class-share=20%"]), subject)
    assert list(as_lines(verdicts)) == [
        "FAILED leaks: 1 of 4 test rows (25%) have a text that stands in training; allowed: none. First test rows: 1. "
        "Take them out of the one file or the other: a model has seen them, and its test accuracy flatters.",
        "ok     near-leaks: 1 of 4 test rows (25%) nearly repeat a training text; allowed: at most 1.",
        "FAILED conflicts: 1 of 5 texts (20%) stand with two labels or more; allowed: none. First texts: rows 1 and 4 "
        "(pos / neg). One of the labels must be wrong: decide which, or take the text out.",
        "ok     duplicates: 1 of 6 rows (16.7%) have the same text as an earlier row; allowed: at most 1.",
        "FAILED near-duplicates: 3 of 6 rows (50%) nearly repeat the text of another; allowed: at most 10%. First rows: 1, 4, 5. "
        "Keep one of each group, or allow some.",
        "FAILED unusable: 2 of 11 rows (18.2%) cannot be used; allowed: none. First rows: 3 without a text in column 'text', "
        "test 3 without a label in column 'label'. Mend or delete them; `build --drop-unusable` leaves them out.",
        "FAILED repeated-ids: 1 of 11 rows (9.09%) have an id that an earlier row has; allowed: none. First rows: 7. "
        "Ids must be unique: choose another --id column.",
        "FAILED unknown-labels: 1 of 4 test rows (25%) have a label that training never has; allowed: none. First test rows: 4. "
        "Is it the right test file? `build --drop-unusable` leaves them out.",
        "FAILED spellings: 1 of 5 labels (20%) look like another; allowed: none. First labels: 'pos' = 'POS'. "
        "Write each label one way; `build --merge-labels` makes them one.",
        r"FAILED class-share: 1 of 6 rows (16.7%) have the rarest label, 'ra\\x1b]0;re\\nlabel'; allowed: at least 20%. "
        r"Labels below it: ra\x1b]0;re\nlabel (1). Add rows of it, or put it together with another label.",
    ]
    told = as_json(verdicts)
    assert told["broken"] == [one["name"] for one in told["limits"] if one["broken"]]
    assert told["limits"][1] == {
        "name": "near-leaks", "limit": "1", "limit_is": "most", "found": 1, "of": 4, "unit": "test rows", "share": 0.25,
        "at_least": False, "broken": False, "first": ["2"],
        "message": "near-leaks: 1 of 4 test rows (25%) nearly repeat a training text; allowed: at most 1.",
        "advice": "Take them out of the one file or the other: they, too, flatter the test accuracy.",
    }  # fmt: skip


def test_of_a_sample_it_says_that_there_may_be_more(monkeypatch):
    from influence.data import duplicates, report

    few = lambda texts: duplicates.near_pairs(texts, most=2_000)  # noqa: E731
    monkeypatch.setattr(report, "near_pairs", few)
    rows = [(f"the same words in every text {n}", "ab"[n % 2], str(n)) for n in range(200)]
    found = data_report(table("train.csv", rows), None, Columns())
    assert found.near.compared < 200
    [verdict] = check_limits(read_limits(["near-duplicates"]), Subject(train=table("train.csv", rows), columns=Columns()))
    assert verdict.measured.at_least
    said = f"at least {found.near.rows.count:,} of 200 rows"
    assert said in verdict.sentence
    assert f"(looked for among {found.near.compared:,} of 200 texts, taken at random)" in verdict.sentence
