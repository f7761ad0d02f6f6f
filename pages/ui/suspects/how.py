"""How the suspects are ranked here: by which opinions, what they cost, what the test split may say, and when it is made again."""

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from influence.errors import DataError, WorkspaceError
from influence.opinion_files import Kept, add_files_apart, forget, kept_opinions
from influence.suspects import Choices, read_choices, write_choices
from pages.ui.frame import Session, messages, numbers, render
from pages.ui.jobs import waiting
from pages.ui.parts import learning, scales

CHECKED, BALANCE, EVERY = "how_checked", "how_balance", "how_every"
MOST_EVERY = 10_000
UPLOAD, UPLOADS_MADE, CHOSEN = "how_file", "wt_how_files", "how_forgotten"
LIMIT, LONGEST = 50, 60  # megabytes of a file of opinions (a larger one is for the command), and characters of its name
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
        _others(session)
        _switches(session, chosen)


def _opinions(session: Session) -> None:
    made = learning.made_of(session.workspace)
    frame = _as_table(made.get("opinions") or [], session.workspace.info.n_train)
    if frame is None:
        render.hint(
            "This ranking was made by an older Wordtrace, from the workspace's own model; ranking again brings more opinions."
        )
    else:
        render.hint(
            "Each opinion gives every example probabilities of all labels, without having seen its label; they are averaged, "
            "and made once more without learning from the labels that looked wrong. "
            "The own model alone was trained on these labels, so how often it agrees is told of the test split. "
            "What comes in files counts for the examples that it speaks of."
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


def _as_table(opinions: Any, count: int) -> pd.DataFrame | None:
    """Opinions as the ranking lists them: names, of how many examples, how often each is right, weights, seconds."""
    rows = [one for one in opinions if isinstance(one, dict) and "name" in one]
    if not rows:
        return None
    columns = {
        "opinion": [str(one["name"]) for one in rows],
        "speaks of": [f"{one['examples']:,} of {count:,}" if isinstance(one.get("examples"), int) else "all" for one in rows],
        "agrees with the given label": [_number(one.get("accuracy"), ".1%") for one in rows],
        "believed to be right": [_number(one.get("reliability"), ".1%") for one in rows],
        "weight": [_number(one.get("weight"), ".2g") for one in rows],
        "seconds": [_number(one.get("seconds"), ",.1f") for one in rows],
    }
    if not any("reliability" in one for one in rows):  # nobody has brought one in a file
        columns = {name: values for name, values in columns.items() if name not in ("speaks of", "believed to be right")}
    return pd.DataFrame(columns)


def _number(value: Any, how: str) -> str:
    return format(value, how) if isinstance(value, int | float) else "–"


def _others(session: Session) -> None:
    """Opinions that others bring in files: what is kept, a way to add one, and one to be rid of it."""
    render.heading("Opinions of others", "another model, an LLM, several annotators")
    try:
        kept = kept_opinions(session.workspace.path)
    except WorkspaceError as error:
        st.error(render.md(error, 600))
        return
    counted = {one.get("sha256") for one in learning.made_of(session.workspace).get("opinions") or [] if isinstance(one, dict)}
    waiting_ones = [one.name for one in kept if one.sha256 not in counted]
    if waiting_ones:
        names = ", ".join(waiting_ones[:10]) + (", …" if len(waiting_ones) > 10 else "")
        render.hint(f"Not counted yet, but from the next ranking on: {names}.")
    render.hint(
        "A CSV, JSONL or Parquet file with a column example_id, and label, or p_LABEL for each label; with a column name where "
        "there are several. It may cover any part of the examples."
    )
    key = f"{UPLOAD}_{st.session_state.get(UPLOADS_MADE, 0)}"
    st.file_uploader(
        "File of opinions", key=key, max_upload_size=LIMIT, label_visibility="collapsed", on_change=_add, args=(session, key)
    )
    if kept:
        _forgetting(session, kept)


def _forgetting(session: Session, kept: list[Kept]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        about = {one.name: f"{one.name} ({numbers.counted(one.examples, 'example')}, from {one.source})" for one in kept}
        st.selectbox("Kept by this workspace", list(about), format_func=about.__getitem__, key=CHOSEN, width=420)
        st.button("Forget it", key="how_forget", icon=":material/delete:", on_click=_forget, args=(session,))


def _add(session: Session, key: str) -> None:
    upload: Any = st.session_state.get(key)
    if upload is None:
        return
    name = re.sub(r"[^\w .()+@-]", "_", str(upload.name))[-LONGEST:]  # one that any disk takes; the opinion is called by it
    with messages.or_say("Not added"), tempfile.TemporaryDirectory(prefix="wordtrace-opinions-") as folder:
        file = Path(folder, name)
        try:
            file.write_bytes(upload.getvalue())
            notes = add_files_apart(session.workspace.path, [str(file)])
        except DataError as error:
            raise DataError(str(error).replace(str(file), name)) from error
        st.session_state[UPLOADS_MADE] = st.session_state.get(UPLOADS_MADE, 0) + 1  # an empty place for the next one
        messages.say(" ".join([f"Added: {name}.", *(f"{note}." for note in notes)]).replace(str(file), name))
        learning.again(session)


def _forget(session: Session) -> None:
    with messages.or_say("Not forgotten"):
        name = str(st.session_state[CHOSEN])
        forget(session.workspace.path, name)
        messages.say(f"Forgotten: {name}.")
        learning.again(session)


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
