"""The Evidence page: do the scores mean anything on this data? Each part a proof by retraining, or by the gradients."""

import streamlit as st

import influence
from pages.ui.evidence import cancellation, deletion, fixing, overlaps
from pages.ui.evidence.address import PARTS, EvidenceAddress, read_address
from pages.ui.frame import arrive, bind, messages, render, shell

DRAW = {"deletion": deletion.draw, "cancellation": cancellation.draw, "fixing": fixing.draw, "overlaps": overlaps.draw}


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    part_only = EvidenceAddress(workspace=address.workspace, part=address.part)
    shell.title_and_parts("Evidence", PARTS, bind(part_only, "part", "proof_part"))
    messages.show()
    if workspace.info.approximation:
        render.hint(workspace.info.approximation)
    with messages.or_show():
        DRAW[address.part](workspace, address)
