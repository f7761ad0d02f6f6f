"""A process that retrains one run after another with one thread: `python -m influence.retraining.worker`.

It reads one JSON line that says what to prepare, then one line a run, and answers in JSON lines: steps taken, a run's
label probabilities, or an error. It ends when the process that asked has ended, however that ended.

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

from influence.errors import WordtraceError
from influence.retraining.change import Change

REPORT_SECONDS, PARENT_SECONDS = 0.5, 0.2  # between reports of the steps taken, and between looks at the parent


class _Reporter:
    """Reports how many steps were taken, twice a second."""

    def __init__(self) -> None:
        self._steps, self._at = 0, time.monotonic()

    def step(self) -> None:
        self._steps += 1
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
    first = json.loads(sys.stdin.readline())
    try:
        _serve(first)
    except WordtraceError as error:
        say({"error": str(error)})
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python does not complain at exit


def _end_with(parent: int) -> None:
    """End this process at once when its parent has ended: a killed one cannot say so."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)


def _serve(first: Mapping[str, Any]) -> None:
    import torch

    from influence.retraining.recipe import Recipe
    from influence.retraining.train import fine_tune
    from influence.workspace import read_workspace

    torch.set_num_threads(1)
    workspace = read_workspace(first["workspace"])
    recipe = Recipe(workspace, [Change(**change) for change in first["masking"]], torch.device("cpu"))
    for line in sys.stdin:
        asked, reporter, started, processor = json.loads(line), _Reporter(), time.monotonic(), time.process_time()
        (found_MY,) = fine_tune(
            recipe,
            asked["seed"],
            [Change(**asked["change"])],
            tests=first["tests"],
            together=False,
            frozen=first["frozen"],
            step=reporter.step,
        )
        reporter.flush()
        spent = {"seconds": time.monotonic() - started, "processor": time.process_time() - processor}
        say({**spent, "found": found_MY.tolist()})


if __name__ == "__main__":
    main()
