"""Work on a Ray cluster: the same answers as here, and what happens when a part of it dies or does not answer.

Ray takes seconds to start, so it is started once for all that can share it. Skipped where Ray is not installed, unless
REQUIRE_RAY=1, as in CI.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from contents import build_folder, use
from engine_work import die_at_first, look_around, refuse
from tiny import request

import influence.explanations.spreading as spreading
from influence import explain
from influence.cli import main
from influence.engines import Engine, Processes, chosen
from influence.errors import EngineError, ModelError, WorkspaceError
from influence.explanations import spread_over
from influence.opinions import HeldOutSettings, ensure_trained
from influence.opinions.cross_validation import train_one
from influence.opinions.held_out import model_folder
from influence.retraining import Change, Run, retrain
from influence.seals import folder_seals
from influence.types import silent
from influence.workspace import build_workspace, read_workspace

pytestmark = pytest.mark.slow  # Ray takes seconds to start

if find_spec("ray") is None and os.environ.get("REQUIRE_RAY") != "1":
    pytest.skip("Ray is not installed (requirements-ray.txt)", allow_module_level=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No token of the user's, and none left behind."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(folder))
        patch.setattr("influence.engines.cluster.cores", lambda: 2)
        yield folder


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Engine]:
    """Ray on this machine, with two places."""
    with chosen("ray") as engine:
        assert engine is not None
        yield engine


def test_it_does_what_processes_do(cluster: Engine) -> None:
    told: list[int] = []
    tasks = [{"name": f"é{number}", "steps": 2} for number in range(3)]
    found = {ended.task: ended.value for ended in cluster.run(look_around, tasks, step=told.append)}
    assert cluster.places == 2
    assert cluster.device == "cpu"
    assert [found[task]["asked"] for task in range(3)] == tasks
    assert {one["threads"] for one in found.values()} == {1}
    assert sum(told) == 6
    [ended] = cluster.run(look_around, [{}], threads=2)
    assert ended.value["threads"] == 2


def test_errors_come_back_and_killed_work_is_done_again(
    cluster: Engine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    errors = {ended.task: ended.error for ended in cluster.run(refuse, [{"why": "no such model"}, {"disk": "full"}, {}])}
    assert isinstance(errors[0], ModelError)
    assert str(errors[0]) == f"on {socket.gethostname()}: no such model"
    assert isinstance(errors[1], WorkspaceError)
    assert "disk full; free some space" in str(errors[1])
    assert isinstance(errors[2], EngineError)
    assert "RuntimeError: a bug" in str(errors[2])
    tasks = [{"folder": str(tmp_path), "name": name, "deaths": deaths} for name, deaths in (("a", 1), ("b", 0), ("c", 9))]
    found = {ended.task: ended.error or ended.result for ended in cluster.run(die_at_first, tasks, retries=1)}
    assert found[0] == "a"
    assert found[1] == "b"
    assert isinstance(found[2], EngineError)
    assert "was lost" in str(found[2])
    assert capfd.readouterr().out == ""


def test_an_actor_stays_on_every_machine_and_comes_back(cluster: Engine) -> None:
    held = cluster.hold(look_around, {"name": "é"})
    [first], [second] = held.ask({"steps": 2}), held.ask({})
    assert first["asked"] == {"name": "é", "steps": 2, "share": [0, 1]}
    assert first["process"] == second["process"]
    os.kill(first["process"], signal.SIGKILL)
    [third] = held.ask({})
    assert third["process"] != first["process"]
    held.close()
    with pytest.raises(EngineError, match="a machine of the Ray cluster does not answer"):
        held.ask({})


def test_where_nobody_can_do_the_work_that_is_said(cluster: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work for a card, and the only machine that had one is gone."""
    monkeypatch.setattr("influence.engines.cluster.GONE_SECONDS", 2.0)
    monkeypatch.setattr(cluster, "device", "cuda")
    [ended] = cluster.run(look_around, [{}])
    assert "for 2 s no machine of the Ray cluster has had a free place (card)" in str(ended.error)


def test_retraining_is_the_same_to_the_bit(cluster: Engine, copied: Callable[[], Path]) -> None:
    opened = read_workspace(copied())
    runs = [Run(1), Run(2, Change(removed=(1, 2, 5), relabelled=((9, 0),)))]
    engines: dict[str, Engine | None] = {"here": None, "processes": Processes([{}, {}]), "ray": cluster}
    found = {}
    for name, engine in engines.items():
        found[name] = {result.run: result.probabilities_MY for result in retrain(opened, runs, engine=engine)}
        (opened.path / "retraining.duckdb").unlink()
    for run in runs:
        np.testing.assert_array_equal(found["ray"][run], found["here"][run])
        np.testing.assert_array_equal(found["processes"][run], found["here"][run])
    opened.close()


def test_held_out_models_are_the_same_to_the_bit(cluster: Engine, copied: Callable[[], Path]) -> None:
    settings, told = HeldOutSettings(models=2, folds=2), list[tuple[int, int]]()
    here, there = read_workspace(copied()), read_workspace(copied())
    ensure_trained(here, settings, "cpu", silent)
    ensure_trained(there, settings, "cpu", lambda _stage, done, total: told.append((done, total)), cluster)
    assert told[-1] == (6, 6)
    for number in range(2):
        for name in ("probabilities.npy", "expected.npy", "hashes.json"):
            files = [model_folder(opened.build, settings, number) / name for opened in (here, there)]
            assert files[0].read_bytes() == files[1].read_bytes()
    for opened in (here, there):
        opened.close()


