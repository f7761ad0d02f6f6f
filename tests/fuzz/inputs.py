"""The inputs of the fuzz test: each is a command, or pages, with files of its own that something is wrong with.

`World` holds what is whole: data, a workspace with everything in it, models, fixes. An input is made from a seed and an empty
folder, so that a number in a failure's message makes the same one again.
"""

import argparse
import hashlib
import json
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from mutations import NUMBERS, TEXTS, number, spoiled_bytes, spoiled_json, value

from influence.cli.commands import parser
from influence.review.journal import DIGEST_LENGTH, read_journal

SLOW = ("build", "evaluate", "fixing", "retrain")  # which train
PAGES = (
    "home", "explore", "suspects", "clusters", "words", "review", "fix_list", "what_if", "evidence", "data_and_runs",
)  # fmt: skip
NOBODY = 65_534
FAST = ["--epochs", "1", "--batch-size", "16", "--learning-rate", "0.1", "--model", "cnn", "--encoder", "none"]


@dataclass(frozen=True)
class World:
    """What is whole: nothing here is changed."""

    data: Path  # train.csv, train.jsonl, train.parquet, test.csv
    workspace: Path
    model: Path
    trainer: Path  # a Trainer's output folder
    fixes: Path  # fixes.csv, fixes.jsonl, fixes.parquet
    root: bool  # whether these tests run as root, who may write anywhere


@dataclass(frozen=True)
class Input:
    """What to run. `same_as`: the arguments whose answer on the whole workspace is the only right one, where it gives any."""

    task: Mapping[str, Any]
    about: str
    same_as: tuple[str, ...] | None = None
    pages: bool = field(default=False)


Kind = Callable[[random.Random, World, Path], Input]


def data_file(rng: random.Random, world: World, folder: Path) -> Input:
    """A data file with bytes or values that no file should have."""
    suffix = rng.choice([".csv", ".jsonl", ".parquet", ".tsv", ".json"])
    file = folder / f"train{suffix}"
    ways = {".parquet": _odd_parquet, ".jsonl": _odd_jsonl, ".json": _odd_jsonl}
    source = world.data / f"train{suffix if suffix in ('.csv', '.parquet', '.jsonl') else '.csv'}"
    if suffix in ways and rng.random() < 0.7:
        ways[suffix](rng, file)
    else:
        file.write_bytes(spoiled_bytes(rng, source.read_bytes()))
    command = "build" if rng.random() < 0.15 else "check"
    if command == "check":
        columns = rng.choice([[], ["--text", "text", "--label", "label"], ["--test", str(world.data / "test.csv")], ["--json"]])
        return Input({"argv": ["check", "--train", str(file), *columns]}, f"check of a spoiled {suffix}")
    argv = ["build", "--train", str(file), "--test", str(world.data / "test.csv"), "--workspace", str(folder / "w"), *FAST]
    return Input({"argv": argv}, f"build from a spoiled {suffix}")


def _odd_jsonl(rng: random.Random, file: Path) -> None:
    rows: list[Any] = [{"id": n, "text": f"a good film {n}", "label": ("neg", "pos")[n % 2]} for n in range(12)]
    for _ in range(rng.randint(1, 4)):
        row = rng.randrange(len(rows))
        rows[row] = (
            value(rng) if rng.random() < 0.3 else spoiled_json(rng, dict(rows[row]) if isinstance(rows[row], dict) else rows[row])
        )
    lines = [json.dumps(row) for row in rows]
    if rng.random() < 0.2:
        lines[rng.randrange(len(lines))] = rng.choice(
            ['{"text":' + "[" * 100_000, "[" * 100_000, '{"a":' * 50_000, '{"text": NaN}']
        )
    if rng.random() < 0.1:
        lines[0] = json.dumps({f"k{n}": n for n in range(20_000)})
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")


def _odd_parquet(rng: random.Random, file: Path) -> None:
    columns: dict[str, Any] = {"text": ["a good film", "a bad film"] * 6, "label": ["pos", "neg"] * 6}
    odd: list[pa.Array] = [
        pa.array([-(2**62), 2**62, None] * 4, pa.timestamp("us")),
        pa.array([2**31 - 1, -(2**31), None] * 4, pa.date32()),
        pa.array([2**50] * 12, pa.timestamp("s", tz="Europe/Paris")),
        pa.array([[("a", 1)], [], None] * 4, pa.map_(pa.string(), pa.int64())),
        pa.array([{"a": [{"b": 2}]}] * 12),
        pa.array([[["x"]], []] * 6),
        pa.array([b"\xff\xfe", b"\0"] * 6),
        pa.array([float("nan"), 1e308, None] * 4),
        pa.array([2**64 - 1, 0, 1] * 4, pa.uint64()),
        pa.array([10**37] * 12, pa.decimal128(38, 0)),
        pa.array([2**62] * 12, pa.duration("s")),
        pa.array([86_399_999_999] * 12, pa.time64("us")),
        pa.array(["a", "b"] * 6).dictionary_encode(),
        pa.nulls(12),
        pa.array(["x\0y", "", " "] * 4),
        pa.array([True, False, None] * 4),
    ]
    for name in rng.sample(["text", "label", "id", "date"], rng.randint(1, 2)):
        columns[name] = rng.choice(odd)
    pq.write_table(pa.table(columns), file)
    if rng.random() < 0.2:
        file.write_bytes(spoiled_bytes(rng, file.read_bytes()))


