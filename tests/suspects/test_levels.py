"""What decisions say about the ranking, on a workspace with real review files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reviewing import ROWS, decide_many, make_workspace, reviews_at

from influence.errors import QueryError, WorkspaceMissing
from influence.review.events import Reviewer
from influence.review.reviews import Reviews
from influence.suspects.levels import FEWEST, Level, scale, wrong_chances
from influence.suspects.suspicion import FORMULA
from influence.suspects.tables import SuspectStore
from influence.workspace.database import publishing
from influence.workspace.workspace import WorkspaceReader

N = 200
ANN, BEN, CAT = (Reviewer(name=name) for name in ("ann", "ben", "cat"))
TABLE = [(f"e{at}", f"text {at}", "Sport") for at in range(N)]


def ranked(workspace: WorkspaceReader, suspicion: np.ndarray) -> WorkspaceReader:
    """With suspects of these suspicions, the first training example's first."""
    rows = pd.DataFrame({"train_id": [f"e{at}" for at in range(len(suspicion))], "suspicion": suspicion})
    rows["rank"] = rows["suspicion"].rank(ascending=False, method="first").astype(int)
    with publishing(workspace.build, "suspects", SuspectStore, {"formula": FORMULA}) as store:
        store.fill("suspects", rows)
    return workspace


@pytest.fixture
def reviews(tmp_path: Path) -> Reviews:
    """200 examples, e0 the most suspicious."""
    return reviews_at(ranked(make_workspace(tmp_path / "w", TABLE), np.linspace(0.99, 0.01, N)))


def judge(reviews: Reviews, places: range, wrong: int) -> None:
    """Decide one by one; the first `wrong` of them are relabelled."""
    for number, place in enumerate(places):
        if number < wrong:
            reviews.decide(ANN, f"e{place}", "relabel", new_label="World")
        else:
            reviews.decide(ANN, f"e{place}", "keep")


def test_before_enough_is_decided_a_suspicion_is_a_rank(reviews: Reviews) -> None:
    for judged in (0, FEWEST - 1):
        judge(reviews, range(judged), 3)
        found = scale(reviews.workspace, reviews)
        assert (found.judged, found.wrong, found.left) == (judged, min(judged, 3), None)
        assert all(level.expected_share is None for level in found.levels)
        assert "a rank, not a probability" in " ".join(found.sentences)


def test_the_chance_of_each_label_is_that_of_its_level_and_a_verdict_is_certain(reviews: Reviews) -> None:
    judge(reviews, range(FEWEST - 1), 12)
    assert wrong_chances(reviews.workspace, reviews) is None
    reviews.decide(ANN, f"e{FEWEST - 1}", "keep")
    chances = wrong_chances(reviews.workspace, reviews)
    assert chances is not None
    assert chances.index.tolist() == [f"e{at}" for at in range(N)]
    assert chances.iloc[:FEWEST].tolist() == [1] * 12 + [0] * (FEWEST - 12)
    found = scale(reviews.workspace, reviews)
    for level in found.levels[1:]:
        mean = chances.iloc[level.first_rank - 1 : level.last_rank].mean()
        assert level.judged or mean == pytest.approx(level.expected_share, rel=1e-6)
    assert found.left is not None
    assert chances.iloc[FEWEST:].sum() == pytest.approx(found.left.expected, rel=0.05)


def test_the_counts_of_each_level_and_what_is_left(reviews: Reviews) -> None:
    judge(reviews, range(30), 12)
    found = scale(reviews.workspace, reviews)
    counts = [(level.first_rank, level.last_rank, level.judged, level.wrong, level.undecided) for level in found.levels]
    assert counts[:3] == [(1, 20, 20, 12, 0), (21, 40, 10, 0, 10), (41, 60, 0, 0, 20)]
    assert counts[-1][:2] == (181, 200)
    assert (found.judged, found.wrong, found.undecided) == (30, 12, 170)
    assert found.level_of(21) == found.levels[1]
    assert found.level_of(N + 5) == found.levels[-1]
    assert found.left is not None
    assert 0 <= found.left.low <= found.left.expected <= found.left.upper <= found.left.high
    shares = [level.expected_share for level in found.levels]
    assert all(share is not None for share in shares)
    assert shares[0] > shares[1] > shares[-1]
    assert found.sentences == [
        "30 judged, 12 were wrong; ranks 1 to 20: of 20 judged, 12 were wrong",
        f"about {found.left.expected:,.0f} wrong labels are expected among the 170 undecided "
        f"(95 %: {found.left.low} to {found.left.high})",
        f"the last 30 judged held 12; at most {found.left.upper} are left at 95 %",
    ]
    assert scale(reviews.workspace, reviews) == found, "the same decisions say the same"


