"""The strongest examples for a question, found by several processes or machines that keep a share of the index's segments open.

Each scans its own segments and says which examples there are the strongest, with their scores as the whole index gives them; as a
score belongs to one example, the strongest of all are among them. The question travels, and a few numbers come back. Where
somebody does not answer, the answer is found here, and they are asked again later.
"""

import atexit
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, finalize

import numpy as np

from influence.attribution import Strongest
from influence.engines import Engine, Held, Work, chosen
from influence.errors import EngineError
from influence.formulas import extremes
from influence.types import IntArray
from influence.workspace import WorkspaceReader, read_workspace

AGAIN_SECONDS = 60.0  # before those who did not answer are asked again
_engines: list[Engine] = []
_held: WeakKeyDictionary[WorkspaceReader, Held] = WeakKeyDictionary()
_until = [0.0]  # nobody is asked before


def spread_over(engine: Engine | None) -> None:
    """Ask an engine's places from now on, in this process; None: answer here."""
    for held in _held.values():
        held.close()
    _held.clear()
    _engines[:] = [] if engine is None else [engine]


def answer_with(name: str, address: str | None = None) -> None:
    """Have the engine of a name answer until this process ends. Raises as `engines.chosen` does."""
    engine = chosen(name, address)
    spread_over(engine.__enter__())
    atexit.register(engine.__exit__, None, None, None)


def ask(workspace: WorkspaceReader, work: Work, question: Mapping[str, Any]) -> list[Any] | None:
    """What each place answers to a question about a workspace; None where it is to be answered here."""
    if not _engines or time.monotonic() < _until[0]:
        return None
    try:
        if workspace not in _held:
            where = {"workspace": str(workspace.path.resolve()), "build": workspace.build.name}
            _held[workspace] = held = _engines[0].hold(work, where)
            finalize(workspace, held.close)
        return _held[workspace].ask(question)
    except EngineError:
        _until[0] = time.monotonic() + AGAIN_SECONDS
        _held.pop(workspace).close()
        return None


@lru_cache(maxsize=4)
def opened_here(path: str, build: str) -> WorkspaceReader:
    """A workspace that stays open where questions are answered. Raises `WorkspaceError` where it is another build here."""
    workspace = read_workspace(Path(path))
    workspace.check_build(build)
    return workspace


def as_answer(found: Strongest) -> list[dict[str, Any]]:
    """The strongest of one share, as they travel."""
    sides = ((found.proponents_E, found.proponent_scores_EC), (found.opponents_E, found.opponent_scores_EC))
    return [{"examples": examples_E.tolist(), "scores": scores_EC.tolist()} for examples_E, scores_EC in sides]


def joined(answers: Sequence[list[dict[str, Any]]], tie_ranks_N: IntArray, top: int, checkpoints: int) -> Strongest:
    """The strongest of all shares, from the strongest of each."""
    by_example = {
        int(example): scores
        for answer in answers
        for side in answer
        for example, scores in zip(side["examples"], side["scores"], strict=True)
    }
    examples_E = np.array(list(by_example), dtype=np.int64)
    scores_EC = np.array(list(by_example.values()), dtype=np.float64).reshape(len(examples_E), checkpoints)
    one, other = extremes(scores_EC.sum(axis=1), tie_ranks_N[examples_E], top)
    return Strongest(examples_E[one], examples_E[other], scores_EC[one], scores_EC[other])
