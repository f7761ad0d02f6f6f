"""Reviewing in a real browser: keys, held keys, dialogs, two reviewers, a killed server, hostile texts on every page."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from conftest import IMAGE, SCRIPT, serve, stop
from test_browser import TIMEOUT, assert_clean, eventually, texts, watch

import influence
from influence.clusters.cuts import clusters
from influence.fixes.files import read_fixes
from influence.fixes.fixlist import fix_list
from influence.review.events import Reviewer
from influence.review.log import ReviewLog
from influence.review.queues import Queues
from influence.review.reviews import Reviews, read_reviews
from influence.suspects.choices import Choices, write_choices
from influence.workspace.database import published

AGAIN = 4.0  # seconds after which a key is pressed again: it may have come before its button
READING = 0.15  # seconds before a press counts, with time for the page to draw
ANN = Reviewer(name="Ann")


class Stage:
    """A workspace of the test's own under a shared server, and pages of reviewers who have given their names."""

    def __init__(self, root: Path, name: str, address: str, contexts: Callable[[str], Any]) -> None:
        self.path, self.name, self.address, self.contexts = root / name, name, address, contexts
        workspace = influence.open_workspace(self.path)
        reviews = Reviews(workspace, ReviewLog(workspace.path))  # before the server opens them
        self.ids, self.labels = list(reviews.corpus.examples), {id: one.label for id, one in reviews.corpus.examples.items()}
        self.queue = Queues(reviews).create(ANN, "all of them", self.ids).id
        reviews.close()
        workspace.close()

    @contextmanager
    def reviews(self) -> Iterator[Reviews]:
        """What the journal says now, while the server has it open."""
        workspace = influence.open_workspace(self.path)
        found = read_reviews(workspace)
        yield found
        found.close()
        workspace.close()

    def decided(self, who: str = "Ann") -> dict[str, tuple[str, str | None]]:
        """What somebody has decided, flagged or skipped."""
        with self.reviews() as reviews:
            found = reviews.standings(Reviewer(name=who), self.ids, False)
        return {id: (standing.kind, standing.new_label) for id, standing in found.items()}

    def open(self, page: str, parameters: str = "", who: str = "Ann") -> Any:
        """A page of a reviewer's browser."""
        opened = self.contexts(who).new_page()
        opened.set_default_timeout(TIMEOUT)
        opened.seen = watch(opened)
        opened.goto(self.to(page, parameters))
        return opened

    def to(self, page: str, parameters: str = "") -> str:
        """The address of a page."""
        return f"{self.address}/{page}?workspace={self.name}&{parameters}"

    def at_queue(self, who: str = "Ann") -> Any:
        """A page with the queue's next example on it, read and ready for keys."""
        page = self.open("review", f"queue={self.queue}", who)
        keep(page).wait_for()
        page.locator(".whole").wait_for()
        time.sleep(READING)
        return page