def test_the_last_sixty_judged(reviews: Reviews) -> None:
    judge(reviews, range(100, 140), 40)
    judge(reviews, range(59), 2)
    recent = scale(reviews.workspace, reviews).recent
    assert recent is not None
    assert (recent.judged, recent.wrong) == (60, 3)


def test_a_queue_is_counted_by_itself_and_learns_from_all(reviews: Reviews) -> None:
    judge(reviews, range(40), 20)
    queue = [f"e{at}" for at in range(30, 60)] + ["not there"]
    found, whole = scale(reviews.workspace, reviews, queue), scale(reviews.workspace, reviews)
    assert (found.judged, found.wrong, found.undecided) == (10, 0, 20)
    assert [(level.first_rank, level.last_rank) for level in found.levels[:2]] == [(31, 33), (34, 36)]
    assert found.left is not None
    assert whole.left is not None
    assert found.left.expected < whole.left.expected
    assert found.level_of(1) == found.levels[0]
    nobody = scale(reviews.workspace, reviews, [])
    assert (nobody.judged, nobody.undecided, nobody.levels) == (0, 0, [])
    with pytest.raises(QueryError, match="no examples to rank"):
        nobody.level_of(3)


def test_checks_from_the_whole_ranking_tell_of_its_tail(reviews: Reviews) -> None:
    """Twenty kept examples from all over leave less wrong, and a narrower interval, than twenty wrong ones at the top."""
    judge(reviews, range(20), 20)
    top = scale(reviews.workspace, reviews).left
    judge(reviews, range(29, 200, 9), 0)
    both = scale(reviews.workspace, reviews).left
    assert top is not None
    assert both is not None
    assert both.high < top.high / 2
    assert both.high - both.low < (top.high - top.low) / 2


def test_reviewers_who_disagree(reviews: Reviews) -> None:
    """The majority counts, an adjudicator before it; as many for as against is split, and never a nan."""
    judge(reviews, range(25), 0)
    for who, kinds in ((BEN, ("remove", "remove", "remove", "mask")), (CAT, ("keep", "remove", "remove", "keep"))):
        for place, kind in zip((0, 1, 2, 3), kinds, strict=True):
            reviews.decide(who, f"e{place}", kind, words=["text"] if kind == "mask" else [])
    reviews.decide(BEN, "e4", "relabel", new_label="World")
    reviews.decide(CAT, "e2", "keep", adjudicates=True)
    found = scale(reviews.workspace, reviews)
    assert (found.judged, found.wrong, found.split) == (25, 1, 1)  # e1 is wrong, e4 split
    assert found.left is not None
    assert np.isfinite(found.left.expected)


def test_what_is_decided_together_tells_only_of_itself(reviews: Reviews) -> None:
    """A cluster or a rule picks examples for what they are, not by rank: its other neighbours are no likelier wrong for it."""
    judge(reviews, range(30), 10)
    before = scale(reviews.workspace, reviews)
    ids = [f"e{at}" for at in range(100, 150)]
    decide_many(reviews, BEN, ids, "remove", origin={"kind": "cluster", "cluster": 3})
    after = scale(reviews.workspace, reviews)
    assert (after.judged, after.wrong) == (80, 60)
    assert [level.expected_share for level in after.levels] == [level.expected_share for level in before.levels]
    assert before.left is not None
    assert after.left is not None
    assert after.left.expected < before.left.expected


def test_after_a_rebuild_only_decisions_on_the_present_label_count(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w")
    reviews = reviews_at(workspace)
    for at in range(4):
        reviews.decide(ANN, f"e{at}", "remove")
    reviews.close()
    corrected = [(id, text, "Sport" if id == "e0" else label) for id, text, label in ROWS]
    again = ranked(make_workspace(tmp_path / "w", corrected, build="b2"), np.linspace(1, 0, len(ROWS)))
    found = scale(again, reviews_at(again))
    assert (found.judged, found.undecided) == (3, len(ROWS) - 3)
    assert [level.undecided for level in found.levels] == [1, 0, 0, 0, 1, 1, 1, 1]
    assert isinstance(found.levels[0], Level)


def test_equal_suspicions_and_a_single_example(tmp_path: Path) -> None:
    equal = reviews_at(ranked(make_workspace(tmp_path / "equal", TABLE), np.full(N, 0.5)))
    judge(equal, range(50), 50)
    left = scale(equal.workspace, equal).left
    assert left is not None
    assert left.low > 100, "where the ranking says nothing, all are as those judged"
    alone = reviews_at(ranked(make_workspace(tmp_path / "one", TABLE[:1]), np.ones(1)))
    judge(alone, range(1), 1)
    found = scale(alone.workspace, alone)
    assert (found.judged, found.wrong, len(found.levels), found.left) == (1, 1, 1, None)


def test_without_suspects_there_is_nothing_to_say(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w")
    with pytest.raises(WorkspaceMissing):
        scale(workspace, reviews_at(workspace))
