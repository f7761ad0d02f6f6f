"""The engine's answers, kept for the next rerun by the build they are from and what was asked; results are read-only."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

import influence
from influence.experiments import Comparison, compare

# How a cache tells workspaces apart.
BY_BUILD: dict[str | type[Any], Callable[[Any], Any]] = {influence.Workspace: lambda workspace: str(workspace.build)}


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_BUILD)
def explanation(workspace: influence.Workspace, **question: Any) -> influence.Explanation:
    """`influence.explain`, remembered. Raises what it raises."""
    return influence.explain(workspace, **question)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=BY_BUILD)
def matching(workspace: influence.Workspace, filter: influence.TestFilter) -> list[str]:
    """Ids of all test examples under a filter, in the order the list shows them."""
    _, page = workspace.search_tests(filter, limit=workspace.info.n_test)
    return [str(id) for id in page["id"]]


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=BY_BUILD)
def confusion(workspace: influence.Workspace) -> pd.DataFrame:
    """Test counts: rows are the given labels, columns the predicted ones."""
    return workspace.confusion()


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=BY_BUILD)
def contradicted(workspace: influence.Workspace) -> list[str]:
    """Ids of the training examples whose label the model does not predict, the surest contradictions first."""
    frame = workspace.store.train_frame()
    frame = frame[frame["label"] != frame["predicted"]]
    return [str(id) for id in frame.sort_values("confidence", ascending=False, kind="stable")["id"]]


def _ranked(workspace: influence.Workspace) -> tuple[str, str]:
    """The build, and what its suspects were made from: they may be ranked anew while the build stays."""
    made_from = workspace.build / "suspects.json"
    return str(workspace.build.resolve()), made_from.read_text("utf-8") if made_from.is_file() else ""


@st.cache_resource(max_entries=4, show_spinner="Comparing…", hash_funcs={influence.Workspace: _ranked})
def compared(first: influence.Workspace, second: influence.Workspace, *, tests_only: bool = False) -> Comparison:
    """`experiments.compare`, remembered. Raises what it raises."""
    return compare(first, second, tests_only=tests_only)
