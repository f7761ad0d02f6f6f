"""What the keys of the Review page do. Every write is made here, in callbacks, and is on disk before they return.

A key may only ever decide the example that the reviewer has seen. So each button carries its example's id, a press for
an example that is no longer on screen is dropped, and so is one that comes before anybody can have read the text.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

import influence
from influence.data import Edit
from influence.review import Action, Evidence
from pages.ui.frame import Session, go, messages, numbers
from pages.ui.parts import verdicts
from pages.ui.review.address import ReviewAddress

SHOWN, MASKING, NOTING, MORE = "wt_review_shown", "wt_review_masking", "wt_review_noting", "wt_review_more"
KEYED = 9  # labels, or words, that have the keys 1 to 9
MASK_KEY = "Enter"  # masks the words that were picked
UNREAD = 0.25  # seconds; nobody has read an example that has been on screen for less


@dataclass
class Shown:
    """The example that this browser shows, since when, and the evidence that is shown with it."""

    id: str
    since: float
    where: tuple[str, str] = ("", "")  # workspace and queue
    method: str | None = None
    score: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def evidence(self) -> Evidence:
        """For the log."""
        ms = round(1000 * (time.monotonic() - self.since))
        return Evidence(method=self.method, score=self.score, ms_on_screen=ms, details=self.details)


def decisive() -> list[str]:
    """The keys that decide with one press: numbers for labels, those of the buttons, and the one that masks the picked words."""
    buttons = [words.key for kind, words in verdicts.WORDINGS.items() if words.key and not Edit(kind).does.masks]
    return [*map(str, range(1, KEYED + 1)), *buttons, MASK_KEY]


def shown() -> Shown | None:
    """What is on screen."""
    found = st.session_state.get(SHOWN)
    return found if isinstance(found, Shown) else None


def decide(
    session: Session, address: ReviewAddress, example_id: str, kind: str, new_label: str | None, words: tuple[str, ...]
) -> None:
    """Decide, flag or skip the example on screen, and put the next one there."""
    on_screen = shown()
    if on_screen is None or on_screen.id != example_id:
        return
    # Buttons that made way for words, or lie behind a note, hear their keys until the browser has drawn that.
    if st.session_state.get(NOTING) or (kind != "mask" and st.session_state.get(MASKING, ("", []))[0] == example_id):
        return
    if time.monotonic() - on_screen.since < UNREAD:
        on_screen.since = time.monotonic()
        messages.say("That key came before this example could be read: nothing was saved.", failed=True)
        return
    adjudicates = bool(address.queue) and session.queues.get(address.queue).adjudicates
    try:
        action = session.reviews.decide(
            session.reviewer, example_id, kind, new_label=new_label, words=words, evidence=on_screen.evidence(),
            queue=address.queue_id, adjudicates=adjudicates,
            again=bool(address.queue) and session.queues.hides(address.queue, example_id, session.reviewer),
        )  # fmt: skip
    except influence.WordtraceError as error:
        messages.say(f"Not saved: {error}", failed=True)
        return
    st.session_state.pop(MASKING, None)
    if action is None:
        messages.say(f"{verdicts.verdict(kind, new_label, words)}: already decided so for {example_id}")
    else:
        say_saved(action)
    _move_on(session, address, example_id)


def decide_other(session: Session, address: ReviewAddress, example_id: str, key: str) -> None:
    """Decide by the list of labels that have no key."""
    label = st.session_state[key]
    if label is None:
        return
    keeps = label == session.reviews.shown(example_id, address.queue_id).label
    decide(session, address, example_id, "keep" if keeps else "relabel", None if keeps else label, ())


def undo(session: Session, address: ReviewAddress, expected: int) -> None:
    """Take back the reviewer's latest action, if that is the one they saw, and show its example again."""
    latest = session.reviews.recent(session.reviewer, 1)
    if st.session_state.get(NOTING) or not latest or latest[0].id != expected:
        return
    try:
        session.reviews.revoke(session.reviewer, expected)
    except influence.QueryError:  # another browser of theirs was quicker
        return
    _turned(session, address, latest[0], "Taken back")


def redo(session: Session, address: ReviewAddress, example_id: str) -> None:
    """Do again what was taken back last."""
    on_screen = shown()
    if on_screen is not None and on_screen.id != example_id:
        return
    action = session.reviews.redo(session.reviewer)
    _turned(session, address, action, "Done again")
    if action is not None and action.example_ids == (example_id,):
        _move_on(session, address, example_id)


def forward(session: Session, address: ReviewAddress, example_id: str) -> None:
    """On to the next open example, deciding nothing."""
    if address.queue:
        following = session.queues.next(address.queue, session.reviewer, after=example_id)
        if following in (None, example_id):
            messages.say("No other example is open for you in this queue.")
        else:
            _leave_screen()
            go(address.at(id=following))


def back(address: ReviewAddress, example_id: str) -> None:
    """To an example before, decided or not."""
    _leave_screen()
    go(address.at(id=example_id))


def reopen(session: Session, address: ReviewAddress, example_id: str, queue: str | None) -> None:
    """Put an example on screen again."""
    if example_id in session.reviews.corpus.examples:
        _leave_screen()
        go(address.at(id=example_id, queue=queue or address.queue))


def start_masking(example_id: str) -> None:
    """Let words be picked."""
    st.session_state[MASKING] = (example_id, [])


def pick(example_id: str, word: str) -> None:
    """Pick a word to mask, or let it be."""
    current, words = st.session_state.get(MASKING, ("", []))
    if current == example_id:
        same = [w for w in words if w.casefold() == word.casefold()]
        st.session_state[MASKING] = (example_id, [w for w in words if w not in same] if same else [*words, word])


def stop_masking() -> None:
    """Back to the other decisions."""
    st.session_state.pop(MASKING, None)


def start_note() -> None:
    """Open the note; the keys of the page are off until it is closed."""
    st.session_state[NOTING] = True


def stop_note() -> None:
    """The note has been closed."""
    st.session_state[NOTING] = False


def add_note(session: Session, address: ReviewAddress, example_id: str, key: str) -> None:
    """Save what was typed as a note."""
    stop_note()
    with messages.or_say("Not saved"):
        action = session.reviews.add_note(session.reviewer, example_id, st.session_state.get(key, ""), queue=address.queue_id)
        if action is not None:
            say_saved(action)


def turn_more() -> None:
    """More evidence, or less."""
    st.session_state[MORE] = not st.session_state.get(MORE, False)


def say_saved(action: Action) -> None:
    """Say what is on disk, and when it was written."""
    messages.say(f"Saved {numbers.clock(action.at)} · {verdicts.of_action(action)} · {action.example_ids[0]}")


def _turned(session: Session, address: ReviewAddress, action: Action | None, what: str) -> None:
    if action is None:
        messages.say("Nothing to do again.")
        return
    [example_id, *more] = action.example_ids
    which = f"{len(more) + 1:,} examples" if more else example_id
    messages.say(f"{what}: {verdicts.of_action(action)} · {which}")
    if not more:
        reopen(session, address, example_id, action.queue)


def _move_on(session: Session, address: ReviewAddress, example_id: str) -> None:
    _leave_screen()
    if address.queue:
        go(address.at(id=session.queues.next(address.queue, session.reviewer, after=example_id) or ""))


def _leave_screen() -> None:
    for key in (SHOWN, MASKING, NOTING):
        st.session_state.pop(key, None)
