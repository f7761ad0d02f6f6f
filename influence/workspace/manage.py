"""Workspaces as folders beside each other: what one may be called, renaming, deleting, backing up and restoring.

None of it happens while a build runs in the workspace, and each is either done whole or not at all.
"""

import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from stat import S_ISLNK

from influence import seals
from influence.errors import SettingsError, WorkspaceBusy, WorkspaceDamaged, WorkspaceError
from influence.files import alone, check_contained, is_disk_full, sweep, sync_folder, written_beside
from influence.reading import check_unfolded
from influence.types import Progress, StageKind, silent
from influence.workspace.builds import (
    BACKUPS,
    BUILDS,
    DATA_FOLDER,
    OWN,
    POINTER,
    build_lock,
    list_workspaces,
    read_pointer,
)
from influence.workspace.verify import opinions_damage, verify_workspace

DELETED, RESTORED = ".deleted-", ".restoring-"  # what a workspace is called on its way out, and on its way in
_NAME = re.compile(r"\w[\w .-]{0,63}")
_NOT_BACKED_UP = re.compile(r"reviews\.duckdb.*|.*\.lock|.*\.tmp")
Holder = Callable[[Path], Callable[[], None] | None]  # closes what this process has open of a workspace; returns its undoing
_holders: list[Holder] = []


def lets_go(holder: Holder) -> Holder:
    """Register what closes a workspace's files in this process, so that it can be renamed or deleted; a decorator."""
    _holders.append(holder)
    return holder


def check_name(root: Path, name: str) -> str:
    """A name for a new workspace under `root`, without spaces around it. Raises `SettingsError` for one that cannot be had."""
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name[:80]!r} cannot be a workspace's name: use up to 64 letters, digits, spaces, dots, hyphens and underscores, "
            "a letter or a digit first"
        )
    if name.casefold() in OWN:
        raise SettingsError(f"{name!r} is the name of a folder of the server's own; choose another")
    taken = {child.name.casefold() for child in root.iterdir()} if root.is_dir() else set()
    if name.casefold() in taken:
        raise SettingsError(f"there is already something called {name!r}; choose another name")
    return name


def disk_use(path: Path) -> dict[str, int]:
    """Bytes on disk of all that lies in a workspace, by its parts, the largest first; what goes meanwhile is not counted.

    Of its build the folders and files by the names they begin with (index, checkpoints, results, suspects, …); the same of what
    lies beside it (data, reviews, embeddings, …); builds that are not published are `unfinished`.
    """
    published, parts = str(read_pointer(path)["build"]), dict[str, int]()
    for folder, _, files in os.walk(path):
        for file in files:
            inside = Path(folder, file).relative_to(path).parts
            if inside[0] == BUILDS:
                inside = inside[2:] if inside[1] == published and len(inside) > 2 else ("unfinished",)
            with suppress(OSError):
                name = re.split(r"[-.]", inside[0].lstrip("."))[0]
                parts[name] = parts.get(name, 0) + Path(folder, file).lstat().st_size
    return dict(sorted(parts.items(), key=lambda part: -part[1]))


def rename_workspace(root: Path, old: str, new: str) -> str:
    """Give a workspace another name; returns it. Its reviews are closed first and opened again under the new name.

    Raises `SettingsError` for a name that cannot be had and `WorkspaceBusy` while a build runs in it.
    """
    path = _listed(root, old)
    new = check_name(root, new)
    _move(path, root / new, "renamed")
    sync_folder(root)
    return new


def delete_workspace(root: Path, name: str) -> None:
    """Delete a workspace with its decisions, whether or not it opens. Raises `WorkspaceBusy` while a build runs in it.

    A link to a workspace elsewhere is deleted itself: what it points at stays.
    """
    gone = root / f"{DELETED}{os.urandom(6).hex()}"
    _move(_listed(root, name), gone, "deleted", broken_too=True)  # from here on it is no workspace, however far this comes
    remove_tree(gone)
    sync_folder(root)


def remove_tree(path: Path) -> None:
    """Delete a folder as far as that goes, what is in folders that may not be written too, or a link; never through a link."""
    if path.is_symlink():
        path.unlink(missing_ok=True)
        return
    with suppress(OSError):
        path.chmod(0o700)
    for folder, inner, _ in os.walk(path):
        for child in (Path(folder, name) for name in inner):
            if not child.is_symlink():
                with suppress(OSError):
                    child.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def _move(path: Path, target: Path, done: str, *, broken_too: bool = False) -> None:
    """Give a workspace's folder another name while no build runs in it, what this process has open there closed first."""
    busy = f"workspace {path.name!r} is open in another process, a server or a command; close it there, then it can be {done}"
    with _no_build(path, broken_too=broken_too):
        undoings = [undo for holder in _holders if (undo := holder(path)) is not None]
        try:
            with alone(path, busy=busy):
                path.rename(target)
        except (OSError, WorkspaceError) as error:
            for undo in undoings:
                undo()
            if isinstance(error, WorkspaceError):
                raise
            raise WorkspaceError(f"workspace {path.name!r} cannot be {done}: {error.strerror or error}") from error


@contextmanager
def _no_build(path: Path, *, broken_too: bool) -> Iterator[None]:
    """While no build runs in a workspace. One in which no lock can be held may pass: nobody can build there."""
    with ExitStack() as held:
        try:
            held.enter_context(build_lock(path))
        except WorkspaceBusy:
            raise
        except (WorkspaceError, OSError):
            if not broken_too:
                raise
        yield


