"""What is written with its hashes: folders that a stage has filled, and what is kept to save time."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from influence import seals
from influence.errors import WorkspaceError
from influence.files import DONE, write_json, write_whole


def finish(folder: Path, content: Mapping[str, Any]) -> None:
    """Seal a folder that a stage has filled, and mark it as whole."""
    write_json(folder / seals.HASHES, seals.folder_seals(folder))
    write_json(folder / DONE, dict(content))


def is_finished(folder: Path) -> bool:
    """Whether a stage has filled a folder and all is still as it was left; a mark that no longer holds is taken away."""
    if not (folder / DONE).is_file():
        return False
    try:
        seals.verify_all(folder)
    except WorkspaceError:
        for name in (DONE, seals.HASHES):
            (folder / name).unlink(missing_ok=True)
        return False
    return True


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a .npy file, sealed, so that it is either whole or as it was before; `kept_array` reads it."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    save_kept(path, content.getvalue())


def kept_array(path: Path) -> npt.NDArray[Any] | None:
    """The array of `save_array`; None where there is none or it is not what was written: it is to be made again."""
    content = kept(path)
    if content is None:
        return None
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))


def save_kept(path: Path, content: bytes) -> None:
    """Write what can be made again, sealed, so that it is either whole or as it was before."""
    write_whole(path, seals.with_seal(content))


def kept(path: Path) -> bytes | None:
    """The content of `save_kept`; None where there is none or it is not what was written."""
    try:
        return seals.without_seal(path.read_bytes())
    except OSError:
        return None
