"""The What-if page: choose a change, read what it would take, retrain in the background, and see what it did."""

from dataclasses import dataclass

import streamlit as st

import influence
from influence.experiments import Outcome, Proposal, outcomes, propose
from pages.ui.frame import Desk, address as places, md, render, session as desk
from pages.ui.jobs import waiting
from pages.ui.what_if import (
    address,
    ask,
    choice,
    past,
    result,
)
from pages.ui.what_if.address import WhatIfPlace

COMMAND = "retrain"
ABOUT = (
    "A score says what a training example did; only training without it proves it. Choose a change: the model is trained "
    "again with and without it, over the same seeds, and the difference is set beside what a seed alone does."
)


@dataclass(frozen=True)
class Asked:
    """What the page is about at this drawing."""

    proposal: Proposal | None
    problem: str  # why there is none
    known: list[Outcome]


def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    _page(desk.visit(workspace))


@st.fragment
def _page(mine: Desk) -> None:
    place = places.arrive(*address.read(st.query_params.to_dict(), mine.workspace))
    with st.container(key="wt-title"):
        render.title("What-if")
    if mine.workspace.info.settings.get("training") is None:
        with st.container(key="wt-gate"):
            render.state_text(
                "This workspace cannot be retrained", "Its checkpoints were imported, so how they were trained is not known."
            )
        return
    message, failed = desk.said()
    if message:
        render.said(message, failed=failed)
    asked = _asked(mine, place)
    with st.container(key="wt-split-whatif"):
        left, right = st.columns([1, 1.9], gap="large")
    with left:
        choice.draw(mine, place)
        if asked.proposal is not None:
            ask.draw(mine, place, asked.proposal)
        elif asked.problem:
            st.error(md(asked.problem, 600))
    with right:
        waiting.draw(mine.workspace, COMMAND)
        _result(mine, place, asked)
        past.draw(mine, place, asked.known)


def _asked(mine: Desk, place: WhatIfPlace) -> Asked:
    try:
        known = outcomes(mine.workspace)
    except influence.WorkspaceError as error:
        st.error(md(error, 600))
        known = []
    spec = place.change or ("decided" if place.chosen_kind == "decided" else "")
    if not spec:
        return Asked(None, "", known)
    try:
        return Asked(propose(mine.workspace, spec, reviews=mine.reviews), "", known)
    except influence.WordtraceError as error:
        return Asked(None, str(error) if place.change else "", known)


def _result(mine: Desk, place: WhatIfPlace, asked: Asked) -> None:
    """The what-if that the address names, else the latest of this change."""
    wanted = [one for one in asked.known if one.id == place.outcome]
    if not wanted and asked.proposal is not None:
        wanted = [one for one in asked.known if one.change == asked.proposal.change.key]
    if wanted:
        result.draw(mine, place, wanted[0])
    elif not asked.known:
        render.state_text("Try a change before anybody makes it", ABOUT)
