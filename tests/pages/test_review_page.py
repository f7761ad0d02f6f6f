"""Review under AppTest: who is there, queues, every decision, undo, conflicts, and addresses nobody should trust."""

import csv
import io
import json
import zipfile

import pytest
from conftest import HOSTILE_ID, IMAGE, ROOT, SCRIPT, components, joined, parameters_of, shown, trigger
from reviewing_app import (
    ANN,
    BOB,
    button,
    is_deck,
    item,
    on_screen,
    opener,
    own_workspace,
    part,
    press,
    queue_of,
    reviews_of,
    send,
)
from streamlit.testing.v1 import AppTest

import influence
from influence.data.edits import EDIT_KINDS, Edit, EditKind
from influence.fixes.bundle import export_bundle
from influence.fixes.files import read_fixes, write_fixes
from influence.fixes.fixlist import fix_list
from influence.review.agreements import conflicts
from influence.review.queues import Queues
from pages.ui.parts import verdicts
from pages.ui.review import labels, page

IDS = ["train-1", "train-2", "train-3", "train-4", f"{HOSTILE_ID}5", "train-6"]


@pytest.fixture
def root(workspaces, tmp_path):
    with own_workspace(workspaces, tmp_path) as folder:
        yield folder


@pytest.fixture
def open_as(root, monkeypatch):
    return opener(root, monkeypatch)


def decided(root, who):
    """What somebody has decided: by example, the kind and the new label."""
    return {d.example_id: (d.kind, d.new_label) for d in reviews_of(root).decisions(reviewer=who)}


def other_label(root, example_id):
    label = reviews_of(root).corpus[example_id].label
    return next(name for name in (SCRIPT, IMAGE) if name != label)


# Who is there


def test_a_name_is_asked_for_once(open_as):
    app = open_as("", "review", workspace="tiny")
    assert "Who is reviewing?" in shown(app)
    assert not [one for one in app.button if (one.key or "").startswith("source_")]
    app.text_input[0].set_value("Ann")
    app.button[0].click().run()
    assert button(app, "wt_change_reviewer").label == "Ann"
    assert "A new queue" in shown(app)
    button(app, "wt_change_reviewer").click().run()
    assert "Who is reviewing?" in shown(app)


@pytest.mark.parametrize("name", ["", "  ", "a;b", "x\ny"])
def test_a_name_that_cannot_be_one_is_a_message(open_as, name):
    app = open_as("", "review", workspace="tiny")
    app.text_input[0].set_value(name)
    app.button[0].click().run()
    assert not app.exception
    assert app.error
    assert "Who is reviewing?" in shown(app)


def test_a_name_is_shown_as_itself(open_as):
    app = open_as("![m](http://h.example/x.png) <b>", "review", workspace="tiny")
    assert not app.exception
    assert button(app, "wt_change_reviewer").label.startswith("\\!\\[m\\]\\(http")


def test_a_login_is_the_reviewer(root, monkeypatch):
    monkeypatch.setenv("WORDTRACE_WORKSPACES", str(root))
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.user = {"is_logged_in": True, "email": "ann@example.org"}
    app.switch_page("pages/review.py")
    app.run()
    assert not app.exception, app.exception
    assert button(app, "wt_change_reviewer").label == "ann\\@example\\.org"
    assert button(app, "wt_change_reviewer").disabled


def test_without_a_login_where_one_is_set_up_there_is_only_the_way_in(root, monkeypatch):
    monkeypatch.setenv("WORDTRACE_WORKSPACES", str(root))
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.user = {"is_logged_in": False}
    app.switch_page("pages/review.py")
    app.run()
    assert [one.label for one in app.main.button] == ["Log in"]


# Choosing a queue


def test_a_queue_of_what_the_model_contradicts(open_as, root):
    frame = influence.open_workspace(root / "tiny").store.train_frame()
    frame = frame[frame["label"] != frame["predicted"]].sort_values("confidence", ascending=False, kind="stable")
    app = open_as("Ann", "review", workspace="tiny")
    assert f"{len(frame)} training examples whose label the model does not predict" in shown(app)
    button(app, "source_contradicted").click().run()
    queue = parameters_of(app)["queue"]
    assert Queues(reviews_of(root)).example_ids(queue, ANN) == list(frame["id"])
    assert on_screen(app) == frame["id"].iloc[0]


