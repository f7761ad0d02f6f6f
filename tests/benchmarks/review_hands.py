"""A fast hand in a real browser while others review: how many presses are lost, and how far the disk is behind the screen.

    python tests/benchmarks/review_hands.py --workspace DIR [--before TREE] [--presses 30] [--apart 0.15] [--others 5] [--json]

One reviewer presses K and X in turn in Chromium, so many seconds apart, without looking whether anything was saved; others work
the same queue at the same server as in `review_load.py`, a decision a second each. Afterwards the journal on disk is read: a
press is lost that made no decision, and a decision is wrong that nobody pressed for the example on screen. With `--before`,
another checkout of this repository, both are measured in turn. Decisions go to a copy of the workspace.
"""

import argparse
import asyncio
import itertools
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from playwright.async_api import Page, async_playwright
from review_load import ROOT, make_queue, review, served

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
KEYS = {"k": "keep", "x": "remove"}
NAME = "Hands"
SETTLED = 30.0  # seconds within which the last press must be on disk


class Figures(NamedTuple):
    """What became of the presses."""

    presses: int
    apart: float  # median seconds between them, as they were made
    lost: int
    wrong: int
    behind: float  # seconds from the last press until all that is ever saved was on disk


async def measure(tree: Path, workspace: Path, presses: int, apart: float, others: int) -> Figures:
    """Press, with the others at work."""
    with served(tree, workspace) as (port, server, name):
        queue = await make_queue(port, name)
        query = f"workspace={name}&queue={queue}"
        journal = _root(server) / name / "reviews.jsonl"
        everybody = asyncio.Barrier(others)
        working = [asyncio.create_task(review(port, f"other{n}", query, 10_000, 1.0, everybody)) for n in range(others)]
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                context = await browser.new_context(viewport={"width": 1440, "height": 900})
                await context.add_cookies([{"name": "wordtrace_reviewer", "value": NAME, "url": f"http://127.0.0.1:{port}"}])
                page = await context.new_page()
                await page.goto(f"http://127.0.0.1:{port}/review?{query}")
                await page.locator(".whole").wait_for(timeout=120_000)
                await asyncio.sleep(3)  # the others have begun
                found = await _press(page, journal, presses, apart)
                await browser.close()
            return found
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)


async def _press(page: Page, journal: Path, presses: int, apart: float) -> Figures:
    pressed: list[tuple[str | None, str]] = []
    times: list[float] = []
    for number in range(presses):
        begun = time.perf_counter()
        key = "kx"[number % 2]
        ids = await page.locator(".facts .id").all_text_contents()
        times.append(time.perf_counter())
        await page.keyboard.press(key)
        pressed.append((ids[0] if ids else None, KEYS[key]))
        await asyncio.sleep(max(0.0, apart - (time.perf_counter() - begun)))
    last, behind, saved = time.perf_counter(), 0.0, -1
    while time.perf_counter() - last < SETTLED and saved < presses:
        if len(now := _decided(journal)) != saved:
            saved, behind = len(now), time.perf_counter() - last
        await asyncio.sleep(0.02)
    decided = _decided(journal)
    wrong = sum(one not in pressed for one in decided)
    gaps = sorted(after - before for before, after in itertools.pairwise(times))
    return Figures(presses, gaps[len(gaps) // 2], presses - len(decided) + wrong, wrong, behind)


def _decided(journal: Path) -> list[tuple[str | None, str]]:
    """What the reviewer has decided, in order, as the journal on disk has it."""
    found: list[tuple[str | None, str]] = []
    for line in journal.read_text(encoding="utf-8").split("\n") if journal.exists() else []:
        try:
            record: dict[str, Any] = json.loads(line)
        except ValueError:
            continue  # a line that is being written
        if record.get("type") == "act" and record.get("reviewer") == NAME:
            found += [(event["example_id"], event["kind"]) for event in record["events"]]
    return found


def _root(server: psutil.Process) -> Path:
    command = server.cmdline()
    return Path(command[command.index("--workspace-root") + 1])


def main() -> None:
    """Measure, and print a line a tree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", required=True, type=Path)
    parser.add_argument("--before", type=Path, metavar="TREE", help="another checkout to measure first")
    parser.add_argument("--presses", type=int, default=30)
    parser.add_argument("--apart", type=float, default=0.15, help="seconds")
    parser.add_argument("--others", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    trees = {"before": options.before.resolve()} if options.before else {}
    found = {
        name: asyncio.run(measure(tree, options.workspace.resolve(), options.presses, options.apart, options.others))
        for name, tree in {**trees, "now": ROOT}.items()
    }
    if options.json:
        print(json.dumps({name: figures._asdict() for name, figures in found.items()}))
        return
    for name, one in found.items():
        print(
            f"{name:<8}{one.presses} presses {one.apart * 1000:.0f} ms apart, {options.others} others at work: "
            f"{one.lost} lost, {one.wrong} on an example that was not on screen; all on disk {one.behind:.2f} s after the last"
        )


if __name__ == "__main__":
    main()
