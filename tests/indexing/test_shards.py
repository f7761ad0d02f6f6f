"""A build in shards: the same index as one process makes, in any order, twice, at once, killed, with pieces gone or spoilt."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from contents import build_folder, check_same, content, use
from tiny import request, rows, write_csv

from influence import open_workspace
from influence.cli import main
from influence.engines import Processes
from influence.errors import EngineError, SettingsError, WorkspaceBusy, WorkspaceError
from influence.files import file_sizes
from influence.indexing import Shard, markers
from influence.seals import folder_seals
from influence.workspace import build_lock, build_shard, build_workspace
from influence.workspace.build_request import BuildRequest, training_settings

Build = Callable[..., Any]
TOO_MANY = 20  # shards; more than there are segments


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of 12 examples: seven of train, two of test."""
    import influence.segments.build as layout

    plan = layout.plan_segments
    monkeypatch.setattr(layout, "plan_segments", lambda n, width, how: plan(n, width, replace(how, segment_examples=12)))


@pytest.fixture
def whole(data: dict[str, str], tmp_path: Path) -> Path:
    """What one process makes."""
    build_workspace(tmp_path / "whole", request(data))
    return tmp_path / "whole"


def index(path: Path) -> dict[str, str]:
    """The digest of every file of the published index."""
    return {name: seal["pieces"] for name, seal in folder_seals(build_folder(path) / "index")["files"].items()}


def unfinished(path: Path) -> Path:
    [folder] = (path / "builds").iterdir()
    return folder


def join(path: Path, asked: BuildRequest) -> None:
    build_workspace(path, asked, join=True)
    use(path)


def test_shards_in_any_order_and_twice_give_the_index_of_one_process(whole: Path, data: dict[str, str], tmp_path: Path) -> None:
    path, asked = tmp_path / "shards", request(data)
    for shard in (2, 0, 3, 0, 1):
        marker = build_shard(path, asked, Shard(shard, 4))
        assert marker is not None
        assert marker.segments["train"] == [f"{number:05d}" for number in range(shard, 7, 4)]
        assert not (path / "workspace.json").exists()
    join(path, asked)
    assert index(path) == index(whole)
    check_same(content(path), content(whole))
    assert sorted(file_sizes(build_folder(path))) == sorted(file_sizes(build_folder(whole)))  # and nothing besides
    assert build_shard(path, asked, Shard(1, 4)) is None  # it is published
    assert open_workspace(path).info == build_workspace(path, asked, join=True)


def test_shards_without_a_segment_say_so_and_leave_their_marker(
    data: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, asked = tmp_path / "shards", request(data)
    for shard in range(TOO_MANY):
        build_shard(path, asked, Shard(shard, TOO_MANY))
    assert {marker.shard for marker in markers(unfinished(path))} == {f"{shard}/{TOO_MANY}" for shard in range(TOO_MANY)}
    join(path, asked)


def test_a_missing_shard_is_named_and_nothing_is_lost(whole: Path, data: dict[str, str], tmp_path: Path) -> None:
    path, asked = tmp_path / "shards", request(data)
    with pytest.raises(SettingsError, match=r"no shard of workspace .* has begun; .* --shard 0/N"):
        join(path, asked)
    for shard in (0, 2, 3):
        build_shard(path, asked, Shard(shard, 4))
    before = file_sizes(unfinished(path) / "index")
    with pytest.raises(WorkspaceError) as caught:
        join(path, asked)
    assert str(caught.value) == (
        "--join: segments are missing: train 00001, 00005; test 00001, of shard 1/4; "
        "run the same command with --shard 1/4 instead, then --join again"
    )
    assert before == file_sizes(unfinished(path) / "index")
    build_shard(path, asked, Shard(1, 4))
    join(path, asked)
    assert index(path) == index(whole)


def test_what_is_spoilt_is_made_again(whole: Path, data: dict[str, str], tmp_path: Path) -> None:
    path, asked = tmp_path / "shards", request(data)
    for shard in range(2):
        build_shard(path, asked, Shard(shard, 2))
    train = unfinished(path) / "index" / "train"
    (train / "00000" / "0" / "done.json").unlink()  # half written
    spoilt = train / "00003" / "1" / "top.safetensors"
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"!")
    shutil.rmtree(train / "00004")
    (unfinished(path) / "shards" / "0-of-2.json").unlink()
    (unfinished(path) / "shards" / "1-of-2.json").write_text("{}")
    with pytest.raises(WorkspaceError, match="train 00000, 00003, 00004; run the same command with --shard I/N for each I, or"):
        join(path, asked)
    for shard in range(2):
        build_shard(path, asked, Shard(shard, 2))
    join(path, asked)
    assert index(path) == index(whole)


