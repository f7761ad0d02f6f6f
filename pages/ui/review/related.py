"""What speaks for and against the label of one training example, kept ready for the example that comes next."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import SimpleQueue

import streamlit as st

import influence
from influence import Explanation
from influence.attribution import SpecialTokens
from influence.explanations import Effects, effects
from pages.ui.frame import answers
from pages.ui.parts import suspicions

TOP = 6  # on each side
KEPT = 256  # examples
_asked: dict[tuple[str, str, str | None], None] = {}  # what was to be gathered lately
_coming: SimpleQueue[tuple[influence.Workspace, str, str | None]] = SimpleQueue()
_lock = threading.Lock()
_worker: threading.Thread | None = None


@dataclass(frozen=True)
class Related:
    """The training examples that pull hardest at one, and the test examples that it pulls at hardest."""

    trains: Explanation
    tests: Effects


@st.cache_resource(max_entries=KEPT, show_spinner=False, hash_funcs=answers.BY_BUILD)
def related(workspace: influence.Workspace, train_id: str, label: str | None = None) -> Related:
    """The evidence on one training example, or on its text under another label. Raises `QueryError` for an unknown one.

    Under another label no test examples: the index knows what an example did to them under its own alone.
    """
    if label is not None:
        return Related(_as_if_labelled(workspace, train_id, label), Effects([], []))
    return Related(_neighbours(workspace, train_id=train_id), effects(workspace, train_id, top=TOP))


def _neighbours(workspace: influence.Workspace, train_id: str) -> Explanation:
    return _told(lambda special: influence.explain(workspace, train_id=train_id, top=TOP, special_tokens=special))


def _as_if_labelled(workspace: influence.Workspace, train_id: str, label: str) -> Explanation:
    """The same with the gradients that the text has under that label; the example itself must not speak against it."""
    position = workspace.store.positions("train", [train_id])[train_id]
    example = workspace.store.examples("train", [position])[position]
    text, pair = example.text, example.text_pair
    found = _told(
        lambda special: influence.explain(workspace, text=text, text_pair=pair, label=label, top=TOP + 1, special_tokens=special)
    )
    proponents, opponents = (
        [one for one in side if one.train.id != train_id][:TOP] for side in (found.proponents, found.opponents)
    )
    return replace(found, proponents=proponents, opponents=opponents)


def _told(explain: Callable[[SpecialTokens], Explanation]) -> Explanation:
    """Through words they share, if any: start and end tokens would bring up the same few short examples for all."""
    found = explain("exclude")
    return found if found.proponents or found.opponents else explain("include")


def prepare(workspace: influence.Workspace, train_id: str, label: str | None = None) -> None:
    """Gather the evidence on an example in the background, so that it is there when its turn comes.

    One after another: a thread for each would take the processor from those who wait for a page.
    """
    global _worker
    key = (str(workspace.build), train_id, label)
    with _lock:
        if key in _asked:
            return
        _asked[key] = None
        while len(_asked) > KEPT:
            del _asked[next(iter(_asked))]
        if _worker is None:
            _worker = threading.Thread(target=_work, daemon=True)
            _worker.start()
    _coming.put((workspace, train_id, label))


def _work() -> None:
    while True:
        _quietly(*_coming.get())


def _quietly(workspace: influence.Workspace, train_id: str, label: str | None) -> None:
    with suppress(Exception):  # asked for again when the example is shown, where whoever looks at it is told
        related(workspace, train_id, label)
        suspicions.suspicion(workspace, train_id)
