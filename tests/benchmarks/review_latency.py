"""How fast Review answers: decisions by keyboard alone, from the key to the next example, in a real browser.

    python tests/benchmarks/review_latency.py [--workspace DIR] [--decisions 30]

The clock is the browser's own: from the key's event to the first animation frame that shows the next example's text, and to the
frame that calls the decision saved. Decisions go to a copy of the workspace. Needs chromium and playwright; not part of the
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

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
KEYS = "k12xfs"
READING = 0.8  # seconds that the reviewer looks at each example
# Starts a clock at the next key; reads it at the first frame with another example, and again once the decision is on disk.
CLOCK = """() => {
  const find = (selector) => {
    for (const host of document.querySelectorAll("*")) {
      const found = host.shadowRoot?.querySelector(selector);
      if (found) return found.textContent;
    }
    return null;
  };
  const before = find(".facts .id");
  window.took = new Promise((resolve) => {
    const stop = Event.prototype.stopImmediatePropagation; // the deck hears keys first, and stops those that it takes
    Event.prototype.stopImmediatePropagation = function () {
      stop.call(this);
      Event.prototype.stopImmediatePropagation = stop;
      let shown = null;
      const frame = () => {
        const now = performance.now() - this.timeStamp;
        if (shown === null && find(".facts .id") !== before && find(".facts .id")) shown = now;
        if (shown !== null && find(".status")?.startsWith("Saved") && find(".chip .quiet") === before) resolve([shown, now]);
        else requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    };
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


def _measure(address: str, workspace: str, decisions: int) -> list[tuple[float, float]]:
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


def _decide(page: Page, key: str) -> tuple[float, float]:
    """Milliseconds until the next example was on screen, and until the decision was called saved."""
    page.evaluate(CLOCK)
    page.keyboard.press(key)
    shown, saved = page.evaluate("() => window.took")
    time.sleep(READING)
    return float(shown), float(saved)


def _report(times: list[tuple[float, float]], workspace: str, *, as_json: bool) -> None:
    found = {}
    for name, values in zip(("next on screen", "saved"), zip(*times, strict=True), strict=True):
        ranked = sorted(values)
        found[name] = {"median": statistics.median(values), "p90": ranked[int(0.9 * (len(ranked) - 1))], "most": ranked[-1]}
    if as_json:
        print(json.dumps({"workspace": workspace, "decisions": len(times), **found}))
        return
    print(f"workspace {workspace}: {len(times)} decisions by keyboard, milliseconds from the key")
    for name, figures in found.items():
        print(f"{name:16}", "  ".join(f"{figure} {value:.0f}" for figure, value in figures.items()))


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
