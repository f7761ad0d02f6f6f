"""Proof at its own address and at the two older ones: the same page, the right question, all the parameters kept."""

import pytest
from conftest import parameters_of, shown

from pages.ui.frame import shell
from pages.ui.proof.address import read_address
from pages.ui.proof.page import QUESTIONS


@pytest.mark.parametrize(
    ("page", "parameters", "question", "part"),
    [
        ("proof", {}, "fixes", None),
        ("proof", {"part": "change"}, "change", None),
        ("proof", {"part": "fixing"}, "deletion", "fixing"),
        ("proof", {"change": "opponents:test-3:5"}, "change", None),
        ("what_if", {}, "fixes", None),
        ("what_if", {"change": "decided"}, "fixes", None),
        ("what_if", {"kind": "decided"}, "fixes", None),
        ("what_if", {"kind": "cluster"}, "change", None),
        ("what_if", {"change": "top:test-3:bm25", "seeds": "3"}, "change", None),
        ("evidence", {}, "deletion", "deletion"),
        ("evidence", {"part": "cancellation"}, "deletion", "deletion"),
        ("evidence", {"part": "overlaps", "measure": "margin"}, "deletion", "overlaps"),
    ],
)
def test_every_address_leads_to_its_question(open_as, page, parameters, question, part):
    app = open_as("Ann", page, workspace="tiny", **parameters)
    assert not app.exception
    assert not app.warning
    assert app.segmented_control(key="proof_place").value == question
    assert ("proof_part" in app.session_state) == (part is not None)
    if part is not None:
        assert app.segmented_control(key="proof_part").value == part
    [lit] = [one.proto.label for one in app.get("page_link") if one.proto.label == "Proof"]
    assert lit == "Proof"
    assert parameters_of(app) == {"workspace": "tiny", **parameters}


def test_the_menu_has_one_line_for_them_all():
    assert {key: shell.PAGES[key].under for key in ("proof", "what_if", "evidence")} == {
        "proof": "", "what_if": "proof", "evidence": "proof"
    }  # fmt: skip
    assert {shell.PAGES[key].title for key in ("proof", "what_if", "evidence")} == {"Proof"}


def test_another_question_keeps_what_was_asked_before(open_as):
    app = open_as("Ann", "what_if", workspace="tiny", change="opponents:test-3:5", seeds="3")
    app.segmented_control(key="proof_place").set_value("deletion").run()
    assert not app.exception
    assert parameters_of(app) == {"workspace": "tiny", "part": "deletion", "change": "opponents:test-3:5", "seeds": "3"}
    app.segmented_control(key="proof_place").set_value("change").run()
    assert "It would change 5 examples" in shown(app)
    assert list(QUESTIONS.values()) == ["Would my fixes help?", "Would this change help?", "Can I trust the scores?"]


def test_nothing_decided_has_one_thing_to_do(open_as):
    app = open_as("Ann", "proof", workspace="tiny")
    assert "Nothing is decided yet that changes the data" in shown(app)
    assert [one.key for one in app.button if one.key and not one.key.startswith("wt_")] == []
    assert "Decide in Review" in [link.proto.label for link in app.get("page_link")]


def test_a_sentence_is_read_not_only_named(open_as, workspace):
    app = open_as("Ann", "proof", workspace="tiny", change="opponents:test-3:5")
    [position] = workspace.store.positions("test", ["test-3"]).values()
    example = workspace.store.examples("test", [position])[position]
    quotes = [one.proto.body for one in app.get("html") if "wt-quote" in one.proto.body]
    assert any(example.text.split()[0] in one and "test sentence test-3" in one for one in quotes)


def test_an_address_that_makes_no_sense_is_named(workspace):
    address, ignored = read_address({"part": "magic", "measure": "x", "tests": "{"}, workspace)
    assert (address.place, sorted(ignored), address.test_ids) == ("fixes", ["measure", "part"], [])
