"""How well suspects are found, beside each opinion alone, cleanlab on probabilities that anyone can make, and chance.

python tests/benchmarks/label_errors.py --data DIR [--sets NAME,...] [--seeds 0,1,2] [--rows 5000] [--model M] [--workspaces D]

DIR holds the data folders. A set is noisy_ag_news (labels by people, true_label by AG), snli_votes (what most of 100 people
say), or a folder with right labels and a kind of wrong ones to plant: banking77:asymmetric. Models never see true_label.
Each is built and ranked by the default commands. cleanlab gets three kinds of out-of-sample probabilities (logistic
regression and nearest neighbours on the same sentence embeddings, logistic regression on tf-idf), as they are, and scaled to
the test split's balance once and exactly; the best of its rankings, chosen knowing the truth, is what ours is measured by.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])
DEFAULT_SETS = (
    "noisy_ag_news,snli_votes,banking77:symmetric,banking77:asymmetric,banking77:annotator,jigsaw:symmetric,jigsaw:asymmetric,"
    "jigsaw:annotator,ag_news:symmetric,ag_news:asymmetric,ag_news:annotator"
)


def main() -> None:
    """Read the options, build what is missing, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=DEFAULT_SETS, metavar="NAME,...")
    parser.add_argument("--seeds", default="0,1,2", metavar="N,...", help="of the rows drawn, and of planted labels")
    parser.add_argument("--rows", type=int, default=5_000, help="training examples drawn (default 5000; 0: all)")
    parser.add_argument("--test-rows", type=int, default=2_000, help="test examples drawn (default 2000; 0: all)")
    parser.add_argument("--rate", type=float, default=0.15, help="share of wrong labels to plant (default 0.15)")
    parser.add_argument("--model", help="of the build (default: the build's own default)")
    parser.add_argument("--epochs", type=int, help="of training (default: the build's)")
    parser.add_argument("--workspaces", type=Path, help="kept here and used again (default: temporary ones)")
    options = parser.parse_args()

    from tests.benchmarks.label_rankings import compare
    from tests.benchmarks.label_sets import prepared

    with tempfile.TemporaryDirectory() as name:
        folder = options.workspaces or Path(name)
        for chosen in options.sets.split(","):
            for seed in map(int, options.seeds.split(",")):
                place = folder / f"{chosen.replace(':', '-')}-{options.rows or 'all'}-{seed}"
                data = prepared(
                    options.data, chosen, place, rows=options.rows, tests=options.test_rows, rate=options.rate, seed=seed
                )
                print(f"\n## {chosen}, {options.rows or 'all'} rows, seed {seed}", flush=True)
                compare(data, place / "workspace", model=options.model, epochs=options.epochs)


if __name__ == "__main__":
    main()
