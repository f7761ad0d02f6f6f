"""The command that looks at data before anything is built: check."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from influence.columns import GUESSED_FROM, Guess, guess_columns, head
from influence.datareport import DataReport, as_json, data_report
from influence.dataset import Columns
from influence.errors import SettingsError
from influence.findings import findings
from influence.preparing import DEFAULT_SHARE, Preparation, prepare
from influence.progress import ProgressLine, duration
from influence.tables import Table, read_table

HEAD_ROWS = 8
MANY_LABELS = 20


def add(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("check", help="report on a data file before anything is built from it")
    data = parser.add_argument_group("data (CSV, TSV, JSONL, Parquet, a datasets folder or Hub id)")
    data.add_argument("--train", required=True, metavar="FILE")
    data.add_argument("--test", metavar="FILE")
    for role in ("text", "text-pair", "label", "id"):
        data.add_argument(f"--{role}", metavar="COL", help="default: guessed")
    model = parser.add_argument_group("an estimate of a build's time, memory and disk, measured on a sample")
    model.add_argument("--estimate", action="store_true", help="measure: half a minute or so")
    model.add_argument("--model", default="cnn", metavar="ID_OR_FOLDER|cnn")
    model.add_argument("--num-hidden-layers", type=int, metavar="N")
    model.add_argument("--epochs", type=int, metavar="N")
    model.add_argument("--batch-size", type=int, metavar="N")
    model.add_argument("--max-length", type=int, default=128, metavar="N")
    model.add_argument("--test-share", type=float, default=DEFAULT_SHARE, metavar="X")
    model.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--output", metavar="FILE", help="write the JSON there instead")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> None:
    train = read_table(options.train, split="train")
    test = None if options.test is None else read_table(options.test, split="test")
    guess = guess_columns(train)
    columns = _columns(options, guess)
    report = data_report(train, test, columns)
    answer: dict[str, Any] = {
        "source": train.source,
        "test_source": None if test is None else test.source,
        "column_names": list(train.columns),
        "columns": asdict(columns),
        "guess": asdict(guess),
        "guessed_from": min(GUESSED_FROM, len(train)),
        "head": head(train, HEAD_ROWS),
        "report": as_json(report),
        "findings": [asdict(finding) for finding in findings(report)],
        "estimate": _estimate(options, train, test, columns) if options.estimate else None,
    }
    if options.output is not None:
        _write(Path(options.output), answer)
    elif options.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        print(_as_text(answer, report))


def _columns(options: argparse.Namespace, guess: Guess) -> Columns:
    if options.text is None and options.label is None:
        found = guess.columns()
        return Columns(
            text=found.text, text_pair=options.text_pair or found.text_pair, label=found.label, id=options.id or found.id
        )
    # Whoever names a text means that one alone.
    text, label = options.text or guess.text, options.label or guess.label
    if text is None or label is None:
        raise SettingsError(f"no column looks like the {'text' if text is None else 'label'}; name both --text and --label")
    return Columns(text=text, text_pair=options.text_pair, label=label, id=options.id)


def _estimate(options: argparse.Namespace, train: Table, test: Table | None, columns: Columns) -> dict[str, Any]:
    from influence.dataset import from_table
    from influence.estimates import estimate_build
    from influence.request import BuildRequest, training_settings

    tables = {"train": train} if test is None else {"train": train, "test": test}
    # What a build would refuse is mended first, as the app offers to.
    settings = Preparation(drop_unusable=True, merge_labels=True, test_share=options.test_share)
    tables, columns = prepare(tables, columns, settings)
    request = BuildRequest(
        train=options.train,
        test=options.test or options.train,
        columns=columns,
        model=options.model,
        num_hidden_layers=options.num_hidden_layers,
        training=training_settings(options.model, epochs=options.epochs, batch_size=options.batch_size),
        max_length=options.max_length,
    )
    data = {split: from_table(table, columns) for split, table in tables.items()}
    with ProgressLine(sys.stderr) as progress:
        return asdict(estimate_build(request, data["train"], data["test"], device=options.device, progress=progress))


def _write(path: Path, answer: dict[str, Any]) -> None:
    from influence.files import write_whole

    try:
        write_whole(path, json.dumps(answer, ensure_ascii=False).encode())
    except OSError as error:
        raise SettingsError(f"--output {str(path)!r} cannot be written: {error.strerror or error}") from error


def _as_text(answer: dict[str, Any], report: DataReport) -> str:
    named = {role: name for role, name in answer["columns"].items() if name is not None}
    why = answer["guess"]["reasons"]
    lines = [f"{answer['source']}: {report.rows:,} rows"]
    if report.test_rows is not None:
        lines.append(f"{answer['test_source']}: {report.test_rows:,} rows")
    for role, name in named.items():
        guessed = answer["guess"][role] == name
        lines.append(f"  {role.replace('_', ' ')}: {name!r}{f' (guessed: {why[role]})' if guessed else ''}")
    words = report.words
    lines.append(f"  words a text: {words.least:,} to {words.most:,}, median {words.median:,}, 95 % up to {words.p95:,}")
    lines.append(f"  {len(report.labels):,} labels, the most frequent {report.imbalance:,.1f} times the rarest")
    for label in report.labels[:MANY_LABELS]:
        tests = "" if report.test_rows is None else f", {label.test:,} test"
        lines.append(f"    {label.train:>9,}{tests}  {label.label}")
    if len(report.labels) > MANY_LABELS:
        lines.append(f"    … and {len(report.labels) - MANY_LABELS:,} more")
    lines += [f"  {one['level']}: {one['what']} {one['advice']}".rstrip() for one in answer["findings"]]
    if (found := answer["estimate"]) is not None:
        lines.append(
            f"  a build: {duration(found['low'])} to {duration(found['high'])}, up to {found['memory'] / 1e9:.1f} GB memory, "
            f"{found['disk'] / 1e6:,.0f} MB disk; {found['epochs']} epochs, texts of {found['tokens']['median']} tokens "
            f"(median), {found['truncated']:.1%} cut at {found['max_length']}; measured on {found['sample_rows']:,} rows"
        )
    return "\n".join(lines)
