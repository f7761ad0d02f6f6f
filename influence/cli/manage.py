"""The commands that handle whole workspaces: backup, restore and compare."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from influence import experiments, workspace
from influence.cli.options import add_json, command, path, print_answer
from influence.cli.progress import ProgressLine

LISTED = 20


def add(commands: Any) -> None:
    """Register the commands."""
    parser = command(commands, "backup", _backup, "write a workspace with its decisions into a zip file")
    parser.add_argument("--output", type=path, required=True, metavar="FILE.zip")

    parser = command(commands, "restore", _restore, "make a workspace from a backup, every file checked", workspace=False)
    parser.add_argument("--backup", type=path, required=True, metavar="FILE.zip")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--workspace", type=path, metavar="DIR", help="the workspace to make")
    where.add_argument("--workspace-root", type=path, metavar="DIR", help="make it here, under its own name or a free one")

    parser = command(commands, "compare", _compare, "what is different between two workspaces")
    parser.add_argument("--with", type=path, required=True, metavar="DIR", dest="other", help="the other workspace")
    add_json(parser)


def _backup(options: argparse.Namespace) -> None:
    with ProgressLine(sys.stderr, every=1.0) as progress:
        size = workspace.back_up(Path(options.workspace), Path(options.output), progress=progress)
    print(f"{options.output}: {size / 1e6:,.1f} MB")


def _restore(options: argparse.Namespace) -> None:
    target = Path(options.workspace or options.workspace_root)
    root, name = (target.parent, target.name) if options.workspace else (target, None)
    with ProgressLine(sys.stderr, every=1.0) as progress:
        made = workspace.restore(Path(options.backup), root, name, progress=progress)
    print(f"{root / made}: restored from {options.backup}")


def _compare(options: argparse.Namespace) -> None:
    found = experiments.compare(workspace.read_workspace(options.workspace), workspace.read_workspace(options.other))
    print_answer(options, found, _as_json, comparison_in_words)


def _as_json(found: experiments.Comparison) -> dict[str, Any]:
    came, went = found.suspects_came, found.suspects_went
    return {
        "shared_tests": found.shared_tests,
        "left_out_tests": list(found.left_out_tests),
        "accuracies": list(found.accuracies),
        "relabelled_tests": found.relabelled_tests,
        "changed": json.loads(found.changed.to_json(orient="records")),
        "suspects_came": None if came is None else json.loads(came.to_json(orient="records")),
        "suspects_went": None if went is None else json.loads(went.to_json(orient="records")),
        "left_out_suspects": list(found.left_out_suspects),
        "chance": found.chance,
        "overlap": {"top": experiments.TOP, "proponents": found.overlaps[0], "opponents": found.overlaps[1]},
    }


def comparison_in_words(found: experiments.Comparison) -> str:
    """What is different in the second of two workspaces, a line each."""
    only = [
        f"{count:,} only in the {which}" for count, which in zip(found.left_out_tests, ("first", "second"), strict=True) if count
    ]
    left_out = f" ({' and '.join(only)} left out)" if only else ""
    lines = [
        f"{found.shared_tests:,} test texts in both{left_out}; accuracy {found.accuracies[0]:.1%} → {found.accuracies[1]:.1%}",
        f"{len(found.changed):,} predictions changed: {found.count('fixed'):,} fixed, {found.count('broken'):,} broken",
    ]
    for row in found.changed.head(LISTED).to_dict("records"):
        text = " ".join(row["text"].split())[:80]
        lines.append(f"  {row['kind']}: {row['id']} [{row['label']}] {row['predicted']} → {row['predicted_2']}  {text}")
    if found.suspects_came is not None and found.suspects_went is not None:
        lines.append(f"suspects: {len(found.suspects_came):,} came, {len(found.suspects_went):,} went")
    lines.append(
        f"of the {experiments.TOP} strongest on either side, the same: "
        f"proponents {found.overlaps[0]:.0%}, opponents {found.overlaps[1]:.0%}"
    )
    return "\n".join(lines)
