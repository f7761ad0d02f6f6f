"""A sealed line that makes no sense is a damaged line, and nothing that reviews write is taken for one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reviewing import Clock, make_workspace, reviews_at

from influence.errors import WorkspaceError
from influence.review.events import Reviewer
from influence.review.journal import Record, parse, read_journal, seal
from influence.review.log import DATABASE, JOURNAL, ReviewLog
from influence.review.queues import Queues
from influence.review.sense import EVENT, makes_sense

ANN = Reviewer(name="Ann")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """One of each type, as reviews write them: act, undo, redo, queue, act with words."""
    reviews = reviews_at(make_workspace(tmp_path_factory.mktemp("sense")), Clock())
    reviews.decide(ANN, "e0", "relabel", new_label="Sport", note="football")
    reviews.undo(ANN)
    reviews.redo(ANN)
    Queues(reviews).create(ANN, "all", ["e1", "e2"], source={"kind": "search"}, plant=lambda id: {"e5": "World"})
    reviews.decide(ANN, "e1", "mask", words=["yankees"])
    reviews.close()
    return read_journal(reviews.log.folder / JOURNAL).records


MAY_BE_NOTHING = {"queue", "origin", "control", "source", "controls", "items"}
NUMBERS = (0.5, -1, 2**63)


def test_what_reviews_write_makes_sense_and_no_field_of_it_can_be_anything(records: list[Record]) -> None:
    assert [record.content["type"] for record in records] == ["act", "undo", "redo", "queue", "act"]
    for record in records:
        assert makes_sense(record.seq, record.content)
        assert parse(record.line) == record
        for name, held in record.content.items():
            wrong = [*NUMBERS, [[]], *([] if isinstance(held, str) or name in MAY_BE_NOTHING else ["x", None])]
            for value in wrong:
                assert not makes_sense(record.seq, {**record.content, name: value}), (name, value)


def test_nor_does_a_field_of_a_decision(records: list[Record]) -> None:
    for record in (records[0], records[4]):
        [event] = record.content["events"]
        for name in EVENT:
            required = [None] if name in ("kind", "example_id", "text_sha256") else []
            for value in [[[]], *required, *(NUMBERS if name != "score" else [2**63])]:
                assert not makes_sense(record.seq, {**record.content, "events": [{**event, name: value}]}), (name, value)
    [relabel], [masked] = records[0].content["events"], records[4].content["events"]
    for event in (
        {**relabel, "new_label": None},
        {**relabel, "words": ["x"]},
        {**masked, "words": []},
        {**masked, "kind": "keep"},
    ):
        assert not makes_sense(1, {**records[0].content, "events": [event]})
    # What another program adds to the kinds is read also where it is not installed.
    assert makes_sense(1, {**records[0].content, "events": [{**relabel, "kind": "translate"}]})


BODIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "no JSON": lambda whole: '{"seq":2,',
    "nested without end": lambda whole: '{"seq":' + "[" * 100_000,
    "a number of 5,000 digits": lambda whole: '{"seq":' + "9" * 5_000 + "}",
    "half a surrogate pair": lambda whole: json.dumps({**whole, "session": "\ud800"}),
    "no number": lambda whole: json.dumps({name: held for name, held in whole.items() if name != "seq"}),
    "a version that is a text": lambda whole: json.dumps({**whole, "v": "1"}),
    "a type that is a list": lambda whole: json.dumps({**whole, "type": ["act"]}),
    "an action that takes back itself": lambda whole: json.dumps({**whole, "target": 2}),
    "a time after the year 9999": lambda whole: json.dumps({**whole, "at": 10**18}),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_sealed_line_that_makes_no_sense_is_said_and_set_aside(
    records: list[Record], body: Callable[[dict[str, Any]], str], tmp_path: Path
) -> None:
    from influence.review import journal

    folder = make_workspace(tmp_path / "w").path
    first = records[0]
    made = body({"seq": 2, "previous": first.digest, "v": 1, **records[1].content})
    digest = journal._digest(made)
    (folder / JOURNAL).write_text(f'{first.line}\n{{"digest":"{digest}",{made[1:]}\n')
    log = ReviewLog(folder, wait=0)
    assert [record.seq for record in log.store.records()] == [1]
    assert len(log.warnings) == 1
    assert log.warnings[0].startswith("reviews.jsonl was damaged (line 2) and has been rewritten; it is now ")
    log.close()
    again = ReviewLog(folder, wait=0)
    assert again.warnings == []
    again.close()
    assert read_journal(folder / JOURNAL).records == [first]


def test_what_would_not_be_read_again_is_not_written(records: list[Record], tmp_path: Path) -> None:
    log = ReviewLog(make_workspace(tmp_path / "w").path, wait=0)
    log.append(records[0].content)
    with pytest.raises(WorkspaceError, match=r"nothing was saved: a record of type 'undo' makes no sense"):
        log.append(records[1].content | {"target": 7})
    assert log.next_seq == 2
    log.close()


def test_a_database_whose_last_record_makes_no_sense_is_made_again(records: list[Record], tmp_path: Path) -> None:
    import duckdb

    folder = make_workspace(tmp_path / "w").path
    log = ReviewLog(folder, wait=0)
    log.append(records[0].content)
    log.close()
    senseless = seal({"type": "undo"}, records[0]).line
    with duckdb.connect(str(folder / DATABASE)) as connection:
        connection.execute("insert into records values (2, ?)", [senseless])
    log = ReviewLog(folder, wait=0)
    assert log.next_seq == 2
    assert log.warnings[0].startswith("reviews.duckdb was damaged (")
    log.close()
