"""Finding workspaces under the server's root and keeping them open. No name from a browser ever becomes a path."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import streamlit as st

import influence
from influence import workspace

FIRST, EVERY = 60.0, 3600.0  # seconds: after the server has begun, and between rounds in which it reads all workspaces
_damage: dict[Path, tuple[int, str]] = {}  # by folder: what its files were like, and what is wrong with them
ROOT_VARIABLE = "WORDTRACE_WORKSPACES"
DEFAULT_ROOT = "workspaces"


def root() -> Path:
    """The folder whose sub-folders are the workspaces this server may open."""
    return Path(os.environ.get(ROOT_VARIABLE, DEFAULT_ROOT))


def names() -> list[str]:
    """Published workspaces: the allow-list for every name that comes from a browser."""
    return influence.list_workspaces(root())


def half_built() -> list[str]:
    """Folders whose first build has not been published."""
    return workspace.half_built(root())


def open_named(name: str) -> influence.Workspace:
    """The open workspace of that name, which must be one of `names()`; opened anew after a rebuild.

    Raises a `WorkspaceError` when it is damaged, of a newer version, or has gone.
    """
    path = root() / name
    try:
        return _opened(path)
    except influence.WorkspaceError:
        raise
    except Exception as error:  # it may hold anything, and must not keep the others from being shown
        raise influence.WorkspaceError(f"workspace {name!r} cannot be opened ({type(error).__name__}: {error})") from error


def first() -> str:
    """The workspace to show where none is asked for: the first that opens, else the first there is, "" for none."""
    found = names()
    for name in found:
        with suppress(influence.WorkspaceError):
            open_named(name)
            return name
    return found[0] if found else ""


def _opened(path: Path) -> influence.Workspace:
    try:
        pointer = (path / "workspace.json").stat()
    except OSError:
        return influence.open_workspace(path)  # says best what is missing
    if line := _known_damage(path):
        raise influence.WorkspaceError(f"workspace {path.name!r} is damaged: {line}")
    # A build is published by replacing this file, so its identity is the build's; a file that changes is checked anew.
    identity = (pointer.st_ino, pointer.st_mtime_ns, pointer.st_size)
    return _open(str(path.resolve()), (*identity, workspace.state_of_files(path)))


@st.cache_resource(max_entries=8, show_spinner=False, on_release=influence.Workspace.close)
def _open(path: str, identity: tuple[int, ...]) -> influence.Workspace:
    return influence.open_workspace(path)


def watch(root: Path) -> None:
    """Begin to read whole workspaces under a root again and again, in a thread that ends with the process."""
    threading.Thread(target=_rounds, args=(root,), daemon=True).start()


def look_through(root: Path) -> None:
    """One round, half of whose time is waiting: damage is known before somebody comes to it."""
    for name in influence.list_workspaces(root):
        path = (root / name).resolve()
        try:
            state = workspace.state_of_files(path)
            _damage[path] = state, workspace.verify_workspace(path, pause=time.sleep).line
        except influence.WorkspaceError:  # which opening it says as well
            continue


def _rounds(root: Path) -> None:
    time.sleep(FIRST)
    while True:
        look_through(root)
        time.sleep(EVERY)


def _known_damage(path: Path) -> str:
    """What was found to be wrong with a workspace whose files have not changed since; empty where nothing is known."""
    state, line = _damage.get(path.resolve(), (0, ""))
    return line if line and state == workspace.state_of_files(path) else ""