def test_other_settings_or_data_are_refused_and_what_differs_is_named(data: dict[str, str], tmp_path: Path) -> None:
    path, asked = tmp_path / "shards", request(data)
    build_shard(path, asked, Shard(0, 2))
    training = training_settings("cnn", epochs=2, learning_rate=0.1, batch_size=16)
    elsewhere = write_csv(tmp_path / "other.csv", rows(80, seed=5, prefix="tr"))
    for other, differs in (
        (replace(asked, training=training), r"--epochs \(3 there, 2 here\)"),
        (replace(asked, top_k=5, max_length=64), r"--max-length \(128 there, 64 here\), --top-k \(4 there, 5 here\)"),
        (replace(asked, store_rest=False), r"--index \(all there, top-k here\)"),
        (replace(asked, train=elsewhere), r"--train \(.* there, .*other.csv here\), the content of --train"),
    ):
        for build in (partial(build_shard, shard=Shard(1, 2)), partial(build_workspace, join=True)):
            with pytest.raises(SettingsError, match=f"was begun with other data or settings: {differs}; give the same ones"):
                build(path, other)
    Path(data["train"]).with_name("same.csv").write_bytes(Path(data["train"]).read_bytes())
    build_shard(path, asked, Shard(1, 2))
    join(path, asked)


def test_a_shard_trained_apart_is_refused(data: dict[str, str], tmp_path: Path) -> None:
    """Copied together from machines that share no folder: pieces of another model would be scores of nothing."""
    asked, (here, there) = request(data), (tmp_path / "here", tmp_path / "there")
    build_shard(here, asked, Shard(0, 2))
    build_shard(there, asked, Shard(1, 2))
    weights = next(unfinished(there).glob("checkpoints/*/hashes.json"))
    weights.write_text(weights.read_text().replace("a", "b"))  # as on a machine that rounds otherwise
    (unfinished(there) / "shards" / "1-of-2.json").unlink()
    build_shard(there, asked, Shard(1, 2))
    shutil.copytree(unfinished(there) / "shards", unfinished(here) / "shards", dirs_exist_ok=True)
    shutil.copytree(unfinished(there) / "index", unfinished(here) / "index", dirs_exist_ok=True)
    with pytest.raises(WorkspaceError, match=r"shard 1/2 \(on .*\) was made with another model, trained apart from this one"):
        join(here, asked)


