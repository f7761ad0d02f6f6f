"""The Review page: a choice of queues, or one example of a queue at a time."""

import time

import streamlit as st

import influence
from pages.ui.frame import Desk, address as places, session as desk
from pages.ui.review import address, keys, queue_choice, view

RENEW = 30  # seconds; a lease lasts 90
PAUSE_AFTER = 600  # seconds without a key, from which an example goes back to its queue
PAUSED, TOUCHED = "wt_review_paused", "wt_review_touched"


def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    mine = desk.sit_down(workspace)
    _page(mine)
    _heartbeat(mine)


@st.fragment
def _page(mine: Desk) -> None:
    """A fragment: a key press does not draw the frame again."""
    if not mine.known:
        st.rerun()  # another name is to be asked for, which is the whole page's business
    place = places.arrive(*address.read(st.query_params.to_dict(), mine.workspace))
    if st.session_state.get(PAUSED):
        view.paused(mine, place, on_resume=touch)
        return
    if place.queue or place.id:
        view.draw(mine, place)
    else:
        queue_choice.draw(mine, place)


def touch() -> None:
    """Somebody is there. Only for callbacks."""
    st.session_state[PAUSED] = False
    st.session_state[TOUCHED] = time.monotonic()


@st.fragment(run_every=RENEW)
def _heartbeat(mine: Desk) -> None:
    """Renews the lease of what is on screen while somebody is there; an example must not stay locked by who has left."""
    on_screen = keys.shown()
    if on_screen is None or not mine.known or st.session_state.get(PAUSED):
        return
    last = max(st.session_state.get(TOUCHED, 0.0), on_screen.since)
    away = time.monotonic() - last > PAUSE_AFTER
    if away:
        mine.queues.leave(mine.reviewer)
    # A lease that cannot be renewed has run out while the browser was asleep, or another browser of theirs has taken it.
    if away or not mine.queues.renew(mine.reviewer):
        st.session_state[PAUSED] = True
        st.rerun()
