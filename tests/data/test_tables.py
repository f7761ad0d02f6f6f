"""Every format a data file may have, and what is said about one that cannot be read."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from influence.data.tables import Table, read_table
from influence.errors import DataError

ROWS = [("plain", 1), ("two\nlines", 2), ('a "quoted" word', 1), ("comma, tab\tand é 漢 🙂", 2), ("  spaces kept  ", 1)]
TEXTS, LABELS = [text for text, _ in ROWS], [label for _, label in ROWS]


def write(file: Path, content: str | bytes) -> str:
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return str(file)


def delimited(file: Path, delimiter: str, encoding: str = "utf-8") -> str:
    with file.open("w", encoding=encoding, newline="") as opened:
        csv.writer(opened, delimiter=delimiter).writerows([("text", "label"), *ROWS])
    return str(file)


def refused(name: str, split: str = "train") -> str:
    with pytest.raises(DataError) as caught:
        read_table(name, split=split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "A.CSV"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimited_text(tmp_path: Path, name: str, encoding: str) -> None:
    """Quoted line breaks, delimiters and quotes; a byte order mark is no part of the first column's name."""
    file = delimited(tmp_path / name, "\t" if name.endswith("tsv") else ",", encoding)
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    assert read_table(file, split="train") == Table({"text": TEXTS, "label": [str(label) for label in LABELS]}, file, digest)


def test_windows_line_ends_blank_lines_and_long_fields(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", f'text,label\r\n"one\r\ntwo",x\r\n\r\n{"y" * 200_000},z\r\n\r\n')
    assert read_table(file, split="train").columns == {"text": ["one\r\ntwo", "y" * 200_000], "label": ["x", "z"]}


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_json_lines(tmp_path: Path, name: str, start: str) -> None:
    """One object a line; a key that some lines lack is null there."""
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in ROWS]
    file = write(tmp_path / name, start + "\n".join([*lines, "", '{"label": null, "extra": [1]}', ""]))
    assert read_table(file, split="train").columns == {
        "text": [*TEXTS, None],
        "label": [*LABELS, None],
        "extra": [None] * len(ROWS) + [[1]],
    }


def test_json_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    """U+2028 and form feeds may stand inside a string, as JSON allows."""
    file = write(tmp_path / "a.jsonl", '{"text": "one\u2028two\x85three"}\r\n{"text": "b"}')
    assert read_table(file, split="train").columns == {"text": ["one\u2028two\x85three", "b"]}


@pytest.mark.parametrize(
    "labels",
    [
        pa.array(LABELS),
        pa.array(LABELS, pa.int8()),
        pa.array([float(label) for label in LABELS]),
        pa.array([str(label) for label in LABELS]),
        pa.array([str(label) for label in LABELS]).dictionary_encode(),
        pa.array([None, *LABELS[1:]]),
    ],
    ids=["int64", "int8", "float", "string", "dictionary", "null"],
)
def test_parquet(tmp_path: Path, labels: Any) -> None:
    pq.write_table(pa.table({"text": TEXTS, "label": labels}), tmp_path / "a.parquet")
    found = read_table(str(tmp_path / "a.parquet"), split="train")
    assert found.columns == {"text": TEXTS, "label": labels.to_pylist()}


@pytest.fixture
def hub_style() -> DatasetDict:
    """Two splits with named classes, one label of the second hidden."""
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    return DatasetDict(
        train=Dataset.from_dict({"text": ["a", "b", "c"], "label": [0, 1, 0]}, features=features),
        validation=Dataset.from_dict({"text": ["d", "e"], "label": [1, -1]}, features=features),
    )


def test_a_saved_dataset_has_class_names_for_labels(tmp_path: Path, hub_style: DatasetDict) -> None:
    hub_style["train"].save_to_disk(tmp_path / "saved")
    found = read_table(str(tmp_path / "saved"), split="anything")
    assert found.columns == {"text": ["a", "b", "c"], "label": ["neg", "pos", "neg"]}
    assert found == read_table(str(tmp_path / "saved"), split="train")  # the hash is of the content


def test_a_saved_dataset_dict_gives_the_split(tmp_path: Path, hub_style: DatasetDict) -> None:
    """Class −1 marks a hidden label: null, which `dataset` will refuse with its row."""
    folder = str(tmp_path / "saved")
    hub_style.save_to_disk(folder)
    assert read_table(folder, split="train").columns == {"text": ["a", "b", "c"], "label": ["neg", "pos", "neg"]}
    assert read_table(folder, split="validation").columns == {"text": ["d", "e"], "label": ["pos", None]}
    assert refused(folder, "test") == (f"{folder!r} has no split 'test'; it has train, validation: name one as {folder}:SPLIT")


