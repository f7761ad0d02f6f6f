"""What presses do. Every write is made here, in the deck's callback, and is on disk before it returns.

A press may only ever decide the example that was on screen when it was made: it names that example, and one that cannot have
been there is refused. Presses are answered in order and each once, however often the browser sends them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import streamlit as st

import influence
from influence.attribution import DEFAULT_METHOD
from influence.review import Action, Evidence
from pages.ui.frame import Session, go, messages, numbers
from pages.ui.parts import verdicts
from pages.ui.review import position
from pages.ui.review.address import ReviewAddress
from pages.ui.review.presses import Batch, Press

DECK = "review_deck"
HANDS, SHOWN, GIVEN, MORE = "wt_review_hands", "wt_review_shown", "wt_review_given", "wt_review_more"
Touch = Callable[[], None]  # says that somebody is there
KEPT = 512  # examples that a browser was given last, and presses whose actions are known


class Failure(NamedTuple):
    """A press that came to nothing, and why."""

    seq: int
    why: str


@dataclass
class Hands:
    """What became of the presses of one deck; a page that is loaded anew has another."""

    token: str = ""
    answered: int = 0  # the last press
    actions: dict[int, int] = field(default_factory=dict)  # by press
    failures: list[Failure] = field(default_factory=list)


@dataclass
class Shown:
    """The example that this browser shows, and since when."""

    id: str
    since: float
    where: tuple[str, str] = ("", "")  # workspace and queue


@dataclass
class Given:
    """An example that this browser was given: what stood on screen with it, for the log, and with its evidence."""

    method: str
    score: float | None
    said: dict[str, Any]
    proof: dict[str, Any] = field(default_factory=dict)


def hands() -> Hands:
    """Those of this browser."""
    found = st.session_state.get(HANDS)
    return found if isinstance(found, Hands) else Hands()


def shown() -> Shown | None:
    """What is on screen."""
    found = st.session_state.get(SHOWN)
    return found if isinstance(found, Shown) else None


def is_shown(address: ReviewAddress, example_id: str) -> bool:
    """Whether this browser shows the example already, and so holds its lease."""
    on_screen = shown()
    return on_screen is not None and (on_screen.id, on_screen.where) == (example_id, (address.workspace, address.queue))


def show(address: ReviewAddress, example_id: str) -> None:
    """An example is on screen."""
    if not is_shown(address, example_id):
        st.session_state[SHOWN] = Shown(example_id, time.monotonic(), (address.workspace, address.queue))


def clear() -> None:
    """No example is on screen."""
    st.session_state.pop(SHOWN, None)


def give(address: ReviewAddress, example_id: str, given: Given) -> None:
    """An example goes to this browser; its evidence, if it had that before, is kept."""
    all_given: dict[tuple[str, str, str], Given] = st.session_state.setdefault(GIVEN, {})
    key = (address.workspace, address.queue, example_id)
    before = all_given.pop(key, None)
    all_given[key] = given if before is None else replace(given, proof=before.proof)
    while len(all_given) > KEPT:
        del all_given[next(iter(all_given))]


def prove(address: ReviewAddress, example_id: str, proof: dict[str, Any]) -> None:
    """The evidence of an example that was given is on screen, too."""
    found = given_to(address, example_id)
    if found is not None:
        found.proof = proof


def given_to(address: ReviewAddress, example_id: str) -> Given | None:
    """What this browser was given with an example; None for one that it never got."""
    found: Given | None = st.session_state.get(GIVEN, {}).get((address.workspace, address.queue, example_id))
    return found


def take(session: Session, address: ReviewAddress, touch: Touch) -> None:
    """Answer what the deck has sent, and go where its presses lead. The deck's callback."""
    batch = Batch.read(st.session_state[DECK].get("pressed"))
    if batch is None or not session.known:
        return
    touch()
    known = hands()
    if known.token != batch.token:
        st.session_state[HANDS] = known = Hands(batch.token)
    there = None
    for press in batch.presses:
        if press.seq > known.answered:
            there = _answer(session, address, known, press)
            known.answered = press.seq
    while len(known.actions) > KEPT:
        del known.actions[next(iter(known.actions))]
    if there is None:
        there = address.at(id=_after(session, address, batch))
    clear()  # the drawing claims what is shown next
    go(there)


def _answer(session: Session, address: ReviewAddress, known: Hands, press: Press) -> ReviewAddress | None:
    """Do what one press asks; returns where that leads, None where the deck is there already."""
    try:
        if press.decides:
            _decide(session, address, known, press)
            return None
        return OTHERS[press.kind](session, address, known, press)
    except influence.WordtraceError as error:
        what = verdicts.verdict(press.kind, press.label or None, press.words) if press.decides else press.kind
        known.failures = [*known.failures[-9:], Failure(press.seq, f"Not saved: {what} · {press.id}: {error}")]
        return None


