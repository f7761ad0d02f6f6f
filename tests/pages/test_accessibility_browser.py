"""Every page in both themes: axe-core finds nothing, of whatever weight, and nothing is fetched from another machine."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from conftest import ROOT, serve, stop

import influence
from influence.review.events import Reviewer
from influence.review.log import ReviewLog
from influence.review.queues import Queues
from influence.review.reviews import Reviews
from pages.ui.frame.shell import PAGES

pytestmark = pytest.mark.slow  # every page in a browser, twice

PATIENCE = 60_000  # ms; what is asked here is not how fast a page is

# What each page is opened with, and what is there once it has been drawn. QUEUE and EXAMPLE are filled in by the test.
OPENED = {
    "home": ("", ".js-plotly-plot .textpoint"),
    "home of no workspace": ("?workspace=none", ".wt-state"),
    "explore": ("explore?show=all&q=good", ".row"),
    "explore, no rows": ("explore?show=all&q=zzzz", "[data-testid=stMain] .wt-hint"),
    "explore, a sentence": ("explore?show=all&id=test-1", ".card"),
    "explore, a pair": ("explore?show=all&id=test-3&pin=train-21", ".card.pinned .detail"),
    "explore, two methods": ("explore?show=all&id=test-3&versus=tracin-last", ".card"),
    "explore, a text": ("explore?own=1&text=a+good+film", ".card"),
    "words": ("words", "a.name"),
    "words, one": ("words?word=bad", ".row"),
    "suspects": ("suspects?show=all", ".row"),
    "clusters": ("clusters?size=2", "a.name"),
    "review, queues": ("review", "[data-testid=stMain] .wt-progress"),
    "review": ("review?queue=QUEUE", ".whole"),
    "review, one example": ("review?id=EXAMPLE", ".whole"),
    "fix_list": ("fix_list", ".row"),
    "fix_list, rules": ("fix_list?part=rules", "[data-testid=stMain] button"),
    "fix_list, agreement": ("fix_list?part=agreement", "[data-testid=stMain] .wt-hint"),
    "fix_list, log": ("fix_list?part=log", "[data-testid=stMain] .wt-hint"),
    "proof": ("proof?part=change", ".wt-title"),
    "what_if": ("what_if", ".wt-title"),
    "evidence": ("evidence", ".wt-hint"),
    "help": ("help", ".wt-section"),
    "data_and_runs": ("data_and_runs", ".wt-step, .wt-hint"),
    "data_and_runs, runs": ("data_and_runs?part=runs", ".wt-hint"),
    "data_and_runs, workspaces": ("data_and_runs?part=workspaces", ".wt-hint"),
    "data_and_runs, compare": ("data_and_runs?part=compare", ".wt-hint"),
}

# What Streamlit's own widgets do, which no page can change: rule, part of the markup, reason.
STREAMLITS = [
    (
        "presentation-role-conflict",
        'data-testid="stFileUploaderDropzone"',
        "the drop zone is a presentation with a name; the button in it is what is used, and has the name too",
    ),
]

BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 28)"}  # those of .streamlit/config.toml

AXE = """() => axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations
    .flatMap((one) => one.nodes.map((node) => [one.id, node.target.flat().join(" "), node.html, node.failureSummary])))"""


@pytest.fixture(scope="module")
def script() -> str:
    """axe-core, as a package of the registry ships it."""
    package = pytest.importorskip("axe_playwright_python")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def served(judged_workspaces: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A server on a workspace with a queue and two decisions, and what to fill into addresses."""
    root = tmp_path_factory.mktemp("accessible")
    shutil.copytree(judged_workspaces / "tiny", root / "tiny")
    ann = Reviewer(name="Ann")
    workspace = influence.open_workspace(root / "tiny")
    reviews = Reviews(workspace, ReviewLog(workspace.path))
    ids = list(reviews.corpus.examples)
    queue = Queues(reviews).create(ann, "all of them", ids).id
    reviews.decide(ann, ids[0], "remove", queue=queue)
    reviews.decide(ann, ids[1], "keep", queue=queue)
    reviews.close()
    workspace.close()
    process, address = serve(root)
    yield address, {"QUEUE": queue, "EXAMPLE": quote(ids[2])}
    stop(process)


@pytest.fixture(scope="module")
def context(browser: Any, served: tuple[str, dict[str, str]]) -> Iterator[Any]:
    """A browser profile whose pages let the test's own script in."""
    opened = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=served[0], color_scheme="light", bypass_csp=True
    )
    opened.add_cookies([{"name": "wordtrace_reviewer", "value": "Ann", "domain": "127.0.0.1", "path": "/"}])
    yield opened
    opened.close()


def violations(page: Any, script: str) -> list[tuple[str, str, str, str]]:
    """Violations on a page: rule, selector, markup, what is the matter."""
    page.evaluate(script)
    found = [tuple(one) for one in page.evaluate(AXE)]
    return [one for one in found if not any(one[0] == rule and part in one[2] for rule, part, _ in STREAMLITS)]


def is_foreign(url: str) -> bool:
    """Whether a request goes to another machine."""
    return urlsplit(url).scheme in ("http", "https", "ws", "wss") and urlsplit(url).hostname != "127.0.0.1"


def drawn(page: Any, selector: str) -> None:
    """Waits until a page has been drawn and nothing moves on it."""
    page.locator(selector).first.wait_for()
    page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
    page.wait_for_function("() => !document.querySelector('[data-stale=true]')")
    page.wait_for_timeout(400)  # for transitions to end: a colour half faded in is no colour of ours


def test_every_page_of_the_sidebar_is_opened():
    assert {re.sub(",.*| of no workspace", "", name) for name in OPENED} == set(PAGES)
    assert all((ROOT / page.file).is_file() for page in PAGES.values())


@pytest.mark.parametrize("name", OPENED)
def test_axe_finds_nothing_and_nothing_is_fetched_from_elsewhere(context, script, served, name):
    address, selector = OPENED[name]
    for word, value in served[1].items():
        address = address.replace(word, value)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(f"/{address}")
    found = []
    for theme, background in BACKGROUNDS.items():  # a page follows the system's theme while it is open
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(
            "wanted => getComputedStyle(document.querySelector('.stApp')).backgroundColor === wanted", arg=background
        )
        drawn(page, selector)
        found += [(theme, *one) for one in violations(page, script)]
    page.close()
    assert any(url.startswith("ws") for url in asked)  # what Streamlit talks through is listened to, too
    assert not list(filter(is_foreign, asked))
    assert not found, "\n".join(f"{theme}, {rule}: {where}\n  {html[:200]}\n  {why}" for theme, rule, where, html, why in found)


def test_axe_finds_what_is_wrong(context, script):
    page = context.new_page()
    page.set_content("<html lang=en><title>t</title><main><button></button><p style='color:#ccc'>grey</p></main></html>")
    assert {rule for rule, *_ in violations(page, script)} >= {"button-name", "color-contrast"}
    page.close()
