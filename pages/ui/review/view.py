"""The Review page with an example on it: how far the queue is, the text, the keys, the evidence, the last decisions."""

import time
from collections.abc import Callable
from functools import partial
from typing import TypedDict

import streamlit as st

import influence
from influence.attribution import DEFAULT_METHOD
from influence.review import Action, Queue, QueueProgress, control_results
from pages.ui.frame import Session, component, go, md, messages, numbers, render
from pages.ui.parts import scales, stamped, verdicts
from pages.ui.review import buttons, following, keys, position, related, review_item
from pages.ui.review.address import ReviewAddress
from pages.ui.review.keys import MASKING, MORE, NOTING, SHOWN, Shown
from pages.ui.review.review_item import ReviewItem

RECENT = 10

_component = component("review", "review/view")


class StripItem(TypedDict):
    """One of the last decisions."""

    id: str  # of its example; "" where there are several
    what: str
    where: str
    when: str
    queue: str


def draw(session: Session, address: ReviewAddress) -> None:
    """The example that the address names, or the queue's next."""
    try:
        queue = session.queues.get(address.queue) if address.queue else None
        if queue is not None and not address.id:
            following.follow(session, queue)  # nothing is on screen yet; else it waits until all is drawn
            queue = session.queues.get(address.queue)
        example_id = address.id or (session.queues.next(address.queue, session.reviewer) if address.queue else None)
        if address.id:
            session.reviews.corpus[address.id]
    except influence.QueryError as error:
        st.error(md(error, 600))
        _to_queues(session)
        return
    progress = session.queues.progress(queue.id, session.reviewer) if queue else None
    _head(session, address, queue, progress)
    if example_id is None:
        _finished(session, address, queue, progress)
        return
    if (
        address.id
        and not _is_shown(address, example_id)
        and not session.queues.claim(address.queue_id, example_id, session.reviewer)
    ):
        _taken(session, address, example_id)
        return
    _case(session, address, queue, review_item.gather(session, queue, example_id))
    if queue is not None:
        following.follow(session, queue)
        scales.refresh(session, queue)


def paused(session: Session, address: ReviewAddress, *, on_resume: Callable[[], None]) -> None:
    """What is shown to somebody who comes back after a while."""
    st.session_state.pop(SHOWN, None)
    with st.container(key="wt-gate"):
        render.state_text("Paused", "Nothing was pressed for a while, so the example went back to its queue for others.")
        st.button("Go on", type="primary", shortcut="Enter", key="review_resume", on_click=on_resume)


def _case(session: Session, address: ReviewAddress, queue: Queue | None, found: ReviewItem) -> None:
    id = found.example.id
    current, picked = st.session_state.get(MASKING, ("", []))
    masking = picked if current == id else None
    if queue is not None:
        _scale(session, queue, found)
    actions = session.reviews.recent(session.reviewer, RECENT)
    with st.container(key="wt-split-review"):
        left, right = st.columns([1.35, 1], gap="large")
    with left:
        _component(key="review_item", data=review_item.item(found, masking=masking), on_picked_change=partial(_picked, id))
        if masking is None:
            buttons.decisions(session, address, found, off=bool(st.session_state.get(NOTING)))
        else:
            buttons.masking(session, address, found, masking)
        buttons.steps(session, address, found, actions[:1], off=bool(st.session_state.get(NOTING)) or masking is not None)
        _strip(session, address, actions)
        if queue is not None:
            following.draw(session, queue)
    _now_shown(address, found)
    with right:
        _component(key="review_evidence", data=review_item.proof(found, more=st.session_state.get(MORE, False)))
    if st.session_state.get(NOTING):
        buttons.note(session, address, id)
    if queue is not None:
        _prepare(session, queue.id, after=id)


def _prepare(session: Session, queue: str, *, after: str) -> None:
    """Have the evidence ready on what comes next, here and at the browsers of others."""
    for id in session.queues.coming(queue, session.reviewer, after=after, most=2):
        label = session.reviews.shown(id, queue).label if session.reviews.is_control(id, queue) else None
        related.prepare(session.workspace, id, label)


def _is_shown(address: ReviewAddress, example_id: str) -> bool:
    """Whether this browser shows the example already, and so holds its lease."""
    on_screen = keys.shown()
    return on_screen is not None and (on_screen.id, on_screen.where) == (example_id, (address.workspace, address.queue))


def _now_shown(address: ReviewAddress, found: ReviewItem) -> None:
    if not _is_shown(address, found.example.id):
        score = found.suspicion.suspicion if found.suspicion and not found.hidden and not found.guarded else None
        method = "suspicion" if score is not None else DEFAULT_METHOD
        where = (address.workspace, address.queue)
        st.session_state[SHOWN] = Shown(found.example.id, time.monotonic(), where, method, score, review_item.seen(found))


def _picked(example_id: str) -> None:
    keys.pick(example_id, str(st.session_state["review_item"].get("picked") or ""))


