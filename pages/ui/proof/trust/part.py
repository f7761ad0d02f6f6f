"""Can I trust the scores? Three ways to find out; where gradients cancel is folded away for the curious."""

import streamlit as st

import influence
from pages.ui.frame import bind, messages, render
from pages.ui.jobs import waiting
from pages.ui.proof import TRUST, WAYS, ProofAddress
from pages.ui.proof.trust import cancellation, deletion, fixing, overlaps

DRAW = {TRUST: deletion.draw, "fixing": fixing.draw, "overlaps": overlaps.draw}
RETRAINED = (TRUST, "fixing")
MORE = "cancellation"


def draw(workspace: influence.Workspace, address: ProofAddress) -> None:
    """The whole part."""
    way = address.part if address.part in DRAW else TRUST
    names = {one: WAYS[one] for one in DRAW}
    shown = ProofAddress(workspace=address.workspace, part=way, measure=address.measure)
    st.segmented_control(
        "How to find out", list(names), format_func=names.__getitem__, required=True, **bind(shown, "part", "proof_part")
    )
    waiting.draw(workspace, deletion.COMMAND, fixing.COMMAND, overlaps.COMMAND, cancellation.CANCELLATION)
    with messages.or_show():
        if way in RETRAINED and workspace.info.settings.get("training") is None:
            render.state_text(
                "This workspace cannot be retrained",
                "Its checkpoints were imported, so how they were trained is not known. What rankings follow can be seen all the "
                "same.",
            )
        else:
            DRAW[way](workspace, address)
    if workspace.info.approximation:
        render.hint(workspace.info.approximation)
    more = st.expander("More: where gradients cancel out", expanded=address.part == MORE, on_change="rerun", key="proof_more")
    if more.open:
        with more, messages.or_show():
            cancellation.draw(workspace)
