"""Files of other machines (`s3://`, `gs://`, `hf://`): listed, and fetched one at a time, within bounds of time.

The library is fsspec, which comes with Hugging Face's `datasets`; what it needs for a kind of address is a package of its own.
Credentials are looked for where that package looks for them (its environment variables and files) and are never in an address:
that is written into the workspace.
"""

import hashlib
import os
import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from influence.errors import DataError, WorkspaceBusy
from influence.files import alone, share
from influence.sources.names import Part, is_pattern

T = TypeVar("T")
MARK = "://"
# What reads an address of each kind: the package, and what it is called; None: nothing more is needed.
DRIVERS: dict[str, tuple[str, str] | None] = {
    "s3": ("s3fs", "S3"), "gs": ("gcsfs", "Google Cloud Storage"), "gcs": ("gcsfs", "Google Cloud Storage"),
    "hf": ("huggingface_hub", "the Hugging Face Hub"), "file": None, "memory": None,
}  # fmt: skip
# So that a library that waits gives up, too: by itself it may go on for an hour.
SETTINGS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 2}}},
}
ANSWER = 60.0  # seconds that a host may take to answer, or to send the next block
BLOCK = 8 << 20
FOLDER = "wordtrace-fetched-"
SECRETS = re.compile(r"(?i)((?:x-amz-[a-z-]+|signature|sig|token|key|secret|password|credential)[\w-]*\s*[=:]\s*)[^&\s\"',)]+")
NO_RIGHTS = re.compile(
    r"(?i)forbidden|access ?denied|unauthorized|credential|not authorized|permission|gated|\b40[13]\b|invalid_grant|anonymous"
)
UNREACHED = re.compile(r"(?i)timed? ?out|connect|resolve|unreachable|name or service|max retries|offline")


