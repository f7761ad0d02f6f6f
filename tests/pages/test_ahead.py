"""Work done ahead: in order, once, by one thread; and what Explore has made ready."""

import threading
import time

import influence
from pages.ui.explore import prefetch
from pages.ui.jobs import Ahead


def until(check, seconds=60.0):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)


def test_things_are_done_once_in_order_by_one_thread_whatever_fails():
    ahead, done, threads = Ahead(kept=8), [], set()

    def work(number):
        threads.add(threading.current_thread())
        done.append(number)
        if number == 1:
            raise ValueError(number)

    for number in (0, 1, 2, 1, 0, 3):
        ahead.prepare(number, lambda number=number: work(number))
    until(lambda: len(done) == 4)
    assert done == [0, 1, 2, 3]
    assert len(threads) == 1
    assert threads != {threading.current_thread()}


def test_what_was_asked_for_long_ago_is_done_again():
    ahead, done = Ahead(kept=2), []
    for number in (0, 1, 2, 0):
        ahead.prepare(number, lambda number=number: done.append(number))
    until(lambda: len(done) == 4)
    assert done == [0, 1, 2, 0]


def test_a_sentence_has_its_neighbours_and_the_model_made_ready(open_page, workspaces, monkeypatch):
    monkeypatch.setattr(prefetch, "_answers", Ahead(kept=256))
    monkeypatch.setattr(prefetch, "_models", Ahead(kept=8))
    asked, explain = [], influence.explain
    monkeypatch.setattr(
        influence, "explain", lambda workspace, **question: asked.append(question) or explain(workspace, **question)
    )
    tiny = influence.open_workspace(workspaces / "tiny")
    page = tiny.search_tests(influence.TestFilter(), limit=30)[1]
    ids = list(page["id"])
    app = open_page("explore", show="all", id=ids[7], top="20")  # of a depth that no other test has asked for
    assert not app.exception
    until(lambda: len({question["test_id"] for question in asked}) == 3 and len(asked) >= 4)
    assert {question["test_id"] for question in asked} == {ids[6], ids[7], ids[8]}
    other = [question for question in asked if question["label"] is not None]
    assert [question["test_id"] for question in other] == [ids[7]]
    assert other[0]["label"] != page["label"].iloc[7]
