"""kill -9 at random moments: a build, decisions, suspects, a backup, an applied fix list, a workspace that is renamed.

    python -m tests.benchmarks.kills [--kills 500] [--seed 1] [--minutes M]

Each victim is a fork of a process that has everything imported, and is killed at a random moment of the time that the
same work takes untouched. A second fork looks at what is left: every decision that was confirmed is there and the log whole;
the workspace opens; the work done again gives what it gives uninterrupted, and leaves nothing beside it. A moment after the end
of the work counts as one that came too late. Prints a table; exit code 1 where anything was lost.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

from contents import check_same, content
from forking import warm
from tiny import request, rows, write_csv

from influence.review import Reviewer, open_reviews
from influence.workspace import read_workspace

ANN = Reviewer(name="Ann")
N = 120  # training examples


class Setting(NamedTuple):
    """What victims work on: `folder` is a kill's own, what is whole lies beside it."""

    whole: Path  # train.csv, test.csv, fixes.csv, and `root/tiny`, a workspace with a decision
    folder: Path
    confirmed: Path  # what a victim says is done, a line each

    @property
    def workspace(self) -> Path:
        return self.folder / "root" / "tiny"


def _main(*arguments: object) -> None:
    from influence.cli import main

    if (code := main([str(one) for one in arguments])) != 0:
        raise AssertionError(f"{arguments[0]} ended with exit code {code}")


def _build(at: Setting, *more: str) -> None:
    files = ["--train", at.whole / "train.csv", "--test", at.whole / "test.csv", "--id", "id", "--model", "cnn"]
    settings = ["--epochs", 3, "--learning-rate", 0.02, "--batch-size", 4, "--top-k", 4]
    _main("build", *files, *settings, "--workspace", at.workspace, *more)


def _built(at: Setting) -> Any:
    read_workspace(at.workspace)
    _build(at, "--resume")
    assert len(list((at.workspace / "builds").iterdir())) == 1
    return content(at.workspace)


def _decide(at: Setting) -> None:
    generator = random.Random(at.folder.name)
    reviews = open_reviews(read_workspace(at.workspace))
    with at.confirmed.open("w", buffering=1) as said:
        for _ in range(60):
            id = f"tr{generator.randrange(N)}"
            reviews.decide(ANN, id, "remove" if generator.random() < 0.5 else "keep", note=str(generator.random()))
            said.write(f"{id}\n")
            if generator.random() < 0.2:
                reviews.undo(ANN)
                said.write("undo\n")
    reviews.close()


def _decisions(at: Setting) -> None:
    confirmed = at.confirmed.read_text().splitlines() if at.confirmed.exists() else []
    reviews = open_reviews(read_workspace(at.workspace))
    try:
        assert reviews.log.verify() == [], reviews.log.verify()
        audit = reviews.audit()
        found = ["undo" if kind == "undo" else id for kind, id in zip(audit["kind"], audit["example_id"], strict=True)][1:]
        whole = confirmed if not confirmed or at.confirmed.read_text().endswith("\n") else confirmed[:-1]
        assert found[: len(whole)] == whole, (found, whole)
        assert len(found) <= len(whole) + 1, (found, whole)  # one may be on disk and not yet confirmed
        reviews.decide(ANN, "tr1", "keep")
    finally:
        reviews.close()


def _suspects(at: Setting) -> None:
    _main("suspects", "--workspace", at.workspace, "--encoder", "none", "--seed", "1")


def _suspected(at: Setting) -> Any:
    from influence.suspects import write_suspects  # noqa: F401  # registers what reads them

    read_workspace(at.workspace)
    _suspects(at)
    _opens(at)
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(at.workspace.rglob("suspects*.parquet"))]


def _back_up(at: Setting) -> None:
    _main("backup", "--workspace", at.workspace, "--output", at.folder / "root" / "backup.zip")


def _backed_up(at: Setting) -> Any:
    target = at.folder / "root" / "backup.zip"
    if target.exists():
        assert zipfile.ZipFile(target).testzip() is None
    _opens(at)
    _back_up(at)
    assert sorted(place.name for place in target.parent.iterdir()) == ["backup.zip", "tiny"]
    return sorted(zipfile.ZipFile(target).namelist())


def _apply(at: Setting) -> None:
    _main(
        "apply", "--fixes", at.whole / "fixes.csv", "--train", at.whole / "train.csv", "--output", at.folder / "out" / "new.csv"
    )


def _applied(at: Setting) -> Any:
    target = at.folder / "out" / "new.csv"
    before = target.read_bytes() if target.exists() else None
    _apply(at)
    assert before in (None, target.read_bytes())
    assert [place.name for place in target.parent.iterdir()] == ["new.csv"]
    return target.read_bytes()


def _rename(at: Setting) -> None:
    from influence.workspace import rename_workspace

    for name in range(200):
        rename_workspace(at.folder / "root", f"w{name - 1}" if name else "tiny", f"w{name}")


def _renamed(at: Setting) -> None:
    [path] = (at.folder / "root").iterdir()
    reviews = open_reviews(read_workspace(path))
    assert len(reviews.audit()) == 1
    reviews.close()


def _opens(at: Setting) -> None:
    reviews = open_reviews(read_workspace(at.workspace))
    assert len(reviews.audit()) == 1
    reviews.close()


# What is killed, and what looks at what is left and returns what must be as it is uninterrupted.
VICTIMS: dict[str, tuple[Callable[[Setting], None], Callable[[Setting], Any]]] = {
    "build": (_build, _built),
    "decisions": (_decide, _decisions),
    "suspects": (_suspects, _suspected),
    "backup": (_back_up, _backed_up),
    "apply": (_apply, _applied),
    "rename": (_rename, _renamed),
}
TURNS = [*VICTIMS, *["decisions", "backup", "apply", "rename"] * 2]  # seconds less each than a build and a ranking


