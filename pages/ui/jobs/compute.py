"""The offer to compute what a page shows, and how far the computing is."""

import shlex

import streamlit as st

import influence
from pages.ui.frame import render
from pages.ui.jobs import commands

CHOICES = {  # for each command: button, options, what to expect
    "suspects": (
        ("Compute now", ("--models", "0"), "seconds, at most minutes: from what the build knows, without any training"),
        ("With 5 held-out models", ("--models", "5"), "trains the model five more times, each time without a fifth of the data"),
    ),
    "clusters": (("Compute now", (), "seconds, at most minutes"),),
}
POLL = 1.0  # seconds


def offer(workspace: influence.Workspace, command: str, title: str, about: str) -> None:
    """What is missing, the buttons that compute it, and the command that does the same."""
    with st.container(key="wt-gate"):
        render.state_text(title, about)
        job = commands.found(workspace, command)
        if job is not None and job.running:
            _running(workspace, command)
            return
        if job is not None and job.failed:
            st.error("It has ended without a result:")
            render.command("\n".join(job.tail()) or f"exit code {job.process.poll()}")
        for name, options, remark in CHOICES[command]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    name,
                    key=f"compute_{command}_{len(options) and options[-1]}",
                    on_click=commands.start,
                    args=(workspace, command, *options),
                )
                with st.container(width="stretch"):
                    render.hint(remark)
        render.hint("Or on the command line, where the server runs:")
        render.command(shlex.join(["python", "-m", "influence", command, "--workspace", str(workspace.path)]))


@st.fragment(run_every=POLL)
def _running(workspace: influence.Workspace, command: str) -> None:
    job = commands.found(workspace, command)
    if job is None or not job.running:
        st.rerun()
    assert job is not None
    render.command("\n".join(job.tail()) or "starting…")
    st.button("Cancel", key=f"compute_cancel_{command}", on_click=job.cancel)
