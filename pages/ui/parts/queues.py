"""Queues of examples to review, made from any page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pages.ui.frame import Session, messages, shell


@dataclass(frozen=True)
class Source:
    """What a queue can be made of: its name, a remark, the examples in order, and what the log says of them."""

    key: str
    name: str
    about: str
    ids: Sequence[str]
    origin: dict[str, Any]
    adjudicates: bool = False


def make(session: Session, source: Source, *, size: int = 0, opinions: int = 1, blind: bool = False) -> str | None:
    """Make a queue of the first `size` examples, 0 for all, or find the one that is the same; returns its id.

    None where that failed, which is said. For callbacks.
    """
    ids = list(source.ids)[: size or None]
    with messages.or_say("No queue was made"):
        queue = session.queues.create(
            session.reviewer,
            source.name,
            ids,
            overlap=opinions,
            blind=blind,
            adjudicates=source.adjudicates,
            source=source.origin,
        )
        return queue.id
    return None


def make_and_open(session: Session, source: Source) -> None:
    """Make a queue and leave for it. For callbacks."""
    queue = make(session, source)
    if queue is not None:
        shell.leave_for("review", workspace=session.workspace.name, queue=queue)
