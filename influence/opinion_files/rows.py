"""One label by one name of one example: what importers of several annotators make, and its file, a JSON object a line.

write_rows("opinions.jsonl", [("ann1", "17", "Sports", "2026-01-31T09:00:00Z"), ("ann2", "17", "World", None)])
"""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from influence.files import write_whole
from influence.opinion_files.asked import Asked

ID, NAME, LABEL, DATE = "example_id", "name", "label", "annotated_at"
MOST_NAMES, LONGEST_NAME = 1_000, 100


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


def usable_rows(rows: Iterable[tuple[str, str, str, str | None]], asked: Asked) -> tuple[list[OpinionRow], list[str]]:
    """Of what an annotation tool holds all that can be an opinion, and notes on the rest; nothing is refused.

    Left out are labels that training does not have (no majority may have chosen them), and of two labels that a name gave one
    example the earlier; names are cut to a line of `LONGEST_NAME` characters, and the `MOST_NAMES` that spoke most are kept.
    """
    found: dict[tuple[str, str], OpinionRow] = {}
    unknown: Counter[str] = Counter()
    for name, id, label, date in rows:
        line = "".join(character if character.isprintable() else " " for character in name).strip()[:LONGEST_NAME]
        if id not in asked.positions or not line or not label:
            continue
        if asked.label(label) is None:
            unknown[label] += 1
        else:
            found[line, id] = OpinionRow(line, id, label, date)
    spoke = Counter(name for name, _ in found)
    kept = {name for name, _ in spoke.most_common(MOST_NAMES)}
    notes = [
        f"{label[:80]!r} is no label of training: what said it is left out ({count:,})" for label, count in unknown.most_common(5)
    ]
    if len(spoke) > len(kept):
        notes.append(f"{len(spoke):,} names gave labels; the {len(kept):,} that gave most are kept as opinions")
    return [row for (name, _), row in found.items() if name in kept], notes
