"""The command that puts the scores to the test: evaluate."""

import argparse
import json
import sys
from typing import Any

import pandas as pd

from influence.attribution import METHODS
from influence.cli.progress import ProgressLine
from influence.errors import SettingsError
from influence.experiments import Evaluation, EvaluationSettings, evaluate
from influence.workspace import read_workspace

USUAL = EvaluationSettings()


def add(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("evaluate", help="deletion curves: remove the examples a method names, retrain, compare")
    parser.add_argument("--workspace", required=True, metavar="DIR")
    about = f"methods, with commas between, of {', '.join(METHODS)}; both random ones are always added"
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
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    settings = EvaluationSettings(
        methods=tuple(part.strip() for part in options.methods.split(",") if part.strip()),
        ks=_numbers(options.k),
        test_points=options.test_points,
        retrains=options.retrains,
        seed=options.seed,
        no_overlap=options.no_overlap,
        freeze_embedding=options.freeze_embedding,
        with_bias=options.with_bias,
    )
    with ProgressLine(sys.stderr) as progress:
        found = evaluate(read_workspace(options.workspace), settings, device=options.device, progress=progress)
    assert found is not None
    print(json.dumps(_as_json(found), ensure_ascii=False) if options.json else _as_text(found))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(f"--k {text!r}: give whole numbers with commas between, as 10,20,50") from error


def _as_json(found: Evaluation) -> dict[str, Any]:
    frames = {"areas": found.areas, "curves": found.curves, "points": found.points}
    return {"settings": found.settings, **{name: frame.to_dict("records") for name, frame in frames.items()}}


def _as_text(found: Evaluation) -> str:
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
