"""The Evidence page: do the scores mean anything on this data? Each part a proof by retraining, or by the gradients."""

import streamlit as st

import influence
from pages.ui.evidence import (
    address,
    cancellation,
    deletion,
    fixing,
)
from pages.ui.evidence.address import PARTS, ProofPlace
from pages.ui.frame import address as places, go, render, session as desk

DRAW = {"deletion": deletion.draw, "cancellation": cancellation.draw, "fixing": fixing.draw}


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    place = places.arrive(*address.read(st.query_params.to_dict(), workspace))
    st.session_state["proof_part"] = place.part
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        render.title("Evidence")
        st.segmented_control(
            "Part", list(PARTS), format_func=PARTS.get, key="proof_part", required=True, label_visibility="collapsed",
            on_change=_to_part, args=(place,),
        )  # fmt: skip
    message, failed = desk.said()
    if message:
        render.said(message, failed=failed)
    try:
        DRAW[place.part](workspace, place)
    except influence.WordtraceError as error:
        st.error(render.md(error, 600))


def _to_part(place: ProofPlace) -> None:
    go(ProofPlace(workspace=place.workspace, part=st.session_state["proof_part"]))
