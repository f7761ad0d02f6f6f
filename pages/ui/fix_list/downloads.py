"""What the download buttons give. Called when one is pressed, outside of any page: everything comes as an argument."""

import shlex
from pathlib import Path

import influence
from influence.fixes import encode_fixes, export_bundle, fix_list
from influence.reading import whole_suffix
from influence.review import Reviews

KINDS = {".csv": "text/csv", ".jsonl": "application/jsonl", ".parquet": "application/vnd.apache.parquet"}


def fixes(reviews: Reviews, policy: str, suffix: str) -> bytes:
    """The fix list as it stands now, as a file of that ending."""
    return encode_fixes(fix_list(reviews, policy=policy).fixes, suffix)


def bundle(reviews: Reviews, policy: str) -> bytes:
    """The zip with everything."""
    return export_bundle(reviews, policy=policy)


def apply_command(workspace: influence.Workspace) -> str:
    """The command that makes the fixes in a copy of the training file."""
    source = Path(workspace.info.train_source)
    parts = ["python", "-m", "influence", "apply", "--fixes", f"{workspace.name}-fixes.jsonl", "--train", source.name]
    form = workspace.info.settings.get("form") or {}
    said = [part for name, value in form.items() if value is not None for part in (f"--{name}", value)]
    return shlex.join([*parts, "--output", f"corrected{whole_suffix(source)}", *said])
