"""Workspaces that came from somebody else: whatever they hold, nothing outside is touched and the others are shown."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from conftest import shown

import influence
from influence.errors import WorkspaceBusy
from influence.workspace.builds import build_lock
from influence.workspace.manage import back_up, delete_workspace
from pages.ui.frame import state
from pages.ui.frame.shell import PAGES
from pages.ui.jobs import background, processes

GOOD = "zzz good"
REFUSED = "cannot be opened"


def tree(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, as it is."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What a workspace must not reach: a file, a folder, and a workspace's half."""
    folder = tmp_path / "outside"
    (folder / "precious" / "builds").mkdir(parents=True)
    (folder / "precious" / "builds" / "thesis.txt").write_text("years of work")
    (folder / "notes.txt").write_text("root:x:0:0")
    return folder


@pytest.fixture
def root(workspaces: Path, tmp_path: Path) -> Path:
    shutil.copytree(workspaces / "tiny", tmp_path / "root" / GOOD)
    return tmp_path / "root"


def plant_jobs(queue: Path, outside: Path) -> None:
    """Jobs as an earlier version queued them: one that waits and would overwrite, two that would delete."""
    waiting = {"command": "backup", "options": ["--workspace", str(queue), "--output", str(outside / "notes.txt")]}
    waiting |= {"title": "Backup", "key": "backup", "made_at": 1.0, "makes": None, "about": {}}
    deleting = waiting | {"command": "build", "key": "x", "options": ["--nonsense"], "makes": str(outside / "precious")}
    ended = deleting | {"key": "y", "about": {"name": "precious", "address": {}}}
    for number, job in enumerate((waiting, deleting, ended)):
        folder = queue / "jobs" / f"{number}"
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(job))
    (queue / "jobs" / "2" / "code").write_text("2")
    gone = {"pid": 2**22 - 1, "born": 1.0, "at": 1.0}
    (queue / "jobs" / "2" / "process.json").write_text(json.dumps(gone))


def test_planted_jobs_are_never_run_whatever_page_is_opened(open_page, root, outside):
    for queue in (root / GOOD, root / ".wordtrace" / "runs", root / ".wordtrace" / "checks"):
        plant_jobs(queue, outside)
    before = (tree(outside), tree(root / ".wordtrace"), tree(root / GOOD / "jobs"))
    for page in PAGES:
        for parameters in ({}, {"part": "runs"}, {"part": "workspaces"}) if page == "data_and_runs" else ({"workspace": GOOD},):
            app = open_page(page, root=root, **parameters)
            assert not app.exception, page
            assert not [button for button in app.button if (button.key or "").startswith(("job_", "run_"))]
    opened = influence.open_workspace(root / GOOD)
    assert background.jobs(opened) == []
    started = time.monotonic()
    background.enqueue(opened, "compare", "--with", str(root / "nobody"), title="ours", key="ours")
    while not any(job.failed for job in background.jobs(opened)):  # the queue has been worked off, and ours was all it held
        assert time.monotonic() - started < 120
        time.sleep(0.05)
    assert (tree(outside), tree(root / ".wordtrace"), tree(root / GOOD / "jobs")) == before
    assert not list(root.rglob(processes.ENDED))
    for job in background.jobs(opened):
        job.discard()


def test_the_server_s_own_folder_is_private_and_not_among_workspaces(root, tmp_path, monkeypatch):
    monkeypatch.setenv(state.VARIABLE, str(tmp_path / "own"))
    opened = influence.open_workspace(root / GOOD)
    path = opened.path.resolve()
    place = state.made_for(path, among=path.parent)
    assert [folder.stat().st_mode & 0o777 for folder in (place, place.parent)] == [0o700, 0o700]
    (tmp_path / "own").chmod(0o777)
    for refused in ("others can write to it", "lies among the workspaces"):
        with pytest.raises(influence.WorkspaceError, match=refused):
            background.enqueue(opened, "backup", title="x", key="x")
        assert background.jobs(opened) == []
        monkeypatch.setenv(state.VARIABLE, str(root / "state"))
    assert not (root / "state").exists()


