"""From a tool's file to suspects: its annotators are heard as opinions, and a fix list mends the file."""

import json
from pathlib import Path
from typing import Any

import pytest

from influence import Workspace
from influence.cli import main
from influence.opinion_files import kept_opinions

GOOD, BAD = ("superb", "lovely", "gripping"), ("shoddy", "stale", "grim")


def task(number: int) -> dict[str, Any]:
    """Of Label Studio: three annotators, of whom the third is wrong about every tenth text and the first two about 7."""
    label = ("neg", "pos")[number % 2]
    text = f"the film was {(BAD, GOOD)[number % 2][number % 3]} and {(BAD, GOOD)[number % 2][number % 5 % 3]} number {number}"
    said = [label, label, label]
    if number % 10 == 0:
        said[2] = "pos"
    if number == 7:
        said = ["neg", "neg", "pos"]
    annotations = [
        {
            "completed_by": {"email": f"{name}@example.org"},
            "result": [{"from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": [one]}}],
            "updated_at": f"2026-01-01T10:00:0{place}Z",
        }
        for place, (name, one) in enumerate(zip(("ann", "bob", "cy"), said, strict=True))
    ]
    return {"id": number + 1, "data": {"text": text}, "annotations": annotations, "predictions": []}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tool")
    (folder / "project.json").write_text(json.dumps([task(number) for number in range(60)]))
    (folder / "test.json").write_text(json.dumps([task(number) for number in range(60, 80)]))
    said = [
        "build",
        "--train",
        str(folder / "project.json"),
        "--test",
        str(folder / "test.json"),
        "--label",
        "mood",
        "--id",
        "id",
    ]
    assert main([*said, "--workspace", str(folder / "ws"), "--model", "cnn", "--epochs", "3", "--encoder", "none"]) == 0
    return folder


def test_annotators_are_heard(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = kept_opinions(built / "ws")
    assert [(one.name, one.source, one.table().num_rows) for one in kept] == [
        (f"{name}@example.org", "project.json", 60) for name in ("ann", "bob", "cy")
    ]
    assert kept[0].table().to_pylist()[7] | {"text_sha256": ""} == {
        "example_id": "8", "text_sha256": "", "label": "neg", "annotated_at": "2026-01-01T10:00:00Z",
    }  # fmt: skip
    assert main(["suspects", "--workspace", str(built / "ws"), "--top", "60", "--json"]) == 0
    rows = {row["train_id"]: row for row in json.loads(capsys.readouterr().out)["suspects"]}
    assert [(one["name"], one["label"]) for one in rows["8"]["said"]] == [
        ("ann@example.org", "neg"), ("bob@example.org", "neg"), ("cy@example.org", "pos"),
    ]  # fmt: skip
    assert rows["8"]["label"] == "neg"
    assert rows["8"]["suspicion"] == max(row["suspicion"] for row in rows.values())


def test_in_python_too(built: Path, tmp_path: Path) -> None:
    made = Workspace.create(
        tmp_path / "ws", train=built / "project.json", test=built / "test.json", label="mood", id="id", epochs=1
    )
    made.close()
    assert [one.name for one in kept_opinions(tmp_path / "ws")] == [f"{name}@example.org" for name in ("ann", "bob", "cy")]
