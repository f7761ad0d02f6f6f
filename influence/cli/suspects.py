"""The commands that look for wrong training labels: suspects and clusters."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from influence import suspects, workspace
from influence.cli.options import add_device, add_json, check_top, command, print_answer, records
from influence.cli.progress import ProgressLine
from influence.suspects import DEFAULT_FOLDS, DEFAULT_MIN_SIZE, DEFAULT_MODELS, DEFAULT_THRESHOLD

if TYPE_CHECKING:
    import pandas as pd

SHOWN_IDS = 10


def add(commands: Any) -> None:
    """Register the commands."""
    parser = command(commands, "suspects", _suspects, "rank training examples by how likely their label is wrong")
    parser.add_argument("--top", type=int, default=20, metavar="N", help="suspects to print (default 20)")
    about = f"held-out models to train, a multiple of --folds; 0: none (default {DEFAULT_MODELS}; 0 for imported checkpoints)"
    parser.add_argument("--models", type=int, metavar="N", help=about)
    about = f"each model leaves one of this many parts out (default {DEFAULT_FOLDS})"
    parser.add_argument("--folds", type=int, default=DEFAULT_FOLDS, metavar="N", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the parts and of the models (default 0)")
    add_device(parser)
    add_json(parser)

    parser = command(commands, "clusters", _clusters, "group difficult training examples that share a cause")
    about = f"largest mean influence distance within a cluster, above 0 to 1 (default {DEFAULT_THRESHOLD})"
    parser.add_argument("--threshold", type=float, default=DEFAULT_THRESHOLD, metavar="X", help=about)
    about = f"smallest cluster (default {DEFAULT_MIN_SIZE})"
    parser.add_argument("--min-size", type=int, default=DEFAULT_MIN_SIZE, metavar="N", help=about)
    about = "cluster examples misclassified after at least this share of the epochs of training (default 0.4)"
    parser.add_argument("--difficult", type=float, default=0.4, metavar="X", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the map (default 0)")
    add_json(parser)


def _suspects(options: argparse.Namespace) -> None:
    check_top(options)
    settings = None
    if options.models is not None or options.folds != DEFAULT_FOLDS or options.seed:
        models = DEFAULT_MODELS if options.models is None else options.models
        settings = suspects.HeldOutSettings(models=models, folds=options.folds, seed=options.seed)
    with ProgressLine(sys.stderr) as progress:
        suspects.write_suspects(options.workspace, settings, device=options.device, progress=progress)
    opened = workspace.read_workspace(options.workspace)
    total, rows = suspects.suspects(opened, limit=options.top)
    made_with = suspects.provenance(opened)["settings"]
    print_answer(options, rows, lambda rows: _as_json(rows, made_with), lambda rows: _as_text(rows, total))


def _as_json(rows: pd.DataFrame, settings: dict[str, Any]) -> dict[str, Any]:
    names = ["train_id", "label", "suggested_label", "suspicion", "predicted", "reason", *suspects.SIGNALS[1:], "text"]
    names += [] if rows["text_pair"].isna().all() else ["text_pair"]
    return {"settings": settings, "suspects": records(rows[names])}


def _as_text(rows: pd.DataFrame, total: int) -> str:
    lines = [f"the {len(rows):,} most suspicious of {total:,} training examples"]
    for row in rows.to_dict("records"):
        change = row["label"] if row["suggested_label"] == row["label"] else f"{row['label']} → {row['suggested_label']}"
        texts = [row[name] for name in ("text", "text_pair") if isinstance(row[name], str)]
        lines.append(f"  {row['suspicion']:.3f}  {row['train_id']}  [{change}]  {' '.join(' | '.join(texts).split())}")
        lines.append(f"      {row['reason']}")
    return "\n".join(lines)


def _clusters(options: argparse.Namespace) -> None:
    suspects.check_cut(options.threshold, options.min_size)
    settings = suspects.ClusterSettings(difficult=options.difficult, seed=options.seed)
    with ProgressLine(sys.stderr) as progress:
        suspects.write_clusters(options.workspace, settings, progress=progress)
    opened = workspace.read_workspace(options.workspace)
    cut = {"threshold": options.threshold, "min_size": options.min_size}
    found = suspects.clusters(opened, **cut)
    made = suspects.clusters_provenance(opened)
    about = {**cut, **{name: made[name] for name in ("difficult", "clustered")}}
    print_answer(
        options,
        found,
        lambda found: {**about, "clusters": [asdict(one) for one in found]},
        lambda found: _clusters_as_text(found, made),
    )


def _clusters_as_text(found: list[suspects.Cluster], made: dict[str, Any]) -> str:
    less = "" if made["clustered"] == made["difficult"] else f", the most suspicious {made['clustered']:,} clustered"
    lines = [f"{len(found):,} clusters; {made['difficult']:,} difficult examples{less}"]
    for one in found:
        lines.append(f"  {one.number}: {one.size:,} examples, {', '.join(one.words) or 'no word in common'}")
        lines.append(f"      given {_counts(one.labels)}; suggested {_counts(one.suggestions)}")
        lines.append(f"      {', '.join(one.train_ids[:SHOWN_IDS])}{', …' if one.size > SHOWN_IDS else ''}")
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{label} {count:,}" for label, count in counts.items())
