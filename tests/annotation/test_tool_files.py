"""What files of annotation tools are read as: labels, who gave them, several files together, and what is refused."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from influence.annotation import DISAGREE, AnnotatedTable, Vote, read_table, settled
from influence.cli import main
from influence.data import Columns, Preparation, guess_columns, read_splits
from influence.errors import DataError
from influence.reading import FormOptions
from influence.sources import open_table

FILES = Path(__file__).parent / "files"
BY_THREE = ["pos", "neg", "neg", None, DISAGREE, None]


def opened(name: str) -> AnnotatedTable:
    table = read_table(str(FILES / name), split="train")
    assert isinstance(table, AnnotatedTable)
    return table


@pytest.mark.parametrize(
    ("name", "form", "label", "values"),
    [
        ("label-studio.json", "a JSON list, from Label Studio by 3 annotators", "sentiment", BY_THREE),
        ("label-studio-min.json", "a JSON list, from Label Studio by 3 annotators", "sentiment", [*BY_THREE[:3], *BY_THREE[4:]]),
        ("label-studio.csv", "text with commas, from Label Studio by 3 annotators", "sentiment", [*BY_THREE[:3], *BY_THREE[4:]]),
        (
            "argilla.json",
            "a JSON list, from Argilla by 3 annotators",
            "label",
            [*BY_THREE[:5], "pos"],
        ),  # a draft, which JSON does not tell
        ("argilla.parquet", "Parquet, from Argilla by 3 annotators", "label", BY_THREE),
        ("argilla-datasets", "a data set, from Argilla by 3 annotators", "label", BY_THREE),
        ("doccano.jsonl", "JSON lines, from doccano", "label", ["pos", "neg", "neg", None, "neg", "pos"]),
        ("doccano.json", "a JSON list, from doccano", "label", ["pos", "neg", "neg", None, "neg", "pos"]),
        ("doccano.csv", "text with commas, from doccano", "label", ["pos", "neg", "neg", None, "neg", "pos"]),
        ("doccano-intents.jsonl", "JSON lines, from doccano", "cats", ["book"]),
    ],
)
def test_every_form(name: str, form: str, label: str, values: list[Any]) -> None:
    table = opened(name)
    guess = guess_columns(table)
    assert (table.form.in_words, guess.text, guess.label, guess.id) == (form, "text", label, "id")
    assert guess.reasons["label"] == f"{table.form.tool} says so"
    assert table.columns[label] == values


def test_a_table_with_comments_in_it_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "survey.csv").write_text("id,Comments,label\n1,fine,pos\n2,dull,neg\n")
    table = read_table(str(tmp_path / "survey.csv"), split="train")
    assert (type(table).__name__, table.form.in_words) == ("Table", "text with commas")


def test_who_said_what() -> None:
    table = opened("label-studio.json")
    assert table.columns["sentiment.suggestion"] == ["pos"] * 6
    assert table.suggestions["sentiment.suggestion"][0] == [Vote("v1", ["pos"], "2024-05-01T09:00:00Z", score=0.75)]
    assert table.annotators == ["annotator 1", "annotator 2", "annotator 3"]
    assert table.voices("sentiment")[2] == [
        ("annotator 1", "neg", "2024-05-01T10:01:04.000000Z"),
        ("annotator 2", "pos", "2024-05-01T10:01:05.000000Z"),
        ("annotator 3", "neg", "2024-05-01T10:01:06.000000Z"),
        ("v1", "pos", "2024-05-01T09:00:00Z"),
    ]
    assert table.voices("sentiment.suggestion")[3] == []  # one model, whose label it is
    assert table.voices("text")[0] == []
    assert [table.number(row) for row in range(6)] == [1, 2, 3, 4, 5, 6]
    assert [opened("label-studio-min.json").number(row) for row in range(5)] == [1, 3, 4, 7, 9]


def test_the_label_that_votes_come_to() -> None:
    said = [Vote("a", "pos"), Vote("b", ["neg"]), Vote("c", '["neg"]')]
    assert settled([]) is None
    assert settled(said) == "neg"
    assert settled(said[:2]) is DISAGREE
    assert settled([said[0]._replace(certain=True), *said[1:]]) == "pos"
    assert settled([Vote("a", 3)]) == 3
    assert settled([Vote("a", ["pos", "neg"])]) == ["pos", "neg"]  # what several labels come to is not said here


def test_a_file_a_member(tmp_path: Path) -> None:
    """doccano writes a file for each member of a project that is not collaborative; together they are votes."""
    folder = FILES / "doccano-members"
    table = open_table(str(folder / "*.jsonl"), split="train", options=FormOptions())
    assert isinstance(table, AnnotatedTable)
    assert table.columns == {
        "id": [7, 8, 9, 10, 11, 12],
        "text": [row["text"] for row in map(json.loads, (folder / "ann.jsonl").read_text().splitlines())],
        "source": [f"s{n}" for n in range(6)],
        "Comments": [[]] * 6,  # the last file's: a comment is no label
        "label": ["pos", "neg", "neg", None, DISAGREE, "pos"],
    }
    assert table.annotators == ["ann", "bob", "cy"]
    assert table.form.in_words == "a data set, from doccano by 3 annotators"
    assert table.number(5) == "ann.jsonl:6"
    columns = Columns(label="label", id="id")
    with pytest.raises(DataError) as caught:
        read_splits(str(folder), None, columns, Preparation())
    assert str(caught.value) == (
        f"{str(folder)!r}: 1 row of 6 without a label in column 'label' (row ann.jsonl:4); 1 row of 6 with annotators who "
        "disagree for a label in column 'label' (row ann.jsonl:5); mend or delete them, or leave them out with --drop-unusable"
    )
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    (mixed / "d.jsonl").write_text('{"text": "a", "label": "b"}\n')
    with pytest.raises(DataError, match=r"is from doccano, 'd.jsonl' is not: give files of one kind"):
        open_table(str(mixed), split="train", options=FormOptions())


def test_what_a_build_hears_of_annotators(tmp_path: Path) -> None:
    """The last word of each annotator and model on every usable training example, where the label is a known one."""
    train, test = tmp_path / "train.json", tmp_path / "test.json"
    tasks = json.loads((FILES / "label-studio.json").read_text())
    changed_mind = {**tasks[0]["annotations"][0], "updated_at": "2025", "result": tasks[1]["annotations"][0]["result"]}
    tasks[0]["annotations"].insert(0, changed_mind)
    tasks[2]["annotations"][1]["result"][0]["value"] = {"choices": ["unheard of"]}
    tasks[2]["predictions"] = []
    train.write_text(json.dumps(tasks))
    test.write_text(json.dumps(tasks[1:2]))
    found = read_splits(str(train), str(test), Columns(label="sentiment", id="id"), Preparation(drop_unusable=True))
    assert found.train.ids == ["101", "102", "103"]
    assert found.train.labels == ["pos", "neg", "neg"]
    assert found.voices == [
        ("annotator 1", "101", "neg", "2025"),
        ("annotator 2", "101", "pos", "2024-05-01T10:01:02.000000Z"),
        ("v1", "101", "pos", "2024-05-01T09:00:00Z"),
        ("annotator 1", "102", "neg", "2024-05-01T10:01:03.000000Z"),
        ("v1", "102", "pos", "2024-05-01T09:00:00Z"),
        ("annotator 1", "103", "neg", "2024-05-01T10:01:04.000000Z"),
        ("annotator 3", "103", "neg", "2024-05-01T10:01:06.000000Z"),
    ]


NER = "marks parts of texts (as for named entities): Wordtrace reads labels of whole texts; export a project that classifies them"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("label-studio-ner.json", f"is of Label Studio, where 'label' {NER}"),
        ("label-studio-ner-min.json", f"is of Label Studio, where 'label' {NER}"),
        ("label-studio-ner.csv", f"is of Label Studio, where 'label' {NER}"),
        ("doccano-ner.jsonl", f"is of doccano, where 'label' {NER}"),
    ],
)
def test_named_entities_are_refused(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--train", str(FILES / name)]) == 2
    assert capsys.readouterr() == ("", f"wordtrace: {str(FILES / name)!r} {said}\n")


def test_two_who_disagree_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with (FILES / "label-studio.csv").open(newline="") as file:
        rows = [row for row in csv.reader(file) if row[3] != "106"]
    with (tmp_path / "two.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    said = ["build", "--train", str(tmp_path / "two.csv"), "--label", "sentiment", "--workspace", str(tmp_path / "ws")]
    assert main(said) == 2
    assert capsys.readouterr().err == (
        f"wordtrace: {str(tmp_path / 'two.csv')!r}: 1 row of 4 with annotators who disagree for a label in column 'sentiment' "
        "(row 8); mend or delete them, or leave them out with --drop-unusable\n"
    )


ODD: list[Any] = [
    None,
    1,
    "text",
    [],
    {},
    [[]],
    [{}],
    [None],
    {"a": None},
    True,
    1.5,
    [{"value": []}],
    [{"result": [{"value": 3}]}],
]


@pytest.mark.parametrize(
    "row",
    [
        {
            "data": {"text": "a"},
            "annotations": [{"result": [{"from_name": "q", "value": {"choices": ["x"]}}]}],
            "predictions": [],
        },
        {
            "fields": {"text": "a"},
            "responses": {"q": [{"value": "x", "user_id": "u"}]},
            "suggestions": {"q": {"value": "x"}},
            "id": "i",
        },
        {"text": "a", "q.responses": ["x"], "q.responses.users": ["u"], "q.responses.status": ["submitted"], "q.suggestion": "x"},
        {"text": "a", "options": [{"id": "x"}], "accept": ["x"], "answer": "accept", "_input_hash": 1, "meta": {"a": 1}},
        {"text": "a", "label": "x", "answer": "reject", "_input_hash": 1, "_timestamp": 1e300, "_annotator_id": "u"},
        {"text": "a", "label": ["x"], "Comments": [], "id": 1, "annotations": [{"label": 1, "user": 1}], "meta": {"a": 1}},
        {"text": "a", "annotations": [{"label": 1, "user": 1}], "meta": {"a": 1}},
        {"text": "a", "cats": {"x": 1, "y": 0}},
        {"annotation_id": 1, "annotator": 1, "lead_time": 1, "id": 1, "q": "x", "text": "a", "updated_at": "now"},
    ],
)
def test_whatever_stands_in_a_cell(row: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files are strangers': any cell may hold anything, and then there is a report or one line."""
    assert isinstance(read_table(str(lines(tmp_path / "fine.jsonl", [row] * 3)), split="train"), AnnotatedTable)
    for column in row:
        for odd in ODD:
            file = lines(tmp_path / "odd.jsonl", [row, {**row, column: odd}, row])
            code = main(["check", "--train", str(file)])
            said = capsys.readouterr()
            assert code in (0, 2), (column, odd)
            assert "cannot be done" not in said.err, (column, odd, said.err)


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
