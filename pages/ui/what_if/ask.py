"""What a change would take, how long trying it takes, and the button that does."""

import json
import shlex
from collections.abc import Mapping

import streamlit as st

import influence
from influence.experiments import DECIDED, Proposal, to_train
from pages.ui.frame import Desk, go, latest, render, session as desk
from pages.ui.jobs import background, waiting
from pages.ui.what_if import address
from pages.ui.what_if.address import SEEDS, WhatIfPlace

COMMAND = "retrain"
MOST_LISTED = 100
VERBS = {"remove": "removes", "relabel": "relabels", "mask": "masks words in"}


def draw(mine: Desk, place: WhatIfPlace, proposal: Proposal) -> None:
    """The whole part."""
    render.heading("It would change", f"{sum(proposal.counts.values()):,} of {sum(proposal.before.values()):,} examples")
    render.facts(_facts(proposal))
    render.notes(proposal.notes)
    _sentences(mine, place, proposal)
    st.session_state["whatif_seeds"] = place.seeds
    options = sorted({*SEEDS, place.seeds})
    st.segmented_control(
        "Seeds", options, key="whatif_seeds", required=True, on_change=_to_seeds, args=(place,),
        help="Each trains one model without the change and one with it. More seeds make small effects visible",
    )  # fmt: skip
    try:
        render.hint(estimate(mine.workspace, place.seeds, proposal))
    except influence.WordtraceError as error:
        render.hint(str(error))
        return
    st.button(
        "Try it", key="whatif_run", type="primary", icon=":material/play_arrow:", on_click=_start, args=(mine, place, proposal)
    )
    with st.expander("The same on the command line"):
        render.command(
            shlex.join(
                ["python", "-m", "influence", COMMAND, "--workspace", str(mine.workspace.path), *options_of(place, proposal)]
            )
        )


def _facts(proposal: Proposal) -> list[tuple[str, str]]:
    rows = [(VERBS[action].capitalize(), _counts(labels)) for action, labels in proposal.labels.items()]
    for label, before in proposal.before.items():
        if proposal.after[label] != before:
            rows.append((f"{label}, in all", f"{before:,} → {proposal.after[label]:,}"))
    return rows


def _counts(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in labels.items())


def _sentences(mine: Desk, place: WhatIfPlace, proposal: Proposal) -> None:
    """The test sentences to look at besides those that the change is about."""
    _, wrong = mine.workspace.search_tests(influence.TestFilter(wrong=True), limit=MOST_LISTED)
    options = list(dict.fromkeys([*place.test_ids, *(str(id) for id in wrong["id"])]))
    options = [id for id in options if id not in proposal.test_ids]
    st.session_state["whatif_tests"] = [id for id in place.test_ids if id in options]
    st.multiselect(
        "Also look at these test sentences" if proposal.test_ids else "Look at these test sentences", options,
        key="whatif_tests", accept_new_options=True, placeholder="ids of test sentences, if you like",
        on_change=_to_tests, args=(place,),
    )  # fmt: skip


def _to_tests(place: WhatIfPlace) -> None:
    ids = st.session_state["whatif_tests"]
    go(place.at(tests=json.dumps(ids, ensure_ascii=False) if ids else ""))


def _to_seeds(place: WhatIfPlace) -> None:
    go(place.at(seeds=st.session_state["whatif_seeds"]))


def estimate(workspace: influence.Workspace, seeds: int, proposal: Proposal) -> str:
    """How many models have to be trained, and about how long that takes."""
    models = to_train(workspace, proposal.change, seeds)
    if not models:
        return "All models of this question are trained already: the answer takes seconds."
    there = 2 * seeds - models
    reused = f"; {there} more are there already" if there else ""
    return f"Trains {models} model{'s' if models != 1 else ''}{reused}: {waiting.time_for(workspace, models)}."


def options_of(place: WhatIfPlace, proposal: Proposal) -> list[str]:
    """The question as options of the command line."""
    options = ["--decided"] if proposal.spec == DECIDED else ["--change", proposal.spec]
    for id in place.test_ids:
        options += ["--test-id", id]
    return [*options, "--seeds", str(place.seeds)]


def _start(mine: Desk, drawn: WhatIfPlace, proposal: Proposal) -> None:
    place, _ = address.read(latest(drawn), mine.workspace)  # what was chosen just before the click counts, too
    if place.change != drawn.change:
        desk.say("Not started: another change has just been chosen; look at what it would do first", failed=True)
        return
    options = options_of(place, proposal)
    try:
        background.enqueue(mine.workspace, COMMAND, *options, title=proposal.title, key=json.dumps([COMMAND, *options]))
    except influence.WordtraceError as error:
        desk.say(f"Not started: {error}", failed=True)
    if place.outcome:
        go(place.at(outcome=""))
