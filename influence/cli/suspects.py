"""The command that looks for wrong training labels."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from influence import opinion_files, opinions, review, suspects, workspace
from influence.cli.options import (
    add_device,
    add_encoder,
    add_engine,
    add_json,
    add_opinions,
    check_top,
    chosen_engine,
    command,
    print_answer,
    print_notes,
    records,
)
from influence.cli.progress import ProgressLine
from influence.models import GET_DEMO
from influence.opinions import DEFAULT_FOLDS

if TYPE_CHECKING:
    import pandas as pd


def add(commands: Any) -> None:
    """Register the command."""
    parser = command(commands, "suspects", _suspects, "rank training examples by how likely their label is wrong")
    parser.add_argument("--top", type=int, default=20, metavar="N", help="suspects to print (default 20)")
    about = "held-out models like the workspace's own to train as one more opinion, a multiple of --folds (default: none)"
    parser.add_argument("--models", type=int, metavar="N", help=about)
    about = f"each of them leaves one of this many parts out (default {DEFAULT_FOLDS})"
    parser.add_argument("--folds", type=int, metavar="N", help=about)
    parser.add_argument("--seed", type=int, metavar="N", help="of the parts and of the models (default 0)")
    add_encoder(parser)
    add_opinions(parser)
    about = "remove what a name of such a file thinks; may be given again"
    parser.add_argument("--forget-opinion", action="append", default=[], metavar="NAME", help=about)
    switch = argparse.BooleanOptionalAction
    about = "whether people have checked the test labels: then the opinions learn from them; kept by the workspace (default: no)"
    parser.add_argument("--test-labels-checked", action=switch, default=None, help=about)
    about = "whether to scale opinions to how often the test split has each label; kept by the workspace (default: yes)"
    parser.add_argument("--test-balance", action=switch, default=None, help=about)
    add_device(parser)
    add_engine(parser)
    add_json(parser)


def _suspects(options: argparse.Namespace) -> None:
    check_top(options)
    if options.encoder is not None:
        opinions.check_encoder(options.encoder)
    with workspace.opened(Path(options.workspace)) as built:
        for name in options.forget_opinion:
            opinion_files.forget(built.path, name)
        notes = opinion_files.add_files(built, options.opinions)
        settings = _settings(options, built)
    with chosen_engine(options) as engine, ProgressLine(sys.stderr) as progress:
        suspects.write_suspects(options.workspace, settings, device=options.device, engine=engine, progress=progress)
    opened = workspace.read_workspace(options.workspace)
    total, rows = suspects.suspects(opened, limit=options.top)
    made_from = suspects.provenance(opened)
    print_notes([*notes, *no_encoder(made_from)])
    reviews = review.read_reviews(opened) if review.has_reviews(opened.path) else None
    scale = suspects.scale(opened, reviews)
    said = suspects.said(opened, rows["train_id"].tolist())
    print_answer(options, rows, lambda rows: _as_json(rows, said, made_from, scale), lambda rows: _as_text(rows, total, scale))


def _settings(options: argparse.Namespace, built: workspace.WorkspaceReader) -> opinions.OpinionSettings:
    """Those of the ranking that is there, with what was given put in; what is chosen of the test split is kept."""
    given = {"test_labels_checked": options.test_labels_checked, "use_test_balance": options.test_balance}
    if switched := {name: value for name, value in given.items() if value is not None}:
        suspects.write_choices(options.workspace, replace(suspects.read_choices(options.workspace), **switched))
    usual = suspects.usual_settings(built)
    held_out = {name: value for name in ("models", "folds", "seed") if (value := getattr(options, name)) is not None}
    encoder = usual.encoder if options.encoder is None else options.encoder
    return replace(usual, encoder=encoder, held_out=replace(usual.held_out, **held_out))


def no_encoder(made_from: Mapping[str, Any]) -> list[str]:
    """A note where the ranking lacks sentence embeddings because there is nothing to make them with."""
    if made_from["encoder"] is not None or made_from["settings"]["encoder"] != opinions.AUTO:
        return []
    return [
        "no sentence encoder is installed, so suspects rest on words and the model alone; install one with: "
        f"{GET_DEMO}, or name a model with --encoder"
    ]


def _as_json(
    rows: pd.DataFrame, said: Mapping[str, list[suspects.Saying]], made_from: Mapping[str, Any], scale: suspects.Scale
) -> dict[str, Any]:
    names = ["train_id", "label", "suggested_label", "suspicion", "predicted", "reason", *suspects.SIGNALS[1:], "text"]
    names += [] if rows["text_pair"].isna().all() else ["text_pair"]
    settings = dict(made_from["settings"])
    settings = {**settings.pop("held_out"), **settings}
    about = {name: made_from[name] for name in ("decisions", "opinions", "baseline")}
    listed = records(rows[names])
    for row in listed if said else ():  # as before where nobody has brought an opinion in a file
        row["said"] = [saying._asdict() for saying in said.get(row["train_id"], ())]
    counted = {**asdict(scale), "in_words": scale.sentences}
    return {"settings": settings, **about, "suspects": listed, "scale": counted}


def _as_text(rows: pd.DataFrame, total: int, scale: suspects.Scale) -> str:
    lines = [f"the {len(rows):,} most suspicious of {total:,} training examples", *scale.sentences]
    for row in rows.to_dict("records"):
        change = row["label"] if row["suggested_label"] == row["label"] else f"{row['label']} → {row['suggested_label']}"
        texts = [row[name] for name in ("text", "text_pair") if isinstance(row[name], str)]
        lines.append(f"  {row['suspicion']:.3f}  {row['train_id']}  [{change}]  {' '.join(' | '.join(texts).split())}")
        lines.append(f"      {row['reason']}")
    return "\n".join(lines)
