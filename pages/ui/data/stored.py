"""The files that lie on the server: uploads, which can be removed, and backups, which can be restored."""

from pathlib import Path
from typing import Any

import streamlit as st

import influence
from influence.files import write_whole
from influence.workspace import BACKUPS, read_pointer
from pages.ui.data import files
from pages.ui.data.address import DataAddress
from pages.ui.frame import access, messages, numbers, render, workspaces
from pages.ui.jobs import background, builds, waiting

SENT, BACKUP = "upload", "backup"
RESTORES = "restores"  # the queue of backups that are being restored
ASKED = "wt_file_asked"
UPLOAD = "stored_backup"
MOST_LISTED = 100


def draw(_address: DataAddress) -> None:
    """Uploads and backups, each with its size and date."""
    with st.container(key="wt-split-stored"):
        left, right = st.columns(2, gap="large")
    with left:
        _uploads()
    with right:
        _backups()


# Uploads ----------------------------------------------------------------------------------------------------------------


def _uploads() -> None:
    found = [file for file in files.listing().values() if file.name.startswith(f"{files.UPLOADS}/")]
    total = numbers.size(sum(file.size for file in found))
    render.heading("Uploads", f"{numbers.counted(len(found), 'file')}, {total}" if found else "")
    if not found:
        render.hint("Files that you upload for a new workspace are listed here.")
        return
    render.hint("A workspace keeps its own copy of the texts: removing a file here changes none.")
    used = _used()
    for number, file in enumerate(found[:MOST_LISTED]):
        builders = used.get(str((files.folder() / file.name).resolve()), [])
        about = f"{numbers.size(file.size)}, {numbers.day(file.changed)}" + (f"; in {', '.join(builders)}" if builders else "")
        _line(SENT, number, file.name, files.plain_name(file.name), about)


def _used() -> dict[str, list[str]]:
    """The workspaces that were built from a file, by the file's path."""
    found: dict[str, list[str]] = {}
    for name in workspaces.names():
        try:
            info = read_pointer(workspaces.root() / name)["info"]
            for source in {str(info["train_source"]), str(info["test_source"])}:
                found.setdefault(source, []).append(name)
        except (influence.WorkspaceError, KeyError, TypeError):
            continue
    return found


# Backups ----------------------------------------------------------------------------------------------------------------


def _folder() -> Path:
    return workspaces.root() / BACKUPS


def _listed() -> list[Path]:
    """The backups, the latest first; never through a link."""
    found = [file for file in _folder().glob("*.zip") if file.is_file() and not file.is_symlink()]
    return sorted(found, key=lambda file: -file.stat().st_mtime)


def _backups() -> None:
    found = _listed()
    render.heading("Backups", numbers.counted(len(found), "file") if found else "")
    waiting.draw_queue(builds.folder_of(RESTORES), "restore")
    if not found:
        render.hint("A backup is made under Workspaces, with Back up.")
    else:
        render.hint("Restore makes a new workspace of it, once every file in it is found to be what was written.")
    for number, file in enumerate(found[:MOST_LISTED]):
        about = f"{numbers.size(file.stat().st_size)}, {numbers.day(file.stat().st_mtime)}"
        _line(BACKUP, number, file.name, file.stem, about)
    with st.expander("Restore a backup of mine"):
        st.file_uploader(
            "Backup", type=["zip"], key=UPLOAD, max_upload_size=files.UPLOAD_LIMIT, on_change=_keep, label_visibility="collapsed"
        )
        render.hint(f"Up to {files.UPLOAD_LIMIT} MB; whoever runs this server can put larger ones beside the others.")


def _keep() -> None:
    upload: Any = st.session_state[UPLOAD]
    if upload is None:
        return
    with messages.or_say("Not restored"):
        name = f"{files.plain_name(f'{Path(upload.name).stem[:60]}.zip')}.zip"
        if name in {file.name for file in _listed()}:
            raise influence.SettingsError(f"there is a backup called {name!r} already")
        try:
            _folder().mkdir(exist_ok=True)
            write_whole(_folder() / name, upload.getvalue())
        except OSError as error:
            raise influence.WorkspaceError(f"it cannot be kept: {error.strerror or error}") from error
        _restore(name)


def _restore(name: str) -> None:
    with messages.or_say("Not restored"):
        if name not in {file.name for file in _listed()}:
            raise influence.SettingsError(f"there is no backup {name[:80]!r}")
        options = ("--backup", str((_folder() / name).resolve()), "--workspace-root", str(workspaces.root().resolve()))
        background.enqueue_in(builds.made_folder(RESTORES), "restore", *options, title=f"Restoring {Path(name).stem}", key=name)
        messages.say(f"{Path(name).stem} is being restored; it then stands under Workspaces.")


# Both -------------------------------------------------------------------------------------------------------------------


def _line(kind: str, number: int, file: str, title: str, about: str) -> None:
    """One file: its name, what is known of it, and what can be done with it."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"wt-file-{kind}-{number}"):
        with st.container(width="stretch"):
            render.facts([(title, about)])
        if kind == BACKUP:
            st.button("Restore", key=f"restore_{number}", icon=":material/unarchive:", on_click=_restore, args=(file,))
        owner = access.is_owner()
        if st.session_state.get(ASKED) == (kind, file):
            st.button("Remove for good", key=f"remove_{kind}_yes", type="primary", on_click=_remove, args=(kind, file))
            st.button("Keep", key=f"remove_{kind}_no", on_click=_ask, args=("", ""))
        else:
            st.button(
                "Remove", key=f"remove_{kind}_{number}", icon=":material/delete:", disabled=not owner,
                help=None if owner else access.ONLY_OWNER, on_click=_ask, args=(kind, file),
            )  # fmt: skip


def _ask(kind: str, name: str) -> None:
    st.session_state[ASKED] = (kind, name)


def _remove(kind: str, name: str) -> None:
    _ask("", "")
    with messages.or_say("Not removed"):
        access.require_owner()
        known = {file.name: _folder() / file.name for file in _listed()} if kind == BACKUP else files.uploaded()
        if name not in known:
            raise influence.SettingsError(f"there is no file {name[:80]!r}")
        try:
            known[name].unlink()
        except OSError as error:
            raise influence.WorkspaceError(f"it cannot be removed: {error.strerror or error}") from error
        messages.say(f"Removed: {files.plain_name(name)}.")
