"""The command that sums influence by word: what carries the most against the test mistakes."""

import argparse
import json
from typing import Any

import pandas as pd

from influence.errors import SettingsError
from influence.explanations import COMMON, TOKEN, MistakeFilter, count_mistakes, words
from influence.workspace import STORED_TOP, read_workspace

COLUMNS = ["word", "kind", "score", "against", "support", "mistakes", "examples"]


def add(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("words", help="the words that carry the most negative influence over the test mistakes")
    parser.add_argument("--workspace", required=True, metavar="DIR")
    parser.add_argument("--label", metavar="L", help="only over mistakes whose given label this is")
    parser.add_argument("--predicted", metavar="L", help="only over mistakes that the model takes for this label")
    parser.add_argument("--common", action="store_true", help="list stop words and punctuation, too")
    parser.add_argument("--top", type=int, default=20, metavar="N", help="words to print (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_words)


def _words(options: argparse.Namespace) -> None:
    if options.top < 1:
        raise SettingsError(f"--top {options.top}: must be 1 or more")
    workspace = read_workspace(options.workspace)
    filter = MistakeFilter(label=options.label, predicted=options.predicted)
    found = words(workspace, filter)[COLUMNS]
    mistakes = count_mistakes(workspace, filter)
    tokens = found[found["kind"] == TOKEN]
    listed = found[~found["kind"].isin([TOKEN] if options.common else [TOKEN, COMMON])]
    if options.json:
        about = {"label": options.label, "predicted": options.predicted, "mistakes": mistakes, "stored_top": STORED_TOP}
        both = {"words": listed.head(options.top).to_dict("records"), "special_tokens": tokens.to_dict("records")}
        print(json.dumps({**about, **both}, ensure_ascii=False))
    else:
        print(_as_text(listed, tokens, mistakes, options.top))


def _as_text(listed: pd.DataFrame, tokens: pd.DataFrame, mistakes: int, top: int) -> str:
    shown = listed.head(top)
    lines = [
        f"the {len(shown):,} strongest of {len(listed):,} words that pull against {mistakes:,} wrong test predictions, "
        f"through the stored {STORED_TOP} opponents and {STORED_TOP} proponents of each",
        f"  {'against':>12}  {'for':>12}  {'mistakes':>8}  {'examples':>8}  word",
    ]
    rows = [*shown.to_dict("records"), *tokens.to_dict("records")]
    for row in rows:
        name = f"{row['word']}  (start or end token)" if row["kind"] == TOKEN else " ".join(row["word"].split())
        sums = f"{row['against']:>12.4g}  {row['support']:>12.4g}"
        lines.append(f"  {sums}  {row['mistakes']:>8,}  {row['examples']:>8,}  {name}")
    return "\n".join(lines)
