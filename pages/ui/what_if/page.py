"""The What-if page: choose a change, read what it would take, retrain in the background, and see what it did."""

from dataclasses import dataclass

import streamlit as st

import influence
from influence import METHODS, Method
from influence.experiments import Outcome, Proposal, outcomes, propose
from pages.ui.frame import Session, answers, arrive, md, messages, render
from pages.ui.jobs import waiting
from pages.ui.what_if import ask, choice, past, result
from pages.ui.what_if.address import WhatIfAddress, read_address

AGREED = "whatif_agreed"
ABOUT = (
    "A score says what a training example did; only training without it proves it. Choose a change: the model is trained "
    "again with and without it, over the same seeds, and the difference is set beside what a seed alone does."
)


@dataclass(frozen=True)
class ChosenChange:
    """What the page is about at this drawing."""

    proposal: Proposal | None
    problem: str  # why there is none
    known: list[Outcome]
    slow: Method | None = None  # the method whose ranking has to be worked out first, once the reader agrees


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    session = Session.of_visitor(workspace)
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    with st.container(key="wt-title"):
        render.title("What-if")
    if workspace.info.settings.get("training") is None:
        with st.container(key="wt-gate"):
            render.state_text(
                "This workspace cannot be retrained", "Its checkpoints were imported, so how they were trained is not known."
            )
        return
    messages.show()
    asked = _asked(session, address)
    with st.container(key="wt-split-whatif"):
        left, right = st.columns([1, 1.9], gap="large")
    with left:
        choice.draw(session, address)
        if asked.proposal is not None:
            ask.draw(session, address, asked.proposal)
        elif asked.slow is not None:
            _offer(address, asked.slow)
        elif asked.problem:
            st.error(md(asked.problem, 600))
    with right:
        waiting.draw(workspace, ask.COMMAND)
        _result(session, address, asked)
        past.draw(session, address, asked.known)


def _asked(session: Session, address: WhatIfAddress) -> ChosenChange:
    try:
        known = outcomes(session.workspace)
    except influence.WorkspaceError as error:
        st.error(md(error, 600))
        known = []
    spec = address.change or ("decided" if address.chosen_kind == "decided" else "")
    if not spec:
        return ChosenChange(None, "", known)
    _, method = address.ranking
    if method and METHODS[method].slow and spec not in st.session_state.get(AGREED, set()):
        return ChosenChange(None, "", known, METHODS[method])
    try:
        if method:
            return ChosenChange(_of_ranking(session.workspace, spec), "", known)
        return ChosenChange(propose(session.workspace, spec, reviews=session.reviews), "", known)
    except influence.WordtraceError as error:
        return ChosenChange(None, str(error) if address.change else "", known)


@st.cache_resource(max_entries=64, show_spinner="Ranking the training examples…", hash_funcs=answers.BY_BUILD)
def _of_ranking(workspace: influence.Workspace, spec: str) -> Proposal:
    """The proposal, remembered: the build and the spec are all that it comes from, and ranking may take minutes."""
    return propose(workspace, spec)


def _offer(address: WhatIfAddress, method: Method) -> None:
    render.hint(f"{method.title}: {method.cost}")
    st.button("Work out its top 1%", key="whatif_rank", type="primary", on_click=_agree, args=(address.change,))


def _agree(spec: str) -> None:
    st.session_state[AGREED] = {*st.session_state.get(AGREED, set()), spec}


def _result(session: Session, address: WhatIfAddress, asked: ChosenChange) -> None:
    """The what-if that the address names, else the latest of this change."""
    wanted = [one for one in asked.known if one.id == address.outcome]
    if not wanted and asked.proposal is not None:
        proposal = asked.proposal
        # The same change may come from elsewhere, but a ranking is put to the test for one sentence.
        same = [one for one in asked.known if one.change == proposal.change.key]
        wanted = [one for one in same if (one.spec == proposal.spec if proposal.ranking else not one.method)]
    if wanted:
        result.draw(session, address, wanted[0])
    elif not asked.known:
        render.state_text("Try a change before anybody makes it", ABOUT)