def options(rng: random.Random, world: World, folder: Path) -> Input:
    """A command with one to three option values that nobody should give."""
    commands = {
        name: found
        for action in parser()._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, found in action.choices.items()
        if name not in ("serve", "demo")
    }
    names = sorted(commands)
    name = rng.choices(names, [1 if name in SLOW else 4 for name in names])[0]
    argv, writes = _whole_command(name, world, folder)
    actions = [a for a in commands[name]._actions if a.option_strings and not isinstance(a, argparse._HelpAction)]
    for action in rng.sample(actions, min(len(actions), rng.randint(1, 3))):
        option = action.option_strings[-1]
        if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
            argv = [*argv, option]
            continue
        given = _strange(rng, folder, path=option in writes)
        if rng.random() < 0.15 and action.choices:
            given = str(rng.choice(list(action.choices)))
        argv = [*argv, f"{option}={given}"]
    return Input({"argv": [name, *argv]}, f"options of {name}")


def _strange(rng: random.Random, folder: Path, *, path: bool) -> str:
    if path and rng.random() < 0.8:
        (folder / "is_a_folder.csv").mkdir(exist_ok=True)
        (folder / "is_a_file").write_text("x")
        chosen = rng.choice(
            [
                "",
                "is_a_folder.csv",
                "is_a_file/below",
                "no/such/folder/x.csv",
                "x" * 300 + ".csv",
                "a\0.csv",
                "\udcff.csv",
                "is_a_file",
            ]
        )
        return str(folder / chosen) if chosen and rng.random() < 0.5 else chosen
    if rng.random() < 0.3:
        return str(rng.choice(NUMBERS))[:4000] if rng.random() < 0.9 else str(10**18)
    # Names outside the folder are none that a command could write to.
    return rng.choice([text for text in TEXTS if not path or text not in ("..", "../..", ".", "/", "~")])


def _whole_command(name: str, world: World, folder: Path) -> tuple[list[str], set[str]]:
    """Arguments that make a command work, and its options that name what it writes."""
    workspace = ["--workspace", str(_copy(world.workspace, folder / "tiny"))]
    if name == "build":
        files = ["--train", str(world.data / "train.csv"), "--test", str(world.data / "test.csv")]
        return [*files, "--workspace", str(folder / "w"), *FAST], {"--workspace"}
    if name == "check":
        return ["--train", str(world.data / "train.csv")], {"--output"}
    given: dict[str, list[str]] = {
        "query": ["--test-id", "te1"],
        "scores": ["--test-id", "te1", "--output", str(folder / "scores.parquet")],
        "suspects": ["--encoder", "none"],
        "export": ["--output", str(folder / "fixes.csv")],
        "evaluate": ["--methods", "random", "--k", "2", "--test-points", "1", "--retrains", "1"],
        "retrain": ["--decided", "--seeds", "1"],
        "fixing": ["--methods", "random", "--k", "2", "--test-points", "1", "--retrains", "1"],
        "backup": ["--output", str(folder / "backup.zip")],
        "compare": ["--with", str(world.workspace)],
    }
    if name == "apply":
        out = ["--output", str(folder / "corrected.csv")]
        return ["--fixes", str(world.fixes / "fixes.csv"), "--train", str(world.data / "train.csv"), *out], {"--output"}
    return [*workspace, *given.get(name, [])], {"--output"}


def _copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))


# What answers from a workspace, by its parts; each is short.
ASKED: list[list[str]] = [
    ["query", "--test-id", "te1", "--json"],
    ["query", "--text", "a good film", "--json"],
    ["query", "--test-id", "te2", "--method", "tracin-we", "--json"],
    ["query", "--test-id", "te3", "--method", "tracin-last", "--json"],
    ["suspects", "--encoder", "none", "--json"],
    ["clusters", "--json"],
    ["words", "--json"],
    ["cancellation", "--json"],
    ["export", "--output", "fixes.csv"],
    ["backup", "--output", "backup.zip"],
]


