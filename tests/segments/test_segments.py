"""Segments: how examples are divided, what is written, and that nothing hangs on who wrote it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from safetensors.numpy import load_file
from tiny import Bench, bench, labelled, stored

from influence.errors import WorkspaceError
from influence.gradients.alike import first_alike
from influence.gradients.positions import GradientSettings
from influence.segments.arrays import ArrayFile, write_arrays
from influence.segments.build import IndexBuilder
from influence.segments.plan import MOST_BYTES, IndexSettings, plan_segments, read_plan, save_plan

SMALL = IndexSettings(top_k=4, store_rest=True, segment_examples=5)


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=60),
    size=st.integers(1, 70),
    rest=st.booleans(),
    width=st.sampled_from([8, 500_000]),
)
def test_a_plan_holds_every_example_once_in_blocks_that_fit(lengths: list[int], size: int, rest: bool, width: int) -> None:
    how = IndexSettings(top_k=10, store_rest=rest, segment_examples=size)
    segments = plan_segments(np.array(lengths), width, how)
    assert [number for one in segments for number in range(one.start, one.stop)] == list(range(len(lengths)))
    assert [one.number for one in segments] == list(range(len(segments)))
    rows = how.stored(np.array(lengths))
    for one, after in zip(segments, [*segments[1:], None], strict=True):
        held = int(rows[one.start : one.stop].sum()) * how.row_bytes(width)
        assert len(one) == 1 or (held <= MOST_BYTES and len(one) <= size)
        if after is not None:  # and no smaller than it need be
            more = held + int(rows[one.stop]) * how.row_bytes(width)
            assert len(one) == size or more > MOST_BYTES


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    segments = plan_segments(np.full(23, 9), 16, SMALL)
    save_plan(tmp_path, segments)
    assert read_plan(tmp_path) == segments
    for text in ("", "{}", '{"format": 1, "begin": [0, 9, 3], "examples": 23}', '{"format": 1, "begin": [1], "examples": 9}'):
        (tmp_path / "segments.json").write_text(text)
        with pytest.raises(WorkspaceError, match=r"^the index is damaged: 'segments\.json' in .*; build the workspace again$"):
            read_plan(tmp_path)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = labelled(40, seed=3)
    return bench(tmp_path_factory.mktemp("engine"), "bert", train=[*made, *made[:9]], test=labelled(3, seed=4), exact=False)


def builder(engine: Bench, folder: Path, *, threads: int = 1) -> IndexBuilder:
    torch.set_num_threads(threads)
    for split in engine.encodings:
        (folder / split).mkdir(parents=True, exist_ok=True)
    return IndexBuilder(
        folder=folder,
        encodings=engine.encodings,
        labels=engine.labels,
        settings={"train": SMALL, "test": IndexSettings(top_k=4, exact=True, segment_examples=2)},
        checkpoints=len(engine.models),
        model=lambda number: engine.models[number],
        options=GradientSettings(device=torch.device("cpu")),
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_whoever_writes_the_segments_the_bytes_are_the_same(engine: Bench, tmp_path: Path) -> None:
    """At once; in another order by two who know nothing of each other; and where some were lost halfway."""
    whole = builder(engine, tmp_path / "whole")
    whole.prepare(16)
    whole.run()
    assert whole.missing() == []
    apart = builder(engine, tmp_path / "apart", threads=2)
    apart.prepare(16)
    apart.run(lambda split, segment: segment.number % 3 == 2)
    assert {(split, segment.number % 3) for split, segment, _ in apart.missing()} == {
        ("train", 0),
        ("train", 1),
        ("test", 0),
        ("test", 1),
    }
    apart.run(lambda split, segment: segment.number % 3 == 0)
    victim = tmp_path / "apart" / "train" / "00003" / "1"
    (victim / "top.safetensors").write_bytes(b"half")
    (tmp_path / "apart" / "train" / "00004" / "0").mkdir(parents=True)  # begun, and never finished
    builder(engine, tmp_path / "apart").run()
    torch.set_num_threads(1)
    assert content(tmp_path / "apart") == content(tmp_path / "whole")
    assert not list(tmp_path.rglob("*.tmp"))


def test_rows_are_where_they_say_they_are(engine: Bench, tmp_path: Path) -> None:
    """Every row of every file against the example's own gradient, token and position, by a plain loop."""
    made = builder(engine, tmp_path)
    made.prepare(16)
    made.run()
    encoding, queries = engine.encodings["train"], engine.index
    seen = np.zeros(len(encoding.tokens_R), dtype=int)
    for segment in read_plan(tmp_path / "train"):
        for part in ("top", "rest"):
            rows = load_file(tmp_path / "train" / segment.name / "0" / f"{part}.safetensors")
            token_of = np.repeat(rows["tokens"], np.diff(rows["starts"].astype(int)))
            assert (np.diff(token_of) >= 0).all()
            for row, (example, position) in enumerate(zip(rows["examples"].tolist(), rows["positions"].tolist(), strict=True)):
                at = int(encoding.offsets_N1[segment.start + example]) + position
                assert encoding.tokens_R[at] == token_of[row]
                seen[at] += 1
                gradient = rows["scales"][row] * (rows["first"][row] + rows["second"][row].astype(float) / 254)
                wanted = queries.gradients_of(np.array([at]), 0, ["top", "rest"])[0]
                np.testing.assert_allclose(gradient, wanted, atol=2e-4 * np.abs(wanted).max())
    assert (seen == 1).all()


def test_copies_go_through_the_model_once_in_a_segment_and_are_read_alike(engine: Bench) -> None:
    first_N = first_alike(engine.encodings["train"], engine.labels["train"])
    assert first_N[40:].tolist() == list(range(9))
    losses = engine.index.split.column("losses", 0)
    np.testing.assert_array_equal(losses, losses[first_N])
    np.testing.assert_allclose(stored(engine.folder, "train", 0, "losses"), losses, rtol=1e-5)


# Files from anybody ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[1]",
        b'{"a": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [-900, 4]}}',
        b'{"a": {"shape": [1]}}',
        b"[" * 100_000,
    ],
)
def test_a_header_that_lies_is_one_line(tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "top.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(WorkspaceError, match=r"^the index is damaged: 'top\.safetensors' in .*; build the workspace again$"):
        ArrayFile(file)


@pytest.mark.parametrize("content", [b"", b"short", (1 << 62).to_bytes(8, "little") + b"{}"])
def test_a_file_that_is_none_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "top.safetensors"
    file.write_bytes(content)
    with pytest.raises(WorkspaceError, match="the index is damaged"):
        ArrayFile(file)


def test_arrays_are_read_as_they_were_written_by_us_and_by_the_library(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.arange(5, dtype=np.uint16),
        "c": np.array([-1, 1], dtype=np.int8),
        "d": np.zeros((0, 4), dtype=np.int8),
        "e": np.arange(3, dtype=np.int64),
    }
    write_arrays(tmp_path / "x.safetensors", arrays)
    ours, theirs = ArrayFile(tmp_path / "x.safetensors"), load_file(tmp_path / "x.safetensors")
    assert set(theirs) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(ours.whole(name), array)
        np.testing.assert_array_equal(theirs[name], array)
        assert ours.whole(name).dtype == theirs[name].dtype == array.dtype
    assert "z" not in ours
    with pytest.raises(WorkspaceError, match="the index is damaged"):
        ours.whole("z")
