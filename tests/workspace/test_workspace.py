"""A workspace never breaks: the old build stays until the new one is whole, and damage is told in one line."""

import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from contents import build_folder, check_same, content, edit_pointer, reseal, use
from safetensors.numpy import load_file, save_file
from tiny import request, rows, write_csv

from influence import (
    WordtraceError,
    Workspace,
    WorkspaceBusy,
    WorkspaceError,
    WorkspaceMissing,
    WorkspaceNewer,
    explain,
    list_workspaces,
    open_workspace,
)
from influence.data.dataset import read_dataset
from influence.errors import SettingsError
from influence.explanations.scores import scores_of
from influence.files import write_json
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest
from influence.workspace.workspace import id_ranks

Copy = Callable[[], Path]


def own_files(build: Path) -> list[Path]:
    """What a build wrote; what is computed from it later, by whichever test was there first, lies beside."""
    folders = [file for name in ("index", "checkpoints") for file in (build / name).rglob("*") if file.is_file()]
    return [
        *folders,
        *(build / name for name in ("build.json", "results.json", "results.duckdb", "hashes.json", "tie_ranks.npy")),
    ]


# What a workspace says of itself --------------------------------------------------------------------------------------


def test_provenance(workspace: Path, data: dict[str, str]) -> None:
    """Files and their hashes, settings, package versions: what one needs to make it again."""
    info = open_workspace(workspace).info
    hashes = [read_dataset(data[split], request(data).columns, split=split).sha256 for split in ("train", "test")]
    assert (info.train_source, info.test_source) == (data["train"], data["test"])
    assert [info.train_sha256, info.test_sha256] == hashes
    assert (info.n_train, info.n_test, info.labels, info.has_pairs) == (80, 16, ["neg", "pos"], False)
    assert (info.model, info.top_k, info.max_length, info.warnings) == ("cnn", 4, 128, [])
    assert info.settings == {
        "columns": {"text": "text", "text_pair": None, "label": "label", "id": "id"},
        "form": {"delimiter": None, "encoding": None},
        "preparation": {"drop_unusable": False, "merge_labels": False, "test_share": 0.2, "seed": 0, "split": False},
        "num_hidden_layers": None,
        "training": {
            "epochs": 3,
            "learning_rate": 0.1,
            "optimizer": "sgd",
            "batch_size": 16,
            "seed": 0,
            "momentum": 0.9,
            "weight_decay": 0.0,
            "schedule": "constant",
            "freeze_embedding": False,
        },
        "checkpoints": None,
        "index": "all",
        "max_checkpoints": 4,
        "optimizer_states": False,
        "precision": "fp32",
        "device": "cpu",
    }
    packages = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "duckdb", "pandas")
    assert info.versions == {package: version(package) for package in packages}
    assert [(c.name, c.learning_rate) for c in info.checkpoints] == [("epoch 1", 0.1), ("epoch 2", 0.1), ("epoch 3", 0.1)]
    build = build_folder(workspace)
    assert info.files == {str(f.relative_to(build)): f.stat().st_size for f in own_files(build)}
    assert info.bytes == sum(info.files.values())
    assert info.training_seconds is not None
    assert 0 < info.training_seconds < info.seconds
    assert info.built_at.endswith("+00:00")


def test_the_folder_holds_what_the_design_says_and_no_pickles(workspace: Path) -> None:
    assert sorted(entry.name for entry in workspace.iterdir()) == ["build.lock", "builds", "workspace.json"]
    names = {file.suffix for file in own_files(build_folder(workspace))}
    assert names == {".json", ".npy", ".safetensors", ".duckdb"}
    for file in workspace.rglob("*.npy"):
        np.load(file, allow_pickle=False)


def test_workspaces_are_listed_by_name(tmp_path: Path, workspace: Path) -> None:
    for name in ("b", "a"):
        shutil.copytree(workspace, tmp_path / name)
    (tmp_path / "half" / "builds" / "x").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    assert list_workspaces(tmp_path) == ["a", "b"]
    assert list_workspaces(tmp_path / "nothing") == []


