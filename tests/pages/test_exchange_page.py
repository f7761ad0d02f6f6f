"""The Fix list's Exchange part: suspects out as tasks for annotation tools."""

import io
import json
import zipfile

import pytest
from conftest import shown
from reviewing_app import ANN, opener, own_workspace, reviews_of

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


def test_nothing_is_offered_without_suspects(workspaces, tmp_path, monkeypatch: pytest.MonkeyPatch):
    with own_workspace(workspaces, tmp_path) as root:
        app = opener(root, monkeypatch)("Ann", "fix_list", part="bring_back")
        assert not app.exception, app.exception
        assert not app.get("download_button")
        assert len(app.get("file_uploader")) == 1
