"""One decision on many examples: what is chosen, what to do with that, the question before it is done, and the way back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

import influence
from influence.data import TWO_WAYS, Edit
from influence.review import Action, BulkPreview, Evidence, decide_bulk, preview_bulk
from pages.ui.frame import Session, messages, numbers, render, reviewer
from pages.ui.parts import decision_charts, learning, queues, rows, verdicts
from pages.ui.parts.charts import STILL
from pages.ui.parts.queues import Source
from pages.ui.parts.rows import Choice

ASKED = "wt_bulk_asked"
SUGGESTION = "suggestion"
LISTED = 5  # texts that the question shows
FIRST, REST = ("relabel", "keep", "remove"), ("mask", "flag")  # in the bar, and behind "More"


@dataclass(frozen=True)
class Chosen:
    """Examples that can be acted on, and what they are for the log; the ids are asked for only when needed."""

    ids: Callable[[], list[str]]
    count: int
    origin: dict[str, Any]
    queue_name: str = "A selection of suspects"
    suggested: Callable[[list[str]], dict[str, str]] | None = None
    evidence: Callable[[list[str]], dict[str, Evidence]] | None = None
    words: tuple[str, ...] = ()  # offered for masking
    masked: tuple[str, ...] = ()  # of these, picked from the start
    unseen: int = 0  # of them that the page before the question does not show


def with_words(scope: Chosen, words: tuple[str, ...]) -> Chosen:
    """The same examples, with words offered for masking."""
    return replace(scope, words=words)


def picked(every: Chosen, choice: Choice, shown: list[str]) -> Chosen:
    """What is chosen of a list, `shown` of which is on the page."""
    if choice.whole:
        return replace(every, unseen=every.count - len(shown))
    origin = {"kind": "selection"} if every.origin["kind"] == "filter" else {**every.origin, "chosen": True}
    ids, seen = list(choice.ids), len(choice.ticked(shown))
    return replace(every, ids=lambda: ids, count=len(ids), origin=origin, unseen=len(ids) - seen)


def draw(session: Session, every: Chosen, choice: Choice, shown: list[str]) -> None:
    """The bar at the foot of a list, `shown` of which is on the page."""
    scope = picked(every, choice, shown)
    with st.container(key="wt-bulk"):
        with st.container(horizontal=True, vertical_alignment="center", key="wt-bulk-said"):
            _said(scope, choice)
            _choosing(every, choice, shown)
            if session.known:
                _undo(session)
                _redo(session)
        with st.container(horizontal=True, vertical_alignment="center", key="wt-bulk-acts"):
            _actions(session, scope)
    if not session.known and st.session_state.get(ASKED) == "name":
        reviewer.ask()
    asked = st.session_state.get(ASKED)
    if isinstance(asked, tuple) and session.known:
        _dialog(session, *asked)


def done(session: Session) -> None:
    """What stands in the bar's place where nothing is left to choose: what was done last, and its way back."""
    with st.container(horizontal=True, vertical_alignment="center", key="wt-bulk-said"):
        messages.show()
        if session.known:
            _undo(session)
            _redo(session)


def review(session: Session, every: Chosen) -> None:
    """The button that makes a queue of a whole list."""
    name = f"Review {numbers.these(every.count)}"
    st.button(
        name, key="bulk_queue", icon=":material/rate_review:", type="primary", help="One at a time, as a queue",
        on_click=_queue if session.known else _ask_name,
        args=(session, every) if session.known else (),
    )  # fmt: skip


def _said(scope: Chosen, choice: Choice) -> None:
    message, failed = messages.said()
    if message:
        render.said(message, failed=failed)
        return
    if not scope.count:
        render.hint(rows.ended() or "Tick sentences to decide them together")
        return
    away = f", {scope.unseen:,} of them on other pages" if scope.unseen else ""
    render.hint(f"{'All ' if choice.whole else ''}{scope.count:,} chosen{away}")


def _choosing(every: Chosen, choice: Choice, shown: list[str]) -> None:
    """What chooses the rows on the page, the whole list, or none."""
    if len(choice.ticked(shown)) < len(shown):
        ids = list(dict.fromkeys([*choice.ids, *shown]))
        name = f"Choose {numbers.these(len(shown))}"
        st.button(name, key="bulk_choose_shown", type="tertiary", on_click=rows.choose, args=(choice.of, ids))
    if every.count > len(shown) and not choice.whole:
        name = f"Choose all {every.count:,}"
        st.button(
            name, key="bulk_choose_all", type="tertiary", on_click=rows.choose, args=(choice.of, []), kwargs={"whole": True}
        )
    if choice.whole or choice.ids:
        st.button("Choose none", key="bulk_choose_none", type="tertiary", on_click=rows.choose, args=(choice.of, []))


def _actions(session: Session, scope: Chosen) -> None:
    if not session.known:
        st.button("Say who you are, to decide", key="bulk_who", on_click=_ask_name)
        return
    if scope.suggested is not None:
        _action(scope, SUGGESTION, "Accept suggestions")
    for kind in FIRST:
        _action(scope, kind, verdicts.WORDINGS[kind].together)
    with st.popover("More", disabled=not scope.count, key="bulk_more"):
        for kind in REST:
            _action(scope, kind, verdicts.WORDINGS[kind].together)


def _action(scope: Chosen, kind: str, name: str) -> None:
    st.button(name, key=f"bulk_{kind}", on_click=_ask, args=(scope, kind), disabled=not scope.count)


def _undo(session: Session) -> None:
    latest = session.reviews.recent(session.reviewer, 1)
    if latest and len(latest[0].example_ids) > 1:
        name = render.md(f"Undo {verdicts.of_action(latest[0])}", 60)
        icon = ":material/undo:"
        st.button(name, key=f"bulk_undo_{latest[0].id}", icon=icon, on_click=_take_back, args=(session, latest[0]))


def _redo(session: Session) -> None:
    undone = session.reviews.redoable(session.reviewer)
    if undone is not None and len(undone.example_ids) > 1:
        name = render.md(f"Redo {verdicts.of_action(undone)}", 60)
        icon = ":material/redo:"
        st.button(name, key=f"bulk_redo_{undone.id}", icon=icon, type="tertiary", on_click=_do_again, args=(session, undone))


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
    source = Source(str(scope.origin["kind"]), scope.queue_name[:180], "", scope.ids(), scope.origin)
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
    _texts(session, found, scope)
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


def _texts(session: Session, found: BulkPreview, scope: Chosen) -> None:
    """The first texts that it would decide, and that there are others which nobody has in sight."""
    examples = [session.reviews.corpus[id] for id in found.changed[:LISTED]]
    lines = [rows.row(e.id, labels=[(e.label, "label")], sides=rows.plain(e.text, e.text_pair)) for e in examples]
    rows.draw(lines, key="bulk_texts")
    rest = len(found.changed) - len(lines)
    if rest > 0:
        away = f"; {scope.unseen:,} of all {scope.count:,} are not on the page you see" if scope.unseen else ""
        render.hint(f"and {numbers.counted(rest, 'more example')}{away}")


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
            rows.choose_none()
            learning.check(session)
