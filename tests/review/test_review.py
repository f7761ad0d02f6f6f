"""Decisions: what counts as one, what stands, and what is left as it was."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from reviewing import ROWS, Clock, decide_many, make_workspace, reviews_at

from influence.data.dataset import text_sha256
from influence.errors import QueryError, SettingsError
from influence.review.events import Action, Decision, Evidence, Note, Reviewer
from influence.review.reviews import Reviews
from influence.workspace.workspace import WorkspaceReader

ANN, BOB, CAT = (Reviewer(name=name) for name in ("ann", "bob", "cat"))


@pytest.fixture
def workspace(tmp_path: Path) -> WorkspaceReader:
    return make_workspace(tmp_path / "ws")


@pytest.fixture
def reviews(workspace: WorkspaceReader):
    opened = reviews_at(workspace)
    yield opened
    opened.close()


def verdicts(reviews: Reviews, **of) -> list[tuple[str, str, str]]:
    return [(d.example_id, d.reviewer, d.verdict) for d in reviews.decisions(**of)]


def test_a_decision_with_everything_that_is_kept_of_it(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace, Clock(1_790_000_000_000))
    evidence = Evidence(method="tracin-we-topk", score=-0.5, ms_on_screen=3200, details={"reason": "pulls Sport", "n": 3})
    action = reviews.decide(ANN, "e0", "relabel", new_label="Sport", note=" baseball ", evidence=evidence, queue="q1")
    at = datetime(2026, 9, 21, 14, 13, 20, 1000, tzinfo=UTC)
    assert action == Action(1, "ann", at, "relabel", ("e0",), "Sport", (), "baseball", "q1", {}, False, False)
    assert reviews.action(1) == action
    assert reviews.decisions() == [
        Decision(
            example_id="e0",
            reviewer="ann",
            adjudicates=False,
            kind="relabel",
            old_label="World",
            new_label="Sport",
            words=(),
            note="baseball",
            at=at,
            text_sha256=text_sha256(ROWS[0][1]),
            build="b1",
            method="tracin-we-topk",
            score=-0.5,
            evidence={"reason": "pulls Sport", "n": 3},
            origin={},
            action=1,
        )
    ]
    reviews.close()


def test_saying_the_same_again_is_no_event(reviews: Reviews) -> None:
    assert reviews.decide(ANN, "e0", "keep") is not None
    assert reviews.decide(ANN, "e0", "keep") is None
    assert reviews.decide(BOB, "e0", "keep") is not None
    assert reviews.decide(ANN, "e0", "keep", note="sure") is not None  # the note is new
    assert reviews.decide(ANN, "e0", "keep", note="sure") is None
    assert reviews.decide(ANN, "e0", "keep") is None
    assert reviews.decide(ANN, "e0", "mask", words=["Red"]) is not None
    assert reviews.decide(ANN, "e0", "mask", words=["red"]) is None
    assert reviews.decide(ANN, "e0", "mask", words=["red", "sox"]) is not None
    reviews.undo(ANN)
    assert reviews.decide(ANN, "e0", "mask", words=["sox", "red"]) is not None  # what was undone does not stand
    assert len(reviews.audit()) == 7


def test_the_latest_decision_of_each_reviewer_stands(reviews: Reviews) -> None:
    reviews.decide(ANN, "e0", "keep")
    reviews.decide(BOB, "e0", "remove")
    reviews.decide(ANN, "e0", "relabel", new_label="Sport")
    reviews.decide(ANN, "e1", "mask", words=["series"])
    assert verdicts(reviews) == [("e0", "bob", "remove"), ("e0", "ann", "relabel: Sport"), ("e1", "ann", "mask")]
    assert verdicts(reviews, example_ids=["e1"]) == [("e1", "ann", "mask")]
    assert verdicts(reviews, reviewer=BOB) == [("e0", "bob", "remove")]
    assert reviews.decision("e0", ANN).verdict == "relabel: Sport"
    assert reviews.decision("e0", CAT) is None
    assert reviews.reviewers() == ["ann", "bob"]


def test_a_flag_or_a_skip_is_no_decision_and_leaves_the_decision_standing(reviews: Reviews) -> None:
    reviews.decide(ANN, "e0", "flag", note="irony?")
    reviews.decide(ANN, "e1", "skip")
    reviews.decide(ANN, "e2", "keep")
    reviews.decide(ANN, "e2", "flag")
    reviews.decide(BOB, "e3", "flag")
    assert verdicts(reviews) == [("e2", "ann", "keep")]
    assert reviews.flagged(ANN) == ["e0", "e2"]
    assert reviews.flagged() == ["e0", "e2", "e3"]
    assert [reviews.standing(id, ANN).kind for id in ("e0", "e1", "e2")] == ["flag", "skip", "flag"]
    assert reviews.decide(ANN, "e2", "flag") is None
    assert reviews.decide(ANN, "e2", "keep") is not None  # deciding answers the flag
    assert reviews.flagged(ANN) == ["e0"]
    reviews.undo(ANN)
    assert reviews.flagged(ANN) == ["e0", "e2"]


def test_an_adjudication_stands_beside_the_same_persons_own_decision(reviews: Reviews) -> None:
    reviews.decide(ANN, "e0", "keep")
    reviews.decide(ANN, "e0", "remove", adjudicates=True)
    assert [(d.kind, d.adjudicates) for d in reviews.decisions()] == [("keep", False), ("remove", True)]
    assert reviews.decision("e0", ANN).kind == "keep"
    assert reviews.decision("e0", ANN, adjudicates=True).kind == "remove"


def test_notes_are_kept_one_by_one_and_can_be_undone(reviews: Reviews) -> None:
    reviews.add_note(ANN, "e0", "first")
    reviews.decide(BOB, "e0", "keep", note="second")
    reviews.add_note(ANN, "e0", "oops")
    reviews.add_note(ANN, "e1", "elsewhere")
    reviews.undo(ANN)
    reviews.undo(ANN)
    assert reviews.add_note(ANN, "e0", "  ") is None
    assert [(n.reviewer, n.text) for n in reviews.notes("e0")] == [("ann", "first"), ("bob", "second")]
    assert reviews.notes("e5") == []
    at = reviews.notes("e0")[0].at
    assert reviews.all_notes()["e0"][0] == Note("e0", "ann", at, "first")


def test_a_bulk_decision_is_undone_and_redone_as_one(reviews: Reviews) -> None:
    reviews.decide(ANN, "e1", "remove")
    action = decide_many(reviews, ANN, ["e1", "e0", "e4", "e6", "e0"], "relabel", new_label="Sport", origin={"cluster": 7})
    assert action.example_ids == ("e0", "e6", "e1")  # e4 is of that label already
    assert action.origin == {"cluster": 7}
    assert verdicts(reviews) == [(id, "ann", "relabel: Sport") for id in ("e0", "e6", "e1")]
    assert decide_many(reviews, ANN, ["e1", "e4"], "relabel", new_label="Sport") is None
    assert reviews.undo(ANN) == replace(action, undone=True)
    assert verdicts(reviews) == [("e1", "ann", "remove")]
    assert reviews.redo(ANN) == action
    assert len(verdicts(reviews)) == 3


def test_a_bulk_decision_can_leave_alone_what_was_decided(reviews: Reviews) -> None:
    reviews.decide(ANN, "e0", "keep")
    reviews.decide(ANN, "e1", "flag")
    reviews.decide(BOB, "e6", "keep")
    action = decide_many(reviews, ANN, ["e0", "e1", "e6"], "remove", keep_decided=True)
    assert action.example_ids == ("e1", "e6")


def test_a_bulk_mask_takes_the_examples_that_have_all_the_words_and_others_besides(tmp_path: Path) -> None:
    rows = [*ROWS, ("e8", "championship series", "World")]
    reviews = reviews_at(make_workspace(tmp_path / "ws", rows))
    action = decide_many(reviews, ANN, [row[0] for row in rows], "mask", words=["championship", "series"])
    assert action.example_ids == ("e0", "e1", "e4")
    reviews.close()


def test_evidence_of_each_example_in_a_bulk_decision(reviews: Reviews) -> None:
    evidence = {"e0": Evidence(score=0.9), "e1": Evidence(score=0.1)}
    decide_many(reviews, ANN, ["e0", "e1", "e2"], "remove", evidence=evidence)
    assert [d.score for d in reviews.decisions()] == [0.9, 0.1, None]


def test_evidence_that_json_lacks_never_stops_a_decision(reviews: Reviews) -> None:
    import numpy as np

    details = {"nan": float("nan"), "array": np.array([1.5, np.inf]), "int": np.int64(3), 4: {"x"}, "half": "\ud800", "o": ANN}
    reviews.decide(ANN, "e0", "keep", evidence=Evidence(score=float("inf"), ms_on_screen=-5, details=details))
    [decision] = reviews.decisions()
    assert decision.score is None
    shown = {"nan": None, "array": [1.5, None], "int": 3, "4": ["x"], "half": "?", "o": str(ANN)}
    assert decision.evidence == shown


def test_recent_actions_are_the_last_ones_that_stand(reviews: Reviews) -> None:
    for id in ("e0", "e1", "e2", "e3"):
        reviews.decide(ANN, id, "keep")
    reviews.decide(BOB, "e5", "keep")
    reviews.undo(ANN)
    assert [action.example_ids for action in reviews.recent(ANN, 2)] == [("e2",), ("e1",)]
    assert reviews.recent(CAT) == []


def test_anybody_can_revoke_one_action_out_of_turn(reviews: Reviews) -> None:
    first = decide_many(reviews, ANN, ["e0", "e1"], "remove")
    reviews.decide(ANN, "e2", "keep")
    revoked = reviews.revoke(BOB, first.id)
    assert revoked == replace(first, undone=True)
    assert verdicts(reviews) == [("e2", "ann", "keep")]
    assert reviews.redo(ANN) is None  # it was Bob who took it back, so it is his to redo
    assert reviews.redo(BOB) == first
    assert len(verdicts(reviews)) == 3
    reviews.revoke(BOB, first.id)
    with pytest.raises(QueryError, match="action 1 has been undone already"):
        reviews.revoke(ANN, first.id)
    with pytest.raises(QueryError, match="unknown action 99"):
        reviews.revoke(ANN, 99)


def test_the_audit_log_is_every_event_in_order(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace, Clock(1_790_000_000_000))
    decide_many(reviews, ANN, ["e2", "e5"], "remove", origin={"filter": "oil"})
    reviews.undo(ANN)
    reviews.decide(Reviewer(name="bob", auth="oidc", session="s1"), "e0", "mask", words=["red", "sox"], note="n")
    audit = reviews.audit()
    assert str(audit["at"].dtype) in ("datetime64[ms, UTC]", "datetime64[us, UTC]", "datetime64[ns, UTC]")
    columns = ["seq", "reviewer", "auth", "session", "kind", "example_id", "old_label", "note", "origin", "target", "undone"]
    shown = audit[columns].astype(object).where(audit[columns].notna(), None)
    assert [tuple(row) for row in shown.itertuples(index=False)] == [
        (1, "ann", "local", "", "remove", "e2", "Business", "", '{"filter": "oil"}', None, True),
        (1, "ann", "local", "", "remove", "e5", "Business", "", '{"filter": "oil"}', None, True),
        (2, "ann", "local", "", "undo", None, None, None, None, 1, False),
        (3, "bob", "oidc", "s1", "mask", "e0", "World", "n", None, None, False),
    ]
    assert list(audit["words"].iloc[3]) == ["red", "sox"]
    assert audit["at"].iloc[0] == pd.Timestamp("2026-09-21T14:13:20.001Z")
    reviews.close()


def test_decisions_outlive_a_rebuild_and_fit_by_id_and_text(tmp_path: Path) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws"))
    for id in ("e0", "e1", "e2"):
        reviews.decide(ANN, id, "remove")
    reviews.decide(ANN, "e3", "flag")
    reviews.close()
    rows = [ROWS[0], ("e1", "another text", "World"), *ROWS[4:]]
    reviews = reviews_at(make_workspace(tmp_path / "ws", rows, build="b2"))
    assert verdicts(reviews) == [("e0", "ann", "remove")]
    assert [d.example_id for d in reviews.decisions(unmatched=True)] == ["e1", "e2"]
    assert reviews.flagged() == []
    assert reviews.decide(ANN, "e0", "remove") is None
    assert reviews.decide(ANN, "e1", "remove") is not None  # it is another text, and nobody has judged that
    assert verdicts(reviews) == [("e0", "ann", "remove"), ("e1", "ann", "remove")]
    reviews.close()


def test_reviewers_at_once_lose_no_event(reviews: Reviews) -> None:
    errors = []

    def work(name: str) -> None:
        try:
            for turn in range(40):
                reviews.decide(Reviewer(name=name), f"e{turn % 8}", "keep" if turn // 8 % 2 else "remove")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"r{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    audit = reviews.audit()
    assert sorted(audit["seq"]) == list(range(1, 161))
    assert audit.groupby("reviewer").size().to_dict() == dict.fromkeys(("r0", "r1", "r2", "r3"), 40)
    assert reviews.log.verify() == []
    assert len(reviews.decisions()) == 4 * 8


PAIRS = [("p0", "a man sleeps", "a man runs", "no"), ("p1", "a dog", "an animal", "yes"), ("p2", "a cat", "a cat", "yes")]


def test_pairs_are_hashed_and_masked_on_both_sides(tmp_path: Path) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws", PAIRS, labels=("no", "yes")))
    assert reviews.corpus["p0"].whole_text == "a man sleeps\x1fa man runs"
    reviews.decide(ANN, "p0", "mask", words=["runs"])
    assert reviews.decisions()[0].text_sha256 == text_sha256("a man sleeps", "a man runs")
    with pytest.raises(SettingsError, match="mask 'p2': no text would be left; remove it instead"):
        reviews.decide(ANN, "p2", "mask", words=["a", "cat"])
    reviews.close()


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        ("drop", {}, SettingsError, "unknown decision 'drop'; it is one of keep, relabel, remove, mask, flag, skip"),
        ("relabel", {}, SettingsError, "relabel 'e0': a new label goes with relabel and with nothing else"),
        ("keep", {"new_label": "Sport"}, SettingsError, "keep 'e0': a new label goes with relabel and with nothing else"),
        ("relabel", {"new_label": "World"}, SettingsError, "relabel 'e0': it is labelled 'World' already; keep it instead"),
        ("relabel", {"new_label": "Art"}, QueryError, "unknown label 'Art'; the labels are 'Business', 'Sport', 'World'"),
        ("mask", {}, SettingsError, "mask 'e0': words go with mask and with nothing else"),
        ("remove", {"words": ["red"]}, SettingsError, "remove 'e0': words go with mask and with nothing else"),
        ("mask", {"words": ["ox"]}, SettingsError, "mask 'e0': 'ox' does not occur in it as a word"),
        ("mask", {"words": [" "]}, SettingsError, "mask 'e0': '' does not occur in it as a word"),
        ("keep", {"note": "x" * 10_001}, SettingsError, "a note of 10,001 characters; the most is 10,000"),
        ("keep", {"note": "\ud800"}, SettingsError, "note '\\ud800': not valid Unicode text (half of a surrogate pair)"),
    ],
)
def test_decisions_that_make_no_sense_leave_no_trace(reviews: Reviews, kind, options, error, message) -> None:
    with pytest.raises(error) as raised:
        reviews.decide(ANN, "e0", kind, **options)
    assert str(raised.value) == message
    assert len(reviews.audit()) == 0


def test_an_unknown_example(reviews: Reviews) -> None:
    with pytest.raises(QueryError) as error:
        decide_many(reviews, ANN, ["e0", "e99"], "keep")
    assert str(error.value) == "unknown training id 'e99'; workspace 'ws' has 8, from 'e0' to 'e7'"
    assert len(reviews.audit()) == 0


@pytest.mark.parametrize("name", ["", "  ", "a;b", "x" * 101, "a\nb", "\ud800"])
def test_names_that_cannot_be_kept(name: str) -> None:
    with pytest.raises(SettingsError):
        Reviewer(name=name)


def test_one_name_however_it_was_typed() -> None:
    assert Reviewer(name=" Zoe\u0308 ") == Reviewer(name="Zo\u00eb")
