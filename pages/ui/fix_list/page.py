"""The Fix list page: what will change and why, the rules, how far reviewers agree, and the log."""

import streamlit as st

import influence
from pages.ui.fix_list import agreement, bring_back, changes, log, progress, rules
from pages.ui.fix_list.address import PARTS, read_address
from pages.ui.frame import Session, arrive, bind, messages, shell

DRAW = {
    "changes": changes.draw,
    "rules": rules.draw,
    "progress": progress.draw,
    "agreement": agreement.draw,
    "bring_back": bring_back.draw,
    "log": log.draw,
}


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    session = Session.of_visitor(workspace)
    shell.follow()
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    binding = bind(address.part_only(address.part), "part", "fix_part")
    with (
        shell.title_and_parts("Fix list", PARTS, binding),
        st.container(horizontal=True, horizontal_alignment="right", width="stretch"),
    ):
        session.show_name()
    messages.show()
    DRAW[address.part](session, address)
