"""A new workspace: the data, what is in it, the model, and the start. Each step is there once the one before is done."""

import streamlit as st

import influence
from pages.ui.data import choice, form, orders, report, start
from pages.ui.data.address import HUB, DataAddress
from pages.ui.frame import md, render
from pages.ui.jobs import Job, builds

EVERY = 0.7  # seconds between looks at a report that is being made


def draw(address: DataAddress) -> None:
    """The whole part."""
    choice.draw(address)
    if not address.train:
        return
    try:
        options = address.data_options()
        key = address.stamp(options)
        orders.ask(key, options, "report")
    except influence.WordtraceError as error:
        st.error(md(error, 600))
        return
    answer, job = orders.answer(key), orders.asked(key)
    if answer is not None and answer.get("encodings"):
        form.choose_encoding(address, answer["encodings"])
        return
    if answer is not None:
        report.columns(address, answer)
        form.draw(address, answer)
    if job is not None and not job.failed:
        _wait(key, shown=answer is not None)
    if job is not None and job.failed:
        _failed(address, job, has_columns=answer is not None)
    if answer is not None and answer["report"] is not None:
        report.report(answer)
        start.draw(address, answer)


@st.fragment(run_every=EVERY)
def _wait(key: str, *, shown: bool) -> None:
    job, answer = orders.asked(key), orders.answer(key)
    if job is None or job.failed or (answer is not None and not shown) or (answer is not None and answer["report"]):
        st.rerun()
    with st.container(key="wt-reading"):
        doing = "Looking for repeats and contradictions…" if shown else "Reading the data…"
        render.progress(doing, [], None, "waits for another report" if job is not None and job.started_at is None else "")
        st.skeleton(height=120)


def _failed(address: DataAddress, job: Job, *, has_columns: bool) -> None:
    st.error(md(builds.complaint(job), 600))
    if has_columns:
        render.hint("Choose other columns above, or another file.")
    elif address.source == HUB:
        render.hint("The Hub needs a network. A file that is on this machine, or uploaded, does not.")
    st.button("Try again", key="data_again", icon=":material/refresh:", on_click=job.dismiss)