def test_a_folder_of_files_is_a_dataset_too(tmp_path: Path) -> None:
    """As `load_dataset` reads it: splits by file name."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for split, text in (("train", "a"), ("test", "b")):
        write(folder / f"{split}.jsonl", json.dumps({"text": text, "label": "x"}) + "\n")
    assert read_table(str(folder), split="test").columns == {"text": ["b"], "label": ["x"]}


BAD: dict[str, tuple[str, str | bytes, str]] = {
    "no bytes": ("a.csv", "", "{} is empty; it needs a header and at least one row"),
    "not utf-8": (
        "a.csv",
        b"text,label\ncaf\xe9,1\n",
        "{} is not UTF-8 text (byte 0xe9); save it as UTF-8, for example with: iconv -f WINDOWS-1252 -t UTF-8",
    ),
    "json not utf-8": (
        "a.jsonl",
        b'{"text": "\xff"}\n',
        "{} is not UTF-8 text (byte 0xff); save it as UTF-8, for example with: iconv -f WINDOWS-1252 -t UTF-8",
    ),
    "a field too many": (
        "a.csv",
        'text,label\n"x\ny",1\na,b,2\n',
        "{} line 4: 3 fields where the header has 2; quote texts that hold the delimiter, a quote or a line break",
    ),
    "a field too few": (
        "a.tsv",
        "text\tlabel\nalone\n",
        "{} line 2: 1 field where the header has 2; quote texts that hold the delimiter, a quote or a line break",
    ),
    "a quote that never closes": (
        "a.csv",
        'text,label\na,1\n"b,1\nc,1\nd,1\n',
        "{} line 3: malformed (unexpected end of data); quote it or delete it",
    ),
    "a quote in the header": (
        "a.csv",
        '"text"x,label\n',
        "{} line 1: malformed (',' expected after '\"'); quote it or delete it",
    ),
    "a column twice": ("a.csv", "text,label,text\na,1,b\n", "{}: column 'text' stands more than once in the header; rename one"),
    "half an object": (
        "a.jsonl",
        '{"text": "a"}\n{"text":\n',
        "{} line 2: malformed JSON (Expecting value: line 2 column 1 (char 9))",
    ),
    "no object": ("a.jsonl", '["a", 1]\n', '{} line 1: a list, not an object like {{"text": …}}'),
    "unknown ending": (
        "a.txt",
        "hello",
        "{}: cannot tell the format from '.txt'; name it one of .csv, .tsv, .jsonl, .ndjson, .parquet",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    name, content, message = BAD[case]
    file = write(tmp_path / name, content)
    assert refused(file) == message.format(repr(file))


@pytest.mark.parametrize("content", [b"text,label\n", b"PAR1junkPAR1", b"x"])
def test_what_is_no_parquet_file_is_said_in_the_librarys_first_line(tmp_path: Path, content: bytes) -> None:
    file = write(tmp_path / "a.parquet", content)
    assert refused(file).startswith(f"{file!r} is not a Parquet file: ")


@pytest.mark.parametrize("name", ["missing.csv", "./missing", "/missing/place", "a/b/c", "~x"])
def test_a_missing_file_is_no_hub_id(name: str) -> None:
    assert refused(name) == f"{name!r}: there is no such file or folder"


@pytest.mark.parametrize("name", ["missing", "owner/missing", "owner/missing:test"])
def test_what_looks_like_a_hub_id_is_looked_up(name: str) -> None:
    """The suite is offline, as a user may be: one line, no waiting."""
    assert refused(name).startswith(f"{name!r} is no file here and cannot be loaded as a Hugging Face data set: ")


def test_an_empty_folder_is_no_dataset(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert refused(folder).startswith(f"{folder!r} is no file here and cannot be loaded as a Hugging Face data set: ")


def test_the_hash_follows_the_content(tmp_path: Path) -> None:
    """Of a file its bytes; of a data set its columns."""
    first, second = write(tmp_path / "a.csv", "text\na\n"), write(tmp_path / "b.csv", "text\nb\n")
    assert read_table(first, split="").sha256 == hashlib.sha256(b"text\na\n").hexdigest()
    assert read_table(first, split="").sha256 != read_table(second, split="").sha256
    hashes = set()
    for number, text in enumerate(("a", "b", "a")):
        Dataset.from_dict({"text": [text]}).save_to_disk(tmp_path / str(number))
        hashes.add(read_table(str(tmp_path / str(number)), split="").sha256)
    assert len(hashes) == 2