def test_switches_moved_just_before_the_click_count(open_as, root):
    app = open_as("Ann", "review", workspace="tiny")
    app.segmented_control(key="queue_opinions").set_value(2)
    app.segmented_control(key="queue_blind").set_value("blind")
    button(app, "source_contradicted").click()
    app.run()
    queue = Queues(reviews_of(root)).get(parameters_of(app)["queue"])
    assert (queue.overlap, queue.blind) == (2, True)


def test_queues_are_listed_with_what_is_left_and_can_be_closed(open_as, root):
    queue = queue_of(root, IDS, blind=True, overlap=2)
    reviews_of(root).decide(ANN, IDS[0], "keep", queue=queue.id)
    app = open_as("Ann", "review", workspace="tiny")
    text = shown(app)
    assert "1 by you · 0 of 6 settled · 5 left" in text
    assert "2 opinions wanted" in text
    assert ">blind<" in text
    button(app, f"queue_close_{queue.id}").click().run()
    assert f"queue_{queue.id}" not in [one.key for one in app.button]
    assert decided(root, ANN) == {IDS[0]: ("keep", None)}


# Decisions


@pytest.mark.parametrize(("key", "kind"), [("K", "keep"), ("X", "remove"), ("F", "flag"), ("S", "skip")])
def test_a_key_decides_and_brings_the_next(open_as, root, key, kind):
    queue = queue_of(root, IDS)
    app = press(open_as("Ann", "review", workspace="tiny", queue=queue.id), key)
    assert reviews_of(root).standing(IDS[0], ANN).kind == kind
    assert on_screen(app) == IDS[1]
    assert parameters_of(app) == {"workspace": "tiny", "queue": queue.id, "id": IDS[1]}
    assert f" · {kind} · {IDS[0]}" in shown(app)


@pytest.mark.parametrize("listed", [True, False])
def test_an_action_is_added_by_a_line_in_each_of_two_tables(open_as, root, tmp_path, monkeypatch, listed):
    """What it does and its words: then it has a button, stands, counts, and is in the fix list if it says so."""
    monkeypatch.setitem(EDIT_KINDS, "escalate", EditKind(listed=listed))
    words = verdicts.Wording(button="Escalate", key="Z", together="Escalate", ask="Escalate", rule="escalated")
    monkeypatch.setitem(verdicts.WORDINGS, "escalate", words)
    queue = queue_of(root, IDS)
    app = press(open_as("Ann", "review", workspace="tiny", queue=queue.id), "Z")
    assert f" · escalate · {IDS[0]}" in shown(app)
    assert on_screen(app) == IDS[1]
    assert decided(root, ANN) == {IDS[0]: ("escalate", None)}
    reviews = reviews_of(root)
    assert reviews.standing(IDS[0], ANN).edit == Edit("escalate")
    assert Queues(reviews).progress(queue.id, ANN).decided == 1
    found = fix_list(reviews)
    assert [(fix.example_id, fix.action) for fix in found.fixes] == ([(IDS[0], "escalate")] if listed else [])
    assert found.before == found.after
    assert ("escalate" in found.counts) is listed
    write_fixes(found.fixes, tmp_path / "fixes.jsonl")
    assert read_fixes(tmp_path / "fixes.jsonl") == found.fixes
    with zipfile.ZipFile(io.BytesIO(export_bundle(reviews))) as bundle:
        corrected = list(csv.DictReader(io.StringIO(bundle.read("corrected.csv").decode(), newline="")))
    assert [(row["text"], row["label"]) for row in corrected] == [
        (one.text, one.label) for one in reviews.corpus.examples.values()
    ]
    app = open_as("Ann", "fix_list", workspace="tiny", part="rules", pattern="film", action="escalate")
    assert not app.exception
    assert next(box for box in app.selectbox if box.key == "rule_action").value == "escalate"
    assert "escalated" in next(box for box in app.selectbox if box.key == "rule_action").options


def test_labels_have_numbers_and_the_given_one_keeps(open_as, root):
    queue = queue_of(root, IDS)
    labels = influence.open_workspace(root / "tiny").info.labels
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    for example_id in IDS:
        assert on_screen(app) == example_id
        app = press(app, str(labels.index(SCRIPT) + 1))
    corpus = reviews_of(root).corpus
    assert decided(root, ANN) == {id: ("keep", None) if corpus[id].label == SCRIPT else ("relabel", SCRIPT) for id in IDS}
    assert "Nothing left for you here" in shown(app)


