"""The loop under AppTest: from decisions by one button to a new workspace, and what became better and worse."""

import time

import pytest
from conftest import shown
from reviewing_app import ANN, button, reviews_of

import influence
from influence.fixes import fix_list
from influence.review.log import close_log
from influence.standing import made_from
from pages.ui.jobs import again, builds
from pages.ui.jobs.builds import overall, seconds_left


def page_text(app):
    assert not app.exception, app.exception
    return shown(app)


def decide(root, count=4):
    reviews = reviews_of(root)
    ids = list(reviews.corpus.examples)[:count]
    for id in ids:
        other = next(label for label in reviews.corpus.labels if label != reviews.corpus[id].label)
        reviews.decide(ANN, id, "relabel", new_label=other)
    return ids


def wait_for_builds():
    end = time.monotonic() + 120
    while builds.runs():
        assert not builds.runs()[0].failed, builds.complaint(builds.runs()[0])
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize("page", ["home", "fix_list"])
def test_the_button_is_off_and_says_why_until_something_changes_the_data(open_as, root, page):
    reviews_of(root).decide(ANN, next(iter(reviews_of(root).corpus.examples)), "keep")
    app = open_as("Ann", page)
    assert button(app, "again_start").disabled
    assert "Nothing that is decided so far changes the data." in page_text(app)
    decide(root, 1)
    assert not button(open_as("Ann", page), "again_start").disabled


@pytest.mark.slow
def test_from_the_button_to_the_comparison(open_as, root):
    ids = decide(root)
    app = open_as("Ann", "fix_list")
    assert "Makes a new workspace, tiny-2: the same data, settings and test part" in page_text(app)
    button(app, "again_start").click().run()
    assert not app.exception
    (job,) = builds.runs()
    assert job.about["before"] == "tiny"
    wait_for_builds()
    for page in ("fix_list", "home"):
        text = page_text(open_as("Ann", page))
        assert "tiny-2 is ready" in text
        assert "of the same 30 test texts are right" in text
    new = influence.open_workspace(root / "tiny-2")
    assert made_from(new)["counts"] == {"relabel": 4}
    reviews = reviews_of(root, name="tiny-2")
    assert {d.example_id for d in reviews.decisions()} == set(ids)
    assert (fix_list(reviews).changes, fix_list(reviews).applied) == (0, 4)
    close_log(root / "tiny-2")
    text = page_text(open_as("Ann", "home", workspace="tiny-2"))
    assert "Nothing that is decided so far changes the data." in text
    close_log(root / "tiny-2")


def test_what_a_build_takes_is_promised_by_what_it_took(root):
    workspace = influence.open_workspace(root / "tiny")
    assert again.expected_seconds(workspace) >= workspace.info.seconds


def test_the_time_left_is_the_promise_at_first_and_the_pace_later():
    assert seconds_left(0.0, 1.0, 100.0) == 100.0
    assert seconds_left(0.5, 200.0, 100.0) == 200.0  # twice as slow as promised
    assert seconds_left(0.125, 50.0, 100.0) == pytest.approx((87.5 + 350.0) / 2)
    assert seconds_left(0.05, 30.0, None) is None
    assert seconds_left(0.5, 30.0, None) == 30.0
    assert overall([], {}) == 0.0
