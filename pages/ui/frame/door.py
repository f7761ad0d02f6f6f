"""What stands before the app: under which names it answers, to which pages' scripts, and to whom.

A page of another site can have its visitor's browser send requests here (and, where its name is made to lead to this
machine, read the answers): so names and origins are checked on this machine, too. Beyond it a token is asked for, which
comes in the address once and is kept in a cookie that no script can read.
"""

import hashlib
import hmac
import ipaddress
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pages.ui.frame.access import ROLE_HEADER, VISITOR, VISITOR_HEADER

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
PARAMETER = "token"
MONTH = 30 * 24 * 3600  # seconds
FORWARDED = {"forwarded", "x-forwarded-for", "x-real-ip"}
INNER = ("/_stcore/metrics", "/_stcore/script-health-check")  # nothing of ours asks for them
HEALTH = "/_stcore/health"  # asked for by every page that has lost its server
NEEDS_LOGIN = ("/media/", "/_stcore/upload_file/")  # all else that is worth anything comes through the pages

Scope = dict[str, Any]


@dataclass(frozen=True)
class Rules:
    """Whom a server answers. `names`: the host names that it has been told of, besides this machine's own."""

    port: int
    names: frozenset[str] = frozenset()
    beyond: bool = False
    login: bool = False
    tokens: Mapping[str, str] = field(default_factory=dict)  # by role
    token_needed: bool = False


class Door:
    """ASGI middleware that lets through what the rules allow, and says of it who it is."""

    def __init__(self, app: Any, rules: Rules) -> None:
        self.app, self.rules = app, rules
        self.cookie, self.visitor = f"wordtrace_token_{rules.port}", f"wordtrace_visitor_{rules.port}"

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, send it on without its token, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = _Headers(scope)
        refusal = self._foreign(headers)
        if refusal is None and scope["type"] == "http" and self.rules.tokens and (given := _given(scope)) is not None:
            await self._take(given, scope, headers, send)
            return
        role, visitor = self._role(headers), headers.cookies.get(self.visitor, "")
        if refusal := refusal or self._closed(scope, headers, role, visitor):
            await _refuse(scope, send, *refusal)
            return
        new = secrets.token_hex(16) if self.rules.beyond and not visitor else ""
        passed = headers.passed_on({ROLE_HEADER: role, VISITOR_HEADER: visitor or new}, same_origin=scope["type"] == "websocket")

        async def send_with_cookie(message: Any) -> None:
            if new and message["type"] == "http.response.start" and _is_page(message):
                message = {**message, "headers": [*message["headers"], self._set(self.visitor, new, headers)]}
            await send(message)

        await self.app({**scope, "headers": passed}, receive, send_with_cookie if scope["type"] == "http" else send)

    def _foreign(self, headers: "_Headers") -> tuple[int, str] | None:
        """Why a request does not come from a page of ours; None where it may."""
        known = LOCAL_NAMES | self.rules.names
        host = _name_and_port(headers.only("host"))
        if host is None or host[0] not in known:
            return 403, "This server does not answer under that name. Start it with --allowed-host NAME for each name it has."
        if "origin" not in headers.all:
            return None
        split = urlsplit(headers.only("origin") or "")
        there = _name_and_port(split.netloc) if split.scheme in ("http", "https") else None
        # A proxy may give us another name than the browser knows; a page on another port of this machine is not ours.
        if there is None or (there != host and not (there[0] in self.rules.names and there[1] is None)):
            return 403, "This request comes from a page of another server."
        return None

    def _closed(self, scope: Scope, headers: "_Headers", role: str, visitor: str) -> tuple[int, str] | None:
        """Why a request of nobody in particular is not answered; None where it is."""
        path = str(scope["path"])
        if path.startswith(INNER) and not headers.near(scope):
            return 404, "Not found"
        if not self.rules.beyond or (path == HEALTH and headers.near(scope)):
            return None
        if self.rules.token_needed and not role:
            return 401, "This server asks for a token. Open the address that it printed when it was started."
        if path == HEALTH and not visitor:
            return 404, "Not found"
        if self.rules.login and path.startswith(NEEDS_LOGIN) and not _is_logged_in(headers.cookies):
            return 401, "Log in first."
        return None

    def _role(self, headers: "_Headers") -> str:
        """The role that the cookie proves; where no token is needed, a visitor's, and "" for nobody known."""
        shown = headers.cookies.get(self.cookie, "").encode()
        for role, token in self.rules.tokens.items():
            if hmac.compare_digest(shown, proof(token).encode()):
                return role
        return "" if self.rules.token_needed else VISITOR

    async def _take(self, given: str, scope: Scope, headers: "_Headers", send: Any) -> None:
        """A token in the address: where it is one of ours, the browser is sent to the same address without it."""
        for role, token in self.rules.tokens.items():
            if hmac.compare_digest(given.encode(), token.encode()):
                rest = [pair for pair in _parameters(scope) if pair[0] != PARAMETER]
                address = "/" + quote(str(scope["path"]).lstrip("/\\")) + (f"?{urlencode(rest)}" if rest else "")
                cookie = self._set(self.cookie, proof(self.rules.tokens[role]), headers)
                await _answer(send, 303, "", [(b"location", address.encode()), cookie])
                return
        await _refuse(scope, send, 403, "That token is not one of this server's. Ask whoever runs it for its address.")

    def _set(self, name: str, value: str, headers: "_Headers") -> tuple[bytes, bytes]:
        secure = "; Secure" if headers.only("x-forwarded-proto") == "https" else ""
        return b"set-cookie", f"{name}={value}; Path=/; Max-Age={MONTH}; HttpOnly; SameSite=Lax{secure}".encode()


