"""A byte that is not what was written never becomes a number: the file is named, and the way out."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contents import build_folder, check_same, content, edit_pointer, flipped, use
from tiny import request

from influence import open_workspace, seals
from influence.cli import main
from influence.errors import WorkspaceDamaged, WorkspaceError
from influence.files import write_json
from influence.opinions.settings import OpinionSettings
from influence.sealed import kept, kept_array, save_array, save_kept
from influence.suspects.compute import write_suspects
from influence.suspects.ranking import suspects
from influence.workspace.build import build_workspace
from influence.workspace.manage import back_up
from influence.workspace.verify import verify_workspace
from influence.workspace.workspace import read_workspace

Copy = Callable[[], Path]
NO_ENCODER = OpinionSettings(encoder="none")


def files_of(path: Path) -> list[Path]:
    return sorted(file for file in build_folder(path).rglob("*") if file.is_file())


def told(path: Path) -> str:
    with pytest.raises(WorkspaceError) as error:
        use(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_flipped_bit_in_any_file_of_a_build_is_told_by_name(copied: Copy) -> None:
    path = copied()
    assert len(files_of(path)) > 50
    for file in files_of(path):
        with flipped(file):
            assert str(file) in told(path), file
            found = verify_workspace(path)
            assert [path / one.file for one in found.damaged] == [file]
    use(path)
    assert verify_workspace(path).damaged == []


def test_a_flipped_bit_anywhere_in_the_pointer_is_told(copied: Copy) -> None:
    """Accuracies, labels and names stand in it."""
    path = copied()
    file = path / "workspace.json"
    for at in range(0, file.stat().st_size, 97):
        with flipped(file, at):
            assert str(file) in told(path) or "unknown workspace" in told(path), at
            with pytest.raises(WorkspaceError, match=re.escape(str(file))):
                verify_workspace(path)
    use(path)


def test_files_of_another_workspace_are_told(copied: Copy, data: dict[str, str], tmp_path: Path) -> None:
    """Of the same shape and size, but of other weights."""
    path, other = copied(), tmp_path / "other"
    changed = request(data)
    build_workspace(other, request(data, training=type(changed.training)(**{**vars(changed.training), "seed": 7})))
    mine, theirs = build_folder(path), build_folder(other)
    files = ("index/train/00000/0/top.safetensors", "checkpoints/2/model.safetensors", "index/test/00000/1/examples.safetensors")
    for name in files:
        whole = (mine / name).read_bytes()
        assert whole != (theirs / name).read_bytes()
        assert len(whole) == (theirs / name).stat().st_size
        shutil.copyfile(theirs / name, mine / name)
        assert str(mine / name) in told(path)
        (mine / name).write_bytes(whole)
    shutil.rmtree(mine)
    shutil.copytree(theirs, mine)
    edit_pointer(path, lambda pointer: pointer["info"].update(files={}))
    assert told(path) == f"{str(mine / 'hashes.json')!r} is of another build; restore a backup, or build the workspace again"
    assert verify_workspace(path).line.startswith(f"'{(mine / 'hashes.json').relative_to(path)}' is missing, or that of another")


def test_a_missing_list_of_hashes_and_files_that_no_list_names(copied: Copy) -> None:
    path = copied()
    build = build_folder(path)
    (build / "index" / "notes.txt").write_text("mine")
    found = verify_workspace(path)
    assert (found.damaged, found.extra) == ([], [f"builds/{build.name}/index/notes.txt"])
    (build / "hashes.json").unlink()
    assert "hashes.json' is missing" in told(path)


def as_before_hashes(path: Path) -> None:
    """As the version before this one left a workspace."""
    (build_folder(path) / "hashes.json").unlink()
    pointer = json.loads((path / "workspace.json").read_text())
    del pointer["hashes"], pointer["digest"], pointer["info"]["files"]["hashes.json"]
    write_json(path / "workspace.json", {**pointer, "schema_version": 1})


def test_a_workspace_from_before_there_were_hashes_opens_and_says_so(
    copied: Copy, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copied()
    as_before_hashes(path)
    use(path)
    check_same(content(path), content(workspace))
    assert not verify_workspace(path).sealed
    assert main(["check", "--workspace", str(path)]) == 0
    assert "built before files had hashes" in capsys.readouterr().out


# What is computed later -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ranked(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace with its suspects."""
    path = Path(shutil.copytree(workspace, tmp_path_factory.mktemp("ranked") / "ws"))
    write_suspects(path, NO_ENCODER)
    return path


