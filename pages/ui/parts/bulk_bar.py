"""One decision on many examples: what to do with those chosen, the question before it is done, and the way back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

import influence
from influence.data import TWO_WAYS, Edit
from influence.review import Action, BulkPreview, Evidence, decide_bulk, preview_bulk
from pages.ui.frame import Session, messages, numbers, render, reviewer
from pages.ui.parts import decision_charts, learning, queues, verdicts
from pages.ui.parts.charts import STILL
from pages.ui.parts.queues import Source

ASKED = "wt_bulk_asked"
SUGGESTION = "suggestion"


@dataclass(frozen=True)
class Chosen:
    """Examples that can be acted on, and what they are for the log; the ids are asked for only when needed."""

    key: str
    name: str
    ids: Callable[[], list[str]]
    count: int
    origin: dict[str, Any]
    queue_name: str = "A selection of suspects"
    suggested: Callable[[list[str]], dict[str, str]] | None = None
    evidence: Callable[[list[str]], dict[str, Evidence]] | None = None
    words: tuple[str, ...] = ()  # offered for masking
    masked: tuple[str, ...] = ()  # of these, picked from the start


def with_words(scope: Chosen, words: tuple[str, ...]) -> Chosen:
    """The same examples, with words offered for masking."""
    return replace(scope, words=words)


def draw(session: Session, scopes: list[Chosen], *, key: str) -> Any:
    """The bar: for which examples, what to do, and the last bulk action's undo. Returns the room in it for more."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"wt-bulk-{key}"):
        scope = _scope(scopes, key)
        room = st.container(horizontal=True, vertical_alignment="center", width="stretch")
        if not session.known:
            st.button("Say who you are, to decide", key=f"bulk_who_{key}", on_click=_ask_name)
        else:
            suggestion = {} if scope.suggested is None else {SUGGESTION: "Accept suggestions"}
            for kind, name in {**suggestion, **{kind: words.together for kind, words in verdicts.WORDINGS.items()}}.items():
                if name:
                    st.button(name, key=f"bulk_{kind}_{key}", on_click=_ask, args=(scope, kind))
            st.button(
                "Review", key=f"bulk_queue_{key}", icon=":material/rate_review:", on_click=_queue, args=(session, scope),
                help="One at a time, as a queue",
            )  # fmt: skip
            _undo(session, key)
            _redo(session, key)
    if not session.known and st.session_state.get(ASKED) == "name":
        reviewer.ask()
    asked = st.session_state.get(ASKED)
    if isinstance(asked, tuple) and session.known:
        _dialog(session, *asked)
    return room


def _scope(scopes: list[Chosen], key: str) -> Chosen:
    """Which of the scopes is meant, as the reviewer says where there are several."""
    if len(scopes) == 1:
        render.hint(f"For {scopes[0].name}")
        return scopes[0]
    by_key = {one.key: one for one in scopes}
    picked = st.segmented_control(
        "For", list(by_key), format_func=lambda name: by_key[name].name, default=scopes[0].key, required=True,
        key=f"bulk_scope_{key}", label_visibility="collapsed",
    )  # fmt: skip
    return by_key.get(picked or "", scopes[0])


def _undo(session: Session, key: str) -> None:
    latest = session.reviews.recent(session.reviewer, 1)
    if latest and len(latest[0].example_ids) > 1:
        name = f"Undo {verdicts.of_action(latest[0])}"
        st.button(
            render.md(name, 60),
            key=f"bulk_undo_{key}_{latest[0].id}",
            icon=":material/undo:",
            on_click=_take_back,
            args=(session, latest[0]),
        )


def _redo(session: Session, key: str) -> None:
    undone = session.reviews.redoable(session.reviewer)
    if undone is not None and len(undone.example_ids) > 1:
        name = render.md(f"Redo {verdicts.of_action(undone)}", 60)
        icon = ":material/redo:"
        st.button(name, key=f"bulk_redo_{key}_{undone.id}", icon=icon, on_click=_do_again, args=(session, undone))


def _do_again(session: Session, action: Action) -> None:
    with session.reviews.log.lock:
        expected = session.reviews.redoable(session.reviewer)
        if expected is None or expected.id != action.id:  # another browser of theirs was quicker
            messages.say("Not done again: something else has been decided since.", failed=True)
            return
        session.reviews.redo(session.reviewer)
    messages.say(f"Done again: {verdicts.of_action(action)}")


def _take_back(session: Session, action: Action) -> None:
    with messages.or_say("Not undone"):
        session.reviews.revoke(session.reviewer, action.id)
        messages.say(f"Taken back: {verdicts.of_action(action)}")


