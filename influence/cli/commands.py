"""The command line: `python -m influence COMMAND`. Results on stdout, progress on stderr, exit code 2 on bad input."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from influence import __version__
from influence.cli import build, check, clusters, experiments, explain, manage, review, serve, suspects, words
from influence.cli.progress import remark
from influence.errors import WordtraceError

COMMANDS = (build, serve, check, explain, suspects, clusters, words, review, experiments, manage)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 bad input, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except WordtraceError as error:
        remark(" ".join(str(error).split()), "error")
        return 2
    except KeyboardInterrupt:
        remark("interrupted", "error")
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not an error, and Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; what it parses has the command's function as `run`."""
    root = _Parser(prog="influence", description=__doc__)
    root.add_argument("--version", action="version", version=f"wordtrace {__version__}")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return root
