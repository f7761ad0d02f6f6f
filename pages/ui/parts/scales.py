"""What decisions say about the ranking, in the words of the screen. Before any decision it is a rank and nothing more."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

import influence
from influence.review import Queue, Queues, Reviewer, Reviews
from influence.suspects import Scale, scale, wrong_chances
from pages.ui.frame import Session
from pages.ui.parts import suspicions

T = TypeVar("T")
STALE, REST = 5, 3.0  # decisions, and seconds, after which what is said of a queue is worked out anew
NOBODY = Reviewer(name="nobody")  # a queue's examples are the same for all
_working = threading.Lock()
_latest: dict[tuple[str, str], tuple[str, int, float, Scale]] = {}  # by workspace and queue: of which ranking and log, and when


def whole(workspace: influence.Workspace, reviews: Reviews) -> Scale | None:
    """What the decisions say about the whole ranking; None where there is none."""
    return _worked_out(scale, workspace, reviews)


def chances(workspace: influence.Workspace, reviews: Reviews) -> pd.Series | None:
    """The chance that each training label is wrong, by id, as far as decisions tell; None before enough is decided."""
    return _worked_out(wrong_chances, workspace, reviews)


def _worked_out(work: Callable[[influence.Workspace, Reviews], T], workspace: influence.Workspace, reviews: Reviews) -> T | None:
    """Once for every ranking and every state of the log; None where there is no ranking."""
    if not suspicions.known(workspace):
        return None
    found: T = _kept(work.__name__, suspicions.published_file(workspace), reviews.version, lambda: work(workspace, reviews))
    return found


@st.cache_resource(max_entries=16, show_spinner=False)
def _kept(what: str, file: str, version: int, _work: Callable[[], Any]) -> Any:
    return _work()


def of_queue(session: Session, queue: Queue) -> Scale | None:
    """What was last worked out about a queue; worked out now where that never was."""
    if not queue.learns or not suspicions.known(session.workspace):
        return None
    key = (str(session.workspace.path), queue.id)
    if key not in _latest:
        refresh(session, queue)
    return _latest[key][3]


def refresh(session: Session, queue: Queue, *, exact: bool = False) -> None:
    """Work out anew what decisions say about a queue, if some have come since. To be called when all is drawn.

    While a queue is worked through, a few decisions more or less may pass; `exact` lets none pass.
    """
    if not queue.learns or not suspicions.known(session.workspace):
        return
    key = (str(session.workspace.path), queue.id)
    if _is_fresh(session, key, exact=exact) or not _working.acquire(blocking=exact or key not in _latest):
        return  # or somebody else is at it
    try:
        if not _is_fresh(session, key, exact=exact):  # whoever was waited for has seen to it
            file, version = suspicions.published_file(session.workspace), session.reviews.version
            ids = Queues(session.reviews).example_ids(queue.id, NOBODY)
            inside = [id for id in ids if not session.reviews.is_control(id, queue.id)]
            _latest[key] = (file, version, time.monotonic(), scale(session.workspace, session.reviews, inside))
    finally:
        _working.release()


def _is_fresh(session: Session, key: tuple[str, str], *, exact: bool) -> bool:
    if key not in _latest:
        return False
    file, version, made, _ = _latest[key]
    if file != suspicions.published_file(session.workspace):
        return False
    behind = session.reviews.version - version
    return behind == 0 or (not exact and (behind < STALE or time.monotonic() - made < REST))


def level(found: Scale, rank: int, total: int) -> str:
    """Where an example stands, and how many of those judged there were wrong."""
    there = found.level_of(rank)
    place = f"rank {rank:,} of {total:,}"
    return place if not there.judged else f"{place}: of {there.judged:,} judged at this level, {there.wrong:,} were wrong"


def left(found: Scale, where: str = "") -> str:
    """How many wrong labels are expected to be left; "" before enough is decided."""
    if found.left is None:
        return ""
    many = f"about {found.left.expected:,.0f} wrong labels are left{where}"
    return f"{many} ({found.left.low:,} to {found.left.high:,})"


def stop(found: Scale) -> str:
    """What a reviewer may stop by; "" before enough is decided."""
    if found.left is None or found.recent is None:
        return ""
    held = f"the last {found.recent.judged:,} judged held {found.recent.wrong:,}"
    return f"{held}; at most {found.left.upper:,} are left at 95 %"


def line(*parts: str) -> str:
    """Remarks as one line that begins with a capital letter."""
    text = " · ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]
