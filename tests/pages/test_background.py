"""Jobs beside the server: one at a time, the others queued, cancelled without a trace, failures told. Real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import influence
from influence.cli import ProgressEvent
from influence.experiments.whatif import outcomes
from influence.explanations import cancellation_table
from influence.types import Stage
from pages.ui.frame import state
from pages.ui.jobs import background, processes, wording
from pages.ui.proof import trust

CHANGE = "opponents:test-3:5"
EVENT = ProgressEvent(Stage("retrain"), 3, 8, 75.0, 125.0)


@pytest.fixture
def workspace(workspaces, tmp_path):
    shutil.copytree(workspaces / "tiny", tmp_path / "tiny")
    opened = influence.open_workspace(tmp_path / "tiny")
    yield opened
    for job in background.jobs(opened):
        job.cancel()
    until(lambda: all(job.failed for job in background.jobs(opened)))


def until(check, seconds=180):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


def start(workspace, seeds, *, change=CHANGE):
    options = ["--change", change, "--seeds", str(seeds), "--device", "cpu"]
    background.enqueue(workspace, "retrain", *options, title=f"{seeds} seeds", key=json.dumps(options))


def jobs_folder(workspace):
    path = workspace.path.resolve()
    return state.made_for(path, among=path.parent) / background.JOBS


def folders(workspace):
    return list(jobs_folder(workspace).glob("*"))


def running(workspace):
    return [job for job in background.jobs(workspace) if job.started_at is not None and not job.failed]


@pytest.mark.slow
def test_one_runs_the_other_waits_and_both_leave_only_their_answers(workspace):
    start(workspace, 1)
    start(workspace, 2)
    start(workspace, 2)  # pressed twice
    assert len(background.jobs(workspace)) == 2
    until(lambda: running(workspace))
    most = 0
    while background.jobs(workspace):
        most = max(most, len(running(workspace)))
        time.sleep(0.02)
    assert most == 1
    assert sorted(len(outcome.seeds) for outcome in outcomes(workspace)) == [1, 2]
    until(lambda: not folders(workspace), seconds=10)  # a folder goes file by file


@pytest.mark.slow
def test_what_follows_the_demo_is_what_the_page_would_start(workspace):
    """A process that ends leaves the job to run; the page's button would add none."""
    assert cancellation_table(workspace) is None
    command = [sys.executable, "-m", "pages.ui.proof.first", str(workspace.path)]
    subprocess.run(command, check=True, cwd=processes.ROOT)
    for job in background.jobs(workspace):
        assert (job.command, job.title, job.key) == (trust.CANCELLATION, trust.CANCELLATION_TITLE, json.dumps([job.command]))
    # As a page looks: whoever looks takes over where the starter is gone.
    until(lambda: not background.jobs(workspace) and not folders(workspace))
    assert not cancellation_table(workspace).empty


def test_cancelled_while_it_waits_or_runs_nothing_stays(workspace):
    before = {path.name for path in workspace.path.iterdir()}
    start(workspace, 50)
    start(workspace, 49)
    until(lambda: running(workspace))
    first, second = background.jobs(workspace)
    pid = json.loads((first.folder / processes.PROCESS).read_text())["pid"]
    second.cancel()
    assert not second.folder.exists()
    first.cancel()
    until(lambda: not folders(workspace), seconds=10)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    left = {path.name for path in workspace.path.iterdir()} - before
    assert left <= {"retraining.duckdb", "retraining.lock"}  # models that were finished are kept
    assert outcomes(workspace) == []


def test_a_cancelled_process_is_there_until_its_command_has_ended(workspace, tmp_path, monkeypatch):
    """Nobody removes what a command makes while it still holds it: freeing its memory alone may take a second."""
    folder, slow = tmp_path / "job", tmp_path / "slow"
    folder.mkdir()
    slow.mkdir()
    heard = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
    (slow / "sitecustomize.py").write_text(heard)  # a process that is stopped hears only what it handles when it goes on
    monkeypatch.setenv("PYTHONPATH", str(slow))
    options = ["--workspace", str(workspace.path), "--change", CHANGE, "--seeds", "50", "--device", "cpu"]
    shell = processes.start(folder, ["retrain", *options])
    until(lambda: processes.said(folder))
    child = int(Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text())
    os.kill(child, signal.SIGSTOP)
    processes.send(folder, signal.SIGTERM)
    time.sleep(0.3)
    assert shell.poll() is None
    assert processes.is_alive(folder)
    os.kill(child, signal.SIGCONT)
    assert shell.wait(60) == processes.code(folder) == 3
    assert not Path(f"/proc/{child}").exists()


