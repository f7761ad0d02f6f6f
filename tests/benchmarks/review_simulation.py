"""Wrong labels found by effort: a reviewer who knows the truth works down the ranking.

python tests/benchmarks/review_simulation.py --data DIR --workspace DIR [--decisions 1000] [--every 50]

DIR of the data holds train.csv (text, label, true_label); the workspace was built from it by tests/benchmarks/label_errors.py.
Compared: the ranking as it is, the ranking made again after every so many decisions, cleanlab's best ranking, chosen knowing
the truth, and chance. The last line is what opinions find that were taught the whole truth: nothing that learns on the way
from the same embeddings and words can be expected to find more.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])


def main() -> None:
    """Read the options, review, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--decisions", type=int, default=1_000)
    parser.add_argument("--every", type=int, default=50)
    options = parser.parse_args()

    import numpy as np
    import pandas as pd
    from sklearn.metrics import average_precision_score

    from influence.opinions.average import suspicion
    from influence.opinions.gathering import gather
    from influence.opinions.material import Material
    from influence.opinions.opinion import Taught
    from influence.suspects.compute import usual_settings
    from influence.suspects.decided import Decided
    from influence.types import silent
    from influence.workspace.workspace import read_workspace
    from tests.benchmarks.label_rankings import cleanlab_rankings

    workspace = read_workspace(options.workspace)
    material = Material(workspace, usual_settings(workspace), "cpu", silent)
    given_N = material.labels("train")
    names = {name: number for number, name in enumerate(workspace.info.labels)}
    truth = pd.read_csv(options.data / "train.csv", dtype=str, keep_default_na=False)["true_label"]
    true_N = truth.map(names).to_numpy()
    wrong_N = given_N != true_N
    seconds = []

    def ranked(taught: Taught) -> np.ndarray:
        started = time.process_time()
        scores_N = suspicion(gather(material, taught).average.probabilities_NY, given_N)
        seconds.append(time.process_time() - started)
        return scores_N

    def found_by(scores_N: np.ndarray, *, learning: bool) -> np.ndarray:
        """How many wrong labels were found after each decision."""
        labels: dict[int, int | None] = {}
        order: list[int] = []
        while len(order) < options.decisions:
            left = [at for at in np.argsort(-scores_N, kind="stable").tolist() if at not in labels]
            batch = left[: min(options.every, options.decisions - len(order))]
            order += batch
            labels |= {at: int(true_N[at]) for at in batch}
            if learning:
                scores_N = ranked(Decided(labels).taught(given_N))
        return np.cumsum(wrong_N[order])

    static_N = ranked(Taught.as_given(given_N))
    seconds.clear()
    rows = {"as it is": found_by(static_N, learning=False)}
    rows[f"made again every {options.every}"] = found_by(static_N, learning=True)
    again = np.median(seconds)
    best = max(cleanlab_rankings(workspace), key=lambda found: average_precision_score(wrong_N, found[1]))
    rows[best[0]] = found_by(best[1], learning=False)
    rows["random"] = found_by(np.random.default_rng(0).random(len(given_N)), learning=False)
    rows["opinions taught the whole truth"] = found_by(ranked(Taught.as_given(true_N)), learning=False)
    print(f"{len(given_N):,} rows, {wrong_N.sum():,} wrong; ranking again takes {again:.1f} CPU seconds (median)")
    print(f"{'ranking':88} found in {options.decisions // 2:,}   in {options.decisions:,}   by the static ranking's")
    for name, found in rows.items():
        half, whole = found[options.decisions // 2 - 1], found[-1]
        before = rows["as it is"]
        print(f"{name:88} {half:13,} {whole:11,}   {half / before[options.decisions // 2 - 1]:.3f} {whole / before[-1]:.3f}")


if __name__ == "__main__":
    main()
