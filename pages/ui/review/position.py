"""Where an example stands in its queue."""

import streamlit as st

import influence
from influence.review import FLAGGED
from pages.ui.frame import Session


def before(session: Session, queue: str, example_id: str) -> str | None:
    """The example before one in its queue, decided or not; None at the front."""
    if queue == FLAGGED:
        ids = session.queues.example_ids(queue, session.reviewer)
        at = ids.index(example_id) if example_id in ids else 0
        return ids[at - 1] if at else None
    places = _places(str(session.workspace.build), queue, session.queues.get(queue).ranking, session)
    at = places.get(example_id, 0)
    return list(places)[at - 1] if at else None


def exists(session: Session, queue: str) -> bool:
    """Whether there is such a queue."""
    try:
        session.queues.get(queue)
    except influence.QueryError:
        return False
    return True


@st.cache_resource(max_entries=32, show_spinner=False)
def _places(build: str, queue: str, ranking: str, _mine: Session) -> dict[str, int]:
    # A queue's examples stay as they are once it is made, until it follows another ranking.
    return {id: at for at, id in enumerate(_mine.queues.example_ids(queue, _mine.reviewer))}
