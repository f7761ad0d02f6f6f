"""The command that ranks new rows by how much they would help: candidates."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from influence import candidates, workspace
from influence.attribution import DEFAULT_METHOD
from influence.candidates import DEFAULT_TOP, RANKS, SUMMED_METHODS, CandidateSettings
from influence.cli.options import DATA, add_form, add_json, command, form_options, names, path, print_answer, print_notes, records
from influence.cli.progress import ProgressLine
from influence.errors import SettingsError

WRONG = "wrong"
PRINTED, SHOWN_WORDS = 20, 5


def add(commands: Any) -> None:
    """Register the command."""
    about = "rank new rows, labelled or not, by how much training on them would help the present mistakes"
    parser = command(commands, "candidates", _candidates, about)
    files = parser.add_argument_group(DATA)
    files.add_argument("--candidates", "--data", dest="candidates", required=True, metavar="FILE", help="the new rows")
    for role in ("text", "text-pair", "label", "id"):
        files.add_argument(f"--{role}", metavar="COL", help="default: the workspace's own column, else guessed")
    about = "take every row by its most probable label, whatever labels the file has (default: only rows without one)"
    files.add_argument("--unlabelled", action="store_true", help=about)
    add_form(files)
    which = parser.add_argument_group("what is to be helped")
    about = "every wrong prediction of the test split, or the test sentences of these ids (default wrong)"
    which.add_argument("--for", dest="wanted", default=None, metavar="wrong|ID,…", help=about)
    about = "a test sentence to be helped, right or wrong; may be given more than once"
    which.add_argument("--test-id", action="append", default=[], metavar="ID", help=about)
    which.add_argument("--given", metavar="LABEL", help="only wrong predictions of sentences with this label")
    which.add_argument("--predicted", metavar="LABEL", help="only those where the model said this label")
    about = f"one of {', '.join(SUMMED_METHODS)} (default {DEFAULT_METHOD})"
    parser.add_argument("--method", default=DEFAULT_METHOD, metavar="M", help=about)
    about = "; ".join(f"{name}: {what}" for name, what in RANKS.items())
    parser.add_argument("--rank", choices=RANKS, default=CandidateSettings.rank, help=f"{about} (default %(default)s)")
    about = f"rows to print and to work out words for (default: {PRINTED} and {DEFAULT_TOP})"
    parser.add_argument("--top", type=int, metavar="N", help=about)
    about = "write every row there: .parquet, or .csv for a spreadsheet"
    parser.add_argument("--output", type=path, metavar="FILE", help=about)
    add_json(parser)


def _candidates(options: argparse.Namespace) -> None:
    settings = _settings(options)
    if options.output is not None:
        candidates.check_output(options.output)
    role = candidates.Role(options.text, options.text_pair, options.label, options.id, options.unlabelled)
    with ProgressLine(sys.stderr) as progress:
        opened = workspace.read_workspace(options.workspace)
        found = candidates.rank_candidates(
            opened, options.candidates, settings, role=role, form=form_options(options), progress=progress
        )
    print_notes(found.notes)
    if options.output is not None:
        candidates.write_candidates(found, options.output)
    printed = options.top or PRINTED
    print_answer(options, found, _as_json, lambda found: "\n".join(_as_text(found, printed)))


def _settings(options: argparse.Namespace) -> CandidateSettings:
    wanted = names(options.wanted) if options.wanted is not None else ()
    if options.wanted is not None and not wanted:
        raise SettingsError(f"--for {options.wanted!r}: give {WRONG}, or ids of test sentences with commas between")
    ids = (*(() if wanted == (WRONG,) else wanted), *options.test_id)
    top = DEFAULT_TOP if options.top is None else options.top
    return CandidateSettings(
        test_ids=ids,
        label=options.given,
        predicted=options.predicted,
        method=options.method,
        rank=options.rank,
        top=top,
    )


def _as_json(found: candidates.Candidates) -> dict[str, Any]:
    ranked = found.frame[found.frame["rank"].notna()]
    top = records(ranked.head(found.settings.top).drop(columns=["left_out"]))
    left = found.frame["left_out"].value_counts()
    return {
        "method": found.settings.method,
        "rank": found.settings.rank,
        "tests": found.tests,
        "ranked": len(ranked),
        "guessed": found.guessed,
        "left_out": {str(why): int(count) for why, count in left.items()},
        "candidates": top,
    }


def _as_text(found: candidates.Candidates, printed: int) -> Iterator[str]:
    ranked = found.frame[found.frame["rank"].notna()]
    what = ("wrong test prediction" if found.wrong else "chosen test sentence") + ("" if found.tests == 1 else "s")
    settings = found.settings
    yield f"{len(ranked):,} rows, ranked by how much they help {found.tests:,} {what} ({settings.method}, {settings.rank})"
    if found.guessed:
        yield f"{found.guessed:,} without a label: scored by the most probable one, marked with ?"
    for row in ranked.head(printed).to_dict("records"):
        label = f"[{row['label']}{'?' if row['label_is_guess'] else ''}]"
        texts = " ".join(" | ".join(row[name] for name in ("text", "text_pair") if isinstance(row.get(name), str)).split())
        yield f"  {row['rank']:>4}  {row['score']:+.4g}  {row['example_id']}  {label}  {texts}"
        if why := "; ".join(_why(row)):
            yield f"        {why}"


def _why(row: dict[Any, Any]) -> Iterator[str]:
    """The words that carry a row's score, and the mistake that it helps most."""
    words = sorted(row["words"] if row["words"] is not None else (), key=lambda one: -abs(one["score"]))[:SHOWN_WORDS]
    if words:
        yield ", ".join(f"{one['word']} {one['score']:+.3g}" for one in words)
    if row["mistake_id"] is not None:
        given, said = row["mistake_label"], row["mistake_predicted"]
        yield f"helps {row['mistake_id']} most: {given if given == said else f'{given} taken for {said}'}"
