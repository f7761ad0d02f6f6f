"""Fix list under AppTest: changes, conflicts, rules from preview to revocation, agreement, the log, and its files."""

import csv
import html
import io
import json
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import pytest
from conftest import HOSTILE_ID, IMAGE, SCRIPT, components, joined, parameters_of, shown
from contents import edit_pointer, reseal
from reviewing_app import ANN, BOB, button, opener, own_workspace, reviews_of

import influence
from influence.fixes.files import read_fixes
from influence.fixes.fixlist import fix_list
from influence.review.agreements import agreement
from influence.review.journal import parse
from influence.review.log import open_log
from influence.review.queues import Queues
from influence.rules.rule import Rule, applied_rules, preview
from influence.workspace.result_tables import ResultStore
from pages.ui.fix_list import downloads, rules
from pages.ui.parts import decision_charts

IDS = ["train-1", "train-2", "train-3", "train-4", f"{HOSTILE_ID}5"]


@pytest.fixture
def root(workspaces, tmp_path):
    with own_workspace(workspaces, tmp_path) as folder:
        yield folder


@pytest.fixture
def decided(root):
    """Reviews with one decision of each kind, by Ann."""
    reviews = reviews_of(root)
    reviews.decide(ANN, IDS[0], "remove")
    reviews.decide(ANN, IDS[1], "relabel", new_label=other(reviews, IDS[1]), note=f"=1+1 {SCRIPT}")
    reviews.decide(ANN, IDS[2], "keep")
    reviews.decide(ANN, IDS[3], "mask", words=[reviews.corpus[IDS[3]].text.split()[0]])
    return reviews


def other(reviews, example_id):
    return next(label for label in (SCRIPT, IMAGE) if label != reviews.corpus[example_id].label)


def listed(app):
    assert not app.exception, app.exception
    return next((data["rows"] for data in components(app) if "rows" in data), [])


def standing(root):
    return {d.example_id: (d.kind, d.new_label) for d in reviews_of(root).decisions()}


# Changes


def test_without_decisions_it_says_where_they_come_from(open_as):
    app = open_as("Ann", "fix_list", workspace="tiny")
    assert "No decisions yet" in shown(app)
    assert not app.get("download_button")


def test_every_change_is_listed_with_its_reason(open_as, decided):
    app = open_as("", "fix_list", workspace="tiny")
    fixes = sorted(fix_list(decided).fixes, key=lambda fix: fix.action == "keep")
    assert [row["id"] for row in listed(app)] == [fix.example_id for fix in fixes] == [IDS[0], IDS[1], IDS[3], IDS[2]]
    for row, fix in zip(listed(app), fixes, strict=True):
        assert joined(row["sides"]) == [fix.text]
        assert row["reason"] == fix.reason
        assert row["foot"].startswith("Ann · ")
    assert [chip for chip, _ in listed(app)[0]["labels"]][-1] == "removed"
    assert [chip for chip, _ in listed(app)[1]["labels"]] == [fixes[1].old_label, "→", fixes[1].new_label]
    assert "1 relabelled, 1 removed, 1 with words masked, 1 kept as they are" in shown(app)
    assert len(app.get("download_button")) == 4


def test_the_balance_of_labels_is_drawn(open_as, decided):
    found = fix_list(decided)
    app = open_as("Ann", "fix_list", workspace="tiny")
    assert "60 examples before, 59 after" in shown(app)
    before, after = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
    assert (before["name"], after["name"]) == ("before", "after")
    changes = [(found.after[n], found.after[n] - found.before[n]) for n in found.before]
    assert [change for _, change in changes] == [0, -1]
    assert after["text"] == [f"{count} ({'−' if change < 0 else '+'}{abs(change)})" for count, change in changes]
    assert "<script>" not in json.dumps([before, after])


def test_of_many_labels_those_that_change_are_drawn():
    before = {f"label {n}": 100 + n for n in range(30)}
    figure = decision_charts.balance(before, before | {"label 3": 90, "label 7": 120})
    assert list(figure.data[0].y) == ["label 3", "label 7"]
    figure = decision_charts.balance(before, {name: count + 1 for name, count in before.items()})
    assert list(figure.data[0].y) == [f"label {n}" for n in range(10, 30)]  # the twenty largest of those that change as much
    assert len(decision_charts.balance(before, before).data[0].y) == 20
    few = {name: before[name] for name in list(before)[:3]}
    assert list(decision_charts.balance(few, few | {"label 0": 99}).data[0].y) == list(few)


