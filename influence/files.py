"""Files that are either whole or not there, and arrays whose disk space is reserved before they are filled."""

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from influence import seals
from influence.errors import SettingsError, WorkspaceBusy, WorkspaceError

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, where an open file keeps its folder from being moved
    fcntl = None

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DISK_FULL_SIGNS = (*map(os.strerror, DISK_FULL), "requested and", "PytorchStreamWriter failed writing", "unexpected pos")
TEMPORARY = re.compile(r"\.(wordtrace-[0-9a-f]{16}|.+\.zip\.[0-9a-f]{8})\.tmp")  # the latter: a backup's, formerly
JSON_BYTES = 64 << 20  # of a description of a workspace: a line for each of its files
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)
DONE = "done.json"  # written last into a folder, so its presence says that the folder is whole


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or one that it came of, says that there is no room for a file.

    Rust and C++ libraries pass the system's message on as text; NumPy and PyTorch only say that a write fell short.
    """
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return True
    if any(sign in str(error) for sign in DISK_FULL_SIGNS):
        return True
    before = error.__cause__ or error.__context__
    return before is not None and is_disk_full(before)


def open_rows(path: Path, shape: tuple[int, int]) -> BinaryIO:
    """A float32 .npy file of that shape, its disk space reserved, open for all its rows to be written in order.

    So a full disk raises `OSError` here and not halfway. Filling a memory-mapped file would cost a page fault every eight
    rows or so, which is several times slower, and a full disk would kill the process.
    """
    file = path.open("wb")
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    file.flush()
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, file.tell() + 4 * shape[0] * shape[1])
    return file


def load_array(path: Path) -> npt.NDArray[Any]:
    """A memory-mapped .npy file, checked whole where it is sealed. Raises `WorkspaceError` where it is not what was written."""
    seals.verify(path)
    return mapped(path)


def mapped(path: Path) -> npt.NDArray[Any]:
    """`load_array` of a file that is checked otherwise."""
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError as error:
        gone = f"{path.name!r} in {str(path.parent)!r} is gone: the workspace was built anew or is damaged"
        raise WorkspaceError(f"{gone}; open it again, or build it again") from error
    except Exception as error:  # a garbled header raises whatever the parser of Python literals can
        raise WorkspaceError(
            f"the index is damaged: {path.name!r} in {str(path.parent)!r} cannot be read; build the workspace again"
        ) from error


def write_json(path: Path, content: object) -> None:
    """Write a JSON file so that it is either whole or not there, and on disk when this returns."""
    write_whole(path, json.dumps(content, indent=1).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is either whole or as it was before, and on disk when this returns."""
    with written_beside(path) as file:
        file.write(content)


