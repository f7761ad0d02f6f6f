"""How the suspects are ranked here: by which opinions, what they cost, what the test split may say, and when it is made again."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from influence.errors import WorkspaceError
from influence.suspects import Choices, read_choices, write_choices
from pages.ui.frame import Session, messages, numbers, render
from pages.ui.jobs import waiting
from pages.ui.parts import learning, scales

CHECKED, BALANCE, EVERY = "how_checked", "how_balance", "how_every"
MOST_EVERY = 10_000
SAVED = "Kept for this workspace; it counts from the next ranking on."


def draw(session: Session) -> None:
    """What decisions say about the ranking, its making, and the button that makes it again."""
    found = scales.whole(session.workspace, session.reviews)
    if found is not None:
        known = [scales.left(found), scales.stop(found)]
        render.hint(scales.line(*known) if any(known) else scales.line(*found.sentences))
    if learning.running(session.workspace):
        waiting.draw(session.workspace, learning.COMMAND)
    with st.expander("How it is ranked", key="wt-how"):
        try:
            chosen = read_choices(session.workspace.path)
        except WorkspaceError as error:
            st.error(render.md(error, 600))
            return
        _opinions(session)
        _switches(session, chosen)


def _opinions(session: Session) -> None:
    made = learning.made_of(session.workspace)
    frame = _as_table(made.get("opinions") or [])
    if frame is None:
        render.hint(
            "This ranking was made by an older Wordtrace, from the workspace's own model; ranking again brings more opinions."
        )
    else:
        render.hint(
            "Each opinion gives every example probabilities of all labels, without having seen its label; they are averaged, "
            "and made once more without learning from the labels that looked wrong. "
            "The own model alone was trained on these labels, so how often it agrees is told of the test split."
        )
        st.dataframe(frame, hide_index=True, key="how_opinions")
    decided = session.reviews.decided_count()
    learnt = learning.learnt_from(session.workspace)
    took = numbers.duration(made.get("seconds", 0))
    said = (
        f"Learnt from {numbers.counted(learnt, 'decided example')} of {decided:,}"
        if decided or learnt
        else "Nothing is decided yet"
    )
    render.hint(f"{said}; the ranking took {took}.")


def _as_table(opinions: Any) -> pd.DataFrame | None:
    """Opinions as the ranking lists them: names, how often each is of the given label, weights, seconds."""
    rows = [one for one in opinions if isinstance(one, dict) and "name" in one]
    if not rows:
        return None
    return pd.DataFrame(
        {
            "opinion": [str(one["name"]) for one in rows],
            "agrees with the given label": [_number(one.get("accuracy"), ".1%") for one in rows],
            "weight": [_number(one.get("weight"), ".2g") for one in rows],
            "seconds": [_number(one.get("seconds"), ",.1f") for one in rows],
        }
    )


def _number(value: Any, how: str) -> str:
    return format(value, how) if isinstance(value, int | float) else "–"


def _switches(session: Session, chosen: Choices) -> None:
    state, save = st.session_state, partial(_save, session)
    state[CHECKED], state[BALANCE], state[EVERY] = chosen.test_labels_checked, chosen.use_test_balance, chosen.learn_every
    st.toggle(
        "My test labels are checked", key=CHECKED, on_change=save, args=("test_labels_checked", CHECKED),
        help="Then a model that is trained on the test split counts as an opinion, too. Where they are not, their mistakes "
        "would be taught to the ranking.",
    )  # fmt: skip
    st.toggle(
        "Use the test split's label balance", key=BALANCE, on_change=save, args=("use_test_balance", BALANCE),
        help="Opinions are scaled to how often each label occurs in the test split. Switch it off where that is not how often "
        "it should occur in the training data.",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Rank again after so many decisions", 0, MOST_EVERY, step=10, key=EVERY, on_change=save,
            args=("learn_every", EVERY), width=260, help="In the background; 0: only when asked to",
        )  # fmt: skip
        st.button(
            "Rank again now", key="how_again", on_click=learning.again, args=(session,),
            disabled=learning.running(session.workspace),
        )  # fmt: skip


def _save(session: Session, field: str, key: str) -> None:
    with messages.or_say("Not kept"):
        choices: Choices = read_choices(session.workspace.path)
        change: Callable[..., Choices] = replace
        write_choices(session.workspace.path, change(choices, **{field: st.session_state[key]}))
        messages.say(SAVED)
