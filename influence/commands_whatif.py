"""The commands that try changes out by retraining: retrain and fixing."""

import argparse
import json
import sys
from typing import Any

from influence.progress import ProgressLine
from influence.workspace import open_workspace

EVERY = 1.0  # seconds between lines of progress where there is no terminal: a page reads them


def add(commands: Any) -> None:
    """Register the commands."""
    parser = commands.add_parser("retrain", help="what a change to the training data would do, by retraining without and with it")
    parser.add_argument("--workspace", required=True, metavar="DIR")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--fixes", metavar="FILE", help="a fix list, as `export` writes it")
    which.add_argument("--decided", action="store_true", help="the decisions so far, as `apply` would make them")
    about = (
        "cluster:NUMBER:remove, cluster:NUMBER:relabel, opponents:TEST_ID:K (removes them), words:TEST_ID:K (masks the most "
        "negative word of each), or rule:JSON"
    )
    which.add_argument("--change", metavar="SPEC", help=about)
    about = "a test sentence to look at; may be given more than once"
    parser.add_argument("--test-id", action="append", default=[], metavar="ID", help=about)
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="retrainings without, and as many with it (default 3)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_retrain)


def _retrain(options: argparse.Namespace) -> None:
    from influence.proposals import DECIDED, of_fixes, propose
    from influence.whatif import try_out
    from influence.whatif_words import as_json, as_text

    workspace = open_workspace(options.workspace)
    if options.fixes is not None:
        proposal = of_fixes(workspace, options.fixes)
    else:
        proposal = propose(workspace, DECIDED if options.decided else options.change)
    for note in proposal.notes:
        print(f"note: {note}", file=sys.stderr)
    with ProgressLine(sys.stderr, every=EVERY) as progress:
        found = try_out(
            workspace, proposal, test_ids=options.test_id, seeds=options.seeds, device=options.device, progress=progress
        )
    print(json.dumps(as_json(found), ensure_ascii=False) if options.json else as_text(found))
