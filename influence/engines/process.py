"""A process that does one piece of work after another: `python -m influence.engines.process`.

It reads one JSON line a piece of work and answers in JSON lines: steps taken, and what came out. It ends when the process that
asked has ended, however that ended.

`multiprocessing` is no choice: its new processes import the main module again, which runs a Streamlit page a second time
and fails in a script that is not guarded by `if __name__ == "__main__"`; and its messages are pickles, which can run code.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

REPORT_SECONDS, PARENT_SECONDS = 0.5, 0.2  # between reports of the steps taken, and between looks at the parent


class _Reporter:
    """Reports how many steps were taken, twice a second."""

    def __init__(self) -> None:
        self._steps, self._at = 0, time.monotonic()

    def step(self, steps: int) -> None:
        self._steps += steps
        if time.monotonic() - self._at > REPORT_SECONDS:
            self.flush()

    def flush(self) -> None:
        say({"steps": self._steps})
        self._steps, self._at = 0, time.monotonic()


def say(message: Mapping[str, Any]) -> None:
    """Write one line to whoever asked."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve the process that holds the other ends of standard input and output."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        _serve()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python does not complain at exit


def _end_with(parent: int) -> None:
    """End this process at once when its parent has ended: a killed one cannot say so."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)


def _serve() -> None:
    from influence.engines.engine import perform

    for line in sys.stdin:
        asked, reporter = json.loads(line), _Reporter()
        answer = perform(asked["work"], asked["arguments"], asked["threads"], reporter.step)
        reporter.flush()
        say(answer)


if __name__ == "__main__":
    main()
