"""Building a workspace again with the decisions made in it: the loop from a mistake to a better model.

    again = prepare(workspace)                  # what will be built, and how much of it is changed
    build_again(workspace, again)               # a new workspace beside it; the old one stays as it is

The new workspace has the same settings and the same test part, and training data in which the fixes are made: its own copy,
whose ids are those of before, so that what was decided still finds its example. It has the whole log of the old one.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from influence.data import text_sha256
from influence.errors import DataError, ModelError, SettingsError, WorkspaceError
from influence.files import write_whole
from influence.fixes.apply import Applied, plan
from influence.fixes.fixlist import Fix, FixList, fix_list
from influence.fixes.train_file import copied_columns, workspace_copy
from influence.reading import written
from influence.review import JOURNAL, Reviews, has_reviews, read_reviews
from influence.standing import FIXES, MADE_FROM, made_from
from influence.types import Progress, silent
from influence.workspace import (
    OPINIONS,
    WorkspaceInfo,
    WorkspaceReader,
    check_name,
    half_built,
    list_workspaces,
    read_pointer,
)

if TYPE_CHECKING:  # PyTorch takes seconds that a page with a button can do without
    from influence.workspace import BuildRequest

DATA = FIXES.parent
TRAIN, TEST = DATA / "train.parquet", DATA / "test.parquet"
ORIGIN = "origin.json"
CHOICES = "suspects.json"  # how suspects are ranked here
NOTHING = "nothing that has been decided changes the data: relabel, remove or mask something first"


@dataclass(frozen=True)
class Again:
    """A workspace that is to be built again: where, from what, and what of it goes into its data folder."""

    target: Path
    files: dict[Path, bytes]  # empty where they are there, of a build that was interrupted
    origin: dict[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        """How many examples are changed, by action."""
        return dict(self.origin["counts"])


def prepare(workspace: WorkspaceReader, name: str | None = None, *, policy: str = "majority", resume: bool = False) -> Again:
    """What building a workspace again would make, as a workspace of that name beside it (None: `A-2`, `A-3`, …).

    Raises `SettingsError` where nothing that was decided changes the data, and for a name that cannot be had.
    """
    root = workspace.path.resolve().parent
    if (why := refusal(workspace)) is not None:
        raise SettingsError(f"workspace {workspace.name!r} {why}")
    if resume and name is None:
        raise SettingsError("--resume: say with --as which build is to go on")
    if resume and (kept := root / str(name) / DATA / ORIGIN).is_file():
        return Again(root / str(name), {}, json.loads(kept.read_text(encoding="utf-8")))
    begun = resume and list_unpublished(root, str(name))
    target = root / (free_name(workspace) if name is None else name if begun else check_name(root, name))
    if not has_reviews(workspace.path):
        raise SettingsError(f"workspace {workspace.name!r}: {NOTHING}")
    reviews = read_reviews(workspace)
    try:
        found = fix_list(reviews, policy=policy)
        if not found.changes:
            raise SettingsError(f"workspace {workspace.name!r}: {NOTHING}")
        return _prepared(reviews, found, target)
    finally:
        reviews.close()


def refusal(workspace: WorkspaceReader) -> str | None:
    """Why a workspace cannot be built again, as what follows its name; None where it can."""
    if (workspace.info.settings.get("training") or None) is None:
        return "was built from checkpoints that were trained elsewhere: train there on the corrected data, and build from those"
    return None


def list_unpublished(root: Path, name: str) -> bool:
    """Whether a workspace of that name has been begun beside the others, and never published."""
    return name in half_built(root) or ((root / name).is_dir() and not any((root / name).iterdir()))


def free_name(workspace: WorkspaceReader, taken: frozenset[str] = frozenset()) -> str:
    """The next name in the row `A`, `A-2`, `A-3` that nothing beside the workspace has, nor is `taken`."""
    root, base = workspace.path.resolve().parent, re.sub(r"-\d{1,4}$", "", workspace.name)[:58]
    there = {child.name.casefold() for child in root.iterdir()} | {name.casefold() for name in taken}
    return next(name for number in range(2, 100_000) if (name := f"{base}-{number}").casefold() not in there)


def _prepared(reviews: Reviews, found: FixList, target: Path) -> Again:
    workspace = reviews.workspace
    fixes = [fix for fix in found.fixes if fix.edit.does.changes_data]
    applied = plan(workspace_copy(workspace), fixes, source="the fix list")
    until = reviews.version - 1
    rounds = reviews.corpus.applied.fixes + [_applied(fix, applied, until) for fix in fixes]
    listed = "".join(f"{json.dumps(fix, ensure_ascii=False)}\n" for fix in rounds).encode()
    before, info = made_from(workspace), workspace.info
    counts = {action: count for action, count in found.counts.items() if count and action != "keep"}
    origin = {
        "workspace": workspace.name,
        "build": workspace.build.name,
        "counts": counts,
        "fixes_sha256": hashlib.sha256(listed).hexdigest(),
        "source": before.get("source", info.train_source),
        "source_sha256": before.get("source_sha256", info.train_sha256),
        "columns": before.get("columns", info.settings["columns"]),
        "form": before.get("form", info.settings.get("form") or {}),
    }
    test = workspace_copy(workspace, "test").table
    files = {
        TEST: written(test, {}, ".parquet"),
        FIXES: listed,
        TRAIN: written(applied.train.table, applied.changes, ".parquet"),
        DATA / ORIGIN: json.dumps(origin, indent=1, ensure_ascii=False).encode(),  # last: with it all is there
    }
    return Again(target, files, origin)


def _applied(fix: Fix, applied: Applied, until: int) -> dict[str, Any]:
    """The row of a fix in the new workspace's `fixes.jsonl`."""
    columns, row = applied.train.columns, applied.train.places[fix.example_id]
    change = applied.changes.get(row, {})
    text, pair = applied.train.data.texts[row], None if applied.train.data.pairs is None else applied.train.data.pairs[row]
    if change is None:
        new = None
    else:
        new_pair = pair if columns.text_pair is None else change.get(columns.text_pair, pair)
        new = text_sha256(change.get(columns.text, text), new_pair)
    return fix._asdict() | {"new_text_sha256": new, "until": until}


