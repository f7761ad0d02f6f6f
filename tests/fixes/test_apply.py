"""Applying a fix list: what it changes in the training file, that nothing else changes, and every refusal."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny import write_csv

from influence.data.dataset import text_sha256
from influence.data.masking import TWO_WAYS
from influence.errors import DataError, SettingsError
from influence.fixes.apply import Applied, apply_fixes
from influence.fixes.files import write_fixes
from influence.fixes.fixlist import Fix
from influence.fixes.train_file import GivenColumns

TRAIN = (
    "id,text,label,source\r\n"
    'a1,"red sox, win",World,"wire, A"\r\n'
    "a2,stocks fall,Business,wire\r\n"
    '\r\na3,"two\nlines ""so""",Sport,"=x"\r\n'
    'a4,"oil, oil, Oil",Business,\r\n'
    "a5,last line,World,z"
)
TEXTS = {"a1": "red sox, win", "a2": "stocks fall", "a3": 'two\nlines "so"', "a4": "oil, oil, Oil", "a5": "last line"}
LABELS = {"a1": "World", "a2": "Business", "a3": "Sport", "a4": "Business", "a5": "World"}


def fix(id: str, action: str, new_label: str | None = None, words: tuple[str, ...] = (), **changes: object) -> Fix:
    text = TEXTS.get(id, "")
    rest = ("", "ann", "2026-11-24T18:30:00.000Z", None, None, text_sha256(text), text)
    return Fix(id, action, LABELS.get(id, ""), new_label, words, *rest)._replace(**changes)


@pytest.fixture
def train(tmp_path: Path) -> Path:
    file = tmp_path / "train.csv"
    file.write_bytes(TRAIN.encode())
    return file


@pytest.fixture
def run(tmp_path: Path, train: Path) -> Callable[..., Applied]:
    def apply(*fixes: Fix, of: Path = train, output: str | None = None, **options: object) -> Applied:
        write_fixes(fixes, tmp_path / "fixes.jsonl")
        target = str(tmp_path / f"out{of.suffix}") if output is None else output
        return apply_fixes(str(tmp_path / "fixes.jsonl"), str(of), target, **options)  # type: ignore[arg-type]

    return apply


EVERY = (
    fix("a1", "relabel", "Sport"),
    fix("a2", "keep"),
    fix("a3", "remove"),
    fix("a4", "mask", words=("oil",), text_sha256=text_sha256(TEXTS["a4"])),
)


def test_only_the_fixed_rows_change_and_those_only_in_what_is_fixed(run, tmp_path: Path) -> None:
    """Line ends, quotes, blank lines, other columns and the missing last line break are as they were."""
    applied = run(*EVERY[:3], fix("a4", "mask", words=("oil",)), mask_token="[MASK]")
    assert (tmp_path / "out.csv").read_bytes().decode() == (
        "id,text,label,source\r\n"
        'a1,"red sox, win",Sport,"wire, A"\r\n'
        "a2,stocks fall,Business,wire\r\n"
        "\r\n"
        'a4,"[MASK], [MASK], [MASK]",Business,\r\n'
        "a5,last line,World,z"
    )
    assert applied.counts == {"relabel": 1, "remove": 1, "mask": 1, "keep": 1}
    assert (applied.rows_before, applied.rows_after) == (5, 4)
    assert applied.before == {"Business": 2, "Sport": 1, "World": 2}
    assert applied.after == {"Business": 2, "Sport": 1, "World": 1}
    assert applied.notes == [TWO_WAYS]


