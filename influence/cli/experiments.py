"""The commands that put scores and changes to the test: evaluate, retrain and fixing by retraining, overlaps without it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from influence import experiments, workspace
from influence.attribution import METHOD_NAMES
from influence.cli.options import (
    add_device,
    add_engine,
    add_json,
    chosen_engine,
    command,
    names,
    numbers,
    path,
    print_answer,
    print_notes,
    records,
)
from influence.cli.progress import ProgressLine
from influence.experiments import EvaluationSettings, FixingSettings, OverlapSettings

if TYPE_CHECKING:
    import pandas as pd

EVERY = 1.0  # seconds between lines of progress where there is no terminal


def add(commands: Any) -> None:
    """Register the commands."""
    _add_evaluate(commands)
    _add_retrain(commands)
    _add_fixing(commands)
    _add_overlaps(commands)


def _add_evaluate(commands: Any) -> None:
    usual = EvaluationSettings()
    about = "deletion curves: remove the examples a method names, retrain, compare"
    parser = command(commands, "evaluate", _evaluate, about)
    about = f"methods, with commas between, of {', '.join(METHOD_NAMES)}; both random ones are always added"
    parser.add_argument("--methods", default=",".join(usual.methods), metavar="M,…", help=about)
    about = "how many examples to remove, with commas between (default 10,20,50,100)"
    parser.add_argument("--k", default=",".join(map(str, usual.ks)), metavar="K,…", help=about)
    about = f"test examples, spread evenly over the classes (default {usual.test_points})"
    parser.add_argument("--test-points", type=int, default=usual.test_points, metavar="N", help=about)
    about = f"retrainings of every removal, each with another seed (default {usual.retrains})"
    parser.add_argument("--retrains", type=int, default=usual.retrains, metavar="R", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of test examples (default 0)")
    about = "remove only among the tenth (5,000 at most) of the training examples with the least word overlap"
    parser.add_argument("--no-overlap", action="store_true", help=about)
    parser.add_argument("--freeze-embedding", action="store_true", help="retrain with the word embedding left as it began")
    parser.add_argument("--with-bias", action="store_true", help="count biases in the methods on a layer")
    about = "QLD: also remove the strongest 1 %% of the training data, for the rise of the loss beyond random (default: yes)"
    parser.add_argument("--qld", action=argparse.BooleanOptionalAction, default=True, help=about)
    add_device(parser)
    add_engine(parser)
    add_json(parser)


def _add_retrain(commands: Any) -> None:
    about = "what a change to the training data would do, by retraining without and with it"
    parser = command(commands, "retrain", _retrain, about)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--fixes", type=path, metavar="FILE", help="a fix list, as `export` writes it")
    which.add_argument("--decided", action="store_true", help="the decisions so far, as `apply` would make them")
    about = (
        "cluster:NUMBER:remove, cluster:NUMBER:relabel, opponents:TEST_ID:K (removes them), words:TEST_ID:K (masks the most "
        "negative word of each), top:TEST_ID:METHOD (removes the method's strongest 1 %% and, for QLD, as many random ones), or "
        "rule:JSON"
    )
    which.add_argument("--change", metavar="SPEC", help=about)
    about = "a test sentence to look at; may be given more than once"
    parser.add_argument("--test-id", action="append", default=[], metavar="ID", help=about)
    about = "retrainings without, and as many with it (default %(default)s; fewer than 3 cannot tell an effect from luck)"
    parser.add_argument("--seeds", type=int, default=experiments.DEFAULT_SEEDS, metavar="N", help=about)
    add_device(parser)
    add_engine(parser)
    add_json(parser)


def _add_fixing(commands: Any) -> None:
    usual = FixingSettings()
    about = "how often removing or masking what a method blames mends a mistake (appendix L)"
    parser = command(commands, "fixing", _fixing, about)
    about = "methods, with commas between; random is always added"
    parser.add_argument("--methods", default=",".join(usual.methods), metavar="M,…", help=f"{about} (default %(default)s)")
    about = "how many opponents, with commas between (default %(default)s)"
    parser.add_argument("--k", default=",".join(map(str, usual.ks)), metavar="K,…", help=about)
    about = "mistakes to mend: misclassified, with a probability of 0.3 to 0.7 for the true label (default %(default)s)"
    parser.add_argument("--test-points", type=int, default=usual.test_points, metavar="N", help=about)
    about = "retrainings of each, with other seeds (default %(default)s)"
    parser.add_argument("--retrains", type=int, default=usual.retrains, metavar="R", help=about)
    about = "remove the opponents, mask the most negative word of each, or both (default %(default)s)"
    parser.add_argument("--ways", default=",".join(usual.ways), metavar="WAY,…", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of mistakes (default 0)")
    add_device(parser)
    add_engine(parser)
    add_json(parser)


def _add_overlaps(commands: Any) -> None:
    usual = OverlapSettings()
    about = "whether a method's ranking follows the loss or the likeness of the examples (appendix G); trains nothing"
    parser = command(commands, "overlaps", _overlaps, about)
    about = "methods, with commas between; random is always added"
    parser.add_argument("--methods", default=",".join(usual.methods[:-1]), metavar="M,…", help=f"{about} (default %(default)s)")
    about = "how many proponents each list has (default %(default)s)"
    parser.add_argument("--top", type=int, default=usual.top, metavar="N", help=about)
    about = "how near the top of other test examples' lists a proponent counts as repeated (default %(default)s)"
    parser.add_argument("--near", type=int, default=usual.near, metavar="N", help=about)
    about = "test examples, drawn at random; all where there are fewer (default %(default)s)"
    parser.add_argument("--test-points", type=int, default=usual.test_points, metavar="N", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draw of test examples (default 0)")
    add_json(parser)


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that evaluation and fixing share."""
    chosen = {name: getattr(options, name) for name in ("test_points", "retrains", "seed")}
    return {"methods": names(options.methods), "ks": numbers(options.k), **chosen}


