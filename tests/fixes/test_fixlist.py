"""The fix list: what many reviewers' decisions come to, and that a file of it is harmless and comes back as it was."""

import csv
import hashlib
import io
import json
import shlex
import tempfile
import zipfile
from pathlib import Path

import hypothesis.strategies as st
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value, load_from_disk
from hypothesis import given
from reviewing import ROWS, Clock, make_workspace, reviews_at
from tiny import write_csv

from influence.annotation import read_table
from influence.cli import main
from influence.data.dataset import text_sha256
from influence.errors import DataError, SettingsError
from influence.fixes.bundle import export_bundle
from influence.fixes.files import COLUMNS, RISKY, encode_fixes, neutralised, read_fixes, restored, write_fixes
from influence.fixes.fixlist import Fix, fix_list
from influence.review.events import Evidence, Reviewer
from influence.review.reviews import Reviews
from influence.rules.rule import Rule, apply_rule

ANN, BOB, CAT, DAN = (Reviewer(name=name) for name in ("ann", "bob", "cat", "dan"))
FORMS = (".csv", ".jsonl", ".parquet")


@pytest.fixture
def reviews(tmp_path: Path):
    opened = reviews_at(make_workspace(tmp_path / "ws"), Clock(1_790_000_000_000))
    yield opened
    opened.close()


def fix(**changes: object) -> Fix:
    text = str(changes.pop("text", "red sox"))
    values = {
        "example_id": "e0",
        "action": "keep",
        "old_label": "World",
        "new_label": None,
        "words": (),
        "reason": "",
        "reviewer": "ann",
        "decided_at": "2026-09-21T14:13:20.001Z",
        "method": None,
        "score": None,
        "text_sha256": text_sha256(text),
        "text": text,
    }
    return Fix(**{**values, **changes})  # type: ignore[arg-type]


def test_every_kind_of_row(reviews: Reviews) -> None:
    evidence = Evidence(method="suspicion", score=0.875, details={"reason": "4 of 5 models say Sport"})
    reviews.decide(ANN, "e6", "remove", evidence=evidence)
    reviews.decide(ANN, "e0", "relabel", new_label="Sport", note="baseball")
    reviews.decide(BOB, "e0", "relabel", new_label="Sport")
    reviews.add_note(BOB, "e0", "sure")
    reviews.add_note(CAT, "e0", "no part of this decision")
    reviews.decide(BOB, "e2", "keep")
    reviews.decide(BOB, "e7", "mask", words=["red", "wine"])
    reviews.decide(BOB, "e3", "flag")
    found = fix_list(reviews)
    at = "2026-09-21T14:13:20.{:03d}Z".format
    hashes, texts = [text_sha256(row[1]) for row in ROWS], [row[1] for row in ROWS]
    assert found.fixes == [
        Fix("e0", "relabel", "World", "Sport", (), "baseball; sure", "ann; bob", at(3), None, None, hashes[0], texts[0]),
        Fix("e2", "keep", "Business", None, (), "", "bob", at(6), None, None, hashes[2], texts[2]),
        Fix(
            "e6",
            "remove",
            "World",
            None,
            (),
            "4 of 5 models say Sport",
            "ann",
            at(1),
            "suspicion",
            0.875,
            hashes[6],
            texts[6],
        ),
        Fix("e7", "mask", "Business", None, ("red", "wine"), "", "bob", at(7), None, None, hashes[7], texts[7]),
    ]
    assert found.counts == {"relabel": 1, "remove": 1, "mask": 1, "keep": 1}
    assert found.before == {"Business": 3, "Sport": 2, "World": 3}
    assert found.after == {"Business": 3, "Sport": 3, "World": 1}
    assert (found.conflicts, found.unmatched, found.settled, found.flagged, found.rules) == ([], [], [], [], [])
    assert found.notes == []


