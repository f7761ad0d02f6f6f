"""Everything a fix list comes to in one zip: the list in three forms, the corrected data, a report, how to apply it."""

import hashlib
import io
import json
import shlex
import zipfile
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from influence.annotation import read_table, rewritten
from influence.data import Columns, label_key, read_examples
from influence.fixes.apply import PARQUET, Applied, content, plan
from influence.fixes.files import encode_fixes, in_markdown as _md
from influence.fixes.fixlist import Fix, FixList, fix_list
from influence.fixes.train_file import GivenColumns, open_train_file, workspace_copy
from influence.reading import FormOptions, data_suffix, whole_suffix
from influence.review import Reviews, iso
from influence.standing import FIXES, made_from

MOST_LISTED = 50  # conflicts and unmatched decisions spelt out in the report


def export_bundle(reviews: Reviews, *, policy: str = "majority", reviewers: Collection[str] | None = None) -> bytes:
    """The zip: fixes.csv, .jsonl and .parquet, the corrected training data, report.md and manifest.json."""
    found = fix_list(reviews, policy=policy, reviewers=reviewers)
    applied, own_file = _applied(reviews, found.fixes)
    source = Path(applied.train.table.source)
    ending = whole_suffix(source) if own_file else ".csv"
    files = {f"fixes{form}": encode_fixes(found.fixes, form) for form in (".csv", ".jsonl", ".parquet")}
    files[f"corrected{ending}"] = content(applied, data_suffix(source) if own_file else ending)
    formulas = applied.formulas(ending)
    if formulas and not applied.train.table.broken:
        files["corrected.parquet"] = content(applied, PARQUET)
    first = _first_file(reviews, applied)
    files |= {} if first is None else {f"corrected-{first[0]}": first[1]}
    if reviews.corpus.applied.fixes:
        files["fixed-before.jsonl"] = (reviews.workspace.path / FIXES).read_bytes()
    command = _command(reviews, applied) if own_file else None
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


def _applied(reviews: Reviews, fixes: list[Fix]) -> tuple[Applied, bool]:
    """The fixes made in the training file that was built from, or if that has changed in the workspace's copy of it."""
    info = reviews.workspace.info
    source = Path(info.train_source)
    own_file = source.is_file() and _sha256(source) == info.train_sha256
    given = GivenColumns(**info.settings["columns"])
    form = FormOptions(**(info.settings.get("form") or {}))
    train = open_train_file(str(source), fixes, given, form) if own_file else workspace_copy(reviews.workspace)
    return plan(train, fixes, source="the fix list"), own_file


def _first_file(reviews: Reviews, applied: Applied) -> tuple[str, bytes] | None:
    """Of a workspace that was built again: the file that the first one was built from, with every fix of all rounds made in it.

    Its name and its content; None where there is no such file, or another one lies there now.
    """
    origin = made_from(reviews.workspace)
    source = Path(str(origin.get("source", "")))
    if not origin or not source.is_file() or _sha256(source) != origin["source_sha256"]:
        return None
    table = read_table(str(source), split="train", options=FormOptions(**origin["form"]))
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
    return source.name, rewritten(table, cells)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _command(reviews: Reviews, applied: Applied) -> str:
    source = Path(reviews.workspace.info.train_source)
    form = reviews.workspace.info.settings.get("form") or {}
    said = [part for name, value in form.items() if value is not None for part in (f"--{name}", value)]
    parts = ["python", "-m", "influence", "apply", "--fixes", "fixes.jsonl", "--train", str(source)]
    return shlex.join([*parts, "--output", f"corrected{whole_suffix(source)}", *applied.train.options, *said])


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
