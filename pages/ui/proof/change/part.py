"""Would my fixes, or this change, help? Choose it, read what it takes, train in the background, and see what it did."""

from dataclasses import dataclass

import streamlit as st

import influence
from influence import Method
from influence.experiments import Outcome, Proposal, outcomes, propose
from pages.ui.frame import Session, answers, md, render, shell
from pages.ui.jobs import waiting
from pages.ui.parts import method_menu
from pages.ui.proof import FIXES, ProofAddress
from pages.ui.proof.change import ask, choice, past, result

AGREED = "whatif_agreed"
ABOUT = {
    FIXES: (
        "The model is trained again as it was, and with your fixes: several times each, since every training turns out a little "
        "differently. The difference is what your fixes do, and it is set beside what luck alone does."
    ),
    "change": (
        "A score says what a training example did; only training without it proves it. Choose a change: the model is trained "
        "with and without it, several times each, and the difference is set beside what luck alone does."
    ),
}
UNDECIDED = (
    "Decide some examples first: keep, relabel or remove them. Then train the model with your decisions and see what they do."
)


@dataclass(frozen=True)
class ChosenChange:
    """What the page is about at this drawing."""

    proposal: Proposal | None
    problem: str  # why there is none
    known: list[Outcome]
    slow: Method | None = None  # the method whose ranking has to be worked out first, once the reader agrees


def draw(session: Session, address: ProofAddress) -> None:
    """The whole part."""
    if session.workspace.info.settings.get("training") is None:
        with st.container(key="wt-gate"):
            render.state_text(
                "This workspace cannot be retrained", "Its checkpoints were imported, so how they were trained is not known."
            )
        return
    asked = _asked(session, address)
    waiting.draw(session.workspace, ask.COMMAND)
    found = _answer(address, asked)
    if address.place == FIXES and asked.proposal is None and found is None and not asked.problem:
        _undecided(address)
    elif found is None:
        with st.container(key="wt-proof-first"):
            render.lead(ABOUT[address.place])
            _question(session, address, asked)
    else:
        with st.container(key="wt-split-whatif"):
            left, right = st.columns([1, 1.9], gap="large")
        with left:
            _question(session, address, asked, answered=True)
        with right:
            result.draw(session, address, found)
    past.draw(session, address, asked.known)


def _question(session: Session, address: ProofAddress, asked: ChosenChange, *, answered: bool = False) -> None:
    if address.place != FIXES:
        choice.draw(session, address)
    if asked.proposal is not None:
        ask.draw(session, address, asked.proposal, answered=answered)
    elif asked.slow is not None:
        render.hint(f"{asked.slow.title}: {asked.slow.cost}")
        st.button("Work out its top 1%", key="whatif_rank", type="primary", on_click=_agree, args=(address.spec,))
    elif asked.problem:
        st.error(md(asked.problem, 600))


def _undecided(address: ProofAddress) -> None:
    with st.container(key="wt-gate"):
        render.state_text("Nothing is decided yet that changes the data", UNDECIDED)
        with st.container(key="wt-first"):
            shell.link("review", "Decide in Review", workspace=address.workspace)


def _asked(session: Session, address: ProofAddress) -> ChosenChange:
    try:
        known = outcomes(session.workspace)
    except influence.WorkspaceError as error:
        st.error(md(error, 600))
        known = []
    spec = address.spec
    if not spec or (address.place == FIXES and not _decided(session)):
        return ChosenChange(None, "", known)
    _, method = address.ranking
    if method and method_menu.of(session.workspace, method).slow and spec not in st.session_state.get(AGREED, set()):
        return ChosenChange(None, "", known, method_menu.of(session.workspace, method))
    try:
        if method:
            return ChosenChange(_of_ranking(session.workspace, spec), "", known)
        return ChosenChange(propose(session.workspace, spec, reviews=session.reviews), "", known)
    except influence.WordtraceError as error:
        return ChosenChange(None, str(error), known)


def _decided(session: Session) -> bool:
    """Whether any decision changes the data."""
    return any(decision.edit.does.changes_data for decision in session.reviews.decisions())


@st.cache_resource(max_entries=64, show_spinner="Ranking the training examples…", hash_funcs=answers.BY_BUILD)
def _of_ranking(workspace: influence.Workspace, spec: str) -> Proposal:
    """The proposal, remembered: the build and the spec are all that it comes from, and ranking may take minutes."""
    return propose(workspace, spec)


def _agree(spec: str) -> None:
    st.session_state[AGREED] = {*st.session_state.get(AGREED, set()), spec}


def _answer(address: ProofAddress, asked: ChosenChange) -> Outcome | None:
    """The what-if that the address names, else the latest of this change."""
    wanted = [one for one in asked.known if one.id == address.outcome]
    if not wanted and asked.proposal is not None:
        proposal = asked.proposal
        # The same change may come from elsewhere, but a ranking is put to the test for one sentence.
        same = [one for one in asked.known if one.change == proposal.change.key]
        wanted = [one for one in same if (one.spec == proposal.spec if proposal.ranking else not one.method)]
    return wanted[0] if wanted else None
