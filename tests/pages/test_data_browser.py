"""Data in a real browser behind a real server: from a CSV to a workspace, a restart, a cancel, bad input."""

import csv
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, serve, stop
from test_browser import assert_clean, eventually, watch

import influence
from pages.ui.frame import state
from pages.ui.jobs import background, builds

sys.path.insert(0, str(ROOT / "tests"))
from tiny import rows

pytestmark = pytest.mark.slow  # real builds behind a real browser

TIMEOUT = 60_000


def reviews_csv(file: Path, *, count: int = 120) -> Path:
    """A CSV as it comes: column names of its own, quoted line breaks, gaps, spellings of a label, wrong labels."""
    table = []
    for number, (_, text, label) in enumerate(rows(count, seed=3)):
        if number % 33 == 5:
            label = {"neg": "pos", "pos": "neg"}[label]
        text = f'{text}\nand a "second line", quoted' if number % 9 == 0 else "" if number == 11 else text
        table.append((number + 1000, text, label.upper() if number == 7 else label))
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([("Review ID", "Customer comment", "Sentiment"), *table])
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder of workspaces, with a file on the server."""
    (tmp_path / "root" / "data").mkdir(parents=True)
    reviews_csv(tmp_path / "root" / "data" / "here.csv")
    return tmp_path / "root"


@pytest.fixture
def served(root: Path) -> Iterator[tuple[Any, str]]:
    process, address = serve(root)
    yield process, address
    stop(process)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    opened.set_default_timeout(TIMEOUT)
    seen = watch(opened)
    yield opened
    assert_clean(opened, seen)
    opened.context.close()


def jobs_folder(root: Path) -> Path:
    """Where the server queues its builds."""
    return state.made_for(root, among=root) / builds.RUNS / background.JOBS


def within(check: Callable[[], object], seconds: float = 90.0) -> None:
    """Waits until a check holds: a build takes its time on a busy machine."""
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.1)


def start_build(page: Any, address: str, *, epochs: int, **parameters: str) -> None:
    """Opens the server's file with so many epochs and starts the build."""
    rest = "".join(f"&{name}={value}" for name, value in parameters.items())
    page.goto(f"{address}/data_and_runs?train=here.csv&epochs={epochs}{rest}")
    page.get_by_role("button", name="Start the build").click()
    page.get_by_text("has been started").wait_for()


def test_from_a_csv_to_a_workspace(page, served, root, tmp_path):
    _, address = served
    page.goto(address)
    page.get_by_role("link", name="Bring your own data").click()
    page.locator("input[type=file]").first.set_input_files(str(reviews_csv(tmp_path / "Our reviews.csv")))
    page.get_by_text("1 row (13) without a text in column").wait_for()
    page.get_by_text("'neg' = 'NEG'").or_(page.get_by_text("'pos' = 'POS'")).wait_for()
    page.get_by_text("Settings", exact=True).click()
    eventually(lambda: page.get_by_label("Name of the workspace").input_value() == "Our_reviews")
    page.get_by_role("spinbutton", name="Epochs").fill("2")
    page.get_by_role("button", name="Start the build").click()  # at once: what was typed counts
    page.get_by_text("Our_reviews is ready.").wait_for(timeout=120_000)
    page.get_by_role("link", name="Our_reviews").first.click()
    page.get_by_text("Where it goes wrong").wait_for()

    workspace = influence.open_workspace(root / "Our_reviews")
    assert workspace.info.labels == ["neg", "pos"]
    assert workspace.info.n_train + workspace.info.n_test == 119
    assert len(workspace.info.checkpoints) == 2
    assert all(id.startswith("1") and len(id) == 4 for id in workspace.train_ids())
    texts = workspace.store.train_frame()["text"]
    assert any(text.endswith('\nand a "second line", quoted') for text in texts)
    assert not list(jobs_folder(root).iterdir())


def test_a_restarted_server_shows_the_build_and_picks_up_its_result(page, served, root):
    process, address = served
    start_build(page, address, epochs=12)
    within(lambda: list(jobs_folder(root).glob("*/process.json")))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    page.goto("about:blank")
    again, address = serve(root)
    try:
        page.goto(f"{address}/data_and_runs?part=runs")
        page.locator(".wt-progress", has_text="here").wait_for()
        page.get_by_text("here is ready.").wait_for(timeout=120_000)
    finally:
        stop(again)
    assert influence.open_workspace(root / "here").info.n_test > 0
    assert not list(jobs_folder(root).iterdir())


def test_one_at_a_time_and_a_cancelled_build_leaves_nothing(page, served, root):
    _, address = served
    start_build(page, address, epochs=99)  # that it is not ready before it is cancelled
    start_build(page, address, epochs=1, name="second")
    page.get_by_text("1 before it").wait_for()
    within(lambda: list(root.glob("here/builds/*/checkpoints")))
    assert not (root / "second").exists()
    page.get_by_role("button", name="Stop…").first.click()
    page.get_by_role("button", name="Stop and discard").click()
    within(lambda: not (root / "here").exists())
    page.get_by_text("second is ready.").wait_for(timeout=120_000)
    assert influence.list_workspaces(root) == ["second"]
    assert sorted(child.name for child in root.iterdir()) == ["data", "second"]


def test_bad_input_is_one_line_each(page, served, root, tmp_path):
    _, address = served
    bad = {
        "binary.csv": b"\x7fELF\0\0\0" * 100,
        "one-label.csv": b"text,label\n" + b"".join(b"text %d,same\n" % n for n in range(30)),
        "wide.csv": b",".join(b"c%d" % n for n in range(1000)) + b"\n" + (b",".join([b"x"] * 1000) + b"\n") * 5,
        "torn.csv": b'text,label\n"never closed,a\n',
    }
    said = {
        "binary.csv": "is a program",
        "one-label.csv": "Every row has the label 'same'",
        "wide.csv": "no column looks like the label",
        "torn.csv": "line 2: malformed",
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        page.goto(f"{address}/data_and_runs")
        page.locator("input[type=file]").first.set_input_files(str(tmp_path / name))
        page.get_by_text(said[name]).first.wait_for()
        assert page.locator("[data-testid=stException]").count() == 0
    page.goto(f"{address}/data_and_runs?source=hub&train=nobody/nothing")
    page.get_by_text("cannot be loaded as a Hugging Face data set").wait_for(timeout=90_000)
    assert influence.list_workspaces(root) == []
    assert not [child for child in root.iterdir() if child.name != "data"]
