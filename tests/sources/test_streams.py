"""A stream says of data what a list says: the same examples, the same refusals, whatever it is read from and however large."""

import gzip
import hashlib
import itertools
import json
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset as HubDataset, DatasetDict, Features, Value

from influence.annotation import AnnotatedTable, read_table
from influence.cli import main
from influence.data import Columns, Preparation, data_report, guess_columns, make_splits, read_splits
from influence.data.dataset import Dataset
from influence.data.examples import first_equal
from influence.errors import DataError
from influence.reading import FormOptions, Table
from influence.sources import StoredTexts, Stream, open_table, opened, streams

CASES = Path(__file__).parents[3] / "shared" / "data" / "cases"
FILES = sorted(str(file) for file in CASES.glob("*/*") if file.is_file() and file.name not in ("fixes.jsonl", "exported.csv"))
MEND = "; mend or delete them, or leave them out with --drop-unusable"
SETTINGS = [Preparation(), Preparation(drop_unusable=True, merge_labels=True, seed=3)]
ANY = FormOptions()


@pytest.fixture
def all_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as large, and is read five rows at a time."""
    monkeypatch.setattr(opened, "STREAMED_BYTES", -1)
    monkeypatch.setattr(streams, "CHUNK", 5)
    monkeypatch.setattr(streams, "HEAD", 7)


def shown(part: Dataset) -> dict[str, Any]:
    """A part with all that lies in files taken out of them."""
    columns = {name: getattr(part, name) for name in ("ids", "texts", "pairs", "labels")}
    told = {name: None if column is None else list(column) for name, column in columns.items()}
    numbers = [part.number(row) for row in range(len(part))]
    return told | {"source": part.source, "sha256": part.sha256, "notes": part.notes, "numbers": numbers}


def outcome(make: Callable[[], Any]) -> Any:
    """What is made, or what is said instead."""
    try:
        found = make()
    except DataError as error:
        return str(error).replace("\n", "A LINE BREAK")
    return shown(found.train), shown(found.test), found.forms


def columns_of(name: str) -> Columns:
    try:
        return guess_columns(read_table(name, split="train")).columns()
    except DataError:
        return Columns()


@pytest.mark.skipif(not FILES, reason=f"{CASES} is not there")
@pytest.mark.parametrize("settings", SETTINGS, ids=["as it is", "mended"])
@pytest.mark.parametrize("name", FILES, ids=[str(Path(file).relative_to(CASES)) for file in FILES])
def test_what_people_bring_is_the_same_streamed(name: str, settings: Preparation, all_streamed: None) -> None:
    columns = columns_of(name)
    listed = outcome(lambda: make_splits(read_table(name, split="train"), None, columns, settings))

    def streamed() -> Any:
        table = open_table(name, split="train", options=ANY)
        if not isinstance(table, AnnotatedTable):  # which is read whole
            assert isinstance(table, Stream)
            assert table.large
        return make_splits(table, None, columns, settings)

    assert outcome(streamed) == listed


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    generator = random.Random(seed)
    words = ["good", "bad", "film", "plot", "naïve", "日本", "🙂", "the", "a,", '"quoted"', "new\nline"]
    return [
        {"nr": f"n{number}", "a": " ".join(generator.choices(words, k=5)), "b": f"second {number}", "y": generator.choice("pn")}
        for number in range(count)
    ]


def as_parquet(file: Path, made: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(made, pa.schema([(name, pa.string()) for name in ("nr", "a", "b", "y")])), file)


def as_json_lines(file: Path, made: list[dict[str, Any]]) -> None:
    content = "".join(json.dumps(row) + "\n" for row in made).encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)


WRITERS = {".parquet": as_parquet, ".jsonl": as_json_lines, ".jsonl.gz": as_json_lines}
PAIRED = Columns(text="a", text_pair="b", label="y", id="nr")


def shards(folder: Path, made: list[dict[str, Any]], sizes: list[int], suffix: str = ".parquet") -> list[Path]:
    """The rows in files of so many each, numbered as the Hub numbers them."""
    folder.mkdir(exist_ok=True, parents=True)
    files, start = [], 0
    for number, size in enumerate(sizes):
        files.append(folder / f"train-{number:05}-of-{len(sizes):05}{suffix}")
        WRITERS[suffix](files[-1], made[start : start + size])
        start += size
    return files


def without_source(part: Dataset) -> dict[str, Any]:
    return {name: value for name, value in shown(part).items() if name in ("ids", "texts", "pairs", "labels")}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("suffix", WRITERS)
def test_shards_are_one_file_in_pieces(
    suffix: str, *, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Named by a pattern, by their folder, and one of them empty; by their order, not by that of the folder's entries."""
    if large:
        request.getfixturevalue("all_streamed")
    made = rows(40)
    files = shards(tmp_path / "data", made, [13, 0, 20, 7], suffix)
    WRITERS[suffix](tmp_path / f"whole{suffix}", made)
    whole = read_splits(str(tmp_path / f"whole{suffix}"), None, PAIRED, SETTINGS[0])
    for name in (f"{tmp_path}/data/train-*{suffix}", f"{tmp_path}/data", f"{tmp_path}/**/train-*-of-*{suffix}"):
        found = read_splits(name, None, PAIRED, SETTINGS[0])
        assert without_source(found.train) == without_source(whole.train)
        assert without_source(found.test) == without_source(whole.test)
        assert found.train.source == name
        lines = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
        assert found.train.sha256 == hashlib.sha256(lines.encode()).hexdigest()
        assert (type(found.train.texts) is list) == (not large)
    monkeypatch.chdir(tmp_path / "data")
    if suffix == ".parquet":
        said = subprocess.run("sha256sum train-*.parquet | sha256sum", shell=True, capture_output=True, text=True, check=True)
        assert said.stdout.split()[0] == found.train.sha256


