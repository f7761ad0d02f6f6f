"""Who has which examples on screen or next in hand, and until when. A lease is a courtesy and no decision: it always expires."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

LEASE_MS = 90_000


class Lease(NamedTuple):
    """An example at a reviewer's browser, which `session` tells from their others; `ahead`: fetched, and not on screen yet."""

    example_id: str
    reviewer: str
    session: str
    until_ms: int
    ahead: bool = False


class Leases:
    """The leases of one log. A browser has one example on screen and some ahead; a reviewer has an example in one browser."""

    def __init__(self, leases: Iterable[Lease] = ()) -> None:
        self._held: dict[tuple[str, str], list[Lease]] = {}
        for lease in leases:
            self._held.setdefault((lease.reviewer, lease.session), []).append(lease)

    def all(self, now: int) -> list[Lease]:
        """Those that have not run out, each browser's in the order that it was given."""
        left = {who: [lease for lease in held if lease.until_ms > now] for who, held in self._held.items()}
        self._held = {who: held for who, held in left.items() if held}
        return [lease for held in self._held.values() for lease in held]

    def take(self, example_id: str, reviewer: str, session: str, now: int, *, ahead: Sequence[str] = ()) -> None:
        """Put an example on a reviewer's screen, and others in their hand; what that browser had besides is let go.

        None of them stays in another browser of the same reviewer; of one that had the example on screen nothing does: it is
        most often the same page, loaded anew.
        """
        for who, held in list(self._held.items()):
            if who[0] == reviewer and who[1] != session and any((x.example_id, x.ahead) == (example_id, False) for x in held):
                del self._held[who]
        for id in (example_id, *ahead):
            self.release(id, reviewer)
        self._held[reviewer, session] = [
            Lease(id, reviewer, session, now + LEASE_MS, ahead=id != example_id) for id in dict.fromkeys((example_id, *ahead))
        ]

    def release(self, example_id: str, reviewer: str) -> None:
        """A reviewer has answered an example."""
        for who, held in list(self._held.items()):
            if who[0] == reviewer and any(lease.example_id == example_id for lease in held):
                self._held[who] = [lease for lease in held if lease.example_id != example_id]

    def drop(self, reviewer: str, session: str) -> None:
        """Let go of what a reviewer's browser has."""
        self._held.pop((reviewer, session), None)

    def held(self, reviewer: str, session: str, now: int) -> list[str]:
        """What a reviewer's browser has, what is on screen first; nothing where nothing is on screen."""
        found = [lease for lease in self._held.get((reviewer, session), []) if lease.until_ms > now]
        return [lease.example_id for lease in found] if found and not found[0].ahead else []

    def others_holding(self, example_id: str, reviewer: str, now: int) -> int:
        """How many other reviewers have an example on screen."""
        others = (lease for lease in self.all(now) if lease.example_id == example_id and lease.reviewer != reviewer)
        return len({lease.reviewer for lease in others if not lease.ahead})