def test_disagreements_are_listed_and_left_out_unless_the_policy_settles_them(reviews: Reviews) -> None:
    for who, kind in ((ANN, "keep"), (BOB, "remove")):
        reviews.decide(who, "e0", kind)
        reviews.decide(who, "e1", kind)
        reviews.decide(who, "e2", kind)
    reviews.decide(CAT, "e1", "remove")
    reviews.decide(DAN, "e2", "keep", adjudicates=True, note="fine")
    reviews.decide(ANN, "e2", "flag")

    def said(policy: str) -> list[tuple[str, str, str, str]]:
        return [(f.example_id, f.action, f.reviewer, f.reason) for f in fix_list(reviews, policy=policy).fixes]

    settled = ("e2", "keep", "dan", "fine; adjudicated")
    majority = ("e1", "remove", "bob; cat", "majority of 3 reviewers")
    assert said("adjudicated") == [settled]
    assert said("majority") == [majority, settled]
    assert said("latest") == [("e0", "remove", "bob", "latest of 2 reviewers"), majority, settled]
    found = fix_list(reviews)
    assert [(c.example_id, c.how) for c in found.conflicts] == [("e0", "conflict"), ("e1", "majority")]
    assert found.flagged == ["e2"]
    assert found.notes == [
        "examples left out, as their reviewers disagree: 1",
        "disagreements settled by policy 'majority': 1",
        "fixes of examples that somebody has flagged since: 1",
    ]
    assert [f.example_id for f in fix_list(reviews, reviewers=["ann"]).fixes] == ["e0", "e1", "e2"]
    with pytest.raises(SettingsError, match="unknown policy 'loudest'"):
        fix_list(reviews, policy="loudest")


def test_a_rule_stands_in_the_reason_until_it_is_revoked(reviews: Reviews) -> None:
    rule = Rule(by="words", pattern="championship series", action="relabel", new_label="Sport", only_label="World")
    action = apply_rule(reviews, ANN, rule)
    found = fix_list(reviews)
    assert [(f.example_id, f.reason) for f in found.fixes] == [("e0", f"rule: {rule}"), ("e1", f"rule: {rule}")]
    assert [(r.rule, r.action.id) for r in found.rules] == [(rule, action.id)]
    reviews.revoke(ANN, action.id)
    found = fix_list(reviews)
    assert (found.fixes, found.rules) == ([], [])


def test_decisions_on_a_workspace_rebuilt_since(tmp_path: Path) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws"))
    for id, kind in (("e0", "remove"), ("e1", "remove"), ("e2", "remove"), ("e3", "keep"), ("e7", "keep")):
        reviews.decide(ANN, id, kind)
    reviews.decide(ANN, "e4", "relabel", new_label="World")
    reviews.decide(ANN, "e5", "relabel", new_label="World")
    reviews.close()
    rows = [ROWS[0], ("e1", "other text", "World"), ("e3", ROWS[3][1], "World"), ("e4", ROWS[4][1], "World")]
    rows += [("e5", ROWS[5][1], "Sport"), ROWS[6], ROWS[7]]
    reviews = reviews_at(make_workspace(tmp_path / "ws", rows, build="b2"))
    found = fix_list(reviews)
    assert [(f.example_id, f.action, f.old_label, f.new_label) for f in found.fixes] == [
        ("e0", "remove", "World", None),
        ("e5", "relabel", "Sport", "World"),
        ("e7", "keep", "Business", None),
    ]
    assert [(u.decision.example_id, u.why) for u in found.unmatched] == [
        ("e1", "its text has changed"),
        ("e2", "there is no example of that id"),
        ("e3", "its label is no longer 'Sport'"),
    ]
    assert [d.example_id for d in found.settled] == ["e4"]
    assert found.notes == [
        "decisions left out, as they were made on other data than this build's: 3",
        "relabels left out, as the data has the new label already: 1",
    ]
    reviews.close()


# Files ---------------------------------------------------------------------------------------------------------------

EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''=1", "'quoted", "=cmd|' /C calc'!A0", "＝1", '"=1"']


