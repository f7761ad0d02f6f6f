"""A queue as it stands: its items in order, who has decided which, and what each reviewer may still be given."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from influence.standing.leases import Lease


class BoardItem(NamedTuple):
    """One example of a queue; a planted control is answered apart from the example itself."""

    example_id: str
    text_sha256: str
    is_control: bool


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


class Board:
    """The items, and by their places in the queue what stands on them.

    Kept up to date item by item with `put`, so that giving out the next case looks at the few items that are passed over.
    """

    def __init__(
        self,
        queue: str,
        items: Iterable[BoardItem],
        *,
        overlap: int,
        adjudicates: bool,
        made_in: Collection[str] | None = None,
    ) -> None:
        """`made_in`: only what was answered in these queues counts, those whose answers are blind; None for all."""
        self.queue, self.overlap, self.adjudicates, self.items = queue, overlap, adjudicates, list(items)
        self.made_in = made_in
        self.place_of = {item.example_id: place for place, item in enumerate(self.items)}
        self._mine: dict[str, dict[int, str]] = {}  # by reviewer: the kind of what stands, by place
        self._deciders: dict[int, set[str]] = {}  # by place
        self._full: set[int] = set()  # places with as many decisions as are wanted
        self._front: dict[str, int] = {}  # by reviewer: before this place there is nothing for them, whoever holds what

    def put(self, place: int, standings: dict[str, str], deciders: Iterable[str]) -> None:
        """What stands on an item now: the kind of each reviewer's latest answer, and who has decided it."""
        for reviewer in [who for who, mine in self._mine.items() if place in mine and who not in standings]:
            del self._mine[reviewer][place]
        for reviewer, kind in standings.items():
            self._mine.setdefault(reviewer, {})[place] = kind
        self._deciders[place] = set(deciders)
        (self._full.add if len(self._deciders[place]) >= self.overlap else self._full.discard)(place)
        self._front = {who: min(front, place) for who, front in self._front.items()}

    def answer(self, place: int, reviewer: str, kind: str) -> None:
        """A reviewer's new answer; it takes the place of theirs before."""
        self._mine.setdefault(reviewer, {})[place] = kind

    def decide(self, place: int, reviewer: str) -> None:
        """A reviewer has decided an item; that stands, too, where they flag it later."""
        deciders = self._deciders.setdefault(place, set())
        deciders.add(reviewer)
        if len(deciders) >= self.overlap:
            self._full.add(place)

    def place(self, item: BoardItem) -> int | None:
        """Where an item stands; None for one that is not on the board."""
        place = self.place_of.get(item.example_id)
        return place if place is not None and self.items[place] == item else None

    def next(self, reviewer: str, session: str, leases: Sequence[Lease], *, after: str | None) -> str | None:
        """What a reviewer is to be given: what their browser has, else the first in order, or the first after `after`.

        Where nothing else is open, the last of what others have fetched ahead and not on screen.
        """
        holders = self._holders(leases)
        start = 0
        if after is None:
            held = [
                self.place_of.get(lease.example_id) for lease in leases if (lease.reviewer, lease.session) == (reviewer, session)
            ]
            for place in held:
                if place is not None and self._free(place, reviewer, session, holders):
                    return self.items[place].example_id
        else:
            start = self.place_of.get(after, -1) + 1
        if (found := next(self._open(start, reviewer, session, holders), None)) is not None:
            return found
        on_screen = [lease for lease in leases if not lease.ahead or (lease.reviewer, lease.session) == (reviewer, session)]
        last = max(self._places(0, reviewer, session, self._holders(on_screen)), default=None)
        return None if last is None else self.items[last].example_id

    def coming(self, reviewer: str, session: str, leases: Sequence[Lease], *, after: str) -> Iterator[str]:
        """What a reviewer may be given after an example, in order."""
        return self._open(self.place_of.get(after, -1) + 1, reviewer, session, self._holders(leases))

    def _open(self, start: int, reviewer: str, session: str, holders: dict[int, list[Lease]]) -> Iterator[str]:
        return (self.items[place].example_id for place in self._places(start, reviewer, session, holders))

    def _places(self, start: int, reviewer: str, session: str, holders: dict[int, list[Lease]]) -> Iterator[int]:
        return (place for place in self._from(start, reviewer) if self._free(place, reviewer, session, holders))

    def progress(self, reviewer: str, session: str, leases: Sequence[Lease], seconds: float | None) -> QueueProgress:
        """How far the queue is for a reviewer, who takes so many seconds an example."""
        mine, holders = self._mine.get(reviewer, {}), self._holders(lease for lease in leases if not lease.ahead)
        kinds = Counter(mine.values())
        left = len(self.items) - len(mine.keys() | self._full)
        for place in holders:
            left -= not self._closed(place, reviewer) and not self._free(place, reviewer, session, holders)
        others = sum(any(lease.reviewer != reviewer for lease in found) for found in holders.values())
        return QueueProgress(
            total=len(self.items),
            decided=len(mine) - kinds["flag"] - kinds["skip"],
            flagged=kinds["flag"],
            skipped=kinds["skip"],
            settled=len(self._full),
            left=left,
            in_hand=others,
            seconds=seconds,
        )

    def _holders(self, leases: Iterable[Lease]) -> dict[int, list[Lease]]:
        found: dict[int, list[Lease]] = {}
        for lease in leases:
            place = self.place_of.get(lease.example_id)
            if place is not None:
                found.setdefault(place, []).append(lease)
        return found

    def _from(self, start: int, reviewer: str) -> Iterator[int]:
        """Places from one to the end, then those before it; the long answered front of a queue is passed over at once."""
        front, size = self._front.get(reviewer, 0), len(self.items)
        while front < size and self._closed(front, reviewer):
            front += 1
        self._front[reviewer] = front
        yield from range(max(start, front), size)
        yield from range(front, min(start, size))

    def _closed(self, place: int, reviewer: str) -> bool:
        """Whether there is nothing in it for the reviewer, whoever has it on screen: answered, or by enough others."""
        if place in self._mine.get(reviewer, {}):
            return True
        deciders = self._deciders.get(place, ())
        return len(deciders) - (reviewer in deciders) >= self.overlap

    def _free(self, place: int, reviewer: str, session: str, holders: dict[int, list[Lease]]) -> bool:
        if self._closed(place, reviewer):
            return False
        found = holders.get(place, ())
        if any(lease.reviewer == reviewer and lease.session != session and not lease.ahead for lease in found):
            return False  # what a browser of theirs only has ahead, this one may have: most often the other is closed
        others = {*self._deciders.get(place, ()), *(lease.reviewer for lease in found)} - {reviewer}
        return len(others) < self.overlap