def test_other_devices_are_refused(data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    import influence.workspace.build as building

    path, asked = tmp_path / "shards", request(data)
    build_shard(path, asked, Shard(0, 2))
    monkeypatch.setattr(building, "resolve_device", lambda name: torch.device("cuda"))
    with pytest.raises(SettingsError, match=r"--device cuda: the index was begun on cpu, .*; give --device cpu"):
        build_shard(path, asked, Shard(1, 2))


def test_others_keep_off_while_a_shard_is_at_work(data: dict[str, str], tmp_path: Path) -> None:
    path, asked, seen = tmp_path / "shards", request(data), list[str]()

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "gradients 1/3 train" and not seen:
            seen.append(stage)
            with pytest.raises(WorkspaceBusy, match="shards of a build are at work on workspace"):
                build_workspace(path, asked)  # which would start over
            build_shard(path, asked, Shard(1, 2))  # and another shard does not
            build_shard(path, asked, Shard(0, 2))  # nor the same one by mistake
            with pytest.raises(WorkspaceBusy, match="a shard is at work on workspace"):
                join(path, asked)

    build_shard(path, asked, Shard(0, 2), progress=progress)
    assert seen
    join(path, asked)


def test_who_comes_later_waits_and_says_for_whom(data: dict[str, str], tmp_path: Path) -> None:
    path, asked, told = tmp_path / "shards", request(data), list[str]()
    build_shard(path, asked, Shard(0, 2))
    waiting = threading.Thread(
        target=build_shard, args=(path, asked, Shard(1, 2)), kwargs={"progress": lambda stage, *_: told.append(stage)}
    )
    with build_lock(path):
        waiting.start()
        while len(told) < 2:
            time.sleep(0.05)
    waiting.join()
    assert told[0] == f"waiting for process {os.getpid()} on {socket.gethostname()}"
    join(path, asked)


@pytest.mark.slow
def test_one_of_many_at_once_trains(data: dict[str, str], tmp_path: Path, whole: Path) -> None:
    """In processes of their own, two of them with the same shard by mistake."""
    path = tmp_path / "shards"
    processes = [shard_process(path, data, f"{number % 2}/2") for number in range(3)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert "".join(error for _, error in said).count("train epoch 3: done") == 1
    assert {marker.shard for marker in markers(unfinished(path))} == {"0/2", "1/2"}
    join(path, request(data))


def shard_process(path: Path, data: dict[str, str], shard: str) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    settings = [
        "--id",
        "id",
        "--epochs",
        "3",
        "--learning-rate",
        "0.1",
        "--batch-size",
        "16",
        "--top-k",
        "4",
        "--model",
        "cnn",
        "--index",
        "all",
    ]
    command = ["build", "--train", data["train"], "--test", data["test"], *settings, "--workspace", str(path), "--shard", shard]
    return subprocess.Popen(
        [sys.executable, "-m", "influence", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_shard_killed_in_the_middle_goes_on(whole: Path, data: dict[str, str], tmp_path: Path) -> None:
    path, asked = tmp_path / "shards", request(data)
    build_shard(path, asked, Shard(1, 2))
    train = unfinished(path) / "index" / "train"
    process = shard_process(path, data, "0/2")
    assert process.stderr is not None
    while "gradients" not in (line := process.stderr.readline()):
        assert line, "it ended before"
    process.kill()
    process.communicate()
    (train / "00000" / "1.0badcafe.tmp").mkdir(parents=True, exist_ok=True)  # as a kill between two files leaves it
    build_shard(path, asked, Shard(0, 2))
    join(path, asked)
    assert index(path) == index(whole)


def test_a_full_disk_is_one_line_and_loses_nothing(whole: Path, data: dict[str, str], tmp_path: Path) -> None:
    path, asked = tmp_path / "shards", request(data)
    build_shard(path, asked, Shard(0, 2))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(file.stat().st_size for file in (unfinished(path) / "index").rglob("top.safetensors"))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, hard))
        with pytest.raises(WorkspaceError, match=r"disk full while writing workspace .* run the same command again"):
            build_shard(path, asked, Shard(1, 2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert not list((unfinished(path) / "index").rglob("*.tmp"))
    build_shard(path, asked, Shard(1, 2))
    join(path, asked)
    assert index(path) == index(whole)


@pytest.mark.parametrize("devices", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_pretended_cards_share_the_segments(whole: Path, data: dict[str, str], tmp_path: Path, devices: int) -> None:
    """What several cards do, with processes that are told of one each and have none."""
    path = tmp_path / "cards"
    build_workspace(path, request(data), engine=Processes([{"CUDA_VISIBLE_DEVICES": ""}] * devices))
    use(path)
    assert index(path) == index(whole)


@pytest.mark.slow
def test_an_engine_that_loses_pieces_names_them_and_goes_on(
    whole: Path, data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked, told = tmp_path / "cards", request(data), list[str]()
    with monkeypatch.context() as patch:
        patch.setattr("influence.indexing.making.RETRIES", 0)
        killed: list[int] = []

        def kill_one(stage: str, done: int, total: int) -> None:
            if stage == "gradients" and not killed:
                killed.append(own_children()[0])
                os.kill(killed[0], signal.SIGKILL)

        with pytest.raises(EngineError, match=r"segments are missing: \w+ \d{5} \(a process that was working ended.*--resume"):
            build_workspace(path, asked, engine=Processes([{}, {}]), progress=kill_one)
    build_workspace(path, asked, engine=Processes([{}, {}]), resume=True, progress=lambda stage, *_: told.append(stage))
    assert not any(stage.startswith("train epoch") for stage in told)
    assert index(path) == index(whole)


def own_children() -> list[int]:
    """Process ids of the workers that this process has started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, status = (process / "cmdline").read_bytes(), (process / "status").read_text()
        except OSError:
            continue
        if b"influence.engines.process" in command and f"PPid:\t{os.getpid()}\n" in status:
            found.append(int(process.name))
    return found


@pytest.mark.parametrize(
    ("shard", "said"),
    [
        ("4/4", "shards are counted from 0, so the last of 4 is 3/4"),
        ("0/0", "there are from 1 to 100,000 shards"),
        ("1", "give I/N, as 0/4, 1/4, 2/4 and 3/4 for four shards"),
        ("-1/4", "give I/N"),
        ("a/b", "give I/N"),
        ("1/4/2", "give I/N"),
        ("", "give I/N"),
    ],
)
def test_what_is_no_shard(shard: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["build", "--train", "none.csv", "--workspace", str(tmp_path / "w"), f"--shard={shard}"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "w").exists()


def test_ways_that_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ["build", "--train", "none.csv", "--workspace", str(tmp_path / "w")]
    for ways in (["--shard", "0/2", "--join"], ["--join", "--engine", "ray"], ["--shard", "0/2", "--engine", "ray"]):
        assert main([*build, *ways]) == 2
        assert "one process of a build does one of them" in capsys.readouterr().err


def test_the_command_line(data: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ["build", "--train", data["train"], "--test", data["test"], "--id", "id", "--model", "cnn", "--epochs", "2"]
    build += ["--workspace", str(tmp_path / "w"), "--encoder", "none"]
    for shard in range(2):
        assert main([*build, "--shard", f"{shard}/2"]) == 0
        assert f"shard {shard}/2 has made its segments ({4 - shard} train and 1 test)" in capsys.readouterr().out
    assert main([*build, "--join"]) == 0
    assert "80 training and 16 test examples" in capsys.readouterr().out
    assert main([*build, "--shard", "0/2"]) == 0
    assert "built and joined already, there is nothing left for shard 0/2" in capsys.readouterr().out
