"""Shards of a build: which segments each makes, and the marker that it leaves when they are there.

    BUILD/shards/I-of-N.json      that shard I of N is done, for which request and model; sealed
    BUILD/shards/working.json     which process is at the stages that only one may do

Segment s belongs to shard s mod N, of either split. The markers say whom to ask for what is missing; whether a segment is there,
and whole, says the segment itself.
"""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from influence import seals
from influence.errors import SettingsError, WorkspaceError
from influence.files import UNREADABLE, read_json, write_json
from influence.indexing.plan import made_of, missing

FOLDER, WORKING = "shards", "working.json"
MOST = 100_000
SWITCHES = {  # what stands in a request, the option for it, and its value where it is off and where it is on
    "store_rest": ("--index", "top-k", "all"),
    "exact": ("--index", "compact", "exact"),
    "bf16": ("--precision", "fp32", "bf16"),
}


@dataclass(frozen=True)
class Shard:
    """Shard `number` (from 0) of `out_of`."""

    number: int
    out_of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """That of `I/N`. Raises `SettingsError` for what is none."""
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if found is None:
            raise SettingsError(f"--shard {text!r}: give I/N, as 0/4, 1/4, 2/4 and 3/4 for four shards")
        number, out_of = int(found[1]), int(found[2])
        if not 0 < out_of <= MOST:
            raise SettingsError(f"--shard {text}: there are from 1 to {MOST:,} shards")
        if number >= out_of:
            raise SettingsError(f"--shard {text}: shards are counted from 0, so the last of {out_of} is {out_of - 1}/{out_of}")
        return cls(number, out_of)

    def has(self, segment: int) -> bool:
        """Whether a segment is this shard's to make."""
        return segment % self.out_of == self.number

    def __str__(self) -> str:
        return f"{self.number}/{self.out_of}"


@dataclass(frozen=True)
class Marker:
    """What a shard that is done says of itself."""

    shard: str  # I/N
    identity: str  # of the request and its data
    made_of: str  # of the model and the plan
    segments: dict[str, list[str]]  # by split
    seconds: float
    machine: str


def leave(build: Path, shard: Shard, identity: str, segments: dict[str, list[str]], seconds: float) -> Marker:
    """Write a shard's marker."""
    marker = Marker(str(shard), identity, made_of(build), segments, round(seconds, 1), socket.gethostname())
    (build / FOLDER).mkdir(exist_ok=True)
    write_json(build / FOLDER / f"{marker.shard.replace('/', '-of-')}.json", seals.sealed_json(asdict(marker)))
    return marker


def markers(build: Path) -> list[Marker]:
    """The markers that there are; one that cannot be read, or is not what was written, counts as none."""
    return [marker for file in sorted((build / FOLDER).glob("*-of-*.json")) if (marker := _marker(file)) is not None]


def spent(build: Path) -> float:
    """How many seconds the shards have taken, one after another."""
    return sum(marker.seconds for marker in markers(build))


def _marker(file: Path) -> Marker | None:
    try:
        content = dict(read_json(file))
        seals.check_json(content, required=True)
        content.pop(seals.DIGEST)
        found = Marker(**content)
        return found if file.stem == found.shard.replace("/", "-of-") else None
    except (*UNREADABLE, WorkspaceError):
        return None


def check_whole(build: Path, identity: str) -> None:
    """Raise `WorkspaceError` where a segment is missing, or a shard was made for another request or of another model."""
    _check_markers(build, identity, made_of(build))
    lacking = missing(build)
    if any(lacking.values()):
        raise WorkspaceError(f"--join: {_explained(build, lacking)}")


def _check_markers(build: Path, identity: str, own: str) -> None:
    for marker in markers(build):
        who, again = f"shard {marker.shard} (on {marker.machine})", f"run it again here: --shard {marker.shard}"
        if marker.identity != identity:
            raise WorkspaceError(f"{who} was made for other data or settings; {again}")
        if marker.made_of != own:
            raise WorkspaceError(
                f"{who} was made with another model, trained apart from this one; "
                f"delete its segments in {str(build / 'index')!r} and {again}"
            )


def _explained(build: Path, missing: Mapping[str, list[int]]) -> str:
    """Which segments are missing, of which shards, and what to do."""
    named = "; ".join(f"{split} {_listed(numbers)}" for split, numbers in missing.items() if numbers)
    counts = {int(marker.shard.partition("/")[2]) for marker in markers(build)}
    if len(counts) != 1:
        return (
            f"segments are missing: {named}; run the same command with --shard I/N for each I, or with --resume to make them here"
        )
    [out_of] = counts
    whose = [f"{one}/{out_of}" for one in sorted({number % out_of for numbers in missing.values() for number in numbers})]
    shards = f"shard {whose[0]}" if len(whose) == 1 else f"shards {', '.join(whose[:8])}{'…' if len(whose) > 8 else ''}"
    return f"segments are missing: {named}, of {shards}; run the same command with --shard {whose[0]} instead, then --join again"


def _listed(numbers: list[int]) -> str:
    return ", ".join(f"{number:05d}" for number in numbers[:8]) + (f" and {len(numbers) - 8:,} more" if len(numbers) > 8 else "")


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What differs between two requests, in words."""
    before, now = dict(_flat(there)), dict(_flat(here))
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(_difference(name, before.get(name), now.get(name)) for name in changed[:4]) + (
        "…" if len(changed) > 4 else ""
    )


def _difference(name: str, before: object, now: object) -> str:
    last = name.rpartition(".")[2]
    if last.endswith("sha256"):
        return f"the content of --{last.removesuffix('_sha256')}"
    option, *values = SWITCHES.get(last, (f"--{last.replace('_', '-')}",))
    there, here = (values[bool(value)] if values else "none" if value is None else value for value in (before, now))
    return f"{option} ({there} there, {here} here)"


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def say_working(build: Path) -> None:
    """Say which process is at the stages that only one may do, for those who wait."""
    (build / FOLDER).mkdir(exist_ok=True)
    write_json(build / FOLDER / WORKING, {"machine": socket.gethostname(), "process": os.getpid()})


def who_works(build: Path) -> str:
    """Who is at them, in words."""
    try:
        found = read_json(build / FOLDER / WORKING)
        return f"process {int(found['process'])} on {found['machine']}"
    except UNREADABLE:
        return "another process"
