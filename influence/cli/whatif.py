"""The commands that try changes out by retraining: retrain and fixing."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from influence import experiments, workspace
from influence.cli.options import add_device, add_json, command, names, numbers, print_answer, print_notes
from influence.cli.progress import ProgressLine
from influence.experiments import FixingSettings

EVERY = 1.0  # seconds between lines of progress where there is no terminal


def add(commands: Any) -> None:
    """Register the commands."""
    about = "what a change to the training data would do, by retraining without and with it"
    parser = command(commands, "retrain", _retrain, about)
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
    add_device(parser)
    add_json(parser)

    usual = FixingSettings()
    about = "how often removing or masking what a method blames mends a mistake (appendix L)"
    parser = command(commands, "fixing", _fixing, about)
    about = "methods, with commas between; random is always added"
    parser.add_argument("--methods", default=",".join(usual.methods), metavar="M,…", help=f"{about} (default %(default)s)")
    about = "how many opponents, with commas between (default %(default)s)"
    parser.add_argument("--k", default=",".join(map(str, usual.ks)), metavar="K,…", help=about)
    about = "mistakes to mend: misclassified, with a probability of 0.3 to 0.7 for the true label (default %(default)s)"
    parser.add_argument("--test-points", type=int, default=usual.test_points, metavar="N", help=about)
    about = "retrainings of each, with other seeds (default %(default)s)"
    parser.add_argument("--retrains", type=int, default=usual.retrains, metavar="R", help=about)
    about = "remove the opponents, mask the most negative word of each, or both (default %(default)s)"
    parser.add_argument("--ways", default=",".join(usual.ways), metavar="WAY,…", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of mistakes (default 0)")
    add_device(parser)
    add_json(parser)


def _retrain(options: argparse.Namespace) -> None:
    opened = workspace.read_workspace(options.workspace)
    if options.fixes is not None:
        proposal = experiments.of_fixes(opened, options.fixes)
    else:
        proposal = experiments.propose(opened, experiments.DECIDED if options.decided else options.change)
    print_notes(proposal.notes)
    with ProgressLine(sys.stderr, every=EVERY) as progress:
        found = experiments.try_out(
            opened, proposal, test_ids=options.test_id, seeds=options.seeds, device=options.device, progress=progress
        )
    print_answer(options, found, experiments.as_json, experiments.as_text)


def _fixing(options: argparse.Namespace) -> None:
    settings = FixingSettings(
        methods=names(options.methods),
        ks=numbers(options.k),
        test_points=options.test_points,
        retrains=options.retrains,
        ways=names(options.ways),
        seed=options.seed,
    )
    with ProgressLine(sys.stderr, every=EVERY) as progress:
        opened = workspace.read_workspace(options.workspace)
        found = experiments.fix_mistakes(opened, settings, device=options.device, progress=progress)
    print_answer(options, found, _curves_as_json, _curves_as_text)


def _curves_as_json(found: experiments.Fixing) -> dict[str, Any]:
    curves = experiments.fixing_curves(found.runs)
    return {"settings": found.settings, "curves": curves.to_dict("records"), "runs": found.runs.to_dict("records")}


def _curves_as_text(found: experiments.Fixing) -> str:
    settings, curves = found.settings, experiments.fixing_curves(found.runs)
    lines = [f"{settings['test_points']} mistakes, {settings['retrains']} retrainings: share mended [95 % interval], accuracy"]
    for row in curves.sort_values("k", kind="stable").to_dict("records"):
        what = f"{row['method']} {row['way']}".strip()
        share = f"{row['fixed']:.0%} [{row['low']:.0%}, {row['high']:.0%}]"
        lines.append(f"  k = {row['k']:<5} {what:<32} {share:<20} {100 * row['accuracy']:+.2f} points")
    return "\n".join(lines)
