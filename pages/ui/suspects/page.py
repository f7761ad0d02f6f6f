"""The Suspects page: the ranked list, the suspects behind one test error, or the test errors behind one suspect."""

import streamlit as st

import influence
from influence.suspects import suspect
from pages.ui.frame import Desk, address as places, render, session as desk, shell
from pages.ui.jobs import compute
from pages.ui.parts import suspicions
from pages.ui.suspects import (
    address,
    behind,
    errors,
    listing,
)

EXPLANATION = (
    "Every training example is ranked by how likely its label is wrong: how it was learnt, whom it opposes, and what its "
    "strongest neighbours say. Held-out models, trained without it, make the ranking better and take longer."
)


def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    _page(desk.visit(workspace))


@st.fragment
def _page(mine: Desk) -> None:
    shell.follow()
    place = places.arrive(*address.read(st.query_params.to_dict(), mine.workspace))
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        render.title("Suspects")
        with st.container(horizontal=True, horizontal_alignment="right", width="stretch"):
            desk.who(mine)
    if not suspicions.known(mine.workspace):
        compute.offer(mine.workspace, "suspects", "The suspects have not been computed yet", EXPLANATION)
        return
    message, failed = desk.said()
    if message:
        render.said(message, failed=failed)
    try:
        if place.id:
            errors.draw(mine, place, suspect(mine.workspace, place.id))
        elif place.test:
            behind.draw(mine, place)
        else:
            listing.draw(mine, place)
    except influence.WordtraceError as error:
        st.error(render.md(error, 600))
