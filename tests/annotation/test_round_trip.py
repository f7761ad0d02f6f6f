"""Files as annotation tools write them: read, fixed, written in their own form, read again; nothing else of them changes.

`files/` was written by the tools' own exporters on six texts of ours: label-studio-sdk 2.1.2 (`Converter`: JSON, JSON-MIN, CSV),
argilla 2.8.0 (`JsonIO.to_json`, `HFDatasetsIO`), doccano 1.8.4 (`export_dataset`). Prodigy is not free to install; its lines
follow its documentation ("Annotation interfaces": choice, classification).
"""

import copy
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from influence.annotation import DISAGREE, AnnotatedTable, Vote, read_table
from influence.cli import main
from influence.data import guess_columns, read_examples, text_sha256
from influence.fixes import Fix, write_fixes

FILES = Path(__file__).parent / "files"
AT = "2026-11-30T10:00:00.000Z"


def fix(id: str, action: str, text: str, old: str, new: str | None = None, words: tuple[str, ...] = ()) -> Fix:
    return Fix(id, action, old, new, words, "", "ann", AT, None, None, text_sha256(text), text)


def labelled(path: Path) -> dict[str, tuple[str, str]]:
    """Text and label of every usable row, by id."""
    table = read_table(str(path), split="train")
    found = read_examples(table, guess_columns(table).columns())
    return {found.ids[row]: (found.texts[row], found.labels[row]) for row in found.usable}


def fixed(tmp_path: Path, source: Path, fixes: list[Fix], output: Path) -> dict[str, tuple[str, str]]:
    write_fixes(fixes, tmp_path / "fixes.jsonl")
    said = ["apply", "--fixes", str(tmp_path / "fixes.jsonl"), "--train", str(source), "--output", str(output)]
    assert main(said) == 0
    return labelled(output)


def three_fixes(source: Path) -> tuple[list[Fix], dict[str, tuple[str, str]], list[str]]:
    """A relabel, a removal and a masked word; what the file says afterwards; and the ids, in that order."""
    before = labelled(source)
    fine, dull, odd = list(before)[:3]
    fixes = [
        fix(fine, "relabel", *before[fine], new="neg"),
        fix(dull, "remove", *before[dull]),
        fix(odd, "mask", *before[odd], words=("film",)),
    ]
    after = dict(before)
    del after[dull]
    after[fine] = (before[fine][0], "neg")
    after[odd] = (before[odd][0].replace("film", "").replace(" \n", "\n"), before[odd][1])
    return fixes, after, [fine, dull, odd]


def normal(found: dict[str, tuple[str, str]]) -> dict[str, tuple[list[str], str]]:
    """A removed word may leave its spaces."""
    return {id: (text.split(), label) for id, (text, label) in found.items()}


def json_rows(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]


def test_label_studio_tasks(tmp_path: Path) -> None:
    source, output = FILES / "label-studio.json", tmp_path / "out.json"
    fixes, after, _ = three_fixes(source)
    assert normal(fixed(tmp_path, source, fixes, output)) == normal(after)
    expected = json_rows(source)
    new = {
        "result": [{"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": ["neg"]}}],
        "was_cancelled": False,
        "ground_truth": True,
        "origin": "manual",
    }
    expected[0]["annotations"].insert(0, new)
    expected[0]["total_annotations"] = 3
    written = json_rows(output)
    expected[2]["data"]["text"] = written[1]["data"]["text"]
    assert written == [expected[0], *expected[2:]]
    table = read_table(str(output), split="train")
    assert isinstance(table, AnnotatedTable)
    assert table.votes["sentiment"][0] == [
        Vote("", ["neg"], certain=True),
        Vote("annotator 1", ["pos"], "2024-05-01T10:01:01.000000Z"),
        Vote("annotator 2", ["pos"], "2024-05-01T10:01:02.000000Z"),
    ]


