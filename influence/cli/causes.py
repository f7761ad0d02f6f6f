"""The commands that find what mistakes have in common: clusters of difficult examples, and words."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any, get_args

from influence import clusters, explanations, workspace
from influence.cli.options import add_device, add_json, check_top, command, print_answer
from influence.cli.progress import ProgressLine
from influence.clusters import DEFAULT_MIN_SIZE, DEFAULT_THRESHOLD, FOLDS, METHOD_CHOICES, ClusterOrder

SHOWN_IDS = 10
COLUMNS = ["word", "kind", "score", "against", "support", "mistakes", "examples"]


def add(commands: Any) -> None:
    """Register the commands."""
    _add_clusters(commands)
    _add_words(commands)


def _add_clusters(commands: Any) -> None:
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


def _add_words(commands: Any) -> None:
    about = "the words that carry the most negative influence over the test mistakes"
    parser = command(commands, "words", _words, about)
    parser.add_argument("--label", metavar="L", help="only over mistakes whose given label this is")
    parser.add_argument("--predicted", metavar="L", help="only over mistakes that the model takes for this label")
    parser.add_argument(
        "--common", action="store_true", help="list function words, punctuation and words that are everywhere, too"
    )
    parser.add_argument("--top", type=int, default=20, metavar="N", help="words to print (default 20)")
    add_json(parser)


def _words(options: argparse.Namespace) -> None:
    check_top(options)
    opened = workspace.read_workspace(options.workspace)
    filter = explanations.MistakeFilter(label=options.label, predicted=options.predicted)
    found = explanations.words(opened, filter)[COLUMNS]
    mistakes = explanations.count_mistakes(opened, filter)
    apart = found[found["kind"].isin(explanations.APART)]
    hidden = [*explanations.APART, *([] if options.common else [explanations.COMMON])]
    listed = found[~found["kind"].isin(hidden)]
    shown = listed.head(options.top)
    about = {"label": options.label, "predicted": options.predicted, "mistakes": mistakes, "stored_top": workspace.STORED_TOP}
    tokens, pieces = (apart[apart["kind"] == kind].to_dict("records") for kind in (explanations.TOKEN, explanations.PIECE))
    sums = {"words": shown.to_dict("records"), "special_tokens": tokens, "pieces": pieces}
    print_answer(options, {**about, **sums}, dict, lambda answer: _words_as_text(answer, len(listed)))


def _words_as_text(answer: dict[str, Any], listed: int) -> str:
    top = answer["stored_top"]
    lines = [
        f"the {len(answer['words']):,} strongest of {listed:,} words that pull against {answer['mistakes']:,} wrong test "
        f"predictions, through the stored {top} opponents and {top} proponents of each",
        f"  {'against':>12}  {'for':>12}  {'mistakes':>8}  {'examples':>8}  word",
    ]
    for row in [*answer["words"], *answer["special_tokens"], *answer["pieces"]]:
        name = f"{row['word']}  (start or end token)" if row["kind"] == explanations.TOKEN else " ".join(row["word"].split())
        sums = f"{row['against']:>12.4g}  {row['support']:>12.4g}"
        lines.append(f"  {sums}  {row['mistakes']:>8,}  {row['examples']:>8,}  {name}")
    return "\n".join(lines)
