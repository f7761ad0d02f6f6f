"""How fast Explore answers: from a click to the changed page, in a real browser, medians.

    python tests/benchmarks/explore_latency.py [--workspace DIR] [--repeats 15]

The clock starts in the page as the click (or key) is dispatched and stops in the first animation frame in which the page
shows the answer, both by the browser's own clock. Needs chromium and playwright; not part of the test suite.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
# Runs `act` and waits, frame by frame, until `changed` is true; resolves to milliseconds.
CLOCK = """([act, changed]) => new Promise((resolve, reject) => {
  const deep = (selector) => {
    const found = [...document.querySelectorAll(selector)];
    for (const host of document.querySelectorAll("*"))
      if (host.shadowRoot) found.push(...host.shadowRoot.querySelectorAll(selector));
    return found;
  };
  const button = (name) => [...document.querySelectorAll("button")].find((b) => b.innerText.includes(name) && !b.disabled);
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, code: "Key" + key.toUpperCase(),
    keyCode: key.toUpperCase().charCodeAt(0), bubbles: true}));
  const title = () => deep(".query header b")[0]?.textContent ?? "";
  const done = new Function("deep", "title", "return " + changed).bind(null, deep, title);
  const before = window.before = {title: title(), cards: deep(".card").length, first: deep(".card .id")[0]?.textContent};
  const start = performance.now();
  new Function("deep", "button", "press", act)(deep, button, press);
  const frame = () => {
    if (done()) resolve(performance.now() - start);
    else if (performance.now() - start > 20000) reject("no answer in 20 s to " + act);
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""
NEXT = "title() && title() !== window.before.title && deep('.card').length"
STEPS: list[tuple[str, str, str, str]] = [  # name, starting address, what is done, when it is answered
    ("open a sentence from the list", "?", "deep('.row')[NUMBER].click()", "deep('.card').length"),
    ("next sentence (button)", "?id=FIRST", "button('Next').click()", NEXT),
    ("next sentence (key J)", "?id=FIRST", "press('j')", NEXT),
    (
        "pin a card: its charts",
        "?id=FIRST",
        "deep('.card')[NUMBER].dispatchEvent(new MouseEvent('click', {bubbles: true}))",
        "document.querySelector('.st-key-wt-pinned .js-plotly-plot .bars') && "
        "document.querySelector('.st-key-wt-pinned .wt-heading').innerText.includes(deep('.card.pinned .id')[0]?.textContent)",
    ),
    ("show 10 more on each side", "?id=FIRST", "button('Show 10 more').click()", "deep('.card').length > window.before.cards"),
    ("back to the list", "?id=FIRST", "button('All ').click()", "deep('.row').length"),
    ("next page of the list", "?", "document.querySelector('[data-testid=stPagination] button:last-of-type').click()",
     "deep('.row .id')[0] && deep('.row .id')[0].textContent !== 'FIRST'"),
]  # fmt: skip


def main() -> None:
    """Start the server, measure every step, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", default=str(ROOT / "workspaces" / "demo"))
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    workspace = Path(options.workspace).resolve()
    port = _free_port()
    server = subprocess.Popen(
        [
            sys.executable,
            ROOT / "pages" / "ui" / "frame" / "server.py",
            "--workspace-root",
            workspace.parent,
            "--port",
            str(port),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            _measure(page, f"http://127.0.0.1:{port}/explore", workspace.name, options.repeats)
            browser.close()
    finally:
        server.terminate()
        server.wait()


def _measure(page: Page, base: str, workspace: str, repeats: int) -> None:
    page.goto(f"{base}?workspace={workspace}")
    page.locator(".row").first.wait_for(timeout=60_000)
    first = page.locator(".row .id").first.text_content() or ""
    print(f"workspace {workspace}: milliseconds from the click to the answer on screen, {repeats} times each")
    print(f"{'':34}{'median':>8}{'p90':>8}{'most':>8}")
    for name, address, act, changed in STEPS:
        times = [_time(page, base, workspace, first, number, address, act, changed) for number in range(repeats)]
        ninth = sorted(times)[int(0.9 * (len(times) - 1))]
        print(f"{name:34}{statistics.median(times):8.0f}{ninth:8.0f}{max(times):8.0f}", flush=True)
    for name, prepare in (("hover a card: words lit", _hover),):
        times = [prepare(page, base, workspace, first, number) for number in range(repeats)]
        print(f"{name:34}{statistics.median(times):8.0f}{sorted(times)[int(0.9 * (len(times) - 1))]:8.0f}{max(times):8.0f}")


def _time(page: Page, base: str, workspace: str, first: str, number: int, address: str, act: str, changed: str) -> float:
    if number == 0 or "FIRST" not in address or ("Next" not in act and "press" not in act):
        separator = "&" if len(address) > 1 else ""
        page.goto(f"{base}{address.replace('FIRST', first)}{separator}workspace={workspace}")
    _settle(page, ".row" if address == "?" else ".card")
    fill: Callable[[str], str] = lambda text: text.replace("NUMBER", str(number)).replace("FIRST", first)  # noqa: E731
    return float(page.evaluate(CLOCK, [fill(act), fill(changed)]))


def _hover(page: Page, base: str, workspace: str, first: str, number: int) -> float:
    if number == 0:
        page.goto(f"{base}?workspace={workspace}&id={first}")
    _settle(page, ".card")
    act = f"deep('.card')[{number}].dispatchEvent(new MouseEvent('mouseenter'))"
    return float(page.evaluate(CLOCK, [act, "deep('.query .caption')[0].textContent.includes('shared with')"]))


def _settle(page: Page, selector: str) -> None:
    page.locator(selector).first.wait_for(timeout=60_000)
    page.locator("[data-testid=stStatusWidget]").wait_for(state="detached", timeout=60_000)
    if selector == ".card":
        page.locator(".js-plotly-plot").first.wait_for(timeout=60_000)
    time.sleep(0.5)


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