def test_disagreements_are_listed_settled_by_policy_and_sent_to_review(open_as, decided, root):
    decided.decide(BOB, IDS[0], "keep")
    app = open_as("Ann", "fix_list", workspace="tiny")
    assert f"{IDS[0]}: Ann remove; Bob keep" in shown(app)
    assert "0 settled by majority, 1 left out of the list" in shown(app)
    assert IDS[0] not in [row["id"] for row in listed(app)]
    app.selectbox(key="fix_policy").select("latest").run()
    assert parameters_of(app)["policy"] == "latest"
    assert next(row for row in listed(app) if row["id"] == IDS[0])["reason"].endswith("latest of 2 reviewers")
    button(app, "fix_settle").click().run()
    [queue] = Queues(decided).all()
    assert queue.adjudicates
    assert Queues(decided).example_ids(queue.id, ANN) == [IDS[0]]


def test_decisions_that_do_not_fit_a_rebuilt_workspace_are_listed(decided, root, workspaces, tmp_path, monkeypatch):
    with own_workspace(workspaces, tmp_path / "again") as again:
        shutil.copy(root / "tiny" / "reviews.jsonl", again / "tiny" / "reviews.jsonl")
        build = next((again / "tiny").glob("builds/*"))
        with ResultStore(build / "results.duckdb", read_only=False) as store:
            store.rows("update examples set text_sha256 = 'changed' where id = ? and split = 'train'", [IDS[0]])
        build = build.rename(build.with_name("20300101T000000000000Z"))
        edit_pointer(again / "tiny", lambda pointer: pointer.update(build=build.name))
        reseal(again / "tiny")
        app = opener(again, monkeypatch)("Ann", "fix_list", workspace="tiny")
        assert not app.exception
        assert f"{IDS[0]}: remove by Ann; its text has changed" in shown(app)
        assert [row["id"] for row in listed(app)] == [IDS[1], IDS[3], IDS[2]]


def test_downloads_come_back_as_they_went(decided, tmp_path):
    fixes = fix_list(decided).fixes
    assert any(fix.reason.startswith("=1+1") for fix in fixes)
    for suffix in downloads.KINDS:
        file = tmp_path / f"fixes{suffix}"
        file.write_bytes(downloads.fixes(decided, "majority", suffix))
        assert read_fixes(file) == fixes
    assert b"'=1+1" in downloads.fixes(decided, "majority", ".csv")
    archive = zipfile.ZipFile(io.BytesIO(downloads.bundle(decided, "majority")))
    assert {name.split(".")[0] for name in archive.namelist()} == {"fixes", "corrected", "report", "manifest"}
    file = tmp_path / "again.jsonl"
    file.write_bytes(archive.read("fixes.jsonl"))
    assert read_fixes(file) == fixes
    assert archive.read("corrected.csv").count(IDS[0].encode() + b'"') == 0


# Rules


def spell(open_as, **rule):
    return open_as("Ann", "fix_list", workspace="tiny", part="rules", **rule)


def test_a_rule_is_previewed_applied_and_revoked(open_as, root):
    reviews = reviews_of(root)
    reviews.decide(ANN, "train-2", "keep")
    rule = Rule(by="words", pattern="good", action="relabel", new_label=IMAGE, only_label=SCRIPT)
    found = preview(reviews, ANN, rule)
    assert found.example_ids
    app = spell(open_as)
    app.text_input(key="rule_pattern").set_value("good").run()
    app.selectbox(key="rule_only").select(SCRIPT).run()
    app.selectbox(key="rule_label").select(IMAGE).run()
    assert f"{len(found.example_ids)} examples would change" in shown(app)
    assert "1 more match, but you have decided them otherwise" in shown(app)
    assert [row["id"] for row in listed(app)] == list(found.example_ids)[: rules.SAMPLES]
    for row in listed(app):
        assert {text.lower() for side in row["sides"] for text, word, _ in side if word >= 0} == {"good"}
    assert set(standing(root)) == {"train-2"}
    button(app, "rule_apply").click().run()
    assert standing(root) == {"train-2": ("keep", None)} | dict.fromkeys(found.example_ids, ("relabel", IMAGE))
    assert html.escape(f"{len(found.example_ids)} examples: {rule}") in shown(app)
    [one] = applied_rules(reviews)
    button(app, f"rule_revoke_{one.action.id}").click().run()
    assert set(standing(root)) == {"train-2"}
    assert "<s>" in shown(app)
    assert not [one for one in app.button if (one.key or "").startswith("rule_revoke")]


def test_a_note_typed_just_before_the_click_is_kept(open_as, root):
    app = spell(open_as, pattern="good", action="remove")
    app.text_input(key="rule_note").set_value("as agreed")
    button(app, "rule_apply").click()
    app.run()
    [applied] = applied_rules(reviews_of(root))
    assert applied.action.note == "as agreed"


