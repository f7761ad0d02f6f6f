"""Suspects in a real browser: what is in view at every size, and what is seen while decisions made together are saved."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import serve, stop

pytestmark = pytest.mark.slow
SIZES = [(1440, 900), (800, 900), (390, 844)]
PLACES = ["suspects?show=all", "clusters?size=2", "words?show=all"]
# Where things are, also inside components: bottoms of the first sentence or name and of the bar, and names that are cut off.
SEEN = """() => {
  const roots = [document, ...[...document.querySelectorAll("*")].map((one) => one.shadowRoot).filter(Boolean)];
  const deep = (selector) => roots.flatMap((root) => [...root.querySelectorAll(selector)]);
  const first = deep(".row .text, .row .name").filter((one) => one.textContent)[0];
  const bar = document.querySelector(".st-key-wt-bulk");
  return {
    first: first?.getBoundingClientRect().bottom,
    bar: bar?.getBoundingClientRect().bottom,
    cut: deep(".signal .name").filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent),
    wide: document.documentElement.scrollWidth - innerWidth,
  };
}"""
# Until the rows are other ones: the fewest that were there in any frame, and whether something was faded.
WATCH = """() => new Promise((resolve) => {
  const rows = () => [...document.querySelectorAll("*")].filter((one) => one.shadowRoot)
    .flatMap((one) => [...one.shadowRoot.querySelectorAll(".row.choosable .id")]).map((one) => one.textContent);
  const before = rows();
  let fewest = before.length, faded = false;
  document.querySelector(".st-key-bulk_apply button").click();
  const frame = () => {
    const now = rows();
    fewest = Math.min(fewest, now.length);
    const drawn = document.querySelectorAll(".st-key-suspects_rows, .st-key-wt-bulk .stElementContainer");
    faded ||= [...drawn].some((one) => getComputedStyle(one).opacity < 0.9);
    if (now.length && now[0] !== before[0] && !document.querySelector("[role=dialog]")) resolve([before.length, fewest, faded]);
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""


@pytest.fixture(scope="module")
def address(judged_workspaces: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a copy of `tiny` with its suspects and clusters."""
    root = tmp_path_factory.mktemp("suspects")
    shutil.copytree(judged_workspaces / "tiny", root / "tiny")
    process, found = serve(root)
    yield found
    stop(process)


def opened(browser: Any, address: str, place: str, size: tuple[int, int]) -> Any:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(120_000)
    context.add_cookies([{"name": "wordtrace_reviewer", "value": "Ann", "url": address}])
    page = context.new_page()
    page.goto(f"{address}/{place}&workspace=tiny")
    page.locator(".row .text, .row .name").first.wait_for()
    page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")
    page.wait_for_timeout(500)
    return page


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
@pytest.mark.parametrize("place", PLACES)
def test_the_first_sentence_is_on_the_first_screen_and_names_of_signals_are_whole(
    browser: Any, address: str, place: str, size: tuple[int, int]
) -> None:
    page = opened(browser, address, place, size)
    seen = page.evaluate(SEEN)
    assert seen["first"] <= size[1]
    assert seen["cut"] == []
    assert seen["wide"] <= 0
    if place.startswith("suspects"):
        assert seen["bar"] <= size[1]  # in view, however long the list is
    page.context.close()


def test_nothing_flickers_while_a_choice_is_saved(browser: Any, address: str) -> None:
    page = opened(browser, address, PLACES[0], SIZES[0])
    page.locator(".row .box input").nth(0).click()
    page.get_by_text("1 chosen").wait_for()
    page.locator(".row .box input").nth(1).click()
    page.get_by_text("2 chosen").wait_for()
    page.get_by_role("button", name="Mark for removal", exact=True).click()
    page.locator(".st-key-bulk_apply button").wait_for()
    assert page.evaluate(WATCH) == [20, 20, False]
    page.get_by_text("Saved").first.wait_for()
    page.get_by_role("button", name="Undo remove × 2").click()
    page.get_by_text("Taken back").wait_for()
    page.context.close()
