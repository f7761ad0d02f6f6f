"""One queue of examples to review; a queue of suspects follows each new ranking, and the log says what joined it and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from influence.review import state
from influence.review.events import Reviewer
from influence.review.reviews import Reviews
from influence.standing import spread, with_rest

SUSPECTS = "suspects"  # the kind of source whose queues follow new rankings


@dataclass(frozen=True)
class Queue:
    """An ordered list of training examples and how it is worked."""

    id: str
    name: str
    created_by: str
    at: datetime
    overlap: int  # how many reviewers each example is wanted from
    blind: bool  # others' decisions and the model's suggestion stay hidden until the reviewer has decided
    adjudicates: bool  # its decisions settle conflicts
    closed: bool
    source: dict[str, Any]  # what it was made from, such as a cluster
    build: str
    size: int
    controls: int = 0  # planted: examples shown under a wrong label, to measure reviewers
    ranking: str = ""  # of suspects, whose order it follows
    decisions: int = 0  # decided examples that this ranking has learnt from
    reranked: int = 0  # how often another ranking has changed its order

    @property
    def learns(self) -> bool:
        """Whether what nobody has decided in it follows each new ranking of suspects."""
        return self.source.get("kind") == SUSPECTS


def follow(
    reviews: Reviews,
    queue: Queue,
    settings: Mapping[str, Any],
    reviewer: Reviewer,
    suspected: Sequence[str],
    *,
    ranking: str,
    decisions: int,
) -> bool:
    """Put what is open in a queue of suspects in the order of a new ranking; False where it follows that already.

    What anybody has decided, flagged, skipped or has on screen keeps its place. Of `suspected`, the most
    suspicious first, those join that are not in the queue and come before the end of what is open; nothing leaves it.
    `settings` are the queue's, for the log, which says what joined and why; `decisions` is how many decided examples the
    ranking has learnt from. To be called under the log's lock.
    """
    log = reviews.log
    if not queue.learns or (queue.ranking == ranking and not (queue.reranked and not state.has_order(log.store, queue.id))):
        return False
    items = [item.example_id for item in state.queue_items(log.store, queue.id)]
    kept = state.settled(log.store, queue.id) | {
        lease.example_id for lease in log.live.leases.all(log.clock()) if not lease.ahead
    }
    decided = {decision.example_id for decision in reviews.decisions()}
    is_open = [id for id in items if id not in kept and not reviews.is_control(id, queue.id)]
    inside, wanted = set(items), None if queue.source.get("size", queue.size) == 0 else len(is_open)
    able = [id for id in suspected if (id not in decided if id not in inside else id not in kept)]
    front = [id for id in able if not reviews.is_control(id, queue.id)][:wanted]
    joined = [id for id in front if id not in inside]
    if queue.ranking != ranking:
        content = {"queue": queue.id, **settings, "ranking": ranking, "decisions": decisions}
        if joined:
            content |= {"items": [(id, reviews.corpus[id].text_sha256) for id in joined], "first_rank": queue.size}
        log.append(reviews.stamped(reviewer, "queue", build=True) | content)
    order = with_rest(front, [id for id in is_open if id not in set(front)], int(queue.source.get("checks") or 0))
    before = {id: place for place, id in enumerate(is_open, start=1)}
    moved: dict[str, tuple[int | None, int | None]] = {id: (n, before.get(id)) for n, id in enumerate(order, start=1)}
    planted = [id for id in items if id not in kept and id not in before]
    whole = [*(id for id in items if id in kept), *spread(order, planted)]
    state.write_order(log.store, queue.id, [(id, *moved.get(id, (None, None))) for id in whole])
    log.live.forget_queue(queue.id)
    return True
