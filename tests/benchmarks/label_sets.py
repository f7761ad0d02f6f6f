"""The data of `label_errors`: each set as test.csv and train.csv with a column true_label, empty where the truth is unknown."""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.benchmarks.planting import KINDS, plant

TRUTH = "true_label"


def prepared(data: Path, chosen: str, folder: Path, *, rows: int, rate: float, seed: int) -> Path:
    """Write one set, unless it is there, and return the folder of its two files."""
    made = folder / "data"
    if (made / "test.csv").is_file():
        return made
    made.mkdir(parents=True, exist_ok=True)
    name, _, kind = chosen.partition(":")
    if kind:
        if kind not in KINDS:
            raise SystemExit(f"{chosen!r}: the kinds of planted labels are {', '.join(KINDS)}")
        return plant(data / name, made, kind, rate=rate, limit=rows or 1_000_000, seed=seed)
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
    return made
