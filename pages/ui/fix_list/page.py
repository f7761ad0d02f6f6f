"""The Fix list page: what will change and why, the rules, how far reviewers agree, and the log."""

import streamlit as st

import influence
from pages.ui.fix_list import agreement, changes, log, rules
from pages.ui.fix_list.address import PARTS, FixListAddress, read_address
from pages.ui.frame import Session, arrive, go, messages, render, shell

DRAW = {"changes": changes.draw, "rules": rules.draw, "agreement": agreement.draw, "log": log.draw}


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    session = Session.of_visitor(workspace)
    shell.follow()
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    st.session_state["fix_part"] = address.part
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        render.title("Fix list")
        st.segmented_control(
            "Part", list(PARTS), format_func=PARTS.__getitem__, key="fix_part", required=True, label_visibility="collapsed",
            on_change=_to_part, args=(address,),
        )  # fmt: skip
        with st.container(horizontal=True, horizontal_alignment="right", width="stretch"):
            session.show_name()
    messages.show()
    DRAW[address.part](session, address)


def _to_part(address: FixListAddress) -> None:
    go(address.part_only(st.session_state["fix_part"]))
