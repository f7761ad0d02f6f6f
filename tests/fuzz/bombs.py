"""Small files and short options that would cost without end: what each is, and the command that is given it."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from inputs import FAST, World

Make = Callable[[World, Path], list[str]]
HUGE = 10**9


def _check(name: str, write: Callable[[Path], object]) -> Make:
    def make(world: World, folder: Path) -> list[str]:
        write(folder / name)
        return ["check", "--train", str(folder / name)]

    return make


def _rows(columns: dict[str, pa.Array], groups: int) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        table = pa.table(columns)
        with pq.ParquetWriter(file, table.schema, compression="zstd", store_schema=False) as writer:
            for _ in range(groups):
                writer.write_table(table)

    return write


def _repeated(value: Any, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))


def _wide(keys: int, rows: int) -> Callable[[Path], object]:
    row = json.dumps({f"k{n}": n for n in range(keys)})
    return lambda file: file.write_text(f"{row}\n" * rows)


def _model(file: str, **changes: Any) -> Make:
    def make(world: World, folder: Path) -> list[str]:
        model = Path(shutil.copytree(world.model, folder / "model"))
        content = json.loads((model / file).read_text())
        (model / file).write_text(json.dumps({**content, **changes}))
        return [*_build(world, folder), "--model", str(model), "--epochs", "1"]

    return make


def _weights(data: bytes) -> Make:
    def make(world: World, folder: Path) -> list[str]:
        model = Path(shutil.copytree(world.model, folder / "model"))
        (model / "model.safetensors").write_bytes(data)
        return [*_build(world, folder), "--model", str(model), "--epochs", "1"]

    return make


def _trainer(steps: int) -> Make:
    def make(world: World, folder: Path) -> list[str]:
        trainer = Path(shutil.copytree(world.trainer, folder / "trainer"))
        for file in trainer.glob("*/trainer_state.json"):
            state = json.loads(file.read_text())
            state["log_history"] = [{"step": step, "learning_rate": 0.1, "loss": 1.0} for step in range(steps)]
            file.write_text(json.dumps(state))
        for number in range(2_000):
            (trainer / f"checkpoint-{number + 100}").mkdir()
        return [*_build(world, folder), "--checkpoints", str(trainer)]

    return make


def _build(world: World, folder: Path) -> list[str]:
    files = ["--train", str(world.data / "train.csv"), "--test", str(world.data / "test.csv"), "--id", "id"]
    return ["build", *files, "--workspace", str(folder / "w")]


def _building(*options: str) -> Make:
    return lambda world, folder: [*_build(world, folder), *FAST, *options]


def _asking(command: str, *options: str) -> Make:
    def make(world: World, folder: Path) -> list[str]:
        return [command, "--workspace", str(shutil.copytree(world.workspace, folder / "tiny")), *options]

    return make


def _fixes(write: Callable[[Path], object]) -> Make:
    def make(world: World, folder: Path) -> list[str]:
        write(folder / "fixes.parquet")
        train = ["--train", str(world.data / "train.csv"), "--output", str(folder / "out.csv")]
        return ["apply", "--fixes", str(folder / "fixes.parquet"), *train]

    return make


def _header(shape: list[int], ends: int) -> bytes:
    """The start of a safetensors file that says it holds one tensor."""
    said = json.dumps({"classifier.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, ends]}}).encode()
    return struct.pack("<Q", len(said)) + said


_MILLION = 1_000_000
_TEXT = {"text": _repeated("a text", _MILLION), "label": _repeated("x", _MILLION)}
_LONG = "a long text " * 8_000
_ONE = {"text": ["a"], "label": ["x"]}
_LONG_TEXTS = {"text": _repeated(_LONG, 900_000), "label": _repeated("x", 900_000)}
_LONG_LISTS = pa.ListArray.from_arrays(pa.array(np.arange(_MILLION + 1), pa.int32()), _repeated(_LONG, _MILLION))
_CONFIG = (
    "num_labels", "num_hidden_layers", "hidden_size", "vocab_size", "max_position_embeddings", "num_attention_heads",
    "type_vocab_size", "intermediate_size", "chunk_size_feed_forward",
)  # fmt: skip
_ADDED = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
_EVALUATE = ("--methods", "random", "--k", "2", "--test-points", "1", "--retrains")
_BUILD = (
    ("--epochs", "100000000"), ("--batch-size", "1000000000000"), ("--max-length", "1000000000000"), ("--max-length", "200000"),
    ("--top-k", "1000000000000"), ("--num-hidden-layers", "1000000000"), ("--test-share", "1e-300"),
)  # fmt: skip


def _list_of(values: int) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array([0, values], pa.int32()), pa.array(np.zeros(values, np.int8)))


BOMBS: dict[str, Make] = {
    "JSONL of 20,000 keys": _check("a.jsonl", _wide(20_000, 1)),
    "JSONL of 20,000 keys in 20 rows": _check("a.jsonl", _wide(20_000, 20)),
    "JSONL of 4,900 keys in 100 rows": _check("a.jsonl", _wide(4_900, 100)),
    "Parquet of 30 million rows": _check("a.parquet", _rows(_TEXT, 30)),
    "fixes of 30 million rows": _fixes(_rows(_TEXT, 30)),
    "Parquet of 900,000 long texts": _check("a.parquet", _rows(_LONG_TEXTS, 1)),
    "Parquet of a million long bytes": _check("a.parquet", _rows({**_TEXT, "more": _repeated(_LONG.encode(), _MILLION)}, 1)),
    "Parquet of a million lists of a long text": _check("a.parquet", _rows({**_TEXT, "more": _LONG_LISTS}, 1)),
    "Parquet of a list of 100 million": _check("a.parquet", _rows({**_ONE, "more": _list_of(100 * _MILLION)}, 1)),
    "Parquet of 20,000 columns": _check("a.parquet", _rows({f"k{n}": [n] for n in range(20_000)}, 1)),
    "Parquet of 300 empty columns": _check("a.parquet", _rows({f"k{n}": pa.nulls(900_000, pa.int8()) for n in range(300)}, 1)),
    **{f"a model of {HUGE:,} {name}": _model("config.json", **{name: HUGE}) for name in _CONFIG},
    "a model of 100,000 labels": _model("config.json", id2label={str(n): f"l{n}" for n in range(100_000)}),
    "a model of -1 layers": _model("config.json", num_hidden_layers=-1),
    "a tokenizer of 100,000 added tokens": _model(
        "tokenizer.json", added_tokens=[{"id": n + 1_000, "content": f"t{n}", **_ADDED} for n in range(100_000)]
    ),
    "weights that say they are 2^60 numbers": _weights(_header([1 << 60], 1 << 62)),
    "weights whose header is 2^60 bytes": _weights(struct.pack("<Q", 1 << 60) + b"{}"),
    "a Trainer's log of 50,000 steps": _trainer(50_000),
    **{f"build {option} {value}": _building(option, value) for option, value in _BUILD},
    "suspects --models 1e8": _asking("suspects", "--models", "100000000"),
    "suspects --folds 1e8": _asking("suspects", "--folds", "100000000"),
    "clusters --min-size 1e18": _asking("clusters", "--min-size", "1000000000000000000"),
    "query --top 1e18": _asking("query", "--test-id", "te1", "--top", "1000000000000000000"),
    "retrain --seeds 1e9": _asking("retrain", "--decided", "--seeds", "1000000000"),
    "evaluate --retrains 1e9": _asking("evaluate", *_EVALUATE, "1000000000"),
    "evaluate --test-points 1e9": _asking("evaluate", *_EVALUATE, "1", "--test-points", "1000000000"),
    "evaluate of 20,000 k": _asking("evaluate", *_EVALUATE, "1", "--k", ",".join(str(k + 1) for k in range(20_000))),
    "fixing --retrains 1e9": _asking("fixing", *_EVALUATE, "1000000000"),
}