def spoiled_workspace(rng: random.Random, world: World, folder: Path) -> Input:
    """A workspace of which one file is not what was written: said in a line, or the answer is the right one."""
    path = _copy(world.workspace, folder / "root" / "tiny")
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)
    weights = [4 if file.suffix in (".json", ".duckdb", ".jsonl") else 1 for file in files]
    file = rng.choices(files, weights)[0]
    if rng.random() < 0.1:
        file.unlink()
    elif rng.random() < 0.1:
        other = rng.choice(files)
        file.write_bytes(other.read_bytes())
    elif file.suffix == ".json" and rng.random() < 0.6:
        file.write_text(json.dumps(spoiled_json(rng, json.loads(file.read_text()))))
    else:
        file.write_bytes(spoiled_bytes(rng, file.read_bytes()))
    about = f"{file.relative_to(path)} spoiled"
    if rng.random() < 0.2:
        return Input(_pages(folder, rng.sample(PAGES, 2)), about, pages=True)
    asked = rng.choice(ASKED)
    task = {"argv": [asked[0], "--workspace", str(path), *asked[1:]]}
    # What people decided is checked by its seals, line by line: a journal that lost one says so and goes on.
    compared = None if asked[0] in ("export", "backup") or "reviews" in file.name else tuple(asked)
    return Input(task, f"{asked[0]} with {about}", compared)


def senseless_journal(rng: random.Random, world: World, folder: Path) -> Input:
    """A journal whose lines are sealed as they should be and say what makes no sense."""
    path = _copy(world.workspace, folder / "root" / "tiny")
    journal = path / "reviews.jsonl"
    contents = [dict(record.content) for record in read_journal(journal).records]
    lines: list[str] = []
    previous = ""
    for at, content in enumerate(contents, start=1):
        told: Any = content
        if at == len(contents) or rng.random() < 0.3:
            told = value(rng) if rng.random() < 0.1 else spoiled_json(rng, json.loads(json.dumps(content)))
        whole = {"seq": at, "previous": previous, "v": 1, **(told if isinstance(told, dict) else {"type": told})}
        line, previous = _sealed(whole)
        lines.append(line)
    journal.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")
    if rng.random() < 0.8:
        for file in path.glob("reviews.duckdb*"):
            file.unlink()
    if rng.random() < 0.4:
        return Input(_pages(folder, ["review", "fix_list", rng.choice(PAGES)]), "a senseless journal", pages=True)
    asked = rng.choice(
        [
            ["export", "--output", str(folder / "fixes.csv")],
            ["suspects", "--encoder", "none"],
            ["retrain", "--decided", "--seeds", "1"],
        ]
    )
    return Input({"argv": [asked[0], "--workspace", str(path), *asked[1:]]}, f"{asked[0]} with a senseless journal")


def _sealed(content: Mapping[str, Any]) -> tuple[str, str]:
    """A line of a journal with its digest, as whoever knows the format could write it."""
    body = json.dumps(content)
    digest = hashlib.sha256(body.encode()).hexdigest()[:DIGEST_LENGTH]
    return f'{{"digest":"{digest}",{body[1:]}', digest


def fix_list(rng: random.Random, world: World, folder: Path) -> Input:
    """A fix list whose bytes or cells are wrong."""
    suffix = rng.choice([".csv", ".jsonl", ".parquet"])
    file = folder / f"fixes{suffix}"
    whole = (world.fixes / f"fixes{suffix}").read_bytes()
    if suffix == ".jsonl" and rng.random() < 0.7:
        rows = [json.loads(line) for line in whole.splitlines()]
        file.write_text("\n".join(json.dumps(row) for row in spoiled_json(rng, rows)) + "\n", errors="surrogatepass")
    else:
        file.write_bytes(spoiled_bytes(rng, whole))
    if rng.random() < 0.3:
        argv = ["retrain", "--workspace", str(_copy(world.workspace, folder / "tiny")), "--fixes", str(file), "--seeds", "1"]
    else:
        argv = ["apply", "--fixes", str(file), "--train", str(world.data / "train.csv"), "--output", str(folder / "out.csv")]
    return Input({"argv": argv}, f"{argv[0]} with a spoiled {suffix} of fixes")


