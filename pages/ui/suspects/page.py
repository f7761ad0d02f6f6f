"""Suspects: one frame for the list one by one, by cause and by word, and for what is picked from them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import streamlit as st

import influence
from influence.clusters import has_clusters
from influence.suspects import suspect
from pages.ui.frame import Session, arrive, messages, shell
from pages.ui.jobs import compute
from pages.ui.parts import suspicions
from pages.ui.suspects import behind, cause, causes, evidence, how, listing, word, words
from pages.ui.suspects.address import CausesAddress, SuspectsAddress, WordsAddress, read_causes, read_suspects, read_words

RANKED = (
    "Every training example is ranked by how likely its label is wrong, by opinions that never saw the label. Held-out models "
    "like your own make the ranking better and take longer."
)
GROUPED = (
    "Examples that were hard to learn are grouped by whether they pull the model the same way, through the same words: "
    "one mistake that was made many times shows as one group, and can be mended at once."
)
KEY = "suspects_grouping"


class Grouping(NamedTuple):
    """One way to look at the suspects, and the page that has it."""

    name: str
    page: str
    read: Callable[..., tuple[Any, list[str]]]
    draw: Callable[[Session, Any], None]


@st.fragment
def draw(workspace: influence.Workspace, grouping: str) -> None:
    """The page below the frame."""
    session = Session.of_visitor(workspace)
    shell.follow()
    chosen = GROUPINGS[grouping]
    address = arrive(*chosen.read(st.query_params.to_dict(), workspace))
    _head(session, grouping)
    with messages.or_show():
        chosen.draw(session, address)


def _head(session: Session, grouping: str) -> None:
    st.session_state[KEY] = grouping
    names = {key: one.name for key, one in GROUPINGS.items()}
    binding = {"key": KEY, "on_change": _change, "args": (session.workspace.name,)}
    line = shell.title_and_parts("Suspects", names, binding, name="Look at them")  # type: ignore[arg-type]
    with line, st.container(horizontal=True, horizontal_alignment="right", width="stretch"):
        session.show_name()


def _change(workspace: str) -> None:
    shell.leave_for(GROUPINGS[st.session_state[KEY]].page, workspace=workspace)


def _one_by_one(session: Session, address: SuspectsAddress) -> None:
    if not suspicions.known(session.workspace):
        compute.offer(session.workspace, "suspects", "The suspects have not been computed yet", RANKED)
    elif address.id:
        evidence.draw(session, address, suspect(session.workspace, address.id))
    elif address.test:
        behind.draw(session, address)
    else:
        listing.draw(session, address)
        how.draw(session)


def _by_cause(session: Session, address: CausesAddress) -> None:
    if not suspicions.known(session.workspace):
        compute.offer(session.workspace, "suspects", "Causes are made of suspects, which have not been computed yet", RANKED)
    elif not suspicions.known(session.workspace, has_clusters):
        compute.offer(session.workspace, "clusters", "The suspects have not been grouped by cause yet", GROUPED)
    elif address.cluster >= 0:
        cause.draw(session, address)
    else:
        causes.draw(session, address)


def _by_word(session: Session, address: WordsAddress) -> None:
    words.made(session)
    (word if address.word else words).draw(session, address)


GROUPINGS = {
    "one": Grouping("One by one", "suspects", read_suspects, _one_by_one),
    "cause": Grouping("By cause", "clusters", read_causes, _by_cause),
    "word": Grouping("By word", "words", read_words, _by_word),
}
