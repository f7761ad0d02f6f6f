"""README and docs/ say what is so: their Python runs, their commands exist with those options, and most are run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import rows, write_csv

from influence.cli import main
from influence.cli.commands import parser

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Run here; the others need a network, a server's address, hours, or a model that is not at hand.
RUN = {"query", "scores", "suspects", "clusters", "words", "candidates", "check", "compare", "backup", "restore"}
RUN |= {"export", "apply", "tasks", "push"}


def blocks(document: Path, language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(document.read_text(encoding="utf-8")) if kind == language]


def commands(document: Path) -> Iterator[list[str]]:
    """The arguments of every `python -m influence …` and `wordtrace …` in a document's shell blocks."""
    for block in blocks(document, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:3] == ["python", "-m", "influence"]:
                yield words[3:]
            elif words[:1] == ["wordtrace"]:
                yield words[1:]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """A folder as the documents think of it: train.csv, test.csv, new.csv, workspaces/mine and workspaces/demo."""
    folder = tmp_path_factory.mktemp("reader")
    write_csv(folder / "new.csv", rows(12, seed=9, prefix="new"))
    for split, n, seed in (("train", 80, 1), ("test", 16, 2)):
        write_csv(folder / f"{split}.csv", rows(n, seed=seed, prefix="rt-000" if split == "test" else "e"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(
            [
                "build",
                "--train",
                "train.csv",
                "--test",
                "test.csv",
                "--id",
                "id",
                "--workspace",
                "workspaces/mine",
                "--model",
                "cnn",
                "--epochs",
                "1",
            ]
        )
        decide("workspaces/mine")
    said = [{"example_id": id, "name": "ann1", "label": label} for id, _, label in rows(80, seed=1)[:9]]
    (folder / "annotators.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in said), encoding="utf-8")
    (folder / "gpt.jsonl").write_text('{"example_id": "e7", "label": "pos"}\n', encoding="utf-8")
    shutil.copytree(folder / "workspaces" / "mine", folder / "workspaces" / "demo")
    return folder


def decide(path: str) -> None:
    """One decision, so that there is a fix list to export."""
    from influence.review.events import Reviewer
    from influence.review.reviews import open_reviews
    from influence.workspace.workspace import read_workspace

    opened = read_workspace(path)
    reviews = open_reviews(opened)
    reviews.decide(Reviewer(name="Ada"), "e1", "remove")
    reviews.close()
    opened.close()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_its_python_runs_from_top_to_bottom(document: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    names: dict[str, object] = {}
    for block in blocks(document, "python"):
        exec(compile(block, document.name, "exec"), names)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_its_commands_are_ours(
    document: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    for arguments in commands(document):
        parser().parse_args(arguments)  # exits with code 2 at an option that we do not have
        if arguments[0] in RUN and "--address" not in arguments:
            assert main(arguments) in ({0, 1} if "--fail-on" in arguments else {0}), arguments  # 1: beyond a limit
            assert capsys.readouterr().out, arguments


@pytest.mark.slow
def test_a_loop_of_shards_is_a_build(place: Path) -> None:
    """The shell's own loop, as it stands there."""
    [loop] = [block for block in blocks(ROOT / "docs" / "teams-and-gpus.md", "sh") if "for shard in" in block]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ran = subprocess.run(
        ["bash", "-euc", loop],
        cwd=place,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("has made its segments") == 4
    assert main(["query", "--workspace", str(place / "workspaces" / "shared"), "--text", "good film"]) == 0


def test_the_documents_name_files_that_are_there() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
        for named in re.findall(r"`((?:influence|pages|tests|assets|docs)/[\w./-]+)`", document.read_text(encoding="utf-8")):
            assert (ROOT / named).exists(), f"{document.name}: {named}"


def test_every_command_is_in_a_document() -> None:
    import argparse

    (group,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    said = {arguments[0] for document in DOCUMENTS for arguments in commands(document)}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {name for name in group.choices if name not in said and f"influence {name}" not in makefile} == set()
