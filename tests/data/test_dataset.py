"""What the columns of a file mean: texts, pairs, labels, ids; and each reason to refuse them, in one line."""

import datetime
import decimal
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from influence.data.dataset import Dataset, check_labels, from_table, label_names, read_dataset, text_sha256
from influence.data.examples import Columns
from influence.errors import DataError
from influence.reading import Table


def table(**columns: list[Any]) -> Table:
    return Table(columns, "data.csv", "0" * 64)


def labelled(*labels: str) -> Dataset:
    return Dataset([str(row) for row in range(len(labels))], list(labels), None, list(labels), "data.csv", "0" * 64)


def refused(found: Table, columns: Columns) -> str:
    with pytest.raises(DataError) as caught:
        from_table(found, columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_text_and_row_numbers_for_ids() -> None:
    found = from_table(table(text=["a", " b "], label=["x", "y"], other=[1, 2]), Columns())
    assert found == Dataset(["0", "1"], ["a", " b "], None, ["x", "y"], "data.csv", "0" * 64)


def test_pairs_and_ids_in_columns_of_any_name() -> None:
    columns = Columns(text="premise", text_pair="hypothesis", label="gold", id="key")
    found = from_table(table(premise=["a", "b"], hypothesis=["c", "d"], gold=["x", "y"], key=["k1", "k0"]), columns)
    assert found == Dataset(["k1", "k0"], ["a", "b"], ["c", "d"], ["x", "y"], "data.csv", "0" * 64)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (-2.0, "-2"),
        (1.5, "1.5"),
        (True, "True"),
        ("01", "01"),
        (decimal.Decimal("2.50"), "2.50"),
        (datetime.date(2024, 5, 1), "2024-05-01"),
        (10**18, "1000000000000000000"),
    ],
)
def test_numbers_become_the_text_a_reader_expects(value: Any, text: str) -> None:
    """A column of integers with a gap is stored as floats: 1.0 is the label 1."""
    found = from_table(table(text=["a"], label=[value], id=[value]), Columns(id="id"))
    assert (found.labels, found.ids) == ([text], [text])


def test_ids_survive_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(json.dumps({"id": f"Ω-{n}", "text": "t", "label": n % 2}) for n in range(3)), encoding="utf-8")
    assert read_dataset(str(file), Columns(id="id"), split="train").ids == ["Ω-0", "Ω-1", "Ω-2"]


def test_the_hash_of_a_text_is_that_of_its_bytes_and_a_pair_is_not_its_concatenation() -> None:
    assert text_sha256("naïve") == hashlib.sha256("naïve".encode()).hexdigest()
    assert text_sha256("a", "b") == hashlib.sha256(b"a\x1fb").hexdigest()
    single = Dataset(["0"], ["ab"], None, ["x"], "", "")
    pair = Dataset(["0"], ["a"], ["b"], ["x"], "", "")
    assert single.text_hashes() == [text_sha256("ab")]
    assert pair.text_hashes() == [text_sha256("a", "b")]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["pos", "neg", "pos"], ["neg", "pos"]),
        (["10", "9", "2"], ["2", "9", "10"]),
        (["10", "9", "x"], ["10", "9", "x"]),
        (["1", "01", "0"], ["0", "01", "1"]),
        (["-1", "1"], ["-1", "1"]),
        (["²", "1"], ["1", "²"]),
    ],
)
def test_label_names_are_in_numeric_order_where_all_are_numbers(labels: list[str], names: list[str]) -> None:
    assert label_names(labelled(*labels)) == names


def test_one_class_only_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        label_names(labelled("a", "a"))
    assert str(caught.value) == "'data.csv': every label is 'a'; a classifier needs at least two classes"


def test_a_test_label_that_training_lacks_is_refused() -> None:
    check_labels(labelled("a", "b"), ["a", "b", "c"])
    with pytest.raises(DataError) as caught:
        check_labels(labelled("a", "z", "y", "z"), ["a", "b"])
    assert str(caught.value) == (
        "'data.csv': label 'z' never occurs in the training data (rows 2, 3, 4); the training labels are 'a', 'b'"
    )
    with pytest.raises(DataError, match=r"label '77' never occurs .*\(row 1\).* '0', '1', .* '9', …$"):
        check_labels(labelled("77"), [str(number) for number in range(77)])
    with pytest.raises(DataError, match="never occurs"):
        check_labels(labelled("a\x00"), ["a"])


