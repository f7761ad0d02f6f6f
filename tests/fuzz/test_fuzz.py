"""A thousand inputs that nobody should give: each ends with exit code 0 or 2, no traceback, in time and in memory.

`make test-all` tries the thousand, about five minutes of a processor; `make test` and .ci/run the first sixty of them, where
slow tests are run. FUZZ_INPUTS sets how many (60 unless told), FUZZ_SEED another thousand, FUZZ_ONLY the number of a single one.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bombs import BOMBS
from forking import GIGABYTES, ROOT, SECONDS, Ended, Forks
from inputs import KINDS, Input, Kind, World
from tiny import bert, request, rows, word_pieces, write_csv

pytestmark = pytest.mark.slow  # a minute or two

COUNT = int(os.environ.get("FUZZ_INPUTS", "60"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
ONLY = os.environ.get("FUZZ_ONLY")
BOMB_SECONDS = 10
SECONDS_TAKEN = r'"seconds": [^,}]*'
REAL_PROCESSES = 2  # seconds each: the forks stand for them


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Everything whole."""
    folder = tmp_path_factory.mktemp("world")
    data = _data(folder / "data")
    workspace = _workspace(folder / "tiny", data)
    fixes = _decided(workspace, folder / "fixes")
    model, trainer = _models(folder)
    for place in [folder, *folder.rglob("*")]:  # for a user who may read everything and write nothing
        place.chmod(0o755 if place.is_dir() else 0o644)
    return World(data, workspace, model, trainer, fixes, os.geteuid() == 0)


def _data(folder: Path) -> Path:
    import pandas as pd

    folder.mkdir()
    for split, n, seed in (("train", 80, 1), ("test", 16, 2)):
        write_csv(folder / f"{split}.csv", rows(n, seed=seed, prefix=split[:2]))
    frame = pd.read_csv(folder / "train.csv")
    frame.to_json(folder / "train.jsonl", orient="records", lines=True)
    frame.to_parquet(folder / "train.parquet")
    return folder


def _workspace(path: Path, data: Path) -> Path:
    from influence.clusters import write_clusters
    from influence.explanations import words
    from influence.opinions import OpinionSettings
    from influence.suspects import write_suspects
    from influence.workspace import build_workspace, read_workspace

    build_workspace(path, request({split: str(data / f"{split}.csv") for split in ("train", "test")}))
    write_suspects(path, OpinionSettings(encoder="none"))
    write_clusters(path)
    words(read_workspace(path))
    return path


def _decided(workspace: Path, folder: Path) -> Path:
    from influence.cli import main
    from influence.review import Queues, Reviewer, open_reviews
    from influence.rules import Rule, apply_rule
    from influence.workspace import read_workspace

    folder.mkdir()
    reviews = open_reviews(read_workspace(workspace))
    ann, bob = Reviewer(name="Ann"), Reviewer(name="Bob")
    made = rows(80, seed=1, prefix="tr")
    texts, labels = {id: text for id, text, _ in made}, {id: label for id, _, label in made}
    opposite = {id: {"neg": "pos", "pos": "neg"}[label] for id, label in labels.items()}
    for id, kind in (("tr0", "relabel"), ("tr1", "remove"), ("tr2", "keep"), ("tr3", "relabel"), ("tr4", "remove")):
        reviews.decide(ann, id, kind, new_label=opposite[id] if kind == "relabel" else None)
    reviews.undo(ann)
    reviews.decide(bob, "tr0", "keep", note="as it is")
    source, planted = {"kind": "suspects", "size": 2}, {"tr9": opposite["tr9"]}
    Queues(reviews).create(bob, "some", ["tr5", "tr6"], source=source, plant=lambda _: planted)
    reviews.decide(bob, "tr5", "mask", words=[texts["tr5"].split()[0]])
    reviews.decide(bob, "tr6", "flag")
    apply_rule(reviews, bob, Rule(by="words", pattern=texts["tr8"].split()[0], action="remove", only_label=labels["tr8"]))
    reviews.close()
    for suffix in ("csv", "jsonl", "parquet"):
        assert main(["export", "--workspace", str(workspace), "--output", str(folder / f"fixes.{suffix}")]) == 0
    return folder


def _models(folder: Path) -> tuple[Path, Path]:
    import json

    tokenizer = word_pieces()
    model, trainer = folder / "model", folder / "trainer"
    made = bert(len(tokenizer), 2, seed=0)
    made.config.id2label = {0: "neg", 1: "pos"}
    made.config.label2id = {"neg": 0, "pos": 1}
    for place in (model, trainer / "checkpoint-5", trainer / "checkpoint-10"):
        made.save_pretrained(place)
        tokenizer.save_pretrained(place)
    for step in (5, 10):
        log = [{"step": at, "learning_rate": 1e-3, "loss": 0.5, "epoch": at / 5} for at in (5, 10) if at <= step]
        state = {"global_step": step, "epoch": step / 5, "log_history": log, "max_steps": 10}
        (trainer / f"checkpoint-{step}" / "trainer_state.json").write_text(json.dumps(state))
    return model, trainer


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """The process that forks."""
    started = Forks()
    yield started
    started.close()


