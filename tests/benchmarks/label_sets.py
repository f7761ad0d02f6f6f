"""The data of `label_errors`: each set as test.csv and train.csv with a column true_label, empty where the truth is unknown."""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.benchmarks.planting import KINDS, plant

TRUTH = "true_label"


def prepared(data: Path, chosen: str, folder: Path, *, rows: int, tests: int, rate: float, seed: int) -> Path:
    """Write one set, unless it is there, and return the folder of its two files."""
    made = folder / "data"
    if (made / "test.csv").is_file():
        return made
    made.mkdir(parents=True, exist_ok=True)
    name, _, kind = chosen.partition(":")
    if kind:
        if kind not in KINDS:
            raise SystemExit(f"{chosen!r}: the kinds of planted labels are {', '.join(KINDS)}")
        plant(data / name, made, kind, rate=rate, limit=rows or 1_000_000, seed=seed)
        _draw(made / "test.csv", tests, seed)
        return made
    if name == "snli_votes":
        train = pd.read_csv(data / "snli" / "train.csv", dtype=str, keep_default_na=False)
        votes = pd.read_csv(data / name / "votes.csv")
        train[TRUTH] = ""
        train.loc[votes["row"], TRUTH] = votes["majority_of_100"].to_numpy()
        test = pd.read_csv(data / "snli" / "test.csv", dtype=str, keep_default_na=False)
    else:
        train = pd.read_csv(data / name / "train.csv", dtype=str, keep_default_na=False)
        test = pd.read_csv(data / name / "test.csv", dtype=str, keep_default_na=False)
    if rows and name != "snli_votes":  # of which only 1,514 rows have a truth
        train = train.iloc[np.sort(np.random.default_rng(seed).choice(len(train), min(rows, len(train)), replace=False))]
    train.to_csv(made / "train.csv", index=False)
    test.drop(columns=TRUTH, errors="ignore").to_csv(made / "test.csv", index=False)
    _draw(made / "test.csv", tests, seed)
    return made


def _draw(file: Path, tests: int, seed: int) -> None:
    """Keep some of the rows of a file: what the test split is for here is its balance."""
    rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    if tests and tests < len(rows):
        chosen = np.random.default_rng([seed, 1]).choice(len(rows), tests, replace=False)
        rows.iloc[np.sort(chosen)].to_csv(file, index=False)
