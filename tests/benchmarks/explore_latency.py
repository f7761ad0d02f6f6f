"""How fast Explore answers, and how fast pages change: from a click to the changed page, in a real browser, medians.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
# The sentence is another, and the cards are its own.
NEXT = "title() && title() !== window.before.title && window.wordtrace.board?.about === window.wordtrace.sentence.about"
DRAWN = """document.querySelector('.st-key-wt-nav-KEY-current')
  && document.querySelector('.stApp').dataset.testScriptState === 'notRunning'"""
CHANGED = "window.wordtrace.board.about !== window.asked && window.wordtrace.board.about === window.wordtrace.sentence.about"
READING = 10.0  # seconds with a sentence before another label is asked about
STEPS: list[tuple[str, str, str, str]] = [  # name, starting address, what is done, when it is answered
    ("open a sentence from the list", "?", "deep('.row')[NUMBER].click()", "deep('.card').length"),
    ("next sentence (button)", "?id=FIRST", "button('Next').click()", NEXT),
    ("next sentence (key J)", "?id=FIRST", "press('j')", NEXT),
    (
        "open a card: what makes its score",
        "?id=FIRST",
        "deep('.card')[NUMBER].dispatchEvent(new MouseEvent('click', {bubbles: true}))",
        "deep('.card.pinned .detail .part').length",
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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        print(f"workspace {workspace.name}: milliseconds from the click to the answer on screen, {options.repeats} times each")
        print(f"{'':34}{'median':>8}{'p90':>8}{'most':>8}")
        for measure in (_measure, _first_label):
            with _served(workspace) as base:
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                measure(page, base, workspace.name, options.repeats)
                page.close()
        browser.close()


@contextmanager
def _served(workspace: Path) -> Iterator[str]:
    """A fresh server's address."""
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
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _print(name: str, times: list[float]) -> None:
    ninth = sorted(times)[int(0.9 * (len(times) - 1))]
    print(f"{name:34}{statistics.median(times):8.0f}{ninth:8.0f}{max(times):8.0f}", flush=True)


def _measure(page: Page, address: str, workspace: str, repeats: int) -> None:
    base = f"{address}/explore"
    page.goto(f"{base}?workspace={workspace}")
    page.locator(".row").first.wait_for(timeout=60_000)
    first = page.locator(".row .id").first.text_content() or ""
    for name, start, act, changed in STEPS:
        _print(name, [_time(page, base, workspace, first, number, start, act, changed) for number in range(repeats)])
    _print("hover a card: words lit", [_hover(page, base, workspace, first, number) for number in range(repeats)])
    page.goto(f"{address}/?workspace={workspace}")
    page.locator(".st-key-wt-nav-home-current").wait_for(timeout=60_000)
    keys = page.evaluate(
        "[...document.querySelectorAll('[class*=st-key-wt-nav-]')].map((e) => /st-key-wt-nav-(\\w+)/.exec(e.className)[1])"
    )
    times: dict[str, list[float]] = {key: [] for key in keys[1:] + keys[:1]}
    for number in range(repeats + 1):
        for key, found in times.items():
            time.sleep(1.0)  # for what the page before still does
            act = f"document.querySelector('[class*=st-key-wt-nav-{key}] a').click()"
            took = float(page.evaluate(CLOCK, [act, DRAWN.replace("KEY", key)]))
            if number:  # the first visit of a server reads files and modules
                found.append(took)
    for key, found in times.items():
        _print(f"change to the page {key}", found)


def _first_label(page: Page, address: str, workspace: str, repeats: int) -> None:
    """The first question about another label that a fresh server is asked, after some time of reading; and later ones."""
    page.goto(f"{address}/explore?workspace={workspace}")
    page.locator(".row").first.wait_for(timeout=60_000)
    page.locator(".row").first.click()
    page.locator(".card").first.wait_for(timeout=60_000)
    time.sleep(READING)
    times = []
    for number in range(repeats):
        if number:
            page.evaluate(CLOCK, ["button('Next').click()", NEXT])
            time.sleep(1.0)
        page.get_by_role("button", name="Ask another way").click()
        page.get_by_role("combobox", name="What speaks for").click()
        page.get_by_role("option").last.wait_for()
        act = "[...document.querySelectorAll('[role=option]')].find((o) => !o.innerText.includes('the label')).click()"
        times.append(float(page.evaluate(CLOCK, [f"window.asked = window.wordtrace.board.about; {act}", CHANGED])))
        page.keyboard.press("Escape")
        time.sleep(0.5)
    _print(f"first other label, {READING:.0f} s read", times[:1])
    _print("another label later", times[1:])


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
