"""The Review page before a queue is chosen: the queues there are, and what new ones can be made of."""

import streamlit as st

from influence.review import FLAGGED, Queue, conflicts
from pages.ui.frame import Session, answers, go, md, messages, render, shell
from pages.ui.parts import Source, queues, suspicions
from pages.ui.review import view
from pages.ui.review.address import ReviewAddress

SIZES = {50: "50", 200: "200", 1_000: "1,000", 0: "all"}
OPINIONS = [1, 2, 3]
CONTROLS = {0.0: "none", 0.02: "1 in 50", 0.05: "1 in 20"}
MOST_QUEUES = 30
HOW = (
    "One example at a time, with the evidence beside it; every button has its key.",
    "Numbers give a label, K keeps, X removes, M masks words, F flags what you are not sure of, S skips.",
    "A decision is on disk before the next example comes. U takes it back, without end.",
    "Several people can work one queue: nobody gets what another has on screen.",
)


def draw(session: Session, address: ReviewAddress) -> None:
    """The page."""
    with st.container(horizontal=True, vertical_alignment="center", key="wt-title"):
        with st.container(width="stretch", key="wt-review-title"):
            render.title("Review")
        session.show_name()
    messages.show()
    for warning in session.reviews.warnings:
        st.warning(md(warning, 400))
    if address.test:
        _behind(session, address)
    flagged, queues = session.reviews.flagged(session.reviewer), session.queues.all()[::-1][:MOST_QUEUES]
    with st.container(key="wt-split-queues"):
        left, right = st.columns([1.3, 1], gap="large")
    with left if queues or flagged else right:
        _open_queues(session, address, queues, flagged)
    with right if queues or flagged else left:
        _new_queues(session, first=not queues)


def _start(session: Session, source: Source, *, whole: bool = False) -> None:
    """Make a queue as the switches are set at the click; of the whole source where there are no switches beside it."""
    state = st.session_state
    if whole:
        queue = queues.make(session, source)
    else:
        size = 0 if source.adjudicates else state["queue_size"]
        blind, controls = state["queue_blind"] == "blind", state.get("queue_controls", 0.0)
        queue = queues.make(session, source, size=size, opinions=state["queue_opinions"], blind=blind, controls=controls)
    if queue is not None:
        go(ReviewAddress(workspace=session.workspace.name, queue=queue))


def _open_queues(session: Session, address: ReviewAddress, queues: list[Queue], flagged: list[str]) -> None:
    if not queues and not flagged:
        render.heading("How it works")
        render.notes(HOW)
        return
    render.heading("Queues", f"{len(queues)} open" if queues else "")
    for queue in queues:
        _row(session, address, queue)
    if flagged:
        with st.container(horizontal=True, vertical_alignment="center", key="wt-queue-flagged"):
            with st.container(key="wt-queue-name-flagged", width="stretch"):
                render.progress("My flagged ones", [], None, f"{len(flagged):,} that you were not sure of")
            st.button("Open", key="queue_flagged", on_click=go, args=(ReviewAddress(workspace=address.workspace, queue=FLAGGED),))


def _row(session: Session, address: ReviewAddress, queue: Queue) -> None:
    progress = session.queues.progress(queue.id, session.reviewer)
    with st.container(horizontal=True, vertical_alignment="center", key=f"wt-queue-{queue.id}"):
        with st.container(key=f"wt-queue-name-{queue.id}", width="stretch"):
            render.progress(queue.name, view.tags(queue), view.share(progress), view.counts(progress))
        there = ReviewAddress(workspace=address.workspace, queue=queue.id)
        st.button(
            "Continue" if progress.decided else "Start", key=f"queue_{queue.id}", on_click=go, args=(there,),
            type="primary" if progress.left else "secondary",
        )  # fmt: skip
        st.button(
            "Close", key=f"queue_close_{queue.id}", type="tertiary", on_click=_close, args=(session, queue),
            help="Takes it off this list; its decisions stay",
        )  # fmt: skip


def _close(session: Session, queue: Queue) -> None:
    session.queues.change(session.reviewer, queue.id, closed=True)
    messages.say(f"Closed: {queue.name}")


def _new_queues(session: Session, *, first: bool) -> None:
    render.heading("A new queue")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control("Examples", list(SIZES), format_func=SIZES.__getitem__, default=200, required=True, key="queue_size")
        st.segmented_control(
            "Opinions on each", OPINIONS, default=1, required=True, key="queue_opinions",
            help="How many reviewers each example is wanted from",
        )  # fmt: skip
        st.segmented_control(
            "Others and the model", ["shown", "blind"], default="shown", required=True, key="queue_blind",
            help="Blind: what others decided and what the model suggests stay hidden until you have decided",
        )  # fmt: skip
        if suspicions.known(session.workspace) and len(session.workspace.info.labels) > 1:
            st.segmented_control(
                "Planted controls", list(CONTROLS), format_func=CONTROLS.__getitem__, default=0.0, required=True,
                key="queue_controls",
                help="Surely right examples under a wrong label, spread through the queue to measure its reviewers. What is "
                "answered to one is no decision. Why an example is ranked where it is stays hidden in such a queue.",
            )  # fmt: skip
    for number, source in enumerate(_sources(session)):
        with st.container(horizontal=True, vertical_alignment="center", key=f"wt-source-{source.key}"):
            with st.container(key=f"wt-source-name-{source.key}", width="stretch"):
                render.progress(source.name, [], None, source.about)
            st.button(
                "Start", key=f"source_{source.key}", on_click=_start, disabled=not source.ids,
                type="primary" if first and number == 0 else "secondary",
                args=(session, source),
            )  # fmt: skip
    if not suspicions.known(session.workspace):
        shell.link("suspects", "Compute the suspects first for the best order", workspace=session.workspace.name)
    shell.link("clusters", "Or review a whole cluster", workspace=session.workspace.name)


def _sources(session: Session) -> list[Source]:
    contradicted = answers.contradicted(session.workspace)
    found = []
    if suspicions.known(session.workspace):
        ids = suspicions.ranked_ids(session.workspace)
        about = f"{len(ids):,}, the most suspicious first; one in ten from anywhere, to tell how many are left"
        found.append(Source("suspects", "All suspects", about, ids, {"kind": "suspects"}))
    about = f"{len(contradicted):,} training examples whose label the model does not predict, the surest first"
    found.append(Source("contradicted", "Labels the model contradicts", about, contradicted, {"kind": "contradicted"}))
    if open_conflicts := conflicts(session.reviews):
        ids = [conflict.example_id for conflict in open_conflicts]
        about = f"{len(ids):,} on which reviewers disagree; your decision settles them"
        found.append(Source("conflicts", "Conflicts", about, ids, {"kind": "conflicts"}, adjudicates=True))
    return found


def _behind(session: Session, address: ReviewAddress) -> None:
    """The offer that a link from a wrong prediction makes."""
    ids = suspicions.ids_behind(session.workspace, address.test)
    source = Source("test", f"Behind {address.test}", "", ids, {"kind": "test", "test": address.test})
    with st.container(border=True, key="wt-behind"):
        if ids:
            render.heading(f"Behind the test sentence {address.test}", f"{len(ids):,} suspects, the strongest first")
            st.button(
                "Review them", type="primary", key="source_test", on_click=_start, args=(session, source), kwargs={"whole": True}
            )
        else:
            render.hint(f"No suspect stands behind the test sentence {address.test}.")
