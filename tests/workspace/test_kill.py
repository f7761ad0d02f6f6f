"""kill -9 of a real build at random moments: the old workspace opens, --resume finishes, the result is the same.

KILLS sets how many (3 unless told); KILL_SEED replays a run.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contents import check_same, content, use
from tiny import rows, write_csv

from influence import open_workspace
from influence.cli import main

pytestmark = pytest.mark.slow  # real processes, killed

KILLS = int(os.environ.get("KILLS", "3"))
SEED = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(10**6)))


@pytest.fixture(scope="module")
def arguments(data: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A build that takes some seconds, all but the workspace."""
    train = write_csv(tmp_path_factory.mktemp("kill") / "train.csv", rows(300, seed=9, prefix="tr"))
    settings = [
        "--id",
        "id",
        "--epochs",
        "6",
        "--max-checkpoints",
        "3",
        "--learning-rate",
        "0.1",
        "--batch-size",
        "4",
        "--top-k",
        "4",
        "--model",
        "cnn",
    ]
    return ["build", "--train", train, "--test", data["test"], *settings]


def start(arguments: list[str], path: Path) -> subprocess.Popen[str]:
    """The build in a process of its own, past its imports: its first line of progress has come."""
    process = subprocess.Popen(
        [sys.executable, "-m", "influence", *arguments, "--workspace", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("tokenizer")
    return process


@pytest.fixture(scope="module")
def uninterrupted(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], float]:
    """What an uninterrupted build holds, and how long it took."""
    path = tmp_path_factory.mktemp("kill") / "whole"
    begun = time.monotonic()
    assert main([*arguments, "--workspace", str(path)]) == 0
    return content(path), time.monotonic() - begun


@pytest.mark.parametrize("kill", range(KILLS))
def test_kill_at_a_random_moment(
    kill: int,
    arguments: list[str],
    uninterrupted: tuple[dict[str, Any], float],
    copied: Callable[[], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected, seconds = uninterrupted
    path = copied()
    old = open_workspace(path).info
    moment = random.Random(f"{SEED}/{kill}").uniform(0, seconds)
    process = start(arguments, path)
    time.sleep(moment)
    process.kill()
    _, progress = process.communicate()
    last = progress.splitlines()[-1] if progress else "tokenizer"
    with capsys.disabled():
        print(f"\nkill {kill + 1} of {KILLS}, KILL_SEED={SEED}: after {moment:.2f} of {seconds:.2f} s, at {last!r}", end=" ")

    use(path)
    assert process.returncode in (-signal.SIGKILL, 0)  # 0: it was quicker this time
    assert open_workspace(path).info.train_source in (old.train_source, arguments[2])
    assert main([*arguments, "--workspace", str(path), "--resume"]) == 0
    use(path)
    check_same(content(path), expected)
    assert len(list((path / "builds").iterdir())) == 1