def test_the_example_is_the_data_s(open_as, root):
    queue = queue_of(root, IDS)
    for id in IDS:
        app = open_as("Ann", "review", workspace="tiny", queue=queue.id, id=id)
        example = reviews_of(root).corpus[id]
        for case in (item(app), part(app, "deck")["cases"][0]):
            assert joined(case["sides"]) == [example.text]
            assert case["given"] == example.label
            assert case["suggested"] == (example.predicted if example.predicted != example.label else None)


def test_the_evidence_is_the_engine_s(open_as, root):
    queue = queue_of(root, IDS)
    workspace = influence.open_workspace(root / "tiny")
    for more in (False, True):
        app = open_as("Ann", "review", workspace="tiny", queue=queue.id, id="train-2")
        if more:
            press(app, "E")
        found = influence.explain(workspace, train_id="train-2", top=6 if more else 3, special_tokens="exclude")
        against, supporting = part(app, "evidence")["groups"][:2]
        assert [card["id"] for card in against["cards"]] == [one.train.id for one in found.opponents]
        assert [card["id"] for card in supporting["cards"]] == [one.train.id for one in found.proponents]
        for card, one in zip(supporting["cards"], found.proponents, strict=True):
            assert "".join(joined(card["sides"])) == one.train.text
            assert card["label"] == one.train.label
        most = max(abs(one.score) for one in (*found.opponents, *found.proponents))
        beside = [card["bar"] for card in (*against["cards"], *supporting["cards"])]
        assert beside == pytest.approx([abs(one.score) / most for one in (*found.opponents, *found.proponents)], abs=1e-3)