def build_again(
    workspace: WorkspaceReader, again: Again, *, device: str = "auto", resume: bool = False, progress: Progress = silent
) -> WorkspaceInfo:
    """Build it and publish it, with the log of the old one as it is then. Raises as `build_workspace` does."""
    from influence.workspace import build_workspace

    target, there = again.target, again.target.exists()
    try:
        (target / DATA).mkdir(parents=True, exist_ok=True)
        for name, content in again.files.items():
            write_whole(target / name, content)
        request = same_request(workspace, target, again.origin)
        carry = partial(_carry_over, workspace, target)
        return build_workspace(target, request, device=device, resume=resume, progress=progress, before_publishing=carry)
    except (DataError, ModelError, SettingsError):
        if not there:
            shutil.rmtree(target, ignore_errors=True)
        raise


def same_request(workspace: WorkspaceReader, target: Path, origin: Mapping[str, Any]) -> "BuildRequest":
    """The request of a workspace's build, of the data that lies in another one's folder."""
    from influence.models import TrainingSettings
    from influence.workspace import BuildRequest

    info, settings = workspace.info, workspace.info.settings
    return BuildRequest(
        train=str(target / TRAIN),
        test=str(target / TEST),
        columns=copied_columns(workspace),
        model=info.model,
        num_hidden_layers=settings["num_hidden_layers"],
        training=TrainingSettings(**settings["training"]),
        max_length=info.max_length,
        top_k=info.top_k,
        store_rest=settings["index"] != "top-k",
        exact=settings["index"] == "exact",
        max_checkpoints=int(settings.get("max_checkpoints", len(info.epochs))),  # before there was a limit: all
        bf16=settings["precision"] == "bf16",
        keep_optimizer=bool(settings.get("optimizer_states")),
        made_from=dict(origin),
    )


def _carry_over(workspace: WorkspaceReader, target: Path) -> None:
    """Give the new workspace the old one's log, what was decided meanwhile in it, how suspects are ranked there, and opinions."""
    if (workspace.path / CHOICES).is_file():
        write_whole(target / CHOICES, (workspace.path / CHOICES).read_bytes())
    if (workspace.path / OPINIONS).is_dir():
        shutil.copytree(workspace.path / OPINIONS, target / OPINIONS, dirs_exist_ok=True)
    if has_reviews(target):
        return
    reviews = read_reviews(workspace)
    try:
        lines = [record.line.encode() + b"\n" for record in reviews.log.store.records()]
    finally:
        reviews.close()
    write_whole(target / JOURNAL, b"".join(lines))


def built_again(workspace: WorkspaceReader) -> list[str]:
    """The workspaces beside this one that were built again from its present build, the latest first."""
    root, found = workspace.path.resolve().parent, []
    for name in list_workspaces(root):
        with suppress(WorkspaceError):
            info = read_pointer(root / name)["info"]
            origin = info["settings"].get(MADE_FROM) or {}
            if (origin.get("workspace"), origin.get("build")) == (workspace.name, workspace.build.name):
                found.append((str(info["built_at"]), name))
    return [name for _, name in sorted(found, reverse=True)]
