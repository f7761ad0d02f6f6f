"""What annotators answered to our tasks comes back as their decisions: who, when, what; and nothing of it is lost unsaid.

`files/` are answers of two people to tasks about the eight examples of `reviewing.ROWS`. Those of Label Studio were exported by a
running Label Studio 1.23.2 that had imported our tasks and configuration (JSON, JSON-MIN, CSV), those of Argilla written by the
exporter of its SDK 2.8.0 (`JsonIO.to_json`, `HFDatasetsIO.to_datasets` and `save_to_disk`). Prodigy is sold; its lines follow its
documentation ("Annotation interfaces", choice; "db-out"). In them

    e0  World      both: Sport                          e4  Sport      nobody
    e1  World      one: World, the other: Sport         e5  Business   one: Sport, and two minutes later Business
    e2  Business   the second: remove                   e6  World      the text was edited in the tool
    e3  Sport      skipped, ignored or discarded        e7  Business   "Art", a label that was added in the tool
"""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchanging import fresh, pair, planted, single
from reviewing import ROWS, make_workspace, reviews_at

from influence import open_workspace
from influence.cli import main
from influence.errors import DataError
from influence.exchange import argilla, label_studio, prodigy
from influence.exchange.answers import EDITED, SEVERAL, plan_answers, read_answers
from influence.exchange.packing import task_files
from influence.exchange.tasks import Task, make_tasks, waiting
from influence.fixes.fixlist import fix_list
from influence.fixes.imports import CHANGED, GONE, take_in
from influence.review.events import Reviewer
from influence.review.log import close_log
from influence.review.reviews import read_reviews

FILES = Path(__file__).parent / "files"
EVE = Reviewer(name="eve")
REMOVE = "remove (no label fits)"
UUID = "00000000-0000-0000-0000-00000000000"
UNKNOWN = "unknown label 'Art'; the labels are 'Business', 'Sport', 'World'"
ANSWERS = [  # who (0 or 1), example, decision, new label
    (0, "e0", "relabel", "Sport"),
    (1, "e0", "relabel", "Sport"),
    (0, "e1", "keep", None),
    (1, "e1", "relabel", "Sport"),
    (1, "e2", "remove", None),
    (0, "e5", "keep", None),
]
# When, in the same order.
SECONDS = ("23.128", "23.761", "24.341", "25.045", "25.858", "28.116")
LABEL_STUDIO = ("Label Studio", ("annotator 1", "annotator 2"), [f"2026-11-30T01:54:{second}Z" for second in SECONDS])
ARGILLA = ("Argilla", (f"{UUID}1", f"{UUID}2"), [""] * 6)  # which does not say
PRODIGY = ("Prodigy", ("suspects-ann", "suspects-bob"), [f"2026-11-20T10:0{minute}:00.000Z" for minute in (1, 2, 3, 4, 5, 9)])
REASONS = {
    "e0": "labelled World, 3 of 3 opinions say Sport",
    "e1": "labelled World, 3 of 3 opinions say Sport",
    "e2": "labelled Business, 3 of 3 opinions say World",
    "e5": "labelled Business, 3 of 3 opinions say World",
}
SCORES = {"e0": 0.9, "e1": 0.85, "e2": 0.8, "e5": 0.65}
# The file, the tool with its names of the two and its times, how many tasks without an answer it has, whether one answered twice.
WRITTEN = [
    ("label-studio.json", *LABEL_STUDIO, 2, True),
    ("label-studio-min.json", *LABEL_STUDIO, 1, True),
    ("label-studio.csv", *LABEL_STUDIO, 1, True),
    ("argilla.json", *ARGILLA, 2, False),
    ("argilla-datasets", *ARGILLA, 2, False),
    ("prodigy.jsonl", *PRODIGY, 1, True),
]

SPOILED: dict[str, list[tuple[str | int, ...]]] = {  # values of the first task
    "label-studio.json": [
        *(("data", name) for name in ("example_id", "text_sha256", "given_label", "text", "suspicion", "reason")),
        *(("annotations", 0, name) for name in ("completed_by", "result", "updated_at", "was_cancelled")),
        ("annotations", 0, "result", 0, "type"),
        ("annotations", 0, "result", 1, "value"),
    ],
    "argilla.json": [
        *(("metadata", name) for name in ("example_id", "suspicion")),
        *(("responses", "label", 0, name) for name in ("value", "user_id")),
        ("suggestions", "label", "score"),
    ],
    "prodigy.jsonl": [(name,) for name in ("accept", "options", "second_at", "_timestamp", "_annotator_id", "text")],
}


