"""Fine-tunings per hour: a plain loop over the whole model, ours one at a time, and many as one batched model.

    python -m tests.benchmarks.retraining --workspace DIR [--together 2,4,16] [--steps 60] [--repeats 3] [--device cpu]

On a CPU with one thread (OMP_NUM_THREADS=1) the clock is that of the processor, so a busy machine disturbs it little. A few
steps of the workspace's own recipe are timed and a whole run is worked out from them, prediction of the test split
included. All arms train the same runs (one row removed each), and must come to the same predictions.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from time import perf_counter, process_time

import numpy as np
import torch
import torch.nn.functional as F

from influence.models.model import resolve_device
from influence.models.training import make_optimizer, shuffled_batches
from influence.retraining.change import Change
from influence.retraining.recipe import Recipe, named_inputs
from influence.retraining.train import Trainees
from influence.types import IntArray
from influence.workspace.workspace import read_workspace

SEED, AGREE = 1, 1e-3  # a value that crosses a ReLU's kink by rounding moves a few probabilities by this much


class Bench:
    """One recipe on one device, stopped after a few steps."""

    def __init__(self, recipe: Recipe, steps: int, n_test: int) -> None:
        self.recipe, self.steps, self.tests = recipe, steps, range(n_test)
        self.found: dict[object, np.ndarray] = {}  # predictions of the run without its first row, by arm

    def batches(self) -> Iterator[IntArray]:
        settings = self.recipe.settings(SEED)
        epochs = (shuffled_batches(self.recipe.train.lengths_N, settings, epoch=epoch) for epoch in range(1, 1_000))
        return islice((batch for epoch in epochs for batch in epoch), self.steps)

    def plain(self) -> None:
        """The whole model and PyTorch's optimizer: what `influence.models.training` does."""
        recipe = self.recipe
        model = recipe._new_model(SEED).to(recipe.device).train()
        optimizer = make_optimizer(model, recipe.settings(SEED))
        whole_V = torch.from_numpy(recipe.used_V).to(recipe.device)
        torch.manual_seed(0)
        for examples_B in self.batches():
            inputs = recipe.train.inputs(examples_B, recipe.device)
            inputs = inputs._replace(tokens_BL=whole_V[inputs.tokens_BL])
            counts_B = torch.from_numpy(recipe.train_weights(Change(removed=(0,)))[examples_B]).to(recipe.device)
            labels_B = torch.from_numpy(recipe.labels_N[examples_B]).to(recipe.device)
            losses_B = F.cross_entropy(model(**named_inputs(model, inputs)).logits, labels_B, reduction="none")
            optimizer.zero_grad(set_to_none=True)
            ((losses_B * counts_B).sum() / counts_B.sum()).backward()
            optimizer.step()
        self._synchronize()
        inputs = recipe.test.inputs(np.array(self.tests), recipe.device)
        inputs = inputs._replace(tokens_BL=whole_V[inputs.tokens_BL])
        with torch.no_grad():
            self.found["plain"] = model.eval()(**named_inputs(model, inputs)).logits.softmax(dim=1).cpu().numpy()

    def ours(self, together: int) -> None:
        """`together` runs as one batched model; 0: one run by itself."""
        recipe, runs = self.recipe, max(together, 1)
        trainees = Trainees(recipe, SEED, together or None, frozen=False)
        counts = torch.from_numpy(np.stack([recipe.train_weights(Change(removed=(row,))) for row in range(runs)]))
        counts = counts.to(recipe.device) if together else counts[0].to(recipe.device)
        labels = torch.from_numpy(recipe.labels_N).to(recipe.device).expand(counts.shape)
        torch.manual_seed(0)
        for examples_B in self.batches():
            at_B = torch.from_numpy(examples_B).to(recipe.device)
            trainees.step(recipe.train.inputs(examples_B, recipe.device), labels[..., at_B], counts[..., at_B])
        self._synchronize()
        found = trainees.predict(recipe.test, self.tests)
        self.found[together] = found[0] if together else found

    def _synchronize(self) -> None:
        if self.recipe.device.type == "cuda":
            torch.cuda.synchronize()


def _interleaved(arms: Mapping[object, Callable[[], None]], repeats: int, clock: Callable[[], float]) -> dict[object, np.ndarray]:
    """Seconds of each run: every arm once to warm up, then all in turn, so that a busy moment hits them alike."""
    seconds: dict[object, list[float]] = {name: [] for name in arms}
    for number in range(repeats + 1):
        for name, arm in arms.items():
            started = clock()
            arm()
            if number:
                seconds[name].append(clock() - started)
    return {name: np.array(values) for name, values in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--together", default="2,4,16", help="sizes of the batched model")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    workspace = read_workspace(options.workspace)
    recipe = Recipe(workspace, [], resolve_device(options.device))
    sizes = [int(size) for size in options.together.split(",") if size]
    bench = Bench(recipe, options.steps, min(200, workspace.info.n_test))
    arms = {"plain": bench.plain, 0: partial(bench.ours, 0), **{size: partial(bench.ours, size) for size in sizes}}
    clock = process_time if recipe.device.type == "cpu" and torch.get_num_threads() == 1 else perf_counter
    times = _interleaved(arms, options.repeats, clock)
    whole, started = Trainees(recipe, SEED, None, frozen=False), clock()
    whole.predict(recipe.test, range(workspace.info.n_test))
    predicting, load = clock() - started, os.getloadavg()[0]
    print(f"{workspace.info.n_train:,} rows, {workspace.info.model}, {recipe.steps:,} steps a run, {recipe.training.optimizer};")
    print(
        f"{recipe.device}, {torch.get_num_threads()} threads, {clock.__name__}, load {load:.1f}, prediction {predicting:.2f} s."
    )
    print(f"{'':<22}{'ms a step and run':>18}{'runs an hour':>14}{'plain / it':>12}{'differs by':>12}")
    for name, seconds in times.items():
        runs = max(name, 1) if isinstance(name, int) else 1
        each = np.median(seconds) / options.steps / runs
        ratio = np.median(times["plain"] / seconds) * runs
        differs = float(np.abs(bench.found[name] - bench.found["plain"]).max())
        title = {"plain": "plain loop", 0: "ours, one at a time"}.get(name, f"ours, {name} together")
        print(f"{title:<22}{each * 1e3:>18.2f}{3600 / (each * recipe.steps + predicting):>14,.0f}{ratio:>12.2f}{differs:>12.1e}")
        assert differs < AGREE, f"{title} came to other predictions"


if __name__ == "__main__":
    main()
