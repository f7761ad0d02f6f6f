"""The app in a real browser behind its real server: hostile texts, deep links, history, keys, hovering."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from conftest import HOSTILE_ID, IMAGE, SCRIPT, serve, stop

import influence

TIMEOUT = 60_000  # ms; how fast a page is, is not asked here


@pytest.fixture(scope="module")
def context(browser: Any, server: str) -> Iterator[Any]:
    """One browser profile for all tests, so that the app's scripts are fetched once."""
    opened = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=server)
    yield opened
    opened.close()


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    """A fresh page; afterwards nothing may have popped up, come from elsewhere, or been refused by the policy."""
    opened = context.new_page()
    opened.set_default_timeout(TIMEOUT)
    seen = watch(opened)
    yield opened
    assert_clean(opened, seen)
    opened.close()


def watch(page: Any) -> list[str]:
    """Notes everything that a hostile text would bring about."""
    seen: list[str] = []
    page.on("dialog", lambda dialog: (seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: _foreign(request.url) and seen.append(f"request {request.url}"))
    page.on("pageerror", lambda error: seen.append(f"error {error}"))
    page.on("console", lambda message: "Content Security Policy" in message.text and seen.append(message.text))
    return seen


def _foreign(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https", "ws", "wss") and urlsplit(url).hostname != "127.0.0.1"


def assert_clean(page: Any, seen: list[str]) -> None:
    """No dialog, no foreign request, and no element that a text of the data made."""
    made = page.evaluate("""() => {
        const roots = [document];
        for (const host of document.querySelectorAll("*")) if (host.shadowRoot) roots.push(host.shadowRoot);
        return roots.flatMap((root) => [...root.querySelectorAll("img, script, iframe")]).map((e) => e.outerHTML)
            .filter((html) => html.includes("alert(") || html.includes("h.example") || html.includes("src=\\"x\\""));
    }""")
    assert not made
    assert not seen


def eventually(check: Callable[[], object]) -> None:
    """Waits until a check holds; a Streamlit page changes piece by piece."""
    until = time.monotonic() + TIMEOUT / 1000
    while not check():
        assert time.monotonic() < until, f"not within {TIMEOUT / 1000} s"
        time.sleep(0.05)


def press_until(page: Any, key: str, check: Callable[[], bool]) -> None:
    """Presses a key once its button can have been drawn, and again should that have been too early."""
    for _ in range(4):
        page.wait_for_timeout(300)
        page.keyboard.press(key)
        until = time.monotonic() + 15
        while time.monotonic() < until:
            if check():
                return
            time.sleep(0.05)
    raise AssertionError(f"key {key} did nothing")


def wait_for_cards(page: Any) -> None:
    """Waits for the sentence, too: it and the cards are two components, and either may be drawn first."""
    page.locator(".card").first.wait_for()
    page.locator(".query .text").first.wait_for()


def query_title(page: Any) -> str:
    return str(page.locator(".query header b").text_content()).partition(" · ")[0]


def texts(page: Any, selector: str) -> list[str]:
    return [str(text) for text in page.locator(selector).all_text_contents()]


# Hostile texts


@pytest.mark.slow
def test_hostile_labels_on_home(page):
    page.goto("/")
    page.locator(".js-plotly-plot .textpoint text").first.wait_for()
    assert SCRIPT in page.locator("[data-testid=stMain]").inner_text()
    page.locator(".js-plotly-plot .xy").first.hover()
    page.locator(".nsewdrag").first.hover(position={"x": 60, "y": 20})


@pytest.mark.slow
def test_hostile_texts_in_the_list(page):
    page.goto("/explore?show=all")
    page.locator(".row").first.wait_for()
    assert any(SCRIPT in text for text in texts(page, ".row .text"))
    assert any(IMAGE in text for text in texts(page, ".row .text"))
    assert SCRIPT in texts(page, ".row .label")
    page.goto(f"/explore?show=all&q={quote(SCRIPT)}")
    page.locator(".row mark").first.wait_for()
    assert set(texts(page, ".row mark")) == {SCRIPT}
    page.goto(f"/explore?show=all&label={quote(IMAGE)}")
    page.locator(".row").first.wait_for()
    page.get_by_label("Given label").click()
    page.get_by_role("option").first.wait_for()


@pytest.mark.slow
def test_hostile_texts_in_the_reading_view(page, workspaces):
    found = influence.explain(influence.open_workspace(workspaces / "tiny"), test_id=HOSTILE_ID)
    page.goto(f"/explore?id={quote(HOSTILE_ID)}&top=50")
    wait_for_cards(page)
    assert query_title(page) == f"Test sentence {HOSTILE_ID}"
    assert texts(page, ".query .text") == [found.query.text]
    cards = texts(page, ".card .text")
    assert any(SCRIPT in text for text in cards)
    assert any(IMAGE in text for text in cards)
    assert {SCRIPT, IMAGE} >= set(texts(page, ".card .label"))
    hostile = page.locator(".card", has_text=f"{HOSTILE_ID}").first
    hostile.click()
    page.locator(".card.pinned .detail .parts").first.wait_for()
    assert HOSTILE_ID in page.locator(".card.pinned").inner_text()


@pytest.mark.slow
def test_hostile_texts_of_the_reader(page):
    text = f"a good film {SCRIPT} {IMAGE}"
    page.goto(f"/explore?own=1&text={quote(text)}")
    wait_for_cards(page)
    assert texts(page, ".query .text") == [text]
    assert page.locator("textarea").input_value() == text


@pytest.mark.slow
@pytest.mark.parametrize("address", ["/explore?id={}", "/?workspace={}", "/explore?label={}", "/explore?own=1&text=a&target={}"])
def test_hostile_addresses(page, address):
    for text in (SCRIPT + "!", IMAGE + "!"):
        page.goto(address.format(quote(text)))
        page.locator(".wt-state, [data-testid=stAlert]").first.wait_for()


# Addresses


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "selector"),
    [
        ("/", ".js-plotly-plot"),
        ("/explore", ".row"),
        ("/explore?workspace=tiny&id=test-3", ".card"),
        ("/explore?own=1", "textarea"),
    ],
)
def test_each_page_opens_cold_at_its_deep_link(browser, workspaces, address, selector):
    process, base = serve(workspaces)
    try:
        page = browser.new_page()
        seen = watch(page)
        page.goto(base + address)
        page.locator(selector).first.wait_for(timeout=TIMEOUT)
        page.locator(".st-key-wt-nav-home, .st-key-wt-nav-home-current").wait_for()
        assert page.locator("[data-testid=stException]").count() == 0
        assert "Page not found" not in page.content()
        assert_clean(page, seen)
        page.close()
    finally:
        stop(process)


