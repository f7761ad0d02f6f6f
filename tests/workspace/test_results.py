"""Results are written in blocks: what a block holds at most changes nothing, and no column is as long as the data."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from contents import check_same, content
from tiny import request

from influence.workspace import results
from influence.workspace.build import build_workspace
from influence.workspace.result_tables import ResultStore


@pytest.mark.parametrize("most", [7])
def test_results_in_small_blocks_are_the_same_and_no_table_is_longer(
    data: dict[str, str], workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """7 words are fewer than a text has, so a block is then one example, whatever its length."""
    lengths: dict[str, int] = {}
    insert = ResultStore.insert

    def measured(store: ResultStore, table: str, columns: dict[str, Any]) -> None:
        lengths[table] = max(lengths.get(table, 0), pa.table(dict(columns)).num_rows)
        insert(store, table, columns)

    monkeypatch.setattr(ResultStore, "insert", measured)
    monkeypatch.setattr(results, "ROWS_AT_ONCE", most)
    build_workspace(tmp_path / "w", request(data))
    longest = 14  # words and the two at the ends
    assert lengths["words"] <= max(most, longest)
    assert lengths["examples"] <= most
    assert max(lengths["predictions"], lengths["self_influence"]) <= most
    check_same(content(tmp_path / "w"), content(workspace))


@pytest.mark.parametrize("most", [1, 2, 5, 100])
def test_blocks_hold_every_example_once_in_order(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(results, "ROWS_AT_ONCE", most)
    generator = np.random.default_rng(0)
    for words_N in (
        generator.integers(0, 9, size=40),
        np.zeros(3, dtype=np.int64),
        np.array([500]),
        np.array([], dtype=np.int64),
    ):
        blocks = list(results._blocks(words_N))
        assert [at for block in blocks for at in range(block.start, block.stop)] == list(range(len(words_N)))
        for block in blocks:
            assert np.maximum(words_N[block], 1).sum() <= most or block.stop - block.start == 1


def test_sums_of_words_are_counted_beyond_32_bits() -> None:
    """1,000 examples of 4 million words each, counted and not made."""
    blocks = list(results._blocks(np.full(1000, 4_000_000, dtype=np.int32)))
    assert blocks == [slice(at, at + 1) for at in range(1000)]