def test_a_dry_run_says_the_same_and_writes_nothing(run, tmp_path: Path) -> None:
    dry = run(*EVERY[:3], dry_run=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fixes.jsonl", "train.csv"]
    wet = run(*EVERY[:3])
    assert (dry.counts, dry.before, dry.after, dry.changes) == (wet.counts, wet.before, wet.after, wet.changes)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fixes.jsonl", "out.csv", "train.csv"]


def test_no_fixes_are_a_copy(run, train: Path, tmp_path: Path) -> None:
    run()
    assert (tmp_path / "out.csv").read_bytes() == train.read_bytes()
    run(*(fix(id, "keep") for id in TEXTS))
    assert (tmp_path / "out.csv").read_bytes() == train.read_bytes()


def test_a_masked_word_is_deleted_unless_a_token_is_given(run, tmp_path: Path) -> None:
    run(fix("a1", "mask", words=("sox",)))
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == 'a1,"red, win",World,"wire, A"'


def test_a_byte_order_mark_and_tabs_stay(run, tmp_path: Path) -> None:
    train = tmp_path / "train.tsv"
    train.write_bytes(b"\xef\xbb\xbf" + b"id\ttext\tlabel\na1\tred sox, win\tWorld\na2\tstocks fall\tBusiness\n")
    run(fix("a1", "relabel", "Business"), of=train)
    assert (tmp_path / "out.tsv").read_bytes() == train.read_bytes().replace(b"World", b"Business")


def test_jsonl_keeps_types_spaces_escapes_and_lines(run, tmp_path: Path) -> None:
    lines = [
        '{"id": "a1", "text": "red sox, win", "label": 2, "n": {"x": [1.50, null]}, "w": "\\u00fc"}',
        "",
        '{"id":"a2","label":0,"text":"stocks fall","w":"ü"}',
        '{"id": "a4", "text": "oil, oil, Oil", "label": 0}',
    ]
    train = tmp_path / "train.jsonl"
    train.write_text("\n".join(lines), encoding="utf-8")
    run(fix("a1", "relabel", "0", old_label="2"), fix("a2", "relabel", "2", old_label="0"), of=train)
    changed = [lines[0].replace('"label": 2', '"label": 0').replace("1.50", "1.5"), "", lines[2].replace(":0", ":2"), lines[3]]
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == "\n".join(changed)


def test_parquet_keeps_its_schema_codec_and_metadata(run, tmp_path: Path) -> None:
    schema = pa.schema(
        [
            ("text", pa.large_string()),
            ("label", pa.dictionary(pa.int8(), pa.string())),
            ("id", pa.string()),
            ("weight", pa.float32()),
            ("tags", pa.list_(pa.int16())),
        ],
        metadata={"made": "by hand"},
    )
    rows = [{"text": TEXTS[id], "label": LABELS[id], "id": id, "weight": 0.5, "tags": [n, n]} for n, id in enumerate(TEXTS)]
    train = tmp_path / "train.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), train, compression="zstd")
    run(fix("a1", "relabel", "Sport"), fix("a3", "remove"), fix("a4", "mask", words=("oil",)), of=train, mask_token="x")
    written = pq.read_table(tmp_path / "out.parquet")
    assert written.schema.equals(pq.read_schema(train), check_metadata=True)
    rows[0]["label"], rows[3]["text"] = "Sport", "x, x, x"
    assert written.to_pylist() == [row for row in rows if row["id"] != "a3"]
    assert pq.read_metadata(tmp_path / "out.parquet").row_group(0).column(0).compression == "ZSTD"


def test_a_hugging_face_data_set_comes_out_in_the_form_asked_for(run, tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=["Business", "World"])})
    ids = ["a1", "a2", "a4"]
    rows = {"id": ids, "text": [TEXTS[id] for id in ids], "label": [LABELS[id] for id in ids]}
    Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "folder")
    fixes = (fix("a1", "relabel", "Business"), fix("a2", "remove"))
    for form in (".csv", ".jsonl", ".parquet"):
        run(*fixes, of=tmp_path / "folder", output=str(tmp_path / f"out{form}"))
    wanted = [{"id": "a1", "text": TEXTS["a1"], "label": "Business"}, {"id": "a4", "text": TEXTS["a4"], "label": "Business"}]
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == wanted
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == wanted
    assert (tmp_path / "out.csv").read_text() == 'id,text,label\na1,"red sox, win",Business\na4,"oil, oil, Oil",Business\n'
    with pytest.raises(SettingsError, match=r"cannot write '\.txt'; name the file one of .csv, .tsv, .jsonl, .parquet"):
        run(*fixes, of=tmp_path / "folder", output=str(tmp_path / "out.txt"))


# Which columns -------------------------------------------------------------------------------------------------------


