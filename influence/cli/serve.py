"""The command that serves the app."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from influence.cli.options import add_engine, command, path
from influence.program import APP

# The app lies beside this package in a checkout, and in a folder of its own where a wheel was installed.
SERVER = (APP if APP.is_dir() else APP.parent) / "pages" / "ui" / "frame" / "server.py"


def add(commands: Any) -> None:
    """Register the command."""
    about = "serve the app behind a content-security policy"
    add_serve_arguments(command(commands, "serve", _serve, about, workspace=False))


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be chosen about a server; its own process reads the same arguments again."""
    about = "folder of workspaces (default: workspaces)"
    parser.add_argument("--workspace-root", type=path, default="workspaces", metavar="DIR", help=about)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=int, default=8501, metavar="N")
    about = "the server's own folder, for its queues and tokens; nobody else may write to it (default: ~/.local/state/wordtrace)"
    parser.add_argument("--state", type=path, metavar="DIR", help=about)
    about = "a name that the server is reached under, once each; needed where it listens beyond this machine"
    parser.add_argument("--allowed-host", action="append", default=[], metavar="NAME", help=about)
    about = "let in whoever knows the address; else, without a login, a token is asked for beyond this machine"
    parser.add_argument("--no-token", action="store_true", help=about)
    parser.add_argument("--new-tokens", action="store_true", help="forget the tokens of before, and with them who had them")
    about = "e-mail address or subject of a login that may delete, rename and stop what others started; once each"
    parser.add_argument("--admin", action="append", default=[], metavar="NAME", help=about)
    add_engine(parser)
    parser.add_argument("--open", action="store_true", help="open a browser")


def _serve(options: argparse.Namespace) -> None:
    arguments = []
    for name, value in vars(options).items():
        option = f"--{name.replace('_', '-')}"
        if name != "run" and value is not None and value is not False and value != []:
            arguments += [option] if value is True else [f"{option}={one}" for one in ([value], value)[isinstance(value, list)]]
    # The engine knows nothing of the app, so the server takes this process's place: whoever stops the one stops the other.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, str(SERVER), *arguments])
