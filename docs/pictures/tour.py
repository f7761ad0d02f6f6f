"""From a CSV to a better model as a newcomer goes, in a browser and nowhere else: python docs/pictures/tour.py [--output DIR]

Writes the README's screenshots of it, and says how many clicks and keys it took and how long. The data are the demo's film
review sentences (`requirements-demo.txt`) under column names of their own, between semicolons, some with line breaks, 3 % of the
labels turned.
A reviewer who knows the right label of each sentence stands in for a person who reads it. Needs playwright and chromium
(its path in CHROMIUM if not /usr/bin/chromium).
"""

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from screenshots import PICTURES, ROOT, chromium, served

sys.path.insert(0, str(ROOT))

from influence import open_workspace
from influence.workspace.demo import film_reviews

ROWS, NOISE, SEED = 1_500, 0.03, 5
REVIEWED = 40  # suspects, from the top of the list
SIZE = {"width": 1280, "height": 800}
OTHER = {"neg": "pos", "pos": "neg"}
SLOW = 900_000  # ms that a build may take on a busy machine


def main() -> None:
    """Write the CSV, walk from it to a model built again with the fixes, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=str(PICTURES), help="where the screenshots go")
    parser.add_argument("--rows", type=int, default=ROWS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "workspaces"
        root.mkdir()
        file = Path(folder) / "Our reviews.csv"
        truth, turned = write_noisy_csv(file, options.rows)
        with served(root) as address, chromium(SIZE) as page:
            page.set_default_timeout(60_000)
            walk = Walk(page, Path(options.output))
            fixes = from_csv_to_better_model(walk, address, file, truth, Path(folder))
            trained = set(open_workspace(root / "Our_reviews").train_ids())
    found = {fix["example_id"] for fix in fixes} & turned
    report = {
        "rows": options.rows, "labels_turned": len(turned), "turned_in_training_part": len(turned & trained),
        "reviewed": walk.reviewed, "relabelled": len(fixes), "turned_and_relabelled": len(found),
        "before_and_after": walk.outcome,
        "clicks": walk.clicks, "keys": walk.keys, "seconds": {name: round(value, 1) for name, value in walk.seconds.items()},
    }  # fmt: skip
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


def write_noisy_csv(file: Path, count: int) -> tuple[dict[str, str], set[str]]:
    """A CSV as it comes from somewhere else; returns the right label of every row, and the rows whose label was turned."""
    generator = np.random.default_rng(SEED)
    rows = film_reviews()
    picked = [rows[index] for index in sorted(generator.permutation(len(rows))[:count])]
    turned = {picked[index][0] for index in generator.permutation(count)[: round(NOISE * count)]}
    lines = []
    for number, (id, text, label) in enumerate(picked):
        shown = text.replace(", ", ",\n", 1) if number % 10 == 0 else text  # a quoted line break
        lines.append((id, shown, OTHER[label] if id in turned else label))
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened, delimiter=";").writerows([("Review ID", "Customer comment", "Sentiment"), *lines])
    return {id: label for id, _, label in picked}, turned


class Walk:
    """A page with a count of what a person would have done on it, and a clock."""

    def __init__(self, page: Any, output: Path) -> None:
        self.page, self.output = page, output
        self.clicks, self.keys, self.reviewed = 0, 0, 0
        self.seconds: dict[str, float] = {}
        self.outcome = ""  # what the page says of the two builds

    def click(self, what: Any) -> None:
        """One click of the mouse."""
        what.click()
        self.clicks += 1

    def button(self, name: str) -> None:
        """A click on a button or link by what stands on it."""
        named = self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name))
        self.click(named.first)

    def go_to(self, page: str) -> None:
        """A click on a page of the sidebar."""
        self.click(self.page.locator(f"[data-testid=stSidebar] .st-key-wt-nav-{page} a").first)

    def press(self, key: str) -> None:
        """One key."""
        self.page.keyboard.press(key)
        self.keys += 1

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Seconds of a part of the way."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began
        sys.stderr.write(f"{name}: {self.seconds[name]:.1f} s\n")

    def picture(self, name: str) -> None:
        """A screenshot, once nothing moves."""
        self.page.mouse.move(SIZE["width"] - 5, SIZE["height"] - 5)
        self.page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
        self.page.wait_for_timeout(800)
        self.page.screenshot(path=self.output / f"tour-{name}.png")


def from_csv_to_better_model(walk: Walk, address: str, file: Path, truth: dict[str, str], folder: Path) -> list[dict[str, Any]]:
    """The whole way; returns the fixes of the downloaded list that change a label."""
    walk.page.goto(address)
    build(walk, file)
    explain(walk)
    judge(walk, truth)
    fixes = take_away(walk, truth, folder / "fixes.jsonl")
    build_again(walk)
    return fixes


def build(walk: Walk, file: Path) -> None:
    """From an empty Home to a workspace."""
    page = walk.page
    with walk.stage("upload and report"):
        walk.button("Bring your own data")
        walk.clicks += 1  # the file dialog
        page.locator("input[type=file]").first.set_input_files(str(file))
        page.get_by_text("Start the build").wait_for()
        walk.picture("data")
    with walk.stage("build"):
        walk.button("Start the build")
        page.get_by_text("Our_reviews is ready.").wait_for(timeout=SLOW)
        walk.button("Our_reviews")
        page.get_by_text("Begin here").wait_for()


def explain(walk: Walk) -> None:
    """From Home to the strongest opponent of the surest mistake."""
    page = walk.page
    with walk.stage("first explanation"):
        walk.click(page.get_by_text("wrong test predictions: what taught the model that?"))
        walk.click(page.locator(".row").first)
        page.locator(".column.minus .card").first.wait_for()
        walk.click(page.locator(".column.minus .card .choose").first)
        page.locator(".card.pinned .detail").wait_for()
        walk.picture("explore")


def judge(walk: Walk, truth: dict[str, str]) -> None:
    """From Explore to the first suspects decided."""
    page = walk.page
    with walk.stage("suspects"):
        walk.go_to("suspects")
        page.locator(".row").first.wait_for()
    with walk.stage("review"):
        walk.go_to("review")
        page.get_by_label("Your name").fill("Ann")
        walk.button("Start")
        page.get_by_text("One example at a time").first.wait_for()
        review(walk, truth)


def take_away(walk: Walk, truth: dict[str, str], file: Path) -> list[dict[str, Any]]:
    """From Review to the downloaded fix list; returns its new labels, which must be the right ones."""
    with walk.stage("fix list"):
        walk.go_to("fix_list")
        walk.page.locator(".row").first.wait_for()
        walk.picture("fix-list")
        with walk.page.expect_download() as waited:
            walk.button("JSONL")
        waited.value.save_as(file)
    fixes = [json.loads(line) for line in file.read_text(encoding="utf-8").rstrip("\n").split("\n")]
    relabelled = [fix for fix in fixes if fix["action"] == "relabel"]
    assert all(truth[fix["example_id"]] == fix["new_label"] for fix in relabelled)
    return relabelled


def build_again(walk: Walk) -> None:
    """From the fix list to the same workspace built with it, beside the one before."""
    page = walk.page
    with walk.stage("build again"):
        walk.button("Build again with my fixes")
        page.get_by_text(" is ready").first.wait_for(timeout=SLOW)
        walk.outcome = str(page.locator(".wt-verdict").first.text_content())
    with walk.stage("before and after"):
        walk.button("See what changed")
        page.get_by_text("Predictions changed").first.wait_for()
        walk.picture("compare")


def review(walk: Walk, truth: dict[str, str]) -> None:
    """The first suspects, decided by keys: K where the label is right, else the right label's number."""
    page, labels = walk.page, sorted(set(truth.values()))
    walk.click(page.get_by_role("button", name="Start").first)
    for _ in range(REVIEWED):
        page.locator(".whole .text").wait_for()
        id = str(page.locator(".facts .id").text_content())
        given = page.locator(".facts .given").text_content()
        if walk.reviewed == 0:
            walk.picture("review")
        page.wait_for_timeout(150)  # a press before the text has been painted decides nothing
        walk.press("k" if given == truth[id] else str(labels.index(truth[id]) + 1))
        _wait_for_another(page, id, last=walk.reviewed + 1 == REVIEWED)
        walk.reviewed += 1


def _wait_for_another(page: Any, id: str, *, last: bool) -> None:
    until = time.monotonic() + 60
    while not last and page.locator(".facts .id").all_text_contents() in ([id], []):
        if time.monotonic() > until:
            raise SystemExit(f"nothing came after {id}")
        page.wait_for_timeout(30)
    if last:
        page.locator(".chip .quiet", has_text=id).first.wait_for()


if __name__ == "__main__":
    main()
