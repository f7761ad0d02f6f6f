"""Workspaces as wholes: names, renaming, deleting, backing up, and two of them compared with plain loops."""

import csv
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from contents import build_folder
from tiny import request, write_csv

from influence.cli import main, size_in_words
from influence.data.examples import Columns
from influence.errors import SettingsError, WorkspaceBusy, WorkspaceError
from influence.experiments.comparison import TOP, Comparison, compare
from influence.explanations import explain
from influence.files import file_sizes, write_output
from influence.opinions.settings import OpinionSettings
from influence.review.events import Reviewer
from influence.review.log import close_log
from influence.review.reviews import open_reviews
from influence.suspects.compute import write_suspects
from influence.suspects.ranking import SuspectFilter, suspects
from influence.workspace.build import build_workspace
from influence.workspace.build_request import training_settings
from influence.workspace.builds import build_lock, list_workspaces
from influence.workspace.manage import back_up, check_name, delete_workspace, disk_use, rename_workspace, restore, tidy_up
from influence.workspace.verify import verify_workspace
from influence.workspace.workspace import read_workspace

ANN = Reviewer(name="Ann")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(workspace, tmp_path) -> Path:
    shutil.copytree(workspace, tmp_path / "root" / "one")
    return tmp_path / "root"


def decide(path: Path) -> str:
    opened = read_workspace(path)
    id = opened.train_ids()[0]
    open_reviews(opened).decide(ANN, id, "remove")
    return id


@pytest.mark.parametrize(
    "name", ["", " ", "../x", "a/b", ".hidden", "-x", "a\0b", "a\nb", "x" * 65, "data", "Backups", "ONE", "one"]
)
def test_names_that_cannot_be_had(root, name):
    with pytest.raises(SettingsError):
        check_name(root, name)
    with pytest.raises(SettingsError):
        rename_workspace(root, "one", name)
    assert list_workspaces(root) == ["one"]


def test_renaming_keeps_the_decisions(root):
    id = decide(root / "one")
    assert rename_workspace(root, "one", " Zwei 2.0 ") == "Zwei 2.0"
    assert list_workspaces(root) == ["Zwei 2.0"]
    reviews = open_reviews(read_workspace(root / "Zwei 2.0"))
    assert [decision.example_id for decision in reviews.decisions()] == [id]
    reviews.decide(ANN, id, "keep")
    close_log(root / "Zwei 2.0")


def test_nothing_while_a_build_runs(root):
    with build_lock(root / "one"):
        with pytest.raises(WorkspaceBusy):
            delete_workspace(root, "one")
        with pytest.raises(WorkspaceBusy):
            rename_workspace(root, "one", "two")
    assert list_workspaces(root) == ["one"]


@pytest.mark.parametrize("name", ["nope", "../one", "", ".", "one/", "/etc"])
def test_only_listed_workspaces_are_deleted(root, name):
    with pytest.raises(SettingsError, match="no workspace named"):
        delete_workspace(root, name)
    assert list_workspaces(root) == ["one"]


def test_a_deleted_one_is_gone_and_its_name_free(root):
    decide(root / "one")
    delete_workspace(root, "one")
    assert list(root.iterdir()) == []
    assert check_name(root, "one") == "one"


def test_a_backup_is_the_workspace_again(root, tmp_path, capsys):
    id = decide(root / "one")
    (root / "one" / "builds" / "29990101T000000000000Z").mkdir()  # an unfinished build
    (root / "one" / "builds" / "29990101T000000000000Z" / "junk").write_text("x")
    target = tmp_path / "backups" / "one.zip"
    assert main(["backup", "--workspace", str(root / "one"), "--output", str(target)]) == 0
    assert str(target) in capsys.readouterr().out
    decide(root / "one")  # the app has it open all the while
    close_log(root / "one")
    names = zipfile.ZipFile(target).namelist()
    assert not [name for name in names if "junk" in name or name.endswith((".lock", ".duckdb.wal", "reviews.duckdb"))]
    delete_workspace(root, "one")
    with zipfile.ZipFile(target) as archive:
        archive.extractall(root)
    back = read_workspace(root / "one")
    assert [decision.example_id for decision in open_reviews(back).decisions()] == [id]
    assert explain(back, test_id=back.store.first_id("test")).proponents
    close_log(root / "one")


