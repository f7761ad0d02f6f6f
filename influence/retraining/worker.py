"""A piece of work: runs trained in a process of their own, or on another machine. See `engines`.

What is prepared (the data and the words that are masked) stays for the runs that this process is given next.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from influence.engines import Arguments, Step
from influence.retraining.change import Change, Run

if TYPE_CHECKING:
    from influence.retraining.recipe import Recipe


def train(arguments: Arguments, step: Step) -> list[dict[str, Any]]:
    """Train `runs` of the `build` of a `workspace` on a `device`; for each its label probabilities and seconds, in their order.

    `frozen` leaves the embedding as it began, `tests` are the test examples asked for, `masking` the changes of all runs that
    mask words. Raises `WorkspaceError` where the workspace has another build here.
    """
    from influence.retraining.schedule import groups_of

    recipe = _recipe(*(json.dumps(arguments[name]) for name in ("workspace", "build", "masking", "device")))
    runs = [Run(one["seed"], Change(**one["change"])) for one in arguments["runs"]]
    found: dict[Run, dict[str, Any]] = {}
    for group, outcomes in groups_of(recipe, runs, arguments["tests"], frozen=arguments["frozen"], step=step):
        for run, outcome in zip(group, outcomes, strict=True):
            spent = {"seconds": outcome.seconds, "processor": outcome.processor}
            found[run] = {**spent, "found": outcome.probabilities_MY.tolist()}
    return [found[run] for run in runs]


@lru_cache(maxsize=1)
def _recipe(*arguments: str) -> "Recipe":
    import torch

    from influence.retraining.recipe import Recipe
    from influence.workspace import read_workspace

    path, build, masking, device = map(json.loads, arguments)
    workspace = read_workspace(path)
    workspace.check_build(build)
    return Recipe(workspace, [_change(change) for change in masking], torch.device(device))


def _change(content: Mapping[str, Any]) -> Change:
    return Change(**content)
