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

from influence.errors import DataError
from influence.reading import Table, read_table

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
    """One object a line; a key that some lines lack is null there, and columns stand as they first come."""
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in ROWS]
    file = write(tmp_path / name, start + "\n".join([*lines, "", '{"label": null, "extra": [1]}', ""]))
    assert list(read_table(file, split="train").columns) == ["text", "label", "extra"]
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
    # The advice can be followed, though the folder's name is absolute and may hold a colon itself.
    assert read_table(f"{folder}:validation", split="test").columns["text"] == ["d", "e"]
    hub_style.save_to_disk(f"{folder}:x")
    assert len(read_table(f"{folder}:x:train", split="test")) == 3
    assert len(read_table(f"{folder}:x", split="train")) == 3


def test_a_folder_of_files_is_a_dataset_too(tmp_path: Path) -> None:
    """As `load_dataset` reads it: splits by file name."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for split, text in (("train", "a"), ("test", "b")):
        write(folder / f"{split}.jsonl", json.dumps({"text": text, "label": "x"}) + "\n")
    assert read_table(str(folder), split="test").columns == {"text": ["b"], "label": ["x"]}


HINT = "quote texts that hold the delimiter, a quote or a line break, or name the delimiter with --delimiter"
BAD: dict[str, tuple[str, str | bytes, str]] = {
    "no bytes": ("a.csv", "", "{} is empty; it needs a header and at least one row"),
    "most rows too long": (
        "a.csv",
        'text,label\n"x\ny",1,2\na,b,2\nc,d\n',
        "{} line 2: 3 fields where the header has 2; " + HINT,
    ),
    "most rows too short": ("a.tsv", "text\tlabel\nalone\n", "{} line 2: 1 field where the header has 2; " + HINT),
    "a quote that never closes in the only row": (
        "a.csv",
        'text,label\n"b,1\n',
        "{} line 2: malformed (unexpected end of data); " + HINT,
    ),
    "a quote in the header": ("a.csv", '"text"x,label\n', "{} line 1: malformed (',' expected after '\"'); " + HINT),
    "only blank lines": ("a.csv", "\n\n", "{} line 1: no header; " + HINT),
    "a column twice": ("a.csv", "text,label,text\na,1,b\n", "{}: column 'text' stands more than once; rename one"),
    "a key twice": (
        "a.jsonl",
        '{"text": "a", "text": "b"}\n',
        "{} line 1: malformed JSON (column 'text' stands more than once); each row must be an object like {{\"text\": …}}",
    ),
    "half an object": (
        "a.jsonl",
        '{"text":\n',
        '{} line 1: malformed JSON (Expecting value: line 2 column 1 (char 9)); each row must be an object like {{"text": …}}',
    ),
    "no objects": ("a.jsonl", '"a"\n', '{} line 1: a str, not an object; each row must be an object like {{"text": …}}'),
    "a list of other things": (
        "a.json",
        '["a", 1]',
        '{} row 0: a str, not an object; each row must be an object like {{"text": …}}',
    ),
    "a list that does not end": (
        "a.json",
        '[{"text": "a"}',
        "{}: malformed JSON (Expecting ',' or ']': line 1 column 15 (char 14))",
    ),
    "half a surrogate pair for a key": ("a.jsonl", '{"\\ud800": 1}\n', "{} row 0: the key '\\ud800' is no text; rename it"),
    "unknown ending": (
        "a.doc",
        "hello",
        "{}: cannot tell the format from '.doc'; name it one of .csv, .tsv, .txt, .jsonl, .ndjson, .json, .parquet",
    ),
    "a zip archive": (
        "a.csv",
        b"PK\x03\x04",
        "{} is a zip archive, or a workbook of a spreadsheet: unpack it, or save the sheet as CSV (UTF-8)",
    ),
    "another compression": ("a.csv.zst", b"\x28\xb5\x2f\xfd1", "{} is compressed by zstd: unpack it, or use gzip"),
    "a pickle": ("a.parquet", b"\x80\x04\x95", "{} is a Python pickle, which is never loaded: write it as Parquet"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    name, content, message = BAD[case]
    file = write(tmp_path / name, content)
    assert refused(file) == message.format(repr(file))


@pytest.mark.parametrize("content", [b"text,label\n", b"PAR1junkPAR1", b"x"])
def test_what_is_no_parquet_file_is_said_in_the_librarys_first_line(tmp_path: Path, content: bytes) -> None:
    file = write(tmp_path / "a.parquet", content)
    assert refused(file).startswith(f"{file!r} is not a Parquet file, or damaged: ")


@pytest.mark.parametrize("name", ["missing.csv", "./missing", "/missing/place", "a/b/c", "~x"])
def test_a_missing_file_is_no_hub_id(name: str) -> None:
    assert refused(name) == f"{name!r}: there is no such file or folder"


@pytest.mark.parametrize("name", ["missing", "owner/missing", "owner/missing:test"])
def test_what_looks_like_a_hub_id_is_looked_up(name: str) -> None:
    """The suite is offline, as a user may be: one line, no waiting."""
    assert refused(name).startswith(f"{name!r} is no file here and cannot be loaded as a Hugging Face data set: ")


def test_an_empty_folder_is_no_dataset(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert refused(folder) == f"{folder!r} is a folder without a file of CSV, JSON lines, Parquet, Arrow or text: name the file"


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
