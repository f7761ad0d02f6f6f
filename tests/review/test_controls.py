"""Planted controls: shown under a wrong label, answered like any other, and never a decision."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from reviewing import Clock, make_workspace, python, reviews_at

from influence.data.edits import Edit
from influence.errors import QueryError, SettingsError, WorkspaceNewer
from influence.fixes.bundle import export_bundle
from influence.fixes.fixlist import fix_list
from influence.review import journal
from influence.review.agreements import ControlResult, agreement, control_results
from influence.review.bulk import preview_bulk
from influence.review.events import Evidence, Reviewer, checked_event
from influence.review.log import DATABASE, JOURNAL
from influence.review.queues import FLAGGED, Queue, Queues, spread
from influence.review.reviews import Reviews
from influence.review.tables import ReviewStore

ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")
PLANTED = {"e5": "World", "e3": "Business"}  # really Business and Sport


@pytest.fixture
def reviews(tmp_path: Path):
    opened = reviews_at(make_workspace(tmp_path / "ws"), Clock())
    yield opened
    opened.close()


@pytest.fixture
def queues(reviews: Reviews) -> Queues:
    return Queues(reviews)


@pytest.fixture
def queue(queues: Queues) -> Queue:
    return queues.create(ANN, "some", ["e0", "e1", "e2", "e4"], plant=lambda id: PLANTED, source={"kind": "suspects"})


def work_off(queues: Queues, reviews: Reviews, who: Reviewer, kind: str = "keep") -> list[str]:
    seen = []
    while (id := queues.next("q1", who)) is not None:
        seen.append(id)
        reviews.decide(who, id, kind, queue="q1")
    return seen


def test_others_are_spread_evenly() -> None:
    assert spread("abcdefgh", "XY") == [*"abXcdefYgh"]
    assert spread("ab", "") == [*"ab"]
    assert spread("", "XY") == [*"XY"]
    for n in range(1, 30):
        for k in range(1, 9):
            mixed = spread(range(n), ["x"] * k)
            assert [one for one in mixed if one != "x"] == list(range(n))
            places = [place for place, one in enumerate(mixed) if one == "x"]
            gaps = [b - a for a, b in pairwise(places)]
            assert max(gaps, default=0) - min(gaps, default=0) <= 1


def test_a_queue_that_was_asked_about_before_it_was_made_has_its_controls(queues: Queues, reviews: Reviews) -> None:
    assert not reviews.is_control("e5", "q1")
    queues.create(ANN, "some", ["e0"], plant=lambda id: PLANTED)
    assert reviews.is_control("e5", "q1")


def test_controls_stand_among_the_others_under_their_wrong_label(queues: Queues, reviews: Reviews, queue: Queue) -> None:
    assert (queue.size, queue.controls) == (6, 2)
    assert queues.example_ids("q1", ANN) == ["e0", "e5", "e1", "e2", "e3", "e4"]
    assert [reviews.shown(id, "q1").label for id in ("e0", "e5", "e3")] == ["World", "World", "Business"]
    assert [reviews.shown(id, None).label for id in ("e5", "e3")] == ["Business", "Sport"]
    assert work_off(queues, reviews, ANN) == ["e0", "e5", "e1", "e2", "e3", "e4"]
    done = queues.progress("q1", ANN)
    assert (done.total, done.decided, done.settled, done.left) == (6, 6, 6, 0)


def test_an_answer_is_no_decision_anywhere(queues: Queues, reviews: Reviews, queue: Queue) -> None:
    del queue
    for who in (ANN, BOB):
        queues.change(ANN, "q1", overlap=2)
        work_off(queues, reviews, who)
    assert {d.example_id for d in reviews.decisions()} == {"e0", "e1", "e2", "e4"}
    assert agreement(reviews).examples == 4
    assert {fix.example_id for fix in fix_list(reviews).fixes} == {"e0", "e1", "e2", "e4"}
    assert reviews.standing("e5", ANN) is None
    assert reviews.standing("e5", ANN, queue="q1").kind == "keep"
    assert [d.reviewer for d in reviews.decisions_in("q1", "e5")] == ["ann", "bob"]
    assert preview_bulk(reviews, ANN, {"e5": Edit("keep")}).free == ("e5",)
    marked = reviews.audit().query("control")
    assert sorted(zip(marked["reviewer"], marked["example_id"], strict=True)) == [
        (who, id) for who in ("ann", "bob") for id in ("e3", "e5")
    ]
    assert b"control" not in export_bundle(reviews)


def test_a_flag_or_a_note_on_a_control_stays_in_its_queue(queues: Queues, reviews: Reviews, queue: Queue) -> None:
    del queue
    reviews.decide(ANN, "e5", "flag", queue="q1")
    reviews.add_note(ANN, "e3", "odd", queue="q1")
    assert reviews.flagged(ANN) == []
    assert queues.next(FLAGGED, ANN) is None
    assert reviews.all_notes() == {}
    assert [note.text for note in reviews.notes("e3", queue="q1")] == ["odd"]
    assert queues.progress("q1", ANN).flagged == 1


def test_the_same_example_elsewhere_is_an_example_like_any_other(queues: Queues, reviews: Reviews, queue: Queue) -> None:
    del queue
    reviews.decide(ANN, "e5", "relabel", new_label="Sport")
    assert [d.example_id for d in reviews.decisions()] == ["e5"]
    assert work_off(queues, reviews, ANN)[1] == "e5"  # and is still to be answered here
    assert [d.verdict for d in reviews.decisions(["e5"])] == ["relabel: Sport"]


def test_undo_and_redo_work_on_a_control(queues: Queues, reviews: Reviews, queue: Queue) -> None:
    del queue
    assert queues.next("q1", ANN) == "e0"
    reviews.decide(ANN, "e0", "keep", queue="q1")
    assert queues.next("q1", ANN) == "e5"
    reviews.decide(ANN, "e5", "keep", queue="q1")
    assert reviews.decide(ANN, "e5", "keep", queue="q1") is None  # a key held down
    assert [action.example_ids for action in reviews.recent(ANN)] == [("e5",), ("e0",)]
    assert reviews.undo(ANN).example_ids == ("e5",)
    assert queues.next("q1", ANN) == "e5"
    assert reviews.redo(ANN).example_ids == ("e5",)
    assert queues.next("q1", ANN) == "e1"
    reviews.decide(ANN, "e5", "relabel", new_label="Business", queue="q1")
    assert control_results(reviews) == [ControlResult("ann", caught=1, named=1, missed=0, flagged=0)]


def test_a_control_that_is_to_be_what_it_is_shown_as_is_refused_like_any_other(reviews: Reviews, queue: Queue) -> None:
    del queue
    with pytest.raises(SettingsError, match="already"):
        reviews.decide(ANN, "e5", "relabel", new_label="World", queue="q1")


def test_what_reviewers_make_of_controls(queues: Queues, reviews: Reviews, queue: Queue) -> None:
    del queue
    assert control_results(reviews) == []
    reviews.decide(ANN, "e5", "relabel", new_label="Sport", queue="q1")  # wrong, but it was seen
    reviews.decide(ANN, "e3", "keep", queue="q1")
    reviews.decide(BOB, "e5", "remove", queue="q1")
    reviews.decide(BOB, "e3", "flag", queue="q1")
    both = [ControlResult("ann", 1, 0, 1, 0), ControlResult("bob", 1, 0, 0, 1)]
    assert control_results(reviews) == both
    assert control_results(reviews, "q1") == both
    assert control_results(reviews, "q9") == []
    reviews.decide(BOB, "e3", "skip", queue="q1")
    assert control_results(reviews)[1] == ControlResult("bob", 1, 0, 0, 0)


def test_blind_mode_hides_until_a_control_is_answered(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "some", ["e0"], blind=True, plant=lambda id: PLANTED)
    assert queues.hides("q1", "e5", ANN)
    reviews.decide(ANN, "e5", "flag", queue="q1")
    assert queues.hides("q1", "e5", ANN)
    reviews.decide(ANN, "e5", "keep", queue="q1")
    assert not queues.hides("q1", "e5", ANN)
    assert queues.hides("q1", "e0", ANN)


@pytest.mark.parametrize(("planted", "why"), [({"e5": "Business"}, "under another label"), ({"e0": "Sport"}, "not in the queue")])
def test_controls_must_be_others_under_another_label(queues: Queues, planted: dict[str, str], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        queues.create(ANN, "some", ["e0"], plant=lambda id: planted)
    with pytest.raises(QueryError, match="Weather"):
        queues.create(ANN, "some", ["e0"], plant=lambda id: {"e5": "Weather"})
    assert queues.all() == []


def test_either_file_makes_the_other_again_with_its_controls(queues: Queues, reviews: Reviews, queue: Queue) -> None:
    work_off(queues, reviews, ANN)
    before = reviews.audit().drop(columns="at").astype(str).to_dict("records"), control_results(reviews)
    for lost in (DATABASE, JOURNAL):
        reviews.close()
        (reviews.workspace.path / lost).unlink()
        reviews = reviews_at(reviews.workspace)
        assert (reviews.audit().drop(columns="at").astype(str).to_dict("records"), control_results(reviews)) == before
        assert Queues(reviews).get("q1") == queue
        assert reviews.log.verify() == []
    reviews.close()


def test_a_kill_keeps_an_answer_and_that_it_is_one(reviews: Reviews, queue: Queue) -> None:
    del queue
    folder = reviews.workspace.path
    reviews.close()
    script = (
        "import os, sys; from pathlib import Path; from reviewing import reviews_at; from influence.workspace.workspace import "
        "read_workspace; from influence.review.events import Reviewer; r = reviews_at(read_workspace(Path(sys.argv[1]))); "
        "r.decide(Reviewer(name='ann'), 'e5', 'keep', queue='q1'); os.kill(os.getpid(), 9)"
    )
    with python(script, folder) as killed:
        assert killed.wait() == -9
    again = reviews_at(reviews.workspace)
    assert again.decisions() == []
    assert control_results(again) == [ControlResult("ann", 0, 0, 1, 0)]
    again.close()


def test_only_lines_with_controls_need_this_version(reviews: Reviews, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    del queue
    reviews.decide(ANN, "e0", "keep", queue="q1")
    reviews.decide(ANN, "e5", "keep", queue="q1")
    lines = (reviews.workspace.path / JOURNAL).read_text().splitlines()
    assert [json.loads(line)["v"] for line in lines] == [2, 1, 2]
    monkeypatch.setattr(journal, "VERSION", 1)
    with pytest.raises(WorkspaceNewer, match="version 2"):
        journal.parse(lines[0])


def test_a_database_of_before_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make_workspace(tmp_path / "old")
    old = reviews_at(workspace)
    old.act(ANN, [checked_event(old.corpus, old.corpus["e0"], Edit("remove"), "")], Evidence())
    content = {"queue": "q2", "name": "some", "overlap": 1, "blind": False, "adjudicates": False, "closed": False}
    items = [("e1", workspace.store.train_frame()["text_sha256"][1])]
    old.log.append(old.stamped(ANN, "queue", build=True) | content | {"source": {"kind": "suspects"}, "items": items})
    records = old.log.store.records()
    old.close()
    (workspace.path / DATABASE).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(ReviewStore, "migrations", ReviewStore.migrations[:4])
        with ReviewStore(workspace.path / DATABASE, read_only=False) as store, store.transaction() as cursor:
            store._insert(cursor, records)
    reviews = reviews_at(workspace)
    assert reviews.warnings == []
    assert [d.kind for d in reviews.decisions()] == ["remove"]
    [queue] = Queues(reviews).all()
    assert (queue.id, queue.size, queue.controls, queue.ranking, queue.reranked) == ("q2", 1, 0, "", 0)
    assert Queues(reviews).next("q2", ANN) == "e1"
    reviews.close()