def keep(page: Any) -> Any:
    return page.get_by_role("button", name="Keep K", exact=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reviewed")


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    """The server of all tests but that which kills its own."""
    process, served = serve(root)
    yield served
    stop(process)


@pytest.fixture(scope="module")
def contexts(browser: Any) -> Iterator[Callable[[str], Any]]:
    """A browser profile for each reviewer, in which the app's scripts are fetched once."""
    made: dict[str, Any] = {}

    def of(who: str) -> Any:
        if who not in made:
            made[who] = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
            made[who].add_cookies([{"name": "wordtrace_reviewer", "value": quote(who), "domain": "127.0.0.1", "path": "/"}])
        return made[who]

    yield of
    for context in made.values():
        context.close()


@pytest.fixture
def stage(judged_workspaces: Path, root: Path, address: str, contexts: Callable[[str], Any], request: Any) -> Iterator[Stage]:
    name = re.sub(r"\W", "-", request.node.name)
    shutil.copytree(judged_workspaces / "tiny", root / name)
    yield Stage(root, name, address, contexts)
    for who in ("Ann", "Bob"):
        for page in contexts(who).pages:
            page.close()


def on_screen(page: Any) -> str:
    """The example on screen; "" for none."""
    return next(iter(texts(page, ".facts .id")), "")


def press(page: Any, key: str) -> str:
    """Press a key as a reviewer does, who presses again if it came too early; returns what is on screen then."""
    before = on_screen(page)
    for _ in range(5):
        page.keyboard.press(key)
        until = time.monotonic() + AGAIN
        while on_screen(page) == before and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(READING)
        if on_screen(page) != before:
            break
    settled(page)
    return on_screen(page)


def settled(page: Any) -> None:
    """Waits until nothing is left to save."""
    page.wait_for_function(
        """() => { const find = (root) => root.querySelector(".status") ?? [...root.querySelectorAll("*")].map(
            (one) => one.shadowRoot && find(one.shadowRoot)).find(Boolean);
        const status = find(document); return status && !status.textContent.startsWith("Saving"); }"""
    )


def press_until(page: Any, key: str, shown: Any) -> None:
    """Press a key, again if it came before its button was there, until what it brings is shown."""
    for _ in range(5):
        page.keyboard.press(key)
        until = time.monotonic() + AGAIN
        while not shown.is_visible() and time.monotonic() < until:
            time.sleep(0.02)
        if shown.is_visible():
            return
    shown.wait_for()


# Keys


def test_decisions_by_keyboard_alone(stage):
    page = stage.at_queue()
    keys = ["k", "x", "f", "s", "1", "2", "1", "2"]
    walked = [on_screen(page), *(press(page, key) for key in keys)]
    assert walked == stage.ids[:9]
    page.keyboard.press("m")
    page.get_by_role("button", name="Cancel").wait_for()
    page.keyboard.press("k")  # decides nothing while words are picked
    page.keyboard.press("1")
    page.get_by_role("button", name="Mask 1 word").wait_for()
    assert press(page, "Enter") == stage.ids[9]
    assert press(page, "u") == stage.ids[8]
    assert press(page, "y") == stage.ids[9]
    assert press(page, "p") == stage.ids[8]
    assert press(page, "j") == stage.ids[9]
    found = stage.decided()
    labels, given = sorted(set(stage.labels.values())), stage.labels
    expected = {"k": "keep", "x": "remove", "f": "flag", "s": "skip"}
    for id, key in zip(stage.ids, keys, strict=False):
        if key.isdigit():
            label = labels[int(key) - 1]
            assert found[id] == (("keep", None) if label == given[id] else ("relabel", label))
        else:
            assert found[id] == (expected[key], None)
    assert found[stage.ids[8]][0] == "mask"
    assert len(found) == 9
    assert_clean(page, page.seen)


@pytest.mark.slow
def test_the_browser_s_history_walks_the_examples(stage):
    page = stage.at_queue()
    walked = [on_screen(page), press(page, "k"), press(page, "x")]
    page.go_back()
    eventually(lambda: on_screen(page) == walked[1])
    assert "remove" in page.locator(".said").text_content()
    page.go_forward()
    eventually(lambda: on_screen(page) == walked[2])
    assert set(stage.decided()) == set(walked[:2])


@pytest.mark.slow
def test_a_held_key_decides_one_example(stage):
    page = stage.at_queue()
    first = on_screen(page)
    for _ in range(50):  # as the keyboard repeats: 30 a second, for longer than several examples take to come
        page.keyboard.down("k")
        time.sleep(0.033)
    page.keyboard.up("k")
    time.sleep(READING)
    assert stage.decided() == {first: ("keep", None)}
    assert on_screen(page) == stage.ids[1]
    assert press(page, "x") == stage.ids[2]


@pytest.mark.slow
def test_a_fast_hand_loses_nothing(stage):
    page = stage.at_queue()
    walked = []
    for number in range(30):
        walked.append(on_screen(page))
        page.keyboard.press("kx"[number % 2])
        time.sleep(0.15)
    settled(page)
    assert walked == stage.ids[:30]
    assert stage.decided() == {id: (("keep", "remove")[at % 2], None) for at, id in enumerate(walked)}
    assert page.locator(".told.failed").count() == 0
    for _ in range(10):  # and back as fast, in order
        page.keyboard.press("u")
        time.sleep(0.1)
    eventually(lambda: len(stage.decided()) == 20)
    assert on_screen(page) == walked[20]
    assert set(stage.decided()) == set(walked[:20])
    assert_clean(page, page.seen)


@pytest.mark.slow
def test_a_press_that_does_not_count_is_said(stage):
    page = stage.at_queue()
    first = on_screen(page)
    page.evaluate(
        """() => ["k", "k", "x"].forEach((key) => document.body.dispatchEvent(
            new KeyboardEvent("keydown", {key, bubbles: true, composed: true})))"""
    )  # in one moment, as a key that bounces
    page.get_by_text("Not counted: that press came before this example was on screen.").wait_for()
    settled_to = {first: ("keep", None)}
    eventually(lambda: stage.decided() == settled_to)
    time.sleep(0.5)
    assert stage.decided() == settled_to


@pytest.mark.slow
def test_the_second_click_of_two_decides_nothing(stage):
    page = stage.at_queue()
    keep(page).dblclick()
    settled(page)
    assert set(stage.decided()) == {stage.ids[0]}


@pytest.mark.slow
def test_keys_are_the_reviewer_s_own_and_kept(stage):
    page = stage.at_queue()
    first, second = stage.ids[:2]
    page.keyboard.press("?")
    page.get_by_role("button", name="Key of Keep: K").click()
    page.keyboard.press("x")  # which was Remove's
    page.get_by_role("button", name="Key of Keep: X").wait_for()
    page.get_by_role("button", name="Key of Remove: none").click()
    page.keyboard.press("7")
    page.get_by_role("button", name="Done").click()
    page.keyboard.press("k")  # no key any more
    page.keyboard.press("x")
    eventually(lambda: on_screen(page) == second)
    settled(page)
    again = stage.open("review", f"queue={stage.queue}")
    again.get_by_role("button", name="Keep X", exact=True).wait_for()
    time.sleep(READING)
    there = on_screen(again)  # another than the first window has
    again.keyboard.press("7")
    eventually(lambda: stage.decided() == {first: ("keep", None), there: ("remove", None)})
    again.keyboard.press("?")
    again.get_by_role("button", name="The usual keys").click()
    again.get_by_role("button", name="Key of Keep: K").wait_for()


def test_keys_are_text_while_a_note_is_written_and_work_again_after_it(stage):
    page = stage.at_queue()
    first = on_screen(page)
    page.keyboard.press("n")
    page.get_by_label("What should others know").wait_for()
    page.keyboard.type("kx1fsum?")  # the cursor is in it
    assert page.get_by_label("What should others know").input_value() == "kx1fsum?"
    page.get_by_label("What should others know").fill(f"see {SCRIPT}")
    page.keyboard.press("Control+Enter")
    eventually(lambda: texts(page, ".said .note") == [f"Ann see {SCRIPT}"])
    assert stage.decided() == {}
    page.keyboard.press("n")
    page.keyboard.type("never mind")
    page.keyboard.press("Escape")
    time.sleep(READING)
    assert press(page, "k") == stage.ids[1]
    settled(page)
    assert stage.decided() == {first: ("keep", None)}
    with stage.reviews() as reviews:
        assert [note.text for note in reviews.notes(first)] == [f"see {SCRIPT}"]
    assert_clean(page, page.seen)


@pytest.mark.slow
def test_a_click_on_the_last_decisions_opens_the_example_again(stage):
    page = stage.at_queue()
    first = on_screen(page)
    press(page, "k")
    page.locator(".chip").first.click()
    eventually(lambda: on_screen(page) == first)
    time.sleep(READING)
    press(page, "x")  # and the keys work after the click
    assert stage.decided() == {first: ("remove", None)}


# Several


@pytest.mark.slow
def test_two_browsers_never_get_the_same_example(stage):
    ann, bob = stage.at_queue("Ann"), stage.at_queue("Bob")
    seen: dict[str, list[str]] = {"Ann": [on_screen(ann)], "Bob": [on_screen(bob)]}
    for turn in range(5):
        seen["Ann"].append(press(ann, "k"))
        seen["Bob"].append(press(bob, "x" if turn % 2 else "s"))
        assert seen["Ann"][-1] != seen["Bob"][-1]
    mine = {who: {id for id, (kind, _) in stage.decided(who).items() if kind != "skip"} for who in seen}
    assert not mine["Ann"] & set(seen["Bob"])
    assert not mine["Bob"] & set(seen["Ann"])
    # The same name in a second browser, too.
    again = stage.at_queue("Ann")
    assert on_screen(again) not in (seen["Ann"][-1], seen["Bob"][-1])


@pytest.mark.slow
def test_a_link_to_what_another_has_on_screen_does_not_give_it(stage):
    ann = stage.at_queue("Ann")
    bob = stage.open("review", f"queue={stage.queue}&id={quote(on_screen(ann))}", "Bob")
    bob.get_by_text("Another reviewer has").wait_for()
    assert keep(bob).count() == 0


# A killed server


@pytest.mark.slow
def test_a_killed_server_loses_nothing_that_the_screen_had_confirmed(judged_workspaces, tmp_path, contexts):
    decisions = int(os.environ.get("KILLED_AFTER", "20"))
    shutil.copytree(judged_workspaces / "tiny", tmp_path / "tiny")
    stage = Stage(tmp_path, "tiny", "", contexts)
    process, stage.address = serve(tmp_path)
    try:
        page = stage.at_queue()
        walked = []
        for number in range(decisions):
            walked.append(on_screen(page))
            page.keyboard.press("kx"[number % 2])
            time.sleep(0.15)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    # The last ten of those that the screen calls saved.
    confirmed = dict(zip(texts(page, "button.chip .quiet"), texts(page, "button.chip b"), strict=True))
    assert confirmed
    pressed = {id: ("keep", "remove")[at % 2] for at, id in enumerate(walked)}
    found = {id: kind for id, (kind, _) in stage.decided().items()}
    assert {id: found.get(id, "lost") for id in confirmed} == confirmed
    assert found == {id: pressed[id] for id in walked[: len(found)]}  # and what is there is in the order of the presses
    process, stage.address = serve(tmp_path)
    try:
        again = stage.open("review", f"queue={stage.queue}&id={quote(walked[0])}")
        keep(again).wait_for()
        assert f"{len(found)} by you" in again.locator(".wt-progress").text_content()
        assert found[walked[0]] in again.locator(".said").text_content()
    finally:
        stop(process)


def show(page: Any, stage: Stage, id: str) -> None:
    """Put an example on screen by its address, and read it."""
    page.goto(stage.to("review", f"queue={stage.queue}&id={quote(id)}"))
    eventually(lambda: on_screen(page) == id)
    keep(page).wait_for()
    time.sleep(READING)


# Bulk and downloads, by hand


@pytest.mark.slow
def test_rows_are_ticked_and_decided_together(stage):
    page = stage.open("suspects", "show=all")
    boxes = page.locator(".row input[type=checkbox]")
    boxes.first.wait_for()
    ids = texts(page, ".row .id")[:2]
    boxes.nth(0).check()
    page.get_by_text("1 chosen").wait_for()
    boxes.nth(1).click()  # not check(), which looks at once: the page may still be drawing the first tick
    page.get_by_text("2 chosen").wait_for()
    eventually(lambda: [boxes.nth(number).is_checked() for number in range(3)] == [True, True, False])
    page.get_by_role("button", name="Mark for removal", exact=True).click()
    page.get_by_role("button", name="Mark for removal: 2 examples").click()
    page.get_by_text("Saved").first.wait_for()
    assert stage.decided() == dict.fromkeys(ids, ("remove", None))
    page.get_by_role("button", name="Undo remove").click()
    page.get_by_text("Taken back").wait_for()
    assert stage.decided() == {}
    assert_clean(page, page.seen)


def test_a_cluster_opens_by_its_name_and_by_its_point(stage):
    found = clusters(influence.open_workspace(stage.path), threshold=0.8, min_size=2)
    page = stage.open("clusters", "size=2")
    page.locator("a.name").first.click()
    page.wait_for_url(f"**cluster={found[0].number}*")
    eventually(lambda: set(texts(page, ".row .id")) == set(found[0].train_ids[:25]))
    assert_clean(page, page.seen)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["CSV", "JSONL", "Parquet"])
