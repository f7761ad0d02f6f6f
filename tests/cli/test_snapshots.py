"""What the command line says, word for word: every help text, lines of complaint and exit codes, as files in snapshots/.

To accept a change on purpose: `UPDATE_SNAPSHOTS=1 pytest tests/cli/test_snapshots.py`, and read the difference.
"""

import io
import os
import shlex
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from influence.cli import main

SNAPSHOTS = Path(__file__).parent / "snapshots"
COMMANDS = (
    *("demo", "build", "serve", "check", "query", "scores", "cancellation", "suspects", "clusters", "words", "candidates"),
    *("tasks", "export", "import", "apply", "evaluate", "retrain", "fixing", "overlaps", "backup", "restore", "compare"),
)
CALLS = {
    "influence": ["--help", *(f"{command} --help" for command in COMMANDS)],
    "complaints": [
        "",
        "--version",
        "frobnicate",
        "--frobnicate",
        "query --frobnicate",
        "query",
        "query --workspace none",
        "query --workspace none --test-id a --text b",
        "query --workspace none --test a",  # the beginning of a name will do
        "query --workspace none --te a",
        "query --workspace none --test-id a --top many",
        "query --workspace none --test-id a --damping much",
        "query --workspace none --test-id a --damping 0",
        "query --workspace none --test-id a --special-tokens some",
        "query --workspace none --test-id a b",
        "query --workspace none --test-id",
        "query --workspace none --test-id a",
        "scores --workspace none --test-id a",
        "scores --workspace none --test-id a --output a.csv",
        "scores --workspace none --test-id a --output none/a.parquet",
        "cancellation --workspace none --json=yes",
        "cancellation --workspace none",
        "demo --workspace none --device tpu",
        "build --workspace none",
        "build --workspace none --train none.csv --test none.csv --epochs many",
        "build --workspace none --train none.csv --test none.csv --optimizer none",
        "build --workspace none --train none.csv --checkpoints none --batch-size 8",
        "build --workspace none --train none.csv --test none.csv --test-share 0.1",
        "build --workspace none --train none.csv --test-share 2",
        "check --train none.csv",
        "suspects --workspace none --top 0",
        "suspects --workspace none --models 7",
        "suspects --workspace none",
        "clusters --workspace none --threshold 2",
        "clusters --workspace none --min-size 0",
        "clusters --workspace none --difficult 2",
        "clusters --workspace none",
        "words --workspace none --top 0",
        "words --workspace none",
        "export --workspace none --output fixes.xlsx",
        "export --workspace none --output none/fixes.csv",
        "export --workspace none --output fixes.csv --policy none",
        "export --workspace none --output fixes.csv",
        "apply --fixes none.csv --train none.csv --output out.csv",
        "evaluate --workspace none --methods magic",
        "evaluate --workspace none --k ten",
        "evaluate --workspace none --k 0",
        "evaluate --workspace none --retrains 0",
        "evaluate --workspace none",
        "retrain --workspace none",
        "retrain --workspace none --decided --fixes none.csv",
        "retrain --workspace none --decided",
        "fixing --workspace none --ways none",
        "fixing --workspace none --k ten",
        "fixing --workspace none --test-points 0",
        "fixing --workspace none",
        "backup --workspace none",
        "backup --workspace none --output none.zip",
        "compare --workspace none",
        "compare --workspace none --with none",
        "serve --port many",
    ],
}


def transcript(calls: Iterable[str]) -> str:
    """Each call as it is typed, what it prints, and its exit code where that is not 0."""
    said = io.StringIO()
    for call in calls:
        said.write(f"$ influence {call}".rstrip() + "\n")
        with redirect_stdout(said), redirect_stderr(said):
            try:
                code = main(shlex.split(call))
            except SystemExit as stop:
                code = int(stop.code or 0)
        said.write(f"(exit code {code})\n\n" if code else "\n")
    return said.getvalue()


@pytest.mark.parametrize("name", CALLS)
def test_the_command_line_says_what_it_said(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")  # else lines would wrap as wide as the terminal is
    said = transcript(CALLS[name])
    if os.environ.get("UPDATE_SNAPSHOTS"):
        (SNAPSHOTS / f"{name}.txt").write_text(said, encoding="utf-8")
    assert said == (SNAPSHOTS / f"{name}.txt").read_text(encoding="utf-8")
