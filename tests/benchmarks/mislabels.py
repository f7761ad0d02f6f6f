"""How well the suspicion finds wrong labels, beside cleanlab and beside every single signal, on the same models.

python tests/benchmarks/mislabels.py --data DIR [--workspace DIR] [--models N] [--epochs N] [--plant KIND]

DIR holds train.csv (text, label, true_label) and test.csv (text, label). With --plant the labels of train.csv are taken
for right and wrong ones are put in. Models never see true_label.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])
KINDS = ("symmetric", "asymmetric", "annotator")


def main() -> None:
    """Read the options, build what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workspace", type=Path, help="kept here and used again (default: a temporary one)")
    parser.add_argument("--models", type=int, default=5, help="held-out models, a multiple of 5 (default 5)")
    parser.add_argument("--epochs", type=int, help="of training, of every model (default: the build's)")
    parser.add_argument("--plant", choices=KINDS, help="put wrong labels in")
    parser.add_argument("--rate", type=float, default=0.2, help="share of wrong labels to put in (default 0.2)")
    parser.add_argument("--limit", type=int, default=10_000, help="training examples used with --plant (default 10000)")
    options = parser.parse_args()

    from tests.benchmarks.label_noise import print_comparison
    from tests.benchmarks.planting import plant

    with tempfile.TemporaryDirectory() as name:
        data = options.data
        if options.plant:
            data = plant(data, Path(name) / "data", options.plant, rate=options.rate, limit=options.limit, seed=0)
        print_comparison(data, options.workspace or Path(name) / "workspace", options.models, options.epochs)


if __name__ == "__main__":
    main()
