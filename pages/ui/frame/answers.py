"""The engine's answers, kept for the next rerun. Keys are the build's folder and plain values; results are read-only."""

from dataclasses import astuple

import pandas as pd
import streamlit as st

import influence


@st.cache_resource(max_entries=64, show_spinner=False)
def _explanation(build: str, question: tuple[tuple[str, object], ...], _workspace: influence.Workspace) -> influence.Explanation:
    return influence.explain(_workspace, **dict(question))  # type: ignore[arg-type]


def explanation(workspace: influence.Workspace, **question: object) -> influence.Explanation:
    """`influence.explain`, remembered. Raises what it raises."""
    return _explanation(str(workspace.build), tuple(sorted(question.items())), workspace)


@st.cache_resource(max_entries=32, show_spinner=False)
def _matching(
    build: str, conditions: tuple[object, ...], _workspace: influence.Workspace, _filter: influence.TestFilter
) -> list[str]:
    _, page = _workspace.search_tests(_filter, limit=_workspace.info.n_test)
    return [str(id) for id in page["id"]]


def matching(workspace: influence.Workspace, filter: influence.TestFilter) -> list[str]:
    """Ids of all test examples under a filter, in the order the list shows them."""
    return _matching(str(workspace.build), astuple(filter), workspace, filter)


@st.cache_resource(max_entries=8, show_spinner=False)
def _confusion(build: str, _workspace: influence.Workspace) -> pd.DataFrame:
    return _workspace.confusion()


def confusion(workspace: influence.Workspace) -> pd.DataFrame:
    """Test counts: rows are the given labels, columns the predicted ones."""
    return _confusion(str(workspace.build), workspace)


@st.cache_resource(max_entries=8, show_spinner=False)
def _contradicted(build: str, _workspace: influence.Workspace) -> list[str]:
    frame = _workspace.store.train_frame()
    frame = frame[frame["label"] != frame["predicted"]]
    return [str(id) for id in frame.sort_values("confidence", ascending=False, kind="stable")["id"]]


def contradicted(workspace: influence.Workspace) -> list[str]:
    """Ids of the training examples whose label the model does not predict, the surest contradictions first."""
    return _contradicted(str(workspace.build), workspace)
