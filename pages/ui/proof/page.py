"""The Proof page: three questions, each answered by training the model again, or by what the build has stored."""

import streamlit as st

import influence
from pages.ui.frame import Session, arrive, go, messages, render
from pages.ui.proof import change, trust
from pages.ui.proof.address import CHANGES, FIXES, TRUST, ProofAddress, read_address

QUESTIONS = {FIXES: "Would my fixes help?", CHANGES: "Would this change help?", TRUST: "Can I trust the scores?"}
PLACE = "proof_place"


@st.fragment
def draw(workspace: influence.Workspace, usual: str = "") -> None:
    """The page below the frame; `usual` is the part of an address that names none."""
    session = Session.of_visitor(workspace)
    address = arrive(*read_address(st.query_params.to_dict(), workspace, usual))
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        render.title("Proof")
        st.session_state[PLACE] = address.place
        st.segmented_control(
            "Question", list(QUESTIONS), format_func=QUESTIONS.__getitem__, required=True, label_visibility="collapsed",
            key=PLACE, on_change=_to_place, args=(address,),
        )  # fmt: skip
    messages.show()
    if address.place == TRUST:
        trust.draw(workspace, address)
    else:
        change.draw(session, address)


def _to_place(address: ProofAddress) -> None:
    go(address.at(part=st.session_state[PLACE], outcome="", run=""))
