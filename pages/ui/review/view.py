"""The Review page with an example on it: how far the queue is, the text, the keys, the evidence, the last decisions."""

import time
from collections.abc import Callable
from functools import partial

import streamlit as st

import influence
from influence.attribution import DEFAULT_METHOD
from influence.review import Action, Progress, Queue
from pages.ui.frame import Desk, go, md, numbers, render, script, session as desk, sheet
from pages.ui.parts import explanation_board, verdicts
from pages.ui.review import (
    buttons,
    keys,
    position,
    related,
    review_item,
)
from pages.ui.review.address import ReviewPlace
from pages.ui.review.keys import MASKING, MORE, NOTING, SHOWN, Shown
from pages.ui.review.review_item import Case

RECENT = 10

component = st.components.v2.component(
    "wordtrace_review",
    html="<div\nclass='wordtrace review'></div>",
    css=sheet("review.css"),
    js=script("review.js"),
)


def draw(mine: Desk, place: ReviewPlace) -> None:
    """The example that the address names, or the queue's next."""
    try:
        queue = mine.queues.get(place.queue) if place.queue else None
        example_id = place.id or (mine.queues.next(place.queue, mine.reviewer) if place.queue else None)
        if place.id:
            mine.reviews.corpus[place.id]
    except influence.QueryError as error:
        st.error(md(error, 600))
        _to_queues(mine)
        return
    progress = mine.queues.progress(queue.id, mine.reviewer) if queue else None
    _head(mine, place, queue, progress)
    if example_id is None:
        _finished(mine, place, progress)
        return
    if place.id and not _is_shown(place, example_id) and not mine.queues.claim(place.queue_id, example_id, mine.reviewer):
        _taken(mine, place, example_id)
        return
    _case(mine, place, queue, review_item.gather(mine, queue, example_id))


def paused(mine: Desk, place: ReviewPlace, *, on_resume: Callable[[], None]) -> None:
    """What is shown to somebody who comes back after a while."""
    st.session_state.pop(SHOWN, None)
    with st.container(key="wt-gate"):
        render.state_text("Paused", "Nothing was pressed for a while, so the example went back to its queue for others.")
        st.button("Go on", type="primary", shortcut="Enter", key="review_resume", on_click=on_resume)


def _case(mine: Desk, place: ReviewPlace, queue: Queue | None, found: Case) -> None:
    id = found.example.id
    current, picked = st.session_state.get(MASKING, ("", []))
    masking = picked if current == id else None
    actions = mine.reviews.recent(mine.reviewer, RECENT)
    with st.container(key="wt-split-review"):
        left, right = st.columns([1.35, 1], gap="large")
    with left:
        component(
            key="review_item",
            data=review_item.item(found, masking=masking),
            on_picked_change=partial(_picked, id),
        )
        if masking is None:
            buttons.decisions(mine, place, found, off=bool(st.session_state.get(NOTING)))
        else:
            buttons.masking(mine, place, found, masking)
        buttons.steps(mine, place, found, actions[:1], off=bool(st.session_state.get(NOTING)) or masking is not None)
        _strip(mine, place, actions)
    _now_shown(place, found)
    with right:
        component(key="review_evidence", data=review_item.proof(found, more=st.session_state.get(MORE, False)))
    if st.session_state.get(NOTING):
        buttons.note(mine, place, id)
    if queue is not None and (following := mine.queues.peek(queue.id, mine.reviewer, after=id)):
        related.prepare(mine.workspace, following)


def _is_shown(place: ReviewPlace, example_id: str) -> bool:
    """Whether this browser shows the example already, and so holds its lease."""
    on_screen = keys.shown()
    return on_screen is not None and (on_screen.id, on_screen.where) == (example_id, (place.workspace, place.queue))


def _now_shown(place: ReviewPlace, found: Case) -> None:
    if not _is_shown(place, found.example.id):
        score = found.suspicion.suspicion if found.suspicion and not found.hidden else None
        method = "suspicion" if score is not None else DEFAULT_METHOD
        where = (place.workspace, place.queue)
        st.session_state[SHOWN] = Shown(found.example.id, time.monotonic(), where, method, score, review_item.seen(found))


