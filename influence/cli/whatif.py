"""The commands that try changes out by retraining: retrain and fixing."""

import argparse
import json
import sys
from typing import Any

import pandas as pd

from influence.cli.progress import ProgressLine, remark
from influence.errors import SettingsError
from influence.experiments import Fixing, FixingSettings, fix_mistakes, fixing_curves
from influence.workspace import read_workspace

EVERY = 1.0  # seconds between lines of progress where there is no terminal


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

    usual = FixingSettings()
    parser = commands.add_parser("fixing", help="how often removing or masking what a method blames mends a mistake (appendix L)")
    parser.add_argument("--workspace", required=True, metavar="DIR")
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
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_fixing)


def _retrain(options: argparse.Namespace) -> None:
    from influence.experiments import DECIDED, as_json, as_text, of_fixes, propose, try_out

    workspace = read_workspace(options.workspace)
    if options.fixes is not None:
        proposal = of_fixes(workspace, options.fixes)
    else:
        proposal = propose(workspace, DECIDED if options.decided else options.change)
    for note in proposal.notes:
        remark(note)
    with ProgressLine(sys.stderr, every=EVERY) as progress:
        found = try_out(
            workspace, proposal, test_ids=options.test_id, seeds=options.seeds, device=options.device, progress=progress
        )
    print(json.dumps(as_json(found), ensure_ascii=False) if options.json else as_text(found))


def _fixing(options: argparse.Namespace) -> None:
    settings = FixingSettings(
        methods=_parts(options.methods),
        ks=_numbers(options.k),
        test_points=options.test_points,
        retrains=options.retrains,
        ways=_parts(options.ways),
        seed=options.seed,
    )
    with ProgressLine(sys.stderr, every=EVERY) as progress:
        found = fix_mistakes(read_workspace(options.workspace), settings, device=options.device, progress=progress)
    assert found is not None
    curves = fixing_curves(found.runs)
    if options.json:
        tables = {"curves": curves.to_dict("records"), "runs": found.runs.to_dict("records")}
        print(json.dumps({"settings": found.settings, **tables}, ensure_ascii=False))
    else:
        print(_curves_as_text(found, curves))


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _parts(text))
    except ValueError as error:
        raise SettingsError(f"--k {text!r}: give whole numbers with commas between, as 10,20,50") from error


def _curves_as_text(found: Fixing, curves: pd.DataFrame) -> str:
    settings = found.settings
    lines = [f"{settings['test_points']} mistakes, {settings['retrains']} retrainings: share mended [95 % interval], accuracy"]
    for row in curves.sort_values("k", kind="stable").to_dict("records"):
        what = f"{row['method']} {row['way']}".strip()
        share = f"{row['fixed']:.0%} [{row['low']:.0%}, {row['high']:.0%}]"
        lines.append(f"  k = {row['k']:<5} {what:<32} {share:<20} {100 * row['accuracy']:+.2f} points")
    return "\n".join(lines)
