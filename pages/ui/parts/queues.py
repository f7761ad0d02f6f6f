"""Queues of examples to review, made from any page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from influence.review import SUSPECTS
from influence.suspects import DEFAULT_EVERY, choose_controls, suspect_ids, with_checks
from pages.ui.frame import Session, messages, shell
from pages.ui.parts import suspicions


@dataclass(frozen=True)
class Source:
    """What a queue can be made of: its name, a remark, the examples in order, and what the log says of them."""

    key: str
    name: str
    about: str
    ids: Sequence[str]
    origin: dict[str, Any]
    adjudicates: bool = False


def make(
    session: Session, source: Source, *, size: int = 0, opinions: int = 1, blind: bool = False, controls: float = 0.0
) -> str | None:
    """Make a queue of the first `size` examples, 0 for all, or find the one that is the same; returns its id.

    `controls`: how many planted controls there are to be for each example. A queue of suspects follows new rankings, so
    what has as many decisions as it wants is left out of it. None where that failed, which is said. For callbacks.
    """
    ids, origin, ranking = list(source.ids), source.origin, ""
    with messages.or_say("No queue was made"):
        if origin.get("kind") == SUSPECTS:
            origin, ranking = {**origin, "size": size, "checks": DEFAULT_EVERY}, suspicions.ranking(session.workspace)
            ids = _with_checks(session, ids, size, opinions)
        ids = ids[: size or None]
        planted = max(1, round(len(ids) * controls)) if controls else 0
        origin = {**origin, "controls": planted} if planted else origin
        queue = session.queues.create(
            session.reviewer,
            source.name,
            ids,
            overlap=opinions,
            blind=blind,
            adjudicates=source.adjudicates,
            source=origin,
            ranking=ranking,
            plant=(lambda id: choose_controls(session.reviews, ids, planted, queue=id)) if planted else None,
        )
        return queue.id
    return None


def _with_checks(session: Session, suspected: list[str], size: int, opinions: int) -> list[str]:
    """Suspects that want a decision, each tenth place taken by an example from anywhere in the ranking."""
    done = {decision.example_id for decision in session.reviews.decisions()} if opinions == 1 else set()
    first = [id for id in suspected if id not in done] or suspected
    whole = list(dict.fromkeys([*first, *(id for id in suspect_ids(session.workspace) if id not in done)]))
    count = math.ceil(len(first) * DEFAULT_EVERY / (DEFAULT_EVERY - 1))
    return with_checks(whole, min(size or count, count), every=DEFAULT_EVERY, seed=len(done))


def make_and_open(session: Session, source: Source) -> None:
    """Make a queue and leave for it. For callbacks."""
    queue = make(session, source)
    if queue is not None:
        shell.leave_for("review", workspace=session.workspace.name, queue=queue)