def _decide(session: Session, address: ReviewAddress, known: Hands, press: Press) -> None:
    given = given_to(address, press.id) or _given_before(session, address, press.id)
    queue = session.queues.get(address.queue) if address.queue else None
    action = session.reviews.decide(
        session.reviewer, press.id, press.kind, new_label=press.label or None, words=press.words,
        evidence=Evidence(
            method=given.method, score=given.score, ms_on_screen=press.ms,
            details={**given.said, **(given.proof if press.proven else {})},
        ),
        queue=address.queue_id, adjudicates=queue is not None and queue.adjudicates,
        again=queue is not None and session.queues.hides(queue.id, press.id, session.reviewer),
    )  # fmt: skip
    if action is None:
        what = verdicts.verdict(press.kind, press.label or None, press.words)
        messages.say(f"{what}: already decided so for {press.id}")
    else:
        known.actions[press.seq] = action.id
        say_saved(action)


def _given_before(session: Session, address: ReviewAddress, example_id: str) -> Given:
    """An example that a browser says it had when the server, started anew, knows of none. Refuses what cannot have been."""
    there = session.queues.example_ids(address.queue, session.reviewer) if address.queue else [address.id]
    if example_id not in there:
        raise influence.QueryError("it is not in this queue; nothing was decided")
    return Given(DEFAULT_METHOD, None, {})


def _undo(session: Session, address: ReviewAddress, known: Hands, press: Press) -> ReviewAddress | None:
    """Take back what one press did, or the latest action before this deck if that is the one that was seen."""
    if press.of:
        if press.of not in known.actions:
            messages.say("That stood so before: nothing to take back.")
            return None
        action = session.reviews.revoke(session.reviewer, known.actions.pop(press.of))
        messages.say(f"Taken back: {verdicts.of_action(action)} · {press.id}")
        return None
    return undo_latest(session, address, press.action)


def undo_latest(session: Session, address: ReviewAddress, expected: int) -> ReviewAddress | None:
    """Take back the reviewer's latest action, if that is the one they saw; returns where its example is."""
    latest = session.reviews.recent(session.reviewer, 1)
    if not latest or latest[0].id != expected:
        return None
    try:
        session.reviews.revoke(session.reviewer, expected)
    except influence.QueryError:  # another browser of theirs was quicker
        return None
    return _turned(session, address, latest[0], "Taken back")


def _redo(session: Session, address: ReviewAddress, known: Hands, press: Press) -> ReviewAddress | None:
    action = session.reviews.redo(session.reviewer)
    there = _turned(session, address, action, "Done again")
    if there is not None and there.id == press.id and address.queue:
        return address.at(id=session.queues.next(address.queue, session.reviewer, after=press.id) or "")
    return there


def _turned(session: Session, address: ReviewAddress, action: Action | None, what: str) -> ReviewAddress | None:
    if action is None:
        messages.say("Nothing to do again.")
        return None
    [example_id, *more] = action.example_ids
    which = f"{len(more) + 1:,} examples" if more else example_id
    messages.say(f"{what}: {verdicts.of_action(action)} · {which}")
    return None if more else _at(session, address, example_id, action.queue)


def _at(session: Session, address: ReviewAddress, example_id: str, queue: str | None) -> ReviewAddress | None:
    """Where an example is; None for one that the data no longer has."""
    if example_id not in session.reviews.corpus.examples:
        return None
    return address.at(id=example_id, queue=queue or address.queue)


def _note(session: Session, address: ReviewAddress, known: Hands, press: Press) -> ReviewAddress | None:
    action = session.reviews.add_note(session.reviewer, press.id, press.text, queue=address.queue_id)
    if action is not None:
        say_saved(action)
    return None


def _forward(session: Session, address: ReviewAddress, known: Hands, press: Press) -> ReviewAddress | None:
    if not address.queue:
        return None
    following = session.queues.next(address.queue, session.reviewer, after=press.id)
    if following in (None, press.id):
        messages.say("No other example is open for you in this queue.")
        return None
    return address.at(id=following)


def _back(session: Session, address: ReviewAddress, known: Hands, press: Press) -> ReviewAddress | None:
    before = position.before(session, address.queue, press.id) if address.queue else None
    if before is None:
        messages.say("This is the first example of the queue.")
        return None
    return address.at(id=before)


def _reopen(session: Session, address: ReviewAddress, known: Hands, press: Press) -> ReviewAddress | None:
    return _at(session, address, press.id, press.queue if position.exists(session, press.queue) else None)


def _more(session: Session, address: ReviewAddress, known: Hands, press: Press) -> ReviewAddress | None:
    st.session_state[MORE] = not st.session_state.get(MORE, False)
    return None


OTHERS: dict[str, Callable[[Session, ReviewAddress, Hands, Press], ReviewAddress | None]] = {
    "undo": _undo, "redo": _redo, "note": _note, "forward": _forward, "back": _back, "reopen": _reopen, "more": _more,
}  # fmt: skip


def _after(session: Session, address: ReviewAddress, batch: Batch) -> str:
    """The example that the deck shows by now, if it was given it and nobody else has it; else the queue's next."""
    if not address.queue:
        return address.id
    was_given = given_to(address, batch.showing) is not None
    if was_given and session.queues.claim(address.queue_id, batch.showing, session.reviewer):
        return batch.showing
    failed = {failure.seq for failure in hands().failures}
    last = next((press.id for press in reversed(batch.presses) if press.decides and press.seq not in failed), None)
    return session.queues.next(address.queue, session.reviewer, after=last) or ""


def say_saved(action: Action) -> None:
    """Say what is on disk, and when it was written."""
    messages.say(f"Saved {numbers.clock(action.at)} · {verdicts.of_action(action)} · {action.example_ids[0]}")