def fork(work: Callable[[], None], log: Path) -> int:
    """Do work in a fork; returns its process id."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        os.setsid()
        opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(opened, 1)
        os.dup2(opened, 2)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(pid: int) -> int:
    """Wait for a fork; returns its exit code, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def prepare(whole: Path) -> None:
    """What every kill begins with."""
    from influence.workspace import build_workspace

    files = {}
    for split, n, seed in (("train", N, 9), ("test", 10, 2)):
        files[split] = write_csv(whole / f"{split}.csv", rows(n, seed=seed, prefix=split[:2]))
    build_workspace(whole / "root" / "tiny", request(files))
    reviews = open_reviews(read_workspace(whole / "root" / "tiny"))
    reviews.decide(ANN, "tr0", "remove")
    reviews.close()
    _main("export", "--workspace", whole / "root" / "tiny", "--output", whole / "fixes.csv")


def setting(whole: Path, name: str) -> Setting:
    """A folder of a kill's own."""
    folder = whole.parent / name
    shutil.copytree(whole / "root", folder / "root")
    (folder / "out").mkdir()
    return Setting(whole, folder, folder / "confirmed")


class Row(NamedTuple):
    """What came of one kill."""

    victim: str
    killed: bool  # False: the moment came after the end of the work
    wrong: str
    seconds: float  # after which


def compare(look: Callable[[Setting], Any], at: Setting, expected: Any) -> None:
    """Look at what is left, and hold it to what an uninterrupted run leaves."""
    found = look(at)
    if isinstance(expected, dict):
        check_same(found, expected)
    else:
        assert found == expected, (found, expected)


def kill(victim: str, number: int, generator: random.Random, whole: Path, expected: Any, seconds: float) -> Row:
    """Start a victim, kill it, look at what is left."""
    work, look = VICTIMS[victim]
    at, log = setting(whole, f"{victim}-{number}"), whole.parent / f"{victim}-{number}.txt"
    moment = generator.uniform(0, seconds)
    pid = fork(lambda: work(at), log)
    time.sleep(moment)
    os.killpg(pid, signal.SIGKILL) if os.getpgid(pid) == pid else os.kill(pid, signal.SIGKILL)
    code = ended(pid)
    wrong = "" if code in (0, -signal.SIGKILL) else f"ended by itself with exit code {code}"
    if ended(fork(lambda: compare(look, at, expected), log)) != 0:
        wrong = "what is left is not right"
    if wrong:
        print(f"{victim} {number}, killed after {moment:.3f} s: {wrong}\n{log.read_text()[-3000:]}", file=sys.stderr)
    shutil.rmtree(at.folder)
    log.unlink()
    return Row(victim, code == -signal.SIGKILL, wrong, moment)


def uninterrupted(victim: str, whole: Path) -> tuple[Any, float]:
    """What a victim's work leaves untouched, by a fork of its own, and how long it takes."""
    import pickle

    work, look = VICTIMS[victim]
    at, log = setting(whole, f"{victim}-whole"), whole.parent / f"{victim}-whole.txt"
    begun = time.monotonic()
    assert ended(fork(lambda: work(at), log)) == 0, log.read_text()
    seconds = time.monotonic() - begun
    result = whole.parent / f"{victim}.pickle"
    assert ended(fork(lambda: result.write_bytes(pickle.dumps(look(at))) and None, log)) == 0, log.read_text()
    shutil.rmtree(at.folder)
    return pickle.loads(result.read_bytes()), seconds  # written a moment ago by our own fork


def table(found: Iterable[Row], seconds: dict[str, float]) -> str:
    """A line a victim."""
    found = list(found)
    lines = [f"{'killed':<12}{'kills':>7}{'too late':>10}{'wrong':>7}{'s untouched':>13}"]
    for victim in VICTIMS:
        mine = [row for row in found if row.victim == victim]
        late, wrong = sum(not row.killed for row in mine), sum(bool(row.wrong) for row in mine)
        lines.append(f"{victim:<12}{len(mine) - late:>7}{late:>10}{wrong:>7}{seconds[victim]:>13.2f}")
    total = [sum(row.killed for row in found), sum(not row.killed for row in found), sum(bool(row.wrong) for row in found)]
    return "\n".join([*lines, f"{'all':<12}{total[0]:>7}{total[1]:>10}{total[2]:>7}"])


def main() -> int:
    """Kill, look, and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="stop then, however many that were")
    options = parser.parse_args()
    warm()
    generator, stop = random.Random(options.seed), time.monotonic() + 60 * options.minutes
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="wordtrace-kills-") as folder:
        whole, log = Path(folder) / "whole", Path(folder) / "prepared.txt"
        whole.mkdir()
        os.environ["WORDTRACE_STATE"] = f"{folder}/state"
        assert ended(fork(lambda: prepare(whole), log)) == 0, log.read_text()
        untouched = {victim: uninterrupted(victim, whole) for victim in VICTIMS}
        seconds = {victim: taken for victim, (_, taken) in untouched.items()}
        number = 0
        while sum(row.killed for row in found) < options.kills and time.monotonic() < stop:
            victim = TURNS[number % len(TURNS)]
            found.append(kill(victim, number, generator, whole, *untouched[victim]))
            number += 1
    print(table(found, seconds))
    return int(any(row.wrong for row in found))


if __name__ == "__main__":
    sys.exit(main())
