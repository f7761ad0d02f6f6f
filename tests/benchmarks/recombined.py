"""As many rows as one likes, made of real sentences: each is cut in two, and halves with the same label are joined anew."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CLAUSE = re.compile(r"[,;:.!?]\s+|\s+[-–]+\s+")
SHARD = 100_000  # rows of a file
Halves = dict[str, tuple[list[str], list[str]]]  # by label: what sentences begin with, and what they end with


def read_halves(file: Path, text: str, label: str) -> Halves:
    """The halves of a CSV's texts, each cut at the clause's end that is nearest to its middle, else between two words."""
    found: Halves = {}
    with file.open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened):
            start, end = cut(" ".join(row[text].split()))
            if start and end:
                starts, ends = found.setdefault(row[label], ([], []))
                starts.append(start)
                ends.append(end)
    return found


def cut(text: str) -> tuple[str, str]:
    """A text in two."""
    middle = len(text) / 2
    places = [found.end() for found in CLAUSE.finditer(text)] or [found.end() for found in re.finditer(r"\s+", text)]
    inside = [place for place in places if 0.2 * len(text) < place < 0.8 * len(text)] or places
    place = min(inside, key=lambda place: abs(place - middle), default=len(text))
    return text[:place].strip(), text[place:].strip()


def write_shards(folder: Path, halves: Halves, rows: int, seed: int, name: str) -> str:
    """Write Parquet files `name-00000-of-…`, labels as frequent as in the sentences; returns the pattern that names them.

    The same seed gives the same rows, whatever their number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = -(-rows // SHARD)
    for number in range(count):
        size = min(SHARD, rows - number * SHARD)
        texts, labels = zip(*joined(halves, size, np.random.default_rng([seed, number])), strict=True)
        table = pa.table({"text": texts, "label": labels})
        pq.write_table(table, folder / f"{name}-{number:05}-of-{count:05}.parquet")
    return str(folder / f"{name}-*.parquet")


def joined(halves: Halves, rows: int, generator: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Texts and labels."""
    labels = sorted(halves)
    counts = np.array([len(halves[label][0]) for label in labels], dtype=np.float64)
    draws = generator.random((rows, 2))
    for which, (one, other) in zip(generator.choice(len(labels), size=rows, p=counts / counts.sum()), draws, strict=True):
        starts, ends = halves[labels[which]]
        yield f"{starts[int(one * len(starts))]} {ends[int(other * len(ends))]}", labels[which]
