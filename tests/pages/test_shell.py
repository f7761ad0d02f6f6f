"""The frame of every page: which workspace, and what is said when there is none to show."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import parameters_of, shown
from contents import edit_pointer

from pages.ui.frame import shell

PAGES = tuple(page for page in shell.PAGES if page not in ("data_and_runs", "help"))  # which need no workspace


@pytest.mark.parametrize("page", PAGES)
def test_without_any_workspace_the_page_leads_to_one(open_page, tmp_path, page):
    app = open_page(page, root=tmp_path)
    assert not app.exception
    assert "No workspace yet" in shown(app)
    assert [link.proto.label for link in app.main.get("page_link")] == ["Bring your own data"]
    assert str(tmp_path) not in shown(app)


def test_help_alone_names_folders_and_commands(open_page, tmp_path):
    for root, said in ((tmp_path, "{}."), (tmp_path / "nowhere", "{}, which is not there")):
        app = open_page("help", root=root)
        assert not app.exception
        assert f"python -m influence demo --workspace {root}/demo" in shown(app)
        assert f"looks for workspaces in {said.format(root)}" in shown(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_root_that_is_not_there(open_page, tmp_path, page):
    app = open_page(page, root=tmp_path / "nowhere")
    assert not app.exception
    assert "There is no workspace folder" in shown(app)
    assert str(tmp_path) not in shown(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_half_built_workspace_is_named_with_the_way_out(open_page, tmp_path, page):
    (tmp_path / "mine" / "builds" / "20260101T000000000000Z").mkdir(parents=True)
    for parameters in ({}, {"workspace": "mine"}):
        app = open_page(page, root=tmp_path, **parameters)
        assert not app.exception
        assert "mine is not finished" in shown(app)
        assert [link.proto.label for link in app.main.get("page_link")] == ["See how far it is"]


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_workspace_is_a_message(open_page, workspaces, tmp_path, page):
    shutil.copytree(workspaces / "tiny", tmp_path / "broken")
    results = next((tmp_path / "broken").glob("builds/*/results.duckdb"))
    results.write_bytes(results.read_bytes()[:5000])
    app = open_page(page, root=tmp_path)
    assert not app.exception
    assert "cannot be opened" in shown(app)
    assert "results.duckdb" in shown(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_pointer_is_a_message(open_page, tmp_path, page):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "workspace.json").write_text("{", encoding="utf-8")
    app = open_page(page, root=tmp_path)
    assert not app.exception
    assert "cannot be opened" in shown(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_newer_schema_is_refused_by_name(open_page, workspaces, tmp_path, page):
    shutil.copytree(workspaces / "tiny", tmp_path / "future")
    pointer = tmp_path / "future" / "workspace.json"
    pointer.write_text(json.dumps({**json.loads(pointer.read_text("utf-8")), "schema_version": 999}), encoding="utf-8")
    app = open_page(page, root=tmp_path)
    assert not app.exception
    assert "newer than this Wordtrace" in shown(app)
    assert "999" in shown(app)


@pytest.mark.parametrize("name", ["nope", "../tiny", "/etc", "..", "tiny/../tiny", "<script>alert(1)</script>", "a" * 5000, "\0"])
def test_only_listed_names_are_opened(open_page, name):
    app = open_page("home", workspace=name)
    assert not app.exception
    assert "no such workspace" in shown(app)
    assert app.sidebar.selectbox[0].options == ["tiny"]
    assert "<script>" not in shown(app)


def test_links_keep_the_workspace(open_page):
    app = open_page("home", workspace="tiny")
    links = [link.proto for link in app.sidebar.get("page_link")]
    assert len(links) == sum(not page.under for page in shell.PAGES.values()) + 1  # Help, at the foot
    assert all("workspace=tiny" in link.query_string for link in links)


def test_a_rebuilt_workspace_is_picked_up_without_a_restart(open_page, workspaces, tmp_path):
    shutil.copytree(workspaces / "tiny", tmp_path / "again")
    assert "Built 1 January 2030" not in shown(open_page("home", root=tmp_path))
    edit_pointer(tmp_path / "again", lambda pointer: pointer["info"].update(built_at="2030-01-01T00:00:00+00:00"))
    assert "Built 1 January 2030" in shown(open_page("home", root=tmp_path))


def test_with_several_workspaces_one_is_chosen_by_name(open_page, workspaces, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(workspaces / "tiny", tmp_path / name)
    app = open_page("explore", root=tmp_path, workspace="two", id="test-1")
    choice = app.sidebar.selectbox[0]
    assert (choice.options, choice.value) == (["one", "two"], "two")
    choice.select("one").run()
    assert not app.exception
    assert parameters_of(app) == {"workspace": "one"}


def test_pages_hold_no_engine_and_no_foreign_html():
    root = Path(__file__).parents[2]
    for file in [root / "app.py", *sorted((root / "pages").rglob("*.py"))]:
        source = file.read_text("utf-8")
        for banned in (
            "import torch",
            "import duckdb",
            "unsafe_allow_html",
            "unsafe_allow_javascript",
            "st.navigation",
            "select *",
        ):
            assert banned not in source, f"{file.name} holds {banned}"
        if file.name != "render.py":
            for sink in ("st.html(", "st.markdown(", "st.write("):
                assert sink not in source, f"{file.name} calls {sink}"
    for file in (root / "assets").rglob("*.js"):
        for banned in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert banned not in file.read_text("utf-8"), f"{file.name} holds {banned}"