def test_computed_files_are_told_with_the_command_that_makes_them_again(ranked: Path) -> None:
    build = build_folder(ranked)
    for file in (build / "suspects.json", *build.glob("suspects-*.duckdb")):
        for at in (None, 40):
            with flipped(file, at):
                opened = read_workspace(ranked)
                with pytest.raises(WorkspaceError, match=r"^[^\n]*python -m influence suspects$") as error:
                    suspects(opened)
                assert file.name in str(error.value)
                assert [ranked / one.file for one in verify_workspace(ranked).damaged] == [file]
                opened.close()


def test_what_is_kept_is_made_again_where_it_is_not_what_was_written(ranked: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(ranked, tmp_path / "ws"))
    build = build_folder(path)
    before = suspects(read_workspace(path), limit=1000)[1]
    caches = [file for folder in ("signals", "opinions") for file in (build / folder).iterdir()]
    assert {file.suffix for file in caches} == {".npy", ".parquet"}
    for file in caches:
        with flipped(file):
            damaged = file.read_bytes()
            (build / "suspects.json").unlink()
            write_suspects(path, NO_ENCODER)
            assert file.read_bytes() != damaged
        after = suspects(read_workspace(path), limit=1000)[1]
        assert after.equals(before), file


def test_a_kept_file_holds_its_own_seal(tmp_path: Path) -> None:
    array = np.arange(12.0).reshape(3, 4)
    save_array(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(kept_array(tmp_path / "a.npy"), array)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)  # NumPy itself reads it, too
    save_kept(tmp_path / "b", b"")
    assert kept(tmp_path / "b") == b""
    size = (tmp_path / "a.npy").stat().st_size
    for at in range(size):
        with flipped(tmp_path / "a.npy", at):
            assert kept_array(tmp_path / "a.npy") is None
    np.save(tmp_path / "old.npy", array)  # of a version without seals
    assert kept_array(tmp_path / "old.npy") is None
    assert kept(tmp_path / "none") is None


# Builds and backups ---------------------------------------------------------------------------------------------------


class Stopped(Exception):
    """Raised by a progress callback, as an interruption."""