def _evaluate(options: argparse.Namespace) -> None:
    switches = {name: getattr(options, name) for name in ("no_overlap", "freeze_embedding", "with_bias", "qld")}
    settings = EvaluationSettings(**_chosen(options), **switches)
    with chosen_engine(options) as engine, ProgressLine(sys.stderr) as progress:
        opened = workspace.read_workspace(options.workspace)
        print_notes(experiments.remarks(opened, settings))
        found = experiments.evaluate(opened, settings, device=options.device, engine=engine, progress=progress)
    print_answer(options, found, _areas_as_json, _areas_as_text)


def _areas_as_json(found: experiments.Evaluation) -> dict[str, Any]:
    names = ("areas", "curves", "points", "seeds", "qld", "removals")
    return {"settings": found.settings, **{name: records(getattr(found, name)) for name in names}}


def _areas_as_text(found: experiments.Evaluation) -> str:
    settings = found.settings
    ks = ", ".join(map(str, settings["ks"]))
    lines = [f"{settings['test_points']} test examples, retrainings of each removal: {settings['retrains']}, k = {ks}"]
    if min(settings["test_points"], settings["retrains"]) < experiments.FEWEST:
        lines.append(f"without intervals: they take at least {experiments.FEWEST} test examples and as many retrainings")
    for measure, unit in (("probability", "probability of the true label"), ("margin", "logit margin in nats")):
        lines.append(f"\nAUC-DEL, {unit}: mean [95 % interval over test examples and seeds] sd over retrainings")
        lines.append(f"  {'method':<20}{'proponents removed (DEL+)':>42}{'opponents removed (DEL-)':>42}")
        here = found.areas[found.areas["measure"] == measure]
        for method in settings["methods"]:
            lines.append(f"  {method:<20}" + "".join(_cell(here, method, direction) for direction in "+-"))
    return "\n".join([*lines, *_qld_as_text(found), *_removals_as_text(found)])


def _cell(areas: pd.DataFrame, method: str, direction: str) -> str:
    row = areas[(areas["method"] == method) & (areas["direction"] == direction)].iloc[0]
    return f"{row['mean']:+.4f} {_ends(row, '+.4f')}{_spread(row)}".rjust(42)


def _ends(row: Any, form: str) -> str:
    """An interval; a dash where there is none."""
    return "[–]" if row["low"] != row["low"] else f"[{row['low']:{form}}, {row['high']:{form}}]"


def _spread(row: Any) -> str:
    return "" if row["retraining_sd"] != row["retraining_sd"] else f" ±{row['retraining_sd']:.4f}"  # one retraining has none


def _qld_as_text(found: experiments.Evaluation) -> Iterator[str]:
    for number, row in enumerate(found.qld.to_dict("records")):
        if number == 0:
            yield f"\nQLD: rise of the loss, in nats, without the {row['k']} strongest (1 %), less that without random ones"
        rise = f"rise {row['rise']:+.4f}"
        yield f"  {row['method']:<20}{row['mean']:+.4f} {_ends(row, '+.4f')}{_spread(row)}   {rise}"