def _ask(scope: Chosen, kind: str) -> None:
    st.session_state[ASKED] = (scope, kind)


def _ask_name() -> None:
    st.session_state[ASKED] = "name"


def _close() -> None:
    st.session_state.pop(ASKED, None)


def _queue(session: Session, scope: Chosen) -> None:
    source = Source(scope.key, scope.queue_name[:180], "", scope.ids(), scope.origin)
    queues.make_and_open(session, source)


@st.dialog("Decide together", width="medium", on_dismiss=_close)
def _dialog(session: Session, scope: Chosen, kind: str) -> None:
    """What it would do, label by label, before it is done."""
    if ASKED not in st.session_state:
        st.rerun()  # done: the dialog is a fragment of its own, and only the page can close it
    ids = scope.ids()
    edit = _spelt(session, scope, kind)
    if edit is None:
        return
    edits = _edits(scope, kind, edit, ids)
    over = bool(st.session_state.get("bulk_over"))
    try:
        found = preview_bulk(session.reviews, session.reviewer, edits, keep_decided=not over)
    except influence.WordtraceError as error:
        st.error(render.md(error, 600))
        return
    count = len(found.changed)
    render.heading(f"{_verb(edit, kind)} {count:,} of {len(ids):,}", verdicts.label_counts(found.labels))
    render.notes(_remarks(found))
    if found.decided:
        st.toggle(f"Also the {len(found.decided):,} that you have decided otherwise", key="bulk_over")
    if edit.does.moves_labels:
        st.plotly_chart(decision_charts.balance(found.before, found.after), key="bulk_balance", config=STILL)
    with st.container(horizontal=True):
        st.button(
            render.md(f"{_verb(edit, kind)} {numbers.counted(count, 'example')}"), key="bulk_apply", type="primary",
            disabled=not count, on_click=_apply, args=(session, scope, edit, edits, over),
        )  # fmt: skip
        st.button("Cancel", key="bulk_cancel", on_click=_close)


def _spelt(session: Session, scope: Chosen, kind: str) -> Edit | None:
    """The edit with what it needs: a label, or words; None until they are given."""
    if kind == SUGGESTION:
        return Edit("relabel")
    if Edit(kind).does.relabels:
        label = st.selectbox("New label", session.workspace.info.labels, index=None, key="bulk_label", placeholder="choose one")
        return None if label is None else Edit(kind, label)
    if Edit(kind).does.masks:
        words = st.multiselect(
            "Words", list(scope.words), default=list(scope.masked), key="bulk_words", accept_new_options=True,
            placeholder="type a word and press Enter",
            help="Examples that lack one of them are left as they are. Every occurrence is masked: "
            f"{TWO_WAYS}.",
        )  # fmt: skip
        return Edit(kind, words=tuple(words)) if words else None
    return Edit(kind)


def _edits(scope: Chosen, kind: str, edit: Edit, ids: list[str]) -> dict[str, Edit]:
    """The edit of every example; the suggestion differs from one to the next, and some have none."""
    if kind != SUGGESTION:
        return dict.fromkeys(ids, edit)
    labels = scope.suggested(ids) if scope.suggested else {}
    return {id: Edit(edit.kind, labels.get(id)) for id in ids}


def _verb(edit: Edit, kind: str) -> str:
    if kind == SUGGESTION:
        return "Accept the suggestion for"
    return verdicts.WORDINGS[kind].ask + (f" {edit.new_label}:" if edit.new_label is not None else "")


def _remarks(found: BulkPreview) -> list[str]:
    remarks = []
    if found.same:
        remarks.append(f"{len(found.same):,} you have decided so already")
    if found.unfit:
        remarks.append(
            f"{len(found.unfit):,} it would not change: of that label already, without a suggestion, or without the words"
        )
    return remarks


def _apply(session: Session, scope: Chosen, edit: Edit, edits: dict[str, Edit], over: bool) -> None:
    chosen = [("bulk_label", edit.new_label), ("bulk_words", list(edit.words))]
    over_now = bool(st.session_state.get("bulk_over"))
    if over_now != over or any(value and st.session_state[key] != value for key, value in chosen):
        return  # chosen just before the click: the dialog shows now what that would do
    _close()
    evidence = scope.evidence(list(edits)) if scope.evidence else {}
    with messages.or_say("Not saved"):
        action = decide_bulk(
            session.reviews, session.reviewer, edits, keep_decided=not over, evidence=evidence, origin=scope.origin
        )
        if action is None:
            messages.say("Nothing was left to decide.")
        else:
            messages.say(f"Saved {numbers.clock(action.at)} · {verdicts.of_action(action)}")
            learning.check(session)
