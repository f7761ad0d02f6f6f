"""The paper's clusters of mislabelled AG News texts (appendix A, table 5), looked for with the CNN.

python tests/benchmarks/clusters.py --data DIR --workspace DIR [--models N] [--threshold X]

DIR of the data holds train.csv and test.csv (text, label) of AG News; the workspace is built where it is missing.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])


def main() -> None:
    """Read the options, build what is missing, print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--models", type=int, default=5, help="held-out models, a multiple of 5 (default 5; the paper has 20)")
    parser.add_argument("--threshold", type=float, default=0.8, help="influence distance (default 0.8, the paper's)")
    options = parser.parse_args()

    from tests.benchmarks.patterns import print_clusters

    print_clusters(options.data, options.workspace, options.models, options.threshold)


if __name__ == "__main__":
    main()
