"""The command that looks for wrong training labels."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from influence import suspects, workspace
from influence.cli.options import add_device, add_json, check_top, command, print_answer, records
from influence.cli.progress import ProgressLine
from influence.suspects import DEFAULT_FOLDS, DEFAULT_MODELS

if TYPE_CHECKING:
    import pandas as pd


def add(commands: Any) -> None:
    """Register the command."""
    parser = command(commands, "suspects", _suspects, "rank training examples by how likely their label is wrong")
    parser.add_argument("--top", type=int, default=20, metavar="N", help="suspects to print (default 20)")
    about = f"held-out models to train, a multiple of --folds; 0: none (default {DEFAULT_MODELS}; 0 for imported checkpoints)"
    parser.add_argument("--models", type=int, metavar="N", help=about)
    about = f"each model leaves one of this many parts out (default {DEFAULT_FOLDS})"
    parser.add_argument("--folds", type=int, default=DEFAULT_FOLDS, metavar="N", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the parts and of the models (default 0)")
    add_device(parser)
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
