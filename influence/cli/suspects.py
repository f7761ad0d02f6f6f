"""The commands that look for wrong training labels: suspects and clusters."""

import argparse
import json
import math
import sys
from dataclasses import asdict
from typing import Any

import pandas as pd

from influence.cli.progress import ProgressLine
from influence.errors import SettingsError
from influence.suspects import (
    DEFAULT_FOLDS,
    DEFAULT_MIN_SIZE,
    DEFAULT_MODELS,
    DEFAULT_THRESHOLD,
    SIGNALS,
    Cluster,
    HeldOutSettings,
    check_cut,
    clusters,
    clusters_provenance,
    provenance,
    suspects,
)
from influence.workspace import read_workspace

SHOWN_IDS = 10


def add(commands: Any) -> None:
    """Register the commands."""
    parser = commands.add_parser("suspects", help="rank training examples by how likely their label is wrong")
    parser.add_argument("--workspace", required=True, metavar="DIR")
    parser.add_argument("--top", type=int, default=20, metavar="N", help="suspects to print (default 20)")
    about = f"held-out models to train, a multiple of --folds; 0: none (default {DEFAULT_MODELS}; 0 for imported checkpoints)"
    parser.add_argument("--models", type=int, metavar="N", help=about)
    about = f"each model leaves one of this many parts out (default {DEFAULT_FOLDS})"
    parser.add_argument("--folds", type=int, default=DEFAULT_FOLDS, metavar="N", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the parts and of the models (default 0)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_suspects)

    parser = commands.add_parser("clusters", help="group difficult training examples that share a cause")
    parser.add_argument("--workspace", required=True, metavar="DIR")
    about = f"largest mean influence distance within a cluster, above 0 to 1 (default {DEFAULT_THRESHOLD})"
    parser.add_argument("--threshold", type=float, default=DEFAULT_THRESHOLD, metavar="X", help=about)
    about = f"smallest cluster (default {DEFAULT_MIN_SIZE})"
    parser.add_argument("--min-size", type=int, default=DEFAULT_MIN_SIZE, metavar="N", help=about)
    about = "cluster examples misclassified after at least this share of the epochs of training (default 0.4)"
    parser.add_argument("--difficult", type=float, default=0.4, metavar="X", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the map (default 0)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_clusters)


def _suspects(options: argparse.Namespace) -> None:
    from influence.suspects import write_suspects

    if options.top < 1:
        raise SettingsError(f"--top {options.top}: must be 1 or more")
    settings = None
    if options.models is not None or options.folds != DEFAULT_FOLDS or options.seed:
        models = DEFAULT_MODELS if options.models is None else options.models
        settings = HeldOutSettings(models=models, folds=options.folds, seed=options.seed)
    with ProgressLine(sys.stderr) as progress:
        write_suspects(options.workspace, settings, device=options.device, progress=progress)
    workspace = read_workspace(options.workspace)
    total, rows = suspects(workspace, limit=options.top)
    if options.json:
        print(json.dumps({"settings": provenance(workspace)["settings"], "suspects": _as_json(rows)}, ensure_ascii=False))
    else:
        print(_as_text(rows, total))


def _as_json(rows: pd.DataFrame) -> list[dict[str, Any]]:
    names = ["train_id", "label", "suggested_label", "suspicion", "predicted", "reason", *SIGNALS[1:], "text", "text_pair"]
    if rows["text_pair"].isna().all():
        names.remove("text_pair")
    # A missing held-out confidence is null in JSON, where NaN is not allowed.
    records = rows[names].to_dict("records")
    return [{str(n): None if isinstance(v, float) and math.isnan(v) else v for n, v in r.items()} for r in records]


def _as_text(rows: pd.DataFrame, total: int) -> str:
    lines = [f"the {len(rows):,} most suspicious of {total:,} training examples"]
    for row in rows.to_dict("records"):
        change = row["label"] if row["suggested_label"] == row["label"] else f"{row['label']} → {row['suggested_label']}"
        texts = [row[name] for name in ("text", "text_pair") if isinstance(row[name], str)]
        lines.append(f"  {row['suspicion']:.3f}  {row['train_id']}  [{change}]  {' '.join(' | '.join(texts).split())}")
        lines.append(f"      {row['reason']}")
    return "\n".join(lines)


def _clusters(options: argparse.Namespace) -> None:
    from influence.suspects import ClusterSettings, write_clusters

    check_cut(options.threshold, options.min_size)
    settings = ClusterSettings(difficult=options.difficult, seed=options.seed)
    with ProgressLine(sys.stderr) as progress:
        write_clusters(options.workspace, settings, progress=progress)
    workspace = read_workspace(options.workspace)
    found = clusters(workspace, threshold=options.threshold, min_size=options.min_size)
    made = clusters_provenance(workspace)
    if options.json:
        about = {name: made[name] for name in ("difficult", "clustered")}
        cut = {"threshold": options.threshold, "min_size": options.min_size}
        print(json.dumps({**cut, **about, "clusters": [asdict(one) for one in found]}, ensure_ascii=False))
    else:
        print(_clusters_as_text(found, made))


def _clusters_as_text(found: list[Cluster], made: dict[str, Any]) -> str:
    less = "" if made["clustered"] == made["difficult"] else f", the most suspicious {made['clustered']:,} clustered"
    lines = [f"{len(found):,} clusters; {made['difficult']:,} difficult examples{less}"]
    for one in found:
        lines.append(f"  {one.number}: {one.size:,} examples, {', '.join(one.words) or 'no word in common'}")
        lines.append(f"      given {_counts(one.labels)}; suggested {_counts(one.suggestions)}")
        lines.append(f"      {', '.join(one.train_ids[:SHOWN_IDS])}{', …' if one.size > SHOWN_IDS else ''}")
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{label} {count:,}" for label, count in counts.items())
