"""Everything that a workspace holds, to be compared, and everything that it can be asked."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from influence import TestFilter, all_scores, explain, open_workspace
from influence.files import file_sizes, write_json
from influence.seals import HASHES, folder_seals, seal_file, sealed_json

TABLES = ("checkpoints", "contributions", "examples", "influences", "predictions", "self_influence", "words")


def build_folder(path: Path) -> Path:
    """The folder of the published build."""
    return path / "builds" / str(json.loads((path / "workspace.json").read_text())["build"])


@contextmanager
def flipped(file: Path, at: int | None = None) -> Iterator[None]:
    """A bit of a file is another one while the block runs; the size stays."""
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2 if at is None else at] ^= 4
    file.write_bytes(changed)
    yield
    file.write_bytes(whole)


def edit_pointer(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change what `workspace.json` says, and seal it as Wordtrace would."""
    file = path / "workspace.json"
    pointer = json.loads(file.read_text(encoding="utf-8"))
    change(pointer)
    write_json(file, sealed_json(pointer))


def reseal(path: Path) -> None:
    """Seal the published build as it is now, so that what is wrong with it is no longer told by its hashes."""
    build = build_folder(path)
    hashes = folder_seals(build)
    (build / HASHES).write_text(json.dumps(hashes), encoding="utf-8")
    edit_pointer(path, lambda pointer: pointer.update(hashes=hashes["digest"]) or pointer["info"].update(files=file_sizes(build)))


def reseal_published(build: Path, kind: str, **changes: Any) -> None:
    """Seal a published file as it is now, and what is said of it with changes."""
    pointer = build / f"{kind}.json"
    content = {**json.loads(pointer.read_text(encoding="utf-8")), **changes}
    write_json(pointer, sealed_json({**content, "seal": seal_file(build / content["file"])._asdict()}))


def use(path: Path) -> None:
    """Ask everything that reads another part of a workspace."""
    opened = open_workspace(path)
    try:
        opened.confusion()
        opened.search_tests(TestFilter(), limit=5)
        for method in ("tracin-we-topk", "tracin-we", "tracin-last"):
            explain(opened, test_id="te1", method=method, top=101)
            all_scores(opened, test_id="te1", method=method)
        explain(opened, test_id="te1")
        explain(opened, text="good film")
    finally:
        opened.close()


def content(path: Path) -> dict[str, Any]:
    """All tables of the results, and all arrays of the index."""
    build = build_folder(path)
    with duckdb.connect(str(build / "results.duckdb"), read_only=True) as connection:
        tables = {name: connection.sql(f"select * from {name} order by all").df() for name in TABLES}
        assert {name for (name,) in connection.sql("select table_name from duckdb_tables()").fetchall()} == {
            *TABLES,
            "schema_versions",
        }
    arrays = {str(file.relative_to(build)): np.load(file) for file in sorted((build / "index").rglob("*.npy"))}
    weights = {str(f.relative_to(build)): f.read_bytes() for f in sorted(build.rglob("*.safetensors"))}
    return {"tables": tables, "arrays": arrays, "weights": weights}


def check_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Bit for bit."""
    for name in TABLES:
        pd.testing.assert_frame_equal(first["tables"][name], second["tables"][name], check_exact=True)
    assert first["arrays"].keys() == second["arrays"].keys()
    for name, array in first["arrays"].items():
        np.testing.assert_array_equal(array, second["arrays"][name], err_msg=name)
    assert first["weights"] == second["weights"]
