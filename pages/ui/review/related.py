"""What speaks for and against the label of one training example, kept ready for the example that comes next."""

import threading
from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

import influence
from influence import Explanation
from influence.explanations import Effects, effects
from pages.ui.frame import answers

TOP = 6  # on each side


@dataclass(frozen=True)
class Related:
    """The training examples that pull hardest at one, and the test examples that it pulls at hardest."""

    trains: Explanation
    tests: Effects


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs=answers.BY_BUILD)
def related(workspace: influence.Workspace, train_id: str) -> Related:
    """The evidence on one training example. Raises `QueryError` for an unknown one."""
    return Related(_neighbours(workspace, train_id), effects(workspace, train_id, top=TOP))


def _neighbours(workspace: influence.Workspace, train_id: str) -> Explanation:
    # Through words they share: start and end tokens would bring up the same few short examples for all.
    found = influence.explain(workspace, train_id=train_id, top=TOP, special_tokens="exclude")
    if found.proponents or found.opponents:
        return found
    return influence.explain(workspace, train_id=train_id, top=TOP)


def prepare(workspace: influence.Workspace, train_id: str) -> None:
    """Gather the evidence on an example in the background, so that it is there when its turn comes."""
    threading.Thread(target=_quietly, args=(workspace, train_id), daemon=True).start()


def _quietly(workspace: influence.Workspace, train_id: str) -> None:
    with suppress(Exception):  # asked for again when the example is shown, where whoever looks at it is told
        related(workspace, train_id)