def is_remote(name: str) -> bool:
    """Whether a name is an address, `scheme://…`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*(::[a-z0-9]+)*://", name) is not None


class Copy:
    """A part, to be copied into a folder of its own on this machine, which is gone as soon as nobody has the copy."""

    def __init__(self, part: Part, folder: Path) -> None:
        home = Path(tempfile.mkdtemp(dir=folder, prefix=FOLDER))
        self.part, self.path, self.sha256 = part, home / PurePosixPath(part.name).name, ""
        self.remove = weakref.finalize(self, _remove, home, share(home))  # shared, so that nobody sweeps it


def _remove(home: Path, used: int | None) -> None:
    if used is not None:
        os.close(used)
    shutil.rmtree(home, ignore_errors=True)


class Remote:
    """One address, or a pattern of them. Raises `DataError` for what cannot be listed, within `ANSWER` seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        scheme, _, rest = name.partition(MARK)
        self.scheme = scheme.lower()
        if self.scheme not in DRIVERS:
            kinds = ", ".join(f"{kind}{MARK}" for kind in DRIVERS if kind not in ("memory", "gcs"))
            raise DataError(f"{scheme}{MARK}…: such addresses are not read; those are that begin with {kinds}")
        if "@" in rest.partition("/")[0] or SECRETS.search(rest.partition("?")[2]):
            raise DataError(
                f"{scheme}{MARK}…: the address holds a key or a password, which would be written into the workspace; leave it "
                "out, and give it as the driver expects it (environment variables, its own files)"
            )
        self._files, self._path = self._asked(self._opened)

    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(f"{self.scheme}{MARK}{self.name.partition(MARK)[2]}", **SETTINGS.get(self.scheme, {}))
        return files, str(path)

    def is_folder(self) -> bool:
        """Whether the address is that of a folder."""
        return bool(self._asked(lambda: self._files.isdir(self._path)))

    def parts(self) -> list[Part]:
        """Its files, by name. Raises `DataError` where there is none."""
        if is_pattern(self._path):
            found = self._asked(lambda: self._files.glob(self._path, detail=True))
        elif self.is_folder():
            found = self._asked(lambda: self._files.find(self._path, detail=True))
        else:
            found = {self._path: self._asked(lambda: self._files.info(self._path))}
        files = {str(path): info for path, info in sorted(found.items()) if info.get("type") == "file"}
        if not files:
            raise DataError(f"{self.name!r}: no file {'matches' if is_pattern(self._path) else 'is there'}")
        base = self._path if not is_pattern(self._path) and len(files) > 1 else None
        folder = f"{base.rstrip('/')}/" if base is not None else _common_folder(list(files))
        return [Part(path, path.removeprefix(folder), int(info.get("size") or 0)) for path, info in files.items()]

    def address(self, part: Part) -> str:
        """A part as it is named in messages."""
        return f"{self.scheme}{MARK}{part.place.lstrip('/') if self.scheme != 'file' else part.place}"

    def fetched(self, part: Part, folder: Path) -> Copy:
        """A copy of a part in a folder. Raises `DataError` where there is no room for it."""
        free = shutil.disk_usage(folder).free
        if part.size > free:
            raise DataError(
                f"{self.address(part)!r} has {part.size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free at {str(folder)!r}, "
                "where it is copied to while it is read; free some space"
            )
        _sweep(folder)
        copy = Copy(part, folder)
        copy.sha256 = self._copied(part, copy.path)
        return copy

    def _copied(self, part: Part, copy: Path) -> str:
        digest = hashlib.sha256()
        opened = self._asked(lambda: self._files.open(part.place, "rb", block_size=BLOCK, cache_type="readahead"))
        with opened, copy.open("wb") as file:
            while content := self._asked(lambda: opened.read(BLOCK)):
                digest.update(content)
                file.write(content)
        return digest.hexdigest()

    def _asked(self, call: Callable[[], T]) -> T:
        """What a call to the library returns. Raises `DataError`, in one line, for whatever else comes of it."""
        answer: list[T] = []
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                answer.append(call())
            except BaseException as error:  # the libraries raise kinds without number
                failed.append(error)

        asking = threading.Thread(target=ask, daemon=True)  # one that never answers does not keep the process
        asking.start()
        asking.join(ANSWER)
        if answer:
            return answer[0]
        raise self._complaint(failed[0] if failed else None) from (failed[0] if failed else None)

    def _complaint(self, error: BaseException | None) -> DataError:
        if error is None:
            return DataError(f"{self.name!r}: the host has not answered within {ANSWER:.0f} s; try again when it does")
        if isinstance(error, DataError):
            return error
        said = " ".join((str(error) or type(error).__name__).split())[:300]
        said = SECRETS.sub(r"\1…", said)
        driver = DRIVERS[self.scheme]
        if isinstance(error, ImportError) and driver is not None:
            return DataError(f"{self.name!r}: reading from {driver[1]} needs the package {driver[0]}: pip install {driver[0]}")
        if isinstance(error, FileNotFoundError):
            return DataError(f"{self.name!r}: there is no such file or folder")
        if isinstance(error, PermissionError) or NO_RIGHTS.search(f"{type(error).__name__} {said}"):
            return DataError(f"{self.name!r} may not be read with the credentials that were found, or there are none: {said}")
        if isinstance(error, TimeoutError | ConnectionError) or UNREACHED.search(f"{type(error).__name__} {said}"):
            return DataError(f"{self.name!r}: the host cannot be reached: {said}")
        return DataError(f"{self.name!r} cannot be read: {said}")


def _common_folder(paths: list[str]) -> str:
    """The folder that all paths are in, with a slash at its end."""
    folder = os.path.commonpath([path.rpartition("/")[0] for path in paths]) if len(paths) > 1 else paths[0].rpartition("/")[0]
    return f"{folder}/" if folder else ""


def _sweep(folder: Path) -> None:
    """Remove what killed processes have fetched into a folder."""
    for left in folder.glob(f"{FOLDER}*"):
        with suppress(WorkspaceBusy), alone(left, busy="in use"):
            shutil.rmtree(left, ignore_errors=True)
