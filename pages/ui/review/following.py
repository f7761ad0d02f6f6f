"""A queue of suspects and the ranking that it follows: when, and what that moved."""

from collections import Counter
from typing import NamedTuple

import streamlit as st

from influence.review import Move, Queue
from influence.suspects import suspect
from pages.ui.frame import Session, numbers, render
from pages.ui.parts import learning, suspicions

NEXT = 50  # examples that "what comes next" is about
LISTED = 8
KEPT = 256
_followed: dict[tuple[str, str, str, str], None] = {}  # workspace, its reviews, queue and ranking that were looked at


class Moved(NamedTuple):
    """What the last new ranking did to the examples that come next."""

    next: int
    new: int  # of those, that were not among as many before
    label: str  # given to most of the new ones; "" where none is
    climbed: list[str]  # the new ones that came up furthest, a line each


def follow(session: Session, queue: Queue) -> bool:
    """Put what is open in the queue in the order of the published ranking, once; says so at the browser that came upon it.

    Returns whether that has changed the order now.
    """
    if not queue.learns or not suspicions.known(session.workspace):
        return False
    ranking = suspicions.ranking(session.workspace)
    key = (str(session.workspace.path), str(session.reviews.log.store), queue.id, ranking)
    if key in _followed:
        return False
    _followed[key] = None
    while len(_followed) > KEPT:
        del _followed[next(iter(_followed))]
    suspected, decisions = suspicions.ranked_ids(session.workspace), learning.learnt_from(session.workspace)
    changed = session.queues.follow(queue.id, session.reviewer, suspected, ranking=ranking, decisions=decisions)
    if changed:
        st.toast("Ranked again: what comes next is in a new order.")
    return changed


def draw(session: Session, queue: Queue) -> None:
    """What the last new ranking moved, and the button for another."""
    if not queue.learns or not suspicions.known(session.workspace):
        return
    moved = _moved(str(session.workspace.path), queue.id, queue.ranking, session) if queue.reranked else None
    learnt, decided = learning.learnt_from(session.workspace), session.reviews.decided_count()
    with st.expander(_summary(queue, moved), key=f"wt-moved-{queue.id}"):
        if moved is not None and queue.controls:
            render.hint("Which ones moved stays hidden in a queue with planted controls.")
        elif moved is not None and moved.climbed:
            render.notes(moved.climbed)
        every = learning.choices(session.workspace).learn_every
        when = f"it is ranked again after every {every:,}" if every else "it is ranked again only when asked to"
        render.hint(f"This ranking has learnt from {learnt:,} of {numbers.counted(decided, 'decided example')}; {when}.")
        st.button("Rank again now", key="review_rank_again", on_click=learning.again, args=(session,))


def _summary(queue: Queue, moved: Moved | None) -> str:
    if moved is None:
        return "The ranking learns from decisions"
    after = f"Ranked again after {numbers.counted(queue.decisions, 'decision')}"
    if not moved.new:
        return f"{after}: the next {moved.next:,} are the same"
    mostly = f"; mostly “{render.md(moved.label, 40)}” rows" if moved.label else ""
    return f"{after}: {moved.new:,} of the next {moved.next:,} are new{mostly}"


@st.cache_resource(max_entries=32, show_spinner=False)
def _moved(workspace: str, queue: str, ranking: str, _session: Session) -> Moved:
    found = _session.queues.moves(queue)
    coming = found[:NEXT]
    new = [move for move in coming if move.before is None or move.before > NEXT]
    corpus = _session.reviews.corpus
    labels = Counter(corpus[move.example_id].label for move in new)
    label, count = labels.most_common(1)[0] if labels else ("", 0)
    climbed = sorted(new, key=lambda move: -_climb(move, len(found)))[:LISTED]
    return Moved(len(coming), len(new), label if 2 * count > len(new) else "", [_line(_session, move) for move in climbed])


def _climb(move: Move, size: int) -> int:
    return (size + 1 if move.before is None else move.before) - move.place


def _line(session: Session, move: Move) -> str:
    before = "new in this queue" if move.before is None else f"from place {move.before:,}"
    return f"{move.example_id}: {before} to place {move.place:,}; {suspect(session.workspace, move.example_id).reason}"
