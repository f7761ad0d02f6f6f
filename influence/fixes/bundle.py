"""Everything a fix list comes to in one zip: the list in three forms, the corrected data, a report, how to apply it."""

import hashlib
import io
import json
import shlex
import tempfile
import zipfile
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from influence.annotation import rewritten, save_rewritten
from influence.data import Columns, label_key, read_examples
from influence.fixes.apply import PARQUET, Applied, content, plan
from influence.fixes.files import encode_fixes, in_markdown as _md
from influence.fixes.fixlist import FixList, fix_list
from influence.fixes.train_file import TrainFile, own_train_file, read_unchanged, workspace_copy
from influence.reading import FormOptions, NewCells, Table, whole_suffix, without_split
from influence.review import Reviews, iso
from influence.standing import FIXES, made_from

MOST_LISTED = 50  # conflicts and unmatched decisions spelt out in the report


def export_bundle(reviews: Reviews, *, policy: str = "majority", reviewers: Collection[str] | None = None) -> bytes:
    """The zip: fixes.csv, .jsonl and .parquet, the corrected training data, report.md and manifest.json."""
    found = fix_list(reviews, policy=policy, reviewers=reviewers)
    own = own_train_file(reviews.workspace, found.fixes)
    applied = plan(own or workspace_copy(reviews.workspace), found.fixes, source="the fix list")
    ending = ".csv" if own is None else _ending(own.table)
    files = {f"fixes{form}": encode_fixes(found.fixes, form) for form in (".csv", ".jsonl", ".parquet")}
    if own is None:
        files["corrected.csv"] = content(applied, ".csv")
    else:
        files |= _in_its_form(own.table, applied.changes, f"corrected{ending}")
    formulas = applied.formulas(ending)
    if formulas and not applied.train.table.broken:
        files["corrected.parquet"] = content(applied, PARQUET)
    files |= _first_file(reviews, applied)
    if reviews.corpus.applied.fixes:
        files["fixed-before.jsonl"] = (reviews.workspace.path / FIXES).read_bytes()
    command = None if own is None else _command(reviews, own)
    files["report.md"] = report(reviews, found, command, formulas).encode()
    files["manifest.json"] = json.dumps(_manifest(reviews, found, command, files), indent=1, ensure_ascii=False).encode()
    opened = io.BytesIO()
    with zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return opened.getvalue()


def report(reviews: Reviews, found: FixList, command: str | None, notes: Collection[str] = ()) -> str:
    """The fix list in words, as Markdown; names and texts from the data are escaped."""
    info = reviews.workspace.info
    counts = ", ".join(f"{count:,} to {action}" for action, count in found.counts.items())
    lines = ["# Fix list", "", f"{_md(info.train_source)}: {found.changes:,} changes to {info.n_train:,} examples: {counts}."]
    lines += ["", f"Disagreements were settled by policy {found.policy}; model {_md(info.model)}, build {found.build}."]
    lines += ["", "| label | before | after | change |", "|---|---:|---:|---:|"]
    for label, before in found.before.items():
        after = found.after.get(label, 0)
        lines.append(f"| {_md(label)} | {before:,} | {after:,} | {after - before:+,} |")
    by_reviewer: dict[str, int] = {}
    for fix in found.fixes:
        by_reviewer[fix.reviewer] = by_reviewer.get(fix.reviewer, 0) + 1
    lines += _section("By reviewer", [f"{_md(name)}: {count:,}" for name, count in sorted(by_reviewer.items())])
    rules = [f"{_md(str(r))} ({len(r.action.example_ids):,} examples, {_md(r.action.reviewer)})" for r in found.rules]
    lines += _section("Rules", rules)
    lines += _section("Disagreements", [_conflict(resolution) for resolution in found.conflicts])
    unmatched = [f"{_md(u.decision.example_id)} ({_md(u.decision.reviewer)}): {_md(u.why)}" for u in found.unmatched]
    lines += _section("Decisions that do not fit this data, left out", unmatched)
    lines += _section("Flagged since they were decided", [_md(example_id) for example_id in found.flagged])
    lines += _section("The corrected data", [_md(note) for note in notes])
    if command is not None:
        lines += ["", "## To apply", "", "```", command, "```"]
    return "\n".join(lines) + "\n"