def test_an_index_made_by_ray_is_that_of_one_process(
    cluster: Engine, data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import influence.segments.build as layout

    plan = layout.plan_segments
    monkeypatch.setattr(layout, "plan_segments", lambda n, width, how: plan(n, width, replace(how, segment_examples=12)))
    digests, killed = {}, list[int]()

    def kill_one(stage: str, done: int, total: int) -> None:
        if stage == "gradients" and not killed and (workers := ray_workers()):
            killed.append(workers[0])
            os.kill(killed[0], signal.SIGKILL)

    for name, engine in {"one": None, "ray": cluster}.items():
        build_workspace(tmp_path / name, request(data), engine=engine, progress=kill_one)
        use(tmp_path / name)
        digests[name] = folder_seals(build_folder(tmp_path / name) / "index")["files"]
    assert killed
    assert sum("top" in name for name in digests["one"]) == 3 * 7
    assert digests["ray"] == digests["one"]


def test_a_question_answered_by_actors_has_the_same_answer(cluster: Engine, workspace: Path) -> None:
    opened = read_workspace(workspace)
    spread_over(cluster)
    try:
        there = explain(opened, text="a very good film", top=50)
        assert opened in spreading._held  # and was not answered here
    finally:
        spread_over(None)
    assert there == explain(opened, text="a very good film", top=50)
    assert there.proponents
    opened.close()


def ray_workers() -> list[int]:
    """Process ids of workers in the middle of making a piece of an index."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(b"ray::_perform") and is_ours(int(process.name)):
                found.append(int(process.name))
    return found


def is_ours(process: int) -> bool:
    """Whether a process came from this one."""
    while process > 1 and process != os.getpid():
        process = int(re.findall(r"PPid:\t(\d+)", Path(f"/proc/{process}/status").read_text())[0])
    return process == os.getpid()


def test_a_machine_that_sees_another_folder_says_so(cluster: Engine, workspace: Path, tmp_path: Path) -> None:
    common = {"build": "20200101T000000000000Z", "settings": asdict(HeldOutSettings(models=2, folds=2)), "number": 0}
    tasks = [{**common, "workspace": str(path), "device": "cpu"} for path in (workspace, tmp_path)]
    other, none = sorted(cluster.run(train_one, tasks))
    assert isinstance(other.error, WorkspaceError)
    assert f"on {socket.gethostname()}: workspace {str(workspace)!r} has another build here" in str(other.error)
    assert f"there is no workspace at {str(tmp_path)!r}" in str(none.error)


def refusal(capsys: pytest.CaptureFixture[str], workspace: Path, address: str) -> str:
    begun = time.monotonic()
    arguments = ["suspects", "--workspace", str(workspace), "--engine", "ray", "--address", address]
    assert main(arguments) == 2
    assert time.monotonic() - begun < 30
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_an_address_that_does_not_answer(
    home: Path, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("nonsense", "ray://head:1", "head:port", ":6379"):
        assert f"--address {address!r}: give the host and port" in refusal(capsys, workspace, address)
    assert "no Ray cluster answers there (Connection refused)" in refusal(capsys, workspace, "127.0.0.1:9")
    assert "start one with: ray start --head" in refusal(capsys, workspace, "127.0.0.1:99999")
    monkeypatch.setattr("influence.engines.cluster.ANSWER_SECONDS", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # somebody listens, and is no Ray
        assert "no Ray cluster answers there within 3 s" in refusal(capsys, workspace, f"127.0.0.1:{mute.getsockname()[1]}")


def test_without_ray_it_says_what_to_install(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("influence.engines.cluster.find_spec", lambda name: None)
    assert main(["suspects", "--workspace", str(workspace), "--engine", "ray"]) == 2
    assert "install it with: pip install ray==2.60.0" in capsys.readouterr().err


def test_a_cluster_by_its_address(home: Path, data: dict[str, str], tmp_path: Path) -> None:
    """Begun as the documentation says, by a command of Ray's own; who asks for work sends the code along."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ray = str(Path(sys.executable).with_name("ray"))
    options = ["--num-cpus", "2", "--object-store-memory", str(80 << 20), "--include-dashboard", "false", "--block"]
    elsewhere = tmp_path / "elsewhere"  # where there is nothing of ours
    elsewhere.mkdir()
    head = subprocess.Popen(
        [ray, "start", "--head", "--port", str(port), *options],
        cwd=elsewhere,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        build = ["build", "--train", data["train"], "--test", data["test"], "--id", "id", "--model", "cnn", "--epochs", "2"]
        where = ["--workspace", str(tmp_path / "w"), "--encoder", "none", "--engine", "ray", "--address", f"127.0.0.1:{port}"]
        code = "import sys; from influence.cli import main; sys.exit(main(sys.argv[1:]))"
        ran = subprocess.run([sys.executable, "-c", code, *build, *where], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert "80 training and 16 test examples" in ran.stdout
        assert "gradients: done" in ran.stderr
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        head.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False
