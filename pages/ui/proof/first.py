"""What `make app` has computed beside the app once the demo is built: python -m pages.ui.proof.first WORKSPACE

How much the gradients of each layer cancel out, which takes minutes; Proof shows how far it is. Deletion curves train
the model a dozen times for the least that says anything, so they wait to be asked for: a what-if would have to wait for them.
"""

import json
import sys
import time
from pathlib import Path

import influence
from pages.ui.jobs import background
from pages.ui.proof import trust

PATIENCE = 30.0  # seconds; a page that looks starts what is still waiting then


def begin(path: Path) -> None:
    """Start it, as the page's own button would. Raises a `WordtraceError` where there is no workspace to write to."""
    opened = influence.open_workspace(path)
    background.enqueue(opened, trust.CANCELLATION, title=trust.CANCELLATION_TITLE, key=json.dumps([trust.CANCELLATION]))
    given_up = time.monotonic() + PATIENCE
    # The job is a process of its own, but a thread of this one starts it.
    while any(job.started_at is None and not job.failed for job in background.jobs(opened)) and time.monotonic() < given_up:
        time.sleep(0.1)


if __name__ == "__main__":
    begin(Path(sys.argv[1]))
