"""Who is let in: names, origins and tokens on raw sockets, and what a visitor may not do in a real browser."""

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import ROOT, serve, shown, stop

from pages.ui.frame import access, state
from pages.ui.frame.door import _is_logged_in
from pages.ui.frame.shell import PAGES

NAME = "wordtrace.example"
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)  # fmt: skip
STREAM = "/_stcore/stream"
PATHS = ["/", "/review", "/data_and_runs?part=workspaces", "/media/x.csv", "/static/nothing.js", "/_stcore/host-config"]
CLOSED = ["/_stcore/health", "/_stcore/metrics", "/_stcore/script-health-check"]
UPLOAD = ("PUT", "/_stcore/upload_file/session/file")
BEYOND = "X-Forwarded-For: 203.0.113.9\r\n"  # as a proxy says it


class Served:
    """A server, the port it listens on, and the tokens that it has printed."""

    def __init__(self, address: str, output: Path) -> None:
        self.port, self.said = urlsplit(address).port, output.read_text()
        self.tokens = re.findall(r"token=([\w-]+)", self.said)

    def ask(self, path: str, *, host: str | None = NAME, method: str = "GET", more: str = "", cookie: str = "") -> "Answer":
        """One request, word for word."""
        lines = f"Host: {host}\r\n" if host is not None else ""
        lines += more + (f"Cookie: {cookie}\r\n" if cookie else "") + ("" if "Upgrade" in more else "Connection: close\r\n")
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(f"{method} {path} HTTP/1.1\r\n{lines}Content-Length: 0\r\n\r\n".encode("latin-1"))
            received = b""
            # What was upgraded stays open; all else ends.
            while ("Upgrade" not in more or b"\r\n\r\n" not in received) and (part := connection.recv(65536)):
                received += part
        return Answer(received.decode("latin-1"))


class Answer:
    """The status and headers of an answer."""

    def __init__(self, text: str) -> None:
        head, _, self.body = text.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        self.status = int(first.split()[1])
        self.headers = [tuple(line.split(": ", 1)) for line in lines]

    def header(self, name: str) -> str:
        return next((value for there, value in self.headers if there.lower() == name), "")

    @property
    def cookies(self) -> dict[str, str]:
        found = [value.split(";")[0].split("=", 1) for name, value in self.headers if name.lower() == "set-cookie"]
        return {name: value for name, value in found if name.startswith("wordtrace_")}


