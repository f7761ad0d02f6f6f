"""The Data and runs page: a new workspace step by step, the builds, the workspaces, and two of them compared."""

import streamlit as st

from pages.ui.data import builds, compare, new, runs, workspaces as workspaces_part
from pages.ui.data.address import PARTS, DataAddress, read_address
from pages.ui.frame import arrive, go, messages, render, workspaces

DRAW = {
    "new": new.draw,
    "runs": runs.draw,
    "workspaces": workspaces_part.draw,
    "compare": compare.draw,
}


def draw(workspace: str) -> None:
    """The page below the frame."""
    address = arrive(*read_address(st.query_params.to_dict(), workspace, workspaces.names()))
    unfinished = sum(not job.failed for job in builds.runs())
    st.session_state["data_part"] = address.part
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        render.title("Data and runs")
        st.segmented_control(
            "Part", list(PARTS), format_func=lambda part: _name(part, unfinished), key="data_part", required=True,
            label_visibility="collapsed", on_change=_to_part, args=(address,),
        )  # fmt: skip
    messages.show()
    DRAW[address.part](address)


def _name(part: str, unfinished: int) -> str:
    return f"{PARTS[part]} ({unfinished})" if part == "runs" and unfinished else PARTS[part]


def _to_part(address: DataAddress) -> None:
    go(address.at(part=st.session_state["data_part"]))
