"""The first step of a new workspace: which file, uploaded, on the server, or from the Hub; and a test file, if there is one."""

import streamlit as st

from pages.ui.data import files as data_files
from pages.ui.data.address import FILE, HUB, DataAddress, is_hub_id
from pages.ui.frame import go, messages, render

WAYS = {"upload": "Upload", "server": "On this server", "hub": "Hugging Face"}
WAY = "data_way"


def draw(address: DataAddress) -> None:
    """The chosen files with a way back, or the ways to choose one."""
    render.step(1, "Your data", "one row an example: a text (or two) and a label")
    if address.train:
        _chosen(address)
        return
    files = data_files.listing()
    with st.container(border=True, key="wt-choice"):
        way = st.segmented_control(
            "Where is it?", list(WAYS), format_func=WAYS.__getitem__, default="upload", required=True, key=WAY,
            label_visibility="collapsed",
        )  # fmt: skip
        if way == "upload":
            _upload(address, "train", "Training data")
            render.hint(
                f"CSV, TSV, JSON, JSONL or Parquet, in gzip or not, up to {data_files.UPLOAD_LIMIT} MB. It stays on this "
                "server; Files lists it and removes it."
            )
        elif way == "server":
            _from_listing(address, "train", files, "Training data")
            render.hint(f"Files under {data_files.folder()}, uploads among them.")
        else:
            _hub(address)


def _chosen(address: DataAddress) -> None:
    files = data_files.listing()
    with st.container(border=True, key="wt-choice"):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="stretch"):
                render.facts(
                    [("Training data", _about(address.train, address.source, files)), ("Test data", _test(address, files))]
                )
            st.button("Other data", key="data_other", icon=":material/undo:", on_click=go, args=(_blank(address),))
        if address.source == FILE and not address.test:
            with st.expander("I have a test file"):
                others = {name: file for name, file in files.items() if name != address.train}
                _upload(address, "test", "Upload a test file")
                if others:
                    _from_listing(address, "test", others, "or choose one on this server")
        elif address.source == FILE:
            st.button("Without the test file", key="data_no_test", type="tertiary", on_click=go, args=(address.at(test=""),))
        else:
            st.session_state["data_hub_test"] = bool(address.test)
            st.checkbox(
                "The data set has a test split", key="data_hub_test", on_change=_hub_test, args=(address,),
            )  # fmt: skip


def _about(name: str, source: str, files: dict[str, data_files.DataFile]) -> str:
    return f"{name} on the Hugging Face Hub" if source == HUB else files[name].about


def _test(address: DataAddress, files: dict[str, data_files.DataFile]) -> str:
    if address.source == HUB and address.test:
        return "its test split"
    if address.test:
        return files[address.test].about
    return f"{address.share} % of the rows will be set aside, each label in its proportion"


def _blank(address: DataAddress) -> DataAddress:
    return DataAddress(workspace=address.workspace, model=address.model, weights=address.weights)


def _upload(address: DataAddress, role: str, label: str) -> None:
    key = f"data_upload_{role}"
    st.file_uploader(
        label, type=data_files.KINDS, key=key, max_upload_size=data_files.UPLOAD_LIMIT,
        on_change=_keep, args=(address, role, key), label_visibility="collapsed" if role == "train" else "visible",
    )  # fmt: skip


def _keep(address: DataAddress, role: str, key: str) -> None:
    if (name := data_files.taken(key)) is not None:
        go(_with(address, role, name))


def _with(address: DataAddress, role: str, name: str) -> DataAddress:
    if role == "test":
        return address.at(test=name)
    return _blank(address).at(source=FILE, train=name)


def _from_listing(address: DataAddress, role: str, files: dict[str, data_files.DataFile], label: str) -> None:
    key = f"data_file_{role}"
    if not files:
        render.hint("There is no data file there yet.")
        return
    st.selectbox(
        label, list(files), format_func=lambda name: files[name].about, index=None, key=key, placeholder="choose a file",
        on_change=_take, args=(address, role, key),
    )  # fmt: skip


def _take(address: DataAddress, role: str, key: str) -> None:
    if (name := st.session_state[key]) is not None:
        go(_with(address, role, name))


def _hub(address: DataAddress) -> None:
    with st.form("data_hub_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Data set id", key="data_hub", placeholder="owner/name", max_chars=200, width="stretch")
        st.form_submit_button("Look", on_click=_take_hub, args=(address,))
    render.hint("Needs a network, where the server runs. Its train split is trained on.")


def _take_hub(address: DataAddress) -> None:
    name = st.session_state["data_hub"].strip()
    if not is_hub_id(name):
        messages.say(f"{name[:80]!r} is not a Hub id: they look like owner/name", failed=True)
        return
    go(_blank(address).at(source=HUB, train=name))


def _hub_test(address: DataAddress) -> None:
    go(address.at(test="test" if st.session_state["data_hub_test"] else ""))