def made(number: int, world: World, folder: Path) -> Input:
    """Input `number` of this seed, its files in `folder`."""
    rng = random.Random(f"{SEED}/{number}")
    kind: Kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
    return kind(rng, world, folder)


def same(one: str, other: str) -> bool:
    """Whether two answers are the same, but for the seconds that something took."""
    return re.sub(SECONDS_TAKEN, "", one) == re.sub(SECONDS_TAKEN, "", other)


def wrong(ended: Ended, given: Input) -> str:
    """What is wrong with how a command ended; empty where nothing is."""
    if ended.seconds > SECONDS:
        return f"took more than {SECONDS} s"
    if ended.bytes > GIGABYTES << 30:
        return f"took {ended.bytes / 2**30:.1f} GB"
    if "Traceback" in ended.err or "Fatal Python error" in ended.err:
        return "a traceback"
    if ended.code not in (0, 2):
        return f"exit code {ended.code}"
    if ended.code == 2 and not given.pages and len(ended.err.strip().splitlines()[-1:]) != 1:
        return "exit code 2 without a line that says why"
    return ""


def test_a_thousand_inputs(world: World, forks: Forks, capsys: pytest.CaptureFixture[str]) -> None:
    failures, codes, slowest, largest = [], {0: 0, 2: 0}, 0.0, 0
    answers: dict[tuple[str, ...], str] = {}
    numbers = range(COUNT) if ONLY is None else [int(ONLY)]
    for number in numbers:
        folder = Path(tempfile.mkdtemp(prefix="wordtrace-fuzz-"))
        try:
            given = made(number, world, folder)
            ended = forks.run(**given.task, folder=str(folder))
            said = wrong(ended, given)
            if not said and given.same_as is not None and ended.code == 0:
                if given.same_as not in answers:
                    answers[given.same_as] = _right_answer(given.same_as, world, forks)
                said = "" if same(ended.out, answers[given.same_as]) else "another answer than that of the whole workspace"
        finally:
            if ONLY is None:
                for place in folder.rglob("*"):
                    if place.is_dir():
                        place.chmod(0o755)
                shutil.rmtree(folder)
        codes[ended.code] = codes.get(ended.code, 0) + 1
        slowest, largest = max(slowest, ended.seconds), max(largest, ended.bytes)
        if said:
            failures.append(
                f"FUZZ_SEED={SEED} FUZZ_ONLY={number}: {given.about}: {said}\n{ascii(given.task)[:1500]}\n{ended.err[-1500:]}"
            )
    with capsys.disabled():
        print(
            f"\n{len(numbers):,} inputs: exit codes {codes}, {len(failures)} wrong; the slowest {slowest:.1f} s, "
            f"the largest {largest / 2**30:.2f} GB"
        )
    assert not failures, f"{len(failures)} of {len(numbers)} inputs:\n\n" + "\n\n".join(failures)


def _right_answer(asked: tuple[str, ...], world: World, forks: Forks) -> str:
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(world.workspace, Path(folder) / "root" / "tiny")
        ended = forks.run(argv=[asked[0], "--workspace", str(copy), *asked[1:]], folder=folder)
    assert ended.code == 0, ended.err
    return ended.out


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_ends_soon_with_a_line(bomb: str, world: World, forks: Forks, tmp_path: Path) -> None:
    ended = forks.run(argv=BOMBS[bomb](world, tmp_path), folder=str(tmp_path))
    assert ended.code in (0, 2), ended
    assert "Traceback" not in ended.err
    assert ended.seconds <= BOMB_SECONDS
    assert ended.bytes <= GIGABYTES << 30
    assert ended.code == 0 or ended.err.strip()


@pytest.mark.parametrize("number", range(REAL_PROCESSES))
def test_real_processes_end_as_the_forks_do(number: int, world: World, forks: Forks, tmp_path: Path) -> None:
    """A fork shares what its parent has imported; these do not, and end the same."""
    at = number * 7
    while True:
        folder = tmp_path / str(at)
        folder.mkdir()
        given = made(at, world, folder)
        argv = given.task.get("argv")
        if argv is not None and "user" not in given.task and not any("\0" in one or _unusable(one) for one in argv):
            break
        at += 1
    ran = subprocess.run(
        [sys.executable, "-m", "influence", *argv], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "Traceback" not in ran.stderr, ran.stderr
    assert ran.returncode in (0, 2), (argv, ran.stderr)
    again = tmp_path / "again"
    again.mkdir()
    ended = forks.run(**made(at, world, again).task, folder=str(again))
    assert ended.code == ran.returncode


def _unusable(argument: str) -> bool:
    """Whether no process can be given it."""
    return any("\ud800" <= letter <= "\udc7f" or "\udcff" < letter <= "\udfff" for letter in argument)
