"""Queues of examples to review, so that several people can work one list and nobody gets what another has.

What a reviewer has on screen is leased to them for 90 seconds, and so are the few that come next and were fetched ahead;
renewed while somebody is there. A lease is a courtesy, never a lock: it expires by itself, a decision made after that still
counts, and what is only fetched ahead goes to whoever has nothing else left.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from influence.data import EDIT_KINDS
from influence.errors import QueryError, SettingsError
from influence.review import state
from influence.review.events import Reviewer, as_datetime, plain
from influence.review.live import fill_board
from influence.review.queue import SUSPECTS as SUSPECTS, Queue as Queue, follow
from influence.review.reviews import Reviews
from influence.review.state import Move, loaded
from influence.standing import Board, BoardItem, QueueProgress as QueueProgress, spread

FLAGGED = "flagged"  # the queue of what the reviewer has flagged, which needs no making
LONGEST_NAME, MOST_OPINIONS = 200, 20


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
        ranking: str = "",
        plant: Callable[[str], Mapping[str, str]] | None = None,
    ) -> Queue:
        """Save a queue in the order given; an open one that is the same in everything is returned instead.

        `ranking` names the ranking of suspects that the order is from. `plant` gives, from the queue's id, planted
        controls: examples with the wrong label that each is shown under; they are spread evenly through the queue.
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
                # One that follows new rankings is no longer in the order that it was made in.
                goes_on = queue.learns and "size" in origin and same and self.progress(queue.id, reviewer).left
                if same and (goes_on or self._unplanted(queue) == items):
                    return queue
            id = f"q{self._log.next_seq}"
            content = {"queue": id, **settings, "source": origin, "items": items}
            if ranking:
                content["ranking"] = ranking
            if plant is not None and (controls := self._checked_controls(plant(id), items)):
                content |= {"items": spread(items, [(c, corpus[c].text_sha256) for c in controls]), "controls": controls}
            self._log.append(self._reviews.stamped(reviewer, "queue", build=True) | content)
            self._reviews.controls_by_queue.pop(id, None)  # somebody may have asked before there was such a queue
            return self.get(id)

    def _unplanted(self, queue: Queue) -> list[tuple[str, str]]:
        """Its items in order, without planted controls."""
        return [item[:2] for item in state.queue_items(self._log.store, queue.id) if not item.is_control]

    def _checked_controls(self, controls: Mapping[str, str], items: Sequence[tuple[str, str]]) -> dict[str, str]:
        inside = {id for id, _ in items}
        for id, label in controls.items():
            if id in inside or self._reviews.corpus.checked_label(label) == self._reviews.corpus[id].label:
                raise SettingsError(f"control {id!r}: it must be an example that is not in the queue, under another label")
        return dict(controls)

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
        with self._log.lock:
            rows = self._log.live.queues()
        for id, name, by, at_ms, *rest in rows:
            overlap, blind, adjudicates, is_closed, source, build, size, controls, ranking, decisions, reranked = rest
            if closed or not is_closed:
                made = (id, name, by, as_datetime(at_ms), overlap, blind, adjudicates, is_closed, loaded(source), build, size)
                found.append(Queue(*made, controls, ranking or "", decisions or 0, reranked))
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
        return [item.example_id for item in self._items(queue_id, reviewer) if self._reviews.is_current(*item[:2])]

    def unmatched(self, queue_id: str, reviewer: Reviewer) -> list[str]:
        """A queue's examples that the data no longer has with the same text."""
        return [item.example_id for item in self._items(queue_id, reviewer) if not self._reviews.is_current(*item[:2])]

    def _items(self, queue_id: str, reviewer: Reviewer) -> list[BoardItem]:
        if self.get(queue_id).id == FLAGGED:
            return [BoardItem(id, hash, False) for id, hash, _ in state.flagged(self._log.store, reviewer.name)]
        return state.queue_items(self._log.store, queue_id)

    # A new ranking ---------------------------------------------------------------------------------------------------

    def follow(self, queue_id: str, reviewer: Reviewer, suspected: Sequence[str], *, ranking: str, decisions: int) -> bool:
        """Put what is open in a queue of suspects in the order of a new ranking: see `queue.follow`."""
        with self._log.lock:
            queue = self.get(queue_id)
            return follow(self._reviews, queue, _settings_of(queue), reviewer, suspected, ranking=ranking, decisions=decisions)

    def moves(self, queue_id: str) -> list[Move]:
        """What was open when the queue last followed a new ranking, in the new order; planted controls are left out."""
        return state.moves(self._log.store, queue_id)

    # Work ------------------------------------------------------------------------------------------------------------

    def next(self, queue_id: str, reviewer: Reviewer, *, after: str | None = None) -> str | None:
        """Lease and return the reviewer's next example, None when nothing is left for them.

        That is what this browser already has, if it is still open; with `after`, the next one behind that example,
        beginning again at the front.
        """
        with self._log.lock:
            found = self._next(queue_id, reviewer, after)
            if found is not None:
                self._lease(found, reviewer)
            return found

    def hold(self, queue_id: str, example_id: str, reviewer: Reviewer, *, ahead: int) -> list[str]:
        """Lease what is on screen and up to `ahead` examples that come behind it, and return those in order.

        Fewer where few are left, so that each browser at work has its share of them; none where this browser has lost what
        is on screen to another.
        """
        with self._log.lock:
            leases = self._log.live.leases.all(self._log.clock())
            if example_id not in self._log.live.leases.held(reviewer.name, reviewer.session, self._log.clock())[:1]:
                return []
            browsers = len({(lease.reviewer, lease.session) for lease in leases} | {(reviewer.name, reviewer.session)})
            coming = self.coming(queue_id, reviewer, after=example_id, most=ahead * browsers + 1)
            others = [id for id in coming if id != example_id]
            found = others[: min(ahead, math.ceil(len(others) / browsers))]
            self._lease(example_id, reviewer, found)
            return found

    def coming(self, queue_id: str, reviewer: Reviewer, *, after: str, most: int = 1) -> list[str]:
        """What is open for a reviewer behind an example, and round to it again; leases nothing."""
        with self._log.lock:
            leases, board = self._log.live.leases.all(self._log.clock()), self._board(self.get(queue_id), reviewer)
            return list(islice(board.coming(reviewer.name, reviewer.session, leases, after=after), most))

    def _next(self, queue_id: str, reviewer: Reviewer, after: str | None) -> str | None:
        leases = self._log.live.leases.all(self._log.clock())
        return self._board(self.get(queue_id), reviewer).next(reviewer.name, reviewer.session, leases, after=after)

    def _board(self, queue: Queue, reviewer: Reviewer) -> Board:
        """The queue as it stands; of what the reviewer has flagged one that they have not answered."""

        def make() -> Board:
            items = [item for item in self._items(queue.id, reviewer) if self._reviews.is_current(*item[:2])]
            made_in = self._blind() if _counts_blind(queue) else None
            return Board(queue.id, items, overlap=queue.overlap, adjudicates=queue.adjudicates, made_in=made_in)

        if queue.id != FLAGGED:
            return self._log.live.board(queue.id, self._reviews.corpus.build, lambda: fill_board(self._log.store, make()))
        board = make()
        for place, item in enumerate(board.items):
            for decision in self._reviews.decisions_in(None, item.example_id):
                if not decision.adjudicates:
                    board.decide(place, decision.reviewer)
        return board

    def claim(self, queue_id: str | None, example_id: str, reviewer: Reviewer) -> bool:
        """Lease one example, for a link, an undo or a look back; False when others have it on screen.

        Without a queue, one reviewer at a time has it. A browser of the same reviewer that had it lets go of it.
        """
        overlap = 1 if queue_id is None else self.get(queue_id).overlap
        with self._log.lock:
            if self._log.live.leases.others_holding(example_id, reviewer.name, self._log.clock()) >= overlap:
                return False
            self._lease(self._reviews.corpus[example_id].id, reviewer)
            return True

    def renew(self, reviewer: Reviewer) -> bool:
        """Lengthen the lease of what this browser has on screen; False if it has run out or been taken over."""
        with self._log.lock:
            held = self._log.live.leases.held(reviewer.name, reviewer.session, self._log.clock())
            if held:
                self._lease(held[0], reviewer, held[1:])
            return bool(held)

    def leave(self, reviewer: Reviewer) -> None:
        """Let go of what this browser has on screen."""
        with self._log.lock:
            self._log.live.leases.drop(reviewer.name, reviewer.session)

    def progress(self, queue_id: str, reviewer: Reviewer) -> QueueProgress:
        """How far the queue is, for this reviewer and for all."""
        with self._log.lock:
            queue = self.get(queue_id)
            seconds, _ = self._log.live.pace(reviewer.name, queue_id)
            if queue.id == FLAGGED:
                count = len(self.example_ids(FLAGGED, reviewer))
                return QueueProgress(count, 0, count, 0, 0, count, 0, seconds)
            leases = self._log.live.leases.all(self._log.clock())
            return self._board(queue, reviewer).progress(reviewer.name, reviewer.session, leases, seconds)

    def hides(self, queue_id: str, example_id: str, reviewer: Reviewer) -> bool:
        """Whether others' decisions and the model's suggestion must stay hidden from this reviewer: blind, and undecided."""
        queue = self.get(queue_id)
        if not queue.blind:
            return False
        if not _counts_blind(queue):
            standing = self._reviews.standing(example_id, reviewer, adjudicates=queue.adjudicates, queue=queue_id)
            return standing is None or standing.kind not in EDIT_KINDS
        control_of = queue_id if self._reviews.is_control(example_id, queue_id) else None
        with self._log.lock:
            made = self._log.live.latest(example_id, EDIT_KINDS, control_of, self._blind())
        who = (reviewer.name, queue.adjudicates)
        return all((row.reviewer, row.adjudicates) != who or not self._reviews.is_current(*row[2:4]) for row in made)

    def _blind(self) -> frozenset[str]:
        """The queues whose answers were given without hearing others or the model."""
        return frozenset(queue.id for queue in self.all(closed=True) if queue.blind)

    def _lease(self, example_id: str, reviewer: Reviewer, ahead: Sequence[str] = ()) -> None:
        self._log.live.leases.take(example_id, reviewer.name, reviewer.session, self._log.clock(), ahead=ahead)


def _counts_blind(queue: Queue) -> bool:
    """Whether only blind answers count in a queue: opinions that are to be compared must not have heard each other."""
    return queue.blind and queue.overlap > 1


def _settings_of(queue: Queue) -> dict[str, Any]:
    return {name: getattr(queue, name) for name in ("name", "overlap", "blind", "adjudicates", "closed")}


def _settings(*, name: str, overlap: int, blind: bool, adjudicates: bool, closed: bool) -> dict[str, Any]:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise SettingsError(f"queue name {name[:LONGEST_NAME]!r}: give 1 to {LONGEST_NAME} printable characters")
    if not 1 <= overlap <= MOST_OPINIONS:
        raise SettingsError(f"overlap {overlap}: an example is wanted from 1 to {MOST_OPINIONS} reviewers")
    return {"name": name, "overlap": overlap, "blind": blind, "adjudicates": adjudicates, "closed": closed}
