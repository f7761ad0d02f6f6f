"""The command that looks at data before anything is built, and at the files of what was: check."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from influence import clusters, data, fixes, gate, sources, suspects, workspace
from influence.checkpoints import MOST_CHECKPOINTS
from influence.cli.options import DATA, add_device, add_form, add_json, chosen_model, command, form_options, path
from influence.cli.progress import ProgressLine, after_notes, duration
from influence.data import DEFAULT_SHARE, Preparation
from influence.errors import EncodingUnsure, LimitsBroken, SettingsError, WorkspaceDamaged
from influence.models import usual_model

if TYPE_CHECKING:
    from influence.reading import Table
    from influence.types import Progress

    _Data = Table | sources.Stream

HEAD_ROWS = 8
MANY_LABELS = 20


def add(commands: Any) -> None:
    """Register the command."""
    about = "report on a data file before anything is built from it, or on the files of a workspace"
    parser = command(commands, "check", _check, about, workspace=False)
    files = parser.add_argument_group(DATA)
    files.add_argument("--train", metavar="FILE")
    about = "instead: read every file of a workspace and compare it with its hashes; exit code 2 where one is damaged"
    files.add_argument("--workspace", type=path, metavar="DIR", help=f"{about} (with --fail-on: what its limits measure)")
    files.add_argument("--test", metavar="FILE")
    for role in ("text", "text-pair", "label", "id"):
        files.add_argument(f"--{role}", metavar="COL", help="default: guessed")
    add_form(files)
    model = parser.add_argument_group("an estimate of a build's time, memory and disk, measured on a sample")
    model.add_argument("--estimate", action="store_true", help="measure: half a minute or so")
    model.add_argument("--model", metavar="ID_OR_FOLDER|cnn", help="default: as `build` would choose")
    model.add_argument("--num-hidden-layers", type=int, metavar="N")
    model.add_argument("--epochs", type=int, metavar="N")
    model.add_argument("--max-checkpoints", type=int, default=MOST_CHECKPOINTS, metavar="N")
    model.add_argument("--batch-size", type=int, metavar="N")
    model.add_argument("--max-length", type=int, default=128, metavar="N")
    model.add_argument("--test-share", type=float, default=DEFAULT_SHARE, metavar="X")
    add_device(model)
    model.add_argument("--only-estimate", action="store_true", help="leave the report out")
    _add_gate(parser)
    add_json(parser)
    about = "write the JSON there instead: first rows and columns as soon as they are known, then everything"
    parser.add_argument("--output", type=path, metavar="FILE", help=about)


def _add_gate(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits, for CI: instead of the report a line a limit; exit code 1 where one is broken")
    kinds = "; ".join(f"{name}: {kind.about}" for name, kind in gate.KINDS.items())
    about = f"the name alone for none at all, =N or =P%% for so many; with commas, or several times. {kinds}"
    group.add_argument("--fail-on", action="append", metavar="NAME[=N|=P%],…", help=about)
    group.add_argument("--max", metavar="N|P%", help="of what is named without an amount (default: none)")
    about = f"from 0 to 1, above which a label counts among `suspects` (default {gate.DEFAULT_SUSPICION})"
    group.add_argument("--suspicion", type=float, metavar="X", help=about)
    about = "a fix list, whose decisions about --train are made: their rows no longer count among `suspects`"
    group.add_argument("--fixes", type=path, metavar="FILE", help=about)
    group.add_argument("--baseline", type=path, metavar="DIR", help="a workspace that `accuracy-drop` holds --workspace against")
    group.add_argument("--junit", type=path, metavar="FILE.xml", help="write a JUnit report, too: a test case a limit")


def _gate(options: argparse.Namespace) -> None:
    """Measure what is limited and tell. Raises `LimitsBroken` for exit code 1."""
    limits = gate.read_limits(options.fail_on, options.max)
    suspicion = gate.DEFAULT_SUSPICION if options.suspicion is None else options.suspicion
    gate.check_suspicion(suspicion)
    names = {name: getattr(options, name) for name in ("train", "test", "workspace", "baseline")}
    about = {name: value for name, value in names.items() if value is not None}
    gate.check_given(limits, {f"--{name}" for name in about})
    started, clock = datetime.now(UTC), time.monotonic()
    train = None if options.train is None else _read(options, options.train, "train")
    test = None if train is None or options.test is None else _read(options, options.test, "test")
    columns = None if train is None else _columns(options, data.guess_columns(_head(train)))
    made = [] if options.fixes is None else fixes.read_fixes(options.fixes)
    subject = gate.Subject(
        train=train, test=test, columns=columns, workspace=options.workspace, baseline=options.baseline, fixes=made
    )
    with ProgressLine(sys.stderr) as progress:
        verdicts = gate.check_limits(limits, subject, suspicion=suspicion, progress=progress)
    if options.junit is not None:
        _save(options.junit, gate.as_junit(verdicts, about, started, time.monotonic() - clock), "--junit")
    answer = {**names, **gate.as_json(verdicts)}
    _write(options.output, answer)
    if options.output is None:
        print(json.dumps(answer, ensure_ascii=False) if options.json else "\n".join(gate.as_lines(verdicts)))
    if answer["broken"]:
        raise LimitsBroken(gate.summary(verdicts))


def _check_modes(options: argparse.Namespace) -> None:
    """Raise `SettingsError` for options that do not go together."""
    if options.train is None and options.workspace is None:
        raise SettingsError("give --train FILE or --workspace DIR")
    if options.train is None and options.test is not None:
        raise SettingsError("--test: only with --train FILE")
    if options.fail_on is None:
        if options.train is not None and options.workspace is not None:
            raise SettingsError("--workspace and --train: one of the two, or --fail-on with what is allowed of both")
        only = {"max": "", "suspicion": "", "junit": "", "baseline": " accuracy-drop", "fixes": " suspects"}
        for name, limit in only.items():
            if getattr(options, name) is not None:
                raise SettingsError(f"--{name}: only with --fail-on{limit}")
    elif options.estimate or options.only_estimate:
        raise SettingsError("--fail-on and --estimate: one at a time")
    elif options.fixes is not None and options.workspace is not None:
        raise SettingsError("--fixes and --workspace: a workspace has decisions of its own; give one of the two")


def _check(options: argparse.Namespace) -> None:
    _check_modes(options)
    if options.fail_on is not None:
        _gate(options)
        return
    if options.workspace is not None:
        _check_workspace(options)
        return
    train = _read(options, options.train, "train")
    test = None if options.test is None else _read(options, options.test, "test")
    head = _head(train)
    guess = data.guess_columns(head)
    answer: dict[str, Any] = {
        "source": train.source,
        "test_source": None if test is None else test.source,
        "form": head.form.in_words,
        "test_form": None if test is None else _head(test).form.in_words,
        "column_names": list(head.columns),
        "guess": asdict(guess),
        "guessed_from": min(data.GUESSED_FROM, len(head)),
        "head": data.head(head, HEAD_ROWS),
        "columns": None,
        "report": None,
        "usual_model": None,
        "estimate": None,
    }
    _write(options.output, answer)
    columns = _columns(options, guess)
    answer["columns"] = asdict(columns)
    if not options.only_estimate:
        report = data.data_report(train, test, columns)
        answer |= {"report": data.as_json(report), "findings": [asdict(finding) for finding in data.findings(report)]}
        found = data.read_examples(train, columns)
        answer["usual_model"] = usual_model(data.picked(found.texts, found.usable))._asdict()
        _write(options.output, answer)
    if options.estimate or options.only_estimate:
        answer["estimate"] = _estimate(options, train, test, columns)
        _write(options.output, answer)
    if options.output is None:
        print(json.dumps(answer, ensure_ascii=False) if options.json else "\n".join(_as_text(answer)))


def _check_workspace(options: argparse.Namespace) -> None:
    with ProgressLine(sys.stderr) as progress:
        found = workspace.verify_workspace(options.workspace, progress=progress)
    told = {**asdict(found), "workspace": options.workspace}
    _write(options.output, told)
    if options.output is None:
        print(json.dumps(told, ensure_ascii=False) if options.json else "\n".join(_verified_as_text(options.workspace, found)))
    if found.damaged:
        raise WorkspaceDamaged(f"workspace {options.workspace!r} is damaged: {found.line}")


def _verified_as_text(name: str, found: workspace.Verified) -> Iterator[str]:
    yield f"{name}: {found.files:,} files, {found.bytes / 1e6:,.1f} MB read in {duration(found.seconds)}"
    if not found.sealed:
        yield "  built before files had hashes: only what came later could be checked; a new build has them"
    yield from (f"  {one.file} {one.what}" for one in found.damaged)
    yield from (f"  not a file of the build: {one}" for one in found.extra)
    if not found.damaged:
        yield "  every file is what was written" if found.sealed else "  no damage found"


def _read(options: argparse.Namespace, name: str, split: str) -> _Data:
    """Read a file. Where a person has to say its encoding, what it may be goes to --output before it is refused."""
    try:
        found = sources.open_table(name, split=split, options=form_options(options))
        _head(found)  # what is read only as it is needed says here what is wrong with it
        return found
    except EncodingUnsure as error:
        _write(options.output, {"source": name, "encodings": error.offered, "report": None, "estimate": None})
        raise


def _head(table: _Data) -> Table:
    """The first rows of what is large, all of what is not."""
    return table.head if isinstance(table, sources.Stream) else table


def _columns(options: argparse.Namespace, guess: data.Guess) -> data.Columns:
    if options.text is None and options.label is None:
        found = guess.columns()
        return data.Columns(
            text=found.text, text_pair=options.text_pair or found.text_pair, label=found.label, id=options.id or found.id
        )
    # Whoever names a text means that one alone.
    text, label = options.text or guess.text, options.label or guess.label
    if label is None:
        guess.refuse_several()
    if text is None or label is None:
        raise SettingsError(f"no column looks like the {'text' if text is None else 'label'}; name both --text and --label")
    return data.Columns(text=text, text_pair=options.text_pair, label=label, id=options.id)


def _estimate(options: argparse.Namespace, train: _Data, test: _Data | None, columns: data.Columns) -> dict[str, Any]:
    # What a build would refuse is mended first, as the app offers to.
    settings = Preparation(drop_unusable=True, merge_labels=True, test_share=options.test_share)
    read = data.make_splits(train, test, columns, settings)
    model, layers, note = chosen_model(options, read.train.texts)
    request = workspace.BuildRequest(
        train=options.train,
        test=options.test,
        columns=columns,
        model=model,
        num_hidden_layers=layers,
        training=workspace.training_settings(model, epochs=options.epochs, batch_size=options.batch_size),
        max_length=options.max_length,
        max_checkpoints=options.max_checkpoints,
    )
    with ProgressLine(sys.stderr) as progress:
        return asdict(
            workspace.estimate_build(
                request,
                read.train,
                read.test,
                device=options.device,
                progress=after_notes([] if note is None else [note], progress),
                after=partial(_ranked, device=options.device),
            )
        )


def _ranked(path: Path, progress: Progress, *, device: str) -> None:
    """What `build` makes of a workspace once it is there."""
    suspects.write_suspects(path, device=device, progress=progress)
    clusters.write_clusters(path, progress=progress)


def _write(output: str | None, answer: dict[str, Any]) -> None:
    if output is not None:
        _save(output, json.dumps(answer, ensure_ascii=False).encode(errors="backslashreplace"), "--output")


def _save(file: str, content: bytes, option: str) -> None:
    from influence.files import write_output  # the command line's help needs none of it

    write_output(Path(file), content, name=f"{option} {file!r}")


def _as_text(answer: dict[str, Any]) -> Iterator[str]:
    why = answer["guess"]["reasons"]
    yield f"{answer['source']}: {answer['form']}"
    if answer["test_source"] is not None:
        yield f"{answer['test_source']}: {answer['test_form']}"
    for role, name in answer["columns"].items():
        if name is not None:
            guessed = answer["guess"][role] == name
            yield f"  {role.replace('_', ' ')}: {name!r}{f' (guessed: {why[role]})' if guessed else ''}"
    if (report := answer["report"]) is not None:
        yield from _report_as_text(report, answer["findings"])
    if (found := answer["estimate"]) is not None:
        yield (
            f"  a build: about {duration(found['expected'])} as busy as now, {duration(found['low'])} to "
            f"{duration(found['high'])}; up to {found['memory'] / 1e9:.1f} GB memory, "
            f"{found['disk'] / 1e6:,.0f} MB disk; {found['epochs']} epochs, texts of {found['tokens']['median']} tokens "
            f"(median), {found['truncated']:.1%} cut at {found['max_length']}; measured on {found['sample_rows']:,} rows"
        )


def _report_as_text(report: dict[str, Any], remarks: list[dict[str, str]]) -> Iterator[str]:
    tested = report["test_rows"] is not None
    yield f"  {report['rows']:,} rows" + (f", {report['test_rows']:,} in the test file" if tested else "")
    words = report["words"]
    yield f"  words a text: {words['least']:,} to {words['most']:,}, median {words['median']:,}, 95 % up to {words['p95']:,}"
    yield f"  {len(report['labels']):,} labels, the most frequent {report['imbalance']:,.1f} times the rarest"
    for label in report["labels"][:MANY_LABELS]:
        tests = f", {label['test']:,} test" if tested else ""
        yield f"    {label['train']:>9,}{tests}  {label['label']}"
    if len(report["labels"]) > MANY_LABELS:
        yield f"    … and {len(report['labels']) - MANY_LABELS:,} more"
    for one in remarks:
        yield f"  {one['level']}: {one['what']} {one['advice']}".rstrip()
