"""What decisions say about the ranking, in the words of the screen. Before any decision it is a rank and nothing more."""

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
    key, file = (str(session.workspace.path), queue.id), suspicions.published_file(session.workspace)
    version, now, found = session.reviews.version, time.monotonic(), _latest.get(key)
    if found is not None and found[0] == file:
        behind = version - found[1]
        if behind == 0 or (not exact and (behind < STALE or now - found[2] < REST)):
            return
    ids = Queues(session.reviews).example_ids(queue.id, NOBODY)
    inside = [id for id in ids if not session.reviews.is_control(id, queue.id)]
    _latest[key] = (file, version, now, scale(session.workspace, session.reviews, inside))


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
