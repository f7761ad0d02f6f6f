"""Queues of examples to review, so that several people can work one list and nobody gets what another has.

A reviewer's next item is leased to them for 90 seconds, renewed while it is on screen. A lease is a courtesy, never a
lock: it expires by itself, and a decision made after that still counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from influence.errors import QueryError, SettingsError
from influence.review import queue_tables
from influence.review.events import Reviewer, as_datetime, plain
from influence.review.queue_tables import WorkRequest
from influence.review.reviews import Reviews
from influence.review.state import flagged, loaded, pace

FLAGGED = "flagged"  # the queue of what the reviewer has flagged, which needs no making
LONGEST_NAME, MOST_OPINIONS = 200, 20


@dataclass(frozen=True)
class Queue:
    """An ordered list of training examples and how it is worked."""

    id: str
    name: str
    created_by: str
    at: datetime
    overlap: int  # how many reviewers each example is wanted from
    blind: bool  # others' decisions and the model's suggestion stay hidden until the reviewer has decided
    adjudicates: bool  # its decisions settle conflicts
    closed: bool
    source: dict[str, Any]  # what it was made from, such as a cluster
    build: str
    size: int


@dataclass(frozen=True)
class QueueProgress:
    """How far a queue is, in examples; `seconds` is the reviewer's mean time on one, pauses over a minute left out."""

    total: int
    decided: int  # by this reviewer
    flagged: int  # by this reviewer, not decided since
    skipped: int  # by this reviewer
    settled: int  # decided by as many reviewers as the queue wants
    left: int  # this reviewer could still be given
    in_hand: int  # on other reviewers' screens now
    seconds: float | None


