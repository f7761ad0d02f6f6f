"""The command that groups difficult training examples that share a cause."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any, get_args

from influence import clusters, workspace
from influence.cli.options import add_device, add_json, command, print_answer
from influence.cli.progress import ProgressLine
from influence.clusters import DEFAULT_MIN_SIZE, DEFAULT_THRESHOLD, FOLDS, METHOD_CHOICES, ClusterOrder

SHOWN_IDS = 10


def add(commands: Any) -> None:
    """Register the command."""
    parser = command(commands, "clusters", _clusters, "group difficult training examples that share a cause")
    about = f"largest mean influence distance within a cluster, above 0 to 1 (default {DEFAULT_THRESHOLD})"
    parser.add_argument("--threshold", type=float, default=DEFAULT_THRESHOLD, metavar="X", help=about)
    about = f"smallest cluster (default {DEFAULT_MIN_SIZE})"
    parser.add_argument("--min-size", type=int, default=DEFAULT_MIN_SIZE, metavar="N", help=about)
    about = (
        "cluster examples whose label at least this share of the opinions contradicts; with --models: of the epochs (default 0.4)"
    )
    parser.add_argument("--difficult", type=float, default=0.4, metavar="X", help=about)
    about = f"train so many with early stopping, a multiple of {FOLDS}, to tell what is difficult (in the paper 20; default 0)"
    parser.add_argument("--models", type=int, default=0, metavar="N", help=about)
    about = "default: tracin-we as in the paper; tracin-we-topk where the index stores nothing else"
    parser.add_argument("--method", choices=METHOD_CHOICES, help=about)
    about = "worth: doubt in the labels, then mistakes pushed (default); mistakes; size"
    parser.add_argument("--order", choices=get_args(ClusterOrder), default="worth", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the models and of the map (default 0)")
    add_device(parser)
    add_json(parser)


def _clusters(options: argparse.Namespace) -> None:
    clusters.check_cut(options.threshold, options.min_size)
    settings = clusters.ClusterSettings(
        difficult=options.difficult, models=options.models, method=options.method, seed=options.seed
    )
    with ProgressLine(sys.stderr) as progress:
        clusters.write_clusters(options.workspace, settings, device=options.device, progress=progress)
    opened = workspace.read_workspace(options.workspace)
    cut = {"threshold": options.threshold, "min_size": options.min_size}
    found = clusters.clusters(opened, **cut, order=options.order)
    made = clusters.clusters_provenance(opened)
    about = {**cut, **{name: made[name] for name in ("method", "difficult", "clustered")}}
    print_answer(
        options,
        found,
        lambda found: {**about, "clusters": [asdict(one) for one in found]},
        lambda found: _clusters_as_text(found, made),
    )


def _clusters_as_text(found: list[clusters.Cluster], made: dict[str, Any]) -> str:
    less = "" if made["clustered"] == made["difficult"] else f", the most suspicious {made['clustered']:,} clustered"
    lines = [f"{len(found):,} clusters by {made['method']}; {made['difficult']:,} difficult examples{less}"]
    for one in found:
        lines.append(f"  {one.number}: {one.size:,} examples, {one.name}")
        lines.append(f"      {_worth(one)}")
        lines.append(f"      given {_counts(one.labels)}; suggested {_counts(one.suggestions)}")
        lines.append(f"      {', '.join(one.train_ids[:SHOWN_IDS])}{', …' if one.size > SHOWN_IDS else ''}")
    return "\n".join(lines)


def _worth(one: clusters.Cluster) -> str:
    said = [f"another label suggested for {one.contradicted:,} of {one.size:,}"]
    if one.mistakes:
        counted = f"{one.mistakes:,} test mistake{'' if one.mistakes == 1 else 's'}"
        said.append(f"{one.mistake_pull:.0%} of the pull against {counted}")
    if one.start_end_share is not None:
        said.append(f"start and end tokens carry {one.start_end_share:.0%} of the pull")
    return "; ".join(said)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{label} {count:,}" for label, count in counts.items())
