"""How fast Review answers: decisions by keyboard alone, from the key to the next example, in a real browser.

    python tests/benchmarks/review_latency.py [--workspace DIR] [--decisions 30]

The clock is the browser's own: from the key's event to the first animation frame that shows the next example's text
with its own buttons under it. Decisions go to a copy of the workspace. Needs chromium and playwright; not part of the
test suite.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
KEYS = "k12xfs"
READING = 0.8  # seconds that the reviewer looks at each example
# Starts a clock at the next key and stops it when another example stands there with buttons of its own.
CLOCK = """() => {
  const text = () => {
    for (const host of document.querySelectorAll("*")) {
      const found = host.shadowRoot?.querySelector(".facts .id");
      if (found) return found.textContent;
    }
    return null;
  };
  const button = () => document.querySelector('[class*="st-key-keep_"]')?.className;
  const before = [text(), button()];
  window.took = new Promise((resolve) => {
    window.addEventListener("keydown", () => {
      const start = performance.now();
      const frame = () => {
        if (text() !== before[0] && text() && button() !== before[1] && button()) resolve(performance.now() - start);
        else requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    }, { capture: true, once: true });
  });
}"""


def main() -> None:
    """Start the server, decide, print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", default=str(ROOT / "workspaces" / "demo"))
    parser.add_argument("--decisions", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = _copy(Path(options.workspace).resolve(), Path(folder))
        port = _free_port()
        command = [sys.executable, ROOT / "pages" / "ui" / "frame" / "server.py", "--workspace-root", folder, "--port", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port)
            times = _measure(f"http://127.0.0.1:{port}", copy.name, options.decisions)
        finally:
            server.terminate()
            server.wait()
    _report(times, copy.name, as_json=options.json)


def _copy(workspace: Path, folder: Path) -> Path:
    """The workspace with reviews of its own."""
    copy = folder / workspace.name
    copy.mkdir()
    shutil.copy(workspace / "workspace.json", copy / "workspace.json")
    shutil.copytree(workspace / "builds", copy / "builds")
    return copy


def _measure(address: str, workspace: str, decisions: int) -> list[float]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "wordtrace_reviewer", "value": "Benchmark", "url": address}])
        page = context.new_page()
        page.goto(f"{address}/review?workspace={workspace}")
        start = page.locator(".st-key-source_suspects button, .st-key-source_contradicted button").first
        start.click(timeout=60_000)
        page.locator(".whole").wait_for(timeout=60_000)
        time.sleep(2)
        times = [_decide(page, KEYS[number % len(KEYS)]) for number in range(decisions)]
        browser.close()
    return times


def _decide(page: Page, key: str) -> float:
    page.evaluate(CLOCK)
    page.keyboard.press(key)
    took: Any = page.evaluate("() => window.took")
    time.sleep(READING)
    return float(took)


def _report(times: list[float], workspace: str, *, as_json: bool) -> None:
    ranked = sorted(times)
    found = {"median": statistics.median(times), "p90": ranked[int(0.9 * (len(times) - 1))], "most": ranked[-1]}
    if as_json:
        print(json.dumps({"workspace": workspace, "decisions": len(times), **found}))
        return
    print(f"workspace {workspace}: {len(times)} decisions by keyboard, milliseconds from the key to the next example on screen")
    print("  ".join(f"{name} {value:.0f}" for name, value in found.items()))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
