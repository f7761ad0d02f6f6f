"""`check --fail-on` as a CI runs it: exit codes, lines, JSON and JUnit; a planted leak fails, without it all passes."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from test_junit import check_schema
from tiny import rows, write_csv

import influence
from influence.cli import main
from influence.data import text_sha256
from influence.fixes import Fix, write_fixes

ROOT = Path(influence.__file__).parent.parent


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """train.csv with forty rows, test.csv with twelve others, leaky.csv with two of the training texts besides."""
    monkeypatch.chdir(tmp_path)
    train = rows(40, seed=1)
    texts = {text for _, text, _ in train}
    test = [row for row in rows(14, seed=2, prefix="t") if row[1] not in texts][:12]
    write_csv(tmp_path / "train.csv", train)
    write_csv(tmp_path / "test.csv", test)
    write_csv(tmp_path / "leaky.csv", [*test[:5], ("l1", train[3][1], "pos"), *test[5:], ("l2", train[8][1], "neg")])
    return tmp_path


def test_a_planted_leak_fails_the_run_and_without_it_the_run_passes(place, capsys):
    limits = ["--fail-on", "leaks,conflicts,unusable", "--fail-on", "class-share=20%", "--junit", "report.xml"]
    assert main(["check", "--train", "train.csv", "--test", "test.csv", *limits]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[0] == "ok     leaks: 0 of 12 test rows (0%) have a text that stands in training; allowed: none."
    assert [line[:6] for line in said.out.splitlines()] == ["ok    "] * 4
    root = ET.parse("report.xml").getroot()
    check_schema(root)
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["4", "0", "0"]

    assert main(["check", "--train", "train.csv", "--test", "leaky.csv", *limits]) == 1
    said = capsys.readouterr()
    assert said.err == "wordtrace: 1 of 4 limits broken: leaks\n"
    failed = [line for line in said.out.splitlines() if line.startswith("FAILED")]
    assert failed == [
        "FAILED leaks: 2 of 14 test rows (14.3%) have a text that stands in training; allowed: none. First test rows: 7, 15. "
        "Take them out of the one file or the other: a model has seen them, and its test accuracy flatters."
    ]
    root = ET.parse("report.xml").getroot()
    check_schema(root)
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["4", "1", "0"]
    [case] = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert case.get("name") == "leaks"
    assert f"FAILED {case.find('failure').get('message')} {case.find('failure').text}" == failed[0]


def test_a_process_of_its_own_has_that_exit_code_and_needs_no_pytorch(place):
    code = (
        "import sys; from influence.cli import main\n"
        "code = main(sys.argv[1:]); print({'torch', 'transformers', 'streamlit'} & set(sys.modules)); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "check", "--train", "train.csv", "--test", "leaky.csv", "--fail-on", "leaks,suspects"]
    ran = subprocess.run(command, cwd=place, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert ran.stdout.splitlines()[-1] == "set()"


def test_json_on_stdout_or_in_a_file(place, capsys):
    call = ["check", "--train", "train.csv", "--test", "leaky.csv", "--fail-on", "leaks=2,leaks", "--json"]
    assert main(call) == 2
    assert capsys.readouterr().out == ""
    call[6] = "leaks=10%,conflicts"
    assert main(call) == 1
    printed = json.loads(capsys.readouterr().out)
    assert {name: printed[name] for name in ("train", "test", "workspace", "baseline", "broken")} == {
        "train": "train.csv", "test": "leaky.csv", "workspace": None, "baseline": None, "broken": ["leaks"],
    }  # fmt: skip
    texts = {row["text"] for row in csv.DictReader((place / "train.csv").read_text().splitlines())}
    assert [(one["name"], one["limit"], one["found"], one["of"], one["broken"]) for one in printed["limits"]] == [
        ("leaks", "10%", 2, 14, True),
        ("conflicts", "0", 0, len(texts), False),
    ]
    assert main([*call[:-1], "--output", "answer.json"]) == 1
    assert capsys.readouterr().out == ""
    assert json.loads((place / "answer.json").read_text()) == printed


def test_the_form_of_the_contract(place, capsys):
    """`--fail-on conflicts,leaks,duplicates --max N|P%`."""
    call = ["check", "--train", "train.csv", "--test", "leaky.csv", "--fail-on", "conflicts,leaks,duplicates", "--max"]
    for most, code in (("2", 0), ("1", 1), ("15%", 0), ("14%", 1)):
        assert main([*call, most]) == code, most
        capsys.readouterr()


def test_a_fix_list_settles_suspects(place, capsys):
    """As it is exported: the row that is kept counts no more."""
    texts = [row["text"] for row in csv.DictReader((place / "train.csv").read_text().splitlines())]
    call = ["check", "--train", "train.csv", "--fail-on", "suspects", "--suspicion", "0.3", "--json"]
    main(call)
    [before] = json.loads(capsys.readouterr().out)["limits"]
    at, label = int(before["first"][0].split()[0]) - 2, before["first"][0].split("(")[1].split()[0]
    kept = Fix(
        "e", "keep", label, None, (), "", "Ada", "2026-01-01T00:00:00+00:00", None, None, text_sha256(texts[at]), texts[at]
    )
    write_fixes([kept], place / "fixes.csv")
    main([*call, "--fixes", "fixes.csv"])
    [after] = json.loads(capsys.readouterr().out)["limits"]
    copies = texts.count(texts[at])
    assert after["found"] == before["found"] - copies
    assert f"({copies} decided ones left out)" in after["message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--train train.csv --fail-on leaks", "--fail-on leaks: cannot be measured without --test; give it, too"),
        ("--train train.csv --fail-on leeks", "there is no such limit (did you mean leaks?); there are conflicts, duplicates,"),
        ("--train train.csv --fail-on leaks=1.5", "the limit must be a whole number, as 3, or a share from 0% to 100%, as 2%"),
        ("--train train.csv --fail-on suspects --suspicion 2", "--suspicion 2.0: must be 0 or more and below 1"),
        ("--train train.csv --fail-on accuracy-drop", "cannot be measured without --workspace and --baseline"),
        ("--train none.csv --fail-on conflicts", "none.csv"),
        ("--train train.csv --label nope --fail-on conflicts", "nope"),
        ("--train train.csv --fail-on conflicts --junit none/report.xml", "--junit 'none/report.xml' cannot be written"),
        ("--train train.csv --fail-on conflicts --estimate", "--fail-on and --estimate: one at a time"),
        ("--workspace none --fail-on suspects", "none"),
        ("--workspace none --fail-on conflicts", "--fail-on conflicts: cannot be measured without --train; give it, too"),
        ("--workspace none --test test.csv", "--test: only with --train FILE"),
        ("--train train.csv --workspace none", "--workspace and --train: one of the two, or --fail-on"),
        ("--train train.csv --max 3", "--max: only with --fail-on"),
        ("--train train.csv --junit report.xml", "--junit: only with --fail-on"),
        ("--train train.csv --suspicion 0.5", "--suspicion: only with --fail-on"),
        ("--train train.csv --fixes fixes.csv", "--fixes: only with --fail-on suspects"),
        (
            "--workspace none --fail-on suspects --fixes fixes.csv",
            "--fixes and --workspace: a workspace has decisions of its own",
        ),
        ("--train train.csv --fail-on suspects --fixes train.csv", "train.csv"),
        ("--train train.csv --baseline none", "--baseline: only with --fail-on accuracy-drop"),
        ("", "give --train FILE or --workspace DIR"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(place, capsys, arguments, said):
    assert main(["check", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert said in printed.err
    assert not (place / "report.xml").exists()


def test_hostile_data_is_told_on_one_line_and_in_whole_xml(place, capsys):
    bad = 'a\x1b]0;x\x07 "</failure>\r\n]]>\u2028 good'
    table = [(f"{n}", f"{bad} {n % 2}", "ab"[n % 3 > 1] + bad) for n in range(12)]
    write_csv(place / "bad.csv", table)
    assert main(["check", "--train", "bad.csv", "--fail-on", "conflicts,class-share=60%,spellings", "--junit", "bad.xml"]) == 1
    said = capsys.readouterr().out
    assert said.count("\n") == len(said.splitlines()) == 3
    assert all(character.isprintable() for character in said.replace("\n", ""))
    root = ET.parse("bad.xml").getroot()
    check_schema(root)
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None] == [
        "conflicts",
        "class-share",
    ]