def test_a_failure_is_told_until_it_is_dismissed(workspace):
    start(workspace, 1, change="opponents:nobody:5")
    until(lambda: any(job.failed for job in background.jobs(workspace)))
    [job] = background.jobs(workspace)
    assert "unknown test id 'nobody'" in job.tail()[-1]
    job.dismiss()
    assert background.jobs(workspace) == []
    assert folders(workspace) == []


@pytest.mark.slow
def test_the_same_again_takes_a_failure_s_place(workspace):
    start(workspace, 1, change="opponents:nobody:5")
    until(lambda: any(job.failed for job in background.jobs(workspace)))
    start(workspace, 1, change="opponents:nobody:5")
    assert [job.failed for job in background.jobs(workspace)] == [False]
    until(lambda: any(job.failed for job in background.jobs(workspace)))


@pytest.mark.slow
def test_a_job_that_another_server_started_is_seen_through(workspace, tmp_path):
    """As after a restart: its process runs, or has ended, and this server did not start it."""
    import subprocess
    import sys

    folder = jobs_folder(workspace) / "1"
    folder.mkdir(parents=True)
    (folder / processes.SAID).write_text(f"{EVENT.as_json()}\n")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    about = {"pid": process.pid, "born": processes._born(process.pid), "at": time.time()}
    (folder / processes.PROCESS).write_text(json.dumps(about))
    content = {"command": "retrain", "options": [], "title": "old", "key": "old", "made_at": 0.0, "about": {}}
    (folder / background.JOB).write_text(json.dumps(content))
    [job] = background.jobs(workspace)
    assert job.progress() == EVENT
    assert (EVENT.share, EVENT.time) == (3 / 8, "2 min 05 s left")
    start(workspace, 1)
    time.sleep(0.5)
    assert [job.title for job in running(workspace)] == ["old"]  # one at a time, whoever started it
    (folder / processes.ENDED).write_text("0")
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    until(lambda: not background.jobs(workspace))
    assert len(outcomes(workspace)) == 1


def test_a_number_that_the_system_gave_to_another_process_is_not_ours(workspace):
    folder = jobs_folder(workspace) / "1"
    folder.mkdir(parents=True)
    (folder / processes.PROCESS).write_text(json.dumps({"pid": os.getpid(), "born": 1.0, "at": 0.0}))
    assert not processes.is_alive(folder)
    processes.send(folder, signal.SIGKILL)  # or this test would not go on


def job_that_said(folder, *lines):
    (folder / processes.SAID).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return background.Job(folder=folder, command="build", title="one", key="one", made_at=0.0, started_at=1.0)


def test_what_a_command_says_is_shown_as_on_a_terminal_each_stage_in_its_last_state(tmp_path):
    train, gradients = Stage("train", number=1), Stage("gradients", number=1, out_of=3, examples="test")
    said = [
        ProgressEvent(train, 1, 4, 0.0, None),
        ProgressEvent(train, 4, 4, 7.0, None),
        ProgressEvent(gradients, 1_200, 2_400, 9.0, 3_900.0),
    ]
    job = job_that_said(tmp_path, "a library's warning", *(event.as_json() for event in said), '{"error": "disk full"}')
    assert job.tail() == [
        "a library's warning",
        "train epoch 1: done in 7.0 s",
        "gradients 1/3 test: 1,200 of 2,400 (50%), 1 h 05 min left",
        "wordtrace: disk full",
    ]
    assert job.stages() == said[1:]
    assert job.progress() == said[2]
    assert job.errors() == ["disk full"]


def test_a_job_of_an_older_version_said_lines_for_people_which_are_shown_as_they_are(tmp_path):
    lines = ["retrain: 1,200 of 2,400 (50%), 1 h 05 min left", "retrain controls: 0 of 60 (0%)", "retrain: done in 3 s"]
    job = job_that_said(tmp_path, *lines, "wordtrace: 3 of 4 (75%")
    assert job.tail() == [*lines, "wordtrace: 3 of 4 (75%"]
    assert job.progress() is None
    assert job.stages() == []


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage("train", number=3), "training, epoch 3"),
        (Stage("gradients", number=1, out_of=5, examples="train"), "gradients of the training texts, checkpoint 1 of 5"),
        (Stage("tokenize", examples="test"), "cutting the test texts into tokens"),
        (Stage("retrain controls"), "training models without any change"),
        (Stage("a stage of tomorrow", number=2, out_of=9), "a stage of tomorrow 2/9"),
    ],
)
def test_stages_in_words_an_unknown_one_by_its_own_name(stage, words):
    assert wording.in_words(stage) == words