@pytest.mark.parametrize(("file", "tool", "names", "times", "unanswered", "twice"), WRITTEN, ids=[one[0] for one in WRITTEN])
def test_answers_as_the_tools_write_them_become_decisions(
    tmp_path: Path, file: str, tool: str, names: tuple[str, str], times: list[str], unanswered: int, twice: bool
) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws"))
    found = plan_answers(reviews, read_answers(FILES / file), EVE)
    assert found.counts == dict.fromkeys(names, 3)
    assert found.rows == 8 + twice
    assert [(m.fix.example_id, m.why) for m in found.misfits] == [("e6", EDITED), ("e7", UNKNOWN)]
    assert found.notes == [
        f"tasks without an answer (skipped, cancelled or not reached): {unanswered}",
        *["earlier answers of the same person on the same example, of which the latest counts: 1"][:twice],
        f"1 left out: {EDITED}",
        f"1 left out: {UNKNOWN}",
    ]
    actions = take_in(reviews, found, EVE, file)
    assert {action.reviewer: action.origin for action in actions} == {
        name: {"import": 3, "by": "eve", "file": file} for name in names
    }
    decisions = {(d.reviewer, d.example_id): d for d in reviews.decisions()}
    assert len(decisions) == len(ANSWERS)
    for (who, id, kind, label), at in zip(ANSWERS, times, strict=True):
        decision = decisions[names[who], id]
        assert (decision.kind, decision.new_label, decision.method, decision.score) == (kind, label, "suspicion", SCORES[id])
        assert decision.evidence == {
            "tool": tool,
            "reason": REASONS[id],
            "suggested_label": "World" if id in ("e2", "e5") else "Sport",
            "reviewer": names[who],
            "decided_at": at,
        }
    listed = {fix.example_id: (fix.action, fix.new_label, fix.reason) for fix in fix_list(reviews).fixes}
    assert listed == {  # of e1 they disagree
        "e0": ("relabel", "Sport", REASONS["e0"]),
        "e2": ("remove", None, REASONS["e2"]),
        "e5": ("keep", None, REASONS["e5"]),
    }
    again = plan_answers(reviews, read_answers(FILES / file), EVE)
    assert (again.total, again.same) == (0, len(ANSWERS))
    reviews.close()


def answered(task: Task, answers: dict[str, Any], labels: list[str]) -> dict[str, Any]:
    """A line of Prodigy's about a task that one person has answered."""
    return {**prodigy.task(task, labels), "_input_hash": 1, "_task_hash": 2, "answer": "accept", **answers}


