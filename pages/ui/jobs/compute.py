"""The offer to compute what a page shows, and how far the computing is."""

import json
from collections.abc import Sequence

import streamlit as st

import influence
from pages.ui.frame import messages, render
from pages.ui.jobs import background, waiting

CHOICES: dict[str, tuple[tuple[str, tuple[str, ...], str], ...]] = {  # for each command: button, options, what to expect
    "suspects": (
        ("Compute now", (), "seconds, at most minutes: sentence embeddings, words and the model's own epochs"),
        ("With 5 held-out models", ("--models", "5"), "one more opinion: trains the model five more times, each without a fifth"),
    ),
    "clusters": (("Run mislabel clustering", (), "seconds, at most minutes"),),
}


def offer(workspace: influence.Workspace, command: str, title: str, about: str) -> None:
    """What is missing, the buttons that compute it, and the command that does the same; how far it is while it runs."""
    with st.container(key="wt-gate"):
        render.state_text(title, about)
        messages.show()
        waiting.draw(workspace, command, lines=True)
        if any(job.command == command and not job.failed for job in background.jobs(workspace)):
            return
        for name, options, remark in CHOICES[command]:
            with st.container(horizontal=True, vertical_alignment="center"):
                # The key is the command's: with other options the result is the same file, so one at a time is enough.
                st.button(
                    name, key=f"compute_{command}_{len(options) and options[-1]}",
                    on_click=start, args=(workspace, command, options, command.capitalize(), command),
                )  # fmt: skip
                with st.container(width="stretch"):
                    render.hint(remark)


def start(
    workspace: influence.Workspace, command: str, options: Sequence[str], title: str, key: str = "", seconds: float | None = None
) -> None:
    """Queue a command; one with the same key, by default the same options, is not queued twice. For callbacks.

    `seconds`: about how long it will take once it runs; None where nobody knows.
    """
    with messages.or_say("Not started"):
        about = {"seconds": seconds}
        background.enqueue(workspace, command, *options, title=title, key=key or json.dumps([command, *options]), about=about)
