"""The SQL of queues and leases. A lease says who has which example on screen, and until when; it always expires."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from influence.data import EDIT_KINDS
from influence.review.events import statuses
from influence.review.tables import ReviewStore, latest

LEASE_MS = 90_000
# What a reviewer may still be given, in the queue's order: nothing they have decided, flagged or skipped, nothing that
# they have on screen in another browser, and nothing that as many others as wanted have decided or have on screen.
_OPEN = """
    with standings as (select *, control is not null as is_control from {standings}),
    decisions as (select *, control is not null as is_control from {decisions}),
    items as ({items}),
    taken as (
        select example_id, text_sha256, is_control, reviewer from decisions
        where reviewer <> $reviewer and adjudicates = $adjudicates
        union
        select example_id, text_sha256, is_control, reviewer from items join leases using (example_id)
        where reviewer <> $reviewer and until_ms > $now),
    opinions as (select example_id, text_sha256, is_control, count(*) as others from taken group by all),
    open as (
        select items.*, coalesce(others, 0) < $overlap as free
        from items left join opinions using (example_id, text_sha256, is_control)
        {not_mine} anti join (select example_id from leases
            where reviewer = $reviewer and session <> $session and until_ms > $now) elsewhere using (example_id))
"""
# What is answered to the queue's own planted controls stands beside decisions here, and nowhere else.
_STANDING = "(from live union all by name from answers_to_controls where queue = $queue)"
_NOT_MINE = """anti join (select example_id, text_sha256, is_control from standings
    where reviewer = $reviewer and adjudicates = $adjudicates) mine using (example_id, text_sha256, is_control)"""
_ORDERED = """select coalesce(o.rank, i.rank) as rank, i.example_id, i.text_sha256, i.shown_label is not null as is_control
    from queue_items i left join live_order o using (queue, example_id) where queue = $queue"""
_QUEUE_ITEMS = f"{_ORDERED} and i.example_id not in (select unnest($gone::varchar[]))"
_FLAGGED_ITEMS = """select row_number() over (order by seq, item) - 1 as rank, example_id, text_sha256, is_control from standings
    where kind = 'flag' and not is_control and reviewer = $reviewer and adjudicates = $adjudicates and $queue is not null
    and example_id not in (select unnest($gone::varchar[]))"""


class WorkRequest(NamedTuple):
    """Who asks a queue for work, and how the queue is set."""

    queue: str
    reviewer: str
    session: str
    now: int  # milliseconds since 1970
    overlap: int
    adjudicates: bool
    gone: list[str]  # examples that the data no longer has with the same text


@dataclass(frozen=True)
class QueueProgress:
    """How far a queue is, in examples; `seconds` is the reviewer's mean time on one, pauses over a minute left out."""

    total: int
    decided: int  # by this reviewer
    flagged: int  # by this reviewer, not decided since
    skipped: int  # by this reviewer
    settled: int  # decided by as many reviewers as the queue wants
    left: int  # this reviewer could still be given
    in_hand: int  # on other reviewers' screens now
    seconds: float | None


class Move(NamedTuple):
    """An example that was open when its queue last followed a new ranking: its place among those, and the one before."""

    example_id: str
    place: int  # from 1
    before: int | None  # None: it has joined the queue


def _open(items: str, not_mine: str, *, controls: bool) -> str:
    among = _STANDING if controls else "live"  # most queues have none, and are answered sooner without asking for them
    standings, decisions = latest(statuses(), among), latest(EDIT_KINDS, among)
    return _OPEN.format(items=items, not_mine=not_mine, standings=standings, decisions=decisions)


def queue_rows(store: ReviewStore) -> list[tuple[Any, ...]]:
    """Every queue with its latest settings, in the order of making; the last column is its size."""
    return store.rows("""
        select queue, arg_max(name, seq), arg_min(created_by, seq), min(at_ms), arg_max(overlap, seq), arg_max(blind, seq),
            arg_max(adjudicates, seq), arg_max(closed, seq), arg_min(source, seq), arg_min(build, seq),
            (select count(*) from queue_items i where i.queue = q.queue),
            (select count(shown_label) from queue_items i where i.queue = q.queue),
            arg_max(ranking, seq), arg_max(decisions, seq), greatest(count(ranking) - 1, 0)
        from queues q group by queue order by min(seq)
    """)


def queue_items(store: ReviewStore, queue: str) -> list[tuple[str, str]]:
    """(example, text hash) of a queue's items, in the order that holds now."""
    rows = store.rows(f"select example_id, text_sha256 from ({_ORDERED}) order by rank", {"queue": queue})
    return [(example_id, text_sha256) for example_id, text_sha256 in rows]


def shown_labels(store: ReviewStore, queue: str) -> dict[str, str]:
    """The labels that a queue's planted controls are shown under, by example."""
    rows = store.rows("select example_id, shown_label from queue_items where queue = ? and shown_label is not null", [queue])
    return dict(rows)


