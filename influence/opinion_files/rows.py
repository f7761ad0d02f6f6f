"""One label by one name of one example: what importers of several annotators make, and its file, a JSON object a line.

write_rows("opinions.jsonl", [("ann1", "17", "Sports", "2026-01-31T09:00:00Z"), ("ann2", "17", "World", None)])
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from influence.files import write_whole

ID, NAME, LABEL, DATE = "example_id", "name", "label", "annotated_at"


class OpinionRow(NamedTuple):
    """Who says which label of which training example, and when (ISO 8601), where that is known."""

    name: str
    example_id: str
    label: str
    annotated_at: str | None = None


def as_jsonl(rows: Iterable[tuple[str, str, str, str | None]]) -> bytes:
    """Rows (name, example_id, label, annotated_at) as JSON lines, in the form that `--opinions` reads."""
    return "".join(f"{json.dumps(_as_json(*row), ensure_ascii=False)}\n" for row in rows).encode("utf-8", "surrogatepass")


def write_rows(file: str | Path, rows: Iterable[tuple[str, str, str, str | None]]) -> None:
    """Write rows (name, example_id, label, annotated_at) into a file, whole or not at all. Raises `OSError`."""
    write_whole(Path(file), as_jsonl(rows))


def _as_json(name: str, example_id: str, label: str, annotated_at: str | None = None) -> dict[str, str]:
    row = {ID: example_id, NAME: name, LABEL: label}
    return row if annotated_at is None else {**row, DATE: annotated_at}
