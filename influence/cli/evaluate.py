"""The command that puts the scores to the test: evaluate."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from influence import experiments, workspace
from influence.attribution import METHOD_NAMES
from influence.cli.options import add_device, add_json, command, names, numbers, print_answer
from influence.cli.progress import ProgressLine
from influence.experiments import EvaluationSettings

if TYPE_CHECKING:
    import pandas as pd

USUAL = EvaluationSettings()


def add(commands: Any) -> None:
    """Register the command."""
    about = "deletion curves: remove the examples a method names, retrain, compare"
    parser = command(commands, "evaluate", _evaluate, about)
    about = f"methods, with commas between, of {', '.join(METHOD_NAMES)}; both random ones are always added"
    parser.add_argument("--methods", default=",".join(USUAL.methods), metavar="M,…", help=about)
    about = "how many examples to remove, with commas between (default 10,20,50,100)"
    parser.add_argument("--k", default=",".join(map(str, USUAL.ks)), metavar="K,…", help=about)
    about = f"test examples, spread evenly over the classes (default {USUAL.test_points})"
    parser.add_argument("--test-points", type=int, default=USUAL.test_points, metavar="N", help=about)
    about = f"retrainings of every removal, each with another seed (default {USUAL.retrains})"
    parser.add_argument("--retrains", type=int, default=USUAL.retrains, metavar="R", help=about)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of test examples (default 0)")
    about = "remove only among the tenth (5,000 at most) of the training examples with the least word overlap"
    parser.add_argument("--no-overlap", action="store_true", help=about)
    parser.add_argument("--freeze-embedding", action="store_true", help="retrain with the word embedding left as it began")
    parser.add_argument("--with-bias", action="store_true", help="count biases in the methods on a layer")
    add_device(parser)
    add_json(parser)


def _evaluate(options: argparse.Namespace) -> None:
    settings = EvaluationSettings(
        methods=names(options.methods),
        ks=numbers(options.k),
        test_points=options.test_points,
        retrains=options.retrains,
        seed=options.seed,
        no_overlap=options.no_overlap,
        freeze_embedding=options.freeze_embedding,
        with_bias=options.with_bias,
    )
    with ProgressLine(sys.stderr) as progress:
        opened = workspace.read_workspace(options.workspace)
        found = experiments.evaluate(opened, settings, device=options.device, progress=progress)
    print_answer(options, found, _as_json, _as_text)


def _as_json(found: experiments.Evaluation) -> dict[str, Any]:
    frames = {"areas": found.areas, "curves": found.curves, "points": found.points}
    return {"settings": found.settings, **{name: frame.to_dict("records") for name, frame in frames.items()}}


def _as_text(found: experiments.Evaluation) -> str:
    settings = found.settings
    ks = ", ".join(map(str, settings["ks"]))
    lines = [f"{settings['test_points']} test examples, retrainings of each removal: {settings['retrains']}, k = {ks}"]
    for measure, unit in (("probability", "probability of the true label"), ("margin", "logit margin in nats")):
        lines.append(f"\nAUC-DEL, {unit}: mean [95 % interval over test examples]")
        lines.append(f"  {'method':<20}{'proponents removed (DEL+)':>34}{'opponents removed (DEL-)':>34}")
        here = found.areas[found.areas["measure"] == measure]
        for method in settings["methods"]:
            lines.append(f"  {method:<20}" + "".join(_cell(here, method, direction) for direction in "+-"))
    return "\n".join(lines)


def _cell(areas: pd.DataFrame, method: str, direction: str) -> str:
    row = areas[(areas["method"] == method) & (areas["direction"] == direction)].iloc[0]
    return f"{row['mean']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]".rjust(34)
