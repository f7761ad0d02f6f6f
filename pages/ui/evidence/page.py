"""The Evidence page: do the scores mean anything on this data? Each part a proof by retraining, or by the gradients."""

import streamlit as st

import influence
from pages.ui.evidence import cancellation, deletion, fixing
from pages.ui.evidence.address import PARTS, EvidenceAddress, read_address
from pages.ui.frame import arrive, go, messages, render

DRAW = {"deletion": deletion.draw, "cancellation": cancellation.draw, "fixing": fixing.draw}


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    st.session_state["proof_part"] = address.part
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        render.title("Evidence")
        st.segmented_control(
            "Part", list(PARTS), format_func=PARTS.__getitem__, key="proof_part", required=True, label_visibility="collapsed",
            on_change=_to_part, args=(address,),
        )  # fmt: skip
    messages.show()
    try:
        DRAW[address.part](workspace, address)
    except influence.WordtraceError as error:
        st.error(render.md(error, 600))


def _to_part(address: EvidenceAddress) -> None:
    go(EvidenceAddress(workspace=address.workspace, part=st.session_state["proof_part"]))
