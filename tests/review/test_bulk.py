"""Bulk decisions: what they would change, what they leave alone, and that one undo takes all of it back."""

import pytest
from reviewing import make_workspace

from influence import QueryError
from influence.data.edits import Edit
from influence.review.bulk import decide_bulk, preview_bulk
from influence.review.events import Evidence, Reviewer
from influence.review.reviews import open_reviews

ANN, BOB = Reviewer(name="Ann"), Reviewer(name="Bob")
ALL = tuple(f"e{number}" for number in range(8))  # World, World, Business, Sport, Sport, Business, World, Business


def all_of(ids, edit):
    return dict.fromkeys(ids, edit)


def suggested(labels):
    return {id: Edit("relabel", labels.get(id)) for id in ALL}


@pytest.fixture
def reviews(tmp_path):
    opened = open_reviews(make_workspace(tmp_path / "workspace"))
    yield opened
    opened.close()


def decided(reviews, who=ANN):
    return {d.example_id: (d.kind, d.new_label, d.words) for d in reviews.decisions(reviewer=who)}


def test_a_preview_puts_every_example_into_one_group(reviews):
    reviews.decide(ANN, "e0", "relabel", new_label="Sport")
    reviews.decide(ANN, "e1", "keep")
    reviews.decide(BOB, "e2", "remove")
    found = preview_bulk(reviews, ANN, all_of((*ALL, "e7"), Edit("relabel", "Sport")))
    assert found.free == found.changed == ("e2", "e5", "e6", "e7")
    assert found.decided == ("e1",)
    assert found.same == ("e0",)
    assert found.unfit == ("e3", "e4")
    assert found.labels == {"Business": 3, "World": 1}
    assert found.before == {"Business": 3, "Sport": 2, "World": 3}
    assert found.after == {"Business": 0, "Sport": 6, "World": 2}
    over = preview_bulk(reviews, ANN, all_of(ALL, Edit("relabel", "Sport")), keep_decided=False)
    assert over.changed == ("e2", "e5", "e6", "e7", "e1")
    assert over.after == {"Business": 0, "Sport": 7, "World": 1}


@pytest.mark.parametrize(
    ("bulk", "free", "after"),
    [
        (all_of(ALL, Edit("remove")), ALL, {"Business": 0, "Sport": 0, "World": 0}),
        (all_of(ALL, Edit("keep")), ALL, {"Business": 3, "Sport": 2, "World": 3}),
        (all_of(ALL, Edit("mask", words=("championship series",))), ("e0", "e1", "e4"), {"Business": 3, "Sport": 2, "World": 3}),
        (
            suggested({"e0": "Sport", "e2": "World", "e3": "Sport"}),
            ("e0", "e2"),
            {"Business": 2, "Sport": 3, "World": 3},
        ),
    ],
)
def test_what_each_kind_would_change(reviews, bulk, free, after):
    found = preview_bulk(reviews, ANN, bulk)
    assert found.free == free
    assert found.after == after
    assert set(found.unfit) == set(ALL) - set(free)
    action = decide_bulk(reviews, ANN, bulk)
    assert set(action.example_ids) == set(free)
    assert {d.example_id for d in reviews.decisions()} == set(free)


def test_each_gets_its_own_label_with_its_own_evidence_and_one_undo_takes_all_back(reviews):
    bulk = suggested({"e0": "Sport", "e1": "Sport", "e2": "World"})
    evidence = {"e0": Evidence(method="suspicion", score=0.9, details={"reason": "looks like sport"})}
    action = decide_bulk(reviews, ANN, bulk, evidence=evidence, origin={"kind": "filter"})
    assert (action.kind, action.new_label, action.origin) == ("relabel", None, {"kind": "filter"})
    assert decided(reviews) == {
        "e0": ("relabel", "Sport", ()),
        "e1": ("relabel", "Sport", ()),
        "e2": ("relabel", "World", ()),
    }
    [first, *_] = reviews.decisions(["e0"])
    assert (first.method, first.score, first.evidence) == ("suspicion", 0.9, {"reason": "looks like sport"})
    assert reviews.undo(ANN).id == action.id
    assert decided(reviews) == {}
    assert reviews.redo(ANN).id == action.id
    assert len(decided(reviews)) == 3


def test_what_was_decided_otherwise_stays_unless_asked_for(reviews):
    reviews.decide(ANN, "e0", "keep")
    bulk = all_of(("e0", "e1"), Edit("remove"))
    assert decide_bulk(reviews, ANN, bulk).example_ids == ("e1",)
    assert decide_bulk(reviews, ANN, bulk) is None
    assert decide_bulk(reviews, ANN, bulk, keep_decided=False).example_ids == ("e0",)
    assert decided(reviews) == {"e0": ("remove", None, ()), "e1": ("remove", None, ())}


def test_a_bulk_of_ten_is_undone_and_redone_as_one(tmp_path):
    rows = [(f"n{number}", f"the championship series game {number}", "World") for number in range(12)]
    opened = open_reviews(make_workspace(tmp_path / "many", rows))
    bulk = all_of((id for id, _, _ in rows), Edit("relabel", "Sport"))
    for turn in (lambda: decide_bulk(opened, ANN, bulk), lambda: opened.redo(ANN)):
        assert len(turn().example_ids) == 12
        assert {label for _, label, _ in decided(opened).values()} == {"Sport"}
        assert len(opened.undo(ANN).example_ids) == 12
        assert decided(opened) == {}
    opened.close()


def test_unknown_examples_and_labels(reviews):
    with pytest.raises(QueryError, match="unknown training id 'nobody'"):
        preview_bulk(reviews, ANN, {"nobody": Edit("keep")})
    with pytest.raises(QueryError, match="unknown label 'Weather'"):
        decide_bulk(reviews, ANN, {"e0": Edit("relabel", "Weather")})
    assert reviews.audit().empty
