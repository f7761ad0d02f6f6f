"""One training example as a reviewer sees it: its text, what is said about it, and the evidence, as plain data.

Scores here are about the example's own label: above 0, a step on the other example lowered the loss on it.
"""

from dataclasses import dataclass
from typing import Any, TypedDict

from influence import Influence, Sentence
from influence.data import find_to_mask
from influence.explanations import Effect, word_totals
from influence.review import Decision, Note, Queue, TrainExample
from pages.ui.frame import Session, numbers, shell
from pages.ui.parts import Piece, Scores, Signal, Suspicion, explanation_board, payloads, scores, suspicions, verdicts
from pages.ui.review import keys, related as evidence
from pages.ui.review.related import Related

FEW, MOST = 3, evidence.TOP
MOSTLY = 0.5  # share of a score from which start and end tokens are worth a remark


class ItemPayload(TypedDict):
    """The example itself, for the component."""

    part: str
    id: str
    given: str
    suggested: str | None
    model: dict[str, str] | None
    sides: list[list[Piece]]
    cut: bool
    sums: Scores
    picked: list[int] | None  # indices of words, while words are picked
    mine: str | None
    others: list[dict[str, str | bool]]
    notes: list[dict[str, str]]
    hidden: bool
    reading: float  # milliseconds that it must be on screen before a key may decide it
    decisive: list[str]  # the keys that decide


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
    """With its size beside the largest of its group, 0 to 1 with its sign left out."""

    bar: float


class Group(TypedDict):
    """Related examples on one side."""

    kind: str
    title: str
    cards: list[ScaledCard]


class EvidencePayload(TypedDict):
    """Why the example is suspected, and the cards."""

    part: str
    reason: str
    signals: list[Signal]
    groups: list[Group]


@dataclass(frozen=True)
class ReviewItem:
    """Everything about the example on screen; `hidden` says that others and the model must not be heard yet.

    `guarded`: the queue holds planted controls, so nothing is shown of any of its examples that would tell one from a
    suspect: not why it is ranked where it is, nor the test examples that it has pulled at under the label of the data.
    """

    workspace: str
    example: TrainExample
    related: Related
    suspicion: Suspicion | None
    hidden: bool
    guarded: bool
    own: Decision | None  # of the reviewer at this browser
    others: list[Decision]
    notes: list[Note]

    @property
    def sentence(self) -> Sentence:
        """The text with its words and prediction."""
        return self.related.trains.query

    @property
    def suggested(self) -> str | None:
        """The label that is suggested instead of the given one, unless it is to stay hidden."""
        if self.hidden:
            return None
        label = self.suspicion.suggested_label if self.suspicion else self.sentence.predicted
        return label if label != self.example.label else None

    def words(self) -> dict[int, float]:
        """How far the related training examples support the label through each word, by word index."""
        sums = explanation_board.word_sums([*self.related.trains.proponents, *self.related.trains.opponents])
        return {word: score for word, score in sums.items() if self.sentence.words[word].side >= 0}

    def maskable(self) -> list[str]:
        """The different words that can be masked, those that carry most of the influence first."""
        totals = word_totals(self.sentence, self.words())
        sides = [self.example.text, *filter(None, [self.example.text_pair])]
        return [
            word
            for word in sorted(totals, key=lambda word: -abs(totals[word]))
            if any(character.isalnum() for character in word) and any(find_to_mask(side, word) for side in sides)
        ]


def gather(session: Session, queue: Queue | None, example_id: str) -> ReviewItem:
    """What there is to say about an example. Raises `QueryError` for an unknown one."""
    adjudicates = queue is not None and queue.adjudicates
    hidden = queue is not None and session.queues.hides(queue.id, example_id, session.reviewer)
    where = queue.id if queue is not None else None
    decisions = session.reviews.decisions_in(where, example_id)
    example = session.reviews.shown(example_id, where)
    turned = example.label if session.reviews.is_control(example_id, where) else None
    return ReviewItem(
        workspace=session.workspace.name,
        example=example,
        related=evidence.related(session.workspace, example_id, turned),
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


def item(found: ReviewItem, *, masking: list[str] | None) -> dict[str, object]:
    """The example itself for the component; `masking` are the words picked so far while words are being picked."""
    sentence, sums = found.sentence, found.words()
    lit = None if masking is None else {word.casefold() for word in masking}
    content: ItemPayload = {
        "part": "item",
        "id": found.example.id,
        "given": found.example.label,
        "suggested": found.suggested,
        "model": None if found.hidden else _model(sentence),
        "sides": explanation_board.sides(sentence, range(len(sentence.words))),
        "cut": sentence.truncated,
        "sums": scores(sums),
        "picked": None if lit is None else [i for i, word in enumerate(sentence.words) if word.text.casefold() in lit],
        "mine": None if found.own is None else f"{verdicts.of_decision(found.own)} · {numbers.clock(found.own.at)}",
        "others": [{"who": d.reviewer, "what": verdicts.of_decision(d), "settles": d.adjudicates} for d in found.others],
        "notes": [{"who": note.reviewer, "text": note.text} for note in found.notes],
        "hidden": found.hidden,
        "reading": 1000 * keys.UNREAD,
        "decisive": keys.decisive(),
    }
    return payloads.stamped(content)


def proof(found: ReviewItem, *, more: bool) -> dict[str, object]:
    """The evidence for the component: why the example is suspected, and what pulls for and against its label."""
    count, trains, tests = MOST if more else FEW, found.related.trains, found.related.tests
    label = found.example.label
    errors = sorted(tests.harmed, key=lambda effect: not effect.wrong)
    groups = [
        _group("minus", f"Training, against “{label}”", [_train_card(one) for one in trains.opponents[:count]]),
        _group("plus", f"Training, for “{label}”", [_train_card(one) for one in trains.proponents[:count]]),
    ]
    if not found.guarded:
        harmed = [_test_card(effect, found) for effect in errors[: count - 1]]
        groups.append(_group("minus", "Test sentences it pushes away from their label", harmed))
    if more and not found.guarded:
        helped = [_test_card(effect, found) for effect in tests.helped[: count - 1]]
        groups.append(_group("plus", "Test sentences it pushes towards their label", helped))
    shown = None if found.hidden or found.guarded else found.suspicion
    content: EvidencePayload = {
        "part": "evidence",
        "reason": shown.reason if shown else "",
        "signals": shown.signals() if shown else [],
        "groups": groups,
    }
    return payloads.stamped(content)


def seen(found: ReviewItem) -> dict[str, Any]:
    """What was on screen, for the log."""
    trains = found.related.trains
    return {
        "reason": found.suspicion.reason if found.suspicion and not found.hidden and not found.guarded else None,
        "suggested_label": found.suggested,
        "predicted": None if found.hidden else found.sentence.predicted,
        "opponents": [one.train.id for one in trains.opponents[:FEW]],
        "proponents": [one.train.id for one in trains.proponents[:FEW]],
    }


def _model(sentence: Sentence) -> dict[str, str]:
    return {"label": sentence.predicted, "percent": numbers.probability(sentence.probabilities[sentence.predicted])}


def _group(kind: str, title: str, cards: list[Card]) -> Group:
    most = max((abs(card["size"]) for card in cards), default=0.0)
    return {"kind": kind, "title": title, "cards": [{**card, "bar": round(abs(card["size"]) / most, 3)} for card in cards]}


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