def test_a_build_that_failed_takes_nothing_that_somebody_is_building(root, tmp_path):
    queue = state.made_for(root, among=root) / "runs"
    half = root / "half"
    (half / "builds" / "1").mkdir(parents=True)
    folder = queue / "jobs" / "1"
    folder.mkdir(parents=True)
    job = {"command": "build", "options": [], "title": "half", "key": "k", "made_at": 1.0, "makes": str(half), "about": {}}
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "code").write_text("2")
    with build_lock(half):
        background._remove_half(folder)
        assert half.is_dir()
    background._remove_half(folder)
    assert not half.exists()
    shutil.rmtree(folder)


# Every way to be broken -------------------------------------------------------------------------------------------------


def _pointer(change: Callable[[dict], object]) -> Callable[[Path, Path], None]:
    def broken(path: Path, outside: Path) -> None:
        pointer = json.loads((path / "workspace.json").read_text())
        change(pointer)
        (path / "workspace.json").write_text(json.dumps(pointer))

    return broken


def _text(text: str) -> Callable[[Path, Path], None]:
    return lambda path, outside: (path / "workspace.json").write_text(text) and None


def _results(path: Path) -> Path:
    return path / "builds" / json.loads((path / "workspace.json").read_text())["build"] / "results.duckdb"


def _sql(*statements: str) -> Callable[[Path, Path], None]:
    def changed(path: Path, outside: Path) -> None:
        file = _results(path)
        with duckdb.connect(str(file)) as connection:
            for statement in statements:
                connection.execute(statement.replace("OUTSIDE", str(outside / "notes.txt")))
        pointer = json.loads((path / "workspace.json").read_text())
        pointer["info"]["files"]["results.duckdb"] = file.stat().st_size
        (path / "workspace.json").write_text(json.dumps(pointer))

    return changed


def _linked(name: str, target: str = "notes.txt") -> Callable[[Path, Path], None]:
    def linked(path: Path, outside: Path) -> None:
        found = path / name
        if found.is_dir():
            shutil.rmtree(found)
        found.unlink(missing_ok=True)
        found.symlink_to(outside / target)

    return linked


def _loop(path: Path, outside: Path) -> None:
    (path / "workspace.json").unlink()
    (path / "workspace.json").symlink_to("workspace.json")


def _pipe(name: str) -> Callable[[Path, Path], None]:
    def pipe(path: Path, outside: Path) -> None:
        (path / name).unlink(missing_ok=True)
        os.mkfifo(path / name)

    return pipe


def _folder(path: Path, outside: Path) -> None:
    (path / "workspace.json").unlink()
    (path / "workspace.json").mkdir()


