"""Data with several labels a row are refused by whoever reads them, in one line with the way out; a few such rows are not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from influence.cli import main
from influence.data.columns import guess_columns
from influence.data.dataset import Columns
from influence.data.examples import read_examples
from influence.data.labels import flag_columns, of_several
from influence.errors import DataError
from influence.reading import Table, read_table

N = 40
TEXTS = [f"text number {n} film {n * n}" for n in range(N)]
WAY_OUT = "Wordtrace explains classifiers that choose one label, so take one label at a time: "
COLUMN = "write a column that says of every row whether it has that label, such as {0!r} or 'not {0}', and name it with --label"
FLAGS = {
    "id": list(range(N)),
    "comment_text": TEXTS,
    "toxic": [int(n % 3 == 0) for n in range(N)],
    "obscene": [int(n % 6 == 0) for n in range(N)],
    "threat": [int(n % 8 == 0) for n in range(N)],
}


def lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(path)


def lists(path: Path, several: int) -> str:
    labels = [["joy", "love"] if n < several else ["love"] if n % 2 else ["joy"] for n in range(N)]
    return lines(path, [{"text": text, "label": label} for text, label in zip(TEXTS, labels, strict=True)])


def cats(path: Path) -> str:
    rows = [{"text": text, "cats": {"A": n % 2, "B": 1 - n % 2, "C": int(n % 3 == 0)}} for n, text in enumerate(TEXTS)]
    return lines(path, rows)


def written(sign: str) -> Callable[[Path], str]:
    def write(path: Path) -> str:
        labels = [("neg", "pos")[n % 2] if n % 4 else f"neg{sign}pos" for n in range(N)]
        return lines(path, [{"text": text, "label": label} for text, label in zip(TEXTS, labels, strict=True)])

    return write


CASES: dict[str, tuple[Callable[[Path], str], str]] = {
    "lists": (
        lambda path: lists(path, 6),
        "column 'label' gives several labels to 6 rows of 40 (rows 1, 2, 3, 4, 5, …); " + WAY_OUT + COLUMN.format("joy"),
    ),
    "spaCy": (
        cats,
        "column 'cats' gives several labels to 14 rows of 40 (rows 1, 4, 7, 10, 13, …); " + WAY_OUT + COLUMN.format("A"),
    ),
    **{
        sign: (
            written(sign),
            f"column 'label' gives several labels to 10 rows of 40 (rows 1, 5, 9, 13, 17, …, as 'neg{sign}pos'); "
            + WAY_OUT + COLUMN.format("neg"),
        )
        for sign in ("#", "|", ", ")
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("command", ["check", "build", "build --checkpoints"])
def test_it_is_one_line(case: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write, said = CASES[case]
    file = write(tmp_path / "rows.jsonl")
    arguments = ["--train", file]
    if command != "check":
        column = "cats" if case == "spaCy" else "label"
        arguments += ["--workspace", str(tmp_path / "w"), "--label", column, "--drop-unusable"]
    if command == "build --checkpoints":
        arguments += ["--checkpoints", str(tmp_path)]
    assert main([command.split()[0], *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == f"wordtrace: {file!r} holds multi-label data: {said}"
    assert not (tmp_path / "w" / "workspace.json").exists()


def test_a_test_file_is_refused_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = lists(tmp_path / "train.jsonl", 0), lists(tmp_path / "test.jsonl", 20)
    assert main(["check", "--train", train, "--test", test]) == 2
    assert f"wordtrace: {test!r} holds multi-label data" in capsys.readouterr().err


@pytest.mark.parametrize(("several", "refused"), [(1, False), (5, False), (6, True)])
def test_a_few_rows_are_left_out_as_before(several: int, refused: bool, tmp_path: Path) -> None:
    """15 % of the rows is the limit: 6 of 40."""
    table = read_table(lists(tmp_path / "rows.jsonl", several), split="train")
    if refused:
        with pytest.raises(DataError, match="multi-label"):
            read_examples(table, Columns())
    else:
        assert list(read_examples(table, Columns()).flaws) == list(range(several))


def table(columns: dict[str, list[Any]]) -> Table:
    return Table(columns, "rows.csv", "0" * 64)


def csv(path: Path, columns: dict[str, list[Any]]) -> str:
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows), encoding="utf-8")
    return str(path)


SAID = (
    "the columns 'toxic', 'obscene', 'threat' are 0 or 1, several of them 1 in a row, so these are multi-label data; "
    + WAY_OUT
    + "choose a column, as with --label 'toxic'"
)


def test_columns_of_yes_and_no_are_refused_until_one_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = csv(tmp_path / "rows.csv", FLAGS)
    assert main(["check", "--train", file]) == 2
    assert capsys.readouterr().err == f"wordtrace: {file!r}: {SAID}\n"
    assert main(["check", "--train", file, "--text", "comment_text"]) == 2
    assert capsys.readouterr().err == f"wordtrace: {file!r}: {SAID}\n"
    assert main(["build", "--train", file, "--workspace", str(tmp_path / "w"), "--text", "comment_text"]) == 2
    names = ", ".join(map(repr, FLAGS))
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"wordtrace: --label 'label': {file!r} has no such column; it has {names}; {SAID}"
    )
    assert main(["check", "--train", file, "--label", "obscene"]) == 0
    assert "  label: 'obscene'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "label"),
    [
        ({"label": FLAGS["threat"]}, "label"),  # the others are remarks beside it
        ({"toxic": ["yes", "no"] * (N // 2)}, "toxic"),
        ({"obscene": [1 - n for n in FLAGS["toxic"]], "threat": [0] * N}, "toxic"),  # one of them a row: no row has several
        ({"threat": TEXTS[::-1]}, "toxic"),  # one column beside it is a remark
    ],
    ids=["a label beside", "words", "one a row", "a flag beside"],
)
def test_flags_beside_a_label_are_none(changed: dict[str, list[Any]], label: str) -> None:
    guess = guess_columns(table(FLAGS | changed))
    assert (guess.label, guess.several) == (label, "")


def test_which_columns_are_flags() -> None:
    assert flag_columns(FLAGS) == ["toxic", "obscene", "threat"]
    assert flag_columns({"a": [True, True, False], "b": ["True", "TRUE", ""], "c": [1.0, 1.0, -1]}) == ["a", "b", "c"]
    assert flag_columns({"a": [1, 1, 0], "b": [0, 1, 1]}) == []  # one row with both may be a slip
    assert flag_columns({}) == []


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["1", "5", "1,5", "2", "2,5", "3"], []),  # half stars
        (["3", "15", "3,15"], ["3,15"]),  # numbers of classes
        (["", "#", "a"], []),
        (["C", "C++", "C#"], []),
        (["a", "b", "a/b/a"], ["a/b/a"]),
    ],
)
def test_which_labels_are_several(labels: list[str], found: list[str]) -> None:
    assert list(of_several(labels)) == found
