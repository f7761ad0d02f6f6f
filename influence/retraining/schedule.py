"""Which runs are trained together, and what happens when they do not fit into memory.

On a GPU as many runs of a seed as fit are one batched model. On a CPU runs are trained one at a time: see CPU_TOGETHER.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from influence.errors import ModelError
from influence.retraining.change import Run
from influence.retraining.recipe import Recipe
from influence.retraining.tables import Outcome
from influence.retraining.threads import ThreadChoice
from influence.retraining.train import fine_tune
from influence.types import FloatArray

# AG News CNN, one thread: 2 to 32 runs together reach 0.8 to 0.9 of the speed of one at a time (tests/benchmarks/retraining.py).
CPU_TOGETHER, CUDA_TOGETHER = 1, 256
COPIES = 6  # of a run's weights that training holds: weights, gradients, optimizer's state, and temporary ones


def groups_of(
    recipe: Recipe,
    runs: Sequence[Run],
    tests: Sequence[int],
    *,
    frozen: bool = False,
    together: int | None = None,
    step: Callable[[int], None] = lambda _runs: None,
) -> Iterator[tuple[list[Run], list[Outcome]]]:
    """Train runs, at most `together` of one seed at once (None: as many as is fastest), and yield them as they finish.

    Yielded are the runs that were trained together, and what each left; of their time each has its share.
    `step` is called before every optimizer step with the number of runs that take it. A group that runs out of GPU memory
    is trained again in halves. Raises `ModelError` where one run alone does not fit.
    """
    size = together or _usual_size(recipe)
    waiting = [list(group) for _, group in itertools.groupby(sorted(runs, key=lambda run: run.seed), lambda run: run.seed)]
    while waiting:
        group = waiting.pop(0)
        if len(group) > size:
            waiting.insert(0, group[size:])
            group = group[:size]
        if len(group) > 1 and not _can_be_batched(recipe, group):
            alone = [run for run in group if run.change.masked]
            waiting = [*([run] for run in alone), *([rest] if (rest := [r for r in group if r not in alone]) else []), *waiting]
            continue
        started, processor = time.monotonic(), time.process_time()
        try:
            found_TMY = _fine_tuned(recipe, group, tests, frozen, step)
        except torch.OutOfMemoryError as error:
            size = len(group) // 2
            if size < 1:
                raise ModelError(
                    "out of GPU memory while retraining a single model; use a GPU with more memory or --device cpu"
                ) from error
            waiting.insert(0, group)
            if recipe.device.type == "cuda":
                torch.cuda.empty_cache()
            continue
        seconds = (time.monotonic() - started) / len(group)
        own = (time.process_time() - processor) / len(group) if recipe.device.type == "cpu" else None
        yield group, [Outcome(found_MY, seconds, own) for found_MY in found_TMY]


def _fine_tuned(
    recipe: Recipe, group: Sequence[Run], tests: Sequence[int], frozen: bool, step: Callable[[int], None]
) -> FloatArray:
    with ThreadChoice() as threads:

        def before_step() -> None:
            step(len(group))
            threads.step()

        changes = [run.change for run in group]
        together = len(group) > 1
        return fine_tune(recipe, group[0].seed, changes, tests=tests, together=together, frozen=frozen, step=before_step)


def _can_be_batched(recipe: Recipe, group: Sequence[Run]) -> bool:
    """A transformer's runs must share their tokens to be batched; the CNN's may differ."""
    return recipe.is_cnn or not any(run.change.masked for run in group)


def _usual_size(recipe: Recipe) -> int:
    if recipe.device.type != "cuda":
        return CPU_TOGETHER
    free: int = torch.cuda.mem_get_info(recipe.device)[0]
    fitting: int = free // (2 * COPIES * recipe.bytes)
    return max(1, min(CUDA_TOGETHER, fitting))
