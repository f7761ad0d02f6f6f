"""The Fix list's way back: a list that was exported here, or in another copy of the workspace, taken in as decisions."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

import influence
from influence.exchange import Answers, plan_answers, read_answers
from influence.fixes import ImportPlan, take_in
from pages.ui.fix_list import tasks, uploads
from pages.ui.fix_list.address import FixListAddress
from pages.ui.frame import Session, md, messages, numbers, render, reviewer
from pages.ui.parts import learning

KINDS = ["csv", "tsv", "json", "jsonl", "parquet"]
KEY, TAKEN = "bring_back_file", "wt_taken_in"
MOST_LISTED = 50


def draw(session: Session, _address: FixListAddress) -> None:
    """The way out above; the upload, what taking it in would do, and the button."""
    tasks.draw(session)
    render.heading("Bring decisions back", "from a fix list, or from Label Studio, Argilla or Prodigy")
    render.hint(
        "Each row, or finished annotation, becomes a decision, in the name of whoever made it and with the time it was made. It "
        "counts only where the example here still has the text it was decided on. Nothing is written before you say so."
    )
    if not session.known:
        render.hint("The log says who brought decisions back; who are you?")
        reviewer.ask()
        return
    upload: Any = st.file_uploader("Fix list", type=KINDS, key=KEY, max_upload_size=uploads.LIMIT, label_visibility="collapsed")
    _take_back_offer(session)
    if upload is None:
        return
    try:
        with uploads.read_from(upload) as file:
            answers = read_answers(file)
        found = plan_answers(session.reviews, answers, session.reviewer)
    except influence.WordtraceError as error:
        st.error(md(error, 600))
        return
    _planned(session, found, answers, str(upload.name))


def _planned(session: Session, found: ImportPlan, answers: Answers, name: str) -> None:
    by = ", ".join(f"{count:,} by {who}" for who, count in sorted(found.counts.items()))
    render.figures(
        (
            ("New decisions", f"{found.total:,}", by or "none"),
            ("Here already", f"{found.same:,}", "the same decision stands"),
            ("Against one here", f"{len(found.clashes):,}", "what stands here stays"),
            ("Do not fit", f"{len(found.misfits):,}", f"of {found.rows:,} rows, left out"),
        )
    )
    st.button(
        f"Take in {numbers.counted(found.total, 'decision')}", key="bring_back_take", type="primary", disabled=not found.total,
        on_click=_take, args=(session, answers, name),
    )  # fmt: skip
    render.notes(found.remarks)
    if found.clashes:
        render.heading("Decided otherwise here", f"{len(found.clashes):,}")
        clashes = (f"{c.fix.example_id}: {c.reviewer} has {c.here} here, {c.fix.action} in the file" for c in found.clashes)
        render.notes(list(clashes)[:MOST_LISTED])
    if found.misfits:
        render.heading("Do not fit", f"{len(found.misfits):,}")
        render.notes(f"{one.fix.example_id}: {one.why}" for one in found.misfits[:MOST_LISTED])


def _take(session: Session, answers: Answers, name: str) -> None:
    with messages.or_say("Not taken in"):
        by = session.reviewer
        found = plan_answers(session.reviews, answers, by)  # as it is now: somebody may have decided meanwhile
        actions = take_in(session.reviews, found, by, name[:200])
        st.session_state[TAKEN] = [action.id for action in actions]
        messages.say(f"Taken in: {numbers.counted(found.total, 'decision')} from {name}.")
        learning.check(session)


def _take_back_offer(session: Session) -> None:
    """The way back from what this browser has just taken in."""
    standing = [id for id in st.session_state.get(TAKEN, ()) if not session.reviews.action(id).undone]
    if standing:
        st.button("Take that back", key="bring_back_undo", icon=":material/undo:", on_click=_undo, args=(session, standing))


def _undo(session: Session, actions: Sequence[int]) -> None:
    with messages.or_say("Not taken back"):
        for action in actions:
            session.reviews.revoke(session.reviewer, action)
        messages.say("Taken back: the decisions are as they were before.")
