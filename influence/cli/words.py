"""The command that sums influence by word: what carries the most against the test mistakes."""

from __future__ import annotations

import argparse
from typing import Any

from influence import explanations, workspace
from influence.cli.options import add_json, check_top, command, print_answer

COLUMNS = ["word", "kind", "score", "against", "support", "mistakes", "examples"]


def add(commands: Any) -> None:
    """Register the command."""
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
    print_answer(options, {**about, **sums}, dict, lambda answer: _as_text(answer, len(listed)))


def _as_text(answer: dict[str, Any], listed: int) -> str:
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
