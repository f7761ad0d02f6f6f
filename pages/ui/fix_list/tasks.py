"""The Fix list's way out to annotation tools: the suspects that wait for a decision, as tasks to be judged there."""

from functools import partial

import streamlit as st

import influence
from influence.exchange import DEFAULT_TOP, TOOLS, task_files
from pages.ui.fix_list import downloads
from pages.ui.frame import Session, md, render
from pages.ui.parts import suspicions

TOOL, COUNT = "tasks_tool", "tasks_count"


def draw(session: Session) -> None:
    """The tool, how many, and the download."""
    if not suspicions.known(session.workspace):
        return
    done = {decision.example_id for decision in session.reviews.decisions()}
    ids = [id for id in suspicions.ranked_ids(session.workspace) if id not in done]
    if not ids:
        return
    render.heading("Have suspects judged elsewhere", f"{len(ids):,} wait for a decision")
    render.hint(
        "As tasks for an annotation tool, the most suspicious first: the text, the label in the data, the suggested one with its "
        "score, the reason, and the words that Review lights. What the tool exports then comes back below as decisions."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tool = st.selectbox("Tool", list(TOOLS), format_func=TOOLS.__getitem__, key=TOOL, width=170)
        count = st.number_input("Suspects", 1, len(ids), min(DEFAULT_TOP, len(ids)), key=COUNT, width=130)
        try:
            task_files(session.workspace, tool, [])
        except influence.WordtraceError as error:
            st.error(md(error, 600))
            return
        st.download_button(
            "Tasks", key="tasks_download", icon=":material/download:",
            data=partial(downloads.tasks, session.workspace, tool, ids[: int(count)]),
            file_name=f"{session.workspace.name}-{tool}.zip", mime="application/zip", on_click="ignore",
            help="A zip that is made when you press; a hundred take some seconds",
        )  # fmt: skip
