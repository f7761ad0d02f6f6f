"""Everything that a workspace holds, to be compared, and everything that it can be asked."""

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from influence import TestFilter, all_scores, explain, open_workspace

TABLES = ("checkpoints", "contributions", "examples", "influences", "predictions", "self_influence", "words")


def build_folder(path: Path) -> Path:
    """The folder of the published build."""
    return path / "builds" / str(json.loads((path / "workspace.json").read_text())["build"])


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
