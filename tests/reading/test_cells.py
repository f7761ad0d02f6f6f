"""The one reading of a cell, against a table of what each value is; Parquet and JSON of the same values read alike."""

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from influence.errors import DataError
from influence.reading import Odd, as_text, label_cell, read_cell, read_table, rewritten, written

SEVERAL, OBJECT, NESTED = "a list of several values", "an object", "lists in lists"
VALUES: list[tuple[Any, str, str]] = [  # the value, its text, or what it is
    ("x", "x", ""),
    (" x ", " x ", ""),
    ("nan", "nan", ""),
    (1, "1", ""),
    (10**30, str(10**30), ""),
    (1.0, "1", ""),
    (-0.5, "-0.5", ""),
    (float("inf"), "inf", ""),
    (float("nan"), "", ""),
    (None, "", ""),
    (True, "True", ""),
    (["x"], "x", ""),
    ([1.0], "1", ""),
    ([], "", ""),
    ([None], "", ""),
    (["x", "y"], "", SEVERAL),
    (["x", "x"], "", SEVERAL),
    ([["x"]], "", NESTED),
    ([{"a": 1}], "", NESTED),
    ({"a": 1}, "", OBJECT),
    ({}, "", OBJECT),
    (b"x", "", "binary data"),
    ("\ud800", "", "half a surrogate pair, which is no character,"),
    ("a\0b", "a\0b", ""),
    (["a\udfff"], "", "half a surrogate pair, which is no character,"),
    (decimal.Decimal("2.50"), "2.50", ""),
    (datetime.date(1, 1, 1), "0001-01-01", ""),
    (datetime.timedelta(seconds=1), "0:00:01", ""),
    (1j, "", "a complex"),
]


@pytest.mark.parametrize(("value", "text", "odd"), VALUES, ids=[repr(value) for value, _, _ in VALUES])
def test_what_a_cell_says(value: Any, text: str, odd: str) -> None:
    assert read_cell(value) == (Odd(odd) if odd else text)
    assert label_cell(value) == read_cell(value)
    as_text(value).encode("utf-8")  # for people it is always something


@pytest.mark.parametrize(
    ("label", "read"),
    [
        ('["pos"]', "pos"),
        ("['pos']", "pos"),
        ('{"choices": ["pos"]}', "pos"),
        ('{"choices": ["pos", "neg"]}', Odd(SEVERAL)),
        ("['pos', 'neg']", Odd(SEVERAL)),
        ("[]", ""),
        ("{'POS': 1}", Odd(OBJECT)),
        ('[["pos"]]', Odd(NESTED)),
        ("[pos]", "[pos]"),
        ("[", "["),
        ("{}}", "{}}"),
        ("[" * 900 + "]" * 900, Odd(NESTED)),
        ("[" * 2_000, "[" * 2_000),
        ("[__import__('os')]", "[__import__('os')]"),
    ],
)
def test_labels_that_are_lists_written_out(label: str, read: Any) -> None:
    assert label_cell(label) == read
    assert read_cell(label) == label  # of a text every letter counts