def model_folder(rng: random.Random, world: World, folder: Path) -> Input:
    """A model or a Trainer's folder with a file that is not what was saved."""
    imported = rng.random() < 0.4
    source = _copy(world.trainer if imported else world.model, folder / "model")
    files = sorted(file for file in source.rglob("*") if file.is_file())
    file = rng.choices(files, [5 if file.suffix == ".json" else 1 for file in files])[0]
    if file.suffix == ".json" and rng.random() < 0.8:
        content = json.loads(file.read_text())
        if file.name == "config.json" and rng.random() < 0.7:
            names = [name for name, held in content.items() if isinstance(held, int | float) and not isinstance(held, bool)]
            content[rng.choice([*names, "num_labels", "num_hidden_layers"])] = number(rng)
        else:
            content = spoiled_json(rng, content)
        file.write_text(json.dumps(content))
    else:
        file.write_bytes(spoiled_bytes(rng, file.read_bytes()))
    if imported and rng.random() < 0.2:
        (source / rng.choice(["checkpoint-²", "checkpoint--1", "checkpoint-x", "checkpoint-" + "9" * 30])).mkdir()
    kind = ["--checkpoints", str(source)] if imported else ["--model", str(source), "--epochs", "1"]
    files_ = ["--train", str(world.data / "train.csv"), "--test", str(world.data / "test.csv"), "--id", "id"]
    encoder = ["--encoder", "none"] if rng.random() < 0.8 else []
    argv = ["build", *files_, "--workspace", str(folder / "w"), *kind, *encoder]
    return Input({"argv": argv}, f"build with {file.relative_to(source)} spoiled")


def read_only(rng: random.Random, world: World, folder: Path) -> Input:
    """A workspace that cannot be written to."""
    path = _copy(world.workspace, folder / "root" / "tiny")
    for place in (folder, folder / "root"):
        place.chmod(0o755)
    if not world.root:
        for place in [path, *path.rglob("*")]:
            place.chmod(0o555 if place.is_dir() else 0o444)
    task: dict[str, Any] = {"user": NOBODY, "environment": {"HOME": str(folder)}} if world.root else {}
    folder.chmod(0o777)
    if rng.random() < 0.5:
        return Input(_pages(folder, rng.sample(PAGES, 2)) | task, "a read-only workspace", pages=True)
    name = rng.choice(
        ["query", "scores", "suspects", "clusters", "words", "cancellation", "export", "backup", "retrain", "evaluate"]
    )
    copied = {"tiny": path}
    argv = [name, "--workspace", str(copied["tiny"])]
    argv += {
        "query": ["--test-id", "te1"], "scores": ["--test-id", "te1", "--output", "scores.parquet"],
        "suspects": ["--encoder", "none", "--seed", str(rng.randrange(2))], "export": ["--output", "fixes.csv"],
        "clusters": ["--seed", str(rng.randrange(2))], "backup": ["--output", "backup.zip"],
        "retrain": ["--decided", "--seeds", "1"],
        "evaluate": ["--methods", "random", "--k", "2", "--test-points", "1", "--retrains", "1"],
    }.get(name, [])  # fmt: skip
    return Input({"argv": argv} | task, f"{name} of a read-only workspace")


def deleted_under_a_server(rng: random.Random, world: World, folder: Path) -> Input:
    """A folder that goes between one page and the next."""
    path = _copy(world.workspace, folder / "root" / "tiny")
    parts = [path, path / "builds", *(path / "builds").iterdir(), path / "reviews.duckdb"]
    gone = rng.choice([part for part in parts if part.is_dir()])
    steps: list[dict[str, Any]] = [{"page": rng.choice(PAGES)}, {"delete": str(gone)}]
    steps += [{"page": page} for page in rng.sample(PAGES, 2)]
    return Input({"pages": steps, "root": str(folder / "root")}, f"{gone.name} deleted under a server", pages=True)


def addresses(rng: random.Random, world: World, folder: Path) -> Input:
    """Addresses that no page links to."""
    _copy(world.workspace, folder / "root" / "tiny")
    names = [
        "workspace",
        "id",
        "label",
        "predicted",
        "page",
        "method",
        "queue",
        "cluster",
        "word",
        "part",
        "top",
        "text",
        "at",
        "sort",
        "from",
    ]
    steps = [
        {
            "page": page,
            "parameters": {name: rng.choice(TEXTS)[:2000].encode("utf-8", "replace").decode() for name in rng.sample(names, 3)},
        }
        for page in rng.sample(PAGES, 2)
    ]
    for step in steps:
        if rng.random() < 0.7:
            step["parameters"]["workspace"] = "tiny"
    return Input({"pages": steps, "root": str(folder / "root")}, "addresses", pages=True)


def _pages(folder: Path, pages: list[str]) -> dict[str, Any]:
    return {"pages": [{"page": page} for page in pages], "root": str(folder / "root")}


# How many of every hundred.
KINDS: dict[Kind, int] = {
    data_file: 25,
    options: 24,
    spoiled_workspace: 18,
    senseless_journal: 8,
    fix_list: 8,
    model_folder: 10,
    read_only: 3,
    deleted_under_a_server: 2,
    addresses: 2,
}
