"""The commands that handle whole workspaces: backup and compare."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from influence.cli.progress import ProgressLine
from influence.experiments import TOP, Comparison, compare
from influence.workspace import back_up, read_workspace

LISTED = 20


def add(commands: Any) -> None:
    """Register the commands."""
    parser = commands.add_parser("backup", help="write a workspace with its decisions into a zip file")
    parser.add_argument("--workspace", required=True, metavar="DIR")
    parser.add_argument("--output", required=True, metavar="FILE.zip")
    parser.set_defaults(run=_backup)

    parser = commands.add_parser("compare", help="what is different between two workspaces")
    parser.add_argument("--workspace", required=True, metavar="DIR")
    parser.add_argument("--with", required=True, metavar="DIR", dest="other", help="the other workspace")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_compare)


def _backup(options: argparse.Namespace) -> None:
    with ProgressLine(sys.stderr, every=1.0) as progress:
        size = back_up(Path(options.workspace), Path(options.output), progress=progress)
    print(f"{options.output}: {size / 1e6:,.1f} MB")


def _compare(options: argparse.Namespace) -> None:
    found = compare(read_workspace(options.workspace), read_workspace(options.other))
    print(json.dumps(_as_json(found), ensure_ascii=False) if options.json else _as_text(found))


def _as_json(found: Comparison) -> dict[str, Any]:
    came, went = found.suspects_came, found.suspects_went
    return {
        "shared_tests": found.shared_tests,
        "accuracies": list(found.accuracies),
        "relabelled_tests": found.relabelled_tests,
        "changed": json.loads(found.changed.to_json(orient="records")),
        "suspects_came": None if came is None else json.loads(came.to_json(orient="records")),
        "suspects_went": None if went is None else json.loads(went.to_json(orient="records")),
        "overlap": {"top": TOP, "proponents": found.overlaps[0], "opponents": found.overlaps[1]},
    }


def _as_text(found: Comparison) -> str:
    lines = [
        f"{found.shared_tests:,} test texts in both; accuracy {found.accuracies[0]:.1%} → {found.accuracies[1]:.1%}",
        f"{len(found.changed):,} predictions changed: {found.count('fixed'):,} fixed, {found.count('broken'):,} broken",
    ]
    for row in found.changed.head(LISTED).to_dict("records"):
        text = " ".join(row["text"].split())[:80]
        lines.append(f"  {row['kind']}: {row['id']} [{row['label']}] {row['predicted']} → {row['predicted_2']}  {text}")
    if found.suspects_came is not None and found.suspects_went is not None:
        lines.append(f"suspects: {len(found.suspects_came):,} came, {len(found.suspects_went):,} went")
    lines.append(
        f"of the {TOP} strongest on either side, the same: proponents {found.overlaps[0]:.0%}, opponents {found.overlaps[1]:.0%}"
    )
    return "\n".join(lines)