def test_back_and_forward_walk_what_was_on_screen(page):
    page.goto("/explore?show=all")
    page.locator(".row").first.wait_for()
    first, second = texts(page, ".row .id")[:2]
    page.locator(".row").first.click()
    wait_for_cards(page)
    assert query_title(page) == f"Test sentence {first}"
    page.get_by_role("button", name="Next Shortcut J").click()
    page.get_by_text(f"Test sentence {second}").wait_for()
    page.locator(".card").first.click()
    page.wait_for_url(re.compile("pin="))
    page.locator(".card.pinned .detail").wait_for()

    page.go_back()
    page.locator(".card.pinned").wait_for(state="detached")
    assert query_title(page) == f"Test sentence {second}"
    page.go_back()
    page.get_by_text(f"Test sentence {first}").wait_for()
    page.go_back()
    page.locator(".row").first.wait_for()
    page.go_forward()
    page.get_by_text(f"Test sentence {first}").wait_for()
    page.go_forward()
    page.get_by_text(f"Test sentence {second}").wait_for()


@pytest.mark.slow
def test_filters_are_in_the_address_and_back_undoes_them(page):
    page.goto("/explore")
    page.locator(".row").first.wait_for()
    wrong = page.locator(".row").count()
    page.get_by_role("radio", name="All").or_(page.get_by_role("button", name="All")).first.click()
    page.wait_for_url(re.compile("show=all"))
    eventually(lambda: page.locator(".row").count() == 20)
    page.go_back()
    eventually(lambda: page.locator(".row").count() == wrong)


@pytest.mark.slow
def test_a_row_is_a_link_that_opens_elsewhere_too(page, server):
    page.goto("/explore?show=all")
    page.locator(".row").nth(1).wait_for()
    href = page.locator(".row").nth(1).get_attribute("href")
    id = texts(page, ".row .id")[1]
    page.goto("/explore" + href)
    wait_for_cards(page)
    assert query_title(page) == f"Test sentence {id}"


@pytest.mark.slow
def test_a_cell_of_the_matrix_opens_its_sentences(page):
    page.goto("/")
    cell = page.locator(".js-plotly-plot .textpoint text").nth(1)
    cell.wait_for()
    page.wait_for_timeout(500)
    box = cell.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(re.compile("/explore"))
    page.locator(".row").first.wait_for()
    assert "label=" in page.url
    assert "predicted=" in page.url
    assert len(set(map(tuple, zip(*[iter(texts(page, ".row .label"))] * 2, strict=True)))) == 1


# Hovering, choosing, keys


def test_hovering_a_card_lights_its_words_in_the_test_sentence(page):
    page.goto("/explore?show=all&id=test-3")
    wait_for_cards(page)
    card = page.locator(".card").first
    shared = {mark.text_content() for mark in card.locator("mark.plus, mark.minus").all()}
    card.hover()
    page.locator(".query .caption", has_text=re.compile("shared with (proponent|opponent) 1")).wait_for()
    lit = {mark.text_content() for mark in page.locator(".query mark.plus, .query mark.minus").all()}
    assert lit
    assert {text.lower() for text in lit} == {text.lower() for text in shared}
    page.mouse.move(5, 5)
    page.locator(".query .caption", has_text="sum over").wait_for()