def write_lines(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_what_does_not_fit_is_named_and_left_out(tmp_path: Path) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws"))
    lines = [json.loads(line) for line in (FILES / "prodigy.jsonl").read_text(encoding="utf-8").splitlines()]
    first, elsewhere = lines[0], lines[1]
    gone = {**first, "example_id": "none"}
    other = {**elsewhere, "example_id": "e3", "_input_hash": 5}
    several = {**lines[4], "accept": ["Sport", "World"], "_input_hash": 6}
    nobody = {key: value for key, value in lines[2].items() if key not in ("_annotator_id", "_session_id")}
    bare = {key: value for key, value in first.items() if key not in ("example_id", "text_sha256")} | {"_input_hash": 7}
    reviews.decide(Reviewer(name="suspects-ann"), "e0", "keep")
    found = plan_answers(reviews, read_answers(write_lines(tmp_path / "a.jsonl", first, gone, other, several, nobody, bare)), EVE)
    assert found.counts == {"eve": 1}
    assert [(c.fix.example_id, c.reviewer, c.here, c.fix.action) for c in found.clashes] == [
        ("e0", "suspects-ann", "keep", "relabel")
    ]
    assert {(m.fix.example_id, m.why) for m in found.misfits} == {("none", GONE), ("e3", CHANGED), ("e2", SEVERAL)}
    assert found.remarks == ["tasks that are none of ours (they carry no example_id and text_sha256): 1"]
    assert found.rows == 5
    reviews.close()


def test_two_examples_of_one_text_keep_their_own_answers(tmp_path: Path, single: Task) -> None:
    """Prodigy gives the two one `_input_hash`."""
    rows = [("a", "the same text", "neg"), ("b", "the same text", "pos")]
    reviews = reviews_at(make_workspace(tmp_path / "ws", rows, labels=["neg", "pos"]))
    sha256 = reviews.corpus["a"].text_sha256
    tasks = [replace(single, example_id=id, text=text, text_sha256=sha256, label=label, words=()) for id, text, label in rows]
    lines = [
        answered(task, {"_annotator_id": "ann", "accept": ["neg"], "_timestamp": 1_795_168_800}, ["neg", "pos"]) for task in tasks
    ]
    take_in(reviews, plan_answers(reviews, read_answers(write_lines(tmp_path / "a.jsonl", *lines)), EVE), EVE, "a.jsonl")
    assert {d.example_id: (d.kind, d.new_label) for d in reviews.decisions()} == {"a": ("keep", None), "b": ("relabel", "neg")}
    reviews.close()


@pytest.mark.parametrize("edited", [False, True])
def test_pairs_come_back_from_every_tool(tmp_path: Path, pair: Task, edited: bool) -> None:
    rows = [("p1", pair.text, str(pair.text_pair), "yes"), ("p2", "A", "B", "no")]
    reviews = reviews_at(make_workspace(tmp_path / "ws", rows, labels=["no", "yes"]))
    task = replace(pair, text_sha256=reviews.corpus["p1"].text_sha256)
    seen = replace(task, text="A man walks") if edited else task
    shown = argilla.record(seen)
    shown["responses"] = {"label": [{"value": REMOVE, "user_id": "u1"}]}
    result = [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [REMOVE]}}]
    annotation = {"completed_by": 4, "result": result, "created_at": "2026-11-20T10:00:00Z"}
    line = answered(task, {"_annotator_id": "ann", "accept": [REMOVE]}, ["no", "yes"])
    if edited:
        line["text"] = line["text"].replace("runs |", "walks |")
    files = {
        "ls.json": [{"id": 1, **label_studio.task(seen), "annotations": [annotation]}],
        "rg.json": [shown],
        "pr.jsonl": line,
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
        found = plan_answers(reviews, read_answers(tmp_path / name), EVE)
        fixes = [fix.edit.outcome for new in found.new.values() for fix, _ in new]
        assert (fixes, [m.why for m in found.misfits]) == (([], [EDITED]) if edited else ([("remove", None, ())], [])), name
    reviews.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"data": {"text": "a"}, "annotations": [{"result": []}]}], "is of Label Studio, but lacks example_id and text_sha256"),
        ([{"text": "a", "options": [], "example_id": "e0", "text_sha256": "0"}], "holds tasks without answers"),
        ([{"text": "a"}], "is not a fix list: it lacks the columns example_id"),
    ],
)  # fmt: skip
def test_other_files_are_refused_in_a_line(tmp_path: Path, content: Any, said: str) -> None:
    (tmp_path / "file.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_answers(tmp_path / "file.json")


def test_tasks_that_nobody_has_judged_are_no_decisions(tmp_path: Path, single: Task) -> None:
    for name, content in (("ls.json", [label_studio.task(single)]), ("rg.json", [argilla.record(single)])):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
        found = read_answers(tmp_path / name)
        assert (found.answers, found.remarks) == ([], ["tasks without an answer (skipped, cancelled or not reached): 1"])


@pytest.mark.parametrize("spoiled", [10**400, {"a": 1}, "1e999"])
def test_spoiled_values_end_in_a_line_and_spoil_nothing_else(tmp_path: Path, spoiled: Any) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws"))
    for name, paths in SPOILED.items():
        text = (FILES / name).read_text(encoding="utf-8")
        for path in paths:
            content = [json.loads(line) for line in text.splitlines()] if name.endswith("l") else json.loads(text)
            place = content[0]
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = spoiled
            lines = content if name.endswith("l") else [content]
            (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
            found = plan_answers(reviews, read_answers(tmp_path / name), EVE)
            assert 4 <= found.total <= 6, (name, path)  # the other tasks' answers, and those of e0 where that still holds
            assert all("\n" not in note for note in found.notes)
    reviews.close()


def annotate(files: dict[str, bytes], answers: dict[str, str]) -> list[dict[str, Any]]:
    """Label Studio's export of these tasks, of the same form as `files/label-studio.json`, answered by one person."""
    pattern = json.loads((FILES / "label-studio.json").read_text(encoding="utf-8"))[0]
    made = []
    for number, task in enumerate(json.loads(files["tasks.json"])):
        one, annotation = copy.deepcopy(pattern), copy.deepcopy(pattern["annotations"][0])
        chosen = answers.get(task["data"]["example_id"])
        choice = {"id": "c", "from_name": "label", "to_name": "text", "type": "choices", "origin": "manual"}
        marks = [{**mark, "origin": "prediction"} for mark in task["predictions"][0]["result"][1:]]
        annotation["result"] = [*marks, *([] if chosen is None else [{**choice, "value": {"choices": [chosen]}}])]
        annotation["completed_by"] = {
            "id": 3,
            "email": "ann@example.org",
            "first_name": "",
            "last_name": "",
        }
        annotation |= {"was_cancelled": chosen is None, "updated_at": f"2026-11-21T09:00:{number:02}.000000Z"}
        one |= {"id": 500 + number, "data": task["data"], "annotations": [annotation], "predictions": [number]}
        made.append(one)
    return made


def test_out_and_judged_and_back_and_into_the_data(
    fresh: Callable[[], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fresh()
    opened = open_workspace(path)
    tasks = make_tasks(opened, waiting(opened, None, top=4))
    keep, turn, drop, skip = tasks
    answers = {keep.example_id: keep.label, turn.example_id: turn.suggested_label, drop.example_id: REMOVE}
    export = tmp_path / "project-1.json"
    export.write_text(json.dumps(annotate(task_files(opened, "label-studio", tasks), answers)), encoding="utf-8")
    command = ["import", "--workspace", str(path), "--fixes", str(export)]
    said = f"{path}: 3 decisions from 3 rows %s: 3 by ann@example.org\n"
    note = "note: tasks without an answer (skipped, cancelled or not reached): 1\n"
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr() == (said % "would be taken in", note)
    assert main(command) == 0
    assert capsys.readouterr() == (said % "taken in", note)
    reviews = read_reviews(opened)
    decided = {d.example_id: (d.kind, d.new_label, d.reviewer, d.evidence["decided_at"], d.score) for d in reviews.decisions()}
    assert decided == {
        keep.example_id: ("keep", None, "ann@example.org", "2026-11-21T09:00:00.000Z", keep.suspicion),
        turn.example_id: ("relabel", turn.suggested_label, "ann@example.org", "2026-11-21T09:00:01.000Z", turn.suspicion),
        drop.example_id: ("remove", None, "ann@example.org", "2026-11-21T09:00:02.000Z", drop.suspicion),
    }
    assert waiting(opened, reviews, top=1) == [skip.example_id]
    reviews.close()
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("taken in: nothing new\n")
    train, fixes, mended = opened.info.train_source, tmp_path / "fixes.csv", tmp_path / "mended.csv"
    assert main(["export", "--workspace", str(path), "--output", str(fixes)]) == 0
    assert main(["apply", "--fixes", str(fixes), "--train", train, "--output", str(mended)]) == 0
    before = Path(train).read_text(encoding="utf-8").splitlines()
    after = mended.read_text(encoding="utf-8").splitlines()
    turned = [
        line.rpartition(",")[0] + f",{turn.suggested_label}" if line.startswith(f"{turn.example_id},") else line
        for line in before
    ]
    assert after == [line for line in turned if not line.startswith(f"{drop.example_id},")]
    close_log(path)
    opened.close()


def test_the_examples_are_those_of_the_files() -> None:
    """So that the files stay true to what they are said to be."""
    exported = json.loads((FILES / "label-studio.json").read_text(encoding="utf-8"))
    told = [(one["data"]["example_id"], one["data"]["text"].removesuffix(" !"), one["data"]["given_label"]) for one in exported]
    assert told == [tuple(row) for row in ROWS]
