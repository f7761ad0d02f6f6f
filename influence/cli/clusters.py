"""The command that groups difficult training examples that share a cause."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

from influence import clusters, workspace
from influence.cli.options import add_json, command, print_answer
from influence.cli.progress import ProgressLine
from influence.clusters import DEFAULT_MIN_SIZE, DEFAULT_THRESHOLD

SHOWN_IDS = 10


def add(commands: Any) -> None:
    """Register the command."""
    parser = command(commands, "clusters", _clusters, "group difficult training examples that share a cause")
    about = f"largest mean influence distance within a cluster, above 0 to 1 (default {DEFAULT_THRESHOLD})"
    parser.add_argument("--threshold", type=float, default=DEFAULT_THRESHOLD, metavar="X", help=about)
    about = f"smallest cluster (default {DEFAULT_MIN_SIZE})"
    parser.add_argument("--min-size", type=int, default=DEFAULT_MIN_SIZE, metavar="N", help=about)
    about = "cluster examples misclassified after at least this share of the epochs of training (default 0.4)"
    parser.add_argument("--difficult", type=float, default=0.4, metavar="X", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the map (default 0)")
    add_json(parser)


def _clusters(options: argparse.Namespace) -> None:
    clusters.check_cut(options.threshold, options.min_size)
    settings = clusters.ClusterSettings(difficult=options.difficult, seed=options.seed)
    with ProgressLine(sys.stderr) as progress:
        clusters.write_clusters(options.workspace, settings, progress=progress)
    opened = workspace.read_workspace(options.workspace)
    cut = {"threshold": options.threshold, "min_size": options.min_size}
    found = clusters.clusters(opened, **cut)
    made = clusters.clusters_provenance(opened)
    about = {**cut, **{name: made[name] for name in ("difficult", "clustered")}}
    print_answer(
        options,
        found,
        lambda found: {**about, "clusters": [asdict(one) for one in found]},
        lambda found: _clusters_as_text(found, made),
    )


def _clusters_as_text(found: list[clusters.Cluster], made: dict[str, Any]) -> str:
    less = "" if made["clustered"] == made["difficult"] else f", the most suspicious {made['clustered']:,} clustered"
    lines = [f"{len(found):,} clusters; {made['difficult']:,} difficult examples{less}"]
    for one in found:
        lines.append(f"  {one.number}: {one.size:,} examples, {', '.join(one.words) or 'no word in common'}")
        lines.append(f"      given {_counts(one.labels)}; suggested {_counts(one.suggestions)}")
        lines.append(f"      {', '.join(one.train_ids[:SHOWN_IDS])}{', …' if one.size > SHOWN_IDS else ''}")
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{label} {count:,}" for label, count in counts.items())
