"""What an opinion from a file adds to the ranking of suspects: average precision on labels by people, with and without.

python tests/benchmarks/opinion_files.py --data DIR --workspaces DIR [--seeds 0,1,2] [--rows 5000] [--model cnn]

Of noisy_ag_news, as in label_errors. Two other models, neither of which sees true_label of a row that it judges:
- "same data": tf-idf and a linear SVM with calibrated probabilities, in five parts on the very labels that are in doubt;
- "elsewhere": the same trained on rows of ag_news that are not in noisy_ag_news, as an LLM that was trained on other data.
Each is given as a file with probabilities, the latter also as labels alone: of all rows, of 300 drawn at random, of the 300 most
suspicious, and of these and every fortieth of the others. The 95 % intervals are
percentiles of a bootstrap over the examples; of differences, paired.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])


def main() -> None:
    """Read the options, build what is missing, print a table a seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workspaces", type=Path, required=True, help="kept here and used again")
    parser.add_argument("--seeds", default="0,1,2", metavar="N,...")
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--model", help="of the build (default: the build's own default)")
    options = parser.parse_args()

    from tests.benchmarks.label_sets import prepared
    from tests.benchmarks.second_opinions import measure

    for seed in map(int, options.seeds.split(",")):
        place = options.workspaces / f"noisy_ag_news-{options.rows}-{seed}"
        data = prepared(options.data, "noisy_ag_news", place, rows=options.rows, tests=2_000, rate=0, seed=seed)
        print(f"\n## noisy_ag_news, {options.rows} rows, seed {seed}", flush=True)
        measure(options.data, data, place / "workspace", seed, options.model)


if __name__ == "__main__":
    main()
