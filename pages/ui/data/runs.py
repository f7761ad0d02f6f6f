"""The builds: which one runs, how far it is, which wait, and those that came to nothing."""

import time

import streamlit as st

from pages.ui.data.address import DataAddress, read_address
from pages.ui.frame import go, messages, render, shell, workspaces
from pages.ui.jobs import Job, build_view, builds

EVERY = 1.0  # seconds between looks
WATCHED = "wt_watched_builds"
RECENT = 5  # workspaces listed as built lately


def draw(address: DataAddress) -> None:
    """The whole part."""
    found = builds.runs()
    if any(not job.failed for job in found):
        _watch(address)
    else:
        st.session_state.pop(WATCHED, None)
        _show(address, found)
    _interrupted(found)
    _recent(address)


@st.fragment(run_every=EVERY)
def _watch(address: DataAddress) -> None:
    found = builds.runs()
    unfinished = [job.folder.name for job in found if not job.failed]
    before = st.session_state.get(WATCHED, {})
    ended = {name: title for name, title in before.items() if name not in unfinished}
    st.session_state[WATCHED] = {job.folder.name: job.title for job in found if not job.failed}
    if ended:
        for title in ended.values():
            if title in workspaces.names():
                messages.say(f"{title} is ready.")
        st.rerun()
    _show(address, found)


def _show(address: DataAddress, found: list[Job]) -> None:
    if not found:
        render.hint("No build runs or waits.")
        st.button("New workspace", key="runs_new", icon=":material/add:", on_click=go, args=(address.at(part="new"),))
    for number, job in enumerate(found):
        with st.container(border=True, key=f"wt-run-{job.folder.name}"):
            if job.failed:
                _ended(address, job)
            else:
                build_view.unfinished(job, number)


def _ended(address: DataAddress, job: Job) -> None:
    def change() -> None:
        if job.about.get("address"):
            again, _ = read_address(job.about["address"], address.workspace, workspaces.names())
            st.button("Change the settings", key=f"run_again_{job.folder.name}", on_click=go, args=(again.at(part="new"),))

    build_view.ended(job, change)


def _interrupted(found: list[Job]) -> None:
    """Half-built workspaces that no job here knows of: someone builds on the command line, or did."""
    known = {str(job.about.get("name")) for job in found}
    others = [name for name in workspaces.half_built() if name not in known]
    if others:
        render.heading("Half built elsewhere")
        render.notes(
            f"{name}: a build on the command line runs, or was interrupted; the same command with --resume goes on"
            for name in others
        )


def _recent(address: DataAddress) -> None:
    """The workspaces that were built last, to be opened."""
    latest = []
    for name in workspaces.names():
        try:
            latest.append(((workspaces.root() / name / "workspace.json").stat().st_mtime, name))
        except OSError:
            continue
    if not latest:
        return
    render.heading("Built lately")
    for built, name in sorted(latest, reverse=True)[:RECENT]:
        shell.link("home", f"{render.md(name)}, {_ago(time.time() - built)}", workspace=name, icon=":material/arrow_forward:")


def _ago(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := int(seconds // length)) > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
