"""The app behind a content-security policy; started by `python -m influence serve` as a process of its own.

Streamlit alone (`streamlit run app.py`) serves the same pages without the policy.
"""

import argparse
import base64
import hashlib
import ipaddress
import os
import re
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[3]
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
    # This file's folder is on the path because it was run as a script; its modules are not top-level ones.
    sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry != str(Path(__file__).parent))]
    options = _options()
    root = Path(options.workspace_root)
    if not root.is_dir():
        make = f"python -m influence demo --workspace {root}/demo"
        _refuse(f"--workspace-root {options.workspace_root!r}: there is no such folder; make one with: {make}")
    if not 1 <= options.port <= 65535:
        _refuse(f"--port {options.port}: must be between 1 and 65535")
    _check_free(options.host, options.port)
    os.environ["WORDTRACE_WORKSPACES"] = str(root.resolve())
    if options.state:
        os.environ["WORDTRACE_STATE"] = str(Path(options.state).absolute())
    _check_state(root)
    # Streamlit looks for its configuration beside the script that was started.
    sys.argv = [str(ROOT / "app.py")]

    import streamlit as st
    from starlette.middleware import Middleware

    if options.open:
        threading.Thread(target=_open_when_it_answers, args=(options.host, options.port), daemon=True).start()
    app = st.App(ROOT / "app.py", middleware=[Middleware(SecurityHeaders, headers=security_headers())])
    app.run(config=_configuration(options))


def _options() -> argparse.Namespace:
    from influence.cli import add_serve_arguments

    parser = argparse.ArgumentParser(prog="influence serve", description="serve the app behind a content-security policy")
    add_serve_arguments(parser)
    return parser.parse_args()


def _check_state(root: Path) -> None:
    from influence import WorkspaceError
    from pages.ui.frame import state

    try:
        state.made_for(root, among=root)
    except WorkspaceError as error:
        _refuse(str(error))


def _configuration(options: argparse.Namespace) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "server.port": options.port,
        "server.address": options.host,
        # Otherwise Streamlit opens the browser, and then shows its own advertisements on every page, too.
        "server.headless": True,
    }
    if not _is_local(options.host):
        # A wildcard address is reached under names we cannot know; any other is the one name to expect.
        wildcard = options.host in ("0.0.0.0", "::")
        configuration["server.allowedHosts"] = ["*"] if wildcard else [options.host, "localhost", "127.0.0.1"]
        sys.stderr.write(f"wordtrace: listening on {options.host}: whoever reaches this port sees the data\n")
    return configuration


def _open_when_it_answers(host: str, port: int) -> None:
    """Open the home page as soon as the server listens; give up after a minute."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    for _ in range(600):
        try:
            socket.create_connection((name, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            webbrowser.open(f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/")
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
