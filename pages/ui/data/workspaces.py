"""The workspaces of this server: open one, rename it, back it up, delete it."""

from datetime import UTC, datetime
from typing import TypedDict

import streamlit as st

import influence
from influence.review import JOURNAL
from influence.workspace import BACKUPS, delete_workspace, disk_use, rename_workspace
from pages.ui.data.address import DataAddress
from pages.ui.frame import access, go, md, messages, numbers, render, shell, workspaces
from pages.ui.jobs import background, builds, waiting


class OwnerOnly(TypedDict):
    """Options of a button that not everybody may press."""

    disabled: bool
    help: str | None


def draw(address: DataAddress) -> None:
    """One box a workspace."""
    names = workspaces.names()
    if not names:
        render.hint("There is no workspace yet.")
        st.button("New workspace", key="workspaces_new", icon=":material/add:", on_click=go, args=(address.at(part="new"),))
        return
    with st.container(horizontal=True):
        st.button("New workspace", key="workspaces_new", icon=":material/add:", on_click=go, args=(address.at(part="new"),))
        if len(names) > 1:
            st.button(
                "Compare two", key="workspaces_compare", icon=":material/compare_arrows:", on_click=go,
                args=(address.at(part="compare", one=names[0], two=names[1]),),
            )  # fmt: skip
    for name in names:
        with st.container(border=True, key=f"wt-workspace-{names.index(name)}"):
            _workspace(address, name)


def _workspace(address: DataAddress, name: str) -> None:
    try:
        workspace = workspaces.open_named(name)
    except influence.WorkspaceError as error:
        render.heading(name, "cannot be opened")
        st.error(md(error, 600))
        with st.container(horizontal=True):
            _delete_button(address, name)
        return
    info = workspace.info
    render.heading(name, "shown on the other pages" if name == address.workspace else "")
    decided = _decisions(name)
    render.facts(
        [
            ("Built", f"{numbers.moment(info.built_at)}, in {numbers.duration(info.seconds)}"),
            ("Data", f"{info.n_train:,} training and {info.n_test:,} test examples, {len(info.labels):,} labels"),
            ("Test accuracy", f"{info.accuracy:.1%}"),
            ("On disk", numbers.sizes(disk_use(workspace.path))),
            ("Review log", f"{decided:,} lines" if decided else "nothing decided"),
        ]
    )
    waiting.draw(workspace, "backup")
    with st.container(horizontal=True, vertical_alignment="center"):
        shell.link("home", "Open", workspace=name, icon=":material/arrow_forward:")
        st.button(
            "Rename", key=f"ws_rename_{name}", icon=":material/edit:", on_click=_ask, args=("rename", name), **_owner_only()
        )
        st.button("Back up", key=f"ws_backup_{name}", icon=":material/archive:", on_click=_back_up, args=(workspace,))
        _delete_button(address, name)
    _backups(name)
    if st.session_state.get("ws_asked") == ("rename", name):
        _rename(address, name)


def _decisions(name: str) -> int:
    try:
        return (workspaces.root() / name / JOURNAL).read_bytes().count(b"\n")
    except OSError:
        return 0


def _backups(name: str) -> None:
    folder = workspaces.root() / BACKUPS
    found = sorted(folder.glob(f"{name}-2*.zip"), reverse=True)
    if found:
        latest = found[0]
        more = f"; {len(found) - 1} older" if len(found) > 1 else ""
        size = numbers.size(latest.stat().st_size)
        render.hint(f"Latest backup: {numbers.day(latest.stat().st_mtime)}, {size}{more}. Files restores it.")


def _ask(what: str, name: str) -> None:
    st.session_state["ws_asked"] = (what, name)


def _forget() -> None:
    st.session_state.pop("ws_asked", None)


def _rename(address: DataAddress, name: str) -> None:
    with st.form(f"ws_rename_form_{name}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        key = f"ws_new_name_{name}"
        st.text_input("New name", value=name, key=key, max_chars=64, width=300)
        st.form_submit_button("Rename", type="primary", on_click=_take_name, args=(address, name, key))
        st.form_submit_button("Leave it", on_click=_forget)


def _check_free(name: str) -> None:
    """Raises `WorkspaceBusy` where something is going on in a workspace."""
    if any(job.about.get("name") == name and not job.failed for job in builds.runs()):
        raise influence.WorkspaceBusy(f"a build of {name} waits or runs; cancel it first")
    for job in background.jobs_of(workspaces.root() / name):
        if not job.failed:
            raise influence.WorkspaceBusy(f"{job.title} waits or runs in {name}; cancel it first")


def _take_name(address: DataAddress, old: str, key: str) -> None:
    new = st.session_state[key]
    _forget()
    with messages.or_say("Not renamed"):
        access.require_owner()
        _check_free(old)
        new = rename_workspace(workspaces.root(), old, new)
        background.forget(workspaces.root() / old)
        messages.say(f"{old} is now called {new}.")
        if address.workspace == old:
            go(address.at(workspace=new))


def _back_up(workspace: influence.Workspace) -> None:
    target = workspaces.root().resolve() / BACKUPS / f"{workspace.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
    with messages.or_say("Not backed up"):
        background.enqueue(workspace, "backup", "--output", str(target), title=f"Backup of {workspace.name}", key="backup")
        messages.say(f"A backup of {workspace.name} is being written; it then stands under Files.")


def _owner_only() -> OwnerOnly:
    """How a button looks that takes away what belongs to others."""
    owner = access.is_owner()
    return {"disabled": not owner, "help": None if owner else access.ONLY_OWNER}


def _delete_button(address: DataAddress, name: str) -> None:
    if st.button("Delete", key=f"ws_delete_{name}", icon=":material/delete:", **_owner_only()):
        _confirm(address, name)


@st.dialog("Delete this workspace?")
def _confirm(address: DataAddress, name: str) -> None:
    decided = _decisions(name)
    lost = f" and {decided:,} lines of review log" if decided else ""
    render.state_text(name, f"Its model and index{lost} go for good. A backup keeps them.")
    with st.container(horizontal=True):
        if st.button("Delete it", key="ws_delete_yes", type="primary", on_click=_delete, args=(address, name)):
            st.rerun()  # which closes the dialog
        if st.button("Keep it", key="ws_delete_no"):
            st.rerun()


def _delete(address: DataAddress, name: str) -> None:
    with messages.or_say("Not deleted"):
        access.require_owner()
        _check_free(name)
        delete_workspace(workspaces.root(), name)
        background.forget(workspaces.root() / name)
        messages.say(f"{name} has been deleted.")
        if address.workspace == name:
            go(address.at(workspace=""))
