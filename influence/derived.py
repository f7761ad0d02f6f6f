"""Results computed from a finished build and kept beside it: suspects and clusters, each a DuckDB file of its own.

    BUILD/suspects.json                 which file is published, and the settings it was made with
    BUILD/suspects-TIME.duckdb          the file: written under another name, moved here whole, never changed

A new file gets a new name, for DuckDB hands a process that has a file open its old content again under the same name.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from influence.errors import WorkspaceError, WorkspaceMissing
from influence.files import write_json
from influence.store import Database

KEPT_OPEN = 16
Store = TypeVar("Store", bound=Database)


def published(build: Path, kind: str) -> tuple[Path, dict[str, Any]] | None:
    """The published file of a kind and its settings; None where there is none."""
    found = _pointed_at(build, kind)
    if found is not None and not found[0].is_file():
        found = _pointed_at(build, kind)  # another process may have published a new file, and deleted this one, just now
    if found is not None and not found[0].is_file():
        name = f"{kind}.json"
        raise WorkspaceError(f"{str(found[0])!r} is missing; delete {name!r} beside it and run: python -m influence {kind}")
    return found


def _pointed_at(build: Path, kind: str) -> tuple[Path, dict[str, Any]] | None:
    pointer = build / f"{kind}.json"
    try:
        content = json.loads(pointer.read_text(encoding="utf-8"))
        return build / Path(str(content["file"])).name, dict(content["settings"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(f"{str(pointer)!r} is damaged ({error}); delete it and run: python -m influence {kind}") from error


def open_published(workspace: Path, build: Path, kind: str, store: type[Store]) -> Store:
    """The published file of a kind, opened for reading once. Raises `WorkspaceMissing` where there is none."""
    found = published(build, kind)
    if found is None:
        raise WorkspaceMissing(
            f"workspace {str(workspace)!r} has no {kind} yet; compute them with: "
            f"python -m influence {kind} --workspace {workspace}"
        )
    opened: Store = _opened(cast(Any, store), found[0])  # mypy takes no class for hashable
    return opened


@lru_cache(maxsize=KEPT_OPEN)
def _opened(store: Callable[[Path], Any], file: Path) -> Any:
    return store(file)


@contextmanager
def publishing(build: Path, kind: str, store: type[Store], settings: Mapping[str, Any]) -> Iterator[Store]:
    """A new file to fill; published when the block ends well, else removed. Files published before are deleted."""
    name = f"{kind}-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}.duckdb"
    unfinished = build / f"{name}.tmp"
    try:
        for leftover in build.glob(f"{kind}-*.duckdb.tmp*"):
            leftover.unlink()
        with store(unfinished, read_only=False) as opened:
            yield opened
        unfinished.replace(build / name)
        write_json(build / f"{kind}.json", {"file": name, "settings": dict(settings)})
    finally:
        unfinished.unlink(missing_ok=True)
    for old in build.glob(f"{kind}-*.duckdb"):
        if old.name != name:
            old.unlink()
