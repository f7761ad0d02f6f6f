"""A message that a callback leaves for the next drawing of the page."""

import streamlit as st

from pages.ui.frame import render

SAID = "wt_said"


def say(message: str, *, failed: bool = False) -> None:
    """Leave a message for the next drawing. For callbacks."""
    st.session_state[SAID] = (message, failed)


def said() -> tuple[str, bool]:
    """The message that a callback left for this drawing, and whether it tells of a failure."""
    message, failed = st.session_state.pop(SAID, ("", False))
    return str(message), bool(failed)


def show() -> None:
    """Show the message that a callback left for this drawing, if one did."""
    message, failed = said()
    if message:
        render.said(message, failed=failed)
