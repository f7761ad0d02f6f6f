"""The deck: the component that shows the example on screen and holds those that come next, so that no press has to wait."""

from functools import partial
from typing import TypedDict

from influence.attribution import DEFAULT_METHOD
from influence.review import Action, Queue
from pages.ui.frame import Session, component, messages, numbers
from pages.ui.parts import payloads, verdicts
from pages.ui.review import hands, labels, related, review_item
from pages.ui.review.address import ReviewAddress
from pages.ui.review.hands import DECK, Given, Touch
from pages.ui.review.review_item import ItemPayload, ReviewItem

AHEAD = 16  # examples that are fetched ahead: two seconds of the fastest hand
READY = 2  # of them, whose evidence is gathered ahead
RECENT = 10
READING = 50  # milliseconds that an example must have been painted before a press counts for it: a key that bounces does not

_component = component("deck", "review/card", "review/keys", "review/panels", "review/deck", style="review/view")


class LastItem(TypedDict):
    """One of the last decisions."""

    id: str  # of its example; "" where there are several
    what: str
    where: str
    when: str
    queue: str


class Answered(TypedDict):
    """Up to which press of which deck everything has been answered."""

    token: str
    seq: int


class DeckPayload(TypedDict):
    """What the component is given."""

    part: str
    workspace: str
    at: str | None  # None once nothing is left
    cases: list[ItemPayload]  # that on screen, then those ahead in order
    alone: bool  # an example by itself, of no queue
    answered: Answered
    failures: list[dict[str, object]]
    said: str
    undo: int  # the action that undo takes back before the deck's own; 0 for none
    last: list[LastItem]
    labels: list[dict[str, str]]
    verdicts: list[dict[str, str]]
    steps: list[dict[str, str]]
    most: int  # labels, up to which each has a button
    few: int  # labels that have one where there are more
    reading: int


def draw(session: Session, address: ReviewAddress, queue: Queue | None, found: ReviewItem | None, touch: Touch) -> None:
    """The deck, with what comes next fetched and leased ahead; without an example where none is left, for undo."""
    cases, ahead = [], list[str]()
    if found is not None:
        hands.show(address, found.example.id)
        if queue is not None:
            ahead = session.queues.hold(queue.id, found.example.id, session.reviewer, ahead=AHEAD)
        cases = [found, *(review_item.gather(session, queue, one, wait=False) for one in ahead)]
    for case in cases:
        hands.give(address, case.example.id, _given(case))
    content = _payload(session, address, cases, alone=queue is None)
    _component(key=DECK, data=payloads.stamped(content), on_pressed_change=partial(hands.take, session, address, touch))
    for one in ahead[:READY]:
        related.prepare(session.workspace, one, review_item.turned(session, queue, one))


def _given(case: ReviewItem) -> Given:
    score = case.suspicion.suspicion if case.suspicion and not case.hidden and not case.guarded else None
    return Given("suspicion" if score is not None else DEFAULT_METHOD, score, review_item.said(case))


def _payload(session: Session, address: ReviewAddress, cases: list[ReviewItem], *, alone: bool) -> DeckPayload:
    known, actions = hands.hands(), session.reviews.recent(session.reviewer, RECENT)
    message, _ = messages.said()
    names = session.workspace.info.labels
    return {
        "part": "deck",
        "workspace": session.workspace.name,
        "at": cases[0].example.id if cases else None,
        "cases": [case.payload for case in cases],
        "alone": alone,
        "answered": {"token": known.token, "seq": known.answered},
        "failures": [{"seq": failure.seq, "why": failure.why} for failure in known.failures],
        "said": message,
        "undo": actions[0].id if actions else 0,
        "last": _last(actions),
        "labels": labels.payload(names),
        "verdicts": labels.decisions(),
        "steps": [*([labels.FIND] if len(names) > labels.MOST else []), *labels.STEPS],
        "most": labels.MOST,
        "few": labels.FEW,
        "reading": READING,
    }


def _last(actions: list[Action]) -> list[LastItem]:
    """The reviewer's last decisions, the latest first."""
    return [
        {
            "id": action.example_ids[0] if len(action.example_ids) == 1 else "",
            "what": verdicts.of_action(action),
            "where": action.example_ids[0] if len(action.example_ids) == 1 else verdicts.origin(action) or "together",
            "when": numbers.clock(action.at),
            "queue": action.queue or "",
        }
        for action in actions
    ]
