"""The Review page with an example on it: how far the queue is, the text, the keys, the evidence, the last decisions."""

from collections.abc import Callable

import streamlit as st

import influence
from influence.review import Queue, QueueProgress, control_results
from pages.ui.frame import Session, component, go, md, numbers, render
from pages.ui.parts import scales
from pages.ui.review import deck, following, hands, review_item
from pages.ui.review.address import ReviewAddress
from pages.ui.review.hands import Touch
from pages.ui.review.review_item import ReviewItem

_evidence = component("review", "review/view")


def draw(session: Session, address: ReviewAddress, touch: Touch) -> None:
    """The example that the address names, or the queue's next; `touch` is told that somebody is there."""
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
        _finished(session, address, queue, progress, touch)
        return
    if (
        address.id
        and not hands.is_shown(address, example_id)
        and not session.queues.claim(address.queue_id, example_id, session.reviewer)
    ):
        _taken(session, address, example_id)
        return
    _case(session, address, queue, example_id, touch)
    if queue is not None:
        if following.follow(session, queue):
            st.rerun()  # what was fetched ahead is in the old order
        scales.refresh(session, queue)


def paused(session: Session, address: ReviewAddress, *, on_resume: Callable[[], None]) -> None:
    """What is shown to somebody who comes back after a while."""
    hands.clear()
    with st.container(key="wt-gate"):
        render.state_text("Paused", "Nothing was pressed for a while, so the example went back to its queue for others.")
        st.button("Go on", type="primary", shortcut="Enter", key="review_resume", on_click=on_resume)


def _case(session: Session, address: ReviewAddress, queue: Queue | None, example_id: str, touch: Touch) -> None:
    with st.container(key="wt-split-review"):
        left, right = st.columns([1.35, 1], gap="large")
    with left:
        found = review_item.gather(session, queue, example_id, wait=False)
        if queue is not None:
            _scale(session, queue, found)
        deck.draw(session, address, queue, found, touch)
        if queue is not None:
            following.draw(session, queue)
    if found.related is None:  # the deck is on screen already; nobody waits for the evidence to decide
        found = review_item.gather(session, queue, example_id, wait=True)
    with right:
        _evidence(key="review_evidence", data=review_item.proof(found, more=st.session_state.get(hands.MORE, False)))
    hands.prove(address, example_id, review_item.proven(found))


def _head(session: Session, address: ReviewAddress, queue: Queue | None, progress: QueueProgress | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="wt-review-head"):
        st.button("Queues", icon=":material/list:", key="review_queues", shortcut="Q", on_click=_leave, args=(session, address))
        with st.container(width="stretch", key="wt-review-progress"):
            if queue is None or progress is None:
                render.progress("One example", [], None, "")
            else:
                render.progress(queue.name, tags(queue), share(progress), counts(progress))
        session.show_name()


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


def _leave(session: Session, address: ReviewAddress) -> None:
    session.queues.leave(session.reviewer)
    hands.clear()
    go(ReviewAddress(workspace=address.workspace))


def _to_queues(session: Session) -> None:
    st.button("All queues", key="review_all_queues", on_click=go, args=(ReviewAddress(workspace=session.workspace.name),))


def _taken(session: Session, address: ReviewAddress, example_id: str) -> None:
    hands.clear()
    st.info(f"Another reviewer has {md(example_id)} on screen just now.")
    with st.container(horizontal=True):
        if address.queue:
            st.button("Next", key="review_pass", shortcut="J", on_click=_pass, args=(session, address, example_id))
        _to_queues(session)


def _pass(session: Session, address: ReviewAddress, example_id: str) -> None:
    go(address.at(id=session.queues.next(address.queue, session.reviewer, after=example_id) or ""))


def _finished(
    session: Session, address: ReviewAddress, queue: Queue | None, progress: QueueProgress | None, touch: Touch
) -> None:
    hands.clear()
    waiting = progress.in_hand if progress else 0
    if waiting:
        text = f"The last {waiting} are on other reviewers' screens; what they skip comes back to you."
    else:
        text = "Every example of this queue is decided, flagged or skipped by you, or decided by the others."
    with st.container(key="wt-gate"):
        render.state_text("Nothing left for you here", text)
        if progress and progress.seconds:
            render.hint(f"You took {numbers.duration(progress.seconds)} an example.")
        if queue is not None:
            _outcome(session, queue)
        _to_queues(session)
    deck.draw(session, address, queue, None, touch)


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