def settled_or_seen(store: ReviewStore, queue: str, now: int) -> set[str]:
    """A queue's items that keep their place in a new order: somebody has decided, flagged or skipped them, or has them open."""
    rows = store.rows(
        f"""with items as ({_ORDERED}),
        standings as (select *, control is not null as is_control from {latest(statuses(), _STANDING)})
        select example_id from items semi join standings using (example_id, text_sha256, is_control)
        union select example_id from items semi join (select example_id from leases where until_ms > $now) using (example_id)""",
        {"queue": queue, "now": now},
    )
    return {example_id for (example_id,) in rows}


def has_order(store: ReviewStore, queue: str) -> bool:
    """Whether a queue has been put in a new order since its database was made."""
    return bool(store.rows("select exists (from live_order where queue = ?)", [queue])[0][0])


def write_order(store: ReviewStore, queue: str, order: Sequence[tuple[str, int | None, int | None]]) -> None:
    """Put a queue in a new order: (example, place, place before), the places among what is open."""
    columns = zip(*order, strict=True) if order else ((), (), ())
    ids, places, before = (list(column) for column in columns)
    rows = pa.table({
        "queue": pa.array([queue] * len(ids), pa.string()),
        "example_id": pa.array(ids, pa.string()),
        "rank": pa.array(range(len(ids)), pa.int32()),
        "place": pa.array(places, pa.int32()),
        "before": pa.array(before, pa.int32()),
    })  # fmt: skip
    store.append({"live_order": rows}, deleting={"live_order": ("queue", [queue])})


def moves(store: ReviewStore, queue: str) -> list[Move]:
    """What was open when a queue was last put in a new order, in that order."""
    rows = store.rows(
        "select example_id, place, before from live_order where queue = ? and place is not null order by place", [queue]
    )
    return [Move(*row) for row in rows]


def next_item(store: ReviewStore, asked: WorkRequest, *, flagged: bool, controls: bool, after: str | None) -> str | None:
    """What a reviewer is to be given: what their browser has, else the first in order, or the first after `after`."""
    items = _FLAGGED_ITEMS if flagged else _QUEUE_ITEMS
    sql = _open(items, "" if flagged else _NOT_MINE, controls=controls)
    rows = store.rows(
        f"""{sql} select example_id from open where free
        order by $after is not null or example_id not in (select l.example_id from leases l
                where l.reviewer = $reviewer and l.session = $session and l.until_ms > $now),
            rank <= coalesce((select any_value(rank) from items where example_id = $after), -1), rank limit 1""",
        {**asked._asdict(), "after": after},
    )
    return rows[0][0] if rows else None


def counts(store: ReviewStore, asked: WorkRequest, *, controls: bool) -> dict[str, int]:
    """How far a queue is: the counts of `QueueProgress`, by name."""
    [row] = store.rows(
        f"""{_open(_QUEUE_ITEMS, _NOT_MINE, controls=controls)},
        mine as (select example_id, text_sha256, is_control, kind from standings
            where reviewer = $reviewer and adjudicates = $adjudicates),
        counts as (select example_id, text_sha256, is_control, count(distinct reviewer) as decided from decisions
            where adjudicates = $adjudicates group by all)
        select count(*), count(*) filter (kind not in ('flag', 'skip')), count(*) filter (kind = 'flag'),
            count(*) filter (kind = 'skip'), count(*) filter (decided >= $overlap), (select count(*) from open where free),
            (select count(*) from items semi join (select example_id from leases
                where reviewer <> $reviewer and until_ms > $now) using (example_id))
        from items left join mine using (example_id, text_sha256, is_control)
            left join counts using (example_id, text_sha256, is_control)""",
        asked._asdict(),
    )
    return dict(zip(("total", "decided", "flagged", "skipped", "settled", "left", "in_hand"), row, strict=True))


def held(store: ReviewStore, reviewer: str, session: str, now: int) -> list[str]:
    """What a reviewer's browser has on screen."""
    rows = store.rows(
        "select example_id from leases where reviewer = ? and session = ? and until_ms > ?", [reviewer, session, now]
    )
    return [example_id for (example_id,) in rows]


def others_holding(store: ReviewStore, example_id: str, reviewer: str, now: int) -> int:
    """How many other reviewers have an example on screen."""
    [(count,)] = store.rows(
        "select count(distinct reviewer) from leases where example_id = ? and reviewer <> ? and until_ms > ?",
        [example_id, reviewer, now],
    )
    return int(count)


def take_lease(store: ReviewStore, example_id: str, reviewer: str, session: str, now: int) -> None:
    """Put an example on a reviewer's screen: what that browser had, and the example in their others, is let go."""
    with store.transaction() as cursor:
        cursor.execute(
            "delete from leases where (reviewer = ? and (session = ? or example_id = ?)) or until_ms <= ?",
            [reviewer, session, example_id, now],
        )
        cursor.execute("insert into leases values (?, ?, ?, ?)", [example_id, reviewer, session, now + LEASE_MS])


def drop_leases(store: ReviewStore, reviewer: str, session: str) -> None:
    """Let go of what a reviewer's browser has on screen."""
    with store.transaction() as cursor:
        cursor.execute("delete from leases where reviewer = ? and session = ?", [reviewer, session])
