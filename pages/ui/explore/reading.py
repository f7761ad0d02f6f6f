"""Explore's reading view: one sentence, its prediction, and the training sentences behind it."""

import streamlit as st

import influence
from influence import DEFAULT_METHOD, METHODS, Explanation, Influence
from influence.experiments import DEFAULT_STRONGEST
from pages.ui.explore import asking, versus
from pages.ui.explore.address import FIRST, MOST, STEP, TOKENS, ExploreAddress
from pages.ui.frame import Binding, answers, go, md, messages, numbers, render, shell
from pages.ui.parts import charts, explanation_board, method_menu

BOARD = "explore_board"


def draw(workspace: influence.Workspace, address: ExploreAddress) -> None:
    """Everything about the sentence that the address names."""
    head = st.container(horizontal=True, vertical_alignment="center", key="wt-walk")
    if not address.own:
        with head:
            _walk(workspace, address)
    try:
        found, later, problem = _found(workspace, address)
    except influence.WordtraceError as error:
        st.error(md(error, 600))
        return
    if not address.own:
        with head:
            _ways_on(workspace, address, found)
    _question(workspace, address, found)
    with st.container(key="wt-split-reading"):
        results, side = st.columns([2.1, 1], gap="medium")
    with results:
        if problem:
            st.error(md(problem, 600))
        elif address.versus:
            versus.draw(workspace, address)
        elif later:
            _later(workspace, address)
        else:
            _results(workspace, address, found)
    with side, st.container(key="wt-side"):
        render.prediction(found.query.probabilities, predicted=found.query.predicted, given=found.query.label)
        if not (later or problem or address.versus):
            _pair(workspace, address, found)


def _found(workspace: influence.Workspace, address: ExploreAddress) -> tuple[Explanation, bool, str]:
    """What is known of the sentence, whether the method's answer is still to come, and what is wrong with the method."""
    if asking.takes_long(workspace, address, address.method):
        return asking.simple(workspace, address), True, ""
    try:
        return asking.ask(workspace, address, address.method, top=address.top), False, ""
    except influence.QueryError as error:
        if address.method == DEFAULT_METHOD:
            raise
        return asking.simple(workspace, address), False, str(error)


def _later(workspace: influence.Workspace, address: ExploreAddress) -> None:
    """An answer that takes long: asked for here, below the question, once the reader agrees; then shown as any other."""
    if asking.waits(workspace, address, address.method):
        asking.offer(workspace, address, address.method)
        return
    with messages.or_show():
        asking.ask(workspace, address, address.method, top=address.top)
        st.rerun()


def _ways_on(workspace: influence.Workspace, address: ExploreAddress, found: Explanation) -> None:
    _variation(address, found)
    if found.query.predicted != found.query.label:
        shell.link("suspects", "Suspects behind it", workspace=workspace.name, test=address.id)
        if workspace.info.settings.get("training") is not None:
            change = f"opponents:{address.id}:{DEFAULT_STRONGEST}"
            shell.link("what_if", "What would fix this?", workspace=workspace.name, change=change)
    # Removals are ranked for the given label's loss, with all tokens; another question has another ranking.
    asked = address.tokens == "include" or not METHODS[address.method].words
    if asked and found.label == found.query.label and workspace.info.settings.get("training") is not None:
        change = f"top:{address.id}:{address.method}"
        shell.link("what_if", "Is this ranking right?", workspace=workspace.name, change=change)


def _walk(workspace: influence.Workspace, address: ExploreAddress) -> None:
    """Back to the list, and on to the sentences before and after in it."""
    ids = answers.matching(workspace, address.filter())
    if address.id not in ids and address.listing() == ExploreAddress(workspace=address.workspace):
        # A link that names a sentence and no list: the list of all.
        address = address.at(show="all")
        ids = answers.matching(workspace, address.filter())
    at = ids.index(address.id) if address.id in ids else None
    before = ids[at - 1] if at else None
    after = ids[at + 1] if at is not None and at + 1 < len(ids) else None
    after = ids[0] if at is None and ids else after
    # Keys and arguments name the sentence, so that a key held down repeats one step and does not run on.
    st.button(
        f"All {len(ids):,}", icon=":material/list:", key="explore_back", shortcut="U", on_click=go, args=(address.listing(),)
    )
    _step("Previous", "K", before, address)
    _step("Next", "J", after, address)
    where = f"{at + 1:,} of {len(ids):,}" if at is not None else "not in the list as it is filtered now"
    render.hint(f"{where} · {address.id}")


def _variation(address: ExploreAddress, found: Explanation) -> None:
    copy = address.at(own=1, id="", text=found.query.text, pair=found.query.text_pair or "", target=found.label, pin="")
    st.button(
        "Try a variation", icon=":material/edit:", key=f"explore_edit_{address.id}", on_click=go, args=(copy,),
        help="Copies this sentence where you can change its words",
    )  # fmt: skip


def _step(name: str, key: str, id: str | None, address: ExploreAddress) -> None:
    target = address.at(id=id or "", pin="", target="", top=FIRST)
    st.button(
        name, key=f"explore_{name}_{address.id}", shortcut=key, disabled=id is None, on_click=go, args=(target,),
        icon=":material/chevron_left:" if name == "Previous" else ":material/chevron_right:",
    )  # fmt: skip


