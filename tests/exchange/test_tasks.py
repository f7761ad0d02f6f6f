"""Suspects as tasks: who is chosen, which words are lit, and every file field by field.

Tasks were imported, looked at in the browser (emoji, line breaks, markup, pairs), submitted and exported with a running Label
Studio 1.23.2. The shapes were checked against the tools' own packages: label-studio-sdk 2 (`LabelInterface.validate_task` and
`validate_prediction` on 30 tasks), argilla 2.8 (`rg.Settings.from_json` and back, `Record.from_dict(…).to_dict()` equal to the
file, `rg.Dataset.from_disk` as far as what it sends to a server). Prodigy is sold, so its tasks are held against its
documentation (prodi.gy/docs/api-interfaces, `choice` and `ner`).
"""

import json
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from exchanging import fresh, pair, planted, single

from influence import explain, open_workspace
from influence.cli import main
from influence.data.dataset import text_sha256
from influence.errors import SettingsError, WorkspaceMissing
from influence.exchange import argilla, label_studio, prodigy
from influence.exchange.packing import task_files, write_tasks
from influence.exchange.tasks import FAINTEST, Task, lit_words, make_tasks, remove_choice, waiting
from influence.explanations.evidence import label_evidence
from influence.review.events import Reviewer
from influence.review.log import close_log
from influence.review.reviews import open_reviews
from influence.suspects.ranking import SuspectFilter, suspects
from pages.ui.review.related import related

ANN = Reviewer(name="ann")
FOR, AGAINST = "for", "against"


def test_the_most_suspicious_that_wait_for_a_decision(fresh: Callable[[], Path]) -> None:
    path = fresh()
    opened = open_workspace(path)
    changed = suspects(opened, SuspectFilter(changed=True), limit=1000)[1]["train_id"].tolist()
    assert len(changed) > 3
    assert waiting(opened, None, top=1000) == changed
    assert waiting(opened, None, top=2) == changed[:2]
    reviews = open_reviews(opened)
    reviews.decide(ANN, changed[0], "keep")
    reviews.decide(ANN, changed[2], "remove")
    reviews.decide(ANN, changed[1], "skip")  # no decision
    assert waiting(opened, reviews, top=2) == [changed[1], changed[3]]
    assert waiting(opened, reviews, top=3, decided=True) == changed[:3]
    opened.close()
    close_log(path)


def test_a_task_says_what_the_suspects_say_and_lights_what_the_review_card_lights(planted: Path) -> None:
    opened = open_workspace(planted)
    seen: list[tuple[str, int, int]] = []
    ids = waiting(opened, None, top=3)
    made = make_tasks(opened, ids[::-1], progress=lambda *report: seen.append(report))
    assert seen == [("tasks", number, 3) for number in range(4)]
    assert [task.example_id for task in made] == ids  # the most suspicious first, however they were asked for
    rows = suspects(opened, SuspectFilter(among=ids), limit=3)[1].to_dict("records")
    for task, row in zip(made, rows, strict=True):
        told = {name: getattr(task, name) for name in ("text", "label", "suggested_label", "suspicion", "rank", "reason")}
        assert told == {name: row[name] for name in told}
        assert (task.text_pair, task.text_sha256) == (None, text_sha256(row["text"]))
        assert related(opened, task.example_id).trains == label_evidence(opened, task.example_id)  # what the card shows
        found = explain(opened, train_id=task.example_id, top=6, special_tokens="exclude")
        slow = defaultdict[int, float](float)
        for influence in [*found.proponents, *found.opponents]:
            for match in influence.matches:
                slow[match.test_word] += match.score
        most = max(map(abs, slow.values()))
        expected = [
            (word.start, word.end, word.text, FOR if slow[index] > 0 else AGAINST, pytest.approx(slow[index] / most, abs=1e-4))
            for index, word in enumerate(found.query.words)
            if abs(slow.get(index, 0.0)) >= FAINTEST * most
        ]
        assert expected
        assert [(w.start, w.end, w.text, w.mark, w.share) for w in task.words] == expected
        assert all(task.text[word.start : word.end] == word.text for word in task.words)
    opened.close()


def test_words_of_pairs_are_told_apart_by_side(pair_workspace: Path) -> None:
    opened = open_workspace(pair_workspace)
    found = label_evidence(opened, "tr5")
    texts = (found.query.text, found.query.text_pair or "")
    lit = lit_words(found)
    assert {word.side for word in lit} == {0, 1}
    assert all(texts[word.side][word.start : word.end] == word.text for word in lit)
    opened.close()


