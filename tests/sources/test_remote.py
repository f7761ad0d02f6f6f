"""Files of other machines: read as those of this one are, and whatever is wrong with them said in one line and in time."""

import gzip
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from influence.cli import main
from influence.data import Columns, Preparation, read_splits
from influence.errors import DataError
from influence.sources import remote

PLAIN = Preparation()


def lines(count: int, begin: int = 0) -> bytes:
    made = ({"text": f"text number {number}", "label": "pn"[number % 2]} for number in range(begin, begin + count))
    return "".join(json.dumps(row) + "\n" for row in made).encode()


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's own file system in memory, empty."""
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def said(name: str, **changed: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_splits(name, None, Columns(**changed), PLAIN)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_of_another_machine_is_read_as_one_of_this(tmp_path: Path, memory: Any) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(30))
    memory.pipe("/bucket/a.jsonl", lines(30))
    here = read_splits(str(tmp_path / "a.jsonl"), None, Columns(), PLAIN, near=tmp_path / "w")
    for name in ("memory://bucket/a.jsonl", (tmp_path / "a.jsonl").as_uri()):
        there = read_splits(name, None, Columns(), PLAIN, near=tmp_path / "w")
        assert (list(there.train.texts), list(there.test.labels)) == (list(here.train.texts), list(here.test.labels))
        assert (there.train.source, there.train.sha256) == (name, here.train.sha256)
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]  # no copy is left


@pytest.mark.parametrize(
    "name", ["memory://bucket/data", "memory://bucket/data/train-*.gz", "memory://bucket/data/train-*-of-00003*"]
)
def test_shards_of_another_machine(name: str, memory: Any) -> None:
    shards = {f"train-{number:05}-of-00003.jsonl.gz": gzip.compress(lines(10, 10 * number), mtime=0) for number in range(3)}
    for file, content in reversed(shards.items()):
        memory.pipe(f"/bucket/data/{file}", content)
    found = read_splits(name, None, Columns(), PLAIN)
    texts = sorted([*found.train.texts, *found.test.texts], key=lambda text: int(text.split()[-1]))
    assert texts == [f"text number {number}" for number in range(30)]
    listed = "".join(f"{hashlib.sha256(content).hexdigest()}  {file}\n" for file, content in shards.items())
    assert found.train.sha256 == hashlib.sha256(listed.encode()).hexdigest()
    memory.rm("/bucket/data/train-00001-of-00003.jsonl.gz")
    assert said(name) == (
        f"{name!r} lacks 'train-00001-of-00003.jsonl.gz': the set has 3 shards; add what is missing, or rename the others"
    )


def test_a_folder_of_another_machine_has_splits_too(memory: Any) -> None:
    for split, count in (("train", 20), ("test", 6)):
        memory.pipe(f"/data/{split}/part-0.jsonl", lines(count))
    found = read_splits("memory://data", "memory://data", Columns(), PLAIN)
    assert (len(found.train), len(found.test)) == (20, 6)
    memory.pipe("/other/readme.md", b"nothing")
    assert said("memory://other") == "'memory://other' is a folder without a file of CSV, JSON lines or Parquet: name the file"


