"""What Explore's address asks of the engine; a method that takes minutes is asked only once the reader agrees."""

import threading
import time
from collections import OrderedDict
from contextlib import nullcontext

import streamlit as st

import influence
from influence import DEFAULT_METHOD, METHODS, Explanation
from pages.ui.explore.address import MOST, ExploreAddress
from pages.ui.frame import answers, numbers, render
from pages.ui.parts import method_menu

AGREED = "explore_agreed"
MOST_KEPT = 64
UPDATE = 0.3  # seconds between two drawings of the bar

_kept: OrderedDict[tuple[object, ...], Explanation] = OrderedDict()
_lock = threading.Lock()


def ask(workspace: influence.Workspace, address: ExploreAddress, method: str, *, top: int) -> Explanation:
    """The explanation by a method, with `top` on each side. Raises what `influence.explain` raises."""
    if method_menu.of(workspace, method).slow:
        return _cut(_slow(workspace, address, method), top)
    model = address.own or address.target or (method != DEFAULT_METHOD and METHODS[method].needs_gradients)
    with st.spinner("Asking the model…", show_time=True) if model else nullcontext():
        return answer(workspace, address, method, top=top)


def answer(workspace: influence.Workspace, address: ExploreAddress, method: str, *, top: int) -> Explanation:
    """The same without a word on screen, by a method that is not slow."""
    return answers.explanation(workspace, **_question(address, method), top=top)


def takes_long(workspace: influence.Workspace, address: ExploreAddress, method: str) -> bool:
    """Whether the answer is not there and would take long."""
    return method_menu.of(workspace, method).slow and key_of(workspace, address, method) not in _kept


def waits(workspace: influence.Workspace, address: ExploreAddress, method: str) -> bool:
    """Whether the answer would take long and the reader has not agreed to that yet."""
    agreed = st.session_state.get(AGREED, set())
    return takes_long(workspace, address, method) and key_of(workspace, address, method) not in agreed


def offer(workspace: influence.Workspace, address: ExploreAddress, method: str) -> None:
    """What a slow method costs, and the button that starts it."""
    about, info = method_menu.of(workspace, method), workspace.info
    with st.container(key=f"wt-gate-{method}"):
        render.state_text(
            f"{about.title} is not computed yet",
            f"{about.cost} Here: {info.n_train:,} training sentences"
            f"{f' through {len(info.checkpoints)} checkpoints' if about.needs == 'pass' else ''}.",
        )
        st.button(
            "Compute now", type="primary", key=f"explore_compute_{method}", on_click=_agree, args=(workspace, address, method)
        )
        render.hint("Leaving the page stops it; the answer is kept while the server runs.")


def simple(workspace: influence.Workspace, address: ExploreAddress) -> Explanation:
    """The default method's explanation: what is known of the sentence where the chosen method has no answer."""
    return ask(workspace, address, DEFAULT_METHOD, top=address.top)


def _question(address: ExploreAddress, method: str) -> dict[str, object]:
    which = {"text": address.text, "text_pair": address.pair or None} if address.own else {"test_id": address.id}
    tokens = address.tokens if METHODS[method].words else "include"
    return {**which, "label": address.target or None, "method": method, "special_tokens": tokens}


def key_of(workspace: influence.Workspace, address: ExploreAddress, method: str) -> tuple[object, ...]:
    """What tells this question from others."""
    return (str(workspace.build), *sorted(_question(address, method).items()))


def _agree(workspace: influence.Workspace, address: ExploreAddress, method: str) -> None:
    st.session_state[AGREED] = {*st.session_state.get(AGREED, set()), key_of(workspace, address, method)}


def _slow(workspace: influence.Workspace, address: ExploreAddress, method: str) -> Explanation:
    key = key_of(workspace, address, method)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    bar = st.empty()
    started = drawn = time.monotonic()
    at = ""

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal drawn, started, at
        now = time.monotonic()
        if stage != at:
            started, at = now, stage
        if now - drawn > UPDATE:  # Streamlit stops the computing here when the reader has gone on
            drawn = now
            left = numbers.duration((now - started) / max(done, 1) * (total - done))
            bar.progress(done / total, text=f"{METHODS[method].title}: {done:,} of {total:,}, {left} left")

    bar.progress(0.0, text=f"{METHODS[method].title}: loading the checkpoints…")
    found = influence.explain(workspace, **_question(address, method), top=MOST, progress=progress)  # type: ignore[arg-type]
    bar.empty()
    with _lock:
        _kept[key] = found
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return found


def _cut(found: Explanation, top: int) -> Explanation:
    return Explanation(found.query, found.label, found.method, found.proponents[:top], found.opponents[:top])
