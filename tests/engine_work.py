"""Pieces of work for the tests of engines; they are run in other processes, which import this."""

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

import torch

from influence.engines import Arguments, Step
from influence.errors import ModelError


def look_around(arguments: Arguments, step: Step) -> dict[str, Any]:
    """Where this was done, and what was asked; as many steps as asked for."""
    for _ in range(arguments.get("steps", 0)):
        step(1)
    time.sleep(arguments.get("seconds", 0))
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"asked": dict(arguments), "seen": seen, "process": os.getpid(), "threads": torch.get_num_threads()}


def refuse(arguments: Arguments, step: Step) -> None:
    """What cannot be done, or what nobody foresaw."""
    if "disk" in arguments:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raise ModelError(arguments["why"]) if "why" in arguments else RuntimeError("a bug")


def die_at_first(arguments: Arguments, step: Step) -> str:
    """Killed, as by the system, for as often as there is no file yet."""
    for number in range(arguments["deaths"]):
        file = Path(arguments["folder"], f"{arguments['name']}-{number}")
        if not file.exists():
            file.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
    return str(arguments["name"])
