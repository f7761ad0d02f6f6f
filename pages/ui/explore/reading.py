"""Explore's reading view: one sentence, why the model said what it said about it, and the training sentences behind that."""

import streamlit as st

import influence
from influence import DEFAULT_METHOD, METHODS, Explanation
from influence.experiments import DEFAULT_STRONGEST
from influence.explanations import word_pieces
from pages.ui.explore import answer, asking, options, prefetch, sentence, versus
from pages.ui.explore.address import FIRST, MOST, STEP, ExploreAddress
from pages.ui.frame import answers, go, md, messages, render, shell
from pages.ui.parts import explanation_board, stamped

BOARD = "explore_board"
CHOICES = "explore_choices"  # of cards on the board, by this reader
MEANING = (
    "A score says what training on an example did to this prediction. Whether the prediction would change without it, Proof "
    "finds out."
)


def draw(workspace: influence.Workspace, address: ExploreAddress) -> None:
    """Everything about the sentence that the address names."""
    title = "Your own text"
    beside: tuple[str | None, str | None] = (None, None)
    if not address.own:
        with st.container(horizontal=True, vertical_alignment="center", key="wt-walk"):
            title, beside = _walk(workspace, address)
    try:
        found, later, problem = _found(workspace, address)
    except influence.WordtraceError as error:
        st.error(md(error, 600))
        return
    answered = not (later or problem)
    about = str(stamped({"asked": asking.key_of(workspace, address, found.method), "top": address.top})["stamp"])
    pieces = word_pieces(workspace)
    doubts = answer.doubted(workspace)
    shown = [*found.proponents, *found.opponents] if answered else []
    render.title(answer.question(found))
    with st.container(key=sentence.KEY):
        sentence.draw(found, pieces, title=title, about=about, shown=shown)
    render.answer(answer.prediction(found), answer.sentences(found, pieces, doubts) if answered else [])
    _ways_on(workspace, address, found)
    if problem:
        st.error(md(problem, 600))
    elif address.versus:
        versus.draw(workspace, address, about=about)
    elif later:
        _later(workspace, address)
    else:
        _results(workspace, address, found, doubts or {}, about=about)
    prefetch.beside(workspace, address, *beside)
    prefetch.model(workspace, address, found.label)


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
    """Where to go from here, and how else to ask."""
    trained = workspace.info.settings.get("training") is not None
    with st.container(horizontal=True, vertical_alignment="center", key="wt-ways"):
        options.draw(workspace, address, found)
        if not address.own:
            _variation(address, found)
            if found.query.predicted != found.query.label:
                shell.link("suspects", "Suspects behind it", workspace=workspace.name, test=address.id)
                if trained:
                    change = f"opponents:{address.id}:{DEFAULT_STRONGEST}"
                    shell.link("proof", "What would fix this?", workspace=workspace.name, change=change)
            # Removals are ranked for the given label's loss, with all tokens; another question has another ranking.
            asked = address.tokens == "include" or not METHODS[address.method].words
            if asked and found.label == found.query.label and trained:
                change = f"top:{address.id}:{address.method}"
                shell.link("proof", "Is this ranking right?", workspace=workspace.name, change=change)


def _walk(workspace: influence.Workspace, address: ExploreAddress) -> tuple[str, tuple[str | None, str | None]]:
    """Back to the list, and on to the sentences before and after in it; returns the sentence's name, and those two."""
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
    _step("Previous", "P", before, address)
    _step("Next", "J", after, address)
    where = f"{at + 1:,} of {len(ids):,}" if at is not None else "not in the list as it is filtered now"
    return f"Test sentence {address.id} · {where}", (after, before)


def _variation(address: ExploreAddress, found: Explanation) -> None:
    copy = address.at(own=1, id="", text=found.query.text, pair=found.query.text_pair or "", target=found.label, pin="")
    st.button(
        "Try other words", icon=":material/edit:", key=f"explore_edit_{address.id}", type="tertiary", on_click=go, args=(copy,)
    )


def _step(name: str, key: str, id: str | None, address: ExploreAddress) -> None:
    target = address.at(id=id or "", pin="", target="", top=FIRST)
    st.button(
        name, key=f"explore_{name}_{address.id}", shortcut=key, disabled=id is None, on_click=go, args=(target,),
        icon=":material/chevron_left:" if name == "Previous" else ":material/chevron_right:",
    )  # fmt: skip


def _results(
    workspace: influence.Workspace, address: ExploreAddress, found: Explanation, doubts: dict[str, str], *, about: str
) -> None:
    ids = {one.train.id for one in (*found.proponents, *found.opponents)}
    if not METHODS[found.method].drawn and METHODS[found.method].signed:
        shell.meaning(MEANING, workspace=workspace.name)
    columns = explanation_board.columns_of(found, word_pieces(workspace), doubts, workspace.info.checkpoints)
    explanation_board.board(
        [column for column in columns if METHODS[found.method].signed or column["kind"] == "plus"],
        label=found.label,
        about=about,
        pinned=address.pin if address.pin in ids else "",
        review=shell.href("review", workspace=workspace.name, id=""),
        key=BOARD,
        on_choose=lambda: _pin(address),
        choices=st.session_state.get(CHOICES, 0),
    )
    shown = max(len(found.proponents), len(found.opponents))
    if shown == address.top < MOST:
        more = address.at(top=address.top + STEP)
        st.button(f"Show {STEP} more on each side", key=f"explore_more_{address.top}", on_click=go, args=(more,))


def _pin(address: ExploreAddress) -> None:
    st.session_state[CHOICES] = st.session_state.get(CHOICES, 0) + 1
    go(address.at(pin=str(st.session_state[BOARD].get("chosen") or "")))