def proof(token: str) -> str:
    """What a browser keeps in the place of a token: it proves that the token was shown, and is none."""
    return hmac.new(token.encode(), b"wordtrace cookie", hashlib.sha256).hexdigest()


class _Headers:
    """A request's headers, by name in small letters."""

    def __init__(self, scope: Scope) -> None:
        self.pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        self.all = {name for name, _ in self.pairs}
        jar: SimpleCookie = SimpleCookie()
        for name, value in self.pairs:
            if name == "cookie":
                for part in value.split(";"):
                    try:
                        jar.load(part.strip())
                    except CookieError:
                        continue  # somebody else's
        self.cookies = {name: morsel.value for name, morsel in jar.items()}

    def only(self, name: str) -> str | None:
        """The value of a header that is there once."""
        found = [value for there, value in self.pairs if there == name]
        return found[0] if len(found) == 1 else None

    def near(self, scope: Scope) -> bool:
        """Whether a request comes from this machine, and through no proxy."""
        client = scope.get("client")
        try:
            return client is not None and ipaddress.ip_address(client[0]).is_loopback and not self.all & FORWARDED
        except ValueError:
            return False

    def passed_on(self, ours: Mapping[str, str], *, same_origin: bool) -> list[tuple[bytes, bytes]]:
        """The headers with ours in the place of any that came; with the origin's host, for it has been checked here."""
        replaced = dict(ours)
        if same_origin and (origin := self.only("origin")):
            replaced["host"] = urlsplit(origin).netloc
        kept = [(name, value) for name, value in self.pairs if name not in replaced]
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in [*kept, *replaced.items()]]


def _name_and_port(host: str | None) -> tuple[str, int | None] | None:
    """A host header's name, and its port where that is not the usual one; None for one that makes no sense."""
    try:
        split = urlsplit(f"//{host or ''}")
        name, port = split.hostname, split.port
    except ValueError:
        return None
    if not name or split.netloc != host or "@" in split.netloc or split.path or split.query or split.fragment:
        return None
    return name.lower().rstrip("."), None if port in (80, 443) else port


def _parameters(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _given(scope: Scope) -> str | None:
    """The token in the address of a page; None where there is none."""
    return dict(_parameters(scope)).get(PARAMETER) if scope["method"] in ("GET", "HEAD") else None


def _is_page(message: Any) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"])


def _is_logged_in(cookies: Mapping[str, str]) -> bool:
    """Whether the cookies hold a login that Streamlit has signed."""
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
    from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks

    try:
        return bool(json.loads(_get_signed_cookie_with_chunks(dict(cookies), USER_COOKIE_NAME) or b"{}").get("is_logged_in"))
    except Exception:  # whatever was sent, it is no login
        return False


async def _refuse(scope: Scope, send: Any, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
    else:
        await _answer(send, status, why, [])


async def _answer(send: Any, status: int, body: str, headers: list[tuple[bytes, bytes]]) -> None:
    content = body.encode()
    ours = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    ours.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": [*ours, *headers]})
    await send({"type": "http.response.body", "body": content})
