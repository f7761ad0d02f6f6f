"""How fast Suspects answers: from a click to the changed page, in a real browser, medians.

    python tests/benchmarks/suspects_latency.py [--workspace DIR] [--repeats 11]

The clock starts in the page as the click is dispatched and stops in the first animation frame in which the page shows the answer.
The workspace is copied first, since decisions are made. Needs chromium and playwright; not part of the test suite.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "docs" / "pictures")

from screenshots import chromium, served  # noqa: E402

# Runs `act` and waits, frame by frame, until `changed` is true; resolves to milliseconds. `deep` looks into components, too.
CLOCK = """([act, changed]) => new Promise((resolve, reject) => {
  const deep = (selector) => {
    const found = [...document.querySelectorAll(selector)];
    for (const host of document.querySelectorAll("*"))
      if (host.shadowRoot) found.push(...host.shadowRoot.querySelectorAll(selector));
    return found;
  };
  const button = (name) => [...document.querySelectorAll("button")].find((one) => one.innerText.includes(name) && !one.disabled);
  const acts = {
    grouping: (name) => button(name).click(),
    menu: (key) => document.querySelector(`.st-key-wt-nav-${key} a`).click(),
    name: () => deep("a.name")[0].click(),
    evidence: () => deep(".opener")[0].click(),
    button: (name) => button(name).click(),
    tick: () => deep(".row .box input")[0].click(),
    page: () => document.querySelector("[data-testid=stPagination] button:last-of-type").click(),
  };
  const first = deep(".row .id")[0]?.textContent;
  const checks = {
    at: (path) => location.pathname === path && (deep(".row").length || document.querySelector("[data-testid=stMain] .wt-notes")),
    heading: (text) => [...document.querySelectorAll(".wt-heading")].some((one) => one.innerText.includes(text)),
    members: () => deep(".row.choosable .id").length && !deep("a.name").length,
    names: () => deep("a.name").length,
    other: () => deep(".row .id")[0] && deep(".row .id")[0].textContent !== first,
    chosen: (text) => document.querySelector(".st-key-wt-bulk-said")?.innerText.includes(text),
    dialog: () => document.querySelector("[role=dialog] .st-key-bulk_apply"),
  };
  const start = performance.now();
  acts[act[0]](act[1]);
  const frame = () => {
    if (checks[changed[0]](changed[1])) resolve(performance.now() - start);
    else if (performance.now() - start > 20000) reject("no answer in 20 s to " + act);
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""
Step = tuple[str, str, tuple[str, str], tuple[str, str]]  # name, address, what is done, when it is answered
STEPS: list[Step] = [
    ("to Suspects, from Review", "review?", ("menu", "suspects"), ("at", "/suspects")),
    ("to By cause", "suspects?", ("grouping", "By cause"), ("names", "")),
    ("to By word", "suspects?", ("grouping", "By word"), ("names", "")),
    ("open a cause", "clusters?", ("name", ""), ("members", "")),
    ("back to the causes", "clusters?cluster=0&", ("button", "All causes"), ("names", "")),
    ("open a word", "words?", ("name", ""), ("members", "")),
    ("open the evidence on a suspect", "suspects?", ("evidence", ""), ("heading", "Why it is suspected")),
    ("next page", "suspects?", ("page", ""), ("other", "")),
    ("tick a sentence", "suspects?", ("tick", ""), ("chosen", "1 chosen")),
    ("choose all", "suspects?", ("button", "Choose all"), ("chosen", "on other pages")),
]


def main() -> None:
    """Serve a copy of the workspace, measure every step, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", default=str(ROOT / "workspaces" / "demo"))
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(options.workspace, Path(folder) / "demo")
        with served(Path(folder)) as base, chromium({"width": 1440, "height": 900}) as page:
            page.set_default_timeout(60_000)
            page.context.add_cookies([{"name": "wordtrace_reviewer", "value": "Ann", "url": base}])
            print(f"{'milliseconds, ' + str(options.repeats) + ' times each':34}{'median':>8}{'p90':>8}{'most':>8}")
            for name, address, act, changed in STEPS:
                _step(page, f"{base}/{address}workspace=demo", act, changed)  # once before it counts
                times = sorted(_step(page, f"{base}/{address}workspace=demo", act, changed) for _ in range(options.repeats))
                ninth = times[int(0.9 * (len(times) - 1))]
                print(f"{name:34}{statistics.median(times):8.0f}{ninth:8.0f}{times[-1]:8.0f}", flush=True)


def _step(page: Any, address: str, act: tuple[str, str], changed: tuple[str, str]) -> float:
    page.goto(address)
    page.locator("[data-testid=stMain] .wt-title").first.wait_for()
    page.locator("[data-testid=stMain] .row, [data-testid=stMain] .wt-notes").first.wait_for()
    page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
    page.wait_for_timeout(700)
    return float(page.evaluate(CLOCK, [list(act), list(changed)]))


if __name__ == "__main__":
    main()