@contextmanager
def written_beside(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of the one at `path` when the block ends well, on disk; else nothing of it stays.

    Where the process is killed it stays under a name of its own, for `sweep`: nobody else has it locked then.
    """
    file, temporary = _temporary(path.parent)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _temporary(folder: Path) -> tuple[BinaryIO, Path]:
    """A new file, locked where the system can do that, under a name that no file of the user's has."""
    while True:
        path = folder / f".wordtrace-{os.urandom(8).hex()}.tmp"
        file = path.open("xb")
        if fcntl is None or _locked_in_place(file.fileno(), path):
            return file, path
        file.close()  # somebody has swept it before it was locked


def _locked_in_place(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:  # a file system without locks, where nobody sweeps either
        return True


def sweep(folder: Path) -> None:
    """Remove the half-written files that killed processes have left in a folder."""
    for path in folder.glob(".*.tmp") if fcntl is not None and folder.is_dir() else ():
        if TEMPORARY.fullmatch(path.name):
            with suppress(OSError), os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def share(folder: Path) -> int | None:
    """A descriptor that says, as long as it is open, that this process uses a folder; None where that cannot be said.

    It is a lock on the folder itself: nothing is written, and the system frees it however the process ends.
    """
    return None if fcntl is None else _folder_lock(folder, fcntl.LOCK_SH)


@contextmanager
def alone(folder: Path, *, busy: str) -> Iterator[None]:
    """While no process uses a folder, as `share` says it. Raises `WorkspaceBusy` (saying `busy`) where one does."""
    descriptor = None if fcntl is None else _folder_lock(folder, fcntl.LOCK_EX, busy=busy)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _folder_lock(folder: Path, kind: int, *, busy: str = "") -> int | None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if busy and isinstance(error, BlockingIOError):
            raise WorkspaceBusy(busy) from error
        return None
    return descriptor


def write_output(path: Path, content: bytes, *, name: str = "") -> None:
    """`write_whole` for a path that the user gave, as `name` where that says more; `SettingsError` if it cannot be written."""
    try:
        if os.path.lexists(path) and not path.is_file():  # /dev/null would be replaced by a file
            raise OSError(errno.EINVAL, "it is not a plain file")
        sweep(path.parent)
        write_whole(path, content)
    except (OSError, ValueError) as error:  # the latter for a name that no file can have
        raise SettingsError(
            f"{name or repr(str(path))} cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from error


def model_sha256(folder: Path) -> str:
    """What the weights and settings in a model's folder hash to, in hexadecimal."""
    digest = hashlib.sha256()
    for file in sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.json")]):
        digest.update(str(file.relative_to(folder)).encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def check_contained(folder: Path) -> None:
    """See to it that a folder that may come from anybody keeps to itself. Raises `WorkspaceError` where it does not.

    No link in it leads out, or reading, writing and deleting in it would reach what it points at; and all else is a file or
    a folder, for opening a pipe waits forever.
    """
    home = folder.resolve()
    waiting = [home]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except FileNotFoundError:
            continue  # it has just gone
        except OSError as error:
            raise WorkspaceError(f"{str(folder)!r} cannot be read: {error.filename!r}: {error.strerror or error}") from error
        for entry in entries:
            name = os.path.relpath(entry.path, home)
            if entry.is_symlink():
                if not _leads_inside(Path(entry.path), home):
                    raise WorkspaceError(
                        f"{str(folder)!r} has a link that leads out of it, {name!r}: nothing in a workspace may reach what "
                        "lies outside; put the file or folder itself in its place"
                    )
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif not entry.is_file(follow_symlinks=False) and os.path.lexists(entry.path):
                raise WorkspaceError(f"{str(folder)!r} holds something that is neither file nor folder, {name!r}; remove it")


def _leads_inside(link: Path, home: Path) -> bool:
    try:
        target = link.resolve()
    except (OSError, RuntimeError):  # a loop
        return False
    return target.is_relative_to(home) and target.exists()


def read_json(path: Path) -> Any:
    """The content of a JSON file that may come from anybody: a plain file of no more than `JSON_BYTES`.

    Raises `OSError` or `ValueError`, also where it is nested deeper than anything of ours.
    """
    stat = path.stat()
    if not S_ISREG(stat.st_mode):
        raise ValueError("not a file")
    if stat.st_size > JSON_BYTES:
        raise ValueError(f"{stat.st_size:,} bytes; the most is {JSON_BYTES:,}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: float, busy: str = "") -> Iterator[None]:
    """Hold a lock file; the system frees it however the process ends.

    Raises `WorkspaceBusy` (saying `busy`) after `wait` seconds, and `WorkspaceError` where the file cannot be made.
    """
    try:
        # Neither through a link to somewhere else, nor waiting for somebody at the other end of a pipe.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        raise WorkspaceError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error
    with os.fdopen(descriptor) as file:
        if not take(file.fileno(), wait=wait):
            raise WorkspaceBusy(busy or f"{str(path)!r} has been locked by another process for {wait:.0f} s; try again")
        yield


def take(descriptor: int, *, wait: float) -> bool:
    """Lock an open file until it is closed; False where another process or thread still has it after `wait` seconds.

    `FileLock` would make a folder that is gone anew, so that a workspace just deleted came back with a lock in it.
    """
    from filelock import lock_descriptor  # tens of milliseconds that reading a workspace can do without

    deadline = time.monotonic() + wait
    while not lock_descriptor(descriptor, blocking=False):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def file_sizes(folder: Path) -> dict[str, int]:
    """Size of every file below a folder, by relative name."""
    return {str(file.relative_to(folder)): file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file()}


def sync(folder: Path) -> None:
    """Return when every file below a folder is on disk."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened)
