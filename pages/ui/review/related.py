"""What speaks for and against the label of one training example, kept ready for the example that comes next."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import influence
from influence import Explanation
from influence.explanations import Effects, effects

TOP = 6  # on each side
MOST_KEPT = 256


@dataclass(frozen=True)
class Related:
    """The training examples that pull hardest at one, and the test examples that it pulls at hardest."""

    trains: Explanation
    tests: Effects


_kept: OrderedDict[tuple[str, str], Related] = OrderedDict()
_lock = threading.Lock()


def related(workspace: influence.Workspace, train_id: str) -> Related:
    """The evidence on one training example. Raises `QueryError` for an unknown one."""
    key = (str(workspace.build), train_id)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    found = Related(_neighbours(workspace, train_id), effects(workspace, train_id, top=TOP))
    with _lock:
        _kept[key] = found
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return found


def _neighbours(workspace: influence.Workspace, train_id: str) -> Explanation:
    # Through words they share: start and end tokens would bring up the same few short examples for all.
    found = influence.explain(workspace, train_id=train_id, top=TOP, special_tokens="exclude")
    if found.proponents or found.opponents:
        return found
    return influence.explain(workspace, train_id=train_id, top=TOP)


def prepare(workspace: influence.Workspace, train_id: str) -> None:
    """Gather the evidence on an example in the background, so that it is there when its turn comes."""
    key = (str(workspace.build), train_id)
    with _lock:
        if key in _kept:
            return
    threading.Thread(target=_quietly, args=(workspace, train_id), daemon=True).start()


def _quietly(workspace: influence.Workspace, train_id: str) -> None:
    try:
        related(workspace, train_id)
    except Exception:
        # Asked for again when the example is shown, where whoever looks at it is told.
        return