def _picked(example_id: str) -> None:
    keys.pick(example_id, str(st.session_state["review_item"].get("picked") or ""))


def _head(mine: Desk, place: ReviewPlace, queue: Queue | None, progress: Progress | None) -> None:
    message, failed = desk.said()
    with st.container(horizontal=True, vertical_alignment="center", key="wt-review-head"):
        st.button("Queues", icon=":material/list:", key="review_queues", shortcut="Q", on_click=_leave, args=(mine, place))
        with st.container(width="stretch", key="wt-review-progress"):
            if queue is None or progress is None:
                render.progress("One example", [], None, "")
            else:
                render.progress(queue.name, tags(queue), share(progress), counts(progress))
        desk.who(mine)
    render.said(message, failed=failed)


def tags(queue: Queue) -> list[str]:
    """A queue's settings, where they are not the usual ones."""
    tags = [f"{queue.overlap} opinions wanted"] if queue.overlap > 1 else []
    return tags + ["blind"] * queue.blind + ["settles conflicts"] * queue.adjudicates


def share(progress: Progress) -> float:
    """How much of a queue is done for this reviewer, 0 to 1."""
    return 1 - progress.left / progress.total if progress.total else 1.0


def counts(progress: Progress) -> str:
    """A queue in numbers."""
    parts = [f"{progress.decided:,} by you", f"{progress.settled:,} of {progress.total:,} settled", f"{progress.left:,} left"]
    if progress.flagged or progress.skipped:
        parts.insert(1, f"{progress.flagged:,} flagged, {progress.skipped:,} skipped")
    if progress.in_hand:
        parts.append(f"{progress.in_hand:,} with others now")
    if progress.seconds is not None:
        parts.append(f"{progress.seconds:.1f} s each")
    return " · ".join(parts)


def _strip(mine: Desk, place: ReviewPlace, actions: list[Action]) -> None:
    items = [
        {
            "id": action.example_ids[0] if len(action.example_ids) == 1 else "",
            "what": verdicts.of_action(action),
            "where": action.example_ids[0] if len(action.example_ids) == 1 else verdicts.origin(action) or "together",
            "when": desk.clock(action.at),
            "queue": action.queue or "",
        }
        for action in actions
    ]
    component(
        key="review_strip",
        data=explanation_board.stamped({"part": "strip", "items": items}),
        on_reopen_change=partial(_reopen, mine, place),
    )


def _reopen(mine: Desk, place: ReviewPlace) -> None:
    asked = st.session_state["review_strip"].get("reopen") or {}
    queue = str(asked.get("queue") or "")
    keys.reopen(mine, place, str(asked.get("id") or ""), queue if position.exists(mine, queue) else None)


def _leave(mine: Desk, place: ReviewPlace) -> None:
    mine.queues.leave(mine.reviewer)
    st.session_state.pop(SHOWN, None)
    keys.stop_masking()
    go(ReviewPlace(workspace=place.workspace))


def _to_queues(mine: Desk) -> None:
    st.button("All queues", key="review_all_queues", on_click=go, args=(ReviewPlace(workspace=mine.workspace.name),))


def _taken(mine: Desk, place: ReviewPlace, example_id: str) -> None:
    st.session_state.pop(SHOWN, None)
    st.info(f"Another reviewer has {md(example_id)} on screen just now.")
    with st.container(horizontal=True):
        buttons.steps_only(mine, place, example_id)


def _finished(mine: Desk, place: ReviewPlace, progress: Progress | None) -> None:
    st.session_state.pop(SHOWN, None)
    waiting = progress.in_hand if progress else 0
    if waiting:
        text = f"The last {waiting} are on other reviewers' screens; what they skip comes back to you."
    else:
        text = "Every example of this queue is decided, flagged or skipped by you, or decided by the others."
    actions = mine.reviews.recent(mine.reviewer, RECENT)
    with st.container(key="wt-gate"):
        render.state_text("Nothing left for you here", text)
        if progress and progress.seconds:
            render.hint(f"You took {numbers.duration(progress.seconds)} an example.")
        with st.container(horizontal=True):
            buttons.undo(mine, place, "", actions[:1], off=False)
            _to_queues(mine)
    _strip(mine, place, actions)
