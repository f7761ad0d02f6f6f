"""What `make app` has computed beside the app once the demo is built: python -m pages.ui.evidence.first WORKSPACE

How much the gradients of each layer cancel out, which takes minutes; the Evidence page shows how far it is. Deletion curves train
the model a dozen times for the least that says anything, so they wait to be asked for: a what-if would have to wait for them.
"""

import json
import sys
from pathlib import Path

import influence
from pages.ui.evidence.cancellation import COMMAND, TITLE
from pages.ui.jobs import background


def begin(path: Path) -> None:
    """Queue it, as the page's own button would. Raises a `WordtraceError` where there is no workspace to write to."""
    opened = influence.open_workspace(path)
    background.enqueue(opened, COMMAND, title=TITLE, key=json.dumps([COMMAND]))


if __name__ == "__main__":
    begin(Path(sys.argv[1]))
