"""Jobs on screen: how far each is, what it says, and the buttons that stop it."""

from collections.abc import Collection
from pathlib import Path

import streamlit as st

import influence
from influence.cli import ProgressEvent
from influence.retraining import time_expected
from pages.ui.frame import access, numbers, render
from pages.ui.jobs import background, builds, wording
from pages.ui.jobs.background import Job

EVERY = 1.0  # seconds between looks
OTHERS = "Somebody else has started it: they can stop it, or this server's owner"


def draw(workspace: influence.Workspace, *commands: str, lines: bool = False) -> None:
    """The workspace's jobs that wait or run, and of some commands those that have failed; nothing where there are none.

    With `lines`, the last lines that those commands have said, too.
    """
    found = background.jobs(workspace)
    if any(not job.failed for job in found):
        _watch(workspace, commands, lines)
    else:
        _show(found, commands, lines)


def draw_queue(queue: Path | None, *commands: str) -> None:
    """The same of a queue of the server's own."""
    found = background.jobs_in(queue)
    if any(not job.failed for job in found):
        _watch_queue(queue, commands)
    else:
        _show(found, commands, False)


@st.fragment(run_every=EVERY)
def _watch_queue(queue: Path | None, commands: Collection[str]) -> None:
    found = background.jobs_in(queue)
    if not any(not job.failed for job in found):
        st.rerun()
    _show(found, commands, False)


@st.fragment(run_every=EVERY)
def _watch(workspace: influence.Workspace, commands: Collection[str], lines: bool) -> None:
    key = f"wt_watched_{workspace.name}"
    found = background.jobs(workspace)
    unfinished = [job.folder.name for job in found if not job.failed]
    if set(st.session_state.get(key, ())) - set(unfinished):
        st.session_state[key] = unfinished
        st.rerun()  # one has ended, and its result is there
    st.session_state[key] = unfinished
    _show(found, commands, lines)


def draw_job(job: Job) -> None:
    """One job that waits or runs."""
    _unfinished(job, 0, lines=False)


def cancel_button(job: Job, label: str, key: str) -> None:
    """The button that stops a job, for whoever may."""
    about = None if job.mine else OTHERS
    st.button(
        label, key=key, disabled=job.stopping or not job.mine, help=about, on_click=access.checked(lambda: job.mine, job.cancel)
    )  # fmt: skip


def time_for(workspace: influence.Workspace, models: int) -> str:
    """About how long it takes to train that many models, as busy as this machine is now."""
    seconds, measured = time_expected(workspace, models)
    return f"about {numbers.roughly(seconds)}" if measured else f"perhaps {numbers.roughly(seconds)}; better known once it runs"


def _show(found: list[Job], commands: Collection[str], lines: bool) -> None:
    for before, job in enumerate(found):
        if job.failed and job.command in commands:
            _failed(job)
        elif not job.failed:
            _unfinished(job, before, lines=lines and job.command in commands)


def _failed(job: Job) -> None:
    with st.container(border=True, key=f"wt-job-{job.folder.name}"):
        render.heading(job.title, "ended without a result")
        render.command("\n".join(job.tail()) or f"exit code {job.code}")
        dismiss = access.checked(lambda: job.mine, job.dismiss)
        st.button("Dismiss", key=f"job_dismiss_{job.folder.name}", disabled=not job.mine, on_click=dismiss)


def _time(job: Job, progress: ProgressEvent) -> str:
    """How long it has run and about how long it still will, once that can be told."""
    so_far = f"{numbers.duration(job.seconds)} so far"
    expected = job.about.get("seconds")
    left = progress.left if expected is None else builds.seconds_left(progress.share, job.seconds, expected)
    return so_far if progress.finished or left is None else f"about {numbers.roughly(left)} left · {so_far}"


def _unfinished(job: Job, before: int, *, lines: bool) -> None:
    progress = job.progress()
    with st.container(border=True, key=f"wt-job-{job.folder.name}"):
        if job.stopping:
            render.progress(job.title, [], None, "stopping…")
        elif job.started_at is None:
            render.progress(job.title, ["queued"], None, f"{before} before it" if before else "starting…")
        elif progress is None:
            render.progress(job.title, [], 0.0, f"loading the data and the model · {numbers.duration(job.seconds)} so far")
        else:
            said = f"{wording.in_words(progress.stage)}, {progress.share:.0%} · {_time(job, progress)}"
            render.progress(job.title, [], progress.share, said)
        if lines and (tail := job.tail()):
            render.command("\n".join(tail))
        cancel_button(job, "Cancel", f"job_cancel_{job.folder.name}")
