"""The Explore page: a list of test sentences, one of them read closely, or a text of the reader's own."""

import streamlit as st

import influence
from pages.ui.explore import listing, own_text, reading
from pages.ui.explore.address import SOURCES, read_address
from pages.ui.frame import arrive, bind, shell


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame. A fragment: a click here does not draw the frame again."""
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    if address.own or not address.id:
        binding = bind(address.listing().at(own=address.own), "own", "explore_own")
        shell.title_and_parts("Explore", SOURCES, binding, name="Source")
    if address.own:
        own_text.form(workspace, address)
        if address.text:
            reading.draw(workspace, address)
    elif address.id:
        reading.draw(workspace, address)
    else:
        listing.draw(workspace, address)
