"""The Fix list page: what will change and why, the rules, how far reviewers agree, and the log."""

import streamlit as st

import influence
from pages.ui.fix_list import (
    address,
    agreement,
    changes,
    log,
    rules,
)
from pages.ui.fix_list.address import PARTS, FixPlace
from pages.ui.frame import Desk, address as places, go, render, session as desk, shell

DRAW = {"changes": changes.draw, "rules": rules.draw, "agreement": agreement.draw, "log": log.draw}


def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    _page(desk.visit(workspace))


@st.fragment
def _page(mine: Desk) -> None:
    shell.follow()
    place = places.arrive(*address.read(st.query_params.to_dict(), mine.workspace))
    st.session_state["fix_part"] = place.part
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        render.title("Fix list")
        st.segmented_control(
            "Part", list(PARTS), format_func=PARTS.get, key="fix_part", required=True, label_visibility="collapsed",
            on_change=_to_part, args=(place,),
        )  # fmt: skip
        with st.container(horizontal=True, horizontal_alignment="right", width="stretch"):
            desk.who(mine)
    message, failed = desk.said()
    if message:
        render.said(message, failed=failed)
    DRAW[place.part](mine, place)


def _to_part(place: FixPlace) -> None:
    go(place.part_only(st.session_state["fix_part"]))
