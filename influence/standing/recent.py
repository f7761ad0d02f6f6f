"""What a reviewer did lately: the last actions that stand, and how long the last examples took."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
KEPT = 50  # of each: as many times as a mean is taken over


class Lately(Generic[K, T]):
    """The latest few of something for each key, asked for once and added to from then on; the latest comes last."""

    def __init__(self, ask: Callable[[K], Iterable[T]]) -> None:
        self._ask, self._found = ask, dict[K, deque[T]]()

    def of(self, key: K) -> deque[T]:
        """The latest few of a key."""
        if key not in self._found:
            self._found[key] = deque(self._ask(key), maxlen=KEPT)
        return self._found[key]

    def add(self, key: K, one: T) -> None:
        """One more, where anybody has asked for that key."""
        if key in self._found:
            self._found[key].append(one)

    def forget(self, key: K) -> None:
        """What is known of a key no longer holds: it is asked for anew."""
        self._found.pop(key, None)

    def known(self) -> list[K]:
        """The keys that were asked for."""
        return list(self._found)