def test_downloads_are_the_fix_list(stage, tmp_path, kind):
    page = stage.at_queue()
    press(page, "x")
    page.goto(stage.to("fix_list"))
    with page.expect_download() as waited:
        page.get_by_role("button", name=kind).click()
    file = tmp_path / f"fixes.{kind.lower()}"
    waited.value.save_as(file)
    with stage.reviews() as reviews:
        assert read_fixes(file) == fix_list(reviews).fixes
    assert waited.value.suggested_filename == f"{stage.name}-fixes.{kind.lower()}"


# A ranking that learns


@pytest.mark.slow
def test_the_ranking_learns_while_a_reviewer_goes_on(stage):
    """By keyboard alone: the command runs beside the server, reads the journal, and the queue goes on in its order."""
    write_choices(stage.path, Choices(learn_every=3))
    workspace = influence.open_workspace(stage.path)
    name = lambda: published(workspace.build, "suspects")[0].name  # noqa: E731
    page = stage.open("review")
    page.locator(".st-key-source_suspects button").click()
    keep(page).wait_for()
    page.locator(".whole").wait_for()
    page.get_by_text("Rank 1 of 60").wait_for()
    time.sleep(READING)
    before, seen = name(), [on_screen(page)]
    seen += [press(page, "k") for _ in range(3)]
    until = time.monotonic() + 180  # the command imports scikit-learn and more
    while name() == before and time.monotonic() < until:
        time.sleep(0.2)
    assert name() != before
    assert on_screen(page) == seen[-1]
    seen += [press(page, "k"), press(page, "k")]
    summary = page.get_by_text("Ranked again after 3 decisions")
    summary.wait_for()
    summary.click()
    page.get_by_text("This ranking has learnt from 3 of 5 decided examples").wait_for()
    assert len(set(seen)) == 6
    assert set(stage.decided()) == set(seen[:-1])
    with stage.reviews() as reviews:
        queue = Queues(reviews).all()[-1]
        assert (queue.reranked, queue.decisions, queue.ranking) == (1, 3, name())
        assert reviews.log.verify() == []
    assert_clean(page, page.seen)
    workspace.close()


