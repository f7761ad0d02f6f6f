"""Small files that unfold without end are refused in one line, within a memory that the process is held to."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from influence.errors import DataError
from influence.reading import limits, read_table

READ = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from influence.errors import DataError
from influence.reading import read_table
try:
    print(len(read_table(sys.argv[1], split="train")))
except DataError as error:
    print("refused:", error)
"""
MEMORY = 3_000_000_000  # addresses, of which Arrow alone takes most of a gigabyte without using it


def keys(file: Path) -> None:
    file.write_text("{%s}\n" % ", ".join(f'"k{n}": 1' for n in range(20_000)))  # noqa: UP031 - braces


def new_keys(file: Path) -> None:
    file.write_text("".join(f'{{"k{n}": 1}}\n' for n in range(20_000)))


def empty_cells(file: Path) -> None:
    with file.open("w") as opened:
        opened.write("{%s}\n" % ", ".join(f'"k{n}": 1' for n in range(4_000)))  # noqa: UP031 - braces
        opened.writelines('{"a":1}\n' for _ in range(200_000))


def many_rows(file: Path) -> None:
    """30 million rows in less than half a megabyte: each column one value, run-length encoded."""
    one = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()).take(pa.array([0] * 1_000_000)), pa.array(["a text"]))
    table = pa.table({"text": one, "label": one})
    with pq.ParquetWriter(file, table.schema) as writer:
        for _ in range(30):
            writer.write_table(table)


def repeated(value: object, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()).take(pa.array([0] * rows)), pa.array([value]))


def long_texts(file: Path) -> None:
    """Twenty gigabytes of text in a few kilobytes."""
    table = pa.table({"text": repeated("a long text " * 2_000, 900_000), "label": repeated("x", 900_000)})
    pq.write_table(table, file, store_schema=False)


def long_bytes(file: Path) -> None:
    table = pa.table(
        {"text": repeated("a", 500_000), "label": repeated("x", 500_000), "more": repeated(b"bytes" * 9_000, 500_000)}
    )
    pq.write_table(table, file, store_schema=False)


def long_lists(file: Path) -> None:
    lists = pa.ListArray.from_arrays(pa.array(range(500_001), pa.int32()), repeated("a long text " * 2_000, 500_000))
    pq.write_table(pa.table({"text": repeated("a", 500_000), "label": lists}), file, store_schema=False)


def one_list(file: Path) -> None:
    """Fifty million numbers in one row, run-length encoded."""
    zeros = pa.ListArray.from_arrays(pa.array([0, 50_000_000], pa.int32()), pa.array(np.zeros(50_000_000, np.int8)))
    pq.write_table(pa.table({"text": ["a"], "label": ["x"], "more": zeros}), file)


def zeros(file: Path) -> None:
    with gzip.open(file, "wb", compresslevel=1) as opened:
        for _ in range(60):
            opened.write(bytes(5_000_000))


def few_letters(file: Path) -> None:
    with gzip.open(file, "wb", compresslevel=1) as opened:
        opened.write(b"text,label\n")
        for _ in range(40):
            opened.write(b"a,b\n" * 1_000_000)


def columns(file: Path) -> None:
    file.write_text(",".join(map(str, range(100_000))) + "\n" + "," * 99_999 + "\n")


def long_line(file: Path) -> None:
    with file.open("wb") as opened:
        opened.write(b"text,label\n")
        opened.truncate(400_000_000)  # zeros, which take no room on disk


def deep(file: Path) -> None:
    file.write_text('{"text": ' * 100_000 + "1" + "}" * 100_000)


def deep_list(file: Path) -> None:
    file.write_text("[" * 100_000 + "]" * 100_000)