def test_label_studio(single: Task, pair: Task) -> None:
    assert label_studio.task(single) == {
        "data": {
            "text": single.text,
            "given_label": "pos",
            "suggested_label": "neg",
            "suspicion": 0.875,
            "reason": "labelled pos, 3 of 3 opinions say neg",
            "example_id": "a/1",
            "text_sha256": "0" * 64,
        },
        "predictions": [
            {
                "model_version": "wordtrace",
                "score": 0.875,
                "result": [
                    {
                        "id": "suggested",
                        "from_name": "label",
                        "to_name": "text",
                        "type": "choices",
                        "value": {"choices": ["neg"]},
                    },
                    *(
                        {
                            "id": f"word{number}",
                            "from_name": "words",
                            "to_name": "text",
                            "type": "labels",
                            "value": {"start": start, "end": end, "text": text, "labels": [mark]},
                            "score": score,
                        }
                        for number, (start, end, text, mark, score) in enumerate(
                            [(6, 10, "dull", AGAINST, 1.0), (16, 20, "film", FOR, 0.5), (35, 39, "dull", AGAINST, 0.25)]
                        )
                    ),
                ],
            }
        ],
    }
    second = label_studio.task(pair)
    assert second["data"]["text_pair"] == "Nobody runs"
    assert [(one["from_name"], one["to_name"]) for one in second["predictions"][0]["result"][1:]] == [
        ("words", "text"),
        ("words_pair", "text_pair"),
    ]


def test_label_studios_configuration_holds_any_label(single: Task) -> None:
    labels = ["a<b>&\"c'", "tab\there", 'name="x"', "remove (no label fits)", "é😀", "$", "$5 off", "US$50"]
    view = ElementTree.fromstring(label_studio.configuration(labels, pairs=True))
    found = [(one.tag, one.get("name"), one.get("toName"), one.get("value")) for one in view if one.tag != "Header"]
    assert found == [
        ("Text", "text", None, "$text"),
        ("Labels", "words", "text", None),
        ("Text", "text_pair", None, "$text_pair"),
        ("Labels", "words_pair", "text_pair", None),
        ("Choices", "label", "text", None),
    ]
    choices = list(view.iter("Choice"))
    assert [one.get("alias") or one.get("value") for one in choices] == [*labels, "remove (no label fits)!"]
    # Label Studio would take these for fields of the data, and show "undefined off".
    assert [one.get("value") for one in choices if one.get("alias")] == ["$\u20605 off", "US$\u206050"]
    assert [one.get("value") for one in view.iter("Label")] == [FOR, AGAINST] * 2
    fields = {one.get("value", "")[1:] for one in view if (one.get("value") or "").startswith("$")}
    assert fields <= label_studio.task(single)["data"].keys() | {"text_pair"}
    names = {one.get("name") for one in view if one.get("name")}  # in CSV and JSON-MIN an answer stands under its question's name
    assert names & label_studio.task(single)["data"].keys() == {"text"}
    with pytest.raises(SettingsError, match=r"label 'a\\x01' holds a character that Label Studio's configuration cannot"):
        label_studio.configuration(["a\x01", "b"], pairs=False)


def test_argilla(pair: Task) -> None:
    assert argilla.record(pair) == {
        "id": "p1",
        "fields": {"text": "A man runs", "text_pair": "Nobody runs", "given_label": "yes", "reason": "labelled yes"},
        "metadata": {"example_id": "p1", "text_sha256": "1" * 64, "suggested_label": "no", "suspicion": 0.5},
        "suggestions": {
            "label": {"value": "no", "score": 0.5, "agent": "wordtrace"},
            "words": {"value": [{"label": FOR, "start": 2, "end": 5}], "score": [1.0], "agent": "wordtrace"},
            "words_pair": {"value": [{"label": AGAINST, "start": 0, "end": 6}], "score": [0.5], "agent": "wordtrace"},
        },
        "responses": {},
        "vectors": {},
        "status": "pending",
        "_server_id": None,
    }


def test_argillas_settings_name_all_that_records_hold(single: Task, pair: Task) -> None:
    for task, pairs in ((single, False), (pair, True)):
        made, record = argilla.settings(["no", "yes"], pairs=pairs), argilla.record(task)
        assert [one["name"] for one in made["fields"]] == list(record["fields"])
        assert {one["name"] for one in made["metadata"]} == record["metadata"].keys()
        assert {one["name"] for one in made["questions"]} == record["suggestions"].keys()
        options = [option["value"] for option in made["questions"][0]["settings"]["options"]]
        assert options == ["no", "yes", "remove (no label fits)"]
        assert [one["settings"].get("field") for one in made["questions"][1:]] == ["text", "text_pair"][: 1 + pairs]
    assert argilla.dataset("größe/x: y")["name"] == "gr-e-x- y suspects"
    assert argilla.dataset("日本")["name"] == "wordtrace suspects"


