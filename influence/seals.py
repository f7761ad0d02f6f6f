"""Hashes of what was written: a file that is not what it was when it was sealed is named, and never read for numbers.

    FOLDER/hashes.json      of every file below FOLDER its size, and a SHA-256 for each 4 MiB of it

A file of one piece has the digest that `sha256sum` prints. Large files of rows are checked piece by piece as they are read
(`segments.arrays.CheckedFile`), all others whole when they are opened. What has been checked is not checked again in the same
process while the file's time, size and inode stay.

Small files hold their own seal: a JSON object a `digest` of all else it says, a cache 40 bytes at its end.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from influence.errors import WorkspaceDamaged

HASHES, FORMAT = "hashes.json", "wordtrace hashes 1"
PIECE = 4 << 20
WHOLE = 64 << 20  # a larger database is checked at its ends when it is opened: DuckDB checks the blocks that it reads itself
DIGEST = "digest"
_DEEPEST = 5  # levels of folders in a build
_MARK = b"wtsealed"
REMEDY = "restore a backup, or build the workspace again"

AT_ONCE = 32 << 20  # of the smallest files of a build are checked when it is opened, all others as they are read
Identity = tuple[int, int, int, int]


class Seal(NamedTuple):
    """What a file is: its size in bytes, and the digest of every piece."""

    size: int
    pieces: list[str]


class Seals(NamedTuple):
    """What a folder's `hashes.json` says, and its own digest, by which who refers to the folder knows it."""

    digest: str
    files: dict[str, Seal]  # by relative name


def identity(path: Path) -> Identity:
    """What changes when a file is replaced, written to or cut. Raises `OSError`."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def seal_file(path: Path) -> Seal:
    """The seal of a file as it is now."""
    with path.open("rb") as opened:
        pieces = [hashlib.sha256(piece).hexdigest() for piece in iter(lambda: opened.read(PIECE), b"")]
    return Seal(path.stat().st_size, pieces or [hashlib.sha256(b"").hexdigest()])


def folder_seals(folder: Path) -> dict[str, Any]:
    """What `hashes.json` of a folder is to hold: seals of all its files, by relative name.

    What folders inside it have a list of is taken from there: it was hashed as soon as it was whole.
    """
    known: dict[Path, Seal] = {}
    for file in folder.rglob(HASHES):
        if file.parent != folder and (inner := read_seals(file.parent)) is not None:
            known |= {file.parent / name: seal for name, seal in inner.files.items()}
    files = {
        file.relative_to(folder).as_posix(): (known.get(file) or seal_file(file))._asdict()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != HASHES
    }
    return sealed_json({"format": FORMAT, "piece": PIECE, "files": files})


def sealed_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the digest of what it says."""
    told = {name: value for name, value in content.items() if name != DIGEST}
    return {**told, DIGEST: json_digest(told)}


def json_digest(content: Mapping[str, Any]) -> str:
    """The digest of a JSON object but for its own `digest`."""
    told = {name: value for name, value in content.items() if name != DIGEST}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def check_json(content: Mapping[str, Any], *, required: bool) -> None:
    """Raises `ValueError` where a JSON object is not what was sealed, or has no seal that it should have."""
    if (required or DIGEST in content) and content.get(DIGEST) != json_digest(content):
        raise ValueError("it is not what was written: its digest differs")


def read_seals(folder: Path) -> Seals | None:
    """The seals of a folder's files; None where it has none. Raises `WorkspaceDamaged` where the list is not what was written."""
    file = folder / HASHES
    try:
        return _read_seals(file, identity(file))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WorkspaceDamaged(f"{str(file)!r} is damaged ({error}); {REMEDY}") from error


@lru_cache(maxsize=64)
def _read_seals(file: Path, _: Identity) -> Seals | None:
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or "files" not in content:
        return None  # somebody else's file of that name
    check_json(content, required=True)
    if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in content["files"]):
        raise ValueError("it names files outside its folder")
    files = {name: Seal(int(seal["size"]), [str(piece) for piece in seal["pieces"]]) for name, seal in content["files"].items()}
    return Seals(content[DIGEST], files)