def test_label_studio_ground_truth_is_one(tmp_path: Path) -> None:
    """A second correction takes the mark from the first."""
    tasks = json_rows(FILES / "label-studio.json")
    tasks[0]["annotations"][1]["ground_truth"] = True
    tasks[0]["annotations"][1]["result"][0]["value"]["choices"] = ["neg"]
    tasks[4]["annotations"][0]["result"][0]["value"]["choices"] = ["pos"]
    source = tmp_path / "in.json"
    source.write_text(json.dumps(tasks))
    assert labelled(source)["101"] == ("a fine film", "neg")
    assert fixed(tmp_path, source, [fix("101", "relabel", "a fine film", "neg", "pos")], tmp_path / "out.json")["101"][1] == "pos"
    assert [made["ground_truth"] for made in json_rows(tmp_path / "out.json")[0]["annotations"]] == [True, False, False]


@pytest.mark.parametrize("name", ["label-studio-min.json", "label-studio.csv"])
def test_label_studio_rows(tmp_path: Path, name: str) -> None:
    """Every row of a text gets its label; the rows of a removed one go."""
    source, output = FILES / name, tmp_path / name
    fixes, after, (fine, dull, odd) = three_fixes(source)
    assert normal(fixed(tmp_path, source, fixes, output)) == normal(after)

    def rows(path: Path) -> list[dict[str, Any]]:
        if path.suffix == ".json":
            return json_rows(path)
        with path.open(newline="") as opened:
            return list(csv.DictReader(opened))

    expected, texts = [], {str(row["id"]): row["text"] for row in rows(output)}
    for row in rows(source):
        id = str(row["id"])
        if id != dull:
            expected.append({**row, "text": texts[id]} | ({"sentiment": "neg"} if id == fine else {}))
    assert rows(output) == expected
    assert texts[odd].split() == labelled(source)[odd][0].replace("film", "").split()


def test_argilla_records(tmp_path: Path) -> None:
    source, output = FILES / "argilla.json", tmp_path / "out.json"
    fixes, after, _ = three_fixes(source)
    assert normal(fixed(tmp_path, source, fixes, output)) == normal(after)
    expected, written = json_rows(source), json_rows(output)
    for response in expected[0]["responses"]["label"]:
        response["value"] = "neg"
    expected[2]["fields"] = written[1]["fields"]
    assert written == [expected[0], *expected[2:]]


@pytest.mark.parametrize("name", ["argilla.parquet", "argilla-datasets"])
def test_argilla_flat(tmp_path: Path, name: str) -> None:
    source, output = FILES / name, tmp_path / name
    fixes, after, _ = three_fixes(source)
    assert normal(fixed(tmp_path, source, fixes, output)) == normal(after)

    def rows(path: Path) -> list[dict[str, Any]]:
        if path.suffix:
            return pq.read_table(path).to_pylist()
        from datasets import load_from_disk

        return load_from_disk(str(path)).to_list()

    expected, written = copy.deepcopy(rows(source)), rows(output)
    expected[0]["label.responses"] = ["neg", "neg"]
    expected[2]["text"] = written[1]["text"]
    assert written == [expected[0], *expected[2:]]


@pytest.mark.parametrize("name", ["doccano.jsonl", "doccano.json", "doccano.csv"])
def test_doccano(tmp_path: Path, name: str) -> None:
    source, output = FILES / name, tmp_path / name
    fixes, after, _ = three_fixes(source)
    assert normal(fixed(tmp_path, source, fixes, output)) == normal(after)
    if name.endswith("csv"):
        expected = (
            source.read_text().replace("1,a fine film,s0,pos,", "1,a fine film,s0,neg,").replace("2,a dull film,s1,neg,hmm\n", "")
        )
        assert output.read_text() == expected.replace('""quoted"" film\nwith', '""quoted"" with')
        return
    expected_rows, written = json_rows(source), json_rows(output)
    expected_rows[0]["label"] = ["neg"]
    expected_rows[2]["text"] = written[1]["text"]
    assert written == [expected_rows[0], *expected_rows[2:]]