def test_columns_of_any_name_are_found_by_the_hashes(run, tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    rows = [(n, "note", LABELS[id], TEXTS[id], id) for n, id in enumerate(TEXTS)]
    write_csv(train, rows, ("n", "remark", "category", "sentence", "key"))
    applied = run(fix("a1", "relabel", "Sport"))
    assert applied.train.options == ["--text", "sentence", "--label", "category", "--id", "key"]
    applied = run(fix("a1", "relabel", "Sport", example_id="0"), columns=GivenColumns(id="n"))
    assert applied.train.options == ["--text", "sentence", "--label", "category", "--id", "n"]


def test_row_numbers_are_ids_where_there_is_no_column_of_them(run, tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", [(TEXTS[id], LABELS[id]) for id in TEXTS], ("text", "label"))
    applied = run(fix("a2", "remove", example_id="1"))
    assert applied.train.options == ["--text", "text", "--label", "label"]
    assert applied.notes == ["ids are row numbers here, and rows after a removed one move up: a column of ids would stay"]


def test_pairs_are_found_in_their_order_and_masked_on_both_sides(run, tmp_path: Path) -> None:
    write_csv(
        tmp_path / "train.csv",
        [("p1", "a man runs", "a man sleeps", "no"), ("p2", "a dog", "a cat", "yes")],
        ("id", "hypothesis", "premise", "label"),
    )
    hash, text = text_sha256("a man sleeps", "a man runs"), "a man sleeps\x1fa man runs"
    row = fix("a1", "mask", words=("man", "runs"), example_id="p1", old_label="no", text_sha256=hash, text=text)
    applied = run(row)
    assert applied.train.options == ["--text", "premise", "--text-pair", "hypothesis", "--label", "label", "--id", "id"]
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "p1,a,a sleeps,no"


def test_columns_that_are_named_are_taken_at_their_word(run, train: Path) -> None:
    with pytest.raises(DataError, match="has another text for 1 of 1 fixes: 'a1' → 'Sport'; nothing was written"):
        run(fix("a1", "relabel", "Sport"), columns=GivenColumns(text="label"))
    with pytest.raises(DataError, match=r"--label 'colour': .* has no such column"):
        run(fix("a1", "relabel", "Sport"), columns=GivenColumns(label="colour"))


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixes", "message"),
    [
        (
            [fix("a1", "keep"), fix("a9", "remove"), fix("b9", "keep")],
            "which has no example with the id of 2 of 3 fixes: 'a9', 'b9'; nothing was written (was it another file, or --id?)",
        ),
        (
            [fix("a1", "keep", text="other", text_sha256=text_sha256("other")), fix("a2", "keep")],
            "which has another text for 1 of 2 fixes: 'a1'; nothing was written (the file was edited since, or its columns are "
            "others: --text, --text-pair)",
        ),
        (
            [fix("a1", "relabel", "World", old_label="Sport")],
            "which has another label for 1 of 1 fixes: 'a1' → 'World'; nothing was written (the file was edited since, or the "
            "fixes are in it already)",
        ),
        (
            [fix("a1", "relabel", "Art")],
            "which never has the new label of 1 of 1 fixes: 'a1' → 'Art'; nothing was written (a new label must be one that the "
            "file has)",
        ),
    ],
)
def test_one_fix_that_does_not_fit_refuses_the_lot(run, tmp_path: Path, train: Path, fixes, message) -> None:
    (tmp_path / "out.csv").write_text("what was there before")
    with pytest.raises(DataError) as error:
        run(*fixes)
    assert str(error.value) == f"{str(tmp_path / 'fixes.jsonl')!r} does not fit {str(train)!r}, {message}"
    assert (tmp_path / "out.csv").read_text() == "what was there before"
    assert train.read_bytes() == TRAIN.encode()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (fix("a1", "mask", words=("sock",)), "cannot mask 'sock' in example 'a1': it does not occur there; nothing was written"),
        (
            fix("a2", "mask", words=("stocks", "fall")),
            "masking leaves no text of example 'a2': remove it instead; nothing was written",
        ),
    ],
)
def test_masks_that_cannot_be_made(run, tmp_path: Path, row: Fix, message: str) -> None:
    with pytest.raises(DataError) as error:
        run(row)
    assert str(error.value) == message
    assert not (tmp_path / "out.csv").exists()


def test_removing_everything_is_refused_and_the_end_of_a_class_is_said(run) -> None:
    with pytest.raises(DataError, match="removes every row of"):
        run(*(fix(id, "remove") for id in TEXTS))
    assert run(fix("a3", "remove")).notes == ["no example of 'Sport' is left"]


def test_inputs_are_never_written_over(run, tmp_path: Path, train: Path) -> None:
    (tmp_path / "link.csv").symlink_to(train)
    os.link(train, tmp_path / "hard.csv")
    for name in ("train.csv", "link.csv", "hard.csv", "../" + tmp_path.name + "/train.csv"):
        with pytest.raises(SettingsError, match="is the file of --train; name another, inputs are never written over"):
            run(fix("a3", "remove"), output=str(tmp_path / name))
    with pytest.raises(SettingsError, match="is the file of --fixes; name another"):
        run(fix("a3", "remove"), output=str(tmp_path / "fixes.jsonl"))
    assert train.read_bytes() == TRAIN.encode()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("out.jsonl", "name it .csv, the form of "),
        ("absent/out.csv", "in a folder that exists"),
        (".", "in a folder that exists"),
    ],
)
def test_outputs_that_cannot_be(run, tmp_path: Path, output: str, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        run(fix("a3", "remove"), output=str(tmp_path / output))
    assert message in str(error.value)


def test_an_output_file_has_the_rights_that_any_new_file_has(run, tmp_path: Path) -> None:
    run(fix("a3", "remove"))
    (tmp_path / "plain").touch()
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
