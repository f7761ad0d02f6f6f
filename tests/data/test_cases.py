"""Files of the kinds that people really bring: what each is read as, that check and build agree, and fixes that apply.

The files lie beside the repository; where they are not, the tests are skipped. The same kinds, made in the test itself, are
in `tests/reading`, `test_dataset` and `tests/fixes`.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from influence.annotation import read_table
from influence.cli import main
from influence.data import Columns, Preparation, data_report, findings, guess_columns, make_splits
from influence.errors import DataError

CASES = Path(__file__).parents[3] / "shared" / "data" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not there")
FILES = sorted(str(file.relative_to(CASES)) for file in CASES.glob("*/*") if file.name not in ("fixes.jsonl", "exported.csv"))
NEG_POS = {"neg": 30, "pos": 30}
# What is read where that is not 60 rows, half neg and half pos, in the form that the name says.
READ: dict[str, tuple[str, dict[str, int]]] = {
    "semicolon/train.csv": ("text with semicolons", NEG_POS),
    "semicolon_plain/train.csv": ("text with semicolons", NEG_POS),
    "utf16/excel-unicode.tsv": ("text with tabs, UTF-16", NEG_POS),
    "gz/train.csv": ("text with commas, gzip", NEG_POS),
    "gz/train.csv.gz": ("text with commas, gzip", NEG_POS),
    "gz/train.jsonl.gz": ("JSON lines, gzip", NEG_POS),
    "gz/data.json": ("JSON lines", NEG_POS),
    "gz/train.txt": ("text with commas", NEG_POS),
    "json_oddities/pretty.jsonl": ("a JSON list", NEG_POS),
    "labelstudio/project-1-min.jsonl": ("a JSON list", NEG_POS),
    "parquet_classlabel/train.parquet": ("Parquet", {"negative": 30, "positive": 30}),
    "parquet_classlabel/test.parquet": ("Parquet", {"negative": 10, "positive": 10}),
    "glue_minus_one/train.parquet": ("Parquet", {"0": 30, "1": 30}),
    "parquet_kinds/view.parquet": ("Parquet", {"True": 30, "False": 30}),
    "parquet_kinds/nullable.parquet": ("Parquet", {"0": 29, "1": 30}),
    "big_ids/gap-ids.parquet": ("Parquet", {"0": 30, "1": 29}),
    "json_oddities/nan.jsonl": ("JSON lines", {"0": 27, "1": 30}),
    "json_oddities/blank-labels.jsonl": ("JSON lines", {"neg": 24, "pos": 24}),
    "gap_rows/train.csv": ("text with commas", {"neg": 28, "pos": 29}),
    "apply_after_drop/train.csv": ("text with commas", {"neg": 30, "pos": 24}),
    "apply_after_merge/train.csv": ("text with commas", {"pos": 20, "neg": 20, "NEG": 10, "POS": 10}),
    "doccano/old.jsonl": ("JSON lines, from doccano", {"neg": 27, "pos": 27}),
    "doccano/all.csv": ("text with commas", {"neg": 30, "pos": 24, "neg#pos": 6}),
    "labelstudio/multi-choice.csv": ("text with commas, from Label Studio", {"neg": 25, "pos": 30}),
    "labelstudio/some-skipped.csv": ("text with commas, from Label Studio", {"neg": 25, "pos": 26}),
    "labelstudio/two-annotators.csv": ("text with commas, from Label Studio by 2 annotators", NEG_POS),
    "prodigy/binary.jsonl": ("JSON lines, from Prodigy", {"EXCITED": 30, "not EXCITED": 30}),
    "prodigy/choice.jsonl": ("JSON lines, from Prodigy", {"neg": 26, "pos": 27}),
    "spacy_cats/train.jsonl": ("JSON lines, from spaCy", {"NEG": 30, "POS": 30}),
    "dup_ids/train.csv": ("text with commas, from Label Studio by 2 annotators", NEG_POS),
    "headers/noheader.csv": ("text with commas", {"neg": 29, "pos": 30}),
    "unicode_marks/test.csv": ("text with commas", {"neg": 10, "pos": 10}),
    "na_none/train.csv": ("text with commas", dict.fromkeys(("NA", "None", "null", "nan", "ok"), 12)),
    "na_none/train.jsonl": ("JSON lines", dict.fromkeys(("NA", "None", "null", "nan", "ok"), 12)),
}
# What is said of a file, or of one of its rows, where something is.
SAID: dict[str, str] = {
    "doccano/old.jsonl": "mend: 6 rows (9, 18, 27, 36, 45, …) without a label in column 'labels'.",
    "doccano/all.csv": "look: 6 rows (11, 21, 31, 41, 51, …) whose label is several joined: 'neg#pos'.",
    "labelstudio/multi-choice.csv": "mend: 5 rows (2, 14, 26, 38, 50) with a list of several values for a label in column 'sen",
    "labelstudio/some-skipped.csv": "mend: 9 rows (2, 9, 16, 23, 30, …) without a label",
    "gap_rows/train.csv": "mend: 3 rows (22, 42, 57) without a label in column 'label'.",
    "apply_after_drop/train.csv": "mend: 6 rows (5, 15, 25, 35, 45, …) without a label",
    "apply_after_merge/train.csv": "mend: Labels that look alike: 'pos' = 'POS'; 'neg' = 'NEG'.",
    "big_ids/gap-ids.parquet": "mend: 1 row (4) without an id in column 'id'.",
    "parquet_kinds/nullable.parquet": "mend: 1 row (5) without a label",
    "json_oddities/nan.jsonl": "mend: 3 rows (1, 21, 41) without a label",
    "json_oddities/blank-labels.jsonl": "mend: 12 rows (1, 6, 11, 16, 21, …) without a label",
    "headers/noheader.csv": "look: The label column's name, 'neg', is also a label.",
    "prodigy/choice.jsonl": "mend: 7 rows (1, 10, 19, 28, 37, …) without a label in column 'accept'.",
    "glue_minus_one/test.parquet": "stop: Every row has the label '-1'.",
}
REFUSED: dict[str, str] = {
    "gz/train.csv.zip": "is a zip archive, or a workbook of a spreadsheet",
    "json_oddities/dupkey.jsonl": "column 'text' stands more than once",
    "json_oddities/trailing.jsonl": "line 1: malformed JSON (Extra data",
    "json_oddities/nested.jsonl": "no column looks like the text; 'data' holds an object",
    "parquet_kinds/binary.parquet": "no column looks like the text; 'text' holds binary data",
    "parquet_kinds/struct.parquet": "no column looks like the label; 'label' holds an object",
    "parquet_kinds/dup.parquet": "column 'label' stands more than once; rename one",
}
MENDED = Preparation(drop_unusable=True, merge_labels=True)


@pytest.mark.parametrize("name", [name for name in FILES if name not in REFUSED and not name.startswith("label_odd")])
def test_what_is_read(name: str) -> None:
    table = read_table(str(CASES / name), split="train")
    columns = guess_columns(table).columns()
    report = data_report(table, None, columns)
    remarks = [f"{one.level}: {one.what}" for one in findings(report)]
    if name in SAID:
        assert any(remark.startswith(SAID[name]) for remark in remarks), remarks
    else:
        assert [one.split(":")[0] for one in remarks] in (["fine"], ["look"]), remarks  # a repeated text is worth a look
    if name in SAID and SAID[name].startswith("stop"):
        with pytest.raises(DataError):
            make_splits(table, None, columns, MENDED)
        return
    form, labels = READ.get(name, (table.form.in_words, NEG_POS))
    assert (table.form.in_words, {one.label: one.train for one in report.labels}) == (form, labels)
    mended = make_splits(table, None, columns, MENDED)
    assert len(mended.train) + len(mended.test) == report.usable == sum(labels.values())
    if any(remark.startswith("mend: ") and "look alike" not in remark for remark in remarks):
        what = next(remark for remark in remarks if remark.startswith("mend: ")).partition(") ")[2].rstrip(".")
        with pytest.raises(DataError) as caught:
            make_splits(table, None, columns, Preparation())
        assert what in str(caught.value)  # in the words of the check
        assert repr(str(CASES / name)) in str(caught.value)
    else:
        assert len(make_splits(table, None, columns, Preparation()).train) == len(mended.train)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    with pytest.raises(DataError) as caught:
        guess_columns(read_table(str(CASES / name), split="train")).columns()
    assert REFUSED[name] in str(caught.value)


def test_columns_of_objects_are_refused_by_all_alike() -> None:
    for name, columns, said in (
        ("json_oddities/nested.jsonl", Columns(text="data"), "60 rows of 60 with an object for a text in column 'data'"),
        ("parquet_kinds/struct.parquet", Columns(), "60 rows of 60 with an object for a label in column 'label'"),
        ("parquet_kinds/binary.parquet", Columns(), "60 rows of 60 with binary data for a text in column 'text'"),
    ):
        table = read_table(str(CASES / name), split="train")
        assert [one.level for one in findings(data_report(table, None, columns))] == ["stop", "mend"]
        for settings in (Preparation(), MENDED):
            with pytest.raises(DataError, match=f"no row can be used: {said}"):
                make_splits(table, None, columns, settings)


def test_hidden_labels_and_the_advice_about_splits(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    train, test = (read_table(str(CASES / "glue_minus_one" / f"{split}.parquet"), split=split) for split in ("train", "test"))
    columns = Columns(text="sentence")
    assert [one.what for one in findings(data_report(train, test, columns)) if one.level == "stop"] == [
        "No row of the test file can be used."
    ]
    for settings in (Preparation(), MENDED):
        with pytest.raises(DataError, match=r"without a label in column 'label' \(-1 marks a hidden one\).*give another --test"):
            make_splits(train, test, columns, settings)
    parts = {"train": Dataset.from_dict(train.columns), "validation": Dataset.from_dict(train.columns)}
    DatasetDict(parts).save_to_disk(tmp_path / "glue")
    assert len(read_table(f"{tmp_path / 'glue'}:validation", split="test")) == 60


CHANGED = {"apply_after_drop": {"0": ("neg", "pos")}, "apply_after_merge": {"0": ("NEG", "pos")}}


@pytest.mark.parametrize("fixes", ["fixes.jsonl", "exported.csv"])
@pytest.mark.parametrize("case", CHANGED)
def test_fixes_apply_to_the_file_that_a_build_had_to_mend(case: str, fixes: str, tmp_path: Path) -> None:
    folder = CASES / case
    with (folder / fixes).open(newline="") as opened:
        listed: list[Any] = [json.loads(line) for line in opened] if fixes.endswith("l") else list(csv.DictReader(opened))
    arguments = ["apply", "--fixes", str(folder / fixes), "--train", str(folder / "train.csv"), "--output"]
    assert main([*arguments, str(tmp_path / "out.csv")]) == 0
    gone = [row["example_id"] for row in listed if row["action"] == "remove"]
    wanted = []
    for line in (folder / "train.csv").read_text().splitlines():
        id = line.partition(",")[0]
        old, new = CHANGED[case].get(id, ("", ""))
        wanted += [] if id in gone else [line.removesuffix(old) + new]
    assert (tmp_path / "out.csv").read_text().splitlines() == wanted
    assert main([*arguments, str(tmp_path / "out.parquet")]) == 0
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [",".join(row.values()) for row in rows] == wanted[1:]
