"""A build on screen: how far it is and when it will end, what stopping it keeps, and how one that was stopped goes on."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from pages.ui.frame import access, messages, numbers, render
from pages.ui.jobs import builds, waiting, wording
from pages.ui.jobs.background import BAD_INPUT, STOPPED, Job

ASKED = "wt_stop_asked"  # the build that is about to be stopped
STAGES = 6  # of those begun, shown


def unfinished(job: Job, before: int) -> None:
    """One that runs, or waits for as many others."""
    stages = job.stages()
    share = builds.overall(stages, job.about)
    if job.stopping:
        render.progress(job.title, [], None, "stopping…")
    elif job.started_at is None:
        render.progress(job.title, ["waits"], None, f"{before} before it" if before else "starting…")
    else:
        render.progress(job.title, ["running"], share, f"{share:.0%} · {_time(job, share)}")
        lines = [(wording.in_words(one.stage), one.time or f"{one.share:.0%}", one.finished) for one in stages[-STAGES:]]
        render.steps(lines or [("reading the data, loading the model", "", False)])
        with st.expander("Log"):
            render.command("\n".join(job.tail(200)) or "nothing yet")
    _stop(job)


def _time(job: Job, share: float) -> str:
    """How long it has run and about how long it still will, once that can be told."""
    so_far = f"{numbers.duration(job.seconds)} so far"
    left = builds.seconds_left(share, job.seconds, job.about.get("seconds"))
    return so_far if left is None else f"about {numbers.roughly(left)} left · {so_far}"


def _stop(job: Job) -> None:
    """The button that stops it, which asks first where there is something to lose."""
    name = job.folder.name
    if job.started_at is None:
        about = None if job.mine else waiting.OTHERS
        cancel = access.checked(lambda: job.mine, partial(job.cancel, keep=True))  # there may be something of it already
        st.button("Cancel", key=f"run_cancel_{name}", disabled=not job.mine, help=about, on_click=cancel)
        return
    if st.session_state.get(ASKED) != name or job.stopping:
        about = None if job.mine else waiting.OTHERS
        disabled = job.stopping or not job.mine
        st.button("Stop…", key=f"run_cancel_{name}", disabled=disabled, help=about, on_click=_ask, args=(name,))
        return
    with st.container(border=True, key="wt-stop"):
        render.hint("Stop this build? What is finished of it can be kept, and the build resumed later.")
        with st.container(horizontal=True):
            for label, key, callback in (
                ("Stop and keep", "keep", partial(job.cancel, keep=True)),
                ("Stop and discard", "discard", job.cancel),
            ):
                st.button(label, key=f"run_stop_{key}_{name}", on_click=_do, args=(access.checked(lambda: job.mine, callback),))
            st.button("Let it run", key=f"run_stop_not_{name}", type="primary", on_click=_do)


def _ask(name: str) -> None:
    st.session_state[ASKED] = name


def _do(callback: Callable[[], object] = lambda: None) -> None:
    st.session_state.pop(ASKED, None)
    callback()


def ended(job: Job, change: Callable[[], None] = lambda: None) -> None:
    """One that was stopped, interrupted or refused: what is the matter, and the ways on; `change` draws another one."""
    name, stopped, refused = job.folder.name, job.code == STOPPED, job.code == BAD_INPUT
    render.heading(job.title, "stopped" if stopped else "could not be built" if refused else "was interrupted")
    if stopped:
        render.hint(f"What was finished is kept: {_finished(job)}. Resume goes on from there.")
    else:
        st.error(render.md(builds.complaint(job), 600))
    with st.expander("Log"):
        render.command("\n".join(job.tail(200)) or "nothing")
    with st.container(horizontal=True):
        if not refused:
            resumed = {"icon": ":material/play_arrow:", "type": "primary", "on_click": _resume, "args": (job,)}
            st.button("Resume", key=f"run_resume_{name}", **resumed)  # type: ignore[arg-type]
        change()
        discard = access.checked(lambda: job.mine, job.discard)
        st.button("Discard", key=f"run_discard_{name}", disabled=not job.mine, on_click=discard)


def _finished(job: Job) -> str:
    done = [wording.in_words(one.stage) for one in job.stages() if one.finished]
    return f"{len(done)} of its steps, the last: {done[-1]}" if done else "the data as it was read"


def _resume(job: Job) -> None:
    with messages.or_say("Not resumed"):
        builds.resume(job)
