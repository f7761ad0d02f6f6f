"""The Explore page: a list of test sentences, one of them read closely, or a text of the reader's own."""

import streamlit as st

import influence
from pages.ui.explore import listing, own_text, reading
from pages.ui.explore.address import ExploreAddress, read_address
from pages.ui.frame import arrive, go, render


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame. A fragment: a click here does not draw the frame again."""
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    if address.own or not address.id:
        _tabs(address)
    if address.own:
        own_text.form(workspace, address)
        if address.text:
            reading.draw(workspace, address)
    elif address.id:
        reading.draw(workspace, address)
    else:
        listing.draw(workspace, address)


def _tabs(address: ExploreAddress) -> None:
    names = {0: "Test sentences", 1: "Your own text"}
    st.session_state["explore_own"] = address.own
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        render.title("Explore")
        st.segmented_control(
            "Source", list(names), format_func=names.__getitem__, key="explore_own", required=True, label_visibility="collapsed",
            on_change=_change, args=(address,),
        )  # fmt: skip


def _change(address: ExploreAddress) -> None:
    go(address.listing().at(own=st.session_state["explore_own"]))
