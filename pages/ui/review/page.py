"""The Review page: a choice of queues, or one example of a queue at a time."""

import time

import streamlit as st

import influence
from pages.ui.frame import Session, arrive
from pages.ui.parts import learning
from pages.ui.review import hands, queue_choice, view
from pages.ui.review.address import read_address

RENEW = 30  # seconds; a lease lasts 90
PAUSE_AFTER = 600  # seconds without a key, from which an example goes back to its queue
PAUSED, TOUCHED = "wt_review_paused", "wt_review_touched"


def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    session = Session.of_reviewer(workspace)
    _page(session)
    _heartbeat(session)


@st.fragment
def _page(session: Session) -> None:
    """A fragment: a key press does not draw the frame again."""
    if not session.known:
        st.rerun()  # another name is to be asked for, which is the whole page's business
    address = arrive(*read_address(st.query_params.to_dict(), session.workspace))
    if st.session_state.get(PAUSED):
        view.paused(session, address, on_resume=touch)
        return
    if address.queue or address.id:
        view.draw(session, address, touch)
        learning.check(session)  # when all is on screen: nobody waits for it
    else:
        queue_choice.draw(session, address)


def touch() -> None:
    """Somebody is there. Only for callbacks."""
    st.session_state[PAUSED] = False
    st.session_state[TOUCHED] = time.monotonic()


@st.fragment(run_every=RENEW)
def _heartbeat(session: Session) -> None:
    """Renews the lease of what is on screen while somebody is there; an example must not stay locked by who has left."""
    on_screen = hands.shown()
    if on_screen is None or not session.known or st.session_state.get(PAUSED):
        return
    last = max(st.session_state.get(TOUCHED, 0.0), on_screen.since)
    away = time.monotonic() - last > PAUSE_AFTER
    if away:
        session.queues.leave(session.reviewer)
    # A lease that cannot be renewed has run out while the browser was asleep, or another browser of theirs has taken it.
    if away or not session.queues.renew(session.reviewer):
        st.session_state[PAUSED] = True
        st.rerun()
