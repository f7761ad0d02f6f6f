"""Queues: everybody gets their own next example, in order, and nobody what another has on screen."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from reviewing import ROWS, Clock, make_workspace, reviews_at

from influence.data.edits import Edit
from influence.errors import QueryError, SettingsError
from influence.review.events import Evidence, Reviewer, checked_event
from influence.review.queues import FLAGGED, Queue, QueueProgress, Queues
from influence.review.reviews import Reviews

ANN, BOB, CAT = (Reviewer(name=name) for name in ("ann", "bob", "cat"))
IDS = [row[0] for row in ROWS]
MANY = [(f"m{n}", f"text number {n}", ("World", "Sport")[n % 2]) for n in range(60)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reviews(tmp_path: Path, clock: Clock):
    opened = reviews_at(make_workspace(tmp_path / "ws"), clock)
    yield opened
    opened.close()


@pytest.fixture
def queues(reviews: Reviews) -> Queues:
    return Queues(reviews)


def test_a_queue_is_saved_in_its_order_and_once(queues: Queues, reviews: Reviews, tmp_path: Path) -> None:
    made = queues.create(ANN, " suspects ", ["e3", "e1", "e3", "e0"], overlap=2, blind=True, source={"cluster": 4})
    at = made.at
    assert made == Queue("q1", "suspects", "ann", at, 2, True, False, False, {"cluster": 4}, "b1", 3)
    assert queues.create(BOB, "suspects", ["e3", "e1", "e0"], overlap=2, blind=True, source={"cluster": 4}) == made
    other = queues.create(BOB, "suspects", ["e1", "e3"])
    assert queues.all() == [made, other]
    assert queues.example_ids("q1", ANN) == ["e3", "e1", "e0"]
    changed = queues.change(BOB, "q1", name="doubtful", closed=True)
    assert (changed.name, changed.closed, changed.created_by, changed.at, changed.size) == ("doubtful", True, "ann", at, 3)
    assert queues.all() == [other]
    assert queues.all(closed=True) == [changed, other]
    reviews.close()
    assert Queues(reviews_at(reviews.workspace)).all(closed=True) == [changed, other]


def test_next_gives_the_same_until_it_is_decided_and_others_the_ones_behind(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "all", IDS)
    assert [queues.next("q1", who) for who in (ANN, BOB, CAT, ANN, BOB)] == ["e0", "e1", "e2", "e0", "e1"]
    reviews.decide(ANN, "e0", "keep", queue="q1")
    assert queues.next("q1", ANN) == "e3"
    reviews.decide(BOB, "e1", "flag", queue="q1")
    assert queues.next("q1", BOB) == "e4"
    reviews.decide(CAT, "e2", "skip", queue="q1")
    assert queues.next("q1", CAT) == "e1"  # a flag and a skip leave it to others
    reviews.decide(ANN, "e3", "remove", queue="q1")
    assert queues.next("q1", ANN) == "e2"


def test_a_queue_ends_and_an_undo_gives_the_example_back(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "two", ["e0", "e1"])
    for id in ("e0", "e1"):
        assert queues.next("q1", ANN) == id
        reviews.decide(ANN, id, "keep", queue="q1")
    assert queues.next("q1", ANN) is None
    assert queues.next("q1", BOB) is None
    assert reviews.undo(ANN).example_ids == ("e1",)
    assert queues.next("q1", BOB) is None  # it is on Ann's screen again
    assert queues.next("q1", ANN) == "e1"


def test_a_lease_expires_unless_it_is_renewed(queues: Queues, clock: Clock) -> None:
    queues.create(ANN, "all", IDS)
    assert queues.next("q1", ANN) == "e0"
    clock.wait(80)
    assert queues.renew(ANN)
    clock.wait(80)
    assert queues.next("q1", BOB) == "e1"
    clock.wait(11)
    assert not queues.renew(ANN)
    assert queues.next("q1", CAT) == "e0"
    assert queues.next("q1", ANN) == "e2"
    queues.leave(CAT)
    assert queues.next("q1", Reviewer(name="dan")) == "e0"


def test_a_decision_after_the_lease_has_run_out_still_counts(queues: Queues, reviews: Reviews, clock: Clock) -> None:
    queues.create(ANN, "all", IDS)
    queues.next("q1", ANN)
    clock.wait(100)
    assert queues.next("q1", BOB) == "e0"
    reviews.decide(ANN, "e0", "keep", queue="q1")
    reviews.decide(BOB, "e0", "remove", queue="q1")
    assert [(d.reviewer, d.kind) for d in reviews.decisions()] == [("ann", "keep"), ("bob", "remove")]


def test_one_person_in_two_browsers_gets_two_examples(queues: Queues, reviews: Reviews) -> None:
    left, right = Reviewer(name="ann", session="1"), Reviewer(name="ann", session="2")
    queues.create(ANN, "all", IDS)
    assert [queues.next("q1", who) for who in (left, right, left)] == ["e0", "e1", "e0"]
    assert queues.claim("q1", "e0", right)  # a link opened in the other browser takes it along
    assert queues.next("q1", left) == "e1"
    reviews.decide(right, "e0", "keep", queue="q1")
    assert queues.next("q1", right) == "e2"


def test_claiming_what_another_has_on_screen(queues: Queues) -> None:
    queues.create(ANN, "all", IDS)
    queues.create(ANN, "twice", IDS, overlap=2)
    assert queues.claim("q1", "e5", ANN)
    assert not queues.claim("q1", "e5", BOB)
    assert queues.claim("q2", "e5", BOB)  # two opinions are wanted there
    assert not queues.claim("q2", "e5", CAT)
    assert queues.next("q1", BOB) == "e0"
    assert not queues.claim(None, "e0", CAT)
    assert queues.claim(None, "e1", CAT)
    with pytest.raises(QueryError, match="unknown training id 'e99'"):
        queues.claim("q1", "e99", ANN)


def test_second_opinions_go_to_other_reviewers(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "twice", ["e0", "e1"], overlap=2)
    assert [queues.next("q1", who) for who in (ANN, BOB, CAT)] == ["e0", "e0", "e1"]
    reviews.decide(ANN, "e0", "keep", queue="q1")
    reviews.decide(BOB, "e0", "keep", queue="q1")
    assert [queues.next("q1", who) for who in (ANN, BOB)] == ["e1", None]  # Cat and Ann have the other one
    reviews.decide(CAT, "e1", "keep", queue="q1")
    reviews.decide(ANN, "e1", "remove", queue="q1")
    assert [queues.next("q1", who) for who in (ANN, BOB, CAT)] == [None, None, None]
    reviews.undo(BOB)
    assert queues.next("q1", CAT) is None
    assert queues.next("q1", BOB) == "e0"


def test_an_example_in_two_queues_is_on_one_screen_and_decided_once(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "one", ["e0", "e1"])
    queues.create(ANN, "two", ["e0", "e2"])
    assert queues.next("q1", ANN) == "e0"
    assert queues.next("q2", BOB) == "e2"
    reviews.decide(ANN, "e0", "keep", queue="q1")
    reviews.decide(BOB, "e2", "keep", queue="q2")
    assert queues.next("q2", BOB) is None


def test_looking_ahead_and_round(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "four", IDS[:4])
    assert queues.next("q1", ANN) == "e0"
    assert [queues.next("q1", ANN, after=id) for id in ("e0", "e1", "e2", "e3", "e9")] == ["e1", "e2", "e3", "e0", "e0"]
    reviews.decide(ANN, "e2", "keep")
    assert queues.next("q1", ANN, after="e1") == "e3"


def test_what_comes_next_is_leased_ahead(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "all", IDS)
    queues.create(ANN, "one", ["e3"])
    assert queues.next("q1", ANN) == "e0"
    assert queues.hold("q1", "e0", ANN, ahead=3) == ["e1", "e2", "e3"]
    assert queues.next("q1", BOB) == "e4"
    assert queues.hold("q1", "e4", BOB, ahead=3) == ["e5", "e6"]  # half of what is left
    assert (queues.progress("q1", CAT).left, queues.progress("q1", CAT).in_hand) == (len(IDS) - 2, 2)  # what is on screen
    assert queues.claim("q1", "e2", CAT)  # a link to what another has not seen yet
    assert queues.next("q2", CAT) == "e3"  # nothing else is left there
    reviews.decide(ANN, "e0", "keep", queue="q1")
    assert queues.next("q1", ANN) == "e1"
    assert queues.hold("q1", "e1", ANN, ahead=3)[0] == "e2"
    assert queues.renew(ANN)
    queues.leave(ANN)
    assert not queues.renew(ANN)
    assert queues.coming("q1", ANN, after="e6", most=3) == ["e7", "e1", "e2"]


def test_the_last_ones_are_shared_out(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "four", IDS[:4])
    assert queues.next("q1", ANN) == "e0"
    assert queues.hold("q1", "e0", ANN, ahead=9) == ["e1", "e2", "e3"]
    assert queues.next("q1", BOB) == "e3"  # the last that Ann has not seen
    assert queues.hold("q1", "e3", BOB, ahead=9) == []
    assert queues.hold("q1", "e0", ANN, ahead=9) == ["e1"]  # her half of what is left
    for who, id in ((ANN, "e0"), (BOB, "e3")):
        reviews.decide(who, id, "keep", queue="q1")
    assert queues.next("q1", ANN) == "e1"
    assert queues.next("q1", BOB) == "e2"
    assert queues.next("q1", CAT) is None


def test_opinions_of_a_blind_queue_are_made_blind(queues: Queues, reviews: Reviews) -> None:
    queues.create(CAT, "blind", ["e0", "e1"], overlap=2, blind=True)
    reviews.decide(ANN, "e0", "keep")
    reviews.decide(BOB, "e0", "remove")
    assert queues.progress("q1", CAT).settled == 0
    assert queues.next("q1", ANN) == "e0"
    assert queues.hides("q1", "e0", ANN)
    assert reviews.decide(ANN, "e0", "keep", queue="q1") is None  # it stands so: a key held down
    assert reviews.decide(ANN, "e0", "keep", queue="q1", again=True) is not None
    assert not queues.hides("q1", "e0", ANN)
    assert queues.next("q1", ANN) == "e1"
    reviews.decide(BOB, "e0", "keep", queue="q1")
    assert (queues.progress("q1", CAT).settled, queues.progress("q1", BOB).decided) == (1, 1)
    second = queues.create(CAT, "blind, too", ["e0", "e2"], overlap=2, blind=True).id
    assert queues.progress(second, CAT).settled == 1  # those were blind
    reviews.undo(BOB)
    assert [queues.progress(queue, CAT).settled for queue in ("q1", second)] == [0, 0]
    shown = queues.create(CAT, "shown", ["e0"], overlap=2).id
    assert queues.progress(shown, CAT).settled == 1  # there what was heard counts, too: Bob's first answer stands again
    reviews.log.live.forget_queue("q1")  # as a server that starts has it from the tables
    assert queues.progress("q1", CAT).settled == 0
    assert reviews.redo(BOB) is not None
    assert queues.progress("q1", CAT).settled == 1
    reviews.log.live.forget_queue("q1")
    assert queues.progress("q1", CAT).settled == 1


def test_my_flagged_ones_are_a_queue_of_their_own(queues: Queues, reviews: Reviews) -> None:
    for id in ("e4", "e2", "e6"):
        reviews.decide(ANN, id, "flag")
    reviews.decide(BOB, "e0", "flag")
    assert queues.example_ids(FLAGGED, ANN) == ["e4", "e2", "e6"]
    assert queues.next(FLAGGED, ANN) == "e4"
    assert queues.next(FLAGGED, ANN, after="e4") == "e2"
    reviews.decide(ANN, "e2", "remove", queue=FLAGGED)
    assert queues.next(FLAGGED, ANN) == "e4"
    assert replace(queues.progress(FLAGGED, ANN), seconds=None) == QueueProgress(2, 0, 2, 0, 0, 2, 0, None)
    assert queues.next(FLAGGED, BOB) == "e0"
    assert queues.next(FLAGGED, CAT) is None
    assert queues.get(FLAGGED).name == "My flagged ones"


def test_progress_for_me_and_for_all(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "six", IDS[:6])
    for id, kind in (("e0", "keep"), ("e1", "flag"), ("e2", "skip")):
        reviews.decide(ANN, id, kind)
    reviews.decide(BOB, "e3", "remove")
    queues.next("q1", BOB)
    ann = QueueProgress(total=6, decided=1, flagged=1, skipped=1, settled=2, left=2, in_hand=1, seconds=None)
    assert queues.progress("q1", ANN) == ann
    assert queues.progress("q1", BOB) == QueueProgress(6, 1, 0, 0, 2, 4, 0, None)
    assert queues.progress("q1", CAT) == QueueProgress(6, 0, 0, 0, 2, 3, 1, None)


def test_pace_leaves_out_pauses_and_bulk_work(queues: Queues, reviews: Reviews, clock: Clock) -> None:
    queues.create(ANN, "all", IDS)

    def decide(id: str, seconds: float | None, queue: str | None = "q1") -> None:
        ms = None if seconds is None else round(seconds * 1000)
        reviews.decide(ANN, id, "keep", queue=queue, evidence=Evidence(ms_on_screen=ms))

    decide("e0", 2)
    decide("e1", 4)
    decide("e2", 61)  # a pause
    clock.wait(9 - 0.001)
    decide("e3", None)  # by the clock: nine seconds since the one before
    both = [checked_event(reviews.corpus, reviews.corpus[id], Edit("keep"), "") for id in ("e4", "e5")]
    reviews.act(ANN, both, Evidence(ms_on_screen=1), queue="q1")
    reviews.add_note(ANN, "e0", "hm", queue="q1")
    decide("e6", 30, queue=None)
    decide("e7", 1)
    reviews.undo(ANN)
    assert reviews.pace(ANN, "q1") == (5.0, 3)
    assert reviews.pace(ANN) == (pytest.approx((2 + 4 + 9 + 30) / 4), 4)
    assert reviews.pace(BOB) == (None, 0)
    assert queues.progress("q1", ANN).seconds == 5.0


def test_a_blind_queue_hides_what_others_say_until_one_has_decided(queues: Queues, reviews: Reviews) -> None:
    queues.create(ANN, "blind", IDS, blind=True, overlap=2)
    queues.create(ANN, "open", IDS)
    reviews.decide(ANN, "e0", "keep", queue="q1")
    reviews.decide(BOB, "e0", "flag", queue="q1")
    assert [queues.hides("q1", "e0", who) for who in (ANN, BOB, CAT)] == [False, True, True]
    assert not queues.hides("q2", "e0", CAT)


def test_an_adjudicators_queue_takes_no_notice_of_reviewers(queues: Queues, reviews: Reviews) -> None:
    reviews.decide(ANN, "e0", "keep")
    reviews.decide(BOB, "e0", "remove")
    queues.create(ANN, "conflicts", ["e0"], adjudicates=True)
    assert queues.next("q3", ANN) == "e0"
    reviews.decide(ANN, "e0", "keep", adjudicates=True, queue="q3")
    assert queues.next("q3", BOB) is None
    assert queues.progress("q3", BOB) == QueueProgress(1, 0, 0, 0, 1, 0, 0, None)


def test_reviewers_at_once_never_get_the_same_example(tmp_path: Path) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws", MANY))
    queues = Queues(reviews)
    queues.create(ANN, "all", [row[0] for row in MANY])
    given: dict[str, list[str]] = {}
    errors: list[Exception] = []

    def work(name: str) -> None:
        me, given[name] = Reviewer(name=name), []
        try:
            while (id := queues.next("q1", me)) is not None:
                given[name].append(id)
                reviews.decide(me, id, "keep", queue="q1")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"r{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(id for ids in given.values() for id in ids) == sorted(row[0] for row in MANY)
    assert {(d.example_id, d.reviewer) for d in reviews.decisions()} == {(i, who) for who, ids in given.items() for i in ids}
    reviews.close()


def test_a_queue_after_a_rebuild_gives_only_what_is_still_there(tmp_path: Path) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws"))
    Queues(reviews).create(ANN, "all", IDS)
    Queues(reviews).next("q1", ANN)
    reviews.close()
    rows = [("e0", "a new text", "World"), *ROWS[2:5]]
    reviews = reviews_at(make_workspace(tmp_path / "ws", rows, build="b2"))
    queues = Queues(reviews)
    assert queues.unmatched("q1", ANN) == ["e0", "e1", "e5", "e6", "e7"]
    assert queues.example_ids("q1", ANN) == ["e2", "e3", "e4"]
    assert queues.next("q1", BOB) == "e2"
    assert queues.progress("q1", BOB) == QueueProgress(3, 0, 0, 0, 0, 3, 0, None)
    reviews.close()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"example_ids": []}, SettingsError, "queue 'x': there is nothing in it; give at least one example"),
        ({"example_ids": ["e0", "e9"]}, QueryError, "unknown training id 'e9'; workspace 'ws' has 8, from 'e0' to 'e7'"),
        ({"name": " "}, SettingsError, "queue name '': give 1 to 200 printable characters"),
        ({"overlap": 0}, SettingsError, "overlap 0: an example is wanted from 1 to 20 reviewers"),
    ],
)
def test_queues_that_make_no_sense(queues: Queues, options, error, message) -> None:
    with pytest.raises(error) as raised:
        queues.create(ANN, **{"name": "x", "example_ids": IDS, **options})
    assert str(raised.value) == message
    assert queues.all() == []


def test_an_unknown_queue(queues: Queues) -> None:
    with pytest.raises(QueryError, match="unknown queue 'q9'; the queues are none yet"):
        queues.next("q9", ANN)
