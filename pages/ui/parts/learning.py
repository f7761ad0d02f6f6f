"""A ranking that learns: when enough has been decided it is made again in the background, and what it learnt from.

The app only counts and queues the command; `python -m influence suspects` reads the decisions by itself, and a page
follows what it publishes.
"""

from typing import Any

import streamlit as st

import influence
from influence.suspects import Choices, provenance, read_choices
from pages.ui.frame import Session
from pages.ui.jobs import background, compute
from pages.ui.parts import suspicions

COMMAND = "suspects"  # and the job's key: one at a time, whoever asked
TITLE = "Ranking again"
_asked: dict[str, int] = {}  # decided examples when a workspace's ranking was last asked for by this process


def choices(workspace: influence.Workspace) -> Choices:
    """What the workspace keeps chosen; the usual choices where its file makes no sense, which the Suspects page says."""
    try:
        return read_choices(workspace.path)
    except influence.WorkspaceError:
        return Choices()


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={influence.Workspace: suspicions.published_file})
def made_of(workspace: influence.Workspace) -> dict[str, Any]:
    """What the published ranking was made from; nothing where none was computed, or where its file is damaged."""
    try:
        return provenance(workspace) if suspicions.known(workspace) else {}
    except influence.WorkspaceError:
        return {}


def learnt_from(workspace: influence.Workspace) -> int:
    """How many decided examples the published ranking has learnt from."""
    return int(made_of(workspace).get("decisions") or 0)


def check(session: Session) -> bool:
    """Queue the ranking again where as many examples have been decided since as the workspace wants; whether it was.

    A few milliseconds: call it once all is drawn, so that nobody waits for it.
    """
    workspace = session.workspace
    every = choices(workspace).learn_every
    if not every or not suspicions.known(workspace):
        return False
    key, decided = str(workspace.path), session.reviews.decided_count()
    if decided - max(learnt_from(workspace), _asked.get(key, 0)) < every:
        return False
    _asked[key] = decided
    try:
        background.enqueue(workspace, COMMAND, title=TITLE, key=COMMAND)
    except influence.WorkspaceError:  # the next decisions try again; reviewing goes on without
        return False
    return True


def again(session: Session) -> None:
    """Rank again now. For callbacks."""
    _asked[str(session.workspace.path)] = session.reviews.decided_count()
    compute.start(session.workspace, COMMAND, (), TITLE, COMMAND)


def running(workspace: influence.Workspace) -> bool:
    """Whether the ranking is being made again."""
    return any(job.command == COMMAND and not job.failed for job in background.jobs(workspace))