def test_no_cell_of_text_is_a_formula_and_every_one_comes_back(tmp_path: Path) -> None:
    rows = [
        fix(example_id=cell, old_label=cell, reason=cell, reviewer=cell, method=cell, text=cell, action="mask", words=(cell,))
        for cell in EVIL
    ]
    content = encode_fixes(rows, ".csv").decode()
    cells = list(csv.reader(io.StringIO(content, newline="")))[1:]
    assert len(cells) == len(EVIL)
    for row in cells:
        assert not [cell for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")]
    for form in FORMS:
        write_fixes(rows, tmp_path / f"fixes{form}")
        assert read_fixes(tmp_path / f"fixes{form}") == rows


def test_the_columns_and_values_of_each_form(tmp_path: Path) -> None:
    row = fix(action="relabel", new_label="Sport", reason='say "so"', method="m", score=-0.25, text="=red, sox\r\nwin")
    assert encode_fixes([row], ".csv").decode() == (
        '"example_id","action","old_label","new_label","words","reason","reviewer","decided_at","method","score",'
        '"text_sha256","text"\r\n'
        '"e0","relabel","World","Sport","","say ""so""","ann","2026-09-21T14:13:20.001Z","m","-0.25",'
        f'"{row.text_sha256}","\'=red, sox\r\nwin"\r\n'
    )
    assert json.loads(encode_fixes([row], ".jsonl")) == {**row._asdict(), "words": []}
    write_fixes([row], tmp_path / "fixes.parquet")
    table = pq.read_table(tmp_path / "fixes.parquet")
    assert table.to_pylist() == [{**row._asdict(), "words": []}]
    assert [str(field.type) for field in table.schema if str(field.type) != "string"] == ["list<element: string>", "double"]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.sampled_from(EVIL)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def fixes(draw: st.DrawFn) -> Fix:
    action = draw(st.sampled_from(["keep", "remove", "relabel", "mask"]))
    old_label = draw(TEXT)
    return fix(
        example_id=draw(TEXT),
        action=action,
        old_label=old_label,
        new_label=draw(TEXT.filter(lambda label: label != old_label)) if action == "relabel" else None,
        words=tuple(draw(st.lists(TEXT, min_size=1, max_size=3))) if action == "mask" else (),
        reason=draw(TEXT | st.just("")),
        reviewer=draw(TEXT),
        method=draw(st.none() | TEXT),
        score=draw(NUMBERS),
        text=draw(TEXT),
    )


@given(st.lists(fixes(), max_size=4, unique_by=lambda row: row.example_id), st.sampled_from(FORMS))
def test_a_fix_list_comes_back_as_it_was(rows: list[Fix], form: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_fixes(rows, Path(folder) / f"fixes{form}")
        assert read_fixes(Path(folder) / f"fixes{form}") == rows


@given(TEXT)
def test_neutralising_is_undone_exactly(cell: str) -> None:
    assert restored(neutralised(cell)) == cell
    assert not RISKY.match(neutralised(cell)) or neutralised(cell).startswith("'")


def spoilt(tmp_path: Path, rows: list[dict[str, object]], name: str = "fixes.csv") -> Path:
    path = tmp_path / name
    header = list(rows[0])
    write_csv(path, [[str(row[column]) for column in header] for row in rows], header)
    return path


GOOD = dict(zip(COLUMNS, next(csv.reader(encode_fixes([fix(score=0.5)], ".csv").decode().splitlines()[1:])), strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": "delete"}, "unknown action 'delete'; it is one of keep, relabel, remove, mask"),
        ({"text_sha256": "1.2E+63"}, "text_sha256 '1.2E+63' is not a SHA-256 in hexadecimal"),
        ({"text": "red sÃ¶x"}, "the text of example 'e0' does not fit its hash ('red sÃ¶x'); a spreadsheet has changed its "),
        ({"decided_at": "21/09/2026 14:13"}, "decided_at '21/09/2026 14:13' is not a time such as 2026-11-24T18:30:00.000Z; "),
        ({"decided_at": "46286.59"}, "decided_at '46286.59' is not a time such as"),
        ({"score": "0,5"}, "score '0,5' is not a number; a spreadsheet has rewritten it"),
        ({"score": "nan"}, "score 'nan' is not a finite number"),
        ({"example_id": ""}, "example_id is blank"),
        ({"action": "relabel"}, "relabel with new_label None; a new label goes with relabel and with nothing else"),
        ({"new_label": "Sport"}, "keep with new_label 'Sport'; a new label goes with relabel and with nothing else"),
        ({"action": "relabel", "new_label": "World"}, "relabel from 'World' to the same label"),
        ({"action": "mask"}, "mask with words []; words go with mask and with nothing else"),
        ({"action": "mask", "words": "red"}, 'words \'red\' are not a JSON list such as ["good", "bad"]'),
        ({"action": "mask", "words": '{"red": 1}'}, 'words {\'red\': 1} are not a list of texts such as ["good", "bad"]'),
    ],
)
def test_rows_at_fault_are_named(tmp_path: Path, change: dict[str, str], message: str) -> None:
    path = spoilt(tmp_path, [{**GOOD, "example_id": "e9"}, {**GOOD, **change}])
    with pytest.raises(DataError) as error:
        read_fixes(path)
    assert str(error.value).startswith(f"{str(path)!r} row 3: {message}")
    assert "\n" not in str(error.value)


def test_rows_that_want_different_things_of_one_example(tmp_path: Path) -> None:
    path = spoilt(tmp_path, [GOOD, GOOD, {**GOOD, "action": "remove"}])
    with pytest.raises(DataError) as error:
        read_fixes(path)
    assert str(error.value) == f"{str(path)!r} row 4: another row wants something else of example 'e0'; delete one of the two"
    assert read_fixes(spoilt(tmp_path, [GOOD, GOOD])) == [fix(score=0.5)]


def test_files_that_are_no_fix_list(tmp_path: Path) -> None:
    lacking = {name: value for name, value in GOOD.items() if name not in ("text_sha256", "words")}
    path = spoilt(tmp_path, [lacking])
    with pytest.raises(DataError) as error:
        read_fixes(path)
    assert str(error.value) == f"{str(path)!r} is not a fix list: it lacks the columns words, text_sha256"
    path.write_text(encode_fixes([fix()], ".csv").decode().replace('","', '";"'))
    assert read_fixes(path) == [fix()]  # as a spreadsheet saves it where the comma is for decimals
    path.write_text(encode_fixes([fix()], ".csv").decode() + "one,field,too,few\n")
    with pytest.raises(DataError, match=r"line 3: 4 fields where the header has 12; mend or delete that row"):
        read_fixes(path)
    path.write_bytes(encode_fixes([fix(text="fußball")], ".csv").decode().encode("cp1252"))
    with pytest.raises(DataError, match=r"is not UTF-8 text\. It may be windows-1252: line 2: '.*fußball"):
        read_fixes(path)
    with pytest.raises(DataError, match="there is no such file or folder"):
        read_fixes(tmp_path / "absent.csv")
    with pytest.raises(SettingsError, match=r"cannot write a fix list as '.xlsx'; name the file one of .csv, .jsonl, .parquet"):
        write_fixes([], tmp_path / "fixes.xlsx")
    with pytest.raises(SettingsError, match="cannot be written: No such file or directory"):
        write_fixes([], tmp_path / "absent" / "fixes.csv")


def test_a_spreadsheets_byte_order_mark_and_extra_column_do_no_harm(tmp_path: Path) -> None:
    path = spoilt(tmp_path, [{**GOOD, "checked": "yes"}])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_fixes(path) == [fix(score=0.5)]


def test_numbers_for_ids_and_labels_are_text(tmp_path: Path) -> None:
    path = tmp_path / "fixes.jsonl"
    path.write_text(json.dumps({**fix()._asdict(), "example_id": 7, "old_label": 0, "decided_at": None}))
    assert read_fixes(path) == [fix(example_id="7", old_label="0", decided_at="")]
    path.write_text(json.dumps({**fix()._asdict(), "reviewer": ["ann"]}))
    with pytest.raises(DataError, match=r"row 1: reviewer is \['ann'\], not text"):
        read_fixes(path)


# Bundled ------------------------------------------------------------------------------------------


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_zip_holds_the_list_the_corrected_data_a_report_and_the_command(tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    write_csv(train, [(*row, "x") for row in ROWS], ("id", "text", "label", "more"))
    digest = hashlib.sha256(train.read_bytes()).hexdigest()
    reviews = reviews_at(make_workspace(tmp_path / "ws", source=str(train), sha256=digest))
    reviews.decide(ANN, "e0", "relabel", new_label="Sport")
    reviews.decide(ANN, "e1", "remove")
    reviews.decide(ANN, "e2", "keep")
    reviews.decide(BOB, "e2", "remove")
    files = unzipped(export_bundle(reviews))
    assert sorted(files) == ["corrected.csv", "fixes.csv", "fixes.jsonl", "fixes.parquet", "manifest.json", "report.md"]
    assert files["fixes.jsonl"] == encode_fixes(fix_list(reviews).fixes, ".jsonl")
    corrected = train.read_text().replace("series,World,x", "series,Sport,x", 1).splitlines()
    assert files["corrected.csv"].decode().splitlines() == [line for line in corrected if not line.startswith("e1,")]
    command = (
        f"python -m influence apply --fixes fixes.jsonl --train {train} --output corrected.csv --text text --label label --id id"
    )
    report = files["report.md"].decode()
    for part in (
        "2 changes to 8 examples: 1 to relabel, 1 to remove, 0 to mask, 0 to keep.",
        "| World | 3 | 1 | -2 |",
        "- ann: 2",
        "- e2: ann: keep; bob: remove (left out)",
        command,
    ):
        assert part in report, part
    manifest = json.loads(files["manifest.json"])
    assert (manifest["command"], manifest["build"], manifest["train_sha256"]) == (command, "b1", digest)
    assert manifest["sha256"] == {n: hashlib.sha256(c).hexdigest() for n, c in files.items() if n != "manifest.json"}
    reviews.close()


def test_the_zip_has_the_workspaces_own_copy_when_the_training_file_is_gone(tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text("not what it was")
    reviews = reviews_at(make_workspace(tmp_path / "ws", source=str(train), sha256="of another file"))
    reviews.decide(ANN, "e0", "relabel", new_label="Sport")
    files = unzipped(export_bundle(reviews))
    rows = list(csv.reader(io.StringIO(files["corrected.csv"].decode())))
    assert rows[:3] == [["id", "text", "label"], ["e0", ROWS[0][1], "Sport"], list(ROWS[1])]
    assert len(rows) == 9
    assert "To apply" not in files["report.md"].decode()
    assert json.loads(files["manifest.json"])["command"] is None
    reviews.close()


def test_the_zip_holds_a_saved_data_set_as_what_it_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its other splits, columns and class names are there; the command of the report makes the same folder."""
    names = sorted({label for *_, label in ROWS})
    kinds = {name: Value("string") for name in ("id", "text", "more")} | {"label": ClassLabel(names=names)}
    rows = [{"id": id, "text": text, "label": names.index(label), "more": f"of {id}"} for id, text, label in ROWS]
    train, test = (Dataset.from_list(part, features=Features(kinds)) for part in (rows, rows[:1]))
    DatasetDict(train=train, test=test).save_to_disk(str(tmp_path / "mine"))
    digest = read_table(str(tmp_path / "mine"), split="train").sha256
    reviews = reviews_at(make_workspace(tmp_path / "ws", source=str(tmp_path / "mine"), sha256=digest))
    reviews.decide(ANN, "e0", "relabel", new_label="Sport")
    reviews.decide(ANN, "e1", "remove")
    capfd.readouterr()
    (tmp_path / "bundle.zip").write_bytes(export_bundle(reviews))
    assert capfd.readouterr() == ("", "")  # none of the library's bars
    reviews.close()
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "out")
        assert "corrected.csv" not in archive.namelist()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {n: hashlib.sha256((tmp_path / "out" / n).read_bytes()).hexdigest() for n in manifest["sha256"]} == manifest["sha256"]
    command = shlex.split(manifest["command"].replace("fixes.jsonl", str(tmp_path / "out" / "fixes.jsonl")))
    assert command[:3] == ["python", "-m", "influence"]
    assert command[command.index("--output") + 1] == "corrected"
    command[command.index("--output") + 1] = str(tmp_path / "again")
    assert main(command[3:]) == 0
    for made in (tmp_path / "out" / "corrected", tmp_path / "again"):
        found = load_from_disk(str(made))
        assert found["train"].features == train.features
        assert found["train"].to_list() == [{**rows[0], "label": names.index("Sport")}, *rows[2:]]
        assert found["test"].to_list() == rows[:1]


def test_the_report_shows_hostile_names_as_text(tmp_path: Path) -> None:
    rows = [("![x](http://h/x.png)", "<script>", "a|b"), ("e1", "text", "c")]
    reviews = reviews_at(make_workspace(tmp_path / "ws", rows, labels=("a|b", "c")))
    reviews.decide(ANN, rows[0][0], "keep")
    reviews.decide(Reviewer(name="<img src=x>"), rows[0][0], "remove")
    report = unzipped(export_bundle(reviews))["report.md"].decode()
    assert "| a\\|b | 1 | 1 | +0 |" in report
    assert "\\!\\[x\\]\\(http\\://h/x\\.png\\): \\<img src=x\\>: remove; ann: keep" in report or (
        "\\!\\[x\\]\\(http\\://h/x\\.png\\): ann: keep; \\<img src=x\\>: remove" in report
    )
    assert "<img" not in report.replace("\\<img", "")
    reviews.close()
