"""The part itself: a workspace, a file of new rows, the mistakes to be helped, and what was found."""

import streamlit as st

import influence
from influence.candidates import RANKS
from pages.ui.data import DataAddress, files
from pages.ui.data.candidates import asking, listing
from pages.ui.frame import bind, go, md, messages, render, workspaces
from pages.ui.jobs import Job, builds, waiting

EVERY = 1.0  # seconds between looks
UPLOAD = "candidates_upload"
RANK_NAMES = {"influence": "by influence", "relative": "by influence for its length", "alike": "by likeness of the texts"}
ABOUT_RANKS = "; ".join(f"{name}: {RANKS[rank]}" for rank, name in RANK_NAMES.items()) + (
    ". Where it was measured, rows alike to the mistakes helped these most (docs/candidates.md)"
)


def draw(address: DataAddress) -> None:
    """The whole part."""
    if not address.workspace:
        render.hint("There is no workspace yet: build one first.")
        return
    try:
        workspace = workspaces.open_named(address.workspace)
    except influence.WorkspaceError as error:
        st.error(md(error, 600))
        return
    for field in ("given", "said"):
        if getattr(address, field) not in ("", *workspace.info.labels):
            address = address.at(**{field: ""})
    _ask(workspace, address)
    if not address.new:
        return
    try:
        asked = asking.options(workspace, address)
        key = asking.key_of(workspace, address, asked)
    except influence.WordtraceError as error:
        st.error(md(error, 600))
        return
    _answer(workspace, address, asked, key)


def _ask(workspace: influence.Workspace, address: DataAddress) -> None:
    """The file, and what is to be helped."""
    render.heading("Which new rows would help?", f"ranked for the mistakes of {workspace.name}")
    listed = files.listing()
    with st.container(border=True, key="wt-candidates"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox(
                "File of new rows", list(listed), format_func=lambda name: listed[name].about, placeholder="choose a file",
                **bind(address, "new", "candidates_file", empty=None, page=1),
            )  # fmt: skip
            st.file_uploader(
                "or upload one",
                type=files.KINDS,
                key=UPLOAD,
                max_upload_size=files.UPLOAD_LIMIT,
                on_change=_keep,
                args=(address,),
            )
        labels = ["", *workspace.info.labels]
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for field, label in (("given", "Mistakes with the label"), ("said", "taken for")):
                st.selectbox(
                    label, labels, format_func=lambda name: name or "any", disabled=bool(address.sentence),
                    **bind(address, field, f"candidates_{field}", page=1),
                )  # fmt: skip
            st.text_input(
                "or one test sentence, by its id", max_chars=200, placeholder="all the mistakes",
                **bind(address, "sentence", "candidates_sentence", page=1),
            )  # fmt: skip
            st.selectbox(
                "Order", list(RANKS), format_func=RANK_NAMES.__getitem__, help=ABOUT_RANKS,
                **bind(address, "rank", "candidates_rank", page=1),
            )  # fmt: skip
        st.checkbox(
            "Leave the file's labels alone: take each row by its most probable label",
            key="candidates_unlabelled", value=bool(address.unlabelled), on_change=_unlabelled, args=(address,),
        )  # fmt: skip


def _unlabelled(address: DataAddress) -> None:
    go(address.at(unlabelled=int(st.session_state["candidates_unlabelled"]), page=1))


def _keep(address: DataAddress) -> None:
    if (name := files.taken(UPLOAD)) is not None:
        go(address.at(new=name, page=1))


def _answer(workspace: influence.Workspace, address: DataAddress, asked: list[str], key: str) -> None:
    """The ranking, else how far it is, else the button that starts it."""
    file, job = asking.file_of(key), asking.job_of(key)
    if job is not None and job.failed:
        st.error(md(builds.complaint(job), 600))
        st.button("Try again", key="candidates_again", icon=":material/refresh:", on_click=job.dismiss)
    elif job is not None:
        _wait(key)
    elif file is None:
        st.button(
            "Rank the rows", key="candidates_start", type="primary", icon=":material/sort:", on_click=_start,
            args=(workspace, asked, key),
        )  # fmt: skip
        render.hint(
            "Every row goes through every checkpoint once: seconds for thousands of rows by a small model, minutes by a larger."
        )
    else:
        try:
            found = asking.ranking(str(file), file.stat().st_mtime)
        except (influence.WordtraceError, OSError) as error:
            st.error(md(error, 600))
            return
        listing.draw(address, found)


def _start(workspace: influence.Workspace, asked: list[str], key: str) -> None:
    with messages.or_say("Not started"):
        asking.start(workspace, asked, key)


@st.fragment(run_every=EVERY)
def _wait(key: str) -> None:
    job: Job | None = asking.job_of(key)
    if job is None or job.failed:
        st.rerun()
    assert job is not None
    waiting.draw_job(job)
