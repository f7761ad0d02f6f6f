"""The files of a tool's tasks: as bytes by name, in a folder, in one file with the others beside it, or in a zip."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from influence.errors import SettingsError
from influence.exchange import argilla, label_studio, prodigy
from influence.exchange.tasks import Task
from influence.files import write_output
from influence.workspace import WorkspaceReader

ZIP = ".zip"
FIRST = {"label-studio": "tasks.json", "argilla": "records.json", "prodigy": "tasks.jsonl"}  # the file that has the tasks
WRITTEN_AT = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say: equal tasks are equal files


def task_files(workspace: WorkspaceReader, tool: str, tasks: Sequence[Task]) -> dict[str, bytes]:
    """What the tool is given, by its name in a folder, the tasks first. Raises `SettingsError` for labels it cannot hold."""
    return _FILES[tool](workspace, tasks)


def _label_studio(workspace: WorkspaceReader, tasks: Sequence[Task]) -> dict[str, bytes]:
    info = workspace.info
    configuration = label_studio.configuration(info.labels, pairs=info.has_pairs)
    return {FIRST["label-studio"]: _json([label_studio.task(one) for one in tasks]), "labeling.xml": configuration.encode()}


def _argilla(workspace: WorkspaceReader, tasks: Sequence[Task]) -> dict[str, bytes]:
    info = workspace.info
    return {
        FIRST["argilla"]: _json([argilla.record(one) for one in tasks]),
        ".argilla/settings.json": _json(argilla.settings(info.labels, pairs=info.has_pairs)),
        ".argilla/dataset.json": _json(argilla.dataset(workspace.name)),
    }


def _prodigy(workspace: WorkspaceReader, tasks: Sequence[Task]) -> dict[str, bytes]:
    lines = (json.dumps(prodigy.task(one, workspace.info.labels), ensure_ascii=False) for one in tasks)
    return {FIRST["prodigy"]: "".join(f"{line}\n" for line in lines).encode()}


_FILES: dict[str, Callable[[WorkspaceReader, Sequence[Task]], dict[str, bytes]]] = {
    "label-studio": _label_studio,
    "argilla": _argilla,
    "prodigy": _prodigy,
}


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The files as a zip."""
    opened = io.BytesIO()
    with zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, WRITTEN_AT), content, zipfile.ZIP_DEFLATED)
    return opened.getvalue()


def write_tasks(files: Mapping[str, bytes], output: str | Path) -> list[Path]:
    """Write the files where `check_output` would have them; returns what was written.

    Raises `SettingsError` for what cannot be written.
    """
    output = Path(output)
    check_output(output, next(iter(files)))
    places = _places(files, output)
    for path, content in places.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{str(path.parent)!r} cannot be made: {error.strerror}") from error
        write_output(path, content)
    return list(places)


def check_output(output: Path, first: str) -> None:
    """Raise `SettingsError` for a place that no files can be put into.

    That is a new or empty folder, since they never lie among others; a zip; or a file with the ending of the `first` one, beside
    which the others then lie.
    """
    if not output.parent.is_dir():
        raise SettingsError(f"{str(output)!r}: there is no folder {str(output.parent)!r}")
    if output.is_dir():
        if any(output.iterdir()):
            raise SettingsError(f"{str(output)!r} is a folder with files in it: name a new one, or a file in .zip")
    elif output.exists() and not _is_file(output, first):
        raise SettingsError(f"{str(output)!r} is a file: name a new folder, or a file in .zip or {Path(first).suffix}")


def _is_file(output: Path, first: str) -> bool:
    return output.suffix.lower() in (ZIP, Path(first).suffix)


def _places(files: Mapping[str, bytes], output: Path) -> dict[Path, bytes]:
    """Where each file goes."""
    first, *others = files
    if output.is_dir() or not _is_file(output, first):
        return {output / name: content for name, content in files.items()}
    if output.suffix.lower() == ZIP:
        return {output: zipped(files)}
    beside = {output.with_name(f"{output.stem}.{Path(name).name}"): files[name] for name in others}
    return {output: files[first], **beside}
