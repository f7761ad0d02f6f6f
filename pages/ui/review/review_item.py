"""One training example as a reviewer sees it: its text, what is said about it, and the evidence, as plain data.

Scores here are about the example's own label: above 0, a step on the other example lowered the loss on it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict, cast

from influence import Influence, Sentence
from influence.data import TWO_WAYS, find_to_mask
from influence.explanations import Effect, word_support, word_totals
from influence.review import Decision, Note, Queue, TrainExample
from pages.ui.frame import Session, numbers, shell
from pages.ui.parts import Piece, Scores, Signal, Suspicion, explanation_board, payloads, scores, suspicions, verdicts
from pages.ui.review import related as evidence
from pages.ui.review.related import Related

FEW, MOST = 3, evidence.TOP
MOSTLY = 0.5  # share of a score from which start and end tokens are worth a remark


class ItemPayload(TypedDict):
    """The example itself, for the deck."""

    id: str
    given: str
    suggested: str | None
    model: dict[str, str] | None
    sides: list[list[Piece]]
    cut: bool
    sums: Scores
    words: list[str] | None  # that can be masked, those that carry most first; None until the evidence is there
    masking: str
    mine: str | None
    others: list[dict[str, str | bool]]
    notes: list[dict[str, str]]
    hidden: bool
    stamp: str


class Card(TypedDict):
    """One related example."""

    id: str | None
    href: str
    label: str | None
    says: str
    score: str
    size: float
    special: str
    sides: list[list[Piece]]
    sums: Scores


class ScaledCard(Card):
    """With its size beside the strongest of its kind, its sign left out: 0 to 1, and in print."""

    bar: float
    share: str


class Group(TypedDict):
    """Related examples on one side."""

    kind: str
    title: str
    cards: list[ScaledCard]


class EvidencePayload(TypedDict):
    """Why the example is suspected, and the cards; the example itself goes along, its words lit by now."""

    part: str
    item: ItemPayload
    reason: str
    signals: list[Signal]
    groups: list[Group]


@dataclass(frozen=True)
class ReviewItem:
    """Everything about one example; `hidden` says that others and the model must not be heard yet.

    `guarded`: the queue holds planted controls, so nothing is shown of any of its examples that would tell one from a
    suspect: not why it is ranked where it is, nor the test examples that it has pulled at under the label of the data.
    `related` is None for an example whose evidence is not there yet: its words are not lit then.
    """

    workspace: str
    example: TrainExample
    related: Related | None
    suspicion: Suspicion | None
    hidden: bool
    guarded: bool
    own: Decision | None  # of the reviewer at this browser
    others: list[Decision]
    notes: list[Note]

    @cached_property
    def payload(self) -> ItemPayload:
        """The example itself for the components, which both are given it: the deck, and the evidence once it is there."""
        return item(self)

    @property
    def suggested(self) -> str | None:
        """The label that is suggested instead of the given one, unless it is to stay hidden."""
        if self.hidden:
            return None
        label = self.suspicion.suggested_label if self.suspicion else self.example.predicted
        return label if label != self.example.label else None

    def words(self, found: Related) -> dict[int, float]:
        """How far the related training examples support the label through each word, by word index."""
        return word_support(found.trains)

    def maskable(self, found: Related) -> list[str]:
        """The different words that can be masked, those that carry most of the influence first."""
        totals = word_totals(found.trains.query, self.words(found))
        sides = [self.example.text, *filter(None, [self.example.text_pair])]
        return [
            word
            for word in sorted(totals, key=lambda word: -abs(totals[word]))
            if any(character.isalnum() for character in word) and any(find_to_mask(side, word) for side in sides)
        ]


def turned(session: Session, queue: Queue | None, example_id: str) -> str | None:
    """The wrong label that a planted control is shown under; None for an example under its own."""
    where = queue.id if queue is not None else None
    return session.reviews.shown(example_id, where).label if session.reviews.is_control(example_id, where) else None


def gather(session: Session, queue: Queue | None, example_id: str, *, wait: bool) -> ReviewItem:
    """What there is to say about an example; its evidence only if it is there already, unless it is to be waited for.

    Raises `QueryError` for an unknown one.
    """
    adjudicates = queue is not None and queue.adjudicates
    hidden = queue is not None and session.queues.hides(queue.id, example_id, session.reviewer)
    where = queue.id if queue is not None else None
    decisions = session.reviews.decisions_in(where, example_id)
    find = evidence.related if wait else evidence.ready
    return ReviewItem(
        workspace=session.workspace.name,
        example=session.reviews.shown(example_id, where),
        related=find(session.workspace, example_id, turned(session, queue, example_id)),
        suspicion=suspicions.suspicion(session.workspace, example_id),
        hidden=hidden,
        guarded=queue is not None and queue.controls > 0,
        own=session.reviews.standing(example_id, session.reviewer, adjudicates=adjudicates, queue=where),
        others=[d for d in decisions if not hidden and (d.reviewer, d.adjudicates) != (session.reviewer.name, adjudicates)],
        notes=[
            note
            for note in session.reviews.notes(example_id, queue=where)
            if not hidden or note.reviewer == session.reviewer.name
        ],
    )


def item(found: ReviewItem) -> ItemPayload:
    """The example itself for the deck."""
    example, related = found.example, found.related
    sentence = related.trains.query if related else None
    texts = [example.text, *([example.text_pair] if example.text_pair is not None else [])]
    content = {
        "id": example.id,
        "given": example.label,
        "suggested": found.suggested,
        "model": None if found.hidden else {"label": example.predicted, "percent": numbers.probability(example.confidence)},
        "sides": explanation_board.sides(sentence, range(len(sentence.words))) if sentence else [[(t, -1, "")] for t in texts],
        "cut": sentence is not None and sentence.truncated,
        "sums": scores(found.words(related)) if related else {},
        "words": found.maskable(related) if related else None,
        "masking": f"Every occurrence is masked: {TWO_WAYS}.",
        "mine": None if found.own is None else f"{verdicts.of_decision(found.own)} · {numbers.clock(found.own.at)}",
        "others": [{"who": d.reviewer, "what": verdicts.of_decision(d), "settles": d.adjudicates} for d in found.others],
        "notes": [{"who": note.reviewer, "text": note.text} for note in found.notes],
        "hidden": found.hidden,
    }
    return cast(ItemPayload, payloads.stamped(content))


def proof(found: ReviewItem, *, more: bool) -> dict[str, object]:
    """The evidence for the component: why the example is suspected, and what pulls for and against its label."""
    assert found.related is not None
    count, trains, tests = MOST if more else FEW, found.related.trains, found.related.tests
    label = found.example.label
    errors = sorted(tests.harmed, key=lambda effect: not effect.wrong)
    against, supporting = ([_train_card(one) for one in side[:count]] for side in (trains.opponents, trains.proponents))
    groups = _groups(("minus", f"Training, against “{label}”", against), ("plus", f"Training, for “{label}”", supporting))
    if not found.guarded:
        harmed, helped = (
            [_test_card(effect, found) for effect in side[: count - 1]] for side in (errors, tests.helped if more else [])
        )
        groups += _groups(
            ("minus", "Test sentences it pushes away from their label", harmed),
            ("plus", "Test sentences it pushes towards their label", helped),
        )
    shown = None if found.hidden or found.guarded else found.suspicion
    content: EvidencePayload = {
        "part": "evidence",
        "item": found.payload,
        "reason": shown.reason if shown else "",
        "signals": shown.signals() if shown else [],
        "groups": groups,
    }
    return payloads.stamped(content)


def said(found: ReviewItem) -> dict[str, Any]:
    """What the deck says of an example, for the log."""
    return {"suggested_label": found.suggested, "predicted": None if found.hidden else found.example.predicted}


def proven(found: ReviewItem) -> dict[str, Any]:
    """What its evidence says, for the log."""
    assert found.related is not None
    trains = found.related.trains
    return {
        "reason": found.suspicion.reason if found.suspicion and not found.hidden and not found.guarded else None,
        "opponents": [one.train.id for one in trains.opponents[:FEW]],
        "proponents": [one.train.id for one in trains.proponents[:FEW]],
    }


def _groups(*sides: tuple[str, str, list[Card]]) -> list[Group]:
    """Groups whose cards are set beside the strongest of them all."""
    most = max((abs(card["size"]) for _, _, cards in sides for card in cards), default=0.0)
    return [
        {"kind": kind, "title": title, "cards": [_beside(card, abs(card["size"]) / most) for card in cards]}
        for kind, title, cards in sides
    ]


def _beside(card: Card, share: float) -> ScaledCard:
    return {**card, "bar": round(share, 3), "share": numbers.probability(share)}


def _train_card(one: Influence) -> Card:
    return _card(one.train, one.score, one.special_score, one.train_words(), href="")


def _test_card(effect: Effect, found: ReviewItem) -> Card:
    totals: dict[int, float] = {}
    for match in effect.matches:
        totals[match.test_word] = totals.get(match.test_word, 0.0) + match.score
    link = shell.href("explore", workspace=found.workspace, show="all", id=effect.test.id or "")
    return _card(effect.test, effect.score, effect.special_score, totals, href=link)


def _card(sentence: Sentence, score: float, special: float, totals: dict[int, float], *, href: str) -> Card:
    share = special / score if score else 0.0
    says = numbers.probability(sentence.probabilities[sentence.predicted])
    words = {word: total for word, total in totals.items() if sentence.words[word].side >= 0}
    return {
        "id": sentence.id,
        "href": href,
        "label": sentence.label,
        "says": f"{sentence.predicted} {says}" if sentence.predicted != sentence.label else "",
        "score": numbers.score(score),
        "size": payloads.short(score),
        "special": f"{numbers.share(special, score)} from start/end tokens" if share >= MOSTLY else "",
        "sides": [explanation_board.fold(side) for side in explanation_board.sides(sentence, words)],
        "sums": scores(words),
    }
