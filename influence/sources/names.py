"""Which files a name stands for: one, those that a pattern matches, those of a folder; and whether a set of shards is whole.

A folder may hold several splits, told as Hugging Face's library tells them: by a word in a file's name or in a folder's. Files
of a split are in the order of their names.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from influence.errors import DataError
from influence.reading import MOST_ENTRIES, SUFFIXES, data_suffix, no_split

PATTERN = re.compile(r"[*?\[]")
SHARD = re.compile(r"(?P<before>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<after>\.[^/]*)")
WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SHOWN = 3


@dataclass(frozen=True)
class Part:
    """One file of those that a name stands for."""

    place: str  # where it is: a path, or an address of another machine
    name: str  # among the others
    size: int  # bytes


def is_pattern(name: str) -> bool:
    """Whether a name is to match others."""
    return PATTERN.search(name) is not None


def check_shards(source: str, names: Sequence[str]) -> None:
    """Raise `DataError` where files are numbered as `train-00000-of-00005.parquet` and one of their row is not there."""
    sets: dict[tuple[str, str], dict[int, set[int]]] = {}
    for name in names:
        if (found := SHARD.fullmatch(name)) is not None:
            counts = sets.setdefault((found["before"], found["after"]), {})
            counts.setdefault(int(found["count"]), set()).add(int(found["number"]))
    for (before, after), counts in sets.items():
        if len(counts) > 1:
            several = " and ".join(f"{count:05}" for count in sorted(counts))
            raise DataError(f"{source!r}: {before}-*{after} are shards of two sets, of {several}; name one, as {before}-*-of-…")
        [(count, there)] = counts.items()
        missing = [number for number in range(count) if number not in there]
        if missing or max(there) >= count:
            shown = ", ".join(repr(f"{before}-{number:05}-of-{count:05}{after}") for number in missing[:SHOWN])
            more = f" and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else ""
            what = f"lacks {shown}{more}" if missing else "has one whose number is too high"
            raise DataError(f"{source!r} {what}: the set has {count:,} shards; add what is missing, or rename the others")


def local_names(name: str, folder: Path) -> list[str]:
    """The files below a folder but hidden ones, by their path in it. Raises `DataError` where it is none that holds data only."""
    found: list[str] = []
    for count, path in enumerate(folder.rglob("*"), start=1):
        if count > MOST_ENTRIES:
            raise DataError(
                f"{name!r} is a folder of more than {MOST_ENTRIES:,} files: name the file, or the folder of the data set"
            )
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith((".", "_")) for part in inside.parts):
            found.append(inside.as_posix())
    return sorted(found)


def are_data(names: Sequence[str]) -> bool:
    """Whether files are of the kinds that are read here, each with columns of its own; others are for Hugging Face's library."""
    return bool(names) and all(data_suffix(Path(name)) in SUFFIXES and data_suffix(Path(name)) != ".txt" for name in names)


def of_split(name: str, names: Sequence[str], split: str) -> list[str]:
    """Of the files of a folder those of a split; all, where none says what split it is of. Raises `DataError` without it."""
    splits: dict[str, list[str]] = {}
    for one in names:
        for found in _splits_of(one)[-1:]:
            splits.setdefault(found, []).append(one)
    if not splits:
        return list(names)
    if split not in splits:
        raise no_split(name, name, split, [known for known in WORDS if known in splits])
    return splits[split]


def _splits_of(name: str) -> list[str]:
    """The splits that the words of a path name, the last of them nearest to the file."""
    parts = [*PurePosixPath(name).parts[:-1], PurePosixPath(name).name.partition(".")[0]]
    words = [word for part in parts for word in re.split(r"[-._ 0-9]+", part.lower())]
    return [split for word in words for split, spelt in WORDS.items() if word in spelt]
