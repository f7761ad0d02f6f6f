"""Examples on which reviewers disagree, and the way to settle them."""

import streamlit as st

from influence.review import Resolution
from pages.ui.frame import Session, render
from pages.ui.parts import Source, queues, verdicts

MOST_LISTED = 50


def draw(session: Session, found: list[Resolution], *, remark: str) -> None:
    """The disagreements, what each reviewer says, and a button that makes a queue of them for an adjudicator."""
    render.heading("Disagreements", f"{len(found):,}")
    if not found:
        render.hint("None that is not settled.")
        return
    if remark:
        render.hint(remark)
    render.notes(_in_words(one) for one in found[:MOST_LISTED])
    if session.known:
        ids = [one.example_id for one in found]
        source = Source("conflicts", "Conflicts", "", ids, {"kind": "conflicts"}, adjudicates=True)
        st.button("Settle them in Review", key="fix_settle", on_click=queues.make_and_open, args=(session, source))


def _in_words(one: Resolution) -> str:
    sides = "; ".join(f"{d.reviewer} {verdicts.of_decision(d)}" for d in one.decisions)
    return f"{one.example_id}: {sides}" + ("" if one.decision is None else f" ({one.how})")