def test_a_backup_that_cannot_be_written_leaves_nothing(root, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        back_up(root / "one", tmp_path / "file" / "one.zip")
    assert sorted(child.name for child in tmp_path.iterdir()) == ["file", "root"]


# What other processes have open, and what killed ones leave ----------------------------------------------------------------

OPEN = """
import sys
from influence.workspace import read_workspace
reader = read_workspace(sys.argv[1])
print("open", flush=True)
sys.stdin.read(1)
reader.close()
print("closed", flush=True)
sys.stdin.read(1)
"""
HALF = """
import sys
from pathlib import Path
from influence.files import written_beside
with written_beside(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    sys.stdin.read(1)
"""


@contextmanager
def process(code: str, argument: Path, said: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has said that it is as far as that; killed at the end."""
    command = [sys.executable, "-c", code, str(argument)]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert running.stdout.readline() == f"{said}\n"
        yield running
    finally:
        running.kill()
        running.communicate()


def test_nothing_is_moved_under_a_process_that_has_it_open(root):
    """Until it closes it, or is killed; what this process has open itself is no hindrance."""
    ours = read_workspace(root / "one")
    with process(OPEN, root / "one", "open") as other:
        for change in (lambda: delete_workspace(root, "one"), lambda: rename_workspace(root, "one", "two")):
            with pytest.raises(WorkspaceBusy, match="is open in another process, a server or a command"):
                change()
        assert list_workspaces(root) == ["one"]
        assert ours.holds  # what was let go for it is held again
        other.stdin.write("x")
        other.stdin.flush()
        assert other.stdout.readline() == "closed\n"
        rename_workspace(root, "one", "two")
    with process(OPEN, root / "two", "open") as other:
        other.kill()
        other.wait()
        delete_workspace(root, "two")
    assert list(root.iterdir()) == []
    ours.close()


def test_what_killed_processes_leave_is_swept_and_no_more(root):
    backups = root / "backups"
    backups.mkdir()
    (backups / ".one.zip.0a1b2c3d.tmp").write_bytes(b"of an earlier version")
    (backups / ".mine.tmp").write_bytes(b"somebody's own")
    (backups / ".wordtrace-0123456789abcdef.tmp").symlink_to(root / "one" / "workspace.json")
    with process(HALF, backups / "killed.zip", "half") as killed:
        killed.kill()
        killed.wait()
        with process(HALF, backups / "going.zip", "half") as going:
            assert len(list(backups.glob(".wordtrace-*.tmp"))) == 3
            size = back_up(root / "one", backups / "one.zip")
            assert size == (backups / "one.zip").stat().st_size
            assert len([path for path in backups.glob(".wordtrace-*.tmp") if not path.is_symlink()]) == 1
            going.stdin.write("x")
            going.stdin.flush()
            going.wait()
    assert (backups / "going.zip").read_bytes() == b"half"
    assert {path.name for path in backups.iterdir() if not path.is_symlink()} == {".mine.tmp", "going.zip", "one.zip"}
    assert zipfile.ZipFile(backups / "one.zip").testzip() is None
    (root / ".deleted-0123456789ab" / "builds").mkdir(parents=True)
    (root / ".deleted-mine").mkdir()
    tidy_up(root)
    assert {path.name for path in root.iterdir()} == {".deleted-mine", "backups", "one"}


def test_a_killed_apply_is_swept_by_the_next(tmp_path):
    with process(HALF, tmp_path / "corrected.csv", "half") as killed:
        killed.kill()
        killed.wait()
    assert len(list(tmp_path.iterdir())) == 1
    write_output(tmp_path / "corrected.csv", b"whole")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"corrected.csv": b"whole"}


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_workspace_that_may_not_be_looked_into_is_listed_and_deleted(root):
    (root / "one").chmod(0)
    assert list_workspaces(root) == ["one"]
    with pytest.raises(WorkspaceError):
        read_workspace(root / "one")
    delete_workspace(root, "one")
    assert list(root.iterdir()) == []


def test_a_comparison_agrees_with_plain_loops(root, data, capsys):
    build_workspace(root / "two", request(data, training=training_settings("cnn", epochs=1, learning_rate=0.05, batch_size=16)))
    for name in ("one", "two"):
        write_suspects(root / name, OpinionSettings(encoder="none"))
    first, second = read_workspace(root / "one"), read_workspace(root / "two")
    found = compare(first, second)
    ids = [f"te{n}" for n in range(16)]
    one, two = ({id: explain(workspace, test_id=id, top=TOP) for id in ids} for workspace in (first, second))
    assert (found.shared_tests, found.left_out_tests) == (16, (0, 0))
    changed = {id for id in ids if one[id].query.predicted != two[id].query.predicted}
    assert set(found.changed["id"]) <= changed
    assert {one[id].query.text for id in changed} == set(found.changed["text"])
    for row in found.changed.itertuples():
        right = (one[row.id].query.predicted == row.label, two[row.id].query.predicted == row.label)
        assert row.kind == {(True, False): "broken", (False, True): "fixed", (False, False): "otherwise wrong"}[right]
    in_doubt = [set(suspects(workspace, SuspectFilter(changed=True), limit=1000)[1]["text"]) for workspace in (first, second)]
    assert set(found.suspects_came["text"]) == in_doubt[1] - in_doubt[0]
    assert set(found.suspects_went["text"]) == in_doubt[0] - in_doubt[1]
    assert found.wrong == tuple(sum(w[id].query.predicted != w[id].query.label for id in ids) for w in (one, two))
    shares = []
    for id in {one[id].query.text: id for id in reversed(ids)}.values():
        before = {match.train.text for match in one[id].opponents}
        after = {match.train.text for match in two[id].opponents}
        if before:
            shares.append(len(before & after) / len(before))
    assert np.isclose(found.overlaps[1], np.mean(shares))
    same = compare(first, first)
    assert same.changed.empty
    assert same.overlaps == (1.0, 1.0)
    assert (len(same.suspects_came), len(same.suspects_went)) == (0, 0)
    assert main(["compare", "--workspace", str(root / "one"), "--with", str(root / "two")]) == 0
    assert f"{len(found.changed)} predictions changed" in capsys.readouterr().out
    assert datetime.fromisoformat(first.info.built_at).astimezone(UTC) <= datetime.now(UTC)


def test_a_comparison_counts_only_what_both_have_and_says_how_many_are_left_out(root, data, tmp_path, capsys):
    rows = list(csv.reader(Path(data["test"]).read_text().splitlines()))
    train = list(csv.reader(Path(data["train"]).read_text().splitlines()))
    write_csv(tmp_path / "test.csv", [*rows[1:13], ("new", "a good film of its own", "pos"), rows[12]], rows[0])  # 3 gone, 2 new
    write_csv(tmp_path / "train.csv", [row for row in train[1:] if row[0] not in ("e3", "e4")], rows[0])
    files = {"train": str(tmp_path / "train.csv"), "test": str(tmp_path / "test.csv")}
    build_workspace(root / "two", request(files, columns=Columns()))
    for name in ("one", "two"):
        write_suspects(root / name, OpinionSettings(encoder="none"))
    found = compare(read_workspace(root / "one"), read_workspace(root / "two"))
    assert (found.shared_tests, found.left_out_tests) == (12, (4, 2))
    first, second = (
        {row.text for row in read_workspace(root / name).store.train_frame().itertuples()} for name in ("one", "two")
    )
    for rows_, left_out in ((found.suspects_went, 0), (found.suspects_came, 1)):
        assert set(rows_["text"]) <= first & second
        assert rows_["other_label"].notna().all()
        assert found.left_out_suspects[left_out] >= 0
    in_doubt = set(suspects(read_workspace(root / "one"), SuspectFilter(changed=True), limit=1000)[1]["text"])
    assert found.left_out_suspects[0] == len(in_doubt - second)
    assert main(["compare", "--workspace", str(root / "one"), "--with", str(root / "two")]) == 0
    said = capsys.readouterr().out
    assert "12 test texts in both (4 only in the first and 2 only in the second left out); accuracy" in said


@pytest.mark.parametrize(
    ("fixed", "broken", "chance"), [(0, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (8, 1, 0.0390625), (3, 3, 1.0)]
)
def test_how_likely_a_split_is_by_chance(fixed, broken, chance):
    kinds = pd.DataFrame({"kind": ["fixed"] * fixed + ["broken"] * broken})
    nothing = dict.fromkeys(Comparison.__dataclass_fields__)
    assert Comparison(**{**nothing, "changed": kinds}).chance == pytest.approx(chance)


def test_a_backup_is_restored_whole_under_a_free_name(root, capsys):
    decided = decide(root / "one")
    close_log(root / "one")
    archive = root / "backups" / "one.zip"
    back_up(root / "one", archive)
    assert restore(archive, root) == "one restored"
    assert restore(archive, root) == "one restored 2"
    again = read_workspace(root / "one restored")
    assert [d.example_id for d in open_reviews(again).decisions()] == [decided]
    again.close()
    close_log(root / "one restored")
    assert main(["restore", "--backup", str(archive), "--workspace", str(root / "mine")]) == 0
    assert capsys.readouterr().out == f"{root / 'mine'}: restored from {archive}\n"
    assert verify_workspace(root / "mine").line == ""
    assert main(["restore", "--backup", str(archive), "--workspace", str(root / "mine")]) == 2
    assert "there is already something called 'mine'" in capsys.readouterr().err
    assert not list(root.glob(".restoring-*"))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["one/workspace.json", "../out.txt"], "it must hold one folder"),
        (["one/workspace.json", "two/x"], "it must hold one folder"),
        (["one/x"], "it must hold one folder"),
        (["/one/workspace.json"], "it must hold one folder"),
        (["one\\workspace.json"], "it must hold one folder"),
        (["one/workspace.json"], "cannot be read"),
    ],
)
def test_what_is_no_backup_is_refused_and_leaves_nothing(root, tmp_path, names, said):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), "x")
    before = sorted(root.rglob("*"))
    with pytest.raises(WorkspaceError, match=said):
        restore(tmp_path / "bad.zip", root)
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(WorkspaceError, match="no backup"):
        restore(tmp_path / "text.zip", root)
    assert sorted(root.rglob("*")) == before


def test_a_damaged_backup_is_refused_by_its_hashes(root, tmp_path):
    back_up(root / "one", tmp_path / "one.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as whole, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for entry in whole.infolist():
            content = whole.read(entry)
            bad.writestr(entry, content[:-1] + b"\0" if entry.filename.endswith("tokenizer.json") else content)
    with pytest.raises(WorkspaceError, match="the backup is damaged: "):
        restore(tmp_path / "bad.zip", root)
    assert list_workspaces(root) == ["one"]
    assert not list(root.glob(".restoring-*"))


def test_what_lies_on_disk_is_told_by_its_parts(workspace: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(workspace, tmp_path / "w"))
    build = build_folder(path)
    (path / "builds" / "99990101T000000000000Z").mkdir()
    (path / "builds" / "99990101T000000000000Z" / "build.json").write_bytes(bytes(70))
    (path / "builds" / "loose").write_bytes(bytes(7))
    (path / "data").mkdir()
    (path / "data" / "train.csv").write_bytes(bytes(500))
    (build / "suspects-20250101.duckdb").write_bytes(bytes(3_000))
    (build / "suspects.json").write_bytes(bytes(30))
    found = disk_use(path)
    assert sum(found.values()) == sum(file_sizes(path).values())
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for part in ("index", "checkpoints"):
        assert found[part] == sum(file_sizes(build / part).values())
    assert found["results"] == sum((build / name).stat().st_size for name in ("results.duckdb", "results.json"))
    assert (found["unfinished"], found["data"], found["suspects"]) == (77, 500, 3_030)
    assert size_in_words({"a": 1, "index": 67_000_000, "checkpoints": 108_000_000, "results": 24_400_000}) == (
        "199 MB (checkpoints 108 MB, index 67 MB, results 24 MB)"
    )
    assert size_in_words({"index": 1_240_000_000}) == "1.2 GB (index 1.2 GB)"
