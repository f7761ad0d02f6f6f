"""What an engine is: it does pieces of work that say in JSON what is to be done, each somewhere, and gives back what they give.

A piece of work is a function of ours, by its name, that takes arguments and a callback for the steps it has taken. Arguments
hold paths and numbers, never arrays: what is large lies in files, which whoever works must be able to read.
"""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from influence import errors
from influence.errors import EngineError, WordtraceError
from influence.files import is_disk_full

Arguments = Mapping[str, Any]
Step = Callable[[int], None]
Work = Callable[[Arguments, Step], Any]


class Finished(NamedTuple):
    """How one piece of work ended."""

    task: int  # its place among those asked for
    result: Any  # None where it failed
    error: WordtraceError | None = None

    @property
    def value(self) -> Any:
        """The result. Raises the error where there is one."""
        if self.error is not None:
            raise self.error
        return self.result


class Engine(Protocol):
    """Somewhere to do several pieces of work at once."""

    device: str  # what each place has for models: cpu or cuda

    @property
    def places(self) -> int:
        """How many pieces of work are done at once."""

    def run(
        self, work: Work, tasks: Sequence[Arguments], *, threads: int = 1, retries: int = 0, step: Step = lambda _steps: None
    ) -> Iterator[Finished]:
        """Do `work` with each of the arguments, and yield how each ended, as they end.

        Each has that many threads of PyTorch's; one that was lost with its process is begun again at most `retries` times, here
        or elsewhere. `step` is called a few times a second with the number of steps taken since, and may raise to stop: nothing
        goes on when this ends, however it ends. What cannot be done (`WordtraceError`) is yielded, and so is `EngineError` for
        what was lost.
        """

    def hold(self, work: Work, arguments: Arguments) -> "Held":
        """Somebody at every place (in a cluster: on every machine) who answers with `work` until closed, keeping what it opens.

        `work` gets `arguments`, what it is asked, and its `share`: which of how many places it is at.
        """


class Held(Protocol):
    """Those who answer, a part of what is asked each."""

    def ask(self, asked: Arguments) -> list[Any]:
        """What each answers, in order of place. Raises what cannot be done, and `EngineError` where one does not answer."""

    def close(self) -> None:
        """Send them home."""


def name_of(work: Work) -> str:
    """The name by which a function is found in another process. Raises `ValueError` for one that cannot be."""
    if not work.__qualname__.isidentifier() or work.__module__ == "__main__":
        raise ValueError(f"{work.__qualname__} is no function of a module that can be imported")
    return f"{work.__module__}:{work.__qualname__}"


def found(name: str) -> Work:
    """The function of a name, which is never read from a file."""
    module, _, function = name.partition(":")
    work: Work = getattr(importlib.import_module(module), function)
    return work


def perform(name: str, arguments: Arguments, threads: int, step: Step) -> dict[str, Any]:
    """Do one piece of work here; what it gives as `result`, or `error` and `kind` where it cannot be done."""
    import torch

    torch.set_num_threads(threads)
    try:
        return {"result": found(name)(arguments, step)}
    except WordtraceError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:
        if not is_disk_full(error):
            raise
        return {"error": "disk full; free some space and run the same command again", "kind": "WorkspaceError"}


def finished(task: int, answer: Mapping[str, Any]) -> Finished:
    """What `perform` gave, as it arrived from elsewhere."""
    if "error" not in answer:
        return Finished(task, answer["result"])
    kind = getattr(errors, str(answer["kind"]), EngineError)
    return Finished(task, None, kind(answer["error"]) if kind is not errors.EncodingUnsure else EngineError(answer["error"]))


def as_text(arguments: Arguments) -> str:
    """Arguments as they travel."""
    return json.dumps(dict(arguments))