def test_parquet_and_json_say_the_same(tmp_path: Path) -> None:
    columns = {
        "list": [["pos"], [], None, ["a", "b"]],
        "object": [{"a": 1}, {"a": 2}, None, {"a": 3}],
        "nested": [[["x"]], [["y"]], None, [["z"], ["z"]]],
        "number": [1, 2, None, 3],
        "truth": [True, None, False, True],
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    lines = [json.dumps({name: column[row] for name, column in columns.items()}) for row in range(4)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    parquet, jsonl = (read_table(str(tmp_path / name), split="train").columns for name in ("a.parquet", "a.jsonl"))
    for name in columns:
        assert [read_cell(value) for value in parquet[name]] == [read_cell(value) for value in jsonl[name]], name


DAY, DECADES = 86_400_000, 400_000 * 365
OUT_OF_RANGE, SEVERAL_SHOWN = "(a date or number out of range)", "(a list of several values)"
OTHER_BYTES = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff"]).buffers())
KINDS: dict[str, tuple[pa.Array, list[str]]] = {
    "dates out of range": (pa.array([0, 10**6, -(10**7)], pa.date32()), ["1970-01-01", "4707-11-29", OUT_OF_RANGE]),
    "milliseconds out of range": (pa.array([0, DAY * DECADES], pa.timestamp("ms")), ["1970-01-01 00:00:00", OUT_OF_RANGE]),
    "nanoseconds": (pa.array([0, 10**9], pa.timestamp("ns")), ["1970-01-01 00:00:00", "1970-01-01 00:00:01"]),
    "durations out of range": (pa.array([2**62], pa.duration("s")), [OUT_OF_RANGE]),
    "maps": (pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int8())), ["(an object)", "", "(an object)"]),
    "binary": (pa.array([b"\xff", None]), ["(binary data)", ""]),
    "fixed binary": (pa.array([b"\xff\xff"], pa.binary(2)), ["(binary data)"]),
    "text of other bytes": (OTHER_BYTES, ["ok", "(text that is not UTF-8)"]),
    "views": (pa.array(["a", None, "b" * 40], pa.string_view()), ["a", "", "b" * 40]),
    "categories": (pa.array(["a", "b", None, "a"]).dictionary_encode(), ["a", "b", "", "a"]),
    "nothing": (pa.nulls(2), ["", ""]),
    "halves": (pa.array([1.5, 2.0], pa.float16()), ["1.5", "2"]),
    "vectors": (pa.array([[0.5] * 1_000] * 1_200), [SEVERAL_SHOWN] * 1_200),
    "long lists of one": (pa.array([[5] * 1_000] * 1_100 + [[7], [], None]), [SEVERAL_SHOWN] * 1_100 + ["7", "", ""]),
    "fixed lists": (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [SEVERAL_SHOWN]),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_parquet_is_something(tmp_path: Path, kind: str) -> None:
    array, shown = KINDS[kind]
    pq.write_table(pa.table({"x": array}), tmp_path / "a.parquet")
    assert [as_text(value) for value in read_table(str(tmp_path / "a.parquet"), split="train").columns["x"]] == shown


def test_class_names_of_parquet_are_those_of_the_data_set(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    made = Dataset.from_dict({"text": ["a", "b", "c", "d"], "label": [0, 1, -1, None]}, features=features)
    made.save_to_disk(tmp_path / "saved")
    made.to_parquet(tmp_path / "a.parquet")
    found = read_table(str(tmp_path / "a.parquet"), split="train")
    assert found.columns == read_table(str(tmp_path / "saved"), split="train").columns
    assert found.columns["label"] == ["neg", "pos", None, None]
    # Written again, a class is a number.
    (tmp_path / "b.parquet").write_bytes(rewritten(found, {0: {"label": "pos"}, 3: None}))
    assert pq.read_table(tmp_path / "b.parquet").column("label").to_pylist() == [1, 1, -1]
    assert read_table(str(tmp_path / "b.parquet"), split="train").columns["label"] == ["pos", "pos", None]


@pytest.mark.parametrize(
    "metadata", [b"{", b"[1]", b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": 7}}}}', b"[" * 10_000]
)
def test_metadata_that_makes_no_sense_is_left_alone(tmp_path: Path, metadata: bytes) -> None:
    pq.write_table(pa.table({"label": [0, 1]}).replace_schema_metadata({b"huggingface": metadata}), tmp_path / "a.parquet")
    assert read_table(str(tmp_path / "a.parquet"), split="train").columns == {"label": [0, 1]}


def test_parquet_of_anything(tmp_path: Path) -> None:
    """What Parquet has no kind for is written as its text; rows that could not be read are not dropped in silence."""
    (tmp_path / "a.jsonl").write_text(
        '{"text": "=1", "label": 1}\n{"text": "b", "label": "x"}\n{"text": {"c": [1]}, "label": null}\n'
    )
    found = read_table(str(tmp_path / "a.jsonl"), split="train")
    (tmp_path / "b.parquet").write_bytes(written(found, {1: {"label": "y"}}, ".parquet"))
    assert pq.read_table(tmp_path / "b.parquet").to_pydict() == {"text": ["=1", "b", "(an object)"], "label": ["1", "y", None]}
    (tmp_path / "c.csv").write_text("text,label\na,b\nc\nd,e\n")
    with pytest.raises(DataError, match="row 1 cannot be read and would be lost"):
        written(read_table(str(tmp_path / "c.csv"), split="train"), {}, ".parquet")