BROKEN: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "not JSON": (_text("{"), REFUSED),
    "a number": (_text("7"), REFUSED),
    "nested": (_text("[" * 200_000), REFUSED),
    "a folder for a file": (_folder, REFUSED),
    "newer": (_pointer(lambda p: p.update(schema_version=99)), "newer"),
    "labels are a number": (_pointer(lambda p: p["info"].update(labels=7)), REFUSED),
    "no checkpoints": (_pointer(lambda p: p["info"].update(checkpoints=[])), REFUSED),
    "a checkpoint is text": (_pointer(lambda p: p["info"].update(checkpoints=["x"])), REFUSED),
    "accuracy is text": (_pointer(lambda p: p["info"]["checkpoints"][-1].update(test_accuracy="1")), REFUSED),
    "info is missing": (_pointer(lambda p: p.pop("info")), REFUSED),
    "build above": (_pointer(lambda p: p.update(build="..")), REFUSED),
    "build elsewhere": (_pointer(lambda p: p.update(build="/etc")), REFUSED),
    "files outside": (_pointer(lambda p: p["info"]["files"].update({"../../../outside/notes.txt": 10})), REFUSED),
    "no results": (lambda path, outside: _results(path).unlink(), REFUSED),
    "results of noise": (lambda path, _: _results(path).write_bytes(b"n" * _results(path).stat().st_size) and None, REFUSED),
    "a loop": (_loop, REFUSED),
    "a pipe for its file": (_pipe("workspace.json"), REFUSED),
    "a pipe for its log": (_pipe("reviews.jsonl"), REFUSED),
    "a link for its log": (_linked("reviews.jsonl"), REFUSED),
    "a link for its lock": (_linked("reviews.lock"), REFUSED),
    "a link for its builds": (_linked("builds", "precious/builds"), REFUSED),
    "a link for its build lock": (_linked("build.lock"), REFUSED),
    "a macro": (_sql("create macro max(x) as 7"), REFUSED),
    "a view for a table": (
        _sql(
            "drop view word_contributions",
            "drop table self_influence",
            "create view self_influence as select * from read_text('OUTSIDE')",
        ),
        REFUSED,
    ),
    "a view for the checkpoints": (
        _sql("drop view word_contributions", "alter table checkpoints rename to c", "create view checkpoints as select * from c"),
        REFUSED,
    ),
    "many rows": (_sql("insert into words (word) select 1 from range(30000000)"), REFUSED),
}  # fmt: skip


@pytest.fixture
def broken_root(root: Path, outside: Path, workspaces: Path) -> Path:
    """The good workspace, and before it in the alphabet one for each way to be broken."""
    for name, (breaking, _) in BROKEN.items():
        shutil.copytree(workspaces / "tiny", root / name)
        breaking(root / name, outside)
    (root / os.fsdecode(b"\xff")).mkdir()  # a name that no page could show
    (root / "circle").symlink_to("circle")
    return root


def test_broken_workspaces_are_shown_as_such_and_break_no_page_for_the_others(open_page, broken_root, outside):
    before = tree(outside)
    for page in PAGES:
        app = open_page(page, root=broken_root)
        assert not app.exception, page
        assert page == "data_and_runs" or REFUSED not in shown(app), page  # the first that opens is shown
    for name, (_, refusal) in BROKEN.items():
        app = open_page("home", root=broken_root, workspace=name)
        assert not app.exception, name
        assert refusal in shown(app), name
    app = open_page("data_and_runs", root=broken_root, part="workspaces")
    assert not app.exception
    assert shown(app).count(REFUSED) >= len(BROKEN)
    for name in BROKEN:
        assert [button for button in app.button if button.key == f"ws_delete_{name}"], name
        delete_workspace(broken_root, name)
        assert not (broken_root / name).exists(), name
    assert influence.list_workspaces(broken_root) == [GOOD]
    assert not list(broken_root.glob(".deleted-*"))
    assert tree(outside) == before


def test_what_is_in_a_workspace_is_backed_up_without_what_its_links_lead_to(root, outside):
    (root / GOOD / "data").mkdir(exist_ok=True)
    (root / GOOD / "data" / "notes.txt").symlink_to(outside / "notes.txt")
    with pytest.raises(influence.WorkspaceError, match="leads out of it"):
        back_up(root / GOOD, root / "backup.zip")
    assert not (root / "backup.zip").exists()


def test_a_link_to_a_workspace_is_deleted_and_not_the_workspace(root, workspaces, tmp_path):
    shutil.copytree(workspaces / "tiny", tmp_path / "elsewhere")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    before = tree(tmp_path / "elsewhere")
    with build_lock(tmp_path / "elsewhere"), pytest.raises(WorkspaceBusy):
        delete_workspace(root, "linked")
    delete_workspace(root, "linked")
    assert not os.path.lexists(root / "linked")
    assert tree(tmp_path / "elsewhere") == before
