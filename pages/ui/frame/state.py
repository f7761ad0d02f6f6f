"""The server's own folder: what it was asked to run, and who may ask. Never among workspaces, nor inside one.

    STATE/NAME-KEY/       of one folder of workspaces or one workspace, by its path

A workspace may come from anybody, and so may all that lies beside it; what is found here is run. So the folder belongs to
the user that the server runs as, nobody else can write to it, and nothing that is unpacked among workspaces can reach it.
"""

import hashlib
import os
import stat
from pathlib import Path

import influence

VARIABLE = "WORDTRACE_STATE"
ADVICE = f"choose another folder with --state or {VARIABLE}"
PRIVATE = 0o700


def folder() -> Path:
    """The folder of all servers of this user: WORDTRACE_STATE, else where the system keeps a user's state."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else Path("~/.local/state").expanduser()) / "wordtrace"


def complaint(among: Path) -> str:
    """Why the folder cannot be trusted with what is run; "" where it can, or is not there yet.

    `among`: the folder of workspaces, which must not hold it.
    """
    try:
        base = folder()
        if base.resolve().is_relative_to(among.resolve()):
            return f"the server's own folder {str(base)!r} lies among the workspaces; {ADVICE}"
        found = base.stat()
    except FileNotFoundError:
        return ""
    except (OSError, RuntimeError) as error:  # no home, a loop of links
        return f"the server's own folder cannot be used: {error}; {ADVICE}"
    if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        return (
            f"the server's own folder {str(base)!r} belongs to another user, or others can write to it: what it holds is run; "
            f"make it yours alone (chmod 700), or {ADVICE}"
        )
    return ""


def place_of(path: Path, *, among: Path) -> Path | None:
    """Where the state of a folder of workspaces, or of one of them, is kept, made or not; None where it cannot be trusted."""
    if complaint(among):
        return None
    path = path.resolve()
    return folder().absolute() / f"{path.name[:40]}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"


def made_for(path: Path, *, among: Path) -> Path:
    """The same, made if need be. Raises `WorkspaceError` where it cannot be had or trusted."""
    try:
        if not complaint(among):
            folder().mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        place = place_of(path, among=among)
        if place is None:
            raise influence.WorkspaceError(complaint(among))
        place.mkdir(mode=PRIVATE, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise influence.WorkspaceError(
            f"nothing can be started: the server's own folder {str(folder())!r} cannot be written: {reason}; {ADVICE}"
        ) from error
    return place