# Hostile texts, and every page opened cold


PAGES: list[tuple[str, Callable[[Stage], str], str]] = [
    ("suspects", lambda stage: "show=all", ".row .text"),
    ("suspects of a test", lambda stage: "show=all&test=test-3", ".row .text"),
    ("errors", lambda stage: f"id={quote(stage.ids[0])}", ".row .text"),
    ("clusters", lambda stage: "size=2", "a.name"),
    ("cluster", lambda stage: f"cluster={number(stage)}", ".row .text"),
    ("review", lambda stage: f"queue={stage.queue}", ".whole .text"),
    ("case", lambda stage: f"id={quote(stage.ids[0])}", ".whole .text"),
    ("queues", lambda stage: "test=test-3", ".wt-progress"),
    ("fix_list", lambda stage: "", ".row .text"),
    ("rules", lambda stage: "part=rules&pattern=film&action=remove", ".row .text"),
    ("log", lambda stage: "part=log", "[data-testid=stDataFrame]"),
    ("agreement", lambda stage: "part=agreement", "[data-testid=stDataFrame]"),
]
FILES = {
    "suspects of a test": "suspects", "errors": "suspects", "cluster": "clusters", "case": "review", "queues": "review",
    "rules": "fix_list", "log": "fix_list", "agreement": "fix_list",
}  # fmt: skip


def number(stage: Stage) -> int:
    return clusters(influence.open_workspace(stage.path), threshold=1.0, min_size=2)[0].number


@pytest.mark.slow
def test_hostile_texts_are_texts_on_every_page(stage):
    page = stage.at_queue()
    press(page, "x")
    press(page, "k")
    shown = ""
    for name, address, selector in PAGES:
        page.goto(stage.to(FILES.get(name, name), address(stage)))
        page.locator(selector).first.wait_for()
        time.sleep(0.3)
        assert_clean(page, page.seen)
        shown += "\n".join(texts(page, selector))
        assert not page.locator("[data-testid=stException]").count(), name
    assert SCRIPT in shown
    assert IMAGE in shown


@pytest.mark.slow
def test_a_name_is_remembered_by_the_browser(stage, browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    page.goto(stage.to("review"))
    page.get_by_label("Your name").fill("Ännchen <b>")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Ännchen").wait_for()
    eventually(lambda: any(cookie["name"] == "wordtrace_reviewer" for cookie in context.cookies()))
    page.goto(stage.to("review", f"queue={stage.queue}"))
    page.locator(".whole").wait_for()
    assert page.get_by_role("button", name="Ännchen <b>").count() == 1
    context.close()