def test_a_row_is_named_by_its_file(tmp_path: Path, all_streamed: None) -> None:
    made = rows(30)
    made[14]["a"] = made[25]["y"] = None
    made[26]["nr"] = made[3]["nr"]
    for suffix in (".parquet", ".jsonl"):
        shards(tmp_path / suffix, made, [10, 10, 10], suffix)
        name = f"{tmp_path / suffix}/*"
        found = outcome(lambda name=name: read_splits(name, None, PAIRED, SETTINGS[0]))
        assert found == (
            f"{name!r}: 1 row of 30 without a text in column 'a' (row train-00001-of-00003{suffix}:5); 1 row of 30 without a "
            f"label in column 'y' (row train-00002-of-00003{suffix}:6){MEND}"
        )
        found = outcome(lambda name=name: read_splits(name, None, PAIRED, SETTINGS[1]))
        assert found == (
            f"--id 'nr': {name!r} has 1 repeated ids, the first is 'n3' (row train-00002-of-00003{suffix}:7); ids must be unique"
        )


def test_a_set_of_shards_must_be_whole(tmp_path: Path) -> None:
    files = shards(tmp_path / "data", rows(40), [8, 8, 8, 8, 8])
    files[1].unlink()
    files[3].unlink()
    name = f"{tmp_path}/data/*.parquet"
    assert outcome(lambda: read_splits(name, None, PAIRED, SETTINGS[0])) == (
        f"{name!r} lacks 'train-00001-of-00005.parquet', 'train-00003-of-00005.parquet': the set has 5 shards; add what is "
        "missing, or rename the others"
    )
    as_parquet(tmp_path / "data" / "train-00000-of-00009.parquet", rows(3))
    assert "train-*.parquet are shards of two sets, of 00005 and 00009" in outcome(
        lambda: read_splits(name, None, PAIRED, SETTINGS[0])
    )
    assert len(read_splits(str(files[0]), None, PAIRED, SETTINGS[0]).train) < 8  # one that is named is that one


