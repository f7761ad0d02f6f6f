"""The opinions that a workspace keeps: copied in, sealed, one of a name, replaced by the same name and forgotten when told to.

    WORKSPACE/opinions/KEY.json               a name: where it came from, and the file that holds what it says, with its hashes
    WORKSPACE/opinions/KEY-CONTENT.parquet    example_id, text_sha256, label, annotated_at, and p_LABEL where it has probabilities

A name's JSON file is replaced in one step, so a reader sees what was there before or what is there now.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from influence import seals
from influence.errors import QueryError, WorkspaceDamaged, WorkspaceError, WorkspaceNewer
from influence.files import UNREADABLE, is_disk_full, write_json, write_whole
from influence.opinion_files.asked import Asked
from influence.opinion_files.cells import PREFIX, of_rows
from influence.opinion_files.reading_files import read_files
from influence.opinion_files.rows import DATE, ID, LABEL, OpinionRow, usable_rows
from influence.opinion_files.voices import Voice, Voices, voices_of
from influence.reading import FormOptions
from influence.workspace import OPINIONS, WorkspaceReader

VERSION = 1
TEXT = "text_sha256"


@dataclass(frozen=True)
class Kept:
    """One name's opinion, as a workspace keeps it."""

    name: str
    source: str  # the file it came from, by its name
    added_at: str  # ISO 8601, UTC
    examples: int  # that it speaks of
    probabilities: bool  # whether it says more than labels
    sha256: str  # equal for equal opinions
    file: Path
    seal: seals.Seal

    def table(self) -> Any:
        """What it says, an Arrow table. Raises `WorkspaceDamaged` where it is not what was kept."""
        seals.verify_as(self.file, self.seal)
        try:
            return pq.read_table(self.file)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise WorkspaceDamaged(f"{str(self.file)!r} is damaged; forget the opinion and add it again") from error


def add_files(workspace: WorkspaceReader, files: Sequence[str], options: FormOptions | None = None) -> list[str]:
    """Keep the opinions in files with a workspace; what the user should know. Raises `DataError`, and then nothing is kept."""
    found = read_files(files, Asked.of_workspace(workspace), options) if files else []
    for voices in found:
        keep(workspace, voices)
    return [note for voices in found for note in voices.notes]


def add_rows(
    workspace: WorkspaceReader,
    rows: Sequence[OpinionRow | tuple[str, str, str, str | None]],
    *,
    source: str,
    drop_unusable: bool = False,
) -> list[str]:
    """Keep opinions that come as rows (name, example_id, label, annotated_at); what the user should know.

    What the same names said before is replaced. Raises `DataError` for an unknown label, a name that says two things of an
    example, or where no id is one of the workspace's; then nothing is kept. With `drop_unusable` such rows are left out instead,
    as suits what was built already: see `usable_rows`.
    """
    asked = Asked.of_workspace(workspace)
    notes: list[str] = []
    if drop_unusable:
        rows, notes = usable_rows(rows, asked)
        if not rows:
            return notes
    voices = voices_of(of_rows(rows, source), asked)
    keep(workspace, voices)
    return [*notes, *voices.notes]


def keep(workspace: WorkspaceReader, found: Voices) -> None:
    """Keep what was read, each name in the place of what it said before. Raises `WorkspaceError` where that fails."""
    folder = workspace.path / OPINIONS
    try:
        folder.mkdir(exist_ok=True)
        for voice in found.voices:
            _write(folder, voice, Path(found.source).name)
    except OSError as error:
        why = "disk full" if is_disk_full(error) else error.strerror or error
        raise WorkspaceError(f"opinions cannot be kept in {str(folder)!r}: {why}") from error


def forget(path: str | Path, name: str) -> None:
    """Remove the opinion of a name. Raises `QueryError` where the workspace keeps none of that name."""
    folder = Path(path) / OPINIONS
    pointer = folder / f"{_key(name)}.json"
    if not pointer.is_file():
        names = [kept.name for kept in kept_opinions(path)]
        there = f"it keeps {', '.join(map(repr, names))}" if names else "it keeps none"
        raise QueryError(f"workspace {Path(path).name!r} has no opinion by the name {name[:100]!r}; {there}")
    try:
        pointer.unlink()
        for file in folder.glob(f"{_key(name)}-*.parquet"):
            file.unlink()
    except OSError as error:
        raise WorkspaceError(f"{str(pointer)!r} cannot be removed: {error.strerror or error}") from error


def kept_opinions(path: str | Path) -> list[Kept]:
    """The opinions that a workspace keeps, by name. Raises `WorkspaceDamaged` where one is not what was written."""
    return sorted(_all(Path(path) / OPINIONS), key=lambda kept: kept.name)


def _all(folder: Path) -> Iterator[Kept]:
    for pointer in folder.glob("*.json"):
        try:
            content = json.loads(pointer.read_text(encoding="utf-8"))
            seals.check_json(content, required=True)
            if content["version"] > VERSION:
                raise WorkspaceNewer(f"{str(pointer)!r} has version {content['version']}, this Wordtrace knows {VERSION}")
            about = content["settings"]
            yield Kept(
                str(about["name"]), str(about["source"]), str(about["added_at"]), int(about["examples"]),
                bool(about["probabilities"]), str(about["sha256"]), folder / Path(str(content["file"])).name,
                seals.Seal(**content["seal"]),
            )  # fmt: skip
        except FileNotFoundError:
            continue  # forgotten just now
        except UNREADABLE as error:
            raise WorkspaceDamaged(
                f"{str(pointer)!r} is damaged ({error}); delete it, and add the opinion again with --opinions"
            ) from error


def _key(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _write(folder: Path, voice: Voice, source: str) -> None:
    content = _parquet(voice)
    digest = hashlib.sha256(content).hexdigest()
    file = folder / f"{_key(voice.name)}-{digest[:12]}.parquet"
    write_whole(file, content)
    about = {
        "name": voice.name,
        "source": source,
        "added_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "examples": len(voice.ids),
        "probabilities": bool((~np.isnan(voice.probabilities_SY)).any()),
        "sha256": digest,
    }
    pointer = {"version": VERSION, "file": file.name, "seal": seals.seal_file(file)._asdict(), "settings": about}
    write_json(folder / f"{_key(voice.name)}.json", seals.sealed_json(pointer))
    for old in folder.glob(f"{_key(voice.name)}-*.parquet"):
        if old != file:
            old.unlink(missing_ok=True)


def _parquet(voice: Voice) -> bytes:
    columns: dict[str, Any] = {
        ID: voice.ids,
        TEXT: voice.hashes,
        LABEL: [voice.labels[number] for number in voice.said_S.tolist()],
        DATE: [date or None for date in voice.dates],
    }
    if (~np.isnan(voice.probabilities_SY)).any():
        for number, label in enumerate(voice.labels):
            columns[f"{PREFIX}{label}"] = pa.array(voice.probabilities_SY[:, number], from_pandas=True)
    columns[DATE] = pa.array(columns[DATE], pa.string())
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written, compression="zstd")
    return written.getvalue()
