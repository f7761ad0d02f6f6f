"""From decisions to a corrected, rebuilt data set through the command line; exit codes and what is said where."""

import csv
import zipfile
from pathlib import Path

import pytest
import tiny
from reviewing import ROWS, make_workspace, python, reviews_at

from influence import open_workspace
from influence.cli import main
from influence.fixes.files import read_fixes
from influence.fixes.fixlist import fix_list
from influence.review.events import Reviewer

ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str], list[str]]:
    """Exit code and the lines of stdout and stderr; the progress of a build left out."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as exit:
        code = int(exit.code or 0)
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err.splitlines()


def rows_of(file: Path) -> list[list[str]]:
    return list(csv.reader(file.read_text().splitlines()))


@pytest.fixture
def decided(tmp_path: Path) -> Path:
    """A workspace with three decisions and one disagreement."""
    reviews = reviews_at(make_workspace(tmp_path / "ws"))
    reviews.decide(ANN, "e0", "relabel", new_label="Sport")
    reviews.decide(ANN, "e1", "remove")
    reviews.decide(BOB, "e3", "keep")
    reviews.decide(ANN, "e2", "keep")
    reviews.decide(BOB, "e2", "remove")
    reviews.close()
    tiny.write_csv(tmp_path / "train.csv", ROWS)
    return tmp_path


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_export_writes_the_fix_list_and_says_what_it_left_out(decided: Path, capsys, form: str) -> None:
    output = decided / f"fixes.{form}"
    assert said(capsys, "export", "--workspace", decided / "ws", "--output", output) == (
        0,
        [f"{output}: 3 rows, 2 of them changes: 1 relabel, 1 remove, 0 mask, 1 keep"],
        ["note: examples left out, as their reviewers disagree: 1"],
    )
    reviews = reviews_at(open_workspace(decided / "ws"))
    assert read_fixes(output) == fix_list(reviews).fixes
    reviews.close()


def test_export_by_policy_and_reviewer(decided: Path, capsys) -> None:
    output = decided / "fixes.csv"
    command = ("export", "--workspace", decided / "ws", "--output", output)
    assert said(capsys, *command, "--policy", "latest")[1] == [
        f"{output}: 4 rows, 3 of them changes: 1 relabel, 2 remove, 0 mask, 1 keep"
    ]
    assert said(capsys, *command, "--reviewer", "ann")[1] == [
        f"{output}: 3 rows, 2 of them changes: 1 relabel, 1 remove, 0 mask, 1 keep"
    ]
    assert said(capsys, *command, "--reviewer", "eve") == (
        2,
        [],
        ["wordtrace: --reviewer 'eve' has decided nothing; those who have: ann, bob"],
    )


def test_export_of_a_zip(decided: Path, capsys) -> None:
    code, _, _ = said(capsys, "export", "--workspace", decided / "ws", "--output", decided / "fixes.zip")
    assert code == 0
    with zipfile.ZipFile(decided / "fixes.zip") as archive:
        assert archive.testzip() is None
        assert "report.md" in archive.namelist()


@pytest.mark.slow
def test_export_while_the_app_has_the_reviews_open(decided: Path) -> None:
    reviews = reviews_at(open_workspace(decided / "ws"))
    reviews.decide(BOB, "e5", "remove")
    script = "import sys\nfrom influence.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    output = decided / "fixes.csv"
    with python(script, "export", "--workspace", decided / "ws", "--output", output) as other:
        out, err = other.communicate(timeout=120)
    assert (other.returncode, out) == (0, f"{output}: 4 rows, 3 of them changes: 1 relabel, 2 remove, 0 mask, 1 keep\n")
    assert err == "note: examples left out, as their reviewers disagree: 1\n"
    reviews.decide(BOB, "e6", "remove")  # and the app goes on
    reviews.close()


def test_apply_prints_the_class_balance(decided: Path, capsys) -> None:
    said(capsys, "export", "--workspace", decided / "ws", "--output", decided / "fixes.csv")
    train, output = decided / "train.csv", decided / "out.csv"
    command = ("apply", "--fixes", decided / "fixes.csv", "--train", train, "--output", output)
    balance = [
        "label     before  after  change",
        "Business       3      3      +0",
        "Sport          2      3      +1",
        "World          3      1      -2",
    ]
    counts = "1 relabel, 1 remove, 0 mask, 1 keep"
    assert said(capsys, *command, "--dry-run") == (0, [f"{output}: 7 of 8 rows would be written: {counts}", *balance], [])
    assert not output.exists()
    assert said(capsys, *command) == (0, [f"{output}: 7 of 8 rows written: {counts}", *balance], [])
    rows = rows_of(output)
    assert rows == [["id", "text", "label"], ["e0", ROWS[0][1], "Sport"], *map(list, ROWS[2:])]
    again = ("apply", "--fixes", decided / "fixes.csv", "--train", output, "--output", decided / "twice.csv")
    code, out, err = said(capsys, *again)
    assert (code, out, len(err)) == (2, [], 1)
    assert "has no example with the id of 1 of 3 fixes: 'e1'; nothing was written" in err[0]
    assert not (decided / "twice.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["export", "--workspace", "{0}/ws", "--output", "{0}/fixes.xlsx"], "the file's name must end in .csv, .jsonl"),
        (["export", "--workspace", "{0}/ws", "--output", "{0}/absent/f.csv"], "it must be a file in a folder that exists"),
        (["export", "--workspace", "{0}/none", "--output", "{0}/f.csv"], "there is no workspace at '{0}/none'"),
        (["export", "--workspace", "{0}/new", "--output", "{0}/f.csv"], "workspace '{0}/new' has no decisions yet"),
        (["export", "--workspace", "{0}/ws", "--output", "{0}/f.csv", "--policy", "x"], "invalid choice: 'x'"),
        (["apply", "--fixes", "{0}/train.csv", "--train", "{0}/train.csv", "--output", "{0}/o.csv"], "is not a fix list: "),
        (["apply", "--fixes", "{0}/f.csv", "--train", "{0}/train.csv", "--output", "{0}/o.csv"], "there is no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(decided: Path, capsys, arguments: list[str], complaint: str) -> None:
    make_workspace(decided / "new")
    code, out, err = said(capsys, *(argument.format(decided) for argument in arguments))
    assert (code, out, len(err)) == (2, [], 1)
    assert complaint.format(decided) in err[0]


def test_export_apply_and_build_close_the_loop(tmp_path: Path, capsys) -> None:
    """Labels flipped in the training data are decided back, applied, and a build on the result has them all right."""
    right = tiny.rows(60, seed=1)
    flipped = [(id, text, {"neg": "pos", "pos": "neg"}[label] if n < 5 else label) for n, (id, text, label) in enumerate(right)]
    tiny.write_csv(tmp_path / "train.csv", flipped)
    tiny.write_csv(tmp_path / "test.csv", tiny.rows(20, seed=2, prefix="t"))

    def build(train: str, *more: str) -> int:
        command = ["build", "--train", tmp_path / train, "--test", tmp_path / "test.csv", "--workspace", tmp_path / "ws"]
        return said(capsys, *command, "--id", "id", "--model", "cnn", "--epochs", "1", "--device", "cpu", *more)[0]

    assert build("train.csv") == 0
    reviews = reviews_at(open_workspace(tmp_path / "ws"))
    for id, _, label in right[:5]:
        reviews.decide(ANN, id, "relabel", new_label=label)
    reviews.decide(ANN, right[5][0], "remove")
    reviews.close()
    assert said(capsys, "export", "--workspace", tmp_path / "ws", "--output", tmp_path / "f.csv")[0] == 0
    applied = said(
        capsys, "apply", "--fixes", tmp_path / "f.csv", "--train", tmp_path / "train.csv", "--output", tmp_path / "o.csv"
    )
    assert applied[0] == 0
    assert rows_of(tmp_path / "o.csv")[1:] == [list(r) for n, r in enumerate(right) if n != 5]
    assert build("o.csv") == 0
    reviews = reviews_at(open_workspace(tmp_path / "ws"))
    assert {id: example.label for id, example in reviews.corpus.examples.items()} == {
        id: label for n, (id, _, label) in enumerate(right) if n != 5
    }
    found = fix_list(reviews)
    assert (found.fixes, [d.example_id for d in found.settled]) == ([], [row[0] for row in right[:5]])
    assert [(u.decision.example_id, u.why) for u in found.unmatched] == [(right[5][0], "there is no example of that id")]
    reviews.close()
