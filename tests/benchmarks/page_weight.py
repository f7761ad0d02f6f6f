"""What each page of the app sends, and how long until it can be used, in a real Chromium.

python tests/benchmarks/page_weight.py --workspace-root DIR --workspace NAME [--repeats 3]

Bytes are those that came over HTTP and the web socket, without Streamlit's own static files, which a browser keeps. Usable:
from the request until what the page is about is there and the server has nothing left to send; by its address, for which the
browser starts Streamlit anew, and by a click in the app. A page is opened once before it is timed, so that neither a cold
cache of the server nor the browser's download of Streamlit counts.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "assets")

from screenshots import chromium, served  # noqa: E402

MOST_BYTES, MOST_SECONDS = 2_000_000, 1.0
PAGES = {  # address, and what is there once the page can be used
    "Home": ("?", ".js-plotly-plot"),
    "Explore, list": ("explore?", ".row"),
    "Explore, sentence": ("explore?show=all&id=ID&", ".card"),
    "Words": ("words?", ".words"),
    "Suspects": ("suspects?show=all&", ".row, .st-key-wt-gate"),
    "Clusters": ("clusters?", "button.name, .st-key-wt-gate"),
    "Review": ("review?", "[data-testid=stMain] .wt-notes, [data-testid=stMain] .wt-progress"),
    "Fix list": ("fix_list?", "[data-testid=stMain] .wt-title"),
    "What-if": ("what_if?", "[data-testid=stMain] .wt-hint"),
    "Evidence": ("evidence?", "[data-testid=stMain] .wt-hint"),
    "Data and runs": ("data_and_runs?", ".wt-step"),
}


def main() -> None:
    """Open every page and print a table; exit code 1 where one is too heavy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace-root", required=True)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    heavy = False
    with served(Path(options.workspace_root)) as base, chromium({"width": 1440, "height": 900}) as page:
        page.set_default_timeout(120_000)
        page.context.add_cookies([{"name": "wordtrace_reviewer", "value": "Ann", "url": base}])
        page.goto(f"{base}/explore?show=all&workspace={options.workspace}")
        page.locator(".row .id").first.wait_for()
        id = str(page.locator(".row .id").first.text_content())
        sys.stdout.write(f"{'page':<20}{'kB':>9}{'address, s':>12}{'without start':>15}{'click, s':>10}\n")
        for name, (address, selector) in PAGES.items():
            target = f"{base}/{address.replace('ID', id)}workspace={options.workspace}"
            _open(page, target, selector)
            found = [_open(page, target, selector) for _ in range(options.repeats)]
            size, usable, run = (statistics.median(values) for values in zip(*found, strict=True))
            heavy |= size > MOST_BYTES
            clicked = statistics.median(_click(page, base, options.workspace, name, selector) for _ in range(options.repeats))
            sys.stdout.write(f"{name:<20}{size / 1000:>9,.0f}{usable:>12.2f}{run:>15.2f}{clicked:>10.2f}\n")
            sys.stdout.flush()
    sys.exit(heavy)


def _open(page: Any, address: str, selector: str) -> tuple[int, float, float]:
    """Bytes received, seconds until the page can be used, and seconds of those after the browser had started Streamlit."""
    sizes: list[int] = []
    opened: list[float] = []

    def socket(found: Any) -> None:
        opened.append(time.monotonic())
        found.on("framereceived", lambda frame: sizes.append(len(frame)))

    def response(found: Any) -> None:
        if "/static/" not in found.url and found.request.resource_type != "websocket":
            sizes.append(int(found.headers.get("content-length") or 0))

    page.goto("about:blank")
    page.on("websocket", socket)
    page.on("response", response)
    began = time.monotonic()
    page.goto(address)
    page.locator(selector).first.wait_for()
    page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
    ended = time.monotonic()
    page.wait_for_timeout(500)
    page.remove_listener("websocket", socket)
    page.remove_listener("response", response)
    return sum(sizes), ended - began, ended - (opened[-1] if opened else began)


def _click(page: Any, base: str, workspace: str, name: str, selector: str) -> float:
    """Seconds from a click in the app until the page can be used: in the sidebar, for a sentence in the list."""
    if name == "Explore, sentence":
        page.goto(f"{base}/explore?show=all&workspace={workspace}")
        target = page.locator(".row").first
    else:
        key = name.partition(",")[0].lower().replace(" ", "_").replace("-", "_")
        page.goto(f"{base}/{'what_if' if key == 'data_and_runs' else 'data_and_runs'}?workspace={workspace}")
        target = page.locator(f".st-key-wt-nav-{key} a").first
    target.wait_for()
    page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
    page.wait_for_timeout(500)
    began = time.monotonic()
    target.click()
    page.locator(selector).first.wait_for()
    page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
    return time.monotonic() - began


if __name__ == "__main__":
    main()
