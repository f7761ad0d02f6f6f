"""A queue of suspects goes on in the order of each new ranking, and loses no lease, no place and no example."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from reviewing import Clock, make_workspace, reviews_at

from influence.review.events import Reviewer
from influence.review.log import DATABASE, JOURNAL
from influence.review.queues import Move, Queue, Queues
from influence.review.reviews import Reviews

ANN, BOB, CAT = (Reviewer(name=name, session=name) for name in ("ann", "bob", "cat"))
ROWS = [(f"m{n}", f"text number {n}", ("World", "Sport")[n % 2]) for n in range(12)]
ALL = {"kind": "suspects", "size": 0}


@pytest.fixture
def reviews(tmp_path: Path):
    opened = reviews_at(make_workspace(tmp_path / "ws", ROWS, labels=("Sport", "World")), Clock())
    yield opened
    opened.close()


@pytest.fixture
def queues(reviews: Reviews) -> Queues:
    return Queues(reviews)


def made(queues: Queues, *numbers: int, size: int = 0, **options: object) -> Queue:
    ids = [f"m{n}" for n in numbers]
    return queues.create(ANN, "suspects", ids, source={"kind": "suspects", "size": size}, ranking="one", **options)


def follow(queues: Queues, *numbers: int, ranking: str = "two", decisions: int = 50) -> bool:
    return queues.follow("q1", BOB, [f"m{n}" for n in numbers], ranking=ranking, decisions=decisions)


def order(queues: Queues) -> list[int]:
    return [int(id[1:]) for id in queues.example_ids("q1", ANN)]


def test_what_is_open_follows_and_what_is_not_stays(queues: Queues, reviews: Reviews) -> None:
    made(queues, 0, 1, 2, 3, 4, 5)
    reviews.decide(ANN, "m0", "keep", queue="q1")
    reviews.decide(ANN, "m2", "flag", queue="q1")
    assert queues.next("q1", BOB) == "m1"  # on Bob's screen
    assert not follow(queues, 5, 4, 3, ranking="one")  # that is the order it has
    assert follow(queues, 0, 8, 5, 3)
    assert order(queues) == [0, 1, 2, 8, 5, 3, 4]  # m4 is no longer suspected; it goes to the end
    assert queues.moves("q1") == [Move("m8", 1, None), Move("m5", 2, 3), Move("m3", 3, 1), Move("m4", 4, 2)]
    assert queues.next("q1", BOB) == "m1"
    assert queues.next("q1", BOB, after="m1") == "m2"  # which only Ann has flagged
    assert queues.next("q1", ANN) == "m1"  # which Bob has let go
    assert queues.next("q1", ANN, after="m1") == "m8"
    assert (queues.get("q1").size, queues.get("q1").ranking, queues.get("q1").decisions) == (7, "two", 50)
    assert not follow(queues, 3, 4)  # once


def test_whoever_has_one_on_screen_goes_on_at_the_new_front(queues: Queues, reviews: Reviews) -> None:
    made(queues, 0, 1, 2, 3, 4, 5)
    assert queues.next("q1", ANN) == "m0"
    follow(queues, 5, 4, 3, 2, 1, 0)
    assert queues.next("q1", ANN) == "m0"
    reviews.decide(ANN, "m0", "keep", queue="q1")
    assert queues.next("q1", ANN, after="m0") == "m5"


def test_a_queue_of_some_size_takes_as_many_as_are_open(queues: Queues, reviews: Reviews) -> None:
    made(queues, 0, 1, 2, 3, size=4)
    reviews.decide(ANN, "m0", "keep", queue="q1")
    reviews.decide(ANN, "m9", "keep")  # decided elsewhere: it need not join
    follow(queues, 9, 8, 3, 7, 6, 1)
    assert order(queues) == [0, 8, 3, 7, 1, 2]


def test_other_queues_stay_as_they_are(queues: Queues) -> None:
    queues.create(ANN, "a cluster", ["m0", "m1"], source={"kind": "cluster"})
    assert not follow(queues, 1, 0)
    assert order(queues) == [0, 1]


def test_second_opinions_are_still_asked_for(queues: Queues, reviews: Reviews) -> None:
    made(queues, 0, 1, 2, overlap=2)
    reviews.decide(ANN, "m0", "keep", queue="q1")
    follow(queues, 2, 1, 0)
    assert order(queues) == [0, 2, 1]
    assert queues.next("q1", BOB) == "m0"
    assert queues.next("q1", ANN) == "m2"


def test_planted_controls_stay_spread_and_are_no_news(queues: Queues, reviews: Reviews) -> None:
    made(queues, 0, 1, 2, 3, plant=lambda id: {"m10": "Sport", "m11": "World"})
    assert order(queues) == [0, 10, 1, 2, 11, 3]
    for id in ("m0", "m10"):
        reviews.decide(ANN, id, "keep", queue="q1")
    follow(queues, 10, 3, 2, 1, 9)
    assert order(queues) == [0, 10, 3, 2, 11, 1, 9]
    assert [move.example_id for move in queues.moves("q1")] == ["m3", "m2", "m1", "m9"]
    assert queues.get("q1").controls == 2


def test_the_log_says_what_joined_and_why_and_makes_the_queue_again(queues: Queues, reviews: Reviews) -> None:
    made(queues, 0, 1, 2)
    reviews.decide(ANN, "m0", "keep", queue="q1")
    follow(queues, 7, 2, 1)
    line = json.loads((reviews.workspace.path / JOURNAL).read_text().splitlines()[-1])
    assert (line["type"], line["ranking"], line["decisions"], line["reviewer"]) == ("queue", "two", 50, "bob")
    assert [id for id, _ in line["items"]] == ["m7"]
    queue = queues.get("q1")
    assert (queue.source, queue.size, queue.reranked) == (ALL, 4, 1)
    reviews.close()
    (reviews.workspace.path / DATABASE).unlink()
    again = reviews_at(reviews.workspace)
    queues = Queues(again)
    assert queues.get("q1") == queue
    assert order(queues) == [0, 1, 2, 7]  # the order is not in the log: it is made anew from the ranking
    assert follow(queues, 7, 2, 1)
    assert order(queues) == [0, 7, 2, 1]
    assert len(again.log.store.records()) == 3  # and that is no news for the log
    again.close()


def test_start_again_goes_on_with_the_queue_that_has_work_left(queues: Queues, reviews: Reviews) -> None:
    first = made(queues, 0, 1)
    follow(queues, 5, 1, 0)
    assert made(queues, 5, 1, 0).id == first.id
    for id in ("m0", "m1", "m5"):
        reviews.decide(ANN, id, "keep", queue="q1")
    assert made(queues, 6, 7).id != first.id


@settings(max_examples=10)
@given(data=st.data())
def test_nothing_is_lost_and_nobody_is_moved(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("any")
    reviews = reviews_at(make_workspace(folder / "ws", ROWS, labels=("Sport", "World")), Clock())
    queues = Queues(reviews)
    numbers = st.permutations(range(12)).flatmap(lambda found: st.integers(1, 11).map(lambda n: list(found[:n])))
    start, ranked = data.draw(numbers), data.draw(numbers)
    made(queues, *start, size=data.draw(st.sampled_from([0, len(start)])))
    done = data.draw(st.lists(st.sampled_from(start), unique=True, max_size=len(start)))
    for number in done:
        reviews.decide(ANN, f"m{number}", data.draw(st.sampled_from(["keep", "flag", "skip"])), queue="q1")
    held = queues.next("q1", ANN)
    follow(queues, *ranked)
    after = order(queues)
    assert set(start) <= set(after) <= set(start) | set(ranked)
    assert len(after) == len(set(after))
    assert held is None or queues.next("q1", ANN) == held
    kept = [n for n in start if n in done or f"m{n}" == held]
    assert after[: len(kept)] == kept
    front = [n for n in ranked if n in after and n not in kept]
    assert after[len(kept) :][: len(front)] == front
    reviews.close()
