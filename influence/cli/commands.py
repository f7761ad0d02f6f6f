"""The command line: `python -m influence COMMAND`. Results on stdout, progress on stderr, exit code 2 on bad input."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from influence import __version__
from influence.cli import build, candidates, causes, check, experiments, explain, manage, review, serve, suspects
from influence.cli.progress import remark
from influence.errors import WordtraceError

TRACEBACK = "WORDTRACE_TRACEBACK"  # set: an error that nobody foresaw is shown with where it came from
COMMANDS = (build, serve, check, explain, suspects, causes, candidates, review, experiments, manage)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.nargs is None and arg_strings == ["--"]:  # which would be taken away, and leave an empty list
            raise argparse.ArgumentError(action, "'--' is no value")
        return super()._get_values(action, arg_strings)


def script() -> int:
    """The command `wordtrace`, which an installation makes; returns the exit code."""
    return main(prog="wordtrace")


def main(arguments: Sequence[str] | None = None, *, prog: str = "influence") -> int:
    """Run one command; returns the exit code: 0 done, 1 a limit of --fail-on broken, 2 bad input, 130 interrupted.

    Help calls the program `prog`.
    """
    options = parser(prog).parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may hold what is no Unicode, and an answer is still one
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options.run(options)
        sys.stdout.flush()
    except WordtraceError as error:
        remark(" ".join(str(error).split()), "error")
        return error.exit_code
    except KeyboardInterrupt:
        remark("interrupted", "error")
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not an error, and Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        remark(_unforeseen(error), "error")
        return 2
    return 0


def _unforeseen(error: Exception) -> str:
    """The line of an error that nobody foresaw: the last net, so that it says less than the messages of our own."""
    said = " ".join(str(error).split())[:500]
    if isinstance(error, MemoryError):
        return f"there is not enough memory{f' ({said})' if said else ''}; give less data at once, or use a larger machine"
    kind = type(error).__name__
    return f"this cannot be done ({kind}{f': {said}' if said else ''}); to see where it went wrong, run it with {TRACEBACK}=1"


def parser(prog: str = "influence") -> argparse.ArgumentParser:
    """The parser of the whole command line; what it parses has the command's function as `run`."""
    root = _Parser(prog=prog, description=__doc__)
    root.add_argument("--version", action="version", version=f"wordtrace {__version__}")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return root
