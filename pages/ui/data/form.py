"""What a file is read as: shown, changed where it was found wrongly, and for text that is not Unicode chosen by its look."""

from typing import Any

import pandas as pd
import streamlit as st

from influence.reading import ENCODINGS
from pages.ui.data.address import DELIMITERS, DataAddress
from pages.ui.frame import bind, go, render

OTHER = "another"


def draw(address: DataAddress, answer: dict[str, Any]) -> None:
    """One line of what was found, with a way to say otherwise."""
    said = [f"Read as {answer['form']}" if answer.get("form") else ""]
    if answer.get("test_form") and answer["test_form"] != answer["form"]:
        said.append(f"the test file as {answer['test_form']}")
    with st.container(horizontal=True, vertical_alignment="center", key="wt-form"):
        render.hint("; ".join(said) + ".")
        with st.popover("Read it otherwise", type="tertiary"):
            st.selectbox(
                "Between the fields", list(DELIMITERS), format_func=DELIMITERS.__getitem__,
                **bind(address, "delimiter", "data_delimiter"),
            )  # fmt: skip
            st.selectbox(
                "Encoding, where the file is not Unicode", ["", *ENCODINGS], format_func=lambda name: name or "to be found",
                **bind(address, "encoding", "data_encoding"),
            )  # fmt: skip


def choose_encoding(address: DataAddress, offered: dict[str, list[list[Any]]]) -> None:
    """What the first lines that tell look like in each likely encoding, and a button that takes it."""
    render.step(2, "Which encoding is it in?", "the file is not Unicode: choose the one in which these lines read right")
    names = [*offered, OTHER]
    with st.container(border=True, key="wt-encoding"):
        named: str | None = st.radio("Encoding", names, key="data_offered", horizontal=True, label_visibility="collapsed")
        if named == OTHER:
            others = [name for name in ENCODINGS if name not in offered]
            named = st.selectbox("Another one", others, index=None, placeholder="choose one", key="data_other_encoding")
        else:
            lines = pd.DataFrame(offered[str(named)], columns=["line", "reads"])
            widths = {"line": st.column_config.NumberColumn(width="small"), "reads": st.column_config.TextColumn(width="large")}
            st.dataframe(lines, hide_index=True, key="data_encoding_lines", column_config=widths)
        st.button(
            f"Read it as {named or '…'}", key="data_take_encoding", type="primary", disabled=not named, on_click=_take,
            args=(address, named),
        )  # fmt: skip


def _take(address: DataAddress, encoding: str) -> None:
    go(address.at(encoding=encoding))
