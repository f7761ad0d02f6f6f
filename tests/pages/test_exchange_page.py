"""The Fix list's Exchange part: suspects out as tasks for annotation tools."""

import io
import json
import zipfile

import pytest
from conftest import shown
from reviewing_app import ANN, button, opener, own_workspace, reviews_of

from influence.exchange.tasks import make_tasks, waiting
from pages.ui.fix_list import downloads


def test_suspects_that_wait_are_offered_as_tasks(open_as, root):
    reviews = reviews_of(root)
    workspace = reviews.workspace
    ids = waiting(workspace, None, top=1000)
    reviews.decide(ANN, ids[0], "keep")
    app = open_as("Ann", "fix_list", part="bring_back")
    assert not app.exception, app.exception
    assert f"{len(ids) - 1:,} wait for a decision" in shown(app)
    assert app.number_input(key="tasks_count").value == app.number_input(key="tasks_count").max == len(ids) - 1
    assert len(app.get("download_button")) == 1
    app.selectbox(key="tasks_tool").set_value("prodigy").run()
    app.number_input(key="tasks_count").set_value(2).run()
    assert not app.exception, app.exception
    with zipfile.ZipFile(io.BytesIO(downloads.tasks(workspace, "prodigy", ids[1:3]))) as archive:
        assert archive.namelist() == ["tasks.jsonl"]
        lines = [json.loads(line) for line in archive.read("tasks.jsonl").decode().splitlines()]
    expected = make_tasks(workspace, waiting(workspace, reviews, top=2))
    assert [(line["example_id"], line["text"], line["accept"]) for line in lines] == [
        (task.example_id, task.text, [task.suggested_label]) for task in expected
    ]


def test_what_was_judged_elsewhere_comes_back(open_as, root):
    reviews = reviews_of(root)
    ids = waiting(reviews.workspace, None, top=3)
    with zipfile.ZipFile(io.BytesIO(downloads.tasks(reviews.workspace, "prodigy", ids))) as archive:
        tasks = [json.loads(line) for line in archive.read("tasks.jsonl").decode().splitlines()]
    said = {"_input_hash": 1, "_task_hash": 2, "_annotator_id": "s-cy", "_timestamp": 1_795_168_800}
    lines = [{**task, **said, "answer": answer} for task, answer in zip(tasks, ("accept", "accept", "ignore"), strict=True)]
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    app = open_as("Ann", "fix_list", part="bring_back")
    app.file_uploader(key="bring_back_file").upload("judged.jsonl", content, "application/jsonl").run()
    assert not app.exception, app.exception
    assert "2 by s-cy" in shown(app)
    assert "tasks without an answer (skipped, cancelled or not reached): 1" in shown(app)
    assert not reviews_of(root).decisions()
    button(app, "bring_back_take").click().run()
    assert "Taken in: 2 decisions from judged.jsonl." in shown(app)
    assert {d.example_id: (d.reviewer, d.new_label, d.evidence["decided_at"]) for d in reviews_of(root).decisions()} == {
        task["example_id"]: ("s-cy", task["suggested_label"], "2026-11-20T10:00:00.000Z") for task in tasks[:2]
    }


def test_nothing_is_offered_without_suspects(workspaces, tmp_path, monkeypatch: pytest.MonkeyPatch):
    with own_workspace(workspaces, tmp_path) as root:
        app = opener(root, monkeypatch)("Ann", "fix_list", part="bring_back")
        assert not app.exception, app.exception
        assert not app.get("download_button")
        assert len(app.get("file_uploader")) == 1