def _section(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    more = [f"- and {len(items) - MOST_LISTED:,} more"] if len(items) > MOST_LISTED else []
    return ["", f"## {title}", "", *(f"- {item}" for item in items[:MOST_LISTED]), *more]


def _conflict(resolution: Any) -> str:
    sides = "; ".join(f"{_md(d.reviewer)}: {_md(d.verdict)}" for d in resolution.decisions)
    settled = "left out" if resolution.decision is None else f"{resolution.how}: {_md(resolution.decision.verdict)}"
    return f"{_md(resolution.example_id)}: {sides} ({settled})"


def _ending(table: Table) -> str:
    """Of a file that the table may be written as again; "" for a data set, which is a folder."""
    return "" if table.form.kind == "data set" else whole_suffix(Path(table.source))


def _in_its_form(table: Table, cells: NewCells, name: str) -> dict[str, bytes]:
    """Training data with new cells in the form it came in: one file of that name, or the files of such a folder."""
    if table.form.kind != "data set":
        return {name: rewritten(table, cells)}
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside) / name
        save_rewritten(table, cells, folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(aside).as_posix(): path.read_bytes() for path in files}


def _first_file(reviews: Reviews, applied: Applied) -> dict[str, bytes]:
    """Of a workspace that was built again: what the first one was built from, with every fix of all rounds made in it.

    Nothing where there is no such file, or another one lies there now.
    """
    origin = made_from(reviews.workspace)
    if not origin:
        return {}
    table = read_unchanged(origin["source"], origin["source_sha256"], FormOptions(**origin["form"]))
    if table is None:
        return {}
    data = read_examples(table, Columns(**origin["columns"]))
    rows = {data.ids[row]: row for row in data.usable}
    values = table.columns[data.columns.label]
    as_written = {data.labels[row]: values[row] for row in data.usable}
    spelt = {label_key(label): label for label in as_written} | {label: label for label in as_written}
    ours, places = applied.train.data, applied.train.places
    cells: dict[int, Mapping[str, Any] | None] = {}
    touched = {*reviews.corpus.applied.until, *(ours.ids[row] for row in applied.changes)}
    for id in touched & rows.keys():
        row, place = rows[id], places.get(id)
        change = None if place is None else applied.changes.get(place, {})
        if place is None or change is None:
            cells[row] = None
            continue
        label = str(change.get("label", ours.labels[place]))
        now = {data.columns.text: change.get("text", ours.texts[place])}
        if data.columns.text_pair is not None and ours.pairs is not None:
            now[data.columns.text_pair] = change.get("text_pair", ours.pairs[place])
        new = {name: text for name, text in now.items() if text != table.columns[name][row]}
        if label_key(label) != label_key(data.labels[row]):
            new[data.columns.label] = as_written[spelt.get(label, spelt.get(label_key(label), label))]
        cells[row] = new
    return _in_its_form(table, cells, f"corrected-{Path(without_split(table.source)[0]).name}")


def _command(reviews: Reviews, train: TrainFile) -> str:
    form = reviews.workspace.info.settings.get("form") or {}
    said = [part for name, value in form.items() if value is not None for part in (f"--{name}", value)]
    parts = ["python", "-m", "influence", "apply", "--fixes", "fixes.jsonl", "--train", train.table.source]
    return shlex.join([*parts, "--output", f"corrected{_ending(train.table)}", *train.options, *said])


def _manifest(reviews: Reviews, found: FixList, command: str | None, files: Mapping[str, bytes]) -> dict[str, Any]:
    from influence import __version__

    info = reviews.workspace.info
    return {
        "wordtrace": __version__,
        "exported_at": iso(datetime.now(UTC)),
        "build": found.build,
        "train_source": info.train_source,
        "train_sha256": info.train_sha256,
        "columns": info.settings["columns"],
        "policy": found.policy,
        "counts": found.counts,
        "command": command,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