def _removals_as_text(found: experiments.Evaluation) -> Iterator[str]:
    table = found.removals
    ks = sorted(set(table["k"]))
    yield "\nexamples really removed at each k, mean over test examples, and how many have a score on that side at all"
    yield f"  {'method':<20}{'':<13}" + "".join(f"{k:>9}" for k in ks) + f"{'in all':>11}"
    for (method, direction), rows in table.groupby(["method", "direction"], sort=False):
        removed = dict(zip(rows["k"], rows["removed"], strict=True))
        cells = "".join(f"{removed[k]:>9.1f}" if k in removed else f"{'–':>9}" for k in ks)
        side = "proponents" if direction == "+" else "opponents"
        yield f"  {method:<20}{side:<13}{cells}{rows['available'].iloc[0]:>11,.1f}"


def _retrain(options: argparse.Namespace) -> None:
    opened = workspace.read_workspace(options.workspace)
    if options.fixes is not None:
        proposal = experiments.of_fixes(opened, options.fixes)
    else:
        proposal = experiments.propose(opened, experiments.DECIDED if options.decided else options.change)
    print_notes(proposal.notes)
    with (
        chosen_engine(options) as engine,
        ProgressLine(sys.stderr, every=EVERY) as progress,
    ):
        found = experiments.try_out(
            opened,
            proposal,
            test_ids=options.test_id,
            seeds=options.seeds,
            device=options.device,
            engine=engine,
            progress=progress,
        )
    print_answer(options, found, experiments.as_json, experiments.as_text)


def _fixing(options: argparse.Namespace) -> None:
    settings = FixingSettings(**_chosen(options), ways=names(options.ways))
    with (
        chosen_engine(options) as engine,
        ProgressLine(sys.stderr, every=EVERY) as progress,
    ):
        opened = workspace.read_workspace(options.workspace)
        found = experiments.fix_mistakes(opened, settings, device=options.device, engine=engine, progress=progress)
    print_answer(options, found, _curves_as_json, _curves_as_text)


def _curves_as_json(found: experiments.Fixing) -> dict[str, Any]:
    curves = experiments.fixing_curves(found.runs)
    return {"settings": found.settings, "curves": records(curves), "runs": records(found.runs)}


def _curves_as_text(found: experiments.Fixing) -> str:
    settings, curves = found.settings, experiments.fixing_curves(found.runs)
    lines = [f"{settings['test_points']} mistakes, {settings['retrains']} retrainings: share mended [95 % interval], accuracy"]
    for row in curves.sort_values("k", kind="stable").to_dict("records"):
        what = f"{row['method']} {row['way']}".strip()
        share = f"{row['fixed']:.0%} {_ends(row, '.0%')}"
        changed = f"{row['changed']:.1f} changed" if row["k"] else ""
        lines.append(f"  k = {row['k']:<5} {what:<32} {share:<20} {100 * row['accuracy']:+.2f} points  {changed}".rstrip())
    return "\n".join(lines)


def _overlaps(options: argparse.Namespace) -> None:
    chosen = {name: getattr(options, name) for name in ("top", "near", "test_points", "seed")}
    settings = OverlapSettings(methods=names(options.methods), **chosen)
    with ProgressLine(sys.stderr) as progress:
        found = experiments.measure_overlaps(workspace.read_workspace(options.workspace), settings, progress=progress)
    print_answer(options, found, _overlaps_as_json, _overlaps_as_text)


def _overlaps_as_json(found: experiments.Overlaps) -> dict[str, Any]:
    frames = {"overlaps": experiments.overlap_table(found.points), "repeats": found.repeats, "points": found.points}
    return {"settings": found.settings, **{name: records(frame) for name, frame in frames.items()}}


def _overlaps_as_text(found: experiments.Overlaps) -> str:
    settings, table = found.settings, experiments.overlap_table(found.points)
    tests, top, near = (settings[name] for name in ("test_points", "top", "near"))
    lines = [f"{tests} test examples: of the {top} strongest proponents, how many are among the first {top} by one factor alone"]
    lines.append(f"  {'method':<24}" + "".join(f"{against:>24}" for against in experiments.AGAINST))
    for method in settings["methods"]:
        rows = {row["against"]: row for row in table[table["method"] == method].to_dict("records")}
        cells = (_shared(rows[against]) if against in rows else "–" for against in experiments.AGAINST)
        lines.append(f"  {method:<24}" + "".join(f"{cell:>24}" for cell in cells))
    lines.append(f"\nthe {near} strongest of each test example: different proponents, and how often they come again")
    for row in records(found.repeats):
        again = "–" if row["repeated"] is None else f"{row['repeated']:.1f}"
        most = "" if row["most_id"] is None else f"; {row['most_id']} in {row['most']} of {tests}"
        places = f"{row['examples']} in {row['listed']} places"
        lines.append(f"  {row['method']:<24}{places:<24}the first proponent of one is near the top of {again}{most}")
    return "\n".join(lines)


def _shared(row: dict[Any, Any]) -> str:
    return f"{row['shared']:.1f} {_ends(row, '.1f')}"
