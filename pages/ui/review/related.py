"""What speaks for and against the label of one training example, kept ready for the example that comes next."""

import threading
from dataclasses import dataclass, replace
from functools import partial

import influence
from influence import Explanation
from influence.explanations import EITHER_SIDE, Effects, by_shared_words, effects, label_evidence
from pages.ui.jobs import Ahead
from pages.ui.parts import suspicions

TOP = EITHER_SIDE
KEPT = 256  # examples
Key = tuple[str, str, str | None]  # build, training example, the label it is shown under if not its own
_found: dict[Key, "Related"] = {}  # the last ones asked for last
_lock = threading.Lock()
_ahead = Ahead(kept=KEPT)


@dataclass(frozen=True)
class Related:
    """The training examples that pull hardest at one, and the test examples that it pulls at hardest."""

    trains: Explanation
    tests: Effects


def related(workspace: influence.Workspace, train_id: str, label: str | None = None) -> Related:
    """The evidence on one training example, or on its text under another label. Raises `QueryError` for an unknown one.

    Under another label no test examples: the index knows what an example did to them under its own alone.
    """
    if (found := ready(workspace, train_id, label)) is not None:
        return found
    if label is not None:
        found = Related(_as_if_labelled(workspace, train_id, label), Effects([], []))
    else:
        found = Related(label_evidence(workspace, train_id), effects(workspace, train_id, top=TOP))
    with _lock:
        _found[_key(workspace, train_id, label)] = found
        while len(_found) > KEPT:
            del _found[next(iter(_found))]
    return found


def ready(workspace: influence.Workspace, train_id: str, label: str | None = None) -> Related | None:
    """The evidence if it has been gathered lately."""
    key = _key(workspace, train_id, label)
    with _lock:
        if key in _found:
            _found[key] = _found.pop(key)
        return _found.get(key)


def _key(workspace: influence.Workspace, train_id: str, label: str | None) -> Key:
    return (str(workspace.build), train_id, label)


def _as_if_labelled(workspace: influence.Workspace, train_id: str, label: str) -> Explanation:
    """The same with the gradients that the text has under that label; the example itself must not speak against it."""
    position = workspace.store.positions("train", [train_id])[train_id]
    example = workspace.store.examples("train", [position])[position]
    text, pair = example.text, example.text_pair
    found = by_shared_words(
        lambda special: influence.explain(workspace, text=text, text_pair=pair, label=label, top=TOP + 1, special_tokens=special)
    )
    proponents, opponents = (
        [one for one in side if one.train.id != train_id][:TOP] for side in (found.proponents, found.opponents)
    )
    return replace(found, proponents=proponents, opponents=opponents)


def prepare(workspace: influence.Workspace, train_id: str, label: str | None = None) -> None:
    """Gather the evidence on an example in the background, so that it is there when its turn comes."""
    key = _key(workspace, train_id, label)
    with _lock:
        there = key in _found
    if not there:
        _ahead.prepare(key, partial(_gather, workspace, train_id, label))


def _gather(workspace: influence.Workspace, train_id: str, label: str | None) -> None:
    related(workspace, train_id, label)
    suspicions.suspicion(workspace, train_id)
