"""Agreement beyond chance, against published numbers and hand counts; and what decisions come to together."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from reviewing import make_workspace, reviews_at
from sklearn.metrics import cohen_kappa_score

from influence.errors import SettingsError
from influence.review.agreements import (
    FEWEST_FOR_KAPPA,
    Agreement,
    PairAgreement,
    agreement,
    cohens_interval,
    cohens_kappa,
    conflicts,
    fleiss_interval,
    fleiss_kappa,
    raw_agreement,
    resolve,
)
from influence.review.events import Reviewer
from influence.review.queues import Queues
from influence.review.reviews import Reviews

ANN, BOB, CAT, DAN = (Reviewer(name=name) for name in ("ann", "bob", "cat", "dan"))


@pytest.fixture
def reviews(tmp_path: Path):
    opened = reviews_at(make_workspace(tmp_path / "ws"))
    yield opened
    opened.close()


def test_cohens_kappa_of_fifty_grant_proposals() -> None:
    """20 twice yes, 15 twice no, 5 and 10 split: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa = 0.4."""
    first = ["yes"] * 20 + ["yes"] * 5 + ["no"] * 10 + ["no"] * 15
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohens_kappa(first, second) == pytest.approx(0.4)


FLEISS = [  # the usual worked example: 14 raters, 10 subjects, 5 categories
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def test_fleiss_kappa_of_the_usual_worked_example() -> None:
    """Published: mean agreement 0.378, chance 0.213, kappa 0.210."""
    assert raw_agreement(FLEISS) == pytest.approx(0.378, abs=5e-4)
    assert fleiss_kappa(FLEISS) == pytest.approx(0.210, abs=5e-4)


def test_kappas_at_their_ends() -> None:
    assert cohens_kappa(["a", "b"], ["a", "b"]) == 1
    assert cohens_kappa(["a", "b"], ["b", "a"]) == -1
    assert cohens_kappa(["a", "a"], ["a", "a"]) is None
    assert fleiss_kappa([[3, 0], [0, 3]]) == 1
    assert fleiss_kappa([[3, 0], [2, 0]]) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=30))
def test_cohens_kappa_is_scikit_learns(ratings: list[tuple[str, str]]) -> None:
    first, second = zip(*ratings, strict=True)
    ours = cohens_kappa(first, second)
    if ours is None:
        assert len({*first, *second}) == 1
    else:
        assert ours == pytest.approx(cohen_kappa_score(first, second))


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(lambda row: sum(row) > 1), min_size=1, max_size=8))
def test_raw_agreement_is_the_share_of_equal_pairs(counts: list[list[int]]) -> None:
    """The slow way: every pair of raters of every example compared."""
    shares = []
    for row in counts:
        ratings = [category for category, count in enumerate(row) for _ in range(count)]
        pairs = [(a, b) for at, a in enumerate(ratings) for b in ratings[at + 1 :]]
        shares.append(sum(a == b for a, b in pairs) / len(pairs))
    assert raw_agreement(counts) == pytest.approx(np.mean(shares))


def test_agreement_of_two_reviewers(reviews: Reviews) -> None:
    """Together on four: twice the same, so p_o = 1/2; Ann's habits 1/2 keep, 1/4 remove, 1/4 relabel; Bob's 3/4, 1/4, 0."""
    for id, ann, bob in (("e0", "keep", "keep"), ("e1", "keep", "remove"), ("e2", "remove", "keep")):
        reviews.decide(ANN, id, ann)
        reviews.decide(BOB, id, bob)
    reviews.decide(ANN, "e3", "relabel", new_label="World")
    reviews.decide(BOB, "e3", "keep")
    reviews.decide(ANN, "e4", "keep")
    expected = 1 / 2 * 3 / 4 + 1 / 4 * 1 / 4
    kappa = pytest.approx((1 / 4 - expected) / (1 - expected))
    assert agreement(reviews) == Agreement(4, 0.25, kappa, [PairAgreement("ann", "bob", 4, 0.25, kappa)])
    assert agreement(reviews, ["e0"]) == Agreement(1, 1.0, None, [PairAgreement("ann", "bob", 1, 1.0, None)])


def test_agreement_of_more_is_fleiss_and_leaves_adjudications_aside(reviews: Reviews) -> None:
    for who, kinds in ((ANN, ("keep", "remove", "keep")), (BOB, ("keep", "remove", "remove")), (CAT, ("keep", "keep", None))):
        for id, kind in zip(("e0", "e1", "e2"), kinds, strict=True):
            if kind is not None:
                reviews.decide(who, id, kind)
    reviews.decide(DAN, "e2", "keep", adjudicates=True)
    found = agreement(reviews)
    assert (found.examples, found.raw) == (3, pytest.approx((1 + 1 / 3 + 0) / 3))
    expected = (5 / 8) ** 2 + (3 / 8) ** 2
    assert found.kappa == pytest.approx((4 / 9 - expected) / (1 - expected))
    assert [(pair.first, pair.second, pair.examples) for pair in found.pairs] == [
        ("ann", "bob", 3),
        ("ann", "cat", 2),
        ("bob", "cat", 2),
    ]


def test_agreement_of_nobody(reviews: Reviews) -> None:
    reviews.decide(ANN, "e0", "keep")
    assert agreement(reviews) == Agreement(0, None, None, [])


def outcome(reviews: Reviews, policy: str) -> tuple[str, str | None, tuple[str, ...]]:
    [found] = resolve(reviews.decisions(), policy)
    return found.how, None if found.decision is None else found.decision.verdict, found.reviewers


def test_what_decisions_come_to(reviews: Reviews) -> None:
    reviews.decide(CAT, "e0", "keep")
    assert outcome(reviews, "adjudicated") == ("agreed", "keep", ("cat",))
    reviews.decide(BOB, "e0", "keep")
    assert outcome(reviews, "adjudicated") == ("agreed", "keep", ("bob", "cat"))
    reviews.decide(ANN, "e0", "relabel", new_label="Sport")
    assert outcome(reviews, "adjudicated") == ("conflict", None, ())
    assert outcome(reviews, "majority") == ("majority", "keep", ("bob", "cat"))
    assert outcome(reviews, "latest") == ("majority", "keep", ("bob", "cat"))
    reviews.decide(DAN, "e0", "relabel", new_label="Business")
    assert outcome(reviews, "majority") == ("conflict", None, ())  # half is no majority
    assert outcome(reviews, "latest") == ("latest", "relabel: Business", ("dan",))
    reviews.decide(ANN, "e0", "remove", adjudicates=True)
    assert outcome(reviews, "majority") == ("adjudicated", "remove", ("ann",))
    reviews.decide(BOB, "e0", "keep", adjudicates=True)
    assert outcome(reviews, "adjudicated") == ("adjudicated", "keep", ("bob",))  # the latest of two adjudicators


def test_masking_other_words_is_a_conflict_but_in_another_order_is_not(reviews: Reviews) -> None:
    reviews.decide(ANN, "e0", "mask", words=["Red", "sox"])
    reviews.decide(BOB, "e0", "mask", words=["sox", "red"])
    assert outcome(reviews, "majority")[0] == "agreed"
    reviews.decide(BOB, "e0", "mask", words=["sox"])
    assert outcome(reviews, "majority")[0] == "conflict"


def test_conflicts_go_to_an_adjudicator_and_are_gone_then(reviews: Reviews) -> None:
    reviews.decide(ANN, "e1", "keep")
    reviews.decide(BOB, "e1", "remove")
    reviews.decide(CAT, "e1", "keep")
    reviews.decide(ANN, "e2", "keep")
    reviews.decide(BOB, "e2", "keep")
    [found] = conflicts(reviews)
    assert (found.example_id, found.how) == ("e1", "majority")
    assert [(d.reviewer, d.kind) for d in found.decisions] == [("ann", "keep"), ("bob", "remove"), ("cat", "keep")]
    queues = Queues(reviews)
    queue = queues.create(DAN, "conflicts", [found.example_id], adjudicates=True)
    assert queues.next(queue.id, DAN) == "e1"
    reviews.decide(DAN, "e1", "remove", adjudicates=True, queue=queue.id)
    assert conflicts(reviews) == []
    reviews.undo(DAN)
    assert [c.example_id for c in conflicts(reviews)] == ["e1"]


def test_an_unknown_policy(reviews: Reviews) -> None:
    with pytest.raises(SettingsError, match="unknown policy 'loudest'; it is one of adjudicated, majority, latest"):
        resolve([], "loudest")


def test_the_interval_of_kappa_agrees_with_resampling_example_by_example() -> None:
    generator = np.random.default_rng(1)
    first = generator.choice(["a", "b", "c"], 60).tolist()
    second = [a if generator.random() < 0.7 else str(generator.choice(["a", "b", "c"])) for a in first]
    kappas = []
    for _ in range(2_000):
        rows = generator.integers(0, 60, 60)
        kappas.append(cohens_kappa([first[row] for row in rows], [second[row] for row in rows]))
    low, high = cohens_interval(first, second)
    assert low < cohens_kappa(first, second) < high
    assert np.allclose((low, high), np.percentile(kappas, [2.5, 97.5]), atol=0.03)
    counts = np.array([[(a, b).count(name) for name in "abc"] for a, b in zip(first, second, strict=True)])
    assert np.allclose(fleiss_interval(counts), (low, high), atol=0.03)


def test_too_few_examples_and_one_answer_have_no_interval() -> None:
    assert cohens_interval(["a", "b", "a"], ["a", "b", "a"]) is None
    assert cohens_interval(["a"] * 30, ["a"] * 30) is None
    assert cohens_interval([], []) is None
    assert cohens_interval(["a", "b"] * (FEWEST_FOR_KAPPA // 2), ["a", "b"] * (FEWEST_FOR_KAPPA // 2)) == (1.0, 1.0)
