"""Opinions from files on the Suspects page: given, refused in one line, counted, told of on cards, and forgotten."""

import html

import pytest
from conftest import HOSTILE_ID, components, shown
from reviewing_app import button, opener

from influence.opinion_files.keeping import add_rows, kept_opinions
from influence.suspects.compute import write_suspects
from influence.suspects.ranking import suspect, suspect_ids
from influence.workspace.workspace import opened
from pages.ui.jobs import background

NAME = "<img src=x onerror=alert(1)> *ann*"


@pytest.fixture
def open_as(root, monkeypatch):
    monkeypatch.setattr(background, "_pump", lambda queue: None)  # what is queued stays queued
    return opener(root, monkeypatch)


def given(app, name, content):
    [place] = app.file_uploader
    return place.upload(name, content.encode(), "text/csv").run()


def test_a_file_is_taken_in_counted_shown_and_forgotten(open_as, workspace, root):
    ids = suspect_ids(workspace)
    label = workspace.info.labels[0]
    app = open_as("Ann", "suspects", workspace="tiny")
    app = given(app, "gpt 4.csv", f"example_id,label\n{ids[0]},{label}\nno such id,{label}\n")
    assert not app.exception
    said = html.unescape(shown(app))
    assert "Added: gpt 4.csv. 'gpt 4.csv': 1 of 2 rows are about no training example, the first about 'no such id'" in said
    assert "Not counted yet, but from the next ranking on: gpt 4." in said
    assert [job.command for job in background.jobs(workspace)] == ["suspects"]
    assert [(one.name, one.source, one.examples) for one in kept_opinions(root / "tiny")] == [("gpt 4", "gpt 4.csv", 1)]
    app = given(app, "bad.csv", f"example_id,label\n{ids[0]},no label\n")
    assert "Not added: 'bad.csv': 1 row with a label that training does not have (row 2: 'no label'" in html.unescape(shown(app))
    assert [one.name for one in kept_opinions(root / "tiny")] == ["gpt 4"]
    assert app.selectbox(key="how_forgotten").options == ["gpt 4 (1 example, from gpt 4.csv)"]
    button(app, "how_forget").click().run()
    assert kept_opinions(root / "tiny") == []
    assert "Forgotten: gpt 4." in shown(app)


def test_cards_say_who_thinks_what_and_escape_it(open_as, workspace, root):
    ids = suspect_ids(workspace)
    wrong = next(id for id in ids if id != HOSTILE_ID)
    label = suspect(workspace, wrong).suggested_label
    with opened(root / "tiny") as one:
        add_rows(one, [(NAME, id, label, None) for id in ids[:8]], source="x.jsonl")
    write_suspects(root / "tiny")
    said = f"{NAME}: {label}"
    with opened(root / "tiny") as fresh:
        assert said in suspect(fresh, wrong).reason
    app = open_as("Ann", "suspects", workspace="tiny", show="all")
    assert not app.exception
    rows = {row["id"]: row["reason"] for data in components(app) for row in data.get("rows", ())}
    assert said in rows[wrong]
    table = app.dataframe[0].value
    assert table["opinion"].tolist()[-1] == NAME
    assert table["speaks of"].tolist()[-1] == f"8 of {workspace.info.n_train}"
    bodies = [one.proto.body for one in open_as("Ann", "suspects", workspace="tiny", id=wrong).get("html")]
    assert [html.escape(said) in body for body in bodies].count(True) == 1
    assert not [body for body in bodies if NAME in body], "it is text, wherever it stands"
    app = open_as("Ann", "review", workspace="tiny", id=wrong)
    assert [data["reason"] for data in components(app) if said in data.get("reason", "")]
