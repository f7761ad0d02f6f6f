"""Work done ahead: what a page will ask for next, made in the background, so that it is there when it is asked for."""

import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from queue import SimpleQueue


class Ahead:
    """One thread that does one thing after another: a thread for each would take the processor from those who wait."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._asked: dict[Hashable, None] = {}  # what was to be done lately
        self._coming: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def prepare(self, key: Hashable, work: Callable[[], object]) -> None:
        """Do something, unless it was asked for lately. What fails is asked for again when it is needed, and told then."""
        with self._lock:
            if key in self._asked:
                return
            self._asked[key] = None
            while len(self._asked) > self._kept:
                del self._asked[next(iter(self._asked))]
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()
        self._coming.put(work)

    def _work(self) -> None:
        while True:
            work = self._coming.get()
            with suppress(Exception):
                work()
