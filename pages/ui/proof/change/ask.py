"""What a change would take, sentence by sentence, how long trying it takes, and the button that does."""

import json
from collections.abc import Mapping

import streamlit as st

import influence
from influence.experiments import DECIDED, Proposal, models_left
from influence.retraining import time_expected
from pages.ui.frame import Session, bind, go, latest, messages, numbers, render
from pages.ui.jobs import compute, waiting
from pages.ui.parts import verdicts
from pages.ui.proof import FIXES, SEEDS, ProofAddress, read_address, texts

COMMAND = "retrain"
MOST_LISTED = 100
SIDES = {2: "one model without the change and one with it", 3: "a model on all, one without the top 1%, one without random ones"}


def draw(session: Session, address: ProofAddress, proposal: Proposal, *, answered: bool) -> None:
    """The whole part; beside an answer, which shows the sentence itself."""
    if not answered:
        texts.quotes(session, proposal.test_ids)
    whose = "Your fixes change" if address.place == FIXES else "It would change"
    count = numbers.counted(sum(proposal.counts.values()), "example")
    render.heading(f"{whose} {count}", f"of {sum(proposal.before.values()):,}")
    texts.taken(session, proposal)
    render.notes(proposal.notes)
    try:
        cost = estimate(session.workspace, address.seeds, proposal)
    except influence.WordtraceError as error:
        render.hint(str(error))
        return
    st.button(
        "Try my fixes" if address.place == FIXES else "Try it",
        key="whatif_run",
        type="primary",
        icon=":material/play_arrow:",
        on_click=_start,
        args=(session, address, proposal),
    )
    render.hint(cost)
    with st.expander("Settings"):
        render.facts(_facts(proposal))
        options = sorted({*SEEDS, address.seeds})
        st.segmented_control(
            "Trainings of each (seeds)", options, required=True, **bind(address, "seeds", "whatif_seeds"),
            help=f"Each seed trains {SIDES[proposal.models]}. More seeds make small effects visible",
        )  # fmt: skip
        _sentences(session, address, proposal)


def _facts(proposal: Proposal) -> list[tuple[str, str]]:
    rows = [(verdicts.WORDINGS[kind].does.capitalize(), _counts(labels)) for kind, labels in proposal.labels.items()]
    for label, before in proposal.before.items():
        if proposal.after[label] != before:
            rows.append((f"{label}, in all", f"{before:,} → {proposal.after[label]:,}"))
    return rows


def _counts(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in labels.items())


def _sentences(session: Session, address: ProofAddress, proposal: Proposal) -> None:
    """The test sentences to look at besides those that the change is about."""
    _, wrong = session.workspace.search_tests(influence.TestFilter(wrong=True), limit=MOST_LISTED)
    known = texts.named(wrong)
    options = list(dict.fromkeys([*address.test_ids, *known]))
    options = [id for id in options if id not in proposal.test_ids]
    st.session_state["whatif_tests"] = [id for id in address.test_ids if id in options]
    st.multiselect(
        "Also look at these test sentences", options, format_func=lambda id: known.get(id, id),
        key="whatif_tests", accept_new_options=True, placeholder="mistakes, or the id of any test sentence",
        on_change=_to_tests, args=(address,),
    )  # fmt: skip
    texts.quotes(session, (id for id in address.test_ids if id not in proposal.test_ids))


def _to_tests(address: ProofAddress) -> None:
    go(address.at(tests=_spelled(st.session_state["whatif_tests"])))


def _spelled(ids: list[str]) -> str:
    return json.dumps(ids, ensure_ascii=False) if ids else ""


def estimate(workspace: influence.Workspace, seeds: int, proposal: Proposal) -> str:
    """How many models have to be trained, and about how long that takes."""
    models = models_left(workspace, proposal.change, seeds, proposal.ranking)
    if not models:
        return "All models of this question are trained already: the answer takes seconds."
    there = proposal.models * seeds - models
    reused = f"; {there} more are there already" if there else ""
    return f"Trains {numbers.counted(models, 'model')}{reused}: {waiting.time_for(workspace, models)}. The app stays usable."


def options_of(address: ProofAddress, proposal: Proposal) -> list[str]:
    """The question as options of the command line."""
    options = ["--decided"] if proposal.spec == DECIDED else ["--change", proposal.spec]
    for id in address.test_ids:
        options += ["--test-id", id]
    return [*options, "--seeds", str(address.seeds)]


def _start(session: Session, drawn: ProofAddress, proposal: Proposal) -> None:
    address, _ = read_address(latest(drawn), session.workspace)  # what was chosen just before the click counts, too
    address = address.at(seeds=st.session_state["whatif_seeds"], tests=_spelled(st.session_state["whatif_tests"]))
    if address.spec != drawn.spec:
        messages.say("Not started: another change has just been chosen; look at what it would do first", failed=True)
        return
    with messages.or_say("Not started"):
        models = models_left(session.workspace, proposal.change, address.seeds, proposal.ranking)
        seconds = time_expected(session.workspace, models)[0]
        compute.start(session.workspace, COMMAND, options_of(address, proposal), proposal.title, seconds=seconds)
    if address.outcome:
        go(address.at(outcome=""))
