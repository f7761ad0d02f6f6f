"""Fixtures that several test modules share. Nothing here needs a network."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

# Before the libraries are imported: no request to the Hub, no cache outside the test's own folder.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="wordtrace-hf-")
os.environ["WORDTRACE_STATE"] = tempfile.mkdtemp(prefix="wordtrace-state-")  # no queue of the user's
os.environ["WORDTRACE_TRACEBACK"] = "1"  # what nobody foresaw is an error of the program's, not of the input
os.environ["OMP_NUM_THREADS"] = "1"  # the models are so small that a second thread only gets in the way
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--slow` for everything; where a browser is required, everything is meant."""
    parser.addoption("--slow", action="store_true", default=os.environ.get("REQUIRE_BROWSER") == "1", help="run slow tests, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--slow`, leave the slow tests out, unless they or their file were asked for by name."""
    by_name = any(argument.partition("::")[0].endswith(".py") for argument in config.invocation_params.args)
    if config.getoption("--slow") or by_name:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Data files by name: `train` (80 rows) and `test` (16), single texts and, with `_pairs`, two columns."""
    from tiny import rows, write_csv

    folder = tmp_path_factory.mktemp("data")
    files = {}
    for split, n, seed in (("train", 80, 1), ("test", 16, 2)):
        made = rows(n, seed=seed, prefix=split[:2])
        files[split] = write_csv(folder / f"{split}.csv", made)
        halves = [(id, text[: len(text) // 2], text[len(text) // 2 :], label) for id, text, label in made]
        header = ("id", "premise", "hypothesis", "label")
        files[f"{split}_pairs"] = write_csv(folder / f"{split}_pairs.csv", halves, header)
    return files


@pytest.fixture(scope="session")
def workspace(data: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of the CNN, three epochs, k = 4. Not to be changed: see `copied`."""
    from tiny import request

    from influence.workspace.build import build_workspace

    path = tmp_path_factory.mktemp("workspaces") / "tiny"
    build_workspace(path, request(data))
    return path


@pytest.fixture(scope="session")
def pair_workspace(data: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with text pairs. Not to be changed."""
    from tiny import request

    from influence.workspace.build import build_workspace

    path = tmp_path_factory.mktemp("workspaces") / "pairs"
    build_workspace(path, request(data, pairs=True))
    return path


@pytest.fixture
def copied(workspace: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes copies of the workspace, to be broken."""

    def copy() -> Path:
        path = tmp_path / f"copy{len(list(tmp_path.iterdir()))}"
        return Path(shutil.copytree(workspace, path))

    return copy
