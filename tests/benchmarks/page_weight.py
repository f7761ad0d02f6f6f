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
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "docs" / "pictures")

from screenshots import chromium, served  # noqa: E402

MOST_BYTES = 2_000_000
# Whether what a page is about is on screen, also inside a component, and nothing is on its way; then the seconds it took.
USABLE = """([path, selector]) => {
  const app = document.querySelector(".stApp");
  if (location.pathname !== path || app?.dataset.testScriptState !== "notRunning") return false;
  if (document.querySelector("[data-stale=true], [data-testid=stSkeleton], [data-testid=stAppSkeleton]")) return false;
  const hosts = [...document.querySelectorAll("*")].filter((one) => one.shadowRoot);
  const there = [document, ...hosts.map((one) => one.shadowRoot)].some((root) => root.querySelector(selector));
  return there && (performance.now() - (window.began ?? 0)) / 1000;
}"""
PAGES = {  # address, and what is there once the page can be used
    "Home": ("?", ".js-plotly-plot"),
    "Explore, list": ("explore?", ".row"),
    "Explore, sentence": ("explore?show=all&id=ID&", ".card"),
    "Suspects": ("suspects?show=all&", ".row, .st-key-wt-gate"),
    "Suspects, by cause": ("clusters?", "a.name, .st-key-wt-gate"),
    "Suspects, by word": ("words?", "a.name"),
    "Review": ("review?", "[data-testid=stMain] .wt-notes, [data-testid=stMain] .wt-progress"),
    "Fix list": ("fix_list?", "[data-testid=stMain] .wt-title"),
    "Proof": ("proof?", "[data-testid=stMain] .wt-hint"),
    "Data": ("data_and_runs?", ".wt-step"),
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
        sys.stdout.write(f"{'page':<20}{'kB':>9}{'address, s':>12}{'click, s':>10}\n")
        for name, (address, selector) in PAGES.items():
            target = f"{base}/{address.replace('ID', id)}workspace={options.workspace}"
            _open(page, target, selector)
            found = [_open(page, target, selector) for _ in range(options.repeats)]
            size, usable = (statistics.median(values) for values in zip(*found, strict=True))
            heavy |= size > MOST_BYTES
            clicked = statistics.median(
                _click(page, base, options.workspace, name, address, selector) for _ in range(options.repeats)
            )
            sys.stdout.write(f"{name:<20}{size / 1000:>9,.0f}{usable:>12.2f}{clicked:>10.2f}\n")
            sys.stdout.flush()
    sys.exit(heavy)


def _open(page: Any, address: str, selector: str) -> tuple[int, float]:
    """Bytes received, and seconds from the request until the page can be used."""
    sizes: list[int] = []

    def socket(found: Any) -> None:
        found.on("framereceived", lambda frame: sizes.append(len(frame)))

    def response(found: Any) -> None:
        if "/static/" not in found.url and found.request.resource_type != "websocket":
            sizes.append(int(found.headers.get("content-length") or 0))

    page.goto("about:blank")
    page.on("websocket", socket)
    page.on("response", response)
    page.goto(address, wait_until="commit")
    seconds = _usable(page, address, selector)
    page.wait_for_timeout(500)
    page.remove_listener("websocket", socket)
    page.remove_listener("response", response)
    return sum(sizes), seconds


def _click(page: Any, base: str, workspace: str, name: str, address: str, selector: str) -> float:
    """Seconds from a click in the app until the page can be used: in the sidebar, in the list, or on the switch of Suspects."""
    if name == "Explore, sentence":
        page.goto(f"{base}/explore?show=all&workspace={workspace}")
        target = page.locator(".row").first
    elif name.startswith("Suspects, "):
        page.goto(f"{base}/suspects?workspace={workspace}")
        target = page.get_by_role("radio", name=name.partition(", ")[2].capitalize())
    else:
        key = name.partition(",")[0].lower().replace(" ", "_").replace("-", "_")
        page.goto(f"{base}/{'proof' if key == 'data_and_runs' else 'data_and_runs'}?workspace={workspace}")
        target = page.locator(f".st-key-wt-nav-{key} a").first
    target.wait_for()
    page.wait_for_timeout(1_500)
    page.evaluate("addEventListener('click', () => (window.began = performance.now()), { capture: true, once: true })")
    target.click()
    return _usable(page, f"{base}/{address}", selector)


def _usable(page: Any, address: str, selector: str) -> float:
    """Seconds by the browser's own clock, which looks at every frame: from the outside one would look every half second."""
    path = urlsplit(address).path
    return float(page.wait_for_function(USABLE, arg=[path, selector]).json_value())


if __name__ == "__main__":
    main()
