"""The data files that this server may build from: those under its data folder, and uploads, which go there too.

Names from a browser are looked up in the listing; none ever becomes a path.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import streamlit as st

import influence
from influence.files import is_disk_full, write_whole
from influence.reading import SUFFIXES, check_content, data_suffix, is_saved, whole_suffix
from influence.workspace import DATA_FOLDER
from pages.ui.frame import messages, numbers, workspaces

VARIABLE = "WORDTRACE_DATA"
GZ = ".gz"
UPLOADS = "uploads"
KINDS = [suffix.removeprefix(".") for suffix in SUFFIXES] + ["gz"]  # of uploads
MOST_LISTED = 2_000
UPLOAD_LIMIT = 200  # megabytes, the same as server.maxUploadSize: a file that is larger is put into the data folder by hand
PARQUET = b"PAR1"


@dataclass(frozen=True)
class DataFile:
    """One file, or the folder of a data set: its name below the data folder, and what a listing says of it."""

    name: str
    size: int
    changed: float

    @property
    def about(self) -> str:
        """Its name, size and date."""
        day = datetime.fromtimestamp(self.changed, UTC)
        return f"{self.name}  ({numbers.size(self.size)}, {day.day} {day:%b %Y})"


def folder() -> Path:
    """The data folder: WORDTRACE_DATA, else `data` beside the workspaces."""
    return Path(os.environ.get(VARIABLE) or workspaces.root() / DATA_FOLDER)


def listing() -> dict[str, DataFile]:
    """The data files and folders of `save_to_disk` by name, the latest first."""
    base = folder()
    found = []
    for path in base.rglob("*") if base.is_dir() else ():
        saved = path.is_dir() and is_saved(path)
        file = data_suffix(path) in SUFFIXES and path.is_file() and not is_saved(path.parent)
        if (saved or file) and path.resolve().is_relative_to(base.resolve()):
            size = sum(one.stat().st_size for one in path.rglob("*.arrow")) if saved else path.stat().st_size
            found.append(DataFile(path.relative_to(base).as_posix(), size, path.stat().st_mtime))
    found.sort(key=lambda file: -file.changed)
    return {file.name: file for file in found[:MOST_LISTED]}


def uploaded() -> dict[str, Path]:
    """The uploads by the name that the listing has for them; never through a link."""
    found = {name: folder() / name for name in listing() if name.startswith(f"{UPLOADS}/")}
    return {name: path for name, path in found.items() if not path.is_symlink()}


def model_folders() -> list[str]:
    """Folders under the data folder that hold a model, by name."""
    base = folder()
    found = base.rglob("config.json") if base.is_dir() else ()
    inside = (path.parent for path in found if path.resolve().is_relative_to(base.resolve()))
    return sorted(path.relative_to(base).as_posix() for path in inside if any(path.glob("*.safetensors")))[:MOST_LISTED]


def keep_upload(name: str, content: bytes) -> str:
    """Put an uploaded file into the data folder, once however often it comes; returns its name there.

    Raises `DataError` for one that is too large or not what its name says, `WorkspaceError` where it cannot be kept.
    """
    suffix = data_suffix(Path(name))
    shown = name[:100]
    if suffix not in SUFFIXES:
        raise influence.DataError(f"{shown!r} is not a data file: upload a {', '.join(SUFFIXES)} file, or one of these in gzip")
    if len(content) > UPLOAD_LIMIT * 1_000_000 * 1.05:
        raise influence.DataError(
            f"{shown!r} is larger than {UPLOAD_LIMIT} MB; whoever runs the server can put it into its data folder"
        )
    if not content:
        raise influence.DataError(f"{shown!r} is empty")
    if suffix == ".parquet" and not content.startswith(PARQUET):
        raise influence.DataError(f"{shown!r} is not a Parquet file, whatever its name says")
    check_content(shown, content[:64])
    ending = whole_suffix(Path(name))
    safe = re.sub(r"[^\w.-]+", "_", Path(name).name[: -len(ending)])[:60].strip("._") or "data"
    if (there := _kept(content, f"-{safe}{ending}")) is not None:
        return there
    kept = f"{UPLOADS}/{datetime.now(UTC):%Y%m%d-%H%M%S%f}-{safe}{ending}"
    try:
        (folder() / UPLOADS).mkdir(parents=True, exist_ok=True)
        write_whole(folder() / kept, content)
    except OSError as error:
        reason = "the server's disk is full" if is_disk_full(error) else f"the server cannot keep it: {error.strerror or error}"
        raise influence.WorkspaceError(f"{shown!r} was not uploaded: {reason}") from error
    return kept


def taken(key: str) -> str | None:
    """What a widget was given, kept: its name there. None where it is empty, or refused, which the next drawing says."""
    upload: Any = st.session_state[key]
    if upload is None:
        return None
    try:
        return keep_upload(upload.name, upload.getvalue())
    except influence.WordtraceError as error:
        messages.say(str(error), failed=True)
        return None


def _kept(content: bytes, ending: str) -> str | None:
    """The upload of that name that has the same content, if there is one."""
    digest = hashlib.sha256(content).digest()
    for path in sorted((folder() / UPLOADS).glob(f"*{ending}")):
        if path.is_file() and path.stat().st_size == len(content):
            with path.open("rb") as opened:
                if hashlib.file_digest(opened, "sha256").digest() == digest:
                    return f"{UPLOADS}/{path.name}"
    return None


def plain_name(name: str) -> str:
    """A file's name without its folder, its ending and the stamp of an upload."""
    return re.sub(r"^\d{8}-\d{12}-", "", Path(name).name.removesuffix(GZ).rpartition(".")[0])
