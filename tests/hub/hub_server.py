"""A Hub of the tests' own: what huggingface_hub asks for a commit, over real HTTP, with repositories kept in memory.

It answers as the Hub does, as far as these questions go: the paths, status codes, `X-Error-Code` and fields that
huggingface_hub 2.4 reads. Files are taken as regular ones, whole within the commit.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_secretOfTheTests"


class Repository:
    """Branches, and the files at each commit; a commit's number is its name, as long as the Hub's are."""

    def __init__(self, files: dict[str, bytes] | None = None, *, private: bool = False) -> None:
        self.private = private
        self.heads: dict[str, str] = {}
        self.trees: dict[str, dict[str, bytes]] = {}
        self.headers: list[dict[str, Any]] = []  # of the commits that came in
        self.commit("main", files or {})

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        """Put files on top of a branch; the commit's name."""
        name = f"{len(self.trees) + 1:040x}"
        self.trees[name] = {**self.trees.get(self.heads.get(branch, ""), {}), **files}
        self.heads[branch] = name
        return name

    def files(self, revision: str) -> dict[str, bytes]:
        """All files of a branch or a commit."""
        return self.trees[self.heads.get(revision, revision)]


class Hub:
    """The server's state, and how it is to misbehave."""

    def __init__(self) -> None:
        self.address = ""
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []  # method and path of each
        self.token = TOKEN
        self.may_write = True
        self.drop_at = ""  # a word in the path at which the connection is dropped
        self.moves_on = False  # somebody else commits between the look and the commit

    def answer(self, method: str, url: str, token: str | None, body: bytes) -> tuple[int, dict[str, str], Any]:
        """Status, headers, and bytes or what becomes JSON."""
        parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
        path = unquote(parts.path)
        if token != f"Bearer {self.token}":
            return (
                401,
                {"X-Error-Message": "Invalid credentials in Authorization header"},
                {"error": "Invalid credentials in Authorization header"},
            )
        if path == "/api/validate-yaml":
            return 200, {}, {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        for pattern, reply in (("/api/datasets/", self._api), ("/datasets/", self._file)):
            if path.startswith(pattern):
                owner, name, *rest = path.removeprefix(pattern).split("/")
                repository = self.repositories.get(f"{owner}/{name}")
                if repository is None:
                    return 404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, {}
                return reply(method, f"{owner}/{name}", repository, rest, query, body)
        return 404, {}, {"error": f"nothing at {path}"}

    def _create(self, asked: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        assert asked["type"] == "dataset"
        name = f"{asked['organization']}/{asked['name']}"
        self.repositories[name] = Repository(private=asked.get("private") or asked.get("visibility") == "private")
        return 200, {}, {"url": f"/datasets/{name}", "id": name}

    def _file(self, method, name, repository, rest, query, body) -> tuple[int, dict[str, str], Any]:
        assert (method, rest[0]) == ("GET", "resolve")
        found = repository.files(rest[1]).get("/".join(rest[2:]))
        return (404, {"X-Error-Code": "EntryNotFound"}, {}) if found is None else (200, {}, found)

    def _api(self, method, name, repository, rest, query, body) -> tuple[int, dict[str, str], Any]:
        what = rest[0] if rest else "info"
        if method == "POST" and what != "preupload" and not self.may_write:
            return 403, {"X-Error-Message": "You have read access but not the required permissions"}, {}
        if what in ("info", "revision"):
            branch = "/".join(rest[1:]) or "main"
            names = [{"rfilename": file} for file in repository.files(branch)]
            return 200, {}, {"id": name, "sha": repository.heads[branch], "private": repository.private, "siblings": names}
        if what == "refs":
            heads = [{"name": b, "ref": f"refs/heads/{b}", "targetCommit": sha} for b, sha in repository.heads.items()]
            return 200, {}, {"branches": heads, "converts": [], "tags": []}
        branch = "/".join(rest[1:])
        if what == "branch":
            repository.heads[branch] = repository.heads["main"]
            return 200, {}, {}
        if what == "preupload":
            asked = json.loads(body)["files"]
            told = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in asked]
            return 200, {}, {"files": told}
        assert what == "commit"
        return self._commit(name, repository, branch, "create_pr" in query, body)

    def _commit(
        self, name: str, repository: Repository, branch: str, as_request: bool, body: bytes
    ) -> tuple[int, dict[str, str], Any]:
        header, *others = [json.loads(line) for line in body.splitlines()]
        assert header["key"] == "header"
        if self.moves_on:
            repository.commit(branch, {"other.txt": b"of somebody else"})
        if not as_request and header["value"].get("parentCommit") != repository.heads[branch]:
            return 412, {"X-Error-Message": "A commit has happened since"}, {}
        files = {one["value"]["path"]: base64.b64decode(one["value"]["content"]) for one in others if one["key"] == "file"}
        assert len(files) == len(others)
        requests = 1 + sum(head.startswith("refs/pr/") for head in repository.heads)
        if as_request:
            repository.heads[f"refs/pr/{requests}"] = repository.heads[branch]
            branch = f"refs/pr/{requests}"
        made = repository.commit(branch, files)
        repository.headers.append({**header["value"], "to": branch})
        url = f"{self.address}/datasets/{name}"
        request = f"{url}/discussions/{requests}" if as_request else None
        return 200, {}, {"commitUrl": f"{url}/commit/{made}", "commitOid": made, "pullRequestUrl": request}


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """The address at which a Hub answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if hub.drop_at and hub.drop_at in self.path:
                self.close_connection = True
                return
            status, headers, found = hub.answer(self.command, self.path, self.headers.get("Authorization"), body)
            content = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            kind = "application/octet-stream" if isinstance(found, bytes) else "application/json"
            for key, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub.address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
