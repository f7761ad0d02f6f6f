"""What a page says of what was done: a message that a callback leaves for the next drawing, and why the engine refuses."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

import influence
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


@contextmanager
def or_say(what: str) -> Iterator[None]:
    """Where the engine refuses what the block does, leave the reason for the next drawing. For callbacks."""
    try:
        yield
    except influence.WordtraceError as error:
        say(f"{what}: {error}", failed=True)


@contextmanager
def or_show() -> Iterator[None]:
    """Where the engine refuses what the block draws, show the reason."""
    try:
        yield
    except influence.WordtraceError as error:
        st.error(render.md(error, 600))
