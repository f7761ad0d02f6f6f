"""Choosing the change of a what-if. Widgets follow the address; their callbacks write it."""

from functools import partial

import streamlit as st

import influence
from influence import DEFAULT_METHOD
from influence.clusters import Cluster, clusters, has_clusters
from influence.experiments import DEFAULT_STRONGEST, spec_of_rule
from influence.rules import Rule, applied_rules
from pages.ui.frame import OnChange, Session, bind, go, md, render, shell
from pages.ui.parts import method_menu
from pages.ui.proof import KINDS, OPPONENT_KINDS, STRONGEST, ProofAddress, texts

ACTIONS = {"remove": "Remove", "relabel": "Relabel as suggested"}
QLD = (
    "QLD is how much more the loss on the sentence rises without the strongest 1% than without as many random examples, drawn "
    "anew for each seed; above 0 is good"
)
MOST_LISTED = 100  # wrong predictions to choose from; any other is typed


def draw(session: Session, address: ProofAddress) -> None:
    """What kind of change, and which."""
    kind = address.chosen_kind
    binding = bind(address.asking("", kind), "kind", "whatif_kind")
    st.segmented_control("Begin with", list(KINDS), format_func=KINDS.__getitem__, required=True, **binding)
    _PARTS[kind](session, address)


def _clusters(session: Session, address: ProofAddress) -> None:
    found = _found_clusters(session)
    if not found:
        render.hint("No clusters have been computed yet.")
        shell.link("clusters", "Compute them", workspace=address.workspace)
        return
    _, number, action = (*address.spec.split(":"), "", "", "")[:3]
    names = {one.number: f"{one.name} ({one.size:,})" for one in found}
    st.session_state["whatif_cluster"] = int(number) if number.isdecimal() and int(number) in names else None
    st.session_state["whatif_action"] = action if action in ACTIONS else "remove"
    st.selectbox(
        "Cluster", list(names), index=None, format_func=names.__getitem__, key="whatif_cluster",
        placeholder="choose one", on_change=_to_cluster, args=(address,),
    )  # fmt: skip
    st.segmented_control(
        "Do what to its examples", list(ACTIONS), format_func=ACTIONS.__getitem__, key="whatif_action", required=True,
        on_change=_to_cluster, args=(address,),
    )  # fmt: skip


def _found_clusters(session: Session) -> list[Cluster]:
    try:
        return clusters(session.workspace) if has_clusters(session.workspace) else []
    except influence.WorkspaceError:
        return []


def _to_cluster(address: ProofAddress) -> None:
    number = st.session_state["whatif_cluster"]
    spec = "" if number is None else f"cluster:{number}:{st.session_state['whatif_action']}"
    go(address.asking(spec, "cluster"))


def _rules(session: Session, address: ProofAddress) -> None:
    specs: dict[str, Rule] = {}
    for one in applied_rules(session.reviews):
        if one.rule is not None and not one.action.undone and one.rule.edit.does.changes_data:
            specs.setdefault(spec_of_rule(one.rule), one.rule)
    options = list(dict.fromkeys([*([address.spec] if address.spec else []), *specs]))
    if options:
        st.session_state["whatif_rule"] = address.spec or None
        st.selectbox(
            "Rule", options, index=None, format_func=lambda spec: str(specs.get(spec, "as written in the Fix list")),
            key="whatif_rule", placeholder="choose an applied one", on_change=_to_rule, args=(address,),
        )  # fmt: skip
    shell.link("fix_list", "Write a rule" if options else "Write a rule first", workspace=address.workspace, part="rules")


def _to_rule(address: ProofAddress) -> None:
    go(address.asking(st.session_state["whatif_rule"] or "", "rule"))


def _opponents(session: Session, address: ProofAddress) -> None:
    kind, test_id, count = address.opponents
    _, wrong = session.workspace.search_tests(influence.TestFilter(wrong=True), limit=MOST_LISTED)
    said = texts.named(wrong)
    options = list(dict.fromkeys([*([test_id] if test_id else []), *said]))
    st.session_state["whatif_test"] = test_id or None
    st.session_state["whatif_many"] = count if count in STRONGEST else DEFAULT_STRONGEST
    st.session_state["whatif_opponents"] = kind
    callback: OnChange = {"on_change": _to_opponents, "args": (address,)}
    st.selectbox(
        "Which mistake", options, index=None, format_func=lambda id: said.get(id, id), key="whatif_test",
        placeholder="choose one, or type a test sentence's id", accept_new_options=True, **callback,
    )  # fmt: skip
    with st.container(horizontal=True):
        st.segmented_control("Its strongest opponents", list(STRONGEST), key="whatif_many", required=True, **callback)
        st.segmented_control(
            "What to do",
            list(OPPONENT_KINDS),
            format_func=OPPONENT_KINDS.__getitem__,
            key="whatif_opponents",
            required=True,
            **callback,
        )
    if test_id:
        shell.link("explore", f"Read {md(test_id, 40)} in Explore", workspace=address.workspace, show="all", id=test_id)


def _to_opponents(address: ProofAddress) -> None:
    test_id = st.session_state["whatif_test"]
    spec = f"{st.session_state['whatif_opponents']}:{test_id}:{st.session_state['whatif_many']}" if test_id else ""
    go(address.asking(spec, "opponents"))


def _ranking(session: Session, address: ProofAddress) -> None:
    """Which sentence, and whose ranking for it is put to the test."""
    test_id, method = address.ranking
    method = method or DEFAULT_METHOD
    st.session_state["whatif_top_test"] = test_id
    callback: OnChange = {"on_change": _to_ranking, "args": (address, method)}
    st.text_input("Test sentence", key="whatif_top_test", placeholder="its id; Explore leads here, too", **callback)
    method_menu.draw(
        "Ranked by", method_menu.offered(session.workspace, method), method, key="whatif_method",
        on_choose=partial(_to_method, address), help=method_menu.explained(session.workspace, method, QLD),
    )  # fmt: skip
    render.hint("Are the sentence's strongest 1% of training examples the ones it needs? They go, and as many random ones go.")
    if test_id:
        about = {"show": "all", "id": test_id, "method": method}
        shell.link("explore", f"Read {md(test_id, 40)} in Explore", workspace=address.workspace, **about)


def _to_ranking(address: ProofAddress, method: str) -> None:
    test_id = st.session_state["whatif_top_test"].strip()
    go(address.asking(f"top:{test_id}:{method}" if test_id else "", "top"))


def _to_method(address: ProofAddress, method: str) -> None:
    _to_ranking(address, method)


_PARTS = {"cluster": _clusters, "rule": _rules, "opponents": _opponents, "top": _ranking}
