"""Pages of mapped files are let go before they are many; what is read afterwards is what was written."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import bench, labelled

from influence.attribution import METHODS
from influence.segments import residence
from influence.segments.arrays import ArrayFile, write_arrays

SIZE = 48 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say what a process holds")
def test_what_was_read_is_held_until_it_is_let_go(tmp_path: Path) -> None:
    written = np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8)
    write_arrays(tmp_path / "one.safetensors", {"numbers": written})
    opened = ArrayFile(tmp_path / "one.safetensors")
    before = residence.file_bytes()
    total = int(opened.whole("numbers").sum())
    held = residence.file_bytes()
    assert held - before > 0.9 * SIZE
    opened.let_go()
    assert residence.file_bytes() < held - 0.9 * SIZE
    np.testing.assert_array_equal(opened.whole("numbers"), written)
    assert total == int(written.sum())


class Holder:
    """Says how often it was told to let go."""

    def __init__(self) -> None:
        self.times = 0

    def let_go(self) -> None:
        self.times += 1


def told(monkeypatch: pytest.MonkeyPatch, look: int, held: list[int], sizes: tuple[int, ...]) -> list[int]:
    """How often a holder was told to let go, after each size; all that the system would say of what is held is asked for."""
    for name, value in {"LOOK": look, "MOST": 10, "ROOM": 5, "file_bytes": lambda: held.pop(0)}.items():
        monkeypatch.setattr(residence, name, value)
    one, holder, times = residence.Residence(), Holder(), []
    for size in sizes:
        one.read(size, [holder])
        times.append(holder.times)
    assert not held
    return times


def test_it_is_looked_at_after_enough_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    # Looks come at 100, 160 (counted from anew; after letting go 4 are left), 100 and 100.
    times = told(monkeypatch, 100, [5, 50, 4, 5, 50, 30], (60, 39, 1, 160, 99, 1, 100))
    assert times == [0, 0, 0, 1, 1, 1, 2]


def test_where_others_hold_much_what_is_read_is_kept_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries for a GPU alone may be beyond the limit: letting go at every look would help nobody."""
    assert told(monkeypatch, 1, [50, 40, 44, 45, 46, 40], (1, 1, 1, 1)) == [1, 1, 1, 2]


def test_a_system_that_does_not_say_holds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for content in (None, "", "1 2", "1 2 many"):
        if content is not None:
            (tmp_path / "statm").write_text(content)
        monkeypatch.setattr(residence, "PROCESS", tmp_path / "statm")
        assert residence.file_bytes() == 0


@pytest.mark.parametrize("exact", [True, False])
def test_answers_are_the_same_where_everything_is_let_go_at_every_step(
    tmp_path: Path, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = labelled(60, seed=5), labelled(6, seed=6)
    here = bench(tmp_path, "bert", train=train, test=test, exact=exact, segment_examples=13)
    selection, ranks = METHODS["tracin-we-topk"].selection, np.arange(60)
    assert selection is not None
    queries = here.query_list()
    expected = [here.index.strongest(query, selection, ranks, 7) for query in queries]
    all_scores = here.index.word_scores_many(queries, selection)
    let_go: list[Path] = []
    plain = ArrayFile.let_go

    def noted(self: ArrayFile) -> None:
        let_go.append(self.path)
        plain(self)

    monkeypatch.setattr(ArrayFile, "let_go", noted)
    monkeypatch.setattr(residence, "LOOK", 1)
    monkeypatch.setattr(residence, "MOST", -1)
    monkeypatch.setattr(residence, "ROOM", -(1 << 60))
    for query, wanted in zip(queries, expected, strict=True):
        for one, other in zip(here.index.strongest(query, selection, ranks, 7)[:4], wanted[:4], strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(here.index.word_scores_many(queries, selection), all_scores)
    assert len(set(let_go)) >= len(here.index.split.segments)
