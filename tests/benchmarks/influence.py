"""How fast the engine is, beside Captum and beside what the machine could do at best. Answers are checked equal first.

python tests/benchmarks/influence.py [--quick] [--data DIR]
"""

import argparse
import sys
from pathlib import Path

# This file's name is the package's: without its own folder on the path, `import influence` means the package.
sys.path[0] = str(Path(__file__).resolve().parents[2])


def main() -> None:
    """Read the options and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer repeats: about a minute")
    parser.add_argument("--data", type=Path, help="folder with train.csv and test.csv (text, label); default: texts made here")
    parser.add_argument("--threads", type=int, default=2, help="threads for every arm (default: 2)")
    options = parser.parse_args()

    from tests.benchmarks.report import print_report

    print_report(quick=options.quick, data=options.data, threads=options.threads)


if __name__ == "__main__":
    main()
