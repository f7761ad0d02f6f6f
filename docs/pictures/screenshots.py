"""Takes the README's screenshots of the demo workspace: python docs/pictures/screenshots.py [--workspace-root DIR]

Needs the demo (`make app` builds it), playwright and chromium (its path in CHROMIUM if not /usr/bin/chromium).
"""

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "assets" / "readme"
SERVER = ROOT / "pages" / "ui" / "frame" / "server.py"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
SENTENCE = "rt-2756"
SIZE = {"width": 1440, "height": 900}


def main() -> None:
    """Serve the workspaces and photograph Explore."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace-root", default=str(ROOT / "workspaces"))
    options = parser.parse_args()
    with served(Path(options.workspace_root)) as address, chromium(SIZE) as page:
        _explore(page, f"{address}/explore?workspace=demo", PICTURES / "explore.png")


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of a server on a folder of workspaces."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(SERVER), "--workspace-root", str(root), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def chromium(size: dict[str, int]) -> Iterator[Any]:
    """A page of a headless Chromium, in the light theme."""
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser.new_page(viewport=size, color_scheme="light", accept_downloads=True)
        browser.close()


def _explore(page: Any, address: str, file: Path) -> None:
    """A praise taken for a complaint, with the strongest opponent open: the sarcasm that "masterpiece" was learnt from."""
    page.goto(f"{address}&id={SENTENCE}")
    page.locator(".column.minus .card").first.click()
    page.locator(".card.pinned .detail").wait_for()
    page.mouse.move(1425, 880)  # where no card is
    page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
    time.sleep(1)  # for the last transition to end
    page.screenshot(path=file)
    sys.stderr.write(f"{file}\n")


def _wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
