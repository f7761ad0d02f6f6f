"""docs/ci.md: its YAML is what GitHub, GitLab and pre-commit take, and its commands do what it says."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny import rows, write_csv

import influence
from influence.cli import main

ROOT = Path(influence.__file__).parent.parent
HOOKS = ROOT / ".pre-commit-hooks.yaml"
BLOCKS = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", (ROOT / "docs" / "ci.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
GITHUB, GITLAB, OF_A_REPOSITORY, LOCAL = (body for _, body in BLOCKS)


def validated(*arguments: str) -> None:
    """Run a validator's module; fails with what it says."""
    ran = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def place(folder: Path, *, leak: bool) -> Path:
    """data/train.csv and data/test.csv, with or without a training text in the latter."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    train = list({text: (id, text, label) for id, text, label in rows(60, seed=1)}.values())
    known = {text for _, text, _ in train}
    test = [row for row in rows(20, seed=2, prefix="t") if row[1] not in known]
    write_csv(folder / "data" / "train.csv", train)
    write_csv(folder / "data" / "test.csv", [*test, *([("leak", train[5][1], train[5][2])] if leak else [])])
    return folder


def steps(workflow: dict[str, Any]) -> list[str]:
    return [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]


def test_the_documents_are_those_four():
    assert [name for name, _ in BLOCKS] == [
        ".github/workflows/data.yml", ".gitlab-ci.yml", ".pre-commit-config.yaml", ".pre-commit-config.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "body"), [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", GITLAB)], ids=["github", "gitlab"]
)
def test_they_are_valid_by_the_published_schemas(schema, body, tmp_path):
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed (requirements-dev.txt)")
    (tmp_path / "file.yml").write_text(body)
    validated("check_jsonschema", "--builtin-schema", schema, str(tmp_path / "file.yml"))
    (tmp_path / "file.yml").write_text(re.sub(r"^( *)(run:|script:)", r"\1wrong:", body, flags=re.MULTILINE))
    with pytest.raises(AssertionError):  # or the schema would let anything pass
        validated("check_jsonschema", "--builtin-schema", schema, str(tmp_path / "file.yml"))


def test_the_hook_and_its_configurations_are_valid(tmp_path):
    pytest.importorskip("pre_commit", reason="pre-commit is not installed (requirements-dev.txt)")
    validated("pre_commit", "validate-manifest", str(HOOKS))
    for number, body in enumerate((OF_A_REPOSITORY, LOCAL)):
        (tmp_path / f"{number}.yaml").write_text(body)
        validated("pre_commit", "validate-config", str(tmp_path / f"{number}.yaml"))
    [hook], [used] = yaml.safe_load(HOOKS.read_text()), yaml.safe_load(OF_A_REPOSITORY)["repos"][0]["hooks"]
    assert hook["id"] == used["id"]
    for name, concerned in {
        "data/a.csv": True,
        "b.jsonl.gz": True,
        "c.parquet": True,
        "csv.py": False,
        "a.csv.md": False,
    }.items():
        assert bool(re.search(hook["files"], name)) is concerned


def test_every_command_passes_and_fails_with_a_leak(tmp_path, monkeypatch, capsys):
    """All that is run there, but for the installation, in this process."""
    [install, check] = steps(yaml.safe_load(GITHUB))
    gitlab = yaml.safe_load(GITLAB)["data"]
    assert [install] == gitlab["before_script"]
    assert install.startswith(f"pip install tools/wordtrace-{influence.__version__}-py3-none-any.whl ")
    [of_a_repository], [local] = (yaml.safe_load(body)["repos"][0]["hooks"] for body in (OF_A_REPOSITORY, LOCAL))
    [entry] = [hook["entry"] for hook in yaml.safe_load(HOOKS.read_text())]
    commands = [
        check.replace("\\\n", " "),
        *gitlab["script"],
        shlex.join([*entry.split(), *of_a_repository["args"]]),
        local["entry"],
    ]
    for leak, code in ((False, 0), (True, 1)):
        monkeypatch.chdir(place(tmp_path / str(leak), leak=leak))
        for command in commands:
            name, *arguments = shlex.split(command)
            assert (name, main(arguments)) == ("wordtrace", code), command
            assert ("FAILED leaks: 1 of" in capsys.readouterr().out) is leak
        assert Path("report.xml").is_file()


def with_wordtrace(folder: Path) -> dict[str, str]:
    """An environment where `wordtrace` is this checkout's."""
    folder.mkdir()
    (folder / "wordtrace").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m influence "$@"\n')
    (folder / "wordtrace").chmod(0o755)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    home = {"HOME": str(folder), "PRE_COMMIT_HOME": str(folder / "cache")}
    who = {f"GIT_{role}_{what}": "ada@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **home, **who}


@pytest.mark.slow
@pytest.mark.parametrize("leak", [False, True])
def test_the_steps_run_in_a_shell_as_a_runner_runs_them(leak, tmp_path):
    """But for the installation, which needs the wheel."""
    environment = with_wordtrace(tmp_path / "bin")
    [_, check] = steps(yaml.safe_load(GITHUB))
    folder = place(tmp_path / "work", leak=leak)
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", check]
    ran = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == int(leak), ran.stderr
    assert ("FAILED leaks: 1 of" in ran.stdout) is leak
    assert (folder / "report.xml").is_file()


@pytest.mark.slow
def test_pre_commit_refuses_a_leak_and_takes_what_has_none(tmp_path):
    pytest.importorskip("pre_commit", reason="pre-commit is not installed (requirements-dev.txt)")
    environment = with_wordtrace(tmp_path / "bin")

    def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    ours = tmp_path / "wordtrace"
    ours.mkdir()
    shutil.copy(HOOKS, ours)
    folder = place(tmp_path / "work", leak=True)
    for where in (ours, folder):
        for command in ("git init -q -b main", "git add .", "git commit -q -m first", "git tag v0.1.0"):
            assert run(where, *command.split()).returncode == 0
    config = OF_A_REPOSITORY.replace("https://git.example.org/wordtrace", str(ours))
    assert config != OF_A_REPOSITORY
    (folder / ".pre-commit-config.yaml").write_text(config)
    hook = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    run(folder, "git", "add", ".")
    refused = run(folder, *hook)
    assert refused.returncode == 1, refused.stderr
    assert "wordtrace: 1 of 2 limits broken: leaks" in refused.stdout
    place(folder, leak=False)
    run(folder, "git", "add", ".")
    taken = run(folder, *hook)
    assert taken.returncode == 0, taken.stdout + taken.stderr
    assert re.search(r"wordtrace check\.+Passed", taken.stdout)
