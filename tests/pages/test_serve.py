"""`python -m influence serve`: its policy, its refusals, and who may talk to it."""

import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from conftest import ROOT, free_port, serve, stop


@pytest.mark.parametrize("path", ["/", "/explore", "/explore?id=test-1", "/_stcore/health", "/static/nothing.js"])
def test_every_answer_carries_the_policy(server, path):
    try:
        headers = urllib.request.urlopen(server + path, timeout=20).headers
    except urllib.error.HTTPError as error:
        headers = error.headers
        error.close()
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 101), ("evil.example", 403)])
def test_a_foreign_host_name_gets_no_websocket(server, host, status):
    import http.client

    port = int(server.rsplit(":", 1)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    upgrade = {
        "Host": f"{host}:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Origin": f"http://{host}:{port}",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
    }  # fmt: skip
    connection.request("GET", "/_stcore/stream", headers=upgrade)
    response = connection.getresponse()
    assert response.status == status
    connection.close()


def test_stopping_the_command_stops_the_server(workspaces):
    process, address = serve(workspaces)
    process.terminate()
    process.wait(timeout=20)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)


@pytest.mark.slow
def test_open_shows_the_home_page_and_nothing_of_streamlits(workspaces, tmp_path, browser):
    """Told that a person sits before it, Streamlit would cover each page with an advertisement."""
    asked = tmp_path / "asked"
    command = tmp_path / "browser"
    command.write_text(f'#!/bin/sh\nprintf %s "$1" > {asked}.new && mv {asked}.new {asked}\n')
    command.chmod(0o755)
    process, address = serve(workspaces, "--open", environment={"BROWSER": str(command)})
    try:
        page = browser.new_page()
        page.goto(address)
        page.get_by_role("link", name="Suspects").first.wait_for(timeout=60_000)
        page.wait_for_timeout(1500)  # it comes a moment after the page
        words = page.inner_text("body")
        page.close()
        for _ in range(100):
            if asked.exists():
                break
            time.sleep(0.1)
    finally:
        stop(process)
    assert asked.read_text() == f"{address}/"
    assert "agents" not in words.lower()
    assert "Streamlit" not in words


def _serve(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "influence", "serve", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def _refused(*options: str) -> str:
    done = _serve(*options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_port_that_is_taken_is_one_line(server, workspaces):
    port = server.rsplit(":", 1)[1]
    assert f"port {port} on 127.0.0.1" in _refused("--workspace-root", str(workspaces), "--port", port)


def test_a_missing_root_is_one_line(tmp_path):
    missing = str(tmp_path / "nowhere")
    assert f"python -m influence demo --workspace {missing}/demo" in _refused(
        "--workspace-root", missing, "--port", str(free_port())
    )


@pytest.mark.parametrize("options", [("--port", "0"), ("--port", "99999"), ("--port", "x"), ("--host", "no such host")])
def test_impossible_addresses_are_one_line(workspaces, options):
    assert options[1] in _refused("--workspace-root", str(workspaces), *options)
