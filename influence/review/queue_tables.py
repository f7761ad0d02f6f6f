"""The SQL of queues and leases. A lease says who has which example on screen, and until when; it always expires."""

from typing import Any, NamedTuple

from influence.data import EDIT_KINDS
from influence.review.events import statuses
from influence.review.tables import ReviewStore, latest

LEASE_MS = 90_000
# What a reviewer may still be given, in the queue's order: nothing they have decided, flagged or skipped, nothing that
# they have on screen in another browser, and nothing that as many others as wanted have decided or have on screen.
_OPEN = """
    with standings as {standings},
    decisions as {decisions},
    items as ({items}),
    taken as (
        select example_id, text_sha256, reviewer from decisions where reviewer <> $reviewer and adjudicates = $adjudicates
        union
        select example_id, text_sha256, reviewer from items join leases using (example_id)
        where reviewer <> $reviewer and until_ms > $now),
    opinions as (select example_id, text_sha256, count(*) as others from taken group by all),
    open as (
        select items.*, coalesce(others, 0) < $overlap as free from items left join opinions using (example_id, text_sha256)
        {not_mine} anti join (select example_id from leases
            where reviewer = $reviewer and session <> $session and until_ms > $now) elsewhere using (example_id))
"""
_NOT_MINE = """anti join (select example_id, text_sha256 from standings
    where reviewer = $reviewer and adjudicates = $adjudicates) mine using (example_id, text_sha256)"""
_QUEUE_ITEMS = """select rank, example_id, text_sha256 from queue_items where queue = $queue
    and example_id not in (select unnest($gone::varchar[]))"""
_FLAGGED_ITEMS = """select row_number() over (order by seq, item) - 1 as rank, example_id, text_sha256 from standings
    where kind = 'flag' and reviewer = $reviewer and adjudicates = $adjudicates and $queue is not null
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


def _open(items: str, not_mine: str) -> str:
    return _OPEN.format(items=items, not_mine=not_mine, standings=latest(statuses()), decisions=latest(EDIT_KINDS))


def queue_rows(store: ReviewStore) -> list[tuple[Any, ...]]:
    """Every queue with its latest settings, in the order of making; the last column is its size."""
    return store.rows("""
        select queue, arg_max(name, seq), arg_min(created_by, seq), min(at_ms), arg_max(overlap, seq), arg_max(blind, seq),
            arg_max(adjudicates, seq), arg_max(closed, seq), arg_min(source, seq), arg_min(build, seq),
            (select count(*) from queue_items i where i.queue = q.queue)
        from queues q group by queue order by min(seq)
    """)


def queue_items(store: ReviewStore, queue: str) -> list[tuple[str, str]]:
    """(example, text hash) of a queue's items, in order."""
    rows = store.rows("select example_id, text_sha256 from queue_items where queue = ? order by rank", [queue])
    return [(example_id, text_sha256) for example_id, text_sha256 in rows]


def next_item(store: ReviewStore, asked: WorkRequest, *, flagged: bool, after: str | None) -> str | None:
    """What a reviewer is to be given: what their browser has, else the first in order, or the first after `after`."""
    items = _FLAGGED_ITEMS if flagged else _QUEUE_ITEMS
    sql = _open(items, "" if flagged else _NOT_MINE)
    rows = store.rows(
        f"""{sql} select example_id from open where free
        order by $after is not null or example_id not in (select l.example_id from leases l
                where l.reviewer = $reviewer and l.session = $session and l.until_ms > $now),
            rank <= coalesce((select any_value(rank) from items where example_id = $after), -1), rank limit 1""",
        {**asked._asdict(), "after": after},
    )
    return rows[0][0] if rows else None


def counts(store: ReviewStore, asked: WorkRequest) -> dict[str, int]:
    """How far a queue is: the counts of `QueueProgress`, by name."""
    [row] = store.rows(
        f"""{_open(_QUEUE_ITEMS, _NOT_MINE)},
        mine as (select example_id, text_sha256, kind from standings
            where reviewer = $reviewer and adjudicates = $adjudicates),
        counts as (select example_id, text_sha256, count(distinct reviewer) as decided from decisions
            where adjudicates = $adjudicates group by all)
        select count(*), count(*) filter (kind not in ('flag', 'skip')), count(*) filter (kind = 'flag'),
            count(*) filter (kind = 'skip'), count(*) filter (decided >= $overlap), (select count(*) from open where free),
            (select count(*) from items semi join (select example_id from leases
                where reviewer <> $reviewer and until_ms > $now) using (example_id))
        from items left join mine using (example_id, text_sha256) left join counts using (example_id, text_sha256)""",
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
