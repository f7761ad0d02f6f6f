"""What only a browser shows: what is in view at which width, what stands on one line, and letters twice as large."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import serve, stop

pytestmark = pytest.mark.slow

HEIGHTS = {1440: 900, 800: 1000, 390: 844}
SENTENCE = "explore?show=all&id=test-3"
END = "() => document.querySelector('[data-testid=stMain]').scrollTo(0, 1e6)"
# Buttons, links and fields of a page that lie partly over one another, and boxes that hide part of their own text.
FAULTS = """() => {
  const roots = [document];
  for (const host of document.querySelectorAll("*")) if (host.shadowRoot) roots.push(host.shadowRoot);
  const main = document.querySelector("[data-testid=stMain]");
  const seen = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getClientRects().length;
  const name = (e) => `${e.tagName} ${e.className} ${(e.innerText ?? "").slice(0, 40)}`;
  const box = (e) => e.getBoundingClientRect();
  const all = roots.flatMap((root) => [...root.querySelectorAll("button, a[href], input, textarea, h1, h2, h3, p, label")]);
  const theirs = "[data-testid=stHeader], [data-testid=stSlider]"; // Streamlit's header, and what a slider says above its thumbs
  const shown = all.filter((e) => seen(e) && box(e).width > 4 && box(e).height > 4 && !e.closest(theirs));
  const over = [];
  for (const [at, one] of shown.entries()) for (const other of shown.slice(at + 1)) {
    if (one.contains(other) || other.contains(one) || getComputedStyle(one).position === "absolute") continue;
    if (one.getRootNode() !== other.getRootNode()) continue;
    const [a, b] = [box(one), box(other)];
    const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (width > 3 && height > 6) over.push(`${name(one)} <> ${name(other)}`);
  }
  const cut = shown.filter((e) => /^(BUTTON|H1|H2|H3|P|LABEL)$/.test(e.tagName) && e.clientWidth
    && e.scrollWidth > e.clientWidth + 2 && getComputedStyle(e).overflowX !== "visible").map(name);
  return { over, cut, wide: main.scrollWidth - main.clientWidth };
}"""


@pytest.fixture(scope="module")
def address(judged_workspaces: Any) -> Iterator[str]:
    """A server on a workspace with suspects."""
    process, address = serve(judged_workspaces)
    yield address
    stop(process)


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Any]:
    """Opens an address at a width, and waits until a selector is there and the page has come to rest."""
    pages = []

    def opened(where: str, selector: str, width: int) -> Any:
        page = browser.new_page(viewport={"width": width, "height": HEIGHTS[width]}, color_scheme="light")
        pages.append(page)
        page.set_default_timeout(60_000)
        page.goto(f"{address}/{where}")
        page.locator(selector).first.wait_for()
        page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
        page.wait_for_timeout(300)
        return page

    yield opened
    for page in pages:
        page.close()


def box_of(page: Any, selector: str) -> dict[str, float]:
    return dict(page.locator(selector).first.bounding_box())


@pytest.mark.parametrize("width", HEIGHTS)
def test_the_sentence_is_in_the_first_screen_and_stays_there(opened, width):
    page = opened(SENTENCE, ".card", width)
    box = box_of(page, ".query")
    assert box["y"] >= 0
    assert box["y"] + box["height"] < HEIGHTS[width]
    page.evaluate(END)
    page.wait_for_timeout(200)
    assert page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollTop") > 300
    box = box_of(page, ".query")
    assert box["y"] >= 40  # below Streamlit's own header
    assert box["y"] + box["height"] < HEIGHTS[width] / 2


def test_the_sentence_stays_in_view_beside_a_second_method(opened):
    page = opened(f"{SENTENCE}&versus=bm25", ".card", 390)
    page.evaluate(END)
    page.wait_for_timeout(200)
    box = box_of(page, ".query")
    assert box["y"] >= 40
    assert box["y"] + box["height"] < 422


@pytest.mark.parametrize("width", [800, 390])
def test_an_open_card_covers_no_other(opened, width):
    page = opened(SENTENCE, ".card", width)
    page.locator(".card .choose").nth(1).click()
    page.locator(".card.pinned .detail .part").first.wait_for()
    boxes = [dict(card.bounding_box()) for card in page.locator(".column").first.locator(".card").all()]
    assert len(boxes) == 10
    assert all(above["y"] + above["height"] <= below["y"] for above, below in itertools.pairwise(boxes))
    fixed = page.evaluate(
        "() => [...document.querySelectorAll('[data-testid=stMain] *')].filter((e) => getComputedStyle(e).position === 'fixed')"
        ".map((e) => e.className)"
    )
    assert not fixed


def test_switches_stand_on_the_line_of_their_neighbours(opened):
    page = opened("explore", ".row", 1440)
    line = [box_of(page, ".st-key-wt-filters [data-testid=stButtonGroup] button")]
    line += [box_of(page, f".st-key-{key} [data-baseweb=select], .st-key-{key} [role=combobox], .st-key-{key} input")
             for key in ("explore_label", "explore_predicted")]  # fmt: skip
    middles = [box["y"] + box["height"] / 2 for box in line]
    assert max(middles) - min(middles) < 3


@pytest.mark.parametrize(
    ("where", "selector"),
    [
        ("", ".textpoint"),
        ("explore", ".row"),
        (SENTENCE, ".card"),
        ("explore?own=1", "textarea"),
        ("suspects?show=all", ".row"),
        ("fix_list", ".wt-title"),
        ("proof", ".wt-title"),
        ("data_and_runs", ".wt-title"),
        ("help", ".wt-section"),
    ],
)
def test_letters_twice_as_large_lose_nothing(opened, where, selector):
    page = opened(where, selector, 1440)
    page.add_style_tag(content="html { font-size: 200% !important; }")
    page.wait_for_timeout(800)
    assert page.evaluate(FAULTS) == {"over": [], "cut": [], "wide": 0}
