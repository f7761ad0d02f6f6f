"""Arrays in files are checked piece by piece as they are first read, and told where they are not what was written."""

import os
from pathlib import Path

import numpy as np
import pytest
from contents import flipped

from influence import seals
from influence.errors import WorkspaceDamaged
from influence.files import write_json
from influence.segments.arrays import AnyArray, ArrayFile, write_arrays

ROW = 52  # bytes


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sealed file of 1,000 rows in 13 pieces."""
    monkeypatch.setattr(seals, "PIECE", 4096)
    file = tmp_path / "folder" / "top.safetensors"
    file.parent.mkdir()
    write_arrays(file, {"rows": np.arange(13_000, dtype=np.float32).reshape(1000, 13)})
    write_json(file.parent / "hashes.json", seals.folder_seals(file.parent))
    return file


def rows_of(file: ArrayFile, start: int, stop: int) -> AnyArray:
    file.check_rows("rows", np.array([start]), np.array([stop]))
    return file.unchecked("rows")[start:stop]


def test_rows_read_as_the_array_does(large: Path) -> None:
    found, whole = ArrayFile(large), np.arange(13_000, dtype=np.float32).reshape(1000, 13)
    assert len(seals.seal_file(large).pieces) == 13
    assert "rows" in found
    assert "others" not in found
    assert not found.sound("rows")
    for start, stop in ((0, 0), (3, 9), (990, 1000)):
        np.testing.assert_array_equal(rows_of(found, start, stop), whole[start:stop])
    assert not found.sound("rows")
    np.testing.assert_array_equal(found.whole("rows"), whole)
    assert found.sound("rows")


def test_only_the_rows_of_a_broken_piece_are_refused(large: Path) -> None:
    """Every row is tried: a row is refused exactly where a byte of its pieces is broken."""
    start = large.stat().st_size - 1000 * ROW
    whole = ArrayFile(large).whole("rows").copy()
    with flipped(large, 5 * 4096 + 7):
        found = ArrayFile(large)
        for row in range(1000):
            first, last = (start + ROW * row) // 4096, (start + ROW * row + ROW - 1) // 4096
            if first <= 5 <= last:
                with pytest.raises(WorkspaceDamaged, match="not what was written near byte 20,480"):
                    rows_of(found, row, row + 1)
            else:
                np.testing.assert_array_equal(rows_of(found, row, row + 1), whole[row : row + 1])
        assert not found.sound("rows")
        with pytest.raises(WorkspaceDamaged, match="not what was written near byte 20,480"):
            found.check_rows("rows", np.array([0, 990]), np.array([1000, 1000]))


def test_a_file_that_changes_or_is_cut_under_a_reader_is_told(large: Path) -> None:
    found = ArrayFile(large)
    first = rows_of(found, 0, 10).copy()
    with flipped(large, 200):
        os.utime(large, ns=(1, 1))
        with pytest.raises(WorkspaceDamaged, match="is not what was written"):
            rows_of(found, 0, 10)
    np.testing.assert_array_equal(rows_of(found, 0, 10), first)
    whole = large.read_bytes()
    os.truncate(large, 4096)  # touching the mapping beyond its end would kill the process
    with pytest.raises(WorkspaceDamaged):
        rows_of(found, 900, 910)
    large.write_bytes(whole)
    large.unlink()  # another build took its place: this reader keeps the old one
    np.testing.assert_array_equal(rows_of(found, 0, 10), first)
