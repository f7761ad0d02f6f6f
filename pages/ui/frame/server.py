"""The app behind a content-security policy; started by `python -m influence serve` as a process of its own.

Streamlit alone (`streamlit run app.py`) serves the same pages without the policy.
"""

import argparse
import base64
import ctypes
import hashlib
import ipaddress
import json
import os
import re
import secrets
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[3]
TOKENS, TOKEN_LENGTH = "tokens.json", 24
M_ARENA_MAX = -8  # of malloc.h
INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class SecurityHeaders:
    """ASGI middleware that adds headers to every HTTP response."""

    def __init__(self, app: Any, headers: Mapping[str, str]) -> None:
        self.app, self.headers = app, headers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on; its response starts with our headers."""

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.encode(), value.encode()) for name, value in self.headers.items()]
                theirs = [pair for pair in message["headers"] if pair[0].decode().lower() not in self.headers]
                message = {**message, "headers": [*theirs, *ours]}
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def security_headers() -> dict[str, str]:
    """The policy and its neighbours.

    No image, font, script, frame, form or connection of another host, and no script written into a page: Streamlit's own
    few are let in by their hashes. Its components arrive as blobs, which nothing but a script of ours can make.
    """
    from streamlit import file_util

    index = Path(file_util.get_static_dir(), "index.html").read_text(encoding="utf-8")
    hashes = [hashlib.sha256(script.encode()).digest() for script in INLINE_SCRIPT.findall(index)]
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    policy = (
        "default-src 'self'",
        f"script-src 'self' {allowed} blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
    return {
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
    }


def main() -> None:
    """Check the options, then serve until stopped."""
    _set_path()
    options = _options()
    _keep_few_heaps()
    root = _root(options)
    names = frozenset(_host_name(name) for name in options.allowed_host)
    beyond = bool(names) or not _is_local(options.host)
    if beyond and not names:
        _refuse(f"--host {options.host}: others reach it there; say under which names, with --allowed-host NAME for each")
    _check_free(options.host, options.port)
    os.environ["WORDTRACE_WORKSPACES"] = str(root.resolve())
    if options.state:
        os.environ["WORDTRACE_STATE"] = str(Path(options.state).absolute())
    place = _state(root, options)
    _tidy_up(root)
    # Streamlit looks for its configuration beside the script that was started.
    sys.argv = [str(ROOT / "app.py")]

    import streamlit as st
    from starlette.middleware import Middleware
    from streamlit.web import bootstrap

    from pages.ui.frame import access, workspaces
    from pages.ui.frame.door import Door, Rules

    workspaces.watch(root)
    configuration = _configuration(options, names)
    st.App(ROOT / "app.py")  # from here on its secrets are looked for beside the script, too
    bootstrap.load_config_options(configuration)
    login = _login_is_set_up(options)
    configuration |= {} if login else {"secrets.files": []}  # or they are looked for whenever a page asks who is there
    tokens = _tokens(place, renew=options.new_tokens) if beyond and not login else {}
    rules = Rules(options.port, names, beyond, login, tokens, token_needed=bool(tokens) and not options.no_token)
    access.set_policy(access.Policy(beyond, login, frozenset(name.casefold() for name in options.admin)))
    _say_who_may(options, rules)
    if options.open:
        address = f"?token={tokens[access.OWNER]}" if tokens else ""
        threading.Thread(target=_open_when_it_answers, args=(options.host, options.port, address), daemon=True).start()
    middleware = [Middleware(SecurityHeaders, headers=security_headers()), Middleware(Door, rules=rules)]
    st.App(ROOT / "app.py", middleware=middleware).run(config=configuration)


def _set_path() -> None:
    # This file's folder is on the path because it was run as a script; its modules are not top-level ones.
    sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry != str(Path(__file__).parent))]
    if find_spec("influence") is None:  # installed where this process does not look: both lie in one folder
        sys.path.append(str(ROOT.parent))


def _keep_few_heaps() -> None:
    """Have glibc make two heaps instead of one for each thread: every run of a page is a thread, and no heap shrinks."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def _root(options: argparse.Namespace) -> Path:
    from influence.program import PROGRAM

    root = Path(options.workspace_root)
    if not root.is_dir():
        make = f"{PROGRAM} demo --workspace {root}/demo"
        _refuse(f"--workspace-root {options.workspace_root!r}: there is no such folder; make one with: {make}")
    if not 1 <= options.port <= 65535:
        _refuse(f"--port {options.port}: must be between 1 and 65535")
    return root


def _options() -> argparse.Namespace:
    from influence.cli import add_serve_arguments

    parser = argparse.ArgumentParser(prog="influence serve", description="serve the app behind a content-security policy")
    add_serve_arguments(parser)
    return parser.parse_args()