MEND = "; mend or delete them, or leave them out with --drop-unusable"
TEN = list("abcdefghij")
BAD: dict[str, tuple[Table, Columns, str]] = {
    "no rows": (table(text=[], label=[]), Columns(), "'data.csv' has no rows; it needs at least one"),
    "no columns": (table(), Columns(), "'data.csv' has no rows; it needs at least one"),
    "missing text column": (
        table(sentence=["a"], label=["x"]),
        Columns(),
        "--text 'text': 'data.csv' has no such column; it has 'sentence', 'label'",
    ),
    "missing pair column": (
        table(text=["a"], label=["x"]),
        Columns(text_pair="hypothesis"),
        "--text-pair 'hypothesis': 'data.csv' has no such column; it has 'text', 'label'",
    ),
    "missing label column": (
        table(text=["a"], y=["x"]),
        Columns(),
        "--label 'label': 'data.csv' has no such column; it has 'text', 'y'",
    ),
    "missing id column": (
        table(text=["a"], label=["x"]),
        Columns(id="key"),
        "--id 'key': 'data.csv' has no such column; it has 'text', 'label'",
    ),
    "empty texts": (
        table(text=["", " \t", "c", None, "", "", "", "h", "", ""], label=TEN),
        Columns(),
        "'data.csv': 8 rows of 10 without a text in column 'text' (rows 1, 2, 4, 5, 6, …)" + MEND,
    ),
    "empty second text": (
        table(text=["a"], pair=[None], label=["x"]),
        Columns(text_pair="pair"),
        "'data.csv': 1 row of 1 without a second text in column 'pair' (row 1)" + MEND,
    ),
    "null label": (
        table(text=["a", "b"], label=["x", None]),
        Columns(),
        "'data.csv': 1 row of 2 without a label in column 'label' (row 2)" + MEND,
    ),
    "not a number for a label": (
        table(text=["a", "b"], label=[1.0, float("nan")]),
        Columns(),
        "'data.csv': 1 row of 2 without a label in column 'label' (row 2)" + MEND,
    ),
    "empty id": (
        table(text=["a", "b"], label=["x", "y"], id=["1", ""]),
        Columns(id="id"),
        "'data.csv': 1 row of 2 without an id in column 'id' (row 2)" + MEND,
    ),
    "ids twice": (
        table(text=TEN, label=TEN, id=[1, 2, 1, 3, 2, 1.0, 9, 8, 7, 6]),
        Columns(id="id"),
        "--id 'id': 'data.csv' has 3 repeated ids, the first is '1' (rows 3, 5, 6); ids must be unique",
    ),
    "lists for texts": (
        table(text=["a", ["b", "c"]], label=["x", "y"]),
        Columns(),
        "'data.csv': 1 row of 2 with a list of several values for a text in column 'text' (row 2)" + MEND,
    ),
    "bytes for texts": (
        table(text=[b"a"], label=["x"]),
        Columns(),
        "'data.csv': 1 row of 1 with binary data for a text in column 'text' (row 1)" + MEND,
    ),
    "objects for labels": (
        table(text=["a"], label=[{"name": "x"}]),
        Columns(),
        "'data.csv': 1 row of 1 with an object for a label in column 'label' (row 1)" + MEND,
    ),
    "lists in lists": (
        table(text=["a"], label=[[["x"]]]),
        Columns(),
        "'data.csv': 1 row of 1 with lists in lists for a label in column 'label' (row 1)" + MEND,
    ),
    "several kinds": (
        table(text=["a", "", "c", b"d"], label=["x", "y", None, "z"]),
        Columns(),
        "'data.csv': 1 row of 4 without a text in column 'text' (row 2); 1 row of 4 without a label in column 'label' "
        "(row 3); 1 row of 4 with binary data for a text in column 'text' (row 4)" + MEND,
    ),
    "half a character": (
        table(text=["a", "b\ud83d"], label=["x", "y"]),
        Columns(),
        "'data.csv': 1 row of 2 with half a surrogate pair, which is no character, for a text in column 'text' (row 2)" + MEND,
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_columns_that_cannot_be_used_are_refused_with_the_rows(case: str) -> None:
    found, columns, message = BAD[case]
    assert refused(found, columns) == message