def test_a_rule_changed_just_before_the_click_is_looked_at_first(open_as, root):
    app = spell(open_as, pattern="good", action="remove")
    app.text_input(key="rule_pattern").set_value("bad")
    button(app, "rule_apply").click()
    app.run()
    assert "the rule has just been changed" in shown(app)
    assert not applied_rules(reviews_of(root))
    button(app, "rule_apply").click().run()
    assert [one.rule.pattern for one in applied_rules(reviews_of(root))] == ["bad"]


@pytest.mark.parametrize(
    "rule",
    [
        {"by": "regex", "pattern": r"go+d\b", "action": "remove"},
        {"by": "sql", "pattern": "label <> predicted", "action": "keep"},
        {"by": "words", "pattern": "good", "action": "mask"},
    ],
)
def test_rules_of_every_kind(open_as, root, rule):
    found = preview(reviews_of(root), ANN, Rule(**rule))
    app = spell(open_as, **rule)
    assert f"{len(found.example_ids)} examples would change" in shown(app)
    button(app, "rule_apply").click().run()
    assert set(standing(root)) == set(found.example_ids)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"by": "regex", "pattern": "(", "action": "remove"}, "does not compile"),
        ({"by": "sql", "pattern": "nope = 1", "action": "remove"}, "does not compile"),
        ({"by": "sql", "pattern": "1=1) or (read_csv('x')", "action": "remove"}, "is not one SQL expression"),
        ({"by": "words", "pattern": "nowhere to be found", "action": "remove"}, "matches nothing"),
        ({"by": "sql", "pattern": "true", "action": "remove"}, "matches everything"),
        ({"by": "words", "pattern": "good", "label": IMAGE, "only": IMAGE}, "changes nothing"),
        ({"by": "regex", "pattern": "good", "action": "mask"}, "cannot mask"),
    ],
)
def test_bad_rules_are_one_line_and_change_nothing(open_as, root, rule, complaint):
    app = spell(open_as, **rule)
    assert not app.exception
    assert complaint in app.error[0].value
    assert not [one for one in app.button if one.key == "rule_apply"]
    assert not standing(root)


def test_a_rule_needs_a_name(open_as):
    app = open_as("", "fix_list", workspace="tiny", part="rules", pattern="good", action="remove")
    assert "who are you?" in shown(app)
    assert not [one for one in app.button if one.key == "rule_apply"]


# Agreement and the log


def test_agreement_is_the_engine_s(open_as, root):
    reviews = reviews_of(root)
    for number, id in enumerate(IDS):
        reviews.decide(ANN, id, "keep" if number % 2 else "remove")
        reviews.decide(BOB, id, "keep" if number > 2 else "remove")
    app = open_as("", "fix_list", workspace="tiny", part="agreement")
    assert not app.exception
    assert "60%" in shown(app)
    pairs = app.dataframe[1].value
    assert pairs.to_dict("records") == [
        {"first": "Ann", "second": "Bob", "examples": 5, "agree": "60%", "kappa (95 %)": "too few"}
    ]
    assert "needs 20 examples with two opinions; 5 so far" in shown(app)
    assert app.dataframe[0].value["decisions"].tolist() == [5, 5]
    assert f"{IDS[1]}: Ann keep; Bob remove" in shown(app)
    for number, id in enumerate(list(reviews.corpus.examples)[20:45]):
        reviews.decide(ANN, id, "keep" if number % 2 else "remove")
        reviews.decide(BOB, id, "keep" if number % 2 or number > 20 else "remove")
    app = open_as("", "fix_list", workspace="tiny", part="agreement")
    found = agreement(reviews)
    assert f"{found.kappa:.2f} ({found.interval[0]:.2f} to {found.interval[1]:.2f})" in shown(app)


def test_decisions_are_counted_by_day_and_person(open_as, decided):
    app = open_as("", "fix_list", workspace="tiny", part="progress")
    assert not app.exception
    [row] = app.dataframe[0].value.to_dict("records")
    today = datetime.now(UTC).date().isoformat()
    assert row == {"reviewer": "Ann", "today": 4, "last 7 days": 4, "in all": 4, "days": 1, "last": today}
    decided.undo(ANN)
    assert open_as("", "fix_list", workspace="tiny", part="progress").dataframe[0].value["today"].tolist() == [3]
    labels = [link.proto.label for link in open_as("Ann", "home").main.get("page_link")]
    assert "Today: 3 decisions (Ann 3)" in labels


def test_the_log_is_taken_away_whole(decided):
    decided.undo(ANN)
    lines = downloads.log(decided, ".jsonl").decode().splitlines()
    assert len(lines) == 5
    assert all(parse(line) is not None for line in lines)
    rows = list(csv.DictReader(io.StringIO(downloads.log(decided, ".csv").decode(), newline="")))
    assert [row["kind"] for row in rows] == ["remove", "relabel", "keep", "mask", "undo"]
    assert rows[1]["note"].startswith("'=1+1")  # no spreadsheet runs it
    assert rows[0]["new_label"] == ""