def _question(workspace: influence.Workspace, address: ExploreAddress, found: Explanation) -> None:
    """What is asked: which label's loss, by which method, with or without start and end tokens."""
    method = METHODS[address.method]
    labels = list(dict.fromkeys([*filter(None, [found.query.label, found.query.predicted]), *workspace.info.labels]))
    methods = method_menu.offered(workspace, method.id, address.versus)
    approximate = workspace.info.approximation if method.id.startswith("tracin-") else ""
    with st.container(horizontal=True, vertical_alignment="bottom", key="wt-question"):
        st.selectbox(
            "Explain the loss on", labels, format_func=lambda label: _label_name(label, found), width=210,
            **_choice(address, "target", found.label),
        )  # fmt: skip
        method_menu.draw(
            "Method", methods, method.id, key="explore_method", help=method_menu.explained(method.id, approximate),
            on_choose=lambda id: _ask(address, "method", id),
        )  # fmt: skip
        method_menu.draw(
            "Compare with", [id for id in methods if id != method.id], address.versus, key="explore_versus",
            none="no other method", on_choose=lambda id: _ask(address, "versus", id),
        )  # fmt: skip
        st.segmented_control(
            "Start/end tokens", list(TOKENS), format_func=TOKENS.__getitem__, required=True, disabled=not method.words,
            **_choice(address, "tokens", address.tokens),
        )  # fmt: skip


def _choice(address: ExploreAddress, field: str, value: str) -> Binding:
    # The value is part of the key: after a choice the widget is a new one and without focus, so the shortcuts still work.
    key = f"explore_{field}_{value}"
    st.session_state[key] = value
    return {"key": key, "on_change": _change, "args": (address, field, key)}


def _label_name(label: str, found: Explanation) -> str:
    if label == found.query.label:
        return f"{label} (given)" + (", predicted" if label == found.query.predicted else "")
    return f"{label} (predicted)" if label == found.query.predicted else label


def _change(address: ExploreAddress, field: str, key: str) -> None:
    _ask(address, field, st.session_state[key])


def _ask(address: ExploreAddress, field: str, value: str) -> None:
    changed = address.at(**{field: value}, pin="")
    go(changed.at(versus="") if changed.versus == changed.method else changed)


def _results(workspace: influence.Workspace, address: ExploreAddress, found: Explanation) -> None:
    ids = {one.train.id for one in (*found.proponents, *found.opponents)}
    title = "Your own text" if address.own else f"Test sentence {address.id}"
    explanation_board.board(
        found,
        title=title,
        pinned=address.pin if address.pin in ids else "",
        review=shell.href("review", workspace=workspace.name, id=""),
        key=BOARD,
        on_choose=lambda: _pin(address),
    )
    shown = max(len(found.proponents), len(found.opponents))
    if shown == address.top < MOST:
        st.button(
            f"Show {STEP} more on each side",
            key=f"explore_more_{address.top}",
            on_click=go,
            args=(address.at(top=address.top + STEP),),
        )


def _pin(address: ExploreAddress) -> None:
    go(address.at(pin=str(st.session_state[BOARD].get("chosen") or "")))


def _pair(workspace: influence.Workspace, address: ExploreAddress, found: Explanation) -> None:
    """Charts of the pinned pair, or of everything shown."""
    for name, side in (("Proponent", found.proponents), ("Opponent", found.opponents)):
        for rank, one in enumerate(side, start=1):
            if one.train.id == address.pin:
                with st.container(key="wt-pinned"):
                    _pinned(workspace, address, found, one, f"{name} {rank}")
                return
    _overview(found)


def _pinned(workspace: influence.Workspace, address: ExploreAddress, found: Explanation, influence: Influence, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        render.heading(f"{name}: words", str(influence.train.id))
        unpinned = address.at(pin="")
        st.button(
            "Unpin", key="explore_unpin", type="tertiary", icon=":material/close:", shortcut="X", on_click=go, args=(unpinned,)
        )
    totals = influence.test_words()
    if totals:
        st.plotly_chart(charts.word_bars(totals, found.query), key="explore_words", config=charts.STILL)
        render.hint(f"Sum over the words: {numbers.score(sum(totals.values()))}, the pair's score.")
    else:
        render.hint(f"{METHODS[found.method].title} cannot be split over words. Score {numbers.score(influence.score)}.")
    render.heading("Checkpoints")
    st.plotly_chart(charts.checkpoint_bars(influence, workspace.info.checkpoints), key="explore_checkpoints", config=charts.STILL)
    render.hint(f"Sum over the checkpoints: {numbers.score(sum(influence.checkpoint_scores))}, the pair's score.")


def _overview(found: Explanation) -> None:
    render.heading("Words, over all shown")
    proponents, opponents = explanation_board.word_sums(found.proponents), explanation_board.word_sums(found.opponents)
    if proponents or opponents:
        st.plotly_chart(charts.word_sides(proponents, opponents, found.query), key="explore_overview", config=charts.STILL)
    else:
        render.hint("This method has no words to show.")
    render.hint("Select a sentence to see which words and checkpoints make its score.")