class Queues:
    """The queues of a workspace's reviews."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews, self._log = reviews, reviews.log

    def create(
        self,
        reviewer: Reviewer,
        name: str,
        example_ids: Iterable[str],
        *,
        overlap: int = 1,
        blind: bool = False,
        adjudicates: bool = False,
        source: dict[str, Any] | None = None,
    ) -> Queue:
        """Save a queue in the order given; an open one that is the same in everything is returned instead.

        Raises `QueryError` for an unknown example and `SettingsError` for a blank name, no examples or an odd `overlap`.
        """
        corpus = self._reviews.corpus
        items = [(id, corpus[id].text_sha256) for id in dict.fromkeys(example_ids)]
        if not items:
            raise SettingsError(f"queue {name!r}: there is nothing in it; give at least one example")
        settings = _settings(name=name, overlap=overlap, blind=blind, adjudicates=adjudicates, closed=False)
        origin = plain(source or {})
        with self._log.lock:
            for queue in self.all():
                same = _settings_of(queue) == settings and queue.source == origin
                if same and queue_tables.queue_items(self._log.store, queue.id) == items:
                    return queue
            id = f"q{self._log.next_seq}"
            content = {"queue": id, **settings, "source": origin, "items": items}
            self._log.append(self._reviews.stamped(reviewer, "queue", build=True) | content)
            return self.get(id)

    def change(self, reviewer: Reviewer, queue_id: str, **settings: Any) -> Queue:
        """Change a queue's `name`, `overlap`, `blind`, `adjudicates` or `closed`; its examples stay as they are."""
        queue = self.get(queue_id)
        changed = _settings(**{**_settings_of(queue), **settings})
        if changed != _settings_of(queue):
            self._log.append(self._reviews.stamped(reviewer, "queue", build=True) | {"queue": queue_id, **changed})
        return self.get(queue_id)

    def all(self, *, closed: bool = False) -> list[Queue]:
        """The open queues in the order of making, or the closed ones too."""
        found = []
        for id, name, by, at_ms, overlap, blind, adjudicates, is_closed, source, build, size in queue_tables.queue_rows(
            self._log.store
        ):
            if closed or not is_closed:
                at = as_datetime(at_ms)
                found.append(Queue(id, name, by, at, overlap, blind, adjudicates, is_closed, loaded(source), build, size))
        return found

    def get(self, queue_id: str) -> Queue:
        """One queue; `FLAGGED` is everybody's own. Raises `QueryError` for an unknown one."""
        if queue_id == FLAGGED:
            return Queue(FLAGGED, "My flagged ones", "", as_datetime(0), 1, False, False, False, {}, "", 0)
        for queue in self.all(closed=True):
            if queue.id == queue_id:
                return queue
        raise QueryError(f"unknown queue {queue_id!r}; the queues are {', '.join(q.id for q in self.all()) or 'none yet'}")

    def example_ids(self, queue_id: str, reviewer: Reviewer) -> list[str]:
        """A queue's examples in order; those are left out that the data no longer has with the same text."""
        return [id for id, hash in self._items(queue_id, reviewer) if self._reviews.is_current(id, hash)]

    def unmatched(self, queue_id: str, reviewer: Reviewer) -> list[str]:
        """A queue's examples that the data no longer has with the same text."""
        return [id for id, hash in self._items(queue_id, reviewer) if not self._reviews.is_current(id, hash)]

    def _items(self, queue_id: str, reviewer: Reviewer) -> list[tuple[str, str]]:
        if self.get(queue_id).id == FLAGGED:
            return [(id, hash) for id, hash, _ in flagged(self._log.store, reviewer.name)]
        return queue_tables.queue_items(self._log.store, queue_id)

    # Work ------------------------------------------------------------------------------------------------------------

    def next(self, queue_id: str, reviewer: Reviewer, *, after: str | None = None) -> str | None:
        """Lease and return the reviewer's next example, None when nothing is left for them.

        That is what this browser already has, if it is still open; with `after`, the next one behind that example,
        beginning again at the front.
        """
        queue = self.get(queue_id)
        with self._log.lock:
            asked = self._asked(queue, reviewer)
            found = queue_tables.next_item(self._log.store, asked, flagged=queue.id == FLAGGED, after=after)
            if found is not None:
                self._lease(found, reviewer)
            return found

    def peek(self, queue_id: str, reviewer: Reviewer, *, after: str) -> str | None:
        """What `next` would give, without leasing it: to have its evidence ready in time."""
        queue = self.get(queue_id)
        return queue_tables.next_item(self._log.store, self._asked(queue, reviewer), flagged=queue.id == FLAGGED, after=after)

    def claim(self, queue_id: str | None, example_id: str, reviewer: Reviewer) -> bool:
        """Lease one example, for a link, an undo or a look back; False when others have it on screen.

        Without a queue, one reviewer at a time has it. A browser of the same reviewer that had it lets go of it.
        """
        overlap = 1 if queue_id is None else self.get(queue_id).overlap
        with self._log.lock:
            now = self._log.clock()
            if queue_tables.others_holding(self._log.store, example_id, reviewer.name, now) >= overlap:
                return False
            self._lease(self._reviews.corpus[example_id].id, reviewer)
            return True

    def renew(self, reviewer: Reviewer) -> bool:
        """Lengthen the lease of what this browser has on screen; False if it has run out or been taken over."""
        with self._log.lock:
            held = queue_tables.held(self._log.store, reviewer.name, reviewer.session, self._log.clock())
            for example_id in held:
                self._lease(example_id, reviewer)
            return bool(held)

    def leave(self, reviewer: Reviewer) -> None:
        """Let go of what this browser has on screen."""
        queue_tables.drop_leases(self._log.store, reviewer.name, reviewer.session)

    def progress(self, queue_id: str, reviewer: Reviewer) -> QueueProgress:
        """How far the queue is, for this reviewer and for all."""
        queue = self.get(queue_id)
        seconds, _ = pace(self._log.store, reviewer.name, queue_id)
        if queue.id == FLAGGED:
            count = len(self.example_ids(FLAGGED, reviewer))
            return QueueProgress(count, 0, count, 0, 0, count, 0, seconds)
        return QueueProgress(**queue_tables.counts(self._log.store, self._asked(queue, reviewer)), seconds=seconds)

    def hides(self, queue_id: str, example_id: str, reviewer: Reviewer) -> bool:
        """Whether others' decisions and the model's suggestion must stay hidden from this reviewer: blind, and undecided."""
        queue = self.get(queue_id)
        return queue.blind and self._reviews.decision(example_id, reviewer, adjudicates=queue.adjudicates) is None

    def _asked(self, queue: Queue, reviewer: Reviewer) -> WorkRequest:
        gone = [] if queue.build == self._reviews.corpus.build else self.unmatched(queue.id, reviewer)
        who = (reviewer.name, reviewer.session)
        return WorkRequest(queue.id, *who, self._log.clock(), queue.overlap, queue.adjudicates, gone)

    def _lease(self, example_id: str, reviewer: Reviewer) -> None:
        queue_tables.take_lease(self._log.store, example_id, reviewer.name, reviewer.session, self._log.clock())


def _settings_of(queue: Queue) -> dict[str, Any]:
    return {name: getattr(queue, name) for name in ("name", "overlap", "blind", "adjudicates", "closed")}


def _settings(*, name: str, overlap: int, blind: bool, adjudicates: bool, closed: bool) -> dict[str, Any]:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise SettingsError(f"queue name {name[:LONGEST_NAME]!r}: give 1 to {LONGEST_NAME} printable characters")
    if not 1 <= overlap <= MOST_OPINIONS:
        raise SettingsError(f"overlap {overlap}: an example is wanted from 1 to {MOST_OPINIONS} reviewers")
    return {"name": name, "overlap": overlap, "blind": blind, "adjudicates": adjudicates, "closed": closed}