def _host_name(name: str) -> str:
    """A name to be reached under, as browsers send it."""
    plain = name.strip().strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", plain) or len(plain) > 253:
            _refuse(f"--allowed-host {name!r}: a host name as it stands in the address, without scheme, port or star")
        return plain


def _state(root: Path, options: argparse.Namespace) -> Path:
    """The server's own folder; and whoever answers for it is asked to be ready."""
    from influence import WordtraceError
    from influence.explanations import answer_with
    from pages.ui.frame import state

    try:
        answer_with(options.engine, options.address)
        return state.made_for(root, among=root)
    except WordtraceError as error:
        _refuse(str(error))


def _tidy_up(root: Path) -> None:
    from influence.workspace import tidy_up

    tidy_up(root)


def _login_is_set_up(options: argparse.Namespace) -> bool:
    """Whether Streamlit's secrets set up a login; with what is missing for it to work, nothing is served."""
    from streamlit.auth_util import is_authlib_installed
    from streamlit.runtime.secrets import secrets_singleton

    found = bool(secrets_singleton.load_if_toml_exists() and secrets_singleton.get("auth"))
    if found and not is_authlib_installed():
        _refuse("the secrets set up a login, which needs the package authlib: pip install authlib")
    if options.admin and not found:
        _refuse(f"--admin {options.admin[0]}: the name of a login, and none is set up (see docs/teams-and-gpus.md)")
    return found


def _tokens(place: Path, *, renew: bool) -> dict[str, str]:
    """The server's tokens by role, the same from start to start, so that an address that was passed on stays good."""
    from influence.files import write_json
    from pages.ui.frame.access import OWNER, VISITOR

    file = place / TOKENS
    try:
        known = {} if renew else json.loads(file.read_text(encoding="utf-8"))
        tokens = {role: str(known[role]) for role in (OWNER, VISITOR) if len(str(known[role])) >= TOKEN_LENGTH}
    except (OSError, ValueError, KeyError, TypeError):
        tokens = {}
    if len(tokens) < 2:
        tokens = {role: secrets.token_urlsafe(TOKEN_LENGTH) for role in (OWNER, VISITOR)}
        try:
            write_json(file, tokens)
        except OSError as error:
            _refuse(f"{str(file)!r} cannot be written: {error.strerror or error}")
    return tokens


def _say_who_may(options: argparse.Namespace, rules: Any) -> None:
    from pages.ui.frame.access import OWNER, VISITOR

    if not rules.beyond:
        return
    name = next(iter(sorted(rules.names)))
    address = f"http://{f'[{name}]' if ':' in name else name}:{options.port}/"
    if rules.login:
        admins = ", ".join(options.admin) or "nobody (see --admin)"
        sys.stdout.write(f"wordtrace: {address} asks for a login; may delete, rename and stop what others started: {admins}\n")
    else:
        for_all = f"{address}?token={rules.tokens[VISITOR]}" if rules.token_needed else address
        sys.stdout.write(
            f"wordtrace: for everybody: {for_all}\n"
            f"wordtrace: for its owner, who may delete, rename and stop what others started: "
            f"{address}?token={rules.tokens[OWNER]}\n"
        )
        if not rules.token_needed:
            sys.stderr.write(
                f"wordtrace: WARNING: --no-token: whoever reaches port {options.port} sees the data, decides and builds\n"
            )
    sys.stdout.flush()


def _configuration(options: argparse.Namespace, names: frozenset[str]) -> dict[str, Any]:
    from pages.ui.frame.door import LOCAL_NAMES

    return {
        "server.port": options.port,
        "server.address": options.host,
        # Otherwise Streamlit opens the browser, and then shows its own advertisements on every page, too.
        "server.headless": True,
        "server.allowedHosts": sorted(LOCAL_NAMES | names),
    }


def _open_when_it_answers(host: str, port: int, query: str) -> None:
    """Open the home page as soon as the server listens; give up after a minute."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    for _ in range(600):
        try:
            socket.create_connection((name, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            webbrowser.open(f"http://{f'[{name}]' if ':' in name else name}:{port}/{query}")
            return


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_free(host: str, port: int) -> None:
    """Streamlit would go on to the next port without a word; whoever asked for this one should hear."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        _refuse(f"--host {host!r}: no such address here")
    except OverflowError:
        _refuse(f"--port {port}: must be between 1 and 65535")
    except OSError as error:
        _refuse(f"port {port} on {host} cannot be had ({error.strerror}); choose another with --port")


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"wordtrace: {message}\n")
    raise SystemExit(2)


if __name__ == "__main__":
    main()
