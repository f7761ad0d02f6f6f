"""What is said of how long a job takes: before it runs, and while it does."""

import pytest

from influence.cli import ProgressEvent
from influence.types import Stage
from pages.ui.jobs import waiting
from pages.ui.jobs.background import Job


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setattr("pages.ui.jobs.background.time.time", lambda: 1_000.0)

    def made(running, expected):
        return Job(tmp_path, "retrain", "Fixes", "key", 0.0, 1_000.0 - running, about={"seconds": expected})

    return made


def event(done, total, left):
    return ProgressEvent(Stage("retrain"), done, total, 10.0, left)


@pytest.mark.parametrize(
    ("running", "expected", "done", "left", "says"),
    [
        # The first steps of a training are slow, and said over an hour of what then took ten minutes.
        (12.0, 600.0, 4, 4_800.0, "about 10 min left · 12 s so far"),
        (300.0, 600.0, 250, 900.0, "about 15 min left · 5 min 0 s so far"),  # half as fast as thought, and corrected
        (300.0, 600.0, 750, 100.0, "about 2 min left · 5 min 0 s so far"),
        (12.0, None, 4, 70.0, "about 1 min left · 12 s so far"),
        (12.0, None, 4, None, "12 s so far"),
    ],
)
def test_the_time_left_begins_with_what_was_promised_and_is_corrected(job, running, expected, done, left, says):
    assert waiting._time(job(running, expected), event(done, 1_000, left)) == says
