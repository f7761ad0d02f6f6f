"""What has been done to a workspace's data already: the fixes that it was built again with.

    WORKSPACE/data/fixes.jsonl      every fix that is in the data, of all rounds: a fix list's rows, and what each came to

A workspace that is built again with its decisions keeps their log. What is in the data is done with: it is neither asked
nor applied again, whatever has become of the example. What was decided later stands on top.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from influence import seals
from influence.errors import WorkspaceDamaged
from influence.workspace import WorkspaceReader

FIXES = Path("data", "fixes.jsonl")
MADE_FROM = "made_from"  # of the settings of a workspace that was built again


@dataclass(frozen=True)
class Applied:
    """The fixes in a workspace's data, oldest first. `until` of each: the number of the last record that it may rest on."""

    fixes: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def until(self) -> dict[str, int]:
        """By example, up to which record of the log its decisions are done with."""
        return {fix["example_id"]: int(fix["until"]) for fix in self.fixes}

    @cached_property
    def former(self) -> dict[str, set[str]]:
        """By example, the hashes of the texts that it had before words were masked."""
        found: dict[str, set[str]] = {}
        for fix in self.fixes:
            if fix["new_text_sha256"] not in (None, fix["text_sha256"]):
                found.setdefault(fix["example_id"], set()).add(fix["text_sha256"])
        return found

    def covers(self, example_id: str, record: int) -> bool:
        """Whether what became of an example, that record of the log being known, is in the data."""
        return record <= self.until.get(example_id, 0)


def made_from(workspace: WorkspaceReader) -> Mapping[str, Any]:
    """Which workspace and decisions a workspace was built from; empty for one that was built from files."""
    found = workspace.info.settings.get(MADE_FROM)
    return found if isinstance(found, dict) else {}


def read_applied(workspace: WorkspaceReader) -> Applied:
    """The fixes in a workspace's data. Raises `WorkspaceDamaged` where their file is not what was written."""
    origin = made_from(workspace)
    if not origin:
        return Applied()
    file = workspace.path / FIXES
    try:
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != origin["fixes_sha256"]:
            raise ValueError("it is not what was written: its hash differs")
        return Applied([dict(json.loads(line)) for line in content.splitlines() if line])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceDamaged(f"{str(file)!r} is damaged or gone ({error}); {seals.REMEDY}") from error
