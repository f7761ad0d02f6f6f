"""Every byte of a workspace against what was written: what `check --workspace` says, and a server in the background.

Files of the build have their hashes in `hashes.json`, files computed later in the JSON file that names them. DuckDB files
that change in place (retrainings, what-ifs, reviews) have DuckDB's own checksum for every block: all their rows are read.
What is kept to save time is made again where it is not what was written, so it is not looked at here.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from influence import seals
from influence.errors import WorkspaceDamaged
from influence.files import UNREADABLE
from influence.types import Progress, StageKind, silent
from influence.workspace.builds import BUILDS, OPINIONS, read_pointer
from influence.workspace.shape_tables import check_blocks


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A file that is not what was written."""

    file: str  # within the workspace
    what: str


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found when a whole workspace was read."""

    files: int
    bytes: int
    sealed: bool  # False: it was built before files had hashes, so only what came later could be checked
    damaged: list[Damage]
    extra: list[str]  # files of the build's folder that no list names: nothing reads them
    seconds: float

    @property
    def line(self) -> str:
        """The first damage in a line, and how many more there are; empty where all is well."""
        if not self.damaged:
            return ""
        first, more = self.damaged[0], len(self.damaged) - 1
        others = f" (and {more:,} more)" if more else ""
        return f"{first.file!r} {first.what}{others}; {seals.REMEDY}"


_KEPT = ("signals", "opinions")  # what is made again where it is not what was written


def opinions_damage(path: Path) -> str:
    """The first damage among the opinions that a workspace keeps, as a line; empty where all is well."""
    damaged: list[Damage] = []
    for file, seal in _derived(path / OPINIONS, path, damaged):
        damaged += [Damage(file=_name(path, file), what=what) for what in _wrong(file, seal, None)]
    return f"{damaged[0].file!r} {damaged[0].what}" if damaged else ""


def verify_workspace(path: str | Path, *, progress: Progress = silent, pause: Callable[[float], None] | None = None) -> Verified:
    """Read every file of a workspace and compare it with what was written, whatever was checked before.

    `pause` is called after each piece with the seconds it took: a server waits as long again. Raises `WorkspaceError` where
    there is no workspace, or its `workspace.json` itself is damaged.
    """
    began, path = time.monotonic(), Path(path)
    pointer = read_pointer(path)
    build = path / BUILDS / str(pointer["build"])
    sealed = "hashes" in pointer
    damaged: list[Damage] = []
    if sealed and not _is_named(build, pointer["hashes"]):
        damaged.append(Damage(file=_name(path, build / seals.HASHES), what="is missing, or that of another build"))
    named = (_derived(folder, path, damaged) for folder in (build, path / OPINIONS))
    found = dict([*_listed(path, build, damaged), *(entry for entries in named for entry in entries)])
    total, done = sum(seal.size for seal in found.values()), 0
    for file, seal in found.items():
        damaged += [Damage(file=_name(path, file), what=what) for what in _wrong(file, seal, pause)]
        done += seal.size
        progress(StageKind.VERIFY, done, total)
    live = [file for file in (*path.glob("*.duckdb"), *build.glob("*.duckdb")) if file not in found and file.is_file()]
    damaged += [Damage(file=_name(path, file), what=what) for file in live if (what := check_blocks(file))]
    seconds = round(time.monotonic() - began, 1)
    extra = sorted(_name(path, file) for file in _extra(build, set(found) | set(live)))
    return Verified(files=len(found) + len(live), bytes=total, sealed=sealed, damaged=damaged, extra=extra, seconds=seconds)


def _is_named(build: Path, digest: str) -> bool:
    """Whether a build is the one that `workspace.json` means; a list that cannot be read is told elsewhere."""
    try:
        listed = seals.read_seals(build)
    except WorkspaceDamaged:
        return True
    return listed is not None and listed.digest == digest


def _listed(path: Path, build: Path, damaged: list[Damage]) -> Iterator[tuple[Path, seals.Seal]]:
    """The files that the build's own list names, and those of held-out models."""
    for folder in sorted(file.parent for file in build.rglob(seals.HASHES)):
        try:
            listed = seals.read_seals(folder)
        except WorkspaceDamaged:
            damaged.append(Damage(file=_name(path, folder / seals.HASHES), what="is not what was written"))
        else:
            yield from ((folder / name, seal) for name, seal in (listed.files if listed else {}).items())


def _derived(folder: Path, path: Path, damaged: list[Damage]) -> Iterator[tuple[Path, seals.Seal]]:
    """The files computed from the build, or brought by others, by the JSON files that name them."""
    for pointer in sorted(folder.glob("*.json")):
        try:
            content = json.loads(pointer.read_text(encoding="utf-8"))
            if isinstance(content, dict) and {"file", "settings"} <= content.keys():
                seals.check_json(content, required="seal" in content)
                if "seal" in content:
                    yield folder / Path(str(content["file"])).name, seals.Seal(**content["seal"])
        except UNREADABLE as error:
            if pointer.name not in (seals.HASHES, "build.json", "results.json"):
                damaged.append(Damage(file=_name(path, pointer), what=f"is damaged ({error})"))


def _wrong(file: Path, seal: seals.Seal, pause: Callable[[float], None] | None) -> Iterator[str]:
    """What is wrong with a file; nothing where nothing is."""
    try:
        seals.check_size(file, seal)
        began = time.monotonic()
        for number, sound in enumerate(seals.sound_pieces(file, seal.pieces)):
            if not sound:
                yield f"is not what was written, near byte {number * seals.PIECE:,}"
                return
            if pause is not None:
                pause(time.monotonic() - began)
                began = time.monotonic()
    except WorkspaceDamaged:
        size = file.stat().st_size if file.is_file() else None
        yield (
            "is missing" if size is None else "cannot be read" if size == seal.size else f"has {size:,} bytes, not {seal.size:,}"
        )


def _extra(build: Path, known: set[Path]) -> Iterator[Path]:
    for file in build.rglob("*"):
        parts = file.relative_to(build).parts
        if file.is_file() and file not in known and parts[0] not in _KEPT and not parts[0].endswith((".json", ".lock", ".tmp")):
            yield file


def _name(path: Path, file: Path) -> str:
    return file.relative_to(path).as_posix()
