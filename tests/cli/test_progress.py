"""Progress as it is read: redrawn on a terminal, one line now and then in a log, with the time left."""

import io
from collections.abc import Callable

import pytest

from influence.cli.progress import FOR_PROGRAMS, ProgressEvent, ProgressLine, Remark, duration, read_line, remark
from influence.types import Stage

Step = tuple[float, str, int, int]  # seconds, stage, done, total


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (9.94, "9.9 s"),
        (10.4, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3_599, "59 min 59 s"),
        (3_900, "1 h 05 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Callable[[io.StringIO, list[Step]], str]:
    """What is written on a stream by steps at given times."""

    def write(stream: io.StringIO, steps: list[Step]) -> str:
        now = 0.0
        monkeypatch.setattr("influence.cli.progress.time.monotonic", lambda: 1_000 + now)
        with ProgressLine(stream) as progress:
            for now, stage, done, total in steps:  # noqa: B007
                progress(stage, done, total)
        return stream.getvalue()

    return write


STEPS: list[Step] = [
    (0, "read", 0, 2),
    (1, "read", 1, 2),
    (2, "read", 2, 2),
    (2, "train", 100, 1_500),  # the clock starts here, so 100 tells nothing about speed
    (3, "train", 200, 1_500),
    (14, "train", 900, 1_500),
    (14.1, "train", 910, 1_500),
    (20, "train", 1_500, 1_500),
    (20, "train", 1_500, 1_500),
]


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end(written: Callable[[io.StringIO, list[Step]], str]) -> None:
    assert written(io.StringIO(), STEPS[:-1]).splitlines() == [
        "read: 0 of 2 (0%)",
        "read: done in 2.0 s",
        "train: 100 of 1,500 (7%)",
        "train: 900 of 1,500 (60%), 9.0 s left",
        "train: done in 18 s",
    ]


def test_a_terminal_line_is_redrawn_until_its_stage_ends(written: Callable[[io.StringIO, list[Step]], str]) -> None:
    text = written(Terminal(), STEPS[:-1])
    assert text.split("\n") == [
        "\r\x1b[Kread: 0 of 2 (0%)\r\x1b[Kread: 1 of 2 (50%), 1.0 s left\r\x1b[Kread: done in 2.0 s",
        "\r\x1b[Ktrain: 100 of 1,500 (7%)\r\x1b[Ktrain: 200 of 1,500 (13%), 13 s left"
        "\r\x1b[Ktrain: 900 of 1,500 (60%), 9.0 s left\r\x1b[Ktrain: done in 18 s",
        "",
    ]


def test_an_error_begins_on_a_line_of_its_own(written: Callable[[io.StringIO, list[Step]], str]) -> None:
    """However a build ends, the terminal's line is ended first."""
    assert written(Terminal(), STEPS[3:5]).endswith(" left\n")


def test_for_programs_each_line_is_an_object_that_reads_back(
    written: Callable[[io.StringIO, list[Step]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even on a terminal nothing is redrawn; a state comes every two seconds at most."""
    for name, value in FOR_PROGRAMS.items():
        monkeypatch.setenv(name, value)
    stage = Stage("gradients", number=1, out_of=5, examples="test")
    steps: list[Step] = [(0, stage, 0, 640), (1, stage, 16, 640), (2.1, stage, 32, 640), (9, stage, 640, 640), (9, "map", 0, 1)]
    text = written(Terminal(), steps)
    assert text.splitlines()[1] == (
        '{"stage": "gradients", "number": 1, "out_of": 5, "examples": "test", '
        '"done": 32, "total": 640, "seconds": 2.1, "left": 39.9}'
    )
    assert [read_line(line) for line in text.splitlines()] == [
        ProgressEvent(stage, 0, 640, 0.0, None),
        ProgressEvent(stage, 32, 640, 2.1, 39.9),
        ProgressEvent(stage, 640, 640, 9.0, None),
        ProgressEvent(Stage("map"), 0, 1, 0.0, None),
    ]


@pytest.mark.parametrize(("kind", "human"), [("note", "note: 3\nrows"), ("error", "wordtrace: 3\nrows")])
def test_notes_and_errors_are_said_either_way(
    kind: str, human: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remark("3\nrows", kind)
    assert capsys.readouterr().err == f"{human}\n"
    for name, value in FOR_PROGRAMS.items():
        monkeypatch.setenv(name, value)
    remark("3\nrows", kind)
    assert read_line(capsys.readouterr().err.strip()) == Remark("3\nrows", kind)


@pytest.mark.parametrize(
    "line",
    [
        "train: 100 of 1,500 (7%)",
        "wordtrace: disk full",
        "{",
        "{}",
        "[1]",
        '{"stage": "map"}',
        '{"stage": "map", "done": 1, "total": 1e400, "seconds": 1, "left": null}',
        '{"stage": "map", "done": 1, "total": 2, "seconds": NaN, "left": null}',
        '{"stage": "map", "done": 1, "total": 2, "seconds": 1, "left": Infinity}',
        '{"stage": "map", "done": -1, "total": 2, "seconds": 1, "left": null}',
        '{"stage": "map", "done": 1, "total": "many", "seconds": 1, "left": null}',
        '{"told": "by another program"}',
        '{"error": 1, "note": 2}',
        '{"a":' * 100_000,
    ],
)
def test_any_other_line_is_a_remark_as_it_stands(line: str) -> None:
    assert read_line(line) == Remark(line)
    assert str(read_line(line)) == line


def test_durations_in_a_sentence_are_whole_numbers() -> None:
    assert [duration(seconds, rounded=True) for seconds in (3.4, 103, 7_260)] == ["3 s", "1 min 43 s", "2 h 1 min"]
