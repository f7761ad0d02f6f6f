"""The commands that carry suspects and decisions out of a workspace, into the data, and back: tasks, export, apply, import."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from influence import exchange, fixes, reading, review, workspace
from influence.cli.options import add_form, add_json, check_top, command, form_options, path, print_answer, print_notes
from influence.cli.progress import ProgressLine
from influence.errors import SettingsError
from influence.review import IMPORTED, POLICIES

SUFFIXES = (".csv", ".jsonl", ".parquet", ".zip")


def add(commands: Any) -> None:
    """Register the commands."""
    _add_tasks(commands)
    export = command(commands, "export", _export, "write the reviewers' decisions as a fix list")
    about = "the fix list; .zip: in all forms, with the corrected data and a report"
    export.add_argument("--output", type=path, required=True, metavar="FILE.csv|.jsonl|.parquet|.zip", help=about)
    about = "what settles a disagreement that no adjudicator has settled (default: majority)"
    export.add_argument("--policy", choices=POLICIES, default="majority", help=about)
    about = "only this reviewer's decisions; may be given more than once"
    export.add_argument("--reviewer", action="append", metavar="NAME", help=about)

    about = "bring the decisions in a fix list back into a workspace, in the names of those who made them"
    back = command(commands, "import", _import, about)
    about = "as exported: .csv, .jsonl or .parquet; each row is checked against the text that it was decided on"
    back.add_argument("--fixes", type=path, required=True, metavar="FILE", help=about)
    about = "whose the rows are that name nobody (default: import)"
    back.add_argument("--reviewer", default=IMPORTED, metavar="NAME", help=about)
    back.add_argument("--dry-run", action="store_true", help="say what would be taken in, but write nothing")

    about = "make the fixes of a fix list in a copy of the training file"
    apply = command(commands, "apply", _apply, about, workspace=False)
    apply.add_argument("--fixes", type=path, required=True, metavar="FILE")
    apply.add_argument("--train", required=True, metavar="FILE")
    apply.add_argument(
        "--output", type=path, required=True, metavar="FILE", help="in the same format, or .parquet; never an input"
    )
    apply.add_argument("--dry-run", action="store_true", help="check and say what would change, but write nothing")
    about = "written in place of a masked word (default: the word is deleted)"
    apply.add_argument("--mask-token", default="", metavar="TEXT", help=about)
    columns = apply.add_argument_group("columns of the training file (default: those that fit the fix list)")
    columns.add_argument("--text", metavar="COL")
    columns.add_argument("--text-pair", metavar="COL")
    columns.add_argument("--label", metavar="COL")
    columns.add_argument("--id", metavar="COL")
    add_form(columns)


def _add_tasks(commands: Any) -> None:
    about = "write the suspects as tasks for an annotation tool, with the suggested label, the reason and the lit words"
    tasks = command(commands, "tasks", _tasks, about)
    tasks.add_argument("--for", dest="tool", choices=exchange.TOOLS, required=True, help="the tool")
    about = "a new folder, a .zip, or the tasks' own file (.jsonl for Prodigy, else .json), what belongs to it beside it"
    tasks.add_argument("--output", type=path, required=True, metavar="FILE_OR_FOLDER", help=about)
    about = f"of the suspects with another label suggested, the N most suspicious (default {exchange.DEFAULT_TOP})"
    tasks.add_argument("--top", type=int, default=exchange.DEFAULT_TOP, metavar="N", help=about)
    which = tasks.add_mutually_exclusive_group()
    which.add_argument("--undecided", dest="all", action="store_false", help="those that nobody has decided (the default)")
    which.add_argument("--all", action="store_true", help="those that are decided, too")
    add_json(tasks)


def _tasks(options: argparse.Namespace) -> None:
    check_top(options)
    exchange.check_output(Path(options.output), exchange.FIRST[options.tool])
    opened = workspace.read_workspace(options.workspace)
    reviews = review.read_reviews(opened) if review.has_reviews(opened.path) else None
    try:
        ids = exchange.waiting(opened, reviews, top=options.top, decided=options.all)
        with ProgressLine(sys.stderr) as progress:
            tasks = exchange.make_tasks(opened, ids, progress=progress)
    finally:
        if reviews is not None:
            reviews.close()
    written = exchange.write_tasks(exchange.task_files(opened, options.tool, tasks), options.output)
    names = [str(file) for file in written]
    found = {"tool": options.tool, "tasks": len(tasks), "files": names, "example_ids": [task.example_id for task in tasks]}
    print_answer(options, found, dict, lambda _: f"{names[0]}: {len(tasks):,} tasks for {exchange.TOOLS[options.tool]}")


def _export(options: argparse.Namespace) -> None:
    from influence.files import write_output

    output = Path(options.output)
    if output.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"--output {options.output!r}: the file's name must end in {', '.join(SUFFIXES)}")
    if output.is_dir() or not output.parent.is_dir():
        raise SettingsError(f"--output {options.output!r}: it must be a file in a folder that exists")
    reviews = review.read_reviews(workspace.read_workspace(options.workspace))
    try:
        unknown = set(options.reviewer or ()) - set(reviews.reviewers())
        if unknown:
            known = ", ".join(reviews.reviewers()) or "nobody"
            raise SettingsError(f"--reviewer {min(unknown)!r} has decided nothing; those who have: {known}")
        found = fixes.fix_list(reviews, policy=options.policy, reviewers=options.reviewer)
        if output.suffix.lower() == ".zip":
            write_output(output, fixes.export_bundle(reviews, policy=options.policy, reviewers=options.reviewer))
        else:
            fixes.write_fixes(found.fixes, output)
    finally:
        reviews.close()
    print_notes([*reviews.warnings, *found.notes])
    print(f"{output}: {len(found.fixes):,} rows, {found.changes:,} of them changes: {_counts(found.counts)}")


def _import(options: argparse.Namespace) -> None:
    rows = fixes.read_fixes(options.fixes)
    by = review.Reviewer(name=options.reviewer)
    with workspace.opened(Path(options.workspace)) as opened:
        reviews = review.open_reviews(opened)
        try:
            found = fixes.plan_import(reviews, rows, by)
            if not options.dry_run:
                fixes.take_in(reviews, found, by, Path(options.fixes).name)
        finally:
            reviews.close()
    print_notes([*reviews.warnings, *found.notes])
    would = "would be taken in" if options.dry_run else "taken in"
    names = ", ".join(f"{count:,} by {name}" for name, count in found.counts.items()) or "nothing new"
    print(f"{options.workspace}: {found.total:,} decisions from {found.rows:,} rows {would}: {names}")


def _apply(options: argparse.Namespace) -> None:
    given = fixes.GivenColumns(text=options.text, text_pair=options.text_pair, label=options.label, id=options.id)
    applied = fixes.apply_fixes(
        options.fixes,
        options.train,
        options.output,
        columns=given,
        form=form_options(options),
        mask_token=options.mask_token,
        dry_run=options.dry_run,
    )
    print_notes([*applied.notes, *applied.formulas(reading.whole_suffix(Path(options.output)))])
    would = "would be written" if options.dry_run else "written"
    print(f"{options.output}: {applied.rows_after:,} of {applied.rows_before:,} rows {would}: {_counts(applied.counts)}")
    print(_balance(applied.before, applied.after))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {action}" for action, count in counts.items())


def _balance(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Class counts before and after, as a table."""
    rows = [("label", "before", "after", "change")]
    rows += [(label, f"{n:,}", f"{after[label]:,}", f"{after[label] - n:+,}") for label, n in before.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(f"{row[0]:<{widths[0]}}" + "".join(f"  {row[c]:>{widths[c]}}" for c in (1, 2, 3)) for row in rows)
