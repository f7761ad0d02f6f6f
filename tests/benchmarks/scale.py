"""Whether the interval for wrong labels left holds the truth: simulated reviewers who know it, on real and planted noise.

python tests/benchmarks/scale.py --data DIR [--truth FILE] [--plant KIND] [--rows N] [--decisions N] [--times N] [--learn N]
                                  [--priors N]

DIR holds train.csv (text or premise and hypothesis, label and, unless wrong labels are planted, true_label) and test.csv.
--truth: a file of rows of train.csv (row, majority_of_100) whose truth is known; decisions are made on those alone.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])
KINDS = ("symmetric", "asymmetric", "annotator")


def main() -> None:
    """Read the options, simulate, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--truth", type=Path, help="rows whose truth is known, by number")
    parser.add_argument("--plant", choices=KINDS, help="put wrong labels in")
    parser.add_argument("--rate", type=float, default=0.15, help="share of wrong labels to put in (default 0.15)")
    parser.add_argument("--rows", type=int, default=5_000, help="drawn anew for every simulation (default 5000)")
    parser.add_argument("--decisions", type=int, default=200, help="of the reviewer (default 200)")
    parser.add_argument("--times", type=int, default=20, help="simulations (default 20)")
    parser.add_argument("--learn", type=int, default=0, help="make the opinions anew after so many decisions (default: never)")
    parser.add_argument("--embeddings", type=Path, help="of train.csv, an .npy file made where it is missing")
    parser.add_argument("--priors", type=int, default=0, help="try so many priors instead, as the one in use was chosen")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    from tests.benchmarks.calibration import print_calibration, print_priors

    (print_priors if options.priors else print_calibration)(options)


if __name__ == "__main__":
    main()