BOMBS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "an object of 20,000 keys": ("a.jsonl", keys, "5,001 columns, or more; at most 5,000"),
    "20,000 objects of other keys": ("a.jsonl", new_keys, "5,001 columns, or more; at most 5,000"),
    "few keys in many rows that lack them": ("a.jsonl", empty_cells, "too many cells"),
    "30 million rows of Parquet": ("a.parquet", many_rows, "30,000,000 rows in "),
    "20 GB of the same text": ("a.parquet", long_texts, "unfolds to 21,600,000,000 bytes of text out of "),
    "20 GB of the same bytes": ("a.parquet", long_bytes, "unfolds to 22,500,000,000 bytes of text out of "),
    "lists of the same text": ("a.parquet", long_lists, "unfolds to 12,000,000,000 bytes of text out of "),
    "a list of 50 million": ("a.parquet", one_list, "lists of 50,000,000 values in "),
    "gzip of zeros": ("a.csv.gz", zeros, "it repeats without end"),
    "gzip of few letters": ("a.csv", few_letters, "it repeats without end"),
    "100,000 columns": ("a.csv", columns, "100,000 columns"),
    "a line of 400 MB": ("a.csv", long_line, "more than 64,000,000 characters"),
    "objects in objects": ("a.jsonl", deep, "line 1: malformed JSON (nested too deep)"),
    "lists in lists": ("a.json", deep_list, "malformed JSON (nested too deep)"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_unfolds_without_end_is_refused(tmp_path: Path, bomb: str) -> None:
    name, write, said = BOMBS[bomb]
    write(tmp_path / name)
    found = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / name), str(MEMORY)], capture_output=True, text=True, check=False
    )
    assert found.stderr == ""
    assert found.stdout.startswith(f"refused: {str(tmp_path / name)!r}")
    assert said in found.stdout
    assert found.stdout.count("\n") == 1


def test_a_long_text_is_a_text_and_a_longer_one_a_row_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"text,label\n{'a' * 1_000_000},x\nb,y\nc,z\n")
    assert [len(text) for text in read_table(str(file), split="train").columns["text"]] == [1_000_000, 1, 1]
    monkeypatch.setattr("influence.reading.delimited.MOST_FIELD", 1_000)
    found = read_table(str(file), split="train")
    assert found.columns["text"] == [None, "b", "c"]
    assert found.broken == {0: "line 2: malformed (field larger than field limit (1000))"}


def test_a_parquet_file_as_people_have_it_may_be_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE_ROWS", 10)
    pq.write_table(pa.table({"text": [f"text {n}" for n in range(1_000)], "label": [0, 1] * 500}), tmp_path / "a.parquet")
    assert len(read_table(str(tmp_path / "a.parquet"), split="train")) == 1_000


@pytest.mark.parametrize("cut", [10, 40, -20])
def test_damaged_gzip(tmp_path: Path, cut: int) -> None:
    whole = gzip.compress(b"text,label\n" + b"".join(b"text %d,x\n" % n for n in range(1_000)))
    (tmp_path / "a.csv.gz").write_bytes(whole[:cut])
    with pytest.raises(DataError, match=r"a\.csv\.gz' is gzip, and damaged: "):
        read_table(str(tmp_path / "a.csv.gz"), split="train")


@pytest.mark.parametrize(
    "name", ["a\0.csv", "x" * 300 + ".csv", "a/" * 3_000 + "b.csv", "", " ", "\udcff.csv", ":", "::train", "/", "."]
)
def test_names_that_are_no_files(name: str) -> None:
    with pytest.raises(DataError) as caught:
        read_table(name, split="train")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_data_set_is_not_looked_through(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("text")
    with pytest.raises(
        DataError, match="notes' is a folder without a file of CSV, JSON lines, Parquet, Arrow or text: name the file"
    ):
        read_table(str(tmp_path / "notes"), split="train")
    (tmp_path / "notes" / "a.csv").write_text("text,label\na,x\nb,y\n")
    assert len(read_table(str(tmp_path / "notes"), split="train")) == 2
    for number in range(10_000):
        (tmp_path / "notes" / f"{number}").touch()
    with pytest.raises(
        DataError, match="notes' is a folder of more than 10,000 files: name the file, or the folder of the data set"
    ):
        read_table(str(tmp_path / "notes"), split="train")