def test_prodigy(single: Task, pair: Task) -> None:
    assert prodigy.task(single, ["neg", "pos"]) == {
        "text": single.text,
        "spans": [
            {"start": 6, "end": 10, "text": "dull", "label": AGAINST},
            {"start": 16, "end": 20, "text": "film", "label": FOR},
            {"start": 35, "end": 39, "text": "dull", "label": AGAINST},
        ],
        "options": [{"id": name, "text": name} for name in ("neg", "pos", "remove (no label fits)")],
        "accept": ["neg"],
        "example_id": "a/1",
        "text_sha256": "0" * 64,
        "given_label": "pos",
        "suggested_label": "neg",
        "suspicion": 0.875,
        "reason": "labelled pos, 3 of 3 opinions say neg",
        "meta": {"label": "pos", "suspicion": 0.875, "why": "labelled pos, 3 of 3 opinions say neg"},
    }
    joined = prodigy.task(pair, ["no", "yes"])
    assert (joined["text"], joined["second_at"]) == ("A man runs | Nobody runs", 13)
    assert [joined["text"][span["start"] : span["end"]] for span in joined["spans"]] == ["man", "Nobody"]


def test_removal_is_never_called_like_a_label() -> None:
    assert remove_choice(["a", "b"]) == "remove (no label fits)"
    assert remove_choice(["remove (no label fits)", "remove (no label fits)!"]) == "remove (no label fits)!!"


def test_the_command(planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = open_workspace(planted)
    ids = waiting(opened, None, top=2)
    tasks = make_tasks(opened, ids)
    command = ["tasks", "--workspace", str(planted), "--top", "2", "--for"]
    for tool, name in (("label-studio", "Label Studio"), ("argilla", "Argilla"), ("prodigy", "Prodigy")):
        assert main([*command, tool, "--output", str(tmp_path / tool)]) == 0
        files = task_files(opened, tool, tasks)
        first = tmp_path / tool / next(iter(files))
        assert capsys.readouterr().out == f"{first}: 2 tasks for {name}\n"
        there = {str(file.relative_to(tmp_path / tool)) for file in (tmp_path / tool).rglob("*") if file.is_file()}
        assert there == files.keys()
        assert all((tmp_path / tool / one).read_bytes() == content for one, content in files.items())
        assert main([*command, tool, "--output", str(tmp_path / f"{tool}.zip"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {
            "tool": tool, "tasks": 2, "files": [str(tmp_path / f"{tool}.zip")], "example_ids": ids,
        }  # fmt: skip
        with zipfile.ZipFile(tmp_path / f"{tool}.zip") as archive:
            assert {one: archive.read(one) for one in archive.namelist()} == files
    (tmp_path / "one").mkdir()
    assert main([*command, "label-studio", "--output", str(tmp_path / "one" / "mine.json"), "--all"]) == 0
    assert sorted(file.name for file in (tmp_path / "one").iterdir()) == ["mine.json", "mine.labeling.xml"]
    assert [one["data"]["example_id"] for one in json.loads((tmp_path / "one" / "mine.json").read_text())] == ids
    opened.close()


def test_what_cannot_be_is_said_in_a_line(
    planted: Path, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    command = ["tasks", "--workspace", str(planted), "--for", "prodigy", "--output"]
    for output, line in (
        ("full", "'full' is a folder with files in it: name a new one, or a file in .zip"),
        ("notes.txt", "'notes.txt' is a file: name a new folder, or a file in .zip or .jsonl"),
        ("gone/x", "'gone/x': there is no folder 'gone'"),
    ):
        assert main([*command, str(tmp_path / output)]) == 2
        assert capsys.readouterr().err == f"wordtrace: {line}\n".replace("'", f"'{tmp_path}/", 1).replace(
            "folder 'gone'", f"folder '{tmp_path}/gone'"
        )
    assert main([*command, str(tmp_path / "new"), "--top", "0"]) == 2
    assert capsys.readouterr().err == "wordtrace: --top 0: must be 1 or more\n"
    opened = open_workspace(workspace)  # whose suspects nobody has computed
    with pytest.raises(WorkspaceMissing, match="python -m influence suspects"):
        waiting(opened, None, top=3)
    opened.close()
    assert not (tmp_path / "new").exists()


def test_no_task_is_no_task(planted: Path, tmp_path: Path) -> None:
    opened = open_workspace(planted)
    assert make_tasks(opened, []) == []
    assert json.loads(task_files(opened, "label-studio", [])["tasks.json"]) == []
    assert write_tasks(task_files(opened, "prodigy", []), tmp_path / "none.jsonl") == [tmp_path / "none.jsonl"]
    assert (tmp_path / "none.jsonl").read_bytes() == b""
    opened.close()


def test_the_tools_own_packages_take_them(single: Task, pair: Task, tmp_path: Path) -> None:
    """Where label-studio-sdk is installed; never among the requirements."""
    interface = pytest.importorskip("label_studio_sdk.label_interface", reason="label-studio-sdk is not installed")
    for task, pairs, labels in ((single, False, ["neg", "pos"]), (pair, True, ["no", "yes"])):
        config = interface.LabelInterface(label_studio.configuration(labels, pairs=pairs))
        config.validate()
        made = label_studio.task(task)
        assert config.validate_task({"data": made["data"]})
        assert config.validate_prediction(made["predictions"][0], return_errors=True) == []
        wrong = label_studio.task(replace(task, suggested_label="never"))
        assert config.validate_prediction(wrong["predictions"][0], return_errors=True) != []
