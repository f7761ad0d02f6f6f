"""Decisions brought back from a fix list: who and when kept, each checked against its text, twice is nothing new."""

from pathlib import Path

import pytest
from reviewing import ROWS, make_workspace, reviews_at

from influence.cli import main
from influence.fixes import encode_fixes, fix_list, plan_import, take_in
from influence.fixes.imports import CHANGED, GONE
from influence.review import Evidence, Reviewer
from influence.review.log import close_log

ANN, BOB, EVE = Reviewer(name="ann"), Reviewer(name="bob"), Reviewer(name="eve")


@pytest.fixture
def exported(tmp_path: Path):
    reviews = reviews_at(make_workspace(tmp_path / "ws"))
    reviews.decide(ANN, "e0", "relabel", new_label="Sport", note="baseball", evidence=Evidence(method="m", score=0.5))
    reviews.decide(ANN, "e7", "mask", words=["red"])
    reviews.decide(ANN, "e2", "keep")
    reviews.decide(BOB, "e2", "keep")
    reviews.decide(BOB, "e6", "remove")
    found = fix_list(reviews).fixes
    reviews.close()
    return found


def test_what_comes_back_is_what_went(exported, tmp_path: Path) -> None:
    other = reviews_at(make_workspace(tmp_path / "other", ROWS[1:] + ROWS[:1]))
    found = plan_import(other, exported, EVE)
    assert (found.rows, found.counts, found.notes) == (4, {"ann": 3, "bob": 2}, [])
    actions = take_in(other, found, EVE, "fixes.jsonl")
    assert [(a.reviewer, a.origin) for a in actions] == [
        ("ann", {"import": 3, "by": "eve", "file": "fixes.jsonl"}),
        ("bob", {"import": 2, "by": "eve", "file": "fixes.jsonl"}),
    ]
    assert sorted(fix_list(other).fixes) == sorted(exported)  # who, when, why, method and score too
    [decision] = other.decisions(["e0"])
    assert (decision.reviewer, decision.note, decision.method, decision.score) == ("ann", "baseball", "m", 0.5)
    assert decision.evidence == {"reviewer": "ann", "decided_at": exported[0].decided_at}
    again = plan_import(other, exported, EVE)
    assert (again.total, again.same, again.notes) == (0, 5, ["5 stand here already"])
    assert take_in(other, again, EVE, "fixes.jsonl") == []
    other.revoke(EVE, actions[0].id)
    assert {d.reviewer for d in other.decisions()} == {"bob"}
    other.close()


def test_what_does_not_fit_or_goes_against_a_decision_is_listed_and_left_out(exported, tmp_path: Path) -> None:
    rows = [row for row in ROWS if row[0] != "e7"]
    rows = [(row[0], "another text", row[2]) if row[0] == "e6" else row for row in rows]
    other = reviews_at(make_workspace(tmp_path / "other", rows))
    other.decide(ANN, "e0", "remove")
    other.decide(BOB, "e1", "keep")
    more = [exported[0]._replace(example_id="e1", text=ROWS[1][1], text_sha256=other.corpus["e1"].text_sha256, new_label="Art")]
    more.append(more[0]._replace(example_id="e3", text=ROWS[3][1], text_sha256=other.corpus["e3"].text_sha256, new_label="World"))
    found = plan_import(other, [*exported, *more], EVE)
    assert [(c.fix.example_id, c.reviewer, c.here) for c in found.clashes] == [("e0", "ann", "remove")]
    assert [(m.fix.example_id, m.why) for m in found.misfits] == [
        ("e6", CHANGED),
        ("e7", GONE),
        ("e1", "unknown label 'Art'; the labels are 'Business', 'Sport', 'World'"),
        ("e3", "its label here is 'Sport', not 'World'"),
    ]
    assert found.counts == {"ann": 1, "bob": 1}
    take_in(other, found, EVE, "fixes.csv")
    assert [(d.example_id, d.reviewer, d.kind) for d in other.decisions(["e0"])] == [("e0", "ann", "remove")]
    other.close()


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_by_the_command_line(exported, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    make_workspace(tmp_path / "other").close()
    file = tmp_path / f"fixes.{form}"
    file.write_bytes(
        encode_fixes([row._replace(reviewer="" if row.action == "keep" else row.reviewer) for row in exported], f".{form}")
    )
    command = ["import", "--workspace", str(tmp_path / "other"), "--fixes", str(file)]
    assert main([*command, "--dry-run"]) == 0
    line = f"{tmp_path / 'other'}: 4 decisions from 4 rows would be taken in: 2 by ann, 1 by import, 1 by bob\n"
    assert capsys.readouterr().out == line
    assert main([*command, "--reviewer", "Dan"]) == 0
    assert "4 decisions from 4 rows taken in: 2 by ann, 1 by Dan, 1 by bob" in capsys.readouterr().out
    assert main([*command, "--reviewer", "Dan"]) == 0
    said = capsys.readouterr()
    assert (said.out.endswith("taken in: nothing new\n"), said.err) == (True, "note: 4 stand here already\n")
    file.write_bytes(file.read_bytes()[:50])
    assert main(command) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    close_log(tmp_path / "other")
