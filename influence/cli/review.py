"""The commands that carry suspects and decisions out of a workspace, into data, and back: tasks, export, apply, import, push."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from influence import exchange, fixes, hub, reading, review, workspace
from influence.cli.options import add_form, add_json, check_top, command, form_options, path, print_answer, print_notes
from influence.cli.progress import ProgressLine
from influence.errors import SettingsError
from influence.review import IMPORTED, POLICIES

if TYPE_CHECKING:
    from influence.review import Reviews

SUFFIXES = (".csv", ".jsonl", ".parquet", ".zip")


def add(commands: Any) -> None:
    """Register the commands."""
    _add_tasks(commands)
    export = command(commands, "export", _export, "write the reviewers' decisions as a fix list")
    about = "the fix list; .zip: in all forms, with the corrected data and a report"
    export.add_argument("--output", type=path, required=True, metavar="FILE.csv|.jsonl|.parquet|.zip", help=about)
    _add_whose(export)

    about = "bring decisions back into a workspace, from a fix list or an annotation tool, in the names of those who made them"
    back = command(commands, "import", _import, about)
    about = "a fix list, or what an annotation tool exports of tasks that were judged; each row is checked against its text"
    back.add_argument("--fixes", type=path, required=True, metavar="FILE_OR_FOLDER", help=about)
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
    _add_push(commands)


def _add_push(commands: Any) -> None:
    about = "put the corrected training data on the Hugging Face Hub, as a pull request or a branch, with a card of what changed"
    push = command(commands, "push", _push, about)
    push.add_argument("--repo", required=True, metavar="OWNER/NAME", help="a data set's repository on the Hub")
    push.add_argument("--train", metavar="FILE", help="to be corrected (default: the one that the workspace was built from)")
    _add_whose(push)
    where = push.add_mutually_exclusive_group()
    where.add_argument("--pull-request", action="store_true", help="open a pull request (the default)")
    about = "commit to this branch, which is begun from main where there is none of that name; main only where it is said"
    where.add_argument("--branch", metavar="NAME", help=about)
    about = "the repository must be private; where there is none it is made"
    push.add_argument("--private", action="store_true", help=about)
    about = "of the training data in the repository; its ending says as what it goes there: Parquet, or in the file's own form"
    push.add_argument("--path", default=hub.DEFAULT_PATH, metavar="IN_REPO", help=f"{about} (default: {hub.DEFAULT_PATH})")
    push.add_argument("--message", metavar="TEXT", help="of the commit (default: how many examples were changed)")
    about = "name the reviewers, and give their notes, in the card and in fixes.parquet (default: neither)"
    push.add_argument("--reviewers", action="store_true", help=about)
    about = "list what would be uploaded, and the card, without asking the network for anything"
    push.add_argument("--dry-run", action="store_true", help=about)
    add_json(push)


def _add_whose(parser: Any) -> None:
    """--policy and --reviewer: whose decisions count."""
    about = "what settles a disagreement that no adjudicator has settled (default: majority)"
    parser.add_argument("--policy", choices=POLICIES, default="majority", help=about)
    about = "only this reviewer's decisions; may be given more than once"
    parser.add_argument("--reviewer", action="append", metavar="NAME", help=about)


def _check_reviewers(options: argparse.Namespace, reviews: Reviews) -> None:
    """Raise `SettingsError` for a --reviewer who has decided nothing."""
    unknown = set(options.reviewer or ()) - set(reviews.reviewers())
    if unknown:
        known = ", ".join(reviews.reviewers()) or "nobody"
        raise SettingsError(f"--reviewer {min(unknown)!r} has decided nothing; those who have: {known}")


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
        _check_reviewers(options, reviews)
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
    answers = exchange.read_answers(options.fixes)
    by = review.Reviewer(name=options.reviewer)
    with workspace.opened(Path(options.workspace)) as opened:
        reviews = review.open_reviews(opened)
        try:
            found = exchange.plan_answers(reviews, answers, by)
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


def _push(options: argparse.Namespace) -> None:
    given = ("repo", "branch", "private", "path", "message")
    destination = hub.Destination(**{name: getattr(options, name) for name in given})
    reviews = review.read_reviews(workspace.read_workspace(options.workspace))
    try:
        _check_reviewers(options, reviews)
        choice = {"policy": options.policy, "reviewers": options.reviewer, "named": options.reviewers}
        upload = hub.prepare_upload(reviews, destination, train=options.train, **choice)
        print_notes([*reviews.warnings, *upload.notes])
    finally:
        reviews.close()
    pushed = None if options.dry_run else hub.push(upload, destination)
    print_notes([] if pushed is None else pushed.notes)
    print_answer(options, _Push(destination, upload, pushed), _push_as_json, _push_as_text)


class _Push(NamedTuple):
    """A push, or what one would be."""

    destination: hub.Destination
    upload: hub.Upload
    pushed: hub.Pushed | None

    @property
    def files(self) -> Mapping[str, bytes]:
        return self.upload.files() if self.pushed is None else self.pushed.files


def _push_as_json(made: _Push) -> dict[str, Any]:
    files = [{"path": path, "bytes": len(data), "sha256": _sha256(data)} for path, data in made.files.items()]
    done = made.pushed
    return {
        "repo": made.destination.repo,
        "branch": made.destination.branch,
        "message": made.destination.message or made.upload.message,
        "counts": made.upload.counts,
        "files": files,
        "card": made.files[hub.CARD].decode(),
        "dry_run": done is None,
        "changed": None if done is None else done.changed,
        "commit_url": None if done is None else done.commit_url,
        "pull_request_url": None if done is None else done.pull_request_url,
    }


def _push_as_text(made: _Push) -> str:
    to, done = f"{made.destination.repo}, {made.destination.in_words}", made.pushed
    listed = [f"{_sha256(data)}  {len(data):>13,} bytes  {path}" for path, data in made.files.items()]
    if done is None:
        message = f"message: {made.destination.message or made.upload.message}"
        card = "the card (of one that is there already, all else is kept):"
        return "\n".join([f"{to}: would be uploaded:", *listed, message, card, made.files[hub.CARD].decode().rstrip()])
    if not done.changed:
        return f"{to}: has all of it already: no commit"
    return "\n".join([f"{to}: uploaded: {_counts(made.upload.counts)}", *listed, done.pull_request_url or done.commit_url])


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {action}" for action, count in counts.items())


def _balance(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Class counts before and after, as a table."""
    rows = [("label", "before", "after", "change")]
    rows += [(label, f"{n:,}", f"{after[label]:,}", f"{after[label] - n:+,}") for label, n in before.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(f"{row[0]:<{widths[0]}}" + "".join(f"  {row[c]:>{widths[c]}}" for c in (1, 2, 3)) for row in rows)