def test_the_log_has_every_event_the_latest_first(open_as, decided):
    decided.undo(ANN)
    app = open_as("", "fix_list", workspace="tiny", part="log")
    assert not app.exception
    frame = app.dataframe[0].value
    assert frame["event"].tolist() == ["undo", "mask", "keep", "relabel", "remove"]
    assert frame["undone"].tolist() == [False, True, False, False, False]
    assert "every record follows from the one before" in shown(app)


@pytest.mark.parametrize("part", ["changes", "rules", "agreement", "log"])
def test_hostile_texts_are_texts(open_as, decided, part):
    app = open_as("Ann", "fix_list", workspace="tiny", part=part, pattern="film", action="remove")
    assert not app.exception
    for element in app.get("html"):
        assert "<script>" not in element.proto.body
        assert "<img" not in element.proto.body
    for kind in ("markdown", "error", "warning", "info", "caption"):
        assert not any("<script>" in element.value for element in app.get(kind))


@pytest.mark.parametrize(
    ("name", "value"),
    [("part", "x"), ("policy", "x"), ("by", "x"), ("action", "x"), ("label", "x"), ("only", "x"), ("page", "-1")],
)
def test_bad_values_are_named_and_left_out(open_as, decided, name, value):
    app = open_as("Ann", "fix_list", workspace="tiny", **{name: value})
    assert not app.exception
    assert name in app.warning[0].value


def test_reviews_open_in_another_process_are_said(open_as, root, workspaces):
    open_log(root / "tiny").close()
    code = "import sys, time; from influence.review.log import open_log; from pathlib import Path; "
    code += "open_log(Path(sys.argv[1])); print('open', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(root / "tiny")], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "open\n"
        app = open_as("Ann", "fix_list", workspace="tiny")
        assert not app.exception
        assert "open elsewhere" in shown(app)
        assert str(holder.pid) in shown(app)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert influence.open_workspace(root / "tiny").name == "tiny"


# Bringing back, and trying out


def test_decisions_are_brought_back_once_and_can_be_taken_back(open_as, decided, root, workspaces, tmp_path, monkeypatch):
    content = downloads.fixes(decided, "majority", ".csv")
    with own_workspace(workspaces, tmp_path / "other") as other:
        app = opener(other, monkeypatch)("Bob", "fix_list", part="bring_back")
        app.file_uploader(key="bring_back_file").upload("fixes.csv", content, "text/csv").run()
        assert "4 by Ann" in shown(app)
        assert not reviews_of(other).decisions()  # nothing is written yet
        button(app, "bring_back_take").click().run()
        assert "Taken in: 4 decisions from fixes.csv." in shown(app)
        found = fix_list(reviews_of(other)).fixes
        assert [(f.example_id, f.reviewer, f.decided_at) for f in found] == [
            (f.example_id, "Ann", f.decided_at) for f in fix_list(decided).fixes
        ]
        assert button(app, "bring_back_take").disabled  # twice is nothing new
        button(app, "bring_back_undo").click().run()
        assert not app.exception
        assert reviews_of(other).decisions() == []
        open_log(other / "tiny").close()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("fixes.csv", b"id,text\n1,x\n", "is not a fix list: it lacks the columns"),
        ("fixes.jsonl", b"\x00\x01", "fixes.jsonl"),
    ],
)
def test_what_is_no_fix_list_is_one_line_without_a_path(open_as, root, name, content, said):
    app = open_as("Ann", "fix_list", part="bring_back")
    app.file_uploader(key="bring_back_file").upload(name, content, "text/csv").run()
    [error] = app.error
    assert said in error.value.replace("\\", "")
    assert "/tmp" not in error.value.replace("\\", "")
    assert not reviews_of(root).decisions()


def test_the_list_is_tried_on_a_file_and_nothing_is_written(open_as, decided, root):
    before = sorted(path for path in root.rglob("*") if path.is_file())
    corpus = decided.corpus
    lines = [json.dumps({"id": e.id, "text": e.text, "label": e.label}) for e in corpus.examples.values()]
    app = open_as("Ann", "fix_list")
    app.file_uploader(key="dry_run_file").upload("mine.jsonl", "\n".join(lines).encode(), "application/jsonl").run()
    assert "It fits: 3 of 60 rows would change, 1 of them would be removed." in shown(app)
    app.file_uploader(key="dry_run_file").upload("mine.jsonl", "\n".join(lines[:-58]).encode(), "application/jsonl").run()
    [error] = app.error
    said = error.value.replace("\\", "")
    assert said.startswith(
        "'The fix list' does not fit 'mine.jsonl', which has no example with the id of 3 of 4 fixes: 'train-2'"
    )
    assert "--" not in said
    assert sorted(path for path in root.rglob("*") if path.is_file()) == before