@pytest.mark.parametrize("large", [False, True])
def test_bad_shards_are_named(*, large: bool, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if large:
        request.getfixturevalue("all_streamed")

    def said(write: Callable[[Path], object]) -> str:
        files = shards(tmp_path / "data", rows(30), [10, 10, 10])
        files[1].unlink()
        write(files[1])
        found = outcome(lambda: read_splits(f"{tmp_path}/data/*.parquet", None, PAIRED, SETTINGS[0]))
        return str(found).replace(str(files[1]), "SHARD").replace(f"{tmp_path}/data/", "")

    def cut(file: Path) -> None:
        as_parquet(file, rows(10))
        file.write_bytes(file.read_bytes()[:-40])

    other = pa.Table.from_pylist([{"nr": "x", "a": "text", "b": "text", "label": "p"}])
    first = "train-00000-of-00003.parquet"
    assert said(lambda file: pq.write_table(other, file)) == f"'SHARD' has no column 'y', which {first!r} has"
    assert said(cut).startswith("'SHARD' is not a Parquet file, or damaged: ")
    assert said(Path.touch) == "'SHARD' is empty; it needs a header and at least one row"
    numbers = pa.Table.from_pylist([{"nr": "x", "a": "text", "b": "text", "y": 3, "more": None}])
    pq.write_table(numbers, tmp_path / "numbers.parquet")
    mixed = said(lambda file: pq.write_table(numbers, file))  # a number is a label as good as any
    assert "'3'" in mixed
    assert "'labels': ['p'" in mixed or "'labels': ['n'" in mixed


def test_a_folder_may_hold_other_splits(tmp_path: Path) -> None:
    for split, count in (("train", 20), ("validation", 4), ("test", 6)):
        as_parquet(tmp_path / f"{split}-00000-of-00001.parquet", rows(count))
    found = read_splits(str(tmp_path), str(tmp_path), PAIRED, SETTINGS[0])
    assert (len(found.train), len(found.test)) == (20, 6)
    assert len(read_splits(str(tmp_path), f"{tmp_path}:validation", PAIRED, SETTINGS[0]).test) == 4
    (tmp_path / "test-00000-of-00001.parquet").unlink()
    assert outcome(lambda: read_splits(str(tmp_path), str(tmp_path), PAIRED, SETTINGS[0])) == (
        f"{str(tmp_path)!r} has no split 'test'; it has train, validation: name one as {tmp_path}:SPLIT"
    )
    assert outcome(lambda: read_splits(f"{tmp_path}/none-*.csv", None, PAIRED, SETTINGS[0])) == (
        f"'{tmp_path}/none-*.csv': no file matches"
    )


@pytest.mark.parametrize("saved", [False, True])
def test_a_data_set_of_hugging_face_is_the_same_streamed(*, saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = Features({"nr": Value("string"), "a": Value("string"), "b": Value("string"), "y": ClassLabel(names=["n", "p"])})
    made = [row | {"y": "np".index(row["y"])} for row in rows(37)]
    part = HubDataset.from_list(made, features=features)
    name = str(tmp_path / "saved")
    (DatasetDict({"train": part, "test": part.select(range(9))}) if saved else part).save_to_disk(name)
    test = name if saved else None
    listed = outcome(lambda: read_splits(name, test, PAIRED, SETTINGS[0]))
    monkeypatch.setattr(opened, "STREAMED_ROWS", 3)
    monkeypatch.setattr(streams, "CHUNK", 5)
    assert isinstance(open_table(name, split="train", options=ANY), Stream)
    assert outcome(lambda: read_splits(name, test, PAIRED, SETTINGS[0])) == listed
    content = json.dumps(read_table(name, split="train").columns, default=str, sort_keys=True)
    assert listed[0]["sha256"] == hashlib.sha256(content.encode()).hexdigest()


def test_keys_that_come_late_are_columns(tmp_path: Path, all_streamed: None) -> None:
    """Lines of JSON need not name every column, and the first ones need not name the one that is asked for."""
    made = [{"a": f"text {number}"} | ({"y": "pn"[number % 2]} if number >= 20 else {}) for number in range(40)]
    as_json_lines(tmp_path / "late.jsonl", made)
    name = str(tmp_path / "late.jsonl")
    for settings in SETTINGS:
        listed = outcome(lambda s=settings: make_splits(read_table(name, split="train"), None, Columns(text="a", label="y"), s))
        assert outcome(lambda s=settings: read_splits(name, None, Columns(text="a", label="y"), s)) == listed
    assert outcome(lambda: read_splits(name, None, Columns(text="a", label="z"), SETTINGS[0])) == (
        f"--label 'z': {name!r} has no such column; it has 'a', 'y'"
    )


def test_most_rows_broken_is_no_table(tmp_path: Path, all_streamed: None) -> None:
    file = tmp_path / "broken.csv"
    file.write_text("text,label\n" + "a,x\n" * 10 + 'say "so" now, and, then,x\n' * 12)
    listed = outcome(lambda: make_splits(read_table(str(file), split="train"), None, Columns(), SETTINGS[1]))
    assert outcome(lambda: read_splits(str(file), None, Columns(), SETTINGS[1])) == listed
    assert "where the header has 2" in listed


def test_the_report_is_the_same_streamed(tmp_path: Path, all_streamed: None) -> None:
    made = rows(60)
    made[7]["a"], made[9]["y"], made[11]["y"] = None, "P", "p "
    made += [dict(row, nr=f"again{number}") for number, row in enumerate(made[20:30])]
    file, test = tmp_path / "a.parquet", tmp_path / "test.parquet"
    as_parquet(file, made)
    as_parquet(test, [dict(row, nr=f"t{number}", y="z") for number, row in enumerate(made[:5])])
    tables = [(read_table(str(one), split="x"), open_table(str(one), split="x", options=ANY)) for one in (file, test)]
    for columns in (PAIRED, Columns(text="a", label="y")):
        listed, streamed = (data_report(tables[0][kind], tables[1][kind], columns) for kind in (0, 1))
        assert streamed == listed
    [stream] = [table for _, table in tables[:1]]
    assert isinstance(stream, Stream)
    assert guess_columns(stream.head) == guess_columns(Table({k: v[:7] for k, v in tables[0][0].columns.items()}, "", ""))


def test_a_build_from_a_stream_is_the_build_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "train.csv"
    lines = [
        f'{number},"{"good fine" if number % 2 else "bad poor"} film {number % 7}",{"pn"[number % 2]}' for number in range(60)
    ]
    file.write_text("\n".join(["nr,text,label", *lines]) + "\n")
    made = []
    for name in ("listed", "streamed"):
        if name == "streamed":
            monkeypatch.setattr(opened, "STREAMED_BYTES", -1)
            monkeypatch.setattr(streams, "CHUNK", 7)
        arguments = ["build", "--train", str(file), "--id", "nr", "--model", "cnn", "--epochs", "1"]
        assert main([*arguments, "--workspace", str(tmp_path / name)]) == 0
        [build] = (tmp_path / name / "builds").iterdir()
        index = {str(one.relative_to(build)): one.read_bytes() for one in build.rglob("*.npy")}
        made.append((index, json.loads((build / "build.json").read_text())))
    assert made[0] == made[1]
    assert not list(tmp_path.glob("wordtrace*"))


@pytest.mark.parametrize("seed", range(3))
def test_equal_values_are_found_whatever_their_hashes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(seed)
    values = ["".join(generator.choices("ab", k=generator.randrange(4))) for _ in range(200)]
    wanted = [values.index(value) for value in values]
    assert first_equal(values).tolist() == wanted
    monkeypatch.setattr("builtins.hash", len)
    assert first_equal(values).tolist() == wanted


def test_texts_in_files_are_a_sequence_like_any_other(tmp_path: Path) -> None:
    values = ["", "naïve", "日本", "a\x00b", "🙂" * 3, "", "last"] * 5_000
    stored = StoredTexts(tmp_path)
    for start in range(0, len(values), 999):
        stored.extend(values[start : start + 999])
        stored.extend([])
    assert list(stored) == values
    assert len(stored) == len(values)
    generator = random.Random(0)
    for _ in range(100):
        start, stop, step = (generator.randrange(-40_000, 40_000) for _ in range(2)), 0, 0
        a, b = start
        assert stored[a:b] == values[a:b]
        stop, step = b, generator.choice([-3, 2, 7])
        assert stored[a:stop:step] == values[a:stop:step]
    assert [stored[-1], stored[3], stored[len(values) - 1]] == ["last", "a\x00b", "last"]
    with pytest.raises(IndexError):
        stored[len(values)]
    assert list(tmp_path.iterdir()) == []  # its files have no name


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200,000 rows of 100 characters: as lists they would take more than 40 MB; the bound is for what is a number a row."""
    monkeypatch.setattr(opened, "STREAMED_ROWS", 1_000)
    columns = {"text": [f"{number} " + "words " * 16 for number in range(50_000)], "label": ["a", "b"] * 25_000}
    for number in range(4):
        pq.write_table(pa.table(columns | {"id": [f"{number}-{row}" for row in range(50_000)]}), tmp_path / f"{number}.parquet")
    del columns
    tracemalloc.start()
    try:
        found = read_splits(f"{tmp_path}/*.parquet", None, Columns(id="id"), SETTINGS[0])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.train) + len(found.test) == 200_000
    assert sum(1 for _ in itertools.islice(found.train.texts, 100_000)) == 100_000
    assert peak < 32e6


def test_a_large_file_in_another_encoding_is_offered_as_a_small_one_is(tmp_path: Path, all_streamed: None) -> None:
    """The page that asks a person which encoding it is reads this from the output."""
    file, output = tmp_path / "latin.csv", tmp_path / "answer.json"
    file.write_bytes(b"text,label\n" + "caf\xe9 cr\xe8me,x\nth\xe9,y\n".encode("latin-1") * 9)
    assert main(["check", "--train", str(file), "--output", str(output)]) == 2
    offered = json.loads(output.read_text())["encodings"]
    assert offered["windows-1252"][0] == [2, "café crème,x"]
    assert main(["check", "--train", str(file), "--encoding", "windows-1252", "--output", str(output)]) == 0
    assert json.loads(output.read_text())["report"]["rows"] == 18


LITTLE_ROOM = """
import resource, sys
from influence.cli import main
from influence.sources import opened
opened.STREAMED_BYTES = -1
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.exit(main(sys.argv[1:]))
"""


def test_no_room_for_what_is_streamed_is_one_line(tmp_path: Path) -> None:
    """The system refuses to let any file grow beyond 100 kB, as a full disk would."""
    file = tmp_path / "train.csv"
    file.write_text("text,label\n" + "".join(f"{'words ' * 20}{number},{number % 2}\n" for number in range(5_000)))
    arguments = ["build", "--train", str(file), "--workspace", str(tmp_path / "w")]
    ended = subprocess.run([sys.executable, "-c", LITTLE_ROOM, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        f"wordtrace: disk full: the texts of {str(file)!r} are kept in {str(tmp_path)!r} while they are worked on; free some "
        "space there"
    )
    assert [one.name for one in tmp_path.iterdir()] == ["train.csv"]
