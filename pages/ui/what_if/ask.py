"""What a change would take, how long trying it takes, and the button that does."""

import json
import shlex
from collections.abc import Mapping

import streamlit as st

import influence
from influence.experiments import DECIDED, Proposal, to_train
from pages.ui.frame import Session, bind, go, latest, messages, render
from pages.ui.jobs import compute, waiting
from pages.ui.parts import verdicts
from pages.ui.what_if.address import SEEDS, WhatIfAddress, read_address

COMMAND = "retrain"
MOST_LISTED = 100
SIDES = {2: "one model without the change and one with it", 3: "a model on all, one without the top 1%, one without random ones"}


def draw(session: Session, address: WhatIfAddress, proposal: Proposal) -> None:
    """The whole part."""
    render.heading("It would change", f"{sum(proposal.counts.values()):,} of {sum(proposal.before.values()):,} examples")
    render.facts(_facts(proposal))
    render.notes(proposal.notes)
    _sentences(session, address, proposal)
    options = sorted({*SEEDS, address.seeds})
    st.segmented_control(
        "Seeds", options, required=True, **bind(address, "seeds", "whatif_seeds"),
        help=f"Each trains {SIDES[proposal.models]}. More seeds make small effects visible",
    )  # fmt: skip
    try:
        render.hint(estimate(session.workspace, address.seeds, proposal))
    except influence.WordtraceError as error:
        render.hint(str(error))
        return
    st.button(
        "Try it",
        key="whatif_run",
        type="primary",
        icon=":material/play_arrow:",
        on_click=_start,
        args=(session, address, proposal),
    )
    with st.expander("The same on the command line"):
        where = str(session.workspace.path)
        command = ["python", "-m", "influence", COMMAND, "--workspace", where, *options_of(address, proposal)]
        render.command(shlex.join(command))


def _facts(proposal: Proposal) -> list[tuple[str, str]]:
    rows = [(verdicts.WORDINGS[kind].does.capitalize(), _counts(labels)) for kind, labels in proposal.labels.items()]
    for label, before in proposal.before.items():
        if proposal.after[label] != before:
            rows.append((f"{label}, in all", f"{before:,} → {proposal.after[label]:,}"))
    return rows


def _counts(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in labels.items())


def _sentences(session: Session, address: WhatIfAddress, proposal: Proposal) -> None:
    """The test sentences to look at besides those that the change is about."""
    _, wrong = session.workspace.search_tests(influence.TestFilter(wrong=True), limit=MOST_LISTED)
    options = list(dict.fromkeys([*address.test_ids, *(str(id) for id in wrong["id"])]))
    options = [id for id in options if id not in proposal.test_ids]
    st.session_state["whatif_tests"] = [id for id in address.test_ids if id in options]
    st.multiselect(
        "Also look at these test sentences" if proposal.test_ids else "Look at these test sentences", options,
        key="whatif_tests", accept_new_options=True, placeholder="ids of test sentences, if you like",
        on_change=_to_tests, args=(address,),
    )  # fmt: skip


def _to_tests(address: WhatIfAddress) -> None:
    ids = st.session_state["whatif_tests"]
    go(address.at(tests=json.dumps(ids, ensure_ascii=False) if ids else ""))


def estimate(workspace: influence.Workspace, seeds: int, proposal: Proposal) -> str:
    """How many models have to be trained, and about how long that takes."""
    models = to_train(workspace, proposal.change, seeds, proposal.ranking)
    if not models:
        return "All models of this question are trained already: the answer takes seconds."
    there = proposal.models * seeds - models
    reused = f"; {there} more are there already" if there else ""
    return f"Trains {models} model{'s' if models != 1 else ''}{reused}: {waiting.time_for(workspace, models)}."


def options_of(address: WhatIfAddress, proposal: Proposal) -> list[str]:
    """The question as options of the command line."""
    options = ["--decided"] if proposal.spec == DECIDED else ["--change", proposal.spec]
    for id in address.test_ids:
        options += ["--test-id", id]
    return [*options, "--seeds", str(address.seeds)]


def _start(session: Session, drawn: WhatIfAddress, proposal: Proposal) -> None:
    address, _ = read_address(latest(drawn), session.workspace)  # what was chosen just before the click counts, too
    if address.change != drawn.change:
        messages.say("Not started: another change has just been chosen; look at what it would do first", failed=True)
        return
    compute.start(session.workspace, COMMAND, options_of(address, proposal), proposal.title)
    if address.outcome:
        go(address.at(outcome=""))
