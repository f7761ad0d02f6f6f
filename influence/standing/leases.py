"""Who has which example on screen, and until when. A lease is a courtesy and no decision: it always expires."""

from collections.abc import Iterable
from typing import NamedTuple

LEASE_MS = 90_000


class Lease(NamedTuple):
    """An example on a reviewer's screen; `session` tells their browsers apart."""

    example_id: str
    reviewer: str
    session: str
    until_ms: int


class Leases:
    """The leases of one log. A browser has one example on screen, and a reviewer an example in one browser."""

    def __init__(self, leases: Iterable[Lease] = ()) -> None:
        self._held = {(lease.reviewer, lease.session): lease for lease in leases}

    def all(self, now: int) -> list[Lease]:
        """Those that have not run out."""
        self._held = {who: lease for who, lease in self._held.items() if lease.until_ms > now}
        return list(self._held.values())

    def take(self, example_id: str, reviewer: str, session: str, now: int) -> None:
        """Put an example on a reviewer's screen: what that browser had, and the example in their others, is let go."""
        self.release(example_id, reviewer)
        self._held[reviewer, session] = Lease(example_id, reviewer, session, now + LEASE_MS)

    def release(self, example_id: str, reviewer: str) -> None:
        """A reviewer has answered an example."""
        for who, lease in list(self._held.items()):
            if (lease.example_id, lease.reviewer) == (example_id, reviewer):
                del self._held[who]

    def drop(self, reviewer: str, session: str) -> None:
        """Let go of what a reviewer's browser has on screen."""
        self._held.pop((reviewer, session), None)

    def held(self, reviewer: str, session: str, now: int) -> list[str]:
        """What a reviewer's browser has on screen."""
        lease = self._held.get((reviewer, session))
        return [] if lease is None or lease.until_ms <= now else [lease.example_id]

    def others_holding(self, example_id: str, reviewer: str, now: int) -> int:
        """How many other reviewers have an example on screen."""
        return len({lease.reviewer for lease in self.all(now) if lease.example_id == example_id and lease.reviewer != reviewer})
