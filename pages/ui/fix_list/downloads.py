"""What the download buttons give. Called when one is pressed, outside of any page: everything comes as an argument."""

from collections.abc import Iterable, Sequence

import pandas as pd
from pandas.api.types import is_numeric_dtype

import influence
from influence.exchange import make_tasks, task_files, zipped
from influence.fixes import encode_fixes, export_bundle, fix_list, neutralised
from influence.review import Reviews

LOGS = {".csv": "text/csv", ".jsonl": "application/jsonl"}
KINDS = {".csv": "text/csv", ".jsonl": "application/jsonl", ".parquet": "application/vnd.apache.parquet"}


def fixes(reviews: Reviews, policy: str, suffix: str) -> bytes:
    """The fix list as it stands now, as a file of that ending."""
    return encode_fixes(fix_list(reviews, policy=policy).fixes, suffix)


def bundle(reviews: Reviews, policy: str) -> bytes:
    """The zip with everything."""
    return export_bundle(reviews, policy=policy)


def tasks(workspace: influence.Workspace, tool: str, ids: Sequence[str]) -> bytes:
    """The zip of these suspects as tasks for an annotation tool."""
    return zipped(task_files(workspace, tool, make_tasks(workspace, ids)))


def log(reviews: Reviews, suffix: str) -> bytes:
    """The whole log: as CSV a row an event, safe to open in a spreadsheet; as JSONL the records themselves, with their seals."""
    if suffix == ".jsonl":
        return b"".join(record.line.encode() + b"\n" for record in reviews.log.store.records())
    events = reviews.audit()
    events["at"] = events["at"].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    events["words"] = ["; ".join(words) if isinstance(words, Iterable) else "" for words in events["words"]]
    for name in events.columns:
        if not is_numeric_dtype(events[name]):
            events[name] = [neutralised("" if pd.isna(cell) else str(cell)) for cell in events[name]]
    return events.to_csv(index=False, lineterminator="\r\n").encode()