def test_what_was_on_screen_goes_into_the_log(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    cards = part(app, "evidence")["groups"][0]["cards"]
    press(app, "K")
    event = reviews_of(root).audit().iloc[-1]
    seen = json.loads(event["evidence"])
    assert seen["opponents"] == [card["id"] for card in cards]
    assert 0 <= event["ms_on_screen"] < 60_000
    assert (event["queue"], event["auth"], event["reviewer"]) == (queue.id, "local", "Ann")


def test_words_are_masked(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    words = item(app)["words"][:2]
    send(app, {"id": IDS[0], "kind": "mask", "words": words}, showing=IDS[1])
    [decision] = reviews_of(root).decisions(reviewer=ANN)
    assert (decision.kind, decision.example_id, decision.words) == ("mask", IDS[0], tuple(words))
    assert on_screen(app) == IDS[1]


def test_a_word_that_the_text_lacks_is_not_masked(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    send(app, {"id": IDS[0], "kind": "mask", "words": ["zebra"]}, {"id": IDS[1], "kind": "keep"}, showing=IDS[2])
    [failure] = part(app, "deck")["failures"]
    assert failure["seq"] == 1
    assert failure["why"].startswith(f"Not saved: mask “zebra” · {IDS[0]}: ")
    assert decided(root, ANN) == {IDS[1]: ("keep", None)}


def test_a_note_is_kept(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    send(app, {"id": IDS[0], "kind": "note", "text": f"look {SCRIPT}"}, showing=IDS[0])
    assert [note.text for note in reviews_of(root).notes(IDS[0])] == [f"look {SCRIPT}"]
    assert on_screen(app) == IDS[0]
    assert item(app)["notes"] == [{"who": "Ann", "text": f"look {SCRIPT}"}]


# Presses that come in numbers


def test_presses_are_answered_in_order_and_each_once(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    batch = [
        {"seq": number, "id": id, "kind": kind}
        for number, id, kind in zip((1, 2, 3), IDS, ("keep", "remove", "flag"), strict=False)
    ]
    send(app, *batch[:2], showing=IDS[2])
    assert on_screen(app) == IDS[2]
    send(app, *batch, showing=IDS[3])  # as a browser does that had no answer
    assert on_screen(app) == IDS[3]
    assert [action.kind for action in reviews_of(root).recent(ANN)] == ["flag", "remove", "keep"]
    assert len(reviews_of(root).audit()) == 3
    assert part(app, "deck")["answered"] == {"token": "test", "seq": 3}
    undo = [{"seq": 4, "id": IDS[2], "kind": "undo", "of": 3}, {"seq": 5, "id": IDS[1], "kind": "undo", "of": 2}]
    send(app, *batch, *undo, {"seq": 6, "id": IDS[1], "kind": "keep"}, showing=IDS[2])
    assert decided(root, ANN) == {IDS[0]: ("keep", None), IDS[1]: ("keep", None)}
    assert on_screen(app) == IDS[2]


def test_a_page_that_is_loaded_anew_decides_nothing_twice(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    send(app, {"seq": 1, "id": IDS[0], "kind": "remove"}, showing=IDS[1])
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id, id=IDS[1])  # the server has lost the session
    send(app, {"seq": 1, "id": IDS[0], "kind": "remove"}, {"seq": 2, "id": IDS[1], "kind": "keep"}, showing=IDS[2])
    assert decided(root, ANN) == {IDS[0]: ("remove", None), IDS[1]: ("keep", None)}
    assert len(reviews_of(root).audit()) == 2


def test_what_cannot_have_been_on_screen_is_not_decided(open_as, root):
    queue = queue_of(root, IDS[:2])
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    send(app, {"id": IDS[4], "kind": "remove"}, {"id": "nope", "kind": "remove"}, showing=IDS[4])
    assert not decided(root, ANN)
    assert [failure["seq"] for failure in part(app, "deck")["failures"]] == [1, 2]
    assert "it is not in this queue" in part(app, "deck")["failures"][0]["why"]
    assert on_screen(app) == IDS[0]


@pytest.mark.parametrize(
    "sent",
    [
        None, 7, "x", [], {}, {"presses": 3}, {"token": "x", "presses": [None, 3, {}, {"seq": 1}, {"seq": "1", "kind": "keep"}]},
        {"token": "x", "presses": [{"seq": number, "kind": "keep", "id": "train-1"} for number in (True, 10**12, -1, 0)]},
        {"token": "x", "presses": [{"seq": 1, "kind": "import", "id": "train-1"}]},
        {"token": "x", "presses": [{"seq": 1, "kind": "relabel", "id": ["train-1"]}]},
        {"presses": [{"seq": 1, "kind": "keep", "id": "train-1"}]},
        {"token": "x", "presses": [{"seq": 1, "kind": "mask", "id": "train-1", "words": "film"}]},
        {"presses": [{"seq": 1, "kind": "undo", "action": -3, "of": None}], "showing": {"a": 1}, "token": 3},
    ],
)  # fmt: skip
def test_what_no_deck_sends_decides_nothing(open_as, root, sent):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    trigger(app, is_deck, "pressed", sent)
    assert not decided(root, ANN)
    assert on_screen(app) == IDS[0]


def test_what_comes_next_is_there_before_it_is_asked_for(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    cases = part(app, "deck")["cases"]
    assert [case["id"] for case in cases] == IDS
    corpus = reviews_of(root).corpus
    assert [joined(case["sides"]) for case in cases] == [[corpus[id].text] for id in IDS]
    assert [case["given"] for case in cases] == [corpus[id].label for id in IDS]
    assert Queues(reviews_of(root)).next(queue.id, BOB) == IDS[-1]  # the last, which Ann has not seen


def test_a_blind_opinion_is_given_on_what_one_has_decided_before(open_as, root):
    reviews_of(root).decide(ANN, IDS[0], "keep")
    queue = queue_of(root, IDS[:1], overlap=2, blind=True)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    assert part(app, "deck")["cases"][0]["hidden"] is True
    press(app, "K")
    assert "Nothing left for you here" in shown(app)
    assert Queues(reviews_of(root)).progress(queue.id, ANN).decided == 1
    assert len(reviews_of(root).audit()) == 2


# Undo, redo, and the way through the queue


def test_undo_and_redo_without_end(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    for key in "KXS1":
        press(app, key)
    before = decided(root, ANN)
    for example_id in IDS[3::-1]:
        press(app, "U")
        assert on_screen(app) == example_id
    assert not decided(root, ANN)
    assert part(app, "deck")["undo"] == 0
    for _ in range(4):
        press(app, "Y")
    assert decided(root, ANN) == before
    assert on_screen(app) == IDS[4]
    press(app, "Y")
    assert "Nothing to do again" in shown(app)


def test_undo_takes_back_only_what_was_seen(open_as, root):
    queue = queue_of(root, IDS)
    app = press(open_as("Ann", "review", workspace="tiny", queue=queue.id), "K")
    reviews_of(root).decide(ANN, IDS[5], "remove")  # in another tab, after this one was drawn
    press(app, "U")
    assert decided(root, ANN) == {IDS[0]: ("keep", None), IDS[5]: ("remove", None)}


def test_next_and_previous_decide_nothing(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    assert on_screen(press(app, "P")) == IDS[0]
    assert "first example of the queue" in part(app, "deck")["said"]
    walked = [on_screen(press(app, "J")) for _ in range(6)]
    assert walked == [*IDS[1:], IDS[0]]
    press(app, "J")
    assert [on_screen(app)] + [on_screen(press(app, "J")) for _ in range(2)] == IDS[1:4]
    assert [on_screen(press(app, "P")) for _ in range(2)] == [IDS[2], IDS[1]]
    assert not decided(root, ANN)


def test_the_last_ten_decisions_are_on_screen(open_as, root):
    reviews = reviews_of(root)
    ids = list(reviews.corpus.examples)
    queue = queue_of(root, ids)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    for _ in range(12):
        press(app, "K")
    strip = part(app, "deck")["last"]
    assert [item["id"] for item in strip] == ids[11:1:-1]
    assert {item["what"] for item in strip} == {"keep"}


def test_a_decision_can_be_changed_later(open_as, root):
    queue = queue_of(root, IDS)
    press(open_as("Ann", "review", workspace="tiny", queue=queue.id), "K")
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id, id=IDS[0])
    assert item(app)["mine"].startswith("keep · ")
    press(app, "X")
    assert decided(root, ANN) == {IDS[0]: ("remove", None)}
    assert len(reviews_of(root).audit()) == 2


# Several reviewers


def test_two_reviewers_never_have_the_same_example(open_as, root):
    queue = queue_of(root, IDS)
    ann, bob = (open_as(name, "review", workspace="tiny", queue=queue.id) for name in ("Ann", "Bob"))
    seen = {"Ann": [on_screen(ann)], "Bob": [on_screen(bob)]}
    for _ in range(2):
        seen["Ann"].append(on_screen(press(ann, "K")))
        seen["Bob"].append(on_screen(press(bob, "X")))
    assert sorted(seen["Ann"] + seen["Bob"]) == sorted(IDS)
    assert "Nothing left for you here" in shown(press(ann, "K"))
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id, id=seen["Bob"][-1])
    assert "Another reviewer has" in app.info[0].value


def test_a_second_opinion_is_given_blind(open_as, root):
    queue = queue_of(root, IDS[:1], overlap=2, blind=True)
    press(open_as("Ann", "review", workspace="tiny", queue=queue.id), "X")
    app = open_as("Bob", "review", workspace="tiny", queue=queue.id)
    case = item(app)
    assert (case["hidden"], case["suggested"], case["model"], case["others"]) == (True, None, None, [])
    assert part(app, "evidence")["reason"] == ""
    press(app, "K")
    app = open_as("Bob", "review", workspace="tiny", queue=queue.id, id=IDS[0])
    assert item(app)["others"] == [{"who": "Ann", "what": "remove", "settles": False}]
    assert item(app)["model"] is not None


def test_conflicts_are_settled(open_as, root):
    reviews = reviews_of(root)
    for who, kind in ((ANN, "keep"), (BOB, "remove")):
        reviews.decide(who, IDS[0], kind)
    app = open_as("Cid", "review", workspace="tiny")
    button(app, "source_conflicts").click().run()
    assert {(other["who"], other["what"]) for other in item(app)["others"]} == {("Ann", "keep"), ("Bob", "remove")}
    assert "settles conflicts" in shown(app)
    press(app, "X")
    assert conflicts(reviews) == []
    [fix] = fix_list(reviews).fixes
    assert (fix.action, fix.reviewer) == ("remove", "Cid")


def test_flagged_ones_are_a_queue(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    for key in "FKF":
        press(app, key)
    app = open_as("Ann", "review", workspace="tiny")
    button(app, "queue_flagged").click().run()
    assert on_screen(app) == IDS[0]
    assert on_screen(press(app, "X")) == IDS[2]
    assert "Nothing left for you here" in shown(press(app, "K"))
    assert decided(root, ANN)[IDS[0]] == ("remove", None)


def test_after_a_while_the_example_goes_back_to_its_queue(open_as, root, monkeypatch):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    monkeypatch.setattr(page, "PAUSE_AFTER", -1)
    app.run()
    assert "Paused" in shown(app)
    assert not [data for data in components(app) if data.get("part") == "deck"]
    assert Queues(reviews_of(root)).next(queue.id, BOB) == IDS[0]
    monkeypatch.setattr(page, "PAUSE_AFTER", 600)
    press(app, "Enter")
    assert on_screen(app) == IDS[1]


def test_what_another_browser_of_theirs_has_taken_is_let_go(open_as, root):
    queue = queue_of(root, IDS)
    first, second = (open_as("Ann", "review", workspace="tiny", queue=queue.id, id=IDS[0]) for _ in range(2))
    assert on_screen(second) == IDS[0]
    first.run()
    assert "Paused" in shown(first)
    assert on_screen(press(first, "Enter")) == IDS[0]
    second.run()
    assert "Paused" in shown(second)


# Addresses nobody should trust, and texts nobody has checked


@pytest.mark.parametrize("queue", ["nope", "<script>alert(1)</script>", "q999", "\0", "é" * 3000])
def test_an_unknown_queue_is_a_message(open_as, queue):
    app = open_as("Ann", "review", workspace="tiny", queue=queue)
    assert not app.exception
    assert app.error or app.warning
    assert "<script>" not in shown(app)


@pytest.mark.parametrize("id", ["nope", "<script>alert(1)</script>", "../x", "\0"])
def test_an_unknown_example_is_a_message(open_as, root, id):
    for parameters in ({}, {"queue": queue_of(root, IDS).id}):
        app = open_as("Ann", "review", workspace="tiny", id=id, **parameters)
        assert not app.exception
        assert "unknown training id" in app.error[0].value
        assert "<script>" not in shown(app)


def test_one_example_by_itself(open_as, root):
    app = press(open_as("Ann", "review", workspace="tiny", id=IDS[0]), "K")
    assert decided(root, ANN) == {IDS[0]: ("keep", None)}
    assert on_screen(app) == IDS[0]
    assert item(app)["mine"].startswith("keep · ")


def test_labels_keep_their_keys(open_as, root):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    names = influence.open_workspace(root / "tiny").info.labels
    assert part(app, "deck")["labels"] == [{"name": name, "key": str(number)} for number, name in enumerate(names, start=1)]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, ["1"]),
        (9, list("123456789")),
        (12, list("123456789abc")),
        (23, list("123456789abcdghilortvwz")),
        (24, [f"{number:02d}" for number in range(1, 25)]),
        (77, [f"{number:02d}" for number in range(1, 78)]),
        (100, [f"{number:03d}" for number in range(1, 101)]),
    ],
)
def test_many_labels_have_fixed_keys_that_nothing_else_has(count, expected):
    found = labels.keys([f"label {number}" for number in range(count)])
    assert found == expected
    others = [one["key"].lower() for one in (*labels.decisions(), *labels.STEPS, labels.FIND)]
    assert not {"q", *others} & set(found)
    assert not [one for one in found if any(other != one and other.startswith(one) for other in (*found, *others))]


def test_a_disk_that_cannot_be_written_is_said_and_the_example_stays(open_as, root, monkeypatch):
    queue = queue_of(root, IDS)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)

    def full(*args, **kwargs):
        raise influence.WorkspaceError("no space left on the disk")

    monkeypatch.setattr(type(reviews_of(root).log), "append", full)
    press(app, "K")
    [failure] = part(app, "deck")["failures"]
    assert failure["why"] == f"Not saved: keep · {IDS[0]}: no space left on the disk"
    assert not decided(root, ANN)


def test_pairs(pair_workspaces, tmp_path, monkeypatch):
    with own_workspace(pair_workspaces, tmp_path, name="pairs") as root:
        example = reviews_of(root, name="pairs").corpus["train-3"]
        app = opener(root, monkeypatch)("Ann", "review", workspace="pairs", id="train-3")
        assert joined(item(app)["sides"]) == [example.text, example.text_pair]
        for group in part(app, "evidence")["groups"]:
            assert all(len(card["sides"]) == 2 for card in group["cards"])