@pytest.mark.parametrize(
    ("ids", "ranks"),
    [(["10", "9", "0"], [2, 1, 0]), (["b", "a10", "a9"], [2, 0, 1]), (["7", "x", "10"], [1, 2, 0]), (["٣", "1"], [1, 0])],
)
def test_ties_are_ranked_by_id_as_a_reader_would_sort_them(ids: list[str], ranks: list[int]) -> None:
    assert id_ranks(ids).tolist() == ranks


def test_threads_share_an_open_workspace(workspace: Path) -> None:
    """The app answers several people from one connection: each gets their own rows."""
    opened = open_workspace(workspace)
    expected = {f"te{n}": explain(opened, test_id=f"te{n}") for n in range(16)}
    wrong: list[str] = []

    def ask(offset: int) -> None:
        for n in range(48):
            id = f"te{(n + offset) % 16}"
            if explain(opened, test_id=id) != expected[id]:
                wrong.append(id)

    threads = [threading.Thread(target=ask, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    opened.close()
    assert wrong == []


def test_json_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing is one rename: who reads the old file reads it to its end, and a write that fails leaves it."""
    file = tmp_path / "a.json"
    write_json(file, {"old": "x" * 10_000})
    with file.open() as reader:
        begun = reader.read(10)
        write_json(file, {"new": 1})
        assert json.loads(begun + reader.read()) == {"old": "x" * 10_000}
    with pytest.raises(TypeError):
        write_json(file, {"new": object()})
    assert json.loads(file.read_text()) == {"new": 1}


# Building -------------------------------------------------------------------------------------------------------------


def test_the_same_build_twice_gives_the_same_scores(workspace: Path, data: dict[str, str], tmp_path: Path) -> None:
    """From another process's point of view too: nothing hangs on a hash seed or on what was drawn before."""
    import torch

    torch.rand(7)
    build_workspace(tmp_path / "again", request(data))
    check_same(content(workspace), content(tmp_path / "again"))


def test_another_seed_gives_other_scores(workspace: Path, data: dict[str, str], tmp_path: Path) -> None:
    from influence.workspace.build_request import training_settings

    settings = training_settings("cnn", epochs=3, learning_rate=0.1, batch_size=16, seed=1)
    build_workspace(tmp_path / "w", request(data, training=settings))
    assert not (tmp_path / "w").samefile(workspace)
    with pytest.raises(AssertionError):
        check_same(content(workspace), content(tmp_path / "w"))


class Stopped(Exception):
    """Stands for a kill; see test_kill for real ones."""


STAGES = ["tokenizer", "tokenize test", "train epoch 2", "gradients 1/3 train", "gradients 3/3 test", "influences"]


@pytest.fixture(scope="module")
def other(data: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildRequest, dict[str, Any]]:
    """A request on other training data, and what an uninterrupted build of it holds."""
    folder = tmp_path_factory.mktemp("other")
    wanted = request({**data, "train": write_csv(folder / "train.csv", rows(60, seed=5, prefix="tr"))})
    build_workspace(folder / "w", wanted)
    return wanted, content(folder / "w")


@pytest.mark.parametrize("stage", STAGES)
def test_a_build_stopped_at_any_stage_leaves_the_old_one_and_resumes(
    stage: str, copied: Copy, other: tuple[BuildRequest, dict[str, Any]]
) -> None:
    """The old workspace answers during the build and after the stop; --resume does the rest, with the same result."""
    path = copied()
    old = (path / "workspace.json").read_bytes()
    wanted, expected = other
    used: list[str] = []

    def stop(at: str, done: int, total: int) -> None:
        if at == stage:
            use(path)  # a reader, while the build is going on
            used.append(at)
            raise Stopped

    with pytest.raises(Stopped):
        build_workspace(path, wanted, progress=stop)
    assert used == [stage]
    assert (path / "workspace.json").read_bytes() == old
    use(path)

    stages: list[str] = []
    build_workspace(path, wanted, resume=True, progress=lambda at, done, total: stages.append(at))
    before = {"train epoch 2": "train epoch 1", "influences": "gradients 3/3 test"}.get(stage)
    assert before not in stages  # what was whole is not done again
    assert open_workspace(path).info.train_source == wanted.train
    assert len(list((path / "builds").iterdir())) == 1
    check_same(content(path), expected)


def test_resuming_what_is_whole_does_nothing(copied: Copy, data: dict[str, str]) -> None:
    path = copied()
    before = (path / "workspace.json").read_bytes()
    seen: list[str] = []
    info = build_workspace(path, request(data), resume=True, progress=lambda at, done, total: seen.append(at))
    assert seen == []
    assert info == open_workspace(path).info
    assert (path / "workspace.json").read_bytes() == before


def test_resuming_with_other_settings_is_refused(data: dict[str, str], tmp_path: Path) -> None:
    def stop(at: str, done: int, total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        build_workspace(tmp_path / "w", request(data), progress=stop)
    with pytest.raises(SettingsError) as caught:
        build_workspace(tmp_path / "w", request(data, top_k=5), resume=True)
    assert str(caught.value) == (
        "--resume: the unfinished build was started with other data or settings: --top-k (4 there, 5 here); "
        "give the same options again, or leave --resume out to start over"
    )
    build_workspace(tmp_path / "w", request(data, top_k=5))
    assert open_workspace(tmp_path / "w").info.top_k == 5


def test_a_build_over_an_old_one_takes_its_place_whole(copied: Copy, data: dict[str, str]) -> None:
    """Published by one rename; who has the old one open keeps it."""
    path = copied()
    reader = open_workspace(path)
    expected = explain(reader, test_id="te1", method="tracin-we")
    build_workspace(path, request(data, top_k=5))
    assert explain(reader, test_id="te1", method="tracin-we") == expected
    reader.close()
    assert open_workspace(path).info.top_k == 5
    assert [folder.name for folder in (path / "builds").iterdir()] == [build_folder(path).name]


def test_a_build_stopped_between_publishing_and_tidying_up_is_published(
    copied: Copy, data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rename is the moment; what is left lying about goes with the next build, or when the same is resumed."""
    path = copied()

    def stop(*_: Any, **__: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr("influence.workspace.builds.remove_superseded", stop)
        with pytest.raises(Stopped):
            build_workspace(path, request(data, top_k=5))
    assert open_workspace(path).info.top_k == 5
    assert len(list((path / "builds").iterdir())) == 2
    twin = Path(shutil.copytree(path, tmp_path / "twin"))
    build_workspace(twin, request(data, top_k=5), resume=True)
    assert [folder.name for folder in (twin / "builds").iterdir()] == [build_folder(path).name]
    build_workspace(path, request(data, top_k=6), resume=True)
    assert open_workspace(path).info.top_k == 6
    assert len(list((path / "builds").iterdir())) == 1


def test_a_reader_who_comes_back_after_a_rebuild_is_told_to_open_again(copied: Copy, data: dict[str, str]) -> None:
    path = copied()
    reader = open_workspace(path)
    build_workspace(path, request(data, top_k=5))
    with pytest.raises(WorkspaceError, match=r"is gone: the workspace was built anew or is damaged; open it again"):
        explain(reader, test_id="te1", method="tracin-we")
    reader.close()


def test_top_k_positions_alone_may_be_stored(data: dict[str, str], workspace: Path, tmp_path: Path) -> None:
    build_workspace(tmp_path / "w", request(data, store_rest=False))
    small, whole = open_workspace(tmp_path / "w"), open_workspace(workspace)
    assert small.info.bytes < whole.info.bytes
    assert explain(small, test_id="te1", top=101).proponents == explain(whole, test_id="te1", top=101).proponents
    for method in ("tracin-we", "tracin-we-noc", "tracin-common", "tracin-all"):
        """Every training example goes through the checkpoints instead."""
        for asked in ({"test_id": "te1"}, {"text": "a great film", "label": "pos"}):
            ours, theirs = (explain(one, method=method, **asked) for one in (small, whole))
            assert [one.train.id for one in ours.proponents] == [one.train.id for one in theirs.proponents]
            largest = max(abs(one.score) for one in (*theirs.proponents, *theirs.opponents))
            for one, other in zip(ours.proponents, theirs.proponents, strict=True):
                assert one.score == pytest.approx(other.score, abs=1e-4 * largest)
                assert sum(match.score for match in one.matches) == pytest.approx(
                    one.score if other.matches else 0, abs=1e-4 * largest
                )
                assert [m.test_word for m in one.matches] == [m.test_word for m in other.matches]
        np.testing.assert_allclose(scores_of(small, method, [2, 5]), scores_of(whole, method, [2, 5]), atol=1e-4 * largest)


HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "![m](http://h.example/x.png) [SEP] [CLS] [PAD] film",
    "nul \x00 film",
    "'; drop table examples; -- film",
    "🙂 👩‍👩‍👧 ole\u0301 שלום film",
    "film " * 200,
    "\u202e reversed film",
    "\u200b",
]


def test_hostile_texts_ids_and_labels_come_back_as_they_were(tmp_path: Path) -> None:
    table = [(f"id{n} <b>&\"'", text, f"{'<i>' if n % 2 else 'ü'} label") for n, text in enumerate(HOSTILE * 2)]
    file = tmp_path / "data.jsonl"
    columns = ("id", "text", "label")
    lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in table]
    file.write_text("\n".join(lines), encoding="utf-8")
    info = build_workspace(tmp_path / "w", request({"train": str(file), "test": str(file)}))
    assert any("were cut at 128 tokens (--max-length)" in warning for warning in info.warnings)
    opened = open_workspace(tmp_path / "w")
    stored = opened.store.rows("select id, text, label from examples where split = 'train' order by position")
    assert stored == table
    for n, (id, text, label) in enumerate(table):
        found = explain(opened, test_id=id)
        assert (found.query.text, found.label) == (text, label)
        assert found.query.truncated == (n % len(HOSTILE) == 5)
        assert explain(opened, text=text).query.words == found.query.words


# Refusals and damage --------------------------------------------------------------------------------------------------


def told(path: Path, kind: type[WordtraceError] = WorkspaceError) -> str:
    """The one line that using a workspace ends with."""
    with pytest.raises(kind) as caught:
        use(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_workspace_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert told(path, WorkspaceMissing) == (
        f"there is no workspace at {str(path)!r}; make one with: python -m influence demo --workspace {path}"
    )
    (tmp_path / "file").write_text("x")
    assert "there is no workspace at" in told(tmp_path / "file", WorkspaceMissing)


def test_a_first_build_that_never_finished(tmp_path: Path, data: dict[str, str]) -> None:
    def stop(at: str, done: int, total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        build_workspace(tmp_path / "w", request(data), progress=stop)
    assert told(tmp_path / "w", WorkspaceMissing) == (
        f"workspace {str(tmp_path / 'w')!r} is half built: its first build never finished; "
        "run the same build command with --resume"
    )


def test_a_newer_schema_is_refused(copied: Copy) -> None:
    path = copied()
    edit_pointer(path, lambda pointer: pointer.update(schema_version=4))
    assert told(path, WorkspaceNewer) == (
        f"workspace {str(path)!r} has schema version 4, this Wordtrace knows 3; install a newer Wordtrace"
    )


def test_newer_results_are_refused(copied: Copy) -> None:
    path = copied()
    file = build_folder(path) / "results.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("insert into schema_versions values (9)")
    reseal(path)
    assert told(path, WorkspaceNewer) == f"{str(file)!r} has schema version 9, this Wordtrace knows 3; install a newer Wordtrace"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("[1]", "list indices must be integers or slices, not str"),
        ('{"schema_version": 1}', "'build'"),
        ('{"schema_version": "new", "build": "x"}', "invalid literal for int() with base 10: 'new'"),
    ],
)
def test_a_damaged_pointer(copied: Copy, text: str, reason: str) -> None:
    path = copied()
    (path / "workspace.json").write_text(text)
    assert told(path) == f"{str(path / 'workspace.json')!r} cannot be read ({reason}); build the workspace again"


def test_a_pointer_out_of_the_workspace_is_not_followed(copied: Copy) -> None:
    path = copied()
    edit_pointer(path, lambda pointer: pointer.update(build="../../other"))
    assert told(path) == (
        f"{str(path / 'workspace.json')!r} names a build outside the workspace ('../../other'); build the workspace again"
    )


def test_a_pointer_that_lacks_something(copied: Copy) -> None:
    path = copied()
    edit_pointer(path, lambda pointer: pointer["info"].pop("labels"))
    assert "is damaged (WorkspaceInfo.__init__() missing 1 required positional argument: 'labels')" in told(path)


FILES = [
    "results.duckdb",
    "checkpoints/2/model.safetensors",
    "checkpoints/0/differences.safetensors",
    "checkpoints/2/config.json",
    "checkpoints/tokenizer/tokenizer.json",
    "index/special_tokens.npy",
    "index/train/labels.npy",
    "index/train/encoding/tokens_R.npy",
    "index/train/encoding/words_R.npy",
    "index/train/first.npy",
    "index/train/segments.json",
    "index/train/00000/1/top.safetensors",
    "index/train/00000/1/rest.safetensors",
    "index/train/00000/0/examples.safetensors",
    "index/test/encoding/offsets_N1.npy",
    "index/test/00000/2/examples.safetensors",
]


@pytest.mark.parametrize("file", FILES)
def test_a_missing_or_cut_file_is_noticed_at_once(copied: Copy, file: str) -> None:
    """Sizes are checked when a workspace is opened, before anything is answered from it."""
    path = copied()
    target = build_folder(path) / file
    size = target.stat().st_size
    os.truncate(target, size // 2)
    end = f"not {size} bytes; build the workspace again"
    assert told(path) == f"workspace {str(path)!r} is damaged: {file!r} is {size // 2} bytes, {end}"
    target.unlink()
    assert told(path) == f"workspace {str(path)!r} is damaged: {file!r} is missing, {end}"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("filler", [b"\x00", b"wordtrace\n"])
def test_garbage_of_the_same_size_is_told_when_it_is_read(copied: Copy, file: str, filler: bytes) -> None:
    path = copied()
    target = build_folder(path) / file
    size = target.stat().st_size
    target.write_bytes((filler * size)[:size])
    message = told(path, WordtraceError)
    assert str(target) in message or f"{target.name!r} in {str(target.parent)!r}" in message or str(target.parent) in message


@pytest.mark.parametrize("part", ["top", "rest"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("examples", 65_535), ("positions", 65_535), ("tokens", -1), ("tokens", 2**31 - 1), ("starts", 0), ("starts", 2**31 - 1)],
)
def test_an_index_that_points_nowhere_is_told(copied: Copy, part: str, name: str, value: int) -> None:
    """A good header over a bad body."""
    path = copied()
    target = build_folder(path) / "index" / "train" / "00000" / "0" / f"{part}.safetensors"
    arrays = load_file(target)
    arrays[name][len(arrays[name]) // 2] = value
    save_file(arrays, target)
    reseal(path)
    assert told(path) == f"the index is damaged: {str(target)!r} does not fit its data; build the workspace again"


def test_results_with_a_bad_block_are_told(copied: Copy) -> None:
    path = copied()
    file = build_folder(path) / "results.duckdb"
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 3 :] = os.urandom(len(whole) - len(whole) // 3)
    file.write_bytes(whole)
    assert told(path) == f"{str(file)!r} is damaged: it is not what was written; restore a backup, or build the workspace again"
    reseal(path)  # DuckDB's own checksums tell, too
    message = told(path)
    assert message.startswith(f"{str(file)!r} ")
    assert message.endswith("; build the workspace again")


def test_a_damaged_workspace_can_be_built_again(copied: Copy, data: dict[str, str], workspace: Path) -> None:
    """Its message says so; with and without --resume it must be true."""
    for resume in (False, True):
        path = copied()
        target = build_folder(path) / "index" / "train" / "00000" / "0" / "top.safetensors"
        target.unlink()
        build_workspace(path, request(data), resume=resume)
        check_same(content(path), content(workspace))


# Other processes ------------------------------------------------------------------------------------------------------


def test_a_second_build_waits_for_no_one(copied: Copy, data: dict[str, str]) -> None:
    """Another process holds the lock: one line, and the workspace is still there."""
    path = copied()
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path / "build.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WorkspaceBusy) as caught:
            build_workspace(path, request(data, top_k=5))
        assert str(caught.value) == (
            f"another process is building workspace {str(path)!r}; wait for it or choose another --workspace"
        )
        use(path)
        holder.kill()
    with (path / "build.lock").open("a") as file:  # the system freed it with the process
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_results_that_another_program_has_open_for_writing(copied: Copy) -> None:
    path = copied()
    file = build_folder(path) / "results.duckdb"
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert told(path).startswith(f"{str(file)!r} is locked by another program; close it and try again (")
        holder.kill()
    use(path)


def test_many_processes_read_at_once(workspace: Path) -> None:
    """Each opens the results read-only, so none shuts the others out."""
    first, second = open_workspace(workspace), open_workspace(workspace)
    code = "import sys; from influence import open_workspace; print(open_workspace(sys.argv[1]).info.n_train)"
    assert subprocess.run([sys.executable, "-c", code, str(workspace)], capture_output=True, check=True).stdout == b"80\n"
    first.close()
    second.close()


def test_a_place_that_cannot_be_written(data: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, reason in (
        (tmp_path / "file", "File exists"),
        (tmp_path / "file" / "below", "Not a directory"),
        (Path("/proc/none"), "No such file or directory"),
    ):
        with pytest.raises(WorkspaceError) as caught:
            build_workspace(path, request(data))
        assert str(caught.value) == f"workspace {str(path)!r} cannot be written: {reason}; choose another folder"
    assert (tmp_path / "file").read_text() == "x"


def build_with_room_for(path: Path, data: dict[str, str], largest_file: int) -> str:
    """Build in a child process that may write no file larger than so many bytes, as on a full disk; returns its last words."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads; the child only builds and leaves
        child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
            build_workspace(path, request(data, top_k=5))
            words = "built"
        except WordtraceError as error:
            words = f"{type(error).__name__}: {error}"
        except BaseException as error:
            words = f"not ours: {error!r}"
        os.write(writer, words.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        words = pipe.read()
    os.waitpid(child, 0)
    return words


@pytest.mark.parametrize("where", ["build.json", "tokenizer", "encoding", "weights", "optimizer", "gradients", "results"])
def test_a_full_disk_at_any_file_is_one_line_and_harms_nothing(
    where: str, workspace: Path, copied: Copy, data: dict[str, str]
) -> None:
    """The largest allowed file is one that a given kind of file does not fit into, so the build fails while writing it."""
    build = build_folder(workspace)
    sizes = {
        "build.json": 100,
        "tokenizer": (build / "checkpoints/tokenizer/tokenizer.json").stat().st_size - 1,
        "encoding": (build / "index/train/encoding/tokens_R.npy").stat().st_size - 1,
        "weights": (build / "checkpoints/2/model.safetensors").stat().st_size - 1,
        "optimizer": (build / "checkpoints/2/model.safetensors").stat().st_size + 100,
        "gradients": (build / "index/train/00000/0/top.safetensors").stat().st_size - 1,
        "results": (build / "results.duckdb").stat().st_size - 1,
    }
    path = copied()
    assert build_with_room_for(path, data, sizes[where]) == (
        f"WorkspaceError: disk full while writing workspace {str(path)!r}; free some space and run the same command with --resume"
    )
    use(path)
    assert open_workspace(path).info.top_k == 4
    build_workspace(path, request(data, top_k=5), resume=True)  # some space was freed
    assert open_workspace(path).info.top_k == 5
    use(path)


def test_an_index_too_large_for_the_disk_is_refused_before_it_is_written(
    data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("influence.segments.build.shutil.disk_usage", lambda path: usage._replace(free=1_000))
    with pytest.raises(WorkspaceError) as caught:
        build_workspace(tmp_path / "w", request(data))
    assert str(caught.value).startswith("disk full: the index needs about 0.0 GB and 0.0 GB are free at ")


def test_opening_does_not_read_the_index(workspace: Path) -> None:
    """It is mapped when first asked for; opening is quick however large it is."""
    opened = open_workspace(workspace)
    assert not {"index", "queries", "live"} & set(vars(opened))
    assert isinstance(opened, Workspace)
    opened.close()
