"""Finding workspaces under the server's root and keeping them open. No name from a browser ever becomes a path."""

import os
from pathlib import Path

import streamlit as st

import influence

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
    published = set(names())
    return sorted({folder.parent.name for folder in root().glob("*/builds") if folder.is_dir()} - published)


def open_named(name: str) -> influence.Workspace:
    """The open workspace of that name, which must be one of `names()`; opened anew after a rebuild.

    Raises a `WorkspaceError` when it is damaged, of a newer version, or has gone.
    """
    path = root() / name
    try:
        pointer = (path / "workspace.json").stat()
    except OSError:
        return influence.open_workspace(path)  # says best what is missing
    # A build is published by replacing this file, so its identity is the build's.
    return _open(str(path.resolve()), (pointer.st_ino, pointer.st_mtime_ns, pointer.st_size))


@st.cache_resource(max_entries=8, show_spinner=False, on_release=influence.Workspace.close)
def _open(path: str, identity: tuple[int, ...]) -> influence.Workspace:
    return influence.open_workspace(path)
