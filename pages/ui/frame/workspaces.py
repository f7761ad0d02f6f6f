"""Finding workspaces under the server's root and keeping them open. No name from a browser ever becomes a path."""

import os
from contextlib import suppress
from pathlib import Path

import streamlit as st

import influence
from influence import workspace

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
    # A build is published by replacing this file, so its identity is the build's.
    return _open(str(path.resolve()), (pointer.st_ino, pointer.st_mtime_ns, pointer.st_size))


@st.cache_resource(max_entries=8, show_spinner=False, on_release=influence.Workspace.close)
def _open(path: str, identity: tuple[int, ...]) -> influence.Workspace:
    return influence.open_workspace(path)
