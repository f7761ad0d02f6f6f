"""Rows of a data file that change, read again: what `fixes apply` and the downloads write."""

from pathlib import Path

import pytest

from influence.reading import Table, read_table, rewritten, written

TEXTS = ["two\nlines", "an\rold Mac's", "of\r\nWindows", 'with "quotes", a comma\tand a tab', "plain"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_texts_with_line_breaks_are_the_same_after_a_change(suffix: str, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"data{suffix}"
    file.write_bytes(written(Table({"text": TEXTS, "label": ["a"] * len(TEXTS)}, "made here", ""), {}, suffix))
    if suffix == ".csv":
        file.write_bytes(b"text,label" + "".join(f'{ending}"{t.replace(chr(34), chr(34) * 2)}",a' for t in TEXTS).encode())
    assert read_table(str(file), split="train").columns == {"text": TEXTS, "label": ["a"] * len(TEXTS)}
    changed = rewritten(read_table(str(file), split="train"), {row: {"label": "b"} for row in range(len(TEXTS))})
    file.write_bytes(changed)
    assert read_table(str(file), split="train").columns == {"text": TEXTS, "label": ["b"] * len(TEXTS)}
