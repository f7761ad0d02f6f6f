"""The form in which the reader types a text of their own."""

import hashlib

import streamlit as st

import influence
from pages.ui.explore.address import FIRST, LONGEST_TEXT, ExploreAddress
from pages.ui.frame import go


def form(workspace: influence.Workspace, address: ExploreAddress) -> None:
    """One text field, or two where the workspace classifies pairs."""
    # Keys follow the address's text, so that Back brings the text back too.
    stamp = hashlib.sha256(f"{address.text}\0{address.pair}".encode()).hexdigest()[:8]
    keys = [f"explore_text_{stamp}", f"explore_pair_{stamp}"][: 2 if workspace.info.has_pairs else 1]
    with st.form(f"explore_form_{stamp}", border=True):
        for key, name, value in zip(keys, ("Text", "Second text"), (address.text, address.pair), strict=False):
            st.text_area(name, value, key=key, height=80, max_chars=LONGEST_TEXT)
        st.form_submit_button("Explain", type="primary", on_click=_explain, args=(address, keys))


def _explain(address: ExploreAddress, keys: list[str]) -> None:
    text, pair = [*(st.session_state[key] for key in keys), ""][:2]
    go(address.at(own=1, id="", text=text, pair=pair, pin="", top=FIRST))