def tidy_up(root: Path) -> None:
    """Remove what killed processes have left beside the workspaces: half-deleted ones, half-written backups and uploads."""
    for gone in (*root.glob(f"{DELETED}*"), *root.glob(f"{RESTORED}*")):
        if re.fullmatch(rf"({re.escape(DELETED)}|{re.escape(RESTORED)})[0-9a-f]{{12}}", gone.name):
            remove_tree(gone)
    for folder in (root, root / BACKUPS, root / DATA_FOLDER, root / DATA_FOLDER / "uploads"):
        if not folder.is_symlink():
            sweep(folder)


def back_up(path: Path, target: Path, *, progress: Progress = silent) -> int:
    """Write a workspace into a zip file, whole or not at all; returns its size in bytes.

    The published build, the data prepared for it and the decisions, these as their journal, from which the database is made
    again. Unzip it into a folder of workspaces to have it back. Raises `WorkspaceError` where it cannot be written.
    """
    check_contained(path)
    build = str(read_pointer(path)["build"])
    files = sorted(_backed_up(path, build))
    total = sum(file.stat().st_size for file in files)
    done = 0
    for file in files:  # a backup of damage would take the place of a good one
        seals.verify(file)
    if line := opinions_damage(path):
        raise WorkspaceDamaged(f"{line}; forget that opinion with suspects --forget-opinion, and add it again")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        # Gradients hardly shrink, and compressing them takes minutes.
        with (
            written_beside(target) as whole,
            zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive,
        ):
            for file in files:
                archive.write(file, f"{path.resolve().name}/{file.relative_to(path)}")
                done += file.stat().st_size
                progress(StageKind.BACKUP, done, total)
    except OSError as error:
        reason = "disk full" if is_disk_full(error) else str(error.strerror or error)
        raise WorkspaceError(f"the backup {str(target)!r} cannot be written: {reason}") from error
    return target.stat().st_size


def restore(archive: Path, root: Path, name: str | None = None, *, progress: Progress = silent) -> str:
    """Make a workspace from a backup, whole and checked or not at all; returns its name: the one asked for, else a free one.

    Raises `WorkspaceError` for what is no backup or damaged, and `SettingsError` for a name that cannot be had.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            home = _home_of(archive, opened)
            name = check_name(root, name or _free_name(root, home))
            coming = root / f"{RESTORED}{os.urandom(6).hex()}"
            try:
                return _restored(opened, home, coming, root / name, progress)
            finally:
                remove_tree(coming)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise WorkspaceError(f"{archive.name!r} is no backup of a workspace, or damaged: {error}") from error
    except OSError as error:
        reason = "disk full" if is_disk_full(error) else str(error.strerror or error)
        raise WorkspaceError(f"{archive.name!r} cannot be restored: {reason}") from error


def _home_of(archive: Path, opened: zipfile.ZipFile) -> str:
    """The folder that all of a backup lies in. Raises `WorkspaceError` where a name in it leads anywhere else."""
    entries = opened.infolist()
    parts = [PurePosixPath(entry.filename).parts for entry in entries]
    homes = {part[0] for part in parts if part}
    odd = any(
        entry.filename.startswith("/") or "\\" in entry.filename or ".." in part or S_ISLNK(entry.external_attr >> 16)
        for entry, part in zip(entries, parts, strict=True)
    )
    if odd or len(homes) != 1 or f"{min(homes)}/{POINTER}" not in opened.namelist():
        raise WorkspaceError(f"{archive.name!r} is no backup of a workspace: it must hold one folder with a {POINTER} in it")
    size, free = sum(entry.file_size for entry in entries), shutil.disk_usage(archive.parent).free
    check_unfolded(archive.name, size, archive.stat().st_size)
    if size > free:
        raise WorkspaceError(f"disk full: {archive.name!r} holds {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free")
    return min(homes)


def _free_name(root: Path, home: str) -> str:
    """A name for what is restored: its own, else `A restored`, `A restored 2`, …"""
    base = home if _NAME.fullmatch(home) and home.casefold() not in OWN else "restored"
    taken = {child.name.casefold() for child in root.iterdir()} if root.is_dir() else set()
    names = (base, f"{base[:48]} restored", *(f"{base[:48]} restored {number}" for number in range(2, 10_000)))
    return next(name for name in names if name.casefold() not in taken)


def _restored(opened: zipfile.ZipFile, home: str, coming: Path, target: Path, progress: Progress) -> str:
    entries = opened.infolist()
    total, done = sum(entry.file_size for entry in entries), 0
    for entry in entries:
        opened.extract(entry, coming)
        done += entry.file_size
        progress(StageKind.RESTORE, done, total)
    check_contained(coming / home)
    if line := verify_workspace(coming / home, progress=progress).line:
        raise WorkspaceDamaged(f"the backup is damaged: {line}")
    (coming / home).rename(target)
    sync_folder(target.parent)
    return target.name


def _backed_up(path: Path, build: str) -> Iterator[Path]:
    for file in path.rglob("*"):
        parts = file.relative_to(path).parts
        if not file.is_file() or file.is_symlink() or any(_NOT_BACKED_UP.fullmatch(part) for part in parts):
            continue
        if parts[0] == "jobs" or (parts[0] == BUILDS and parts[1] != build):
            continue
        yield file


def _listed(root: Path, name: str) -> Path:
    """The folder of a workspace that is there. A name that is not in the listing never becomes a path."""
    if name not in list_workspaces(root):
        raise SettingsError(f"there is no workspace named {name[:80]!r} in {str(root)!r}")
    return root / name
