"""`python -m influence COMMAND`: see `cli`."""

import sys

from influence.cli import main

if __name__ == "__main__":
    sys.exit(main())
