"""Whether the candidates that are ranked first help more than others do: added to training, the model trained again.

    python -m tests.benchmarks.candidates --train FILE --test FILE --folder DIR [--base 3000] [--held 2000] [--add 200]

Of the training file's rows, shuffled, a base is trained on and the next ones are held back as candidates; rows whose text is in
the test split are left out. The test split is cut in two halves at random: the candidates are ranked by the wrong predictions of
half A alone, and looked at are the accuracy on those mistakes, on the mistakes of half B, which nothing was chosen by, and on
the whole of half B. Every choice is added to the base, with its right labels, and the model trained again with other seeds than
the one that made the mistakes. Choices are compared seed by seed with 200 random candidates, drawn anew for every seed;
intervals (95 %) are for other test sentences and other seeds of the same kind (`influence.experiments.Crossed`).

All rows of a run are in one workspace, those not added with weight 0 (`influence.retraining`), so that all choices share their
batches, their order and their number of steps. One thread: OMP_NUM_THREADS=1.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from influence import Workspace
from influence.candidates import CandidateSettings, Role, rank_candidates
from influence.experiments import Crossed
from influence.retraining import Change, Run, retrain, seeds_of
from influence.types import FloatArray, IntArray

NONE, RANDOM, ALL = "nothing", "random", "all candidates"
Chosen = Mapping[str, Callable[[int], IntArray]]  # by the name of a choice and a seed, the candidates to add


@dataclass(frozen=True)
class Setup:
    """A base with its mistakes, and the candidates; positions are those of the workspaces."""

    base: Workspace
    everything: Workspace  # the base, then the candidates
    candidates: Path
    held: pd.DataFrame
    tests: dict[str, IntArray]  # what is looked at, by name: positions of test sentences
    mistakes: tuple[str, ...]  # ids of the wrong predictions of half A


def main() -> None:
    """Read the options, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    for name, usual in (("base", 3000), ("held", 2000), ("tests", 4000), ("add", 200), ("seeds", 5), ("epochs", 20)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--num-hidden-layers", type=int)
    parser.add_argument("--choices", help="names with semicolons between; default: all")
    options = parser.parse_args()
    started = time.perf_counter()
    setup = set_up(options)
    chosen = choices(setup, options.add)
    if options.choices:
        wanted = [one.strip() for one in options.choices.split(";")]
        chosen = {name: choose for name, choose in chosen.items() if name in (NONE, RANDOM, *wanted)}
    rows = measure(setup, chosen, options.seeds)
    (options.folder / "candidates.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(f"{time.perf_counter() - started:.0f} s")


def set_up(options: argparse.Namespace) -> Setup:
    """Cut the data, build the workspaces where they are not there yet, and find the mistakes."""
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    test = pd.read_csv(options.test)
    test.columns = ["text", "label"]
    test = test.drop_duplicates("text").sample(frac=1, random_state=1)[: options.tests]
    train = pd.read_csv(options.train)
    train.columns = ["text", "label"]
    train = train.drop_duplicates("text")
    train = train[~train["text"].isin(set(test["text"]))].sample(frac=1, random_state=0)
    held = train.iloc[options.base : options.base + options.held].reset_index(drop=True)
    parts = {"base": train.iloc[: options.base], "everything": train.iloc[: options.base + options.held], "test": test}
    for name, part in {**parts, "held": held}.items():
        part.to_csv(folder / f"{name}.csv", index=False)
    opened = {}
    for name in ("base", "everything"):
        path = folder / name
        if not (path / "workspace.json").is_file():
            chosen = {"model": options.model, "epochs": options.epochs, "num_hidden_layers": options.num_hidden_layers}
            Workspace.create(path, train=folder / f"{name}.csv", test=folder / "test.csv", **chosen)
        opened[name] = Workspace.open(path)
    labels_M = np.asarray(opened["base"].queries.labels_M)
    wrong_M = opened["base"].probabilities("test").argmax(axis=1) != labels_M
    half_M = np.random.default_rng(2).permutation(len(labels_M)) % 2 == 0
    tests = {
        "mistakes A": np.flatnonzero(wrong_M & half_M),
        "mistakes B": np.flatnonzero(wrong_M & ~half_M),
        "half B": np.flatnonzero(~half_M),
        "all": np.arange(len(labels_M)),
    }
    mistakes = tuple(str(test) for test in tests["mistakes A"])
    return Setup(opened["base"], opened["everything"], folder / "held.csv", held, tests, mistakes)


def choices(setup: Setup, count: int) -> Chosen:
    """Ways to choose candidates, by name."""
    held = len(setup.held)

    def first(frame: pd.DataFrame) -> IntArray:
        return frame["example_id"].astype(int).to_numpy()[:count]

    def ranked(**settings: Any) -> pd.DataFrame:
        role = Role(unlabelled=settings.pop("unlabelled", False))
        return rank_candidates(
            setup.base, setup.candidates, CandidateSettings(test_ids=setup.mistakes, **settings), role=role
        ).frame

    by_influence, guessed = ranked(), ranked(unlabelled=True)
    fixed = {
        NONE: np.zeros(0, dtype=np.int64),
        "influence": first(by_influence),
        "influence, relative": first(ranked(rank="relative")),
        "influence, labels guessed": first(guessed),
        "relative, labels guessed": first(ranked(rank="relative", unlabelled=True)),
        "least confident": first(guessed.sort_values("confidence", kind="stable")),
        "most alike (tf-idf)": first(ranked(rank="alike")),
        ALL: np.arange(held),
    }
    found: dict[str, Callable[[int], IntArray]] = {name: lambda _, rows=rows: rows for name, rows in fixed.items()}
    found[RANDOM] = lambda seed: np.random.default_rng([3, seed]).permutation(held)[:count]
    return found


def measure(setup: Setup, chosen: Chosen, seeds: int) -> list[dict[str, Any]]:
    """Train every choice with every seed; a row a choice and what is looked at, with its gain over the random choice."""
    base, held = setup.base.info.n_train, len(setup.held)
    labels_M = np.asarray(setup.everything.queries.labels_M)
    right_of: dict[str, list[FloatArray]] = {name: [] for name in chosen}
    rows: list[dict[str, Any]] = []
    for seed in seeds_of(setup.everything, seeds):
        runs = {}
        for name, choose in chosen.items():
            left = np.setdiff1d(np.arange(held), choose(seed))
            runs[name] = Run(seed=seed, change=Change(removed=tuple((base + left).tolist())))
        found = {
            one.run: one.probabilities_MY for one in retrain(setup.everything, list(runs.values()), device="cpu", processes=1)
        }
        for name, run in runs.items():
            right_of[name].append((found[run].argmax(axis=1) == labels_M).astype(float))
        right = {name: np.stack(some, axis=1) for name, some in right_of.items()}
        rows = [_row(name, what, right[name][at], right[RANDOM][at]) for name in chosen for what, at in setup.tests.items()]
        print(f"after seed {seed}\n{table(setup, rows)}", flush=True)
    return rows


def _row(name: str, what: str, right_MS: FloatArray, random_MS: FloatArray) -> dict[str, Any]:
    gain = Crossed(right_MS - random_MS, possible=(-1, 1), step=1)
    low, high = gain.interval or (float("nan"), float("nan"))
    return {
        "choice": name,
        "tests": what,
        "n": len(right_MS),
        "accuracy": right_MS.mean(),
        "gain": gain.mean,
        "low": low,
        "high": high,
    }


def table(setup: Setup, rows: Sequence[dict[str, Any]]) -> str:
    """A line a choice: accuracy in percent, and in brackets its gain over random in points with its interval."""
    lines = [f"{'added':<28}" + "".join(f"{f'{what} ({len(at):,})':>34}" for what, at in setup.tests.items())]
    for name in dict.fromkeys(row["choice"] for row in rows):
        cells = [_cell(row) for row in rows if row["choice"] == name]
        lines.append(f"{name:<28}" + "".join(f"{cell:>34}" for cell in cells))
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    accuracy, gain, low, high = (100 * row[name] for name in ("accuracy", "gain", "low", "high"))
    if row["choice"] == RANDOM:
        return f"{accuracy:.1f}"
    return f"{accuracy:.1f} ({gain:+.1f} [{low:+.1f}, {high:+.1f}])"


if __name__ == "__main__":
    main()