def test_what_is_wrong_with_a_file_names_its_address(memory: Any) -> None:
    memory.pipe("/b/a.jsonl", lines(9) + b'{"text": "x"}\n')
    assert said("memory://b/a.jsonl") == (
        "'memory://b/a.jsonl': 1 row of 10 without a label in column 'label' (row 10); mend or delete them, or leave "
        "them out with --drop-unusable"
    )
    memory.pipe("/b/a.parquet", b"PAR1 and no more")
    assert said("memory://b/a.parquet").startswith("'memory://b/a.parquet' is not a Parquet file, or damaged: ")
    memory.pipe("/b/a.csv", "text,label\ncaf\xe9,x\n".encode("latin-1"))
    assert said("memory://b/a.csv").startswith("'memory://b/a.csv' is not UTF-8 text. It may be windows-1252")
    assert said("memory://b/none.csv") == "'memory://b/none.csv': there is no such file or folder"
    assert said("memory://b/none-*.csv") == "'memory://b/none-*.csv': no file matches"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("s3://bucket/train.csv", "reading from S3 needs the package s3fs: pip install s3fs"),
        ("gs://bucket/train.csv", "reading from Google Cloud Storage needs the package gcsfs: pip install gcsfs"),
    ],
)
def test_a_missing_driver_is_named(name: str, wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = remote.DRIVERS[name[:2]][0]  # type: ignore[index]
    try:
        __import__(package)
    except ImportError:
        pass
    else:
        pytest.skip(f"{package} is installed")
    assert said(name) == f"{name!r}: {wanted}"
    assert main(["build", "--train", name, "--workspace", str(tmp_path / "w")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(wanted)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "name",
    ["s3://AKIA:geheim@bucket/a.csv", "s3://bucket/a.csv?X-Amz-Signature=geheim", "gs://b/a.csv?token=geheim"],
)
def test_no_key_is_taken_into_a_workspace_or_shown(name: str) -> None:
    told = said(name)
    assert told.startswith(f"{name[:5]}…: the address holds a key or a password, which would be written into the workspace")
    assert "geheim" not in told
    assert "AKIA" not in told


@pytest.mark.parametrize("name", ["ftp://host/a.csv", "https://host/a.csv", "zip://a.csv::s3://bucket/a.zip"])
def test_other_addresses_are_refused(name: str) -> None:
    assert said(name) == (
        f"{name.split('://')[0]}://…: such addresses are not read; those are that begin with s3://, gs://, hf://, file://"
    )


class Troubled(MemoryFileSystem):
    """A real file system on which something goes wrong, by the name that is asked for."""

    protocol = "memory"
    cachable = False
    waiting = threading.Event()

    def info(self, path: str, **options: Any) -> Any:
        for trouble, error in (
            ("forbidden", PermissionError("Forbidden: the key secret=geheim has no access")),
            ("denied", OSError("An error occurred (403) when calling HeadObject")),
            ("lost", ConnectionError("Connection refused by 10.0.0.1")),
            ("strange", RuntimeError("first line\nsecond line")),
        ):
            if trouble in path:
                raise error
        if "silent" in path:
            self.waiting.wait()
        return super().info(path, **options)


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    fsspec.register_implementation("memory", Troubled, clobber=True)
    monkeypatch.setattr(remote, "ANSWER", 1.0)
    yield
    fsspec.register_implementation("memory", MemoryFileSystem, clobber=True)
    Troubled.waiting.set()


def test_no_rights_no_answer_and_the_rest(troubled: None) -> None:
    assert said("memory://b/forbidden.csv") == (
        "'memory://b/forbidden.csv' may not be read with the credentials that were found, or there are none: "
        "Forbidden: the key secret=… has no access"
    )
    assert "may not be read" in said("memory://b/denied.csv")
    assert said("memory://b/lost.csv") == "'memory://b/lost.csv': the host cannot be reached: Connection refused by 10.0.0.1"
    assert said("memory://b/strange.csv") == "'memory://b/strange.csv' cannot be read: first line second line"
    started = time.monotonic()
    assert said("memory://b/silent.csv") == (
        "'memory://b/silent.csv': the host has not answered within 1 s; try again when it does"
    )
    assert time.monotonic() - started < 3


def test_copies_of_killed_processes_are_swept_and_those_in_use_are_not(tmp_path: Path, memory: Any) -> None:
    memory.pipe("/b/a.jsonl", lines(30))
    for name in ("left", "used"):
        (tmp_path / f"{remote.FOLDER}{name}").mkdir()
        (tmp_path / f"{remote.FOLDER}{name}" / "a.jsonl").write_bytes(lines(3))
    descriptor = remote.share(tmp_path / f"{remote.FOLDER}used")
    assert descriptor is not None
    read_splits("memory://b/a.jsonl", None, Columns(), PLAIN, near=tmp_path / "w")
    assert [folder.name for folder in tmp_path.iterdir()] == [f"{remote.FOLDER}used"]