def seal_of(path: Path) -> Seal | None:
    """The seal of a file in the list of the nearest folder above it that has one; None for a file that is not sealed."""
    for folder in list(path.parents)[:_DEEPEST]:
        if (seals := read_seals(folder)) is not None:
            return seals.files.get(path.relative_to(folder).as_posix())
    return None


def verify(path: Path) -> None:
    """Check a file whole where it is sealed. Raises `WorkspaceDamaged`."""
    if (seal := seal_of(path)) is not None:
        verify_as(path, seal)


def verify_as(path: Path, seal: Seal) -> None:
    """Check a file against its seal, unless that was done and it has not changed since. Raises `WorkspaceDamaged`."""
    check_size(path, seal)
    _verify(path, tuple(seal.pieces), identity(path))


@lru_cache(maxsize=8192)
def _verify(path: Path, pieces: tuple[str, ...], _: Identity) -> None:
    for number, sound in enumerate(sound_pieces(path, pieces)):
        if not sound:
            raise damaged(path, number)


def verify_ends(path: Path, seal: Seal | None = None) -> None:
    """Check a database: whole like `verify`, a large one at its ends, for DuckDB itself checks the blocks that it reads.

    Without a seal, that of its folder's list, where there is one.
    """
    seal = seal or seal_of(path)
    if seal is None:
        return
    if seal.size <= WHOLE:
        verify_as(path, seal)
        return
    check_size(path, seal)
    with path.open("rb") as opened:
        for number in (0, len(seal.pieces) - 1):
            opened.seek(number * PIECE)
            if hashlib.sha256(opened.read(PIECE)).hexdigest() != seal.pieces[number]:
                raise damaged(path, number)


def verify_small(folder: Path) -> None:
    """Check the size of every sealed file of a folder, and the smallest ones whole. Raises `WorkspaceDamaged`."""
    seals = read_seals(folder)
    left = AT_ONCE
    for name, seal in sorted(seals.files.items() if seals else (), key=lambda entry: entry[1].size):
        left -= seal.size
        check_size(folder / name, seal)
        if left >= 0:
            verify_as(folder / name, seal)


def verify_all(folder: Path) -> None:
    """Check every file that a folder's own list names. Raises `WorkspaceDamaged`."""
    seals = read_seals(folder)
    for name, seal in seals.files.items() if seals else ():
        verify_as(folder / name, seal)


def verify_folder(folder: Path) -> None:
    """`verify` every file right in a folder."""
    for file in sorted(folder.glob("*")):
        if file.is_file():
            verify(file)


def check_size(path: Path, seal: Seal) -> None:
    """Raises `WorkspaceDamaged` for a file that is missing, cut or longer."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise WorkspaceDamaged(f"{str(path)!r} is missing: the workspace is damaged or has gone; {REMEDY}") from error
    if size != seal.size:
        raise WorkspaceDamaged(f"{str(path)!r} is damaged: it has {size:,} bytes, not {seal.size:,}; {REMEDY}")


def sound_pieces(path: Path, pieces: Iterable[str]) -> Iterator[bool]:
    """Whether each piece of a file, as it is on disk now, is what was sealed. Raises `WorkspaceDamaged` for an unreadable one."""
    try:
        with path.open("rb") as opened:
            for expected in pieces:
                yield hashlib.sha256(opened.read(PIECE)).hexdigest() == expected
    except OSError as error:
        raise WorkspaceDamaged(f"{str(path)!r} cannot be read: {error.strerror or error}; {REMEDY}") from error


def damaged(path: Path, piece: int = 0) -> WorkspaceDamaged:
    """The error for a file whose digest differs."""
    where = f" near byte {piece * PIECE:,}" if piece else ""
    return WorkspaceDamaged(f"{str(path)!r} is damaged: it is not what was written{where}; {REMEDY}")


def with_seal(content: bytes) -> bytes:
    """A cache's content with its seal at the end, which readers of .npy files and Parquet's own ignore or have taken off."""
    return content + _MARK + hashlib.sha256(content).digest()


def without_seal(data: bytes) -> bytes | None:
    """The content of a cache; None where it is not what was written, or has no seal."""
    content, mark, digest = data[:-40], data[-40:-32], data[-32:]
    return content if mark == _MARK and hashlib.sha256(content).digest() == digest else None


def forget() -> None:
    """Check everything anew, as a process just begun does."""
    _verify.cache_clear()
    _read_seals.cache_clear()