@pytest.mark.parametrize(
    "name",
    ["index/train/encoding/tokens_R.npy", "index/train/00000/0/top.safetensors", "index/test/00000/1/examples.safetensors"],
)
def test_a_build_that_goes_on_makes_a_damaged_stage_again(
    data: dict[str, str], workspace: Path, tmp_path: Path, name: str
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage.startswith("influences"):
            raise Stopped

    with pytest.raises(Stopped):
        build_workspace(tmp_path / "w", request(data), progress=stop)
    file = next((tmp_path / "w" / "builds").iterdir()) / name
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 4
    file.write_bytes(whole)
    build_workspace(tmp_path / "w", request(data), resume=True)
    check_same(content(tmp_path / "w"), content(workspace))


def test_a_build_that_goes_on_refuses_a_damaged_checkpoint(data: dict[str, str], tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage.startswith("gradients 2/3"):
            raise Stopped

    with pytest.raises(Stopped):
        build_workspace(tmp_path / "w", request(data), progress=stop)
    file = next((tmp_path / "w" / "builds").iterdir()) / "checkpoints" / "1" / "differences.safetensors"
    with flipped(file), pytest.raises(WorkspaceDamaged, match=re.escape(str(file))):
        build_workspace(tmp_path / "w", request(data), resume=True)


def test_no_backup_is_made_of_damage(copied: Copy, tmp_path: Path) -> None:
    path = copied()
    file = build_folder(path) / "index" / "train" / "00000" / "2" / "examples.safetensors"
    with flipped(file), pytest.raises(WorkspaceDamaged, match=re.escape(str(file))):
        back_up(path, tmp_path / "b.zip")
    assert not list(tmp_path.glob("*.zip*"))
    back_up(path, tmp_path / "b.zip")
    shutil.unpack_archive(tmp_path / "b.zip", tmp_path / "restored")
    assert verify_workspace(tmp_path / "restored" / path.name).damaged == []
    use(tmp_path / "restored" / path.name)


def test_the_command(copied: Copy, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = copied()
    assert main(["check", "--workspace", str(path)]) == 0
    out, _ = capsys.readouterr()
    files, size = len(files_of(path)) - 1, sum(f.stat().st_size for f in files_of(path) if f.name != "hashes.json")
    assert out.splitlines()[0].startswith(f"{path}: {files} files, {size / 1e6:,.1f} MB read in ")
    assert out.splitlines()[1:] == ["  every file is what was written"]
    file = build_folder(path) / "results.duckdb"
    name = str(file.relative_to(path))
    with flipped(file, 30):
        assert main(["check", "--workspace", str(path), "--json"]) == 2
        out, err = capsys.readouterr()
        what = "is not what was written, near byte 0"
        assert json.loads(out)["damaged"] == [{"file": name, "what": what}]
        line = f"workspace {str(path)!r} is damaged: {name!r} {what}; restore a backup, or build the workspace again"
        assert err.splitlines()[-1] == f"wordtrace: {line}"
    assert main(["check", "--workspace", str(tmp_path / "none")]) == 2
    assert main(["check", "--workspace", str(path)]) == 0


def test_databases_that_change_in_place_are_read_by_their_own_checksums(copied: Copy, data: dict[str, str]) -> None:
    path = copied()
    assert main(["retrain", "--workspace", str(path), "--change", "opponents:te1:2", "--seeds", "1"]) == 0
    live = sorted(path.glob("*.duckdb"))
    assert live
    for file in live:
        whole = bytearray(file.read_bytes())
        whole[12_288 + 8 :] = os.urandom(len(whole) - 12_296)  # behind the headers: every block
        file.write_bytes(whole)
    assert [one.file for one in verify_workspace(path).damaged] == [file.name for file in live]


def test_what_a_workspace_says_of_itself_must_make_sense(copied: Copy) -> None:
    """Sealed, so by somebody who knows how, and yet of another type: one line."""
    for change in (
        {"labels": 5},
        {"checkpoints": []},
        {"n_train": "many"},
        {"settings": None},
        {"files": {"../../x": 1}},
        {"seconds": "a"},
    ):
        path = copied()
        edit_pointer(path, lambda pointer, change=change: pointer["info"].update(change))
        with pytest.raises(WorkspaceError, match="is damaged"):
            open_workspace(path)


def test_an_error_that_nobody_foresaw_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And is shown whole where that is asked for, as this suite does."""

    def fail(error: BaseException) -> Callable[..., Any]:
        def raising(*_: object, **__: object) -> None:
            raise error

        return raising

    for error, said in (
        (ZeroDivisionError("x\ny"), "this cannot be done (ZeroDivisionError: x y); to see where it went wrong, run it with "),
        (MemoryError(), "there is not enough memory; give less data at once, or use a larger machine"),
        (RecursionError("deep"), "this cannot be done (RecursionError: deep); "),
    ):
        monkeypatch.setattr("influence.workspace.verify_workspace", fail(error))
        monkeypatch.setenv("WORDTRACE_TRACEBACK", "1")
        with pytest.raises(type(error)):
            main(["check", "--workspace", "w"])
        monkeypatch.delenv("WORDTRACE_TRACEBACK")
        assert main(["check", "--workspace", "w"]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f"wordtrace: {said}")


def test_an_output_that_is_no_file_is_left_alone(
    data: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "a.json")
    assert main(["check", "--train", data["train"], "--output", str(tmp_path / "a.json")]) == 2
    assert "cannot be written: it is not a plain file" in capsys.readouterr().err
    assert (tmp_path / "a.json").is_fifo()


def test_a_file_that_changes_under_a_server_is_told_at_the_next_page(copied: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.ui.frame import workspaces

    path = copied()
    monkeypatch.setenv("WORDTRACE_WORKSPACES", str(path.parent))
    assert workspaces.open_named(path.name).info.n_train == 80
    file = build_folder(path) / "index" / "train" / "labels.npy"
    with flipped(file), pytest.raises(WorkspaceError, match=re.escape(str(file))):
        workspaces.open_named(path.name)
    monkeypatch.setattr(seals, "AT_ONCE", 0)  # as if all were large: only a round in the background finds it
    with flipped(build_folder(path) / "index" / "train" / "00000" / "0" / "rest.safetensors"):
        assert workspaces.open_named(path.name).info.n_train == 80
        workspaces.look_through(path.parent)
        with pytest.raises(WorkspaceError, match=r"rest\.safetensors' is not what was written, near byte 0"):
            workspaces.open_named(path.name)
    assert workspaces.open_named(path.name).info.n_train == 80  # as it was again
