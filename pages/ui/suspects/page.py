"""The Suspects page: the ranked list, the suspects behind one test error, or the test errors behind one suspect."""

import streamlit as st

import influence
from influence.suspects import suspect
from pages.ui.frame import Session, arrive, messages, shell
from pages.ui.jobs import compute
from pages.ui.parts import suspicions
from pages.ui.suspects import behind, errors, how, listing
from pages.ui.suspects.address import read_address

EXPLANATION = (
    "Every training example is ranked by how likely its label is wrong: by how surely the model preferred another label while "
    "it was trained, and by the pull of its strongest neighbours. Held-out models, trained without the example, make the "
    "ranking better and take longer."
)


@st.fragment
def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    session = Session.of_visitor(workspace)
    shell.follow()
    address = arrive(*read_address(st.query_params.to_dict(), workspace))
    session.show_title("Suspects")
    if not suspicions.known(workspace):
        compute.offer(workspace, "suspects", "The suspects have not been computed yet", EXPLANATION)
        return
    messages.show()
    with messages.or_show():
        if address.id:
            errors.draw(session, address, suspect(workspace, address.id))
        elif address.test:
            behind.draw(session, address)
        else:
            how.draw(session)
            listing.draw(session, address)
