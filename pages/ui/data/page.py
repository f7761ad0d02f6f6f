"""The Data page: a new workspace step by step, the builds, the workspaces, and two of them compared."""

import streamlit as st

from pages.ui.data import candidates, compare, new, runs, stored, workspaces as workspaces_part
from pages.ui.data.address import PARTS, read_address
from pages.ui.frame import arrive, bind, messages, shell, workspaces
from pages.ui.jobs import builds

DRAW = {
    "new": new.draw,
    "candidates": candidates.draw,
    "runs": runs.draw,
    "workspaces": workspaces_part.draw,
    "compare": compare.draw,
    "files": stored.draw,
}


def draw(workspace: str) -> None:
    """The page below the frame."""
    address = arrive(*read_address(st.query_params.to_dict(), workspace, workspaces.names()))
    unfinished = sum(not job.failed for job in builds.runs())
    parts = PARTS | ({"runs": f"{PARTS['runs']} ({unfinished})"} if unfinished else {})
    shell.title_and_parts("Data", parts, bind(address, "part", "data_part"))
    messages.show()
    DRAW[address.part](address)