def test_hovering_a_word_shows_where_it_is_shared(page):
    page.goto("/explore?show=all&id=test-3")
    wait_for_cards(page)
    word = page.locator(".query .text mark").last
    word.hover()
    linked = page.locator(".card mark.linked")
    linked.first.wait_for()
    assert {text.lower() for text in texts(page, ".card mark.linked")} == {str(word.text_content()).lower()}


@pytest.mark.slow
def test_selecting_text_with_the_mouse_pins_nothing(page):
    page.goto("/explore?show=all&id=test-3")
    wait_for_cards(page)
    box = page.locator(".card .text").first.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 80, box["y"] + 8, steps=4)
    page.mouse.up()
    page.wait_for_timeout(600)
    assert "pin=" not in page.url


def test_a_card_is_chosen_by_keyboard_and_unpinned_again(page):
    page.goto("/explore?show=all&id=test-3")
    wait_for_cards(page)
    page.locator(".card .choose").nth(2).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("pin="))
    page.locator(".card.pinned .detail .parts").first.wait_for()
    page.keyboard.press("Enter")
    page.locator(".card.pinned").wait_for(state="detached")
    page.wait_for_url(lambda url: "pin=" not in url)


HELD = """() => { for (let repeat = 0; repeat < 5; repeat++) document.body.dispatchEvent(
    new KeyboardEvent("keydown", {key: "j", code: "KeyJ", keyCode: 74, bubbles: true, repeat: repeat > 0})) }"""


def test_keys_walk_the_list_and_a_held_key_skips_nothing(page):
    page.goto("/explore?show=all")
    page.locator(".row").first.wait_for()
    ids = texts(page, ".row .id")
    page.locator(".row").first.click()
    wait_for_cards(page)
    press_until(page, "j", lambda: query_title(page) == f"Test sentence {ids[1]}")
    page.get_by_text(re.compile(r" · 2 of 30$")).wait_for()
    page.evaluate(HELD)  # the same press five times before any answer can be there
    page.get_by_text(f"Test sentence {ids[2]}").wait_for()
    page.wait_for_timeout(1000)
    assert query_title(page) == f"Test sentence {ids[2]}"
    press_until(page, "p", lambda: query_title(page) == f"Test sentence {ids[1]}")
    press_until(page, "u", lambda: page.locator(".row").count() == 20)


@pytest.mark.slow
def test_keys_still_work_after_a_choice_of_method(page):
    page.goto("/explore?show=all&id=test-3")
    wait_for_cards(page)
    page.get_by_role("button", name="Ask another way").click()
    page.get_by_role("combobox", name="Method").click()
    page.get_by_role("option", name="BM25: alike texts, a control").click()
    page.wait_for_url(re.compile("method=bm25"))
    page.get_by_role("heading", name="Most alike").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.activeElement?.tagName !== 'INPUT'")
    press_until(page, "j", lambda: not re.search(r"id=test-3(&|$)", page.url))


def test_a_long_text_unfolds(page):
    page.goto("/explore?show=all&id=test-1&tokens=only")
    wait_for_cards(page)
    text = page.locator(".query .text").text_content()
    assert text.endswith("before this end")
    assert "🎬 with a second line\nand a tab\there" in text
    unread = "".join(page.locator(".query .unread").all_text_contents())  # what the model did not see, in part folded
    assert text.replace(" … ", "").endswith(unread)
    assert unread.endswith("before this end")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("فيلم رائع good 👩\u200d🚀🎬 film مرحبا", "rtl"),
        ("סרט good טוב film", "rtl"),
        ("👍🏽🇫🇷 cafe\u0301 good 映画 film 🎬", "ltr"),
    ],
)
def test_words_are_lit_where_they_stand_in_any_script(page, text, direction):
    page.goto(f"/explore?own=1&text={quote(text)}")
    wait_for_cards(page)
    assert texts(page, ".query .text") == [text]
    lit = {mark.text_content() for mark in page.locator(".query .text mark.plus, .query .text mark.minus").all()}
    assert {"good", "film"} <= lit
    assert lit <= set(text.split())
    assert page.locator(".query .text").evaluate("line => getComputedStyle(line).direction") == direction


def test_a_match_far_into_a_text_is_in_its_two_lines(page):
    page.goto(f"/explore?show=all&q={quote('before this end')}")
    found = page.locator(".row mark", has_text="before this end")
    found.wait_for()
    line = page.locator(".row .text").first
    assert line.text_content().startswith("… ")
    box, mark = line.bounding_box(), found.bounding_box()
    assert mark["y"] + mark["height"] <= box["y"] + box["height"] + 1