def choice(text: str, accept: list[str], who: str, answer: str = "accept", number: int = 1) -> dict[str, Any]:
    options = [{"id": "neg", "text": "Negative"}, {"id": "pos", "text": "Positive"}]
    return {
        "text": text, "meta": {"source": f"s{number}"}, "options": options, "_input_hash": number, "_task_hash": -number,
        "_view_id": "choice", "accept": accept, "config": {"choice_style": "single"}, "answer": answer,
        "_timestamp": 1700000000, "_annotator_id": who, "_session_id": f"set-{who}",
    }  # fmt: skip


def binary(text: str, label: str, answer: str, number: int) -> dict[str, Any]:
    return {
        "text": text, "label": label, "_input_hash": number, "_task_hash": hash(label) % 1000, "_view_id": "classification",
        "answer": answer, "_timestamp": 1700000000,
    }  # fmt: skip


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_prodigy_choice(tmp_path: Path) -> None:
    rows = [
        choice("a fine film", ["pos"], "ann"), choice("a dull film", ["neg"], "ann", number=2),
        choice("a fine film", ["pos"], "bob"),
        choice("an odd film", ["neg"], "ann", number=3), choice("an odd film", ["pos"], "bob", number=3),
        choice("skipped", [], "ann", "ignore", 4), choice("a slow film", ["neg"], "ann", number=5),
    ]  # fmt: skip
    source, output = lines(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    table = read_table(str(source), split="train")
    assert isinstance(table, AnnotatedTable)
    assert table.columns == {
        "text": ["a fine film", "a dull film", "an odd film", "skipped", "a slow film"],
        "source": ["s1", "s2", "s3", "s4", "s5"],
        "_input_hash": [1, 2, 3, 4, 5],
        "accept": ["pos", "neg", DISAGREE, None, "neg"],
    }
    assert table.votes["accept"][0] == [Vote(who, ["pos"], "2023-11-14T22:13:20+00:00") for who in ("ann", "bob")]
    assert labelled(source) == {"1": ("a fine film", "pos"), "2": ("a dull film", "neg"), "5": ("a slow film", "neg")}
    fixes = [
        fix("1", "relabel", "a fine film", "pos", "neg"),
        fix("2", "remove", "a dull film", "neg"),
        fix("5", "relabel", "a slow film", "neg", "pos"),
    ]
    assert fixed(tmp_path, source, fixes, output) == {"1": ("a fine film", "neg"), "5": ("a slow film", "pos")}
    for row in rows:
        row["accept"] = {1: ["neg"], 5: ["pos"]}.get(row["_input_hash"], row["accept"])
    assert json_rows(output) == [row for row in rows if row["_input_hash"] != 2]


def test_prodigy_one_label(tmp_path: Path) -> None:
    """Rejecting the only label is a label, too."""
    rows = [
        binary("a fine film", "GOOD", "accept", 1),
        binary("a dull film", "GOOD", "reject", 2),
        binary("?", "GOOD", "ignore", 3),
    ]
    source = lines(tmp_path / "in.jsonl", rows)
    assert labelled(source) == {"1": ("a fine film", "GOOD"), "2": ("a dull film", "not GOOD")}
    fixes = [
        fix("1", "relabel", "a fine film", "GOOD", "not GOOD"),
        fix("2", "relabel", "a dull film", "not GOOD", "GOOD"),
    ]
    assert fixed(tmp_path, source, fixes, tmp_path / "out.jsonl") == {
        "1": ("a fine film", "not GOOD"),
        "2": ("a dull film", "GOOD"),
    }
    assert json_rows(tmp_path / "out.jsonl") == [{**rows[0], "answer": "reject"}, {**rows[1], "answer": "accept"}, rows[2]]


def test_prodigy_several_labels(tmp_path: Path) -> None:
    rows = [
        binary("a fine film", "A", "accept", 1), binary("a fine film", "B", "reject", 1), binary("a dull film", "B", "accept", 2),
        binary("a slow film", "C", "accept", 3), binary("no more", "A", "reject", 4), binary("left", "A", "reject", 5),
        binary("left", "B", "reject", 5), binary("a new film", "D", "accept", 6),
    ]  # fmt: skip
    source = lines(tmp_path / "in.jsonl", rows)
    assert labelled(source) == {
        "1": ("a fine film", "A"), "2": ("a dull film", "B"), "3": ("a slow film", "C"), "6": ("a new film", "D"),
    }  # fmt: skip
    fixes = [fix("1", "relabel", "a fine film", "A", "B"), fix("3", "relabel", "a slow film", "C", "A")]
    found = fixed(tmp_path, source, fixes, tmp_path / "out.jsonl")
    assert {id: found[id][1] for id in found} == {"1": "B", "2": "B", "3": "A", "6": "D"}


def _doccano_before() -> list[dict[str, Any]]:
    made = [("a fine film", 1, 1), ("a dull film", 2, 1), ("an odd film", 2, 2)]
    return [
        {
            "id": n,
            "text": text,
            "annotations": [{"label": label, "user": user}],
            "meta": {"src": "x"},
            "annotation_approver": None,
        }
        for n, (text, label, user) in enumerate(made, start=1)
    ]


def _spacy() -> list[dict[str, Any]]:
    made = {"a fine film": "POS", "a dull film": "NEG", "an odd film": "NEG"}
    return [
        {"id": f"{n}", "text": t, "cats": {"POS": float(c == "POS"), "NEG": float(c == "NEG")}}
        for n, (t, c) in enumerate(made.items())
    ]


@pytest.mark.parametrize(
    ("rows", "new", "changed"),
    [
        (_doccano_before, "2", {"annotations": [{"label": "2", "user": 1}]}),
        (_spacy, "NEG", {"cats": {"POS": 0.0, "NEG": 1.0}}),
    ],
)
def test_other_lines(tmp_path: Path, rows: Callable[[], list[dict[str, Any]]], new: str, changed: dict[str, Any]) -> None:
    source, output = lines(tmp_path / "in.jsonl", rows()), tmp_path / "out.jsonl"
    before = labelled(source)
    first, second, *_ = before
    after = fixed(
        tmp_path, source, [fix(first, "relabel", *before[first], new=new), fix(second, "remove", *before[second])], output
    )
    assert after == {id: value for id, value in before.items() if id != second} | {first: (before[first][0], new)}
    written = json_rows(output)
    assert json.dumps(written[0]).replace('"label": 2', '"label": "2"') == json.dumps({**rows()[0], **changed})
    assert written[1:] == rows()[2:]


def test_a_saved_folder_keeps_its_splits_and_classes(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value, load_from_disk

    features = Features(
        {"uid": Value("string"), "text": Value("string"), "label": ClassLabel(names=["neg", "pos"]), "n": Value("int8")}
    )
    train = Dataset.from_dict(
        {"uid": ["a", "b", "c"], "text": ["fine film", "dull film", "odd film"], "label": [1, 0, 0], "n": [1, 2, 3]},
        features=features,
    )
    test = Dataset.from_dict({"uid": ["t"], "text": ["test"], "label": [0], "n": [9]}, features=features)
    DatasetDict(train=train, test=test).save_to_disk(str(tmp_path / "in"))
    fixes = [
        fix("a", "relabel", "fine film", "pos", "neg"), fix("b", "remove", "dull film", "neg"),
        fix("c", "mask", "odd film", "neg", words=("odd",)),
    ]  # fmt: skip
    fixed(tmp_path, tmp_path / "in", fixes, tmp_path / "out")
    made = load_from_disk(str(tmp_path / "out"))
    assert made["test"].to_list() == test.to_list()
    assert made["train"].features == features
    assert made["train"].to_list() == [
        {"uid": "a", "text": "fine film", "label": 0, "n": 1},
        {"uid": "c", "text": "film", "label": 0, "n": 3},
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fixes.jsonl", "in", "out"]
    assert (
        main(
            [
                "apply",
                "--fixes",
                str(tmp_path / "fixes.jsonl"),
                "--train",
                str(tmp_path / "in"),
                "--output",
                str(tmp_path / "out"),
            ]
        )
        == 2
    )