@pytest.fixture(scope="module")
def door(workspaces: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that is reached under a name, through a proxy on this machine."""
    output = tmp_path_factory.mktemp("door") / "said"
    process, address = serve(workspaces, "--allowed-host", NAME, output=output)
    yield Served(address, output)
    stop(process)


def test_two_addresses_are_printed_the_same_from_start_to_start(door, workspaces):
    place = state.place_of(workspaces, among=workspaces)
    kept = json.loads((place / "tokens.json").read_text())
    assert door.tokens == [kept[access.VISITOR], kept[access.OWNER]]
    assert all(len(token) >= 32 for token in door.tokens)
    assert len(set(door.tokens)) == 2
    assert f"http://{NAME}:{door.port}/?token={door.tokens[0]}" in door.said


@pytest.mark.parametrize("more", ["", BEYOND])
@pytest.mark.parametrize("path", [*PATHS, *CLOSED[1:]])
def test_nothing_is_answered_without_a_token(door, path, more):
    answer = door.ask(path, more=more)
    assert answer.status in ((404,) if more and path in CLOSED else (401,))
    assert "token" in answer.body or answer.body == "Not found"
    assert "set-cookie" not in [name.lower() for name, _ in answer.headers]
    assert answer.header("content-security-policy")
    for wrong in ("x", "", door.tokens[0][:-1], door.tokens[0].swapcase()):
        assert door.ask(path, more=more, cookie=f"wordtrace_token_{door.port}={wrong}").status == answer.status
        assert door.ask(path, more=more, cookie=f"wordtrace_token_{door.port}={door.tokens[0]}").status == answer.status


def test_nothing_is_taken_without_a_token(door):
    assert door.ask(UPLOAD[1], method=UPLOAD[0]).status == 401
    assert door.ask(STREAM, more=f"{UPGRADE}Origin: https://{NAME}\r\n").status == 403
    assert door.ask("/?token=wrong").status == 403
    assert door.ask("/?token=").status == 403
    assert door.ask("/?token=%00%ff").status == 403


def cookie_of(door: Served, token: str) -> str:
    answer = door.ask(f"/?token={token}")
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


@pytest.mark.parametrize("which", [0, 1])
def test_a_token_becomes_a_cookie_and_leaves_the_address(door, which):
    answer = door.ask(f"/explore?workspace=a%20b&token={door.tokens[which]}&id=%C3%A9")
    assert answer.status == 303
    assert answer.header("location") == "/explore?workspace=a+b&id=%C3%A9"
    [cookie] = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert door.tokens[which] not in cookie
    assert answer.header("cache-control") == "no-store"
    kept = cookie_of(door, door.tokens[which])
    page = door.ask("/", cookie=kept)
    assert page.status == 200
    assert list(page.cookies) == [f"wordtrace_visitor_{door.port}"]
    kept += "; " + "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    assert door.ask(STREAM, more=f"{UPGRADE}Origin: https://{NAME}\r\n", cookie=kept).status == 101
    assert door.ask("/_stcore/health", more=BEYOND, cookie=kept).status == 200
    assert [door.ask(path, more=BEYOND, cookie=kept).status for path in CLOSED[1:]] == [404, 404]


def test_over_tls_the_cookie_is_for_tls_alone(door):
    answer = door.ask(f"/?token={door.tokens[0]}", more="X-Forwarded-Proto: https\r\n")
    assert "; Secure" in answer.header("set-cookie")


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "///evil.example"])
def test_a_token_sends_nobody_to_another_server(door, path):
    where = door.ask(f"{path}?token={door.tokens[0]}").header("location")
    assert re.fullmatch(r"/[^/\\].*", where)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "wordtrace.example.evil.example", "evil.wordtrace.example", "", None, "wordtrace.example@evil.example",
        "evil.example@wordtrace.example", "wordtrace.example/x", "wordtrace.example:x", "[::1", "127.0.0.1.evil.example",
    ],
)  # fmt: skip
def test_other_names_are_not_answered(door, host):
    """Such as one that was made to lead to this machine, whose pages could then read what is here."""
    kept = cookie_of(door, door.tokens[1])
    for path in ("/", "/_stcore/health", STREAM):
        assert door.ask(path, host=host, cookie=kept, more=UPGRADE if path == STREAM else "").status in (400, 403)


@pytest.mark.parametrize(
    "host", [NAME, f"{NAME}:443", f"{NAME}:8501", NAME.upper(), f"{NAME}.", "localhost", "127.0.0.1", "[::1]:80"]
)
def test_its_own_names_are(door, host):
    assert door.ask("/", host=host, cookie=cookie_of(door, door.tokens[0])).status == 200


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (f"https://{NAME}", NAME, True),
        (f"http://{NAME}:8501", f"{NAME}:8501", True),
        (f"https://{NAME}", "127.0.0.1:8501", True),  # a proxy that says its own name for us
        (f"https://{NAME}:444", NAME, False),
        ("http://localhost:3000", "localhost:8501", False),  # another program on this machine
        ("https://evil.example", NAME, False),
        (f"https://{NAME}.evil.example", NAME, False),
        (f"https://evil.example@{NAME}", NAME, False),
        ("null", NAME, False),
        ("file://", NAME, False),
        ("", NAME, False),
    ],
)
def test_scripts_of_other_pages_get_nothing(door, origin, host, allowed):
    kept = cookie_of(door, door.tokens[1])
    more = f"Origin: {origin}\r\n"
    assert door.ask(STREAM, host=host, more=UPGRADE + more, cookie=kept).status == (101 if allowed else 403)
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert (door.ask("/_stcore/host-config", host=host, method=method, more=more, cookie=kept).status == 403) != allowed
    twice = f"Origin: https://{NAME}\r\n" * 2
    assert door.ask(STREAM, more=UPGRADE + twice, cookie=kept).status in (400, 403)


@pytest.mark.parametrize("host", ["evil.example", "wordtrace.example"])
def test_on_this_machine_too_other_names_are_not_answered(server, host, tmp_path):
    (tmp_path / "said").touch()
    served = Served(server, tmp_path / "said")
    assert {served.ask(path, host=host).status for path in (*PATHS, *CLOSED)} == {403}
    assert served.ask(STREAM, host=host, more=UPGRADE).status == 403
    assert served.ask(STREAM, host="localhost", more=f"{UPGRADE}Origin: http://evil.example\r\n").status == 403
    assert served.ask("/", host=f"localhost:{served.port}").status == 200
    assert served.ask("/_stcore/metrics", host="localhost", more=BEYOND).status == 404


# Starting it ------------------------------------------------------------------------------------------------------------


def refused(workspaces: Path, *options: str) -> str:
    command = [sys.executable, "-m", "influence", "serve", "--workspace-root", str(workspaces), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--allowed-host NAME"),
        (["--host", "::"], "--allowed-host NAME"),
        (["--host", "0.0.0.0", "--allowed-host", "*"], "--allowed-host '*'"),
        (["--host", "0.0.0.0", "--allowed-host", "https://a.example/"], "without scheme, port or star"),
        (["--allowed-host", "a.example:80"], "without scheme, port or star"),
        (["--admin", "ann@example.org"], "none is set up"),
        (["--state", "{root}/state"], "lies among the workspaces"),
    ],
)
def test_what_cannot_be_served_is_one_line(workspaces, options, said):
    assert said in refused(workspaces, *[option.format(root=workspaces) for option in options])


def test_without_a_token_is_said_loudly_and_new_ones_end_the_old(workspaces, tmp_path):
    shutil.copytree(workspaces, tmp_path / "root")
    known = []
    for options in (["--no-token"], ["--new-tokens"]):
        process, address = serve(tmp_path / "root", "--allowed-host", NAME, *options, output=tmp_path / "said")
        try:
            served = Served(address, tmp_path / "said")
            assert ("WARNING" in served.said) == ("--no-token" in options)
            assert served.ask("/").status == (200 if "--no-token" in options else 401)
            known.append(served.tokens)
            if len(known) == 2:
                assert served.ask(f"/?token={known[0][0]}").status == 403
        finally:
            stop(process)
    assert [len(tokens) for tokens in known] == [1, 2]  # without a token needed there is still the owner's
    assert not set(known[0]) & set(known[1])


# What a visitor may do --------------------------------------------------------------------------------------------------


@pytest.fixture
def as_visitor(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The headers that the door has put on, which a test may change."""
    headers = {access.ROLE_HEADER: access.VISITOR, access.VISITOR_HEADER: "one"}
    monkeypatch.setattr(access, "_policy", access.Policy(beyond=True))
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.headers", property(lambda _: headers))
    return headers


def test_a_visitor_deletes_and_renames_nothing(open_page, workspaces, tmp_path, as_visitor):
    shutil.copytree(workspaces, tmp_path / "root")
    app = open_page("data_and_runs", root=tmp_path / "root", part="workspaces")
    assert not app.exception
    assert {name: app.button(key=f"ws_{name}_tiny").disabled for name in ("delete", "rename", "backup")} == {
        "delete": True, "rename": True, "backup": False,
    }  # fmt: skip
    as_visitor[access.ROLE_HEADER] = access.OWNER
    app = open_page("data_and_runs", root=tmp_path / "root", part="workspaces")
    assert not app.button(key="ws_delete_tiny").disabled


def test_a_visitor_stops_what_they_have_started_and_no_more(as_visitor):
    mine = access.who()
    assert mine
    assert access.may_stop(mine)
    as_visitor[access.VISITOR_HEADER] = "two"
    assert not access.may_stop(mine)
    assert not access.may_stop("")
    called = []
    access.checked(lambda: access.may_stop(mine), lambda: called.append(1))()
    assert called == []
    as_visitor[access.ROLE_HEADER] = access.OWNER
    access.checked(lambda: access.may_stop(mine), lambda: called.append(1))()
    assert called == [1]


@pytest.mark.parametrize(
    ("login", "owner"),
    [
        ({}, False),
        ({"is_logged_in": False, "email": "ann@example.org"}, False),
        ({"is_logged_in": True, "email": "Ann@Example.org"}, True),
        ({"is_logged_in": True, "email": "ann@example.org", "email_verified": False}, False),
        ({"is_logged_in": True, "email": "bob@example.org", "name": "ann@example.org"}, False),
        ({"is_logged_in": True, "sub": "subject-7"}, True),
    ],
)
def test_with_a_login_the_named_ones_are_owners(monkeypatch, login, owner):
    policy = access.Policy(beyond=True, login=True, admins=frozenset({"ann@example.org", "subject-7"}))
    monkeypatch.setattr(access, "_policy", policy)
    monkeypatch.setattr("streamlit.user_info.UserInfoProxy.to_dict", lambda _: login)
    assert access.is_owner() is owner
    assert access.login_missing() is not login.get("is_logged_in", False)


def test_a_login_is_one_that_streamlit_has_signed():
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

    def signed(content: str, secret: str) -> dict[str, str]:
        return {"_streamlit_user": create_signed_value(secret, "_streamlit_user", content).decode()}

    ours = get_cookie_secret() or "x"
    assert _is_logged_in(signed('{"is_logged_in": true}', ours))
    assert not _is_logged_in(signed('{"is_logged_in": false}', ours))
    assert not _is_logged_in(signed('{"is_logged_in": true}', "guessed"))
    assert not _is_logged_in({"_streamlit_user": '{"is_logged_in": true}'})
    assert not _is_logged_in({})


def test_nothing_is_shown_to_whoever_has_not_logged_in(open_page, monkeypatch):
    monkeypatch.setattr(access, "_policy", access.Policy(beyond=True, login=True))
    for page in PAGES:
        app = open_page(page)
        assert not app.exception
        assert [button.label for button in app.button] == ["Log in"]
        assert "tiny" not in shown(app)


@pytest.mark.slow
def test_in_a_browser_the_printed_address_opens_the_app_and_no_other_does(door, browser):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://localhost:{door.port}/")
    assert "asks for a token" in page.inner_text("body")
    page.goto(f"http://localhost:{door.port}/data_and_runs?part=workspaces&token={door.tokens[0]}")
    page.get_by_role("button", name="Delete").wait_for(timeout=60_000)
    assert "token" not in page.url
    assert page.get_by_role("button", name="Delete").is_disabled()
    assert page.evaluate("document.cookie").count("wordtrace_token") == 0
    page.goto(f"http://localhost:{door.port}/data_and_runs?part=workspaces&token={door.tokens[1]}")
    page.get_by_role("button", name="Delete").wait_for(timeout=60_000)
    assert page.get_by_role("button", name="Delete").is_enabled()
    context.close()
