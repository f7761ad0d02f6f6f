"""The first step of a new workspace: which file, uploaded, on the server, or from the Hub; and a test file, if there is one."""

from typing import Any

import streamlit as st

import influence
from pages.ui.data import files as data_files
from pages.ui.data.address import FILE, HUB, DataPlace, is_hub_id
from pages.ui.frame import go, render, session as desk

KINDS = [suffix.removeprefix(".") for suffix in data_files.SUFFIXES]
WAYS = {"upload": "Upload", "server": "On this server", "hub": "Hugging Face"}
WAY = "data_way"


def draw(place: DataPlace) -> None:
    """The chosen files with a way back, or the ways to choose one."""
    render.step(1, "Your data", "one row an example: a text (or two) and a label")
    if place.train:
        _chosen(place)
        return
    files = data_files.listing()
    with st.container(border=True, key="wt-choice"):
        way = st.segmented_control(
            "Where is it?", list(WAYS), format_func=WAYS.get, default="upload", required=True, key=WAY,
            label_visibility="collapsed",
        )  # fmt: skip
        if way == "upload":
            _upload(place, "train", "Training data")
            render.hint(
                f"CSV, TSV, JSONL or Parquet, up to {data_files.UPLOAD_LIMIT} MB. It stays on this server, in "
                f"{data_files.folder()}."
            )
        elif way == "server":
            _from_listing(place, "train", files, "Training data")
            render.hint(f"Files under {data_files.folder()}, uploads among them.")
        else:
            _hub(place)


def _chosen(place: DataPlace) -> None:
    files = data_files.listing()
    with st.container(border=True, key="wt-choice"):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="stretch"):
                render.facts([("Training data", _about(place.train, place.source, files)), ("Test data", _test(place, files))])
            st.button("Other data", key="data_other", icon=":material/undo:", on_click=go, args=(_blank(place),))
        if place.source == FILE and not place.test:
            with st.expander("I have a test file"):
                others = {name: file for name, file in files.items() if name != place.train}
                _upload(place, "test", "Upload a test file")
                if others:
                    _from_listing(place, "test", others, "or choose one on this server")
        elif place.source == FILE:
            st.button("Without the test file", key="data_no_test", type="tertiary", on_click=go, args=(place.at(test=""),))
        else:
            st.session_state["data_hub_test"] = bool(place.test)
            st.checkbox(
                "The data set has a test split", key="data_hub_test", on_change=_hub_test, args=(place,),
            )  # fmt: skip


def _about(name: str, source: str, files: dict[str, data_files.DataFile]) -> str:
    return f"{name} on the Hugging Face Hub" if source == HUB else files[name].about


def _test(place: DataPlace, files: dict[str, data_files.DataFile]) -> str:
    if place.source == HUB and place.test:
        return "its test split"
    if place.test:
        return files[place.test].about
    return f"{place.share} % of the rows will be set aside, each label in its proportion"


def _blank(place: DataPlace) -> DataPlace:
    return DataPlace(workspace=place.workspace, model=place.model, weights=place.weights)


def _upload(place: DataPlace, role: str, label: str) -> None:
    key = f"data_upload_{role}"
    st.file_uploader(
        label, type=KINDS, key=key, max_upload_size=data_files.UPLOAD_LIMIT, on_change=_keep, args=(place, role, key),
        label_visibility="collapsed" if role == "train" else "visible",
    )  # fmt: skip


def _keep(place: DataPlace, role: str, key: str) -> None:
    upload: Any = st.session_state[key]
    if upload is None:
        return
    try:
        name = data_files.keep_upload(upload.name, upload.getvalue())
    except influence.WordtraceError as error:
        desk.say(str(error), failed=True)
        return
    go(_with(place, role, name))


def _with(place: DataPlace, role: str, name: str) -> DataPlace:
    if role == "test":
        return place.at(test=name)
    return _blank(place).at(source=FILE, train=name)


def _from_listing(place: DataPlace, role: str, files: dict[str, data_files.DataFile], label: str) -> None:
    key = f"data_file_{role}"
    if not files:
        render.hint("There is no data file there yet.")
        return
    st.selectbox(
        label, list(files), format_func=lambda name: files[name].about, index=None, key=key, placeholder="choose a file",
        on_change=_take, args=(place, role, key),
    )  # fmt: skip


def _take(place: DataPlace, role: str, key: str) -> None:
    if (name := st.session_state[key]) is not None:
        go(_with(place, role, name))


def _hub(place: DataPlace) -> None:
    with st.form("data_hub_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Data set id", key="data_hub", placeholder="owner/name", max_chars=200, width="stretch")
        st.form_submit_button("Look", on_click=_take_hub, args=(place,))
    render.hint("Needs a network, where the server runs. Its train split is trained on.")


def _take_hub(place: DataPlace) -> None:
    name = st.session_state["data_hub"].strip()
    if not is_hub_id(name):
        desk.say(f"{name[:80]!r} is not a Hub id: they look like owner/name", failed=True)
        return
    go(_blank(place).at(source=HUB, train=name))


def _hub_test(place: DataPlace) -> None:
    go(place.at(test="test" if st.session_state["data_hub_test"] else ""))
