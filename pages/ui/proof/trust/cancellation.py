"""Proof's cancellation: in which layer the training examples' gradients add up, and where they cancel."""

import pandas as pd
import streamlit as st

import influence
from influence.explanations import cancellation_table
from pages.ui.frame import numbers, render
from pages.ui.jobs import compute
from pages.ui.parts import STILL
from pages.ui.proof.trust import charts, wording

CANCELLATION, CANCELLATION_TITLE = "cancellation", "Cancellation by layer"
EMPTY = (
    "For those who choose between methods: which layer's gradients are worth looking at. Where many examples pull the weights to "
    "and fro, their gradients cancel, and a gradient says little about what an example changed. The paper looks at the word "
    "embedding because they cancel least there. Measured from the gradients of the checkpoints, without any training."
)


def draw(workspace: influence.Workspace) -> None:
    """The whole part."""
    table = cancellation_table(workspace)
    if table is None:
        render.hint(EMPTY)
        if len(workspace.info.checkpoints) < 2:
            render.hint("This workspace has a single checkpoint; it takes two to see how the weights have changed.")
            return
        st.button(
            "Measure it", type="primary", icon=":material/play_arrow:", key="proof_run_cancellation",
            on_click=compute.start, args=(workspace, CANCELLATION, [], CANCELLATION_TITLE),
        )  # fmt: skip
        return
    said, sure = wording.cancellation(table)
    render.verdict(said, sure=sure)
    st.plotly_chart(charts.cancellation(table), key="proof_cancellation", config=STILL)
    render.hint("Further right: more cancels out. Only ratios between layers mean anything.")
    st.dataframe(_rows(table), hide_index=True, key="proof_cancellation_table", width="stretch", height="content")


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "layer": table["layer"],
            "called": table["role"],
            "part": table["part"],
            "parameters": [f"{count:,}" for count in table["parameters"]],
            "C = G / ΔW": [_short(ratio) for ratio in table["ratio"]],
            "G": [_short(value) for value in table["gradient"]],
            "ΔW": [_short(value) for value in table["change"]],
            "mean cosine": ["–" if pd.isna(value) else f"{value:+.3f}".replace("-", numbers.MINUS) for value in table["cosine"]],
        }
    )


def _short(value: float) -> str:
    return "–" if pd.isna(value) else f"{float(f'{value:.3g}'):,g}"
