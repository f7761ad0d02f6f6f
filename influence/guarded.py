"""One place where all that reading a stranger's files may raise becomes one line of ours."""

from collections.abc import Callable
from typing import TypeVar

from influence.errors import ModelError
from influence.files import is_disk_full

Loaded = TypeVar("Loaded")


def guarded(what: str, load: Callable[[], Loaded], *, done: str = "loaded") -> Loaded:
    """What `load` gives. Raises `ModelError` for whatever it raises; the Rust libraries panic with a `BaseException`."""
    try:
        return load()
    except ModelError:
        raise
    except BaseException as error:
        if (not isinstance(error, Exception) and type(error).__name__ != "PanicException") or is_disk_full(error):
            raise  # a full disk is nothing of the files'
        said = " ".join((str(error).strip().splitlines() or [""])[0].split())
        usual = isinstance(error, OSError | ValueError | ImportError) or type(error).__module__.startswith("safetensors")
        kind = "" if usual and said else f"{type(error).__name__}: " if said else type(error).__name__
        raise ModelError(f"the {what} cannot be {done}: {kind}{said}") from error