def _head(session: Session, address: ReviewAddress, queue: Queue | None, progress: QueueProgress | None) -> None:
    message, failed = messages.said()
    with st.container(horizontal=True, vertical_alignment="center", key="wt-review-head"):
        st.button("Queues", icon=":material/list:", key="review_queues", shortcut="Q", on_click=_leave, args=(session, address))
        with st.container(width="stretch", key="wt-review-progress"):
            if queue is None or progress is None:
                render.progress("One example", [], None, "")
            else:
                render.progress(queue.name, tags(queue), share(progress), counts(progress))
        session.show_name()
    render.said(message, failed=failed)


def _scale(session: Session, queue: Queue, item: ReviewItem) -> None:
    """How decisions bear out the ranking where this example stands; its rank would give a planted control away."""
    found = scales.of_queue(session, queue)
    if found is None:
        return
    told = None if item.guarded or item.hidden else item.suspicion
    at = "" if told is None else scales.level(found, told.rank, session.workspace.info.n_train)
    if text := scales.line(at, scales.left(found, " in this queue")):
        render.hint(text)


def tags(queue: Queue) -> list[str]:
    """A queue's settings, where they are not the usual ones."""
    tags = [f"{queue.overlap} opinions wanted"] if queue.overlap > 1 else []
    tags += ["blind"] * queue.blind + ["settles conflicts"] * queue.adjudicates
    return tags + ["planted controls"] * bool(queue.controls)


def share(progress: QueueProgress) -> float:
    """How much of a queue is done for this reviewer, 0 to 1."""
    return 1 - progress.left / progress.total if progress.total else 1.0


def counts(progress: QueueProgress) -> str:
    """A queue in numbers."""
    parts = [f"{progress.decided:,} by you", f"{progress.settled:,} of {progress.total:,} settled", f"{progress.left:,} left"]
    if progress.flagged or progress.skipped:
        parts.insert(1, f"{progress.flagged:,} flagged, {progress.skipped:,} skipped")
    if progress.in_hand:
        parts.append(f"{progress.in_hand:,} with others now")
    if progress.seconds is not None:
        parts.append(f"{progress.seconds:.1f} s each")
    return " · ".join(parts)


def _strip(session: Session, address: ReviewAddress, actions: list[Action]) -> None:
    items: list[StripItem] = [
        {
            "id": action.example_ids[0] if len(action.example_ids) == 1 else "",
            "what": verdicts.of_action(action),
            "where": action.example_ids[0] if len(action.example_ids) == 1 else verdicts.origin(action) or "together",
            "when": numbers.clock(action.at),
            "queue": action.queue or "",
        }
        for action in actions
    ]
    _component(
        key="review_strip",
        data=stamped({"part": "strip", "items": items}),
        on_reopen_change=partial(_reopen, session, address),
    )


def _reopen(session: Session, address: ReviewAddress) -> None:
    asked = st.session_state["review_strip"].get("reopen") or {}
    queue = str(asked.get("queue") or "")
    keys.reopen(session, address, str(asked.get("id") or ""), queue if position.exists(session, queue) else None)


def _leave(session: Session, address: ReviewAddress) -> None:
    session.queues.leave(session.reviewer)
    st.session_state.pop(SHOWN, None)
    keys.stop_masking()
    go(ReviewAddress(workspace=address.workspace))


def _to_queues(session: Session) -> None:
    st.button("All queues", key="review_all_queues", on_click=go, args=(ReviewAddress(workspace=session.workspace.name),))


def _taken(session: Session, address: ReviewAddress, example_id: str) -> None:
    st.session_state.pop(SHOWN, None)
    st.info(f"Another reviewer has {md(example_id)} on screen just now.")
    with st.container(horizontal=True):
        buttons.steps_only(session, address, example_id)


def _finished(session: Session, address: ReviewAddress, queue: Queue | None, progress: QueueProgress | None) -> None:
    st.session_state.pop(SHOWN, None)
    waiting = progress.in_hand if progress else 0
    if waiting:
        text = f"The last {waiting} are on other reviewers' screens; what they skip comes back to you."
    else:
        text = "Every example of this queue is decided, flagged or skipped by you, or decided by the others."
    actions = session.reviews.recent(session.reviewer, RECENT)
    with st.container(key="wt-gate"):
        render.state_text("Nothing left for you here", text)
        if progress and progress.seconds:
            render.hint(f"You took {numbers.duration(progress.seconds)} an example.")
        if queue is not None:
            _outcome(session, queue)
        with st.container(horizontal=True):
            buttons.undo(session, address, "", actions[:1], off=False)
            _to_queues(session)
    _strip(session, address, actions)


def _outcome(session: Session, queue: Queue) -> None:
    """What a finished queue says of the ranking, and of the reviewer where controls were planted."""
    scales.refresh(session, queue, exact=True)
    found = scales.of_queue(session, queue)
    if found is not None and (text := scales.line(scales.left(found, " in this queue"), scales.stop(found))):
        render.hint(text)
    for one in control_results(session.reviews, queue.id):
        if one.reviewer == session.reviewer.name:
            shown = one.caught + one.missed + one.flagged
            unsure = f", flagged {one.flagged:,}" if one.flagged else ""
            render.hint(f"Of {shown:,} planted controls you caught {one.caught:,}{unsure} and kept {one.missed:,}.")
