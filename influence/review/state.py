"""What stands in a review log: the questions put to its tables, answered in the vocabulary of `events`.

What is asked at every case is answered by `live`, which begins with these answers.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from influence.data import EDIT_KINDS
from influence.review.events import Action, Decision, Note, as_datetime, statuses
from influence.review.tables import ReviewStore, latest
from influence.standing import KEPT, BoardItem

# What is answered to the queue's own planted controls stands beside decisions here, and nowhere else.
_STANDING = "(from live union all by name from answers_to_controls where queue = $queue)"
_ORDERED = """select coalesce(o.rank, i.rank) as rank, i.example_id, i.text_sha256, i.shown_label is not null as is_control
    from queue_items i left join live_order o using (queue, example_id) where queue = $queue"""
CONTROLS = "(from answers_to_controls where queue = $queue)"
IDLE_MS = 60_000  # longer on one example than this is a pause, not work
FEW = 10  # examples
_DECISION = """example_id, reviewer, adjudicates, kind, old_label, new_label, words, note, at_ms, text_sha256, build,
    method, score, evidence, origin, seq"""


class Answer(NamedTuple):
    """What a reviewer has answered on an item of a queue."""

    example_id: str
    text_sha256: str
    is_control: bool
    reviewer: str
    kind: str


class Move(NamedTuple):
    """An example that was open when its queue last followed a new ranking: its place among those, and the one before."""

    example_id: str
    place: int  # from 1
    before: int | None  # None: it has joined the queue


def decisions(
    store: ReviewStore,
    kinds: Iterable[str],
    *,
    example_ids: Iterable[str] | None = None,
    reviewer: str | None = None,
    controls_of: str | None = None,
) -> list[Decision]:
    """The latest events of some kinds, oldest first: of everybody on everything, or on some examples, or of one reviewer.

    With `controls_of`, a queue, the answers to its planted controls instead, which never stand beside decisions.
    """
    asked = None if example_ids is None else list(example_ids)
    # DuckDB asks for a few examples before it looks for the latest event of each, and for a join of many after that.
    few = asked is None or len(asked) <= FEW
    among = "live" if controls_of is None else CONTROLS
    those = "list_contains($ids, example_id)" if few else "example_id in (select unnest($ids::varchar[]))"
    rows = store.rows(
        f"""select {_DECISION} from {latest(kinds, among)} where {"true" if asked is None else those}
        and ($reviewer is null or reviewer = $reviewer) order by seq, item""",
        {"reviewer": reviewer, **({} if asked is None else {"ids": asked})}
        | ({} if controls_of is None else {"queue": controls_of}),
    )
    return [_decision(row) for row in rows]


def _decision(row: tuple[Any, ...]) -> Decision:
    named = dict(zip(_DECISION.replace(",", " ").split(), row, strict=True))
    return Decision(
        **{name: named[name] for name in Decision.__dataclass_fields__ if name in named}
        | {"words": tuple(named["words"]), "at": as_datetime(named["at_ms"]), "action": named["seq"]}
        | {name: loaded(named[name]) for name in ("evidence", "origin")}
    )


def loaded(text: str | None) -> dict[str, Any]:
    """A JSON column as a dictionary."""
    return {} if text is None else dict(json.loads(text))


def notes(store: ReviewStore) -> list[Note]:
    """Every remark that has not been undone, oldest first, those made with a decision too; not those on planted controls."""
    rows = store.rows("select example_id, reviewer, at_ms, note from live where note <> '' order by seq, item")
    return [Note(example_id, reviewer, as_datetime(at_ms), text) for example_id, reviewer, at_ms, text in rows]


def flagged(store: ReviewStore, reviewer: str | None) -> list[tuple[str, str, str]]:
    """(example, text hash, reviewer) of standing flags, oldest first: raised, and no decision by the same person since."""
    rows = store.rows(
        f"""select example_id, text_sha256, reviewer from {latest(statuses())}
        where kind = 'flag' and ($reviewer is null or reviewer = $reviewer) order by seq, item""",
        {"reviewer": reviewer},
    )
    return [(example_id, text_sha256, who) for example_id, text_sha256, who in rows]


def actions(
    store: ReviewStore,
    *,
    reviewer: str | None = None,
    seqs: Sequence[int] | None = None,
    rules: bool = False,
    standing: bool = False,
    limit: int | None = None,
) -> list[Action]:
    """Actions, the latest first: of one reviewer, or with given numbers, or those made by rules; only standing ones if wanted."""
    rows = store.rows(
        """with chosen as (
            select distinct seq from events where target is null and ($reviewer is null or reviewer = $reviewer)
            and ($seqs is null or list_contains($seqs, seq))
            and (not $rules or json_extract(origin, '$.rule') is not null)
            and (not $standing or seq not in (select u.seq from undone u)) order by seq desc limit $limit)
        select seq, any_value(reviewer), any_value(at_ms), list(distinct kind), list(example_id order by item),
            list(distinct coalesce(new_label, '')), arg_min(words, item), arg_min(note, item), any_value(queue),
            any_value(origin), any_value(adjudicates), seq in (select u.seq from undone u)
        from events semi join chosen using (seq) group by seq order by seq desc""",
        {
            "reviewer": reviewer,
            "seqs": None if seqs is None else list(seqs),
            "rules": rules,
            "standing": standing,
            "limit": limit,
        },
    )
    return [_action(row) for row in rows]


def _action(row: tuple[Any, ...]) -> Action:
    seq, reviewer, at_ms, kinds, example_ids, labels, words, note, queue, origin, adjudicates, undone = row
    kind = kinds[0] if len(kinds) == 1 else "import"
    new_label = labels[0] or None if len(labels) == 1 else None
    made = (seq, reviewer, as_datetime(at_ms), kind, tuple(example_ids), new_label, tuple(words))
    return Action(*made, note, queue, loaded(origin), adjudicates, undone)


def redo_target(store: ReviewStore, reviewer: str) -> int | None:
    """The action that the reviewer undid last, unless they have done something new since."""
    rows = store.rows(
        """with turns as (select target, arg_max(kind, seq) as kind, arg_max(reviewer, seq) as reviewer, max(seq) as turned
            from events where target is not null group by target)
        select arg_max(target, turned) from turns semi join (select seq as target from events where target is null) using (target)
        where kind = 'undo' and reviewer = $reviewer
        and turned > coalesce((select max(seq) from events where target is null and reviewer = $reviewer), 0)""",
        {"reviewer": reviewer},
    )
    target: int | None = rows[0][0]
    return target


def times(store: ReviewStore, reviewer: str, queue: str | None) -> list[int]:
    """Milliseconds that the reviewer's last 50 single decisions, flags and skips took, the latest last.

    Time on screen as the app measured it, else the time since the reviewer's action before. Over a minute on one
    example is a pause and left out.
    """
    found = store.rows(
        """with steps as (
            select seq, count(*) as examples, any_value(kind) as kind, any_value(origin) as origin, any_value(queue) as queue,
                coalesce(any_value(ms_on_screen), any_value(at_ms) - lag(any_value(at_ms)) over (order by seq)) as ms
            from events where reviewer = $reviewer group by seq)
        select ms from steps semi join live using (seq)
        where ms <= $idle and examples = 1 and kind <> 'note' and origin is null
        and ($queue is null or queue = $queue) order by seq desc limit $items""",
        {"reviewer": reviewer, "queue": queue, "idle": IDLE_MS, "items": KEPT},
    )
    return [ms for (ms,) in reversed(found)]


def decided(store: ReviewStore) -> set[str]:
    """The examples with a standing decision."""
    return {id for (id,) in store.rows(f"select distinct example_id from {latest(EDIT_KINDS)}")}


def reviewers(store: ReviewStore) -> list[str]:
    """Everybody who has made a standing decision, by name."""
    return [name for (name,) in store.rows(f"select distinct reviewer from {latest(EDIT_KINDS)} order by 1")]


def audit(store: ReviewStore) -> pd.DataFrame:
    """Every event ever made, undo and redo too, in order: who, when, what, on which evidence, and whether it was undone."""
    frame = store.frame("""
        select seq, make_timestamp_ms(at_ms) as at, reviewer, auth, session, kind, example_id, old_label, new_label, words,
            note, adjudicates, queue, coalesce(control, false) as control, origin, target, method, score, ms_on_screen,
            evidence, text_sha256, build, app_version, seq in (select u.seq from undone u) as undone
        from events order by seq, item
    """)
    frame["at"] = frame["at"].dt.tz_localize("UTC")
    return frame


def answers_to_controls(store: ReviewStore) -> list[tuple[str, str, str, str, str, str | None]]:
    """(reviewer, queue, example, shown label, kind, new label) of the standing answers to planted controls, oldest first."""
    rows = store.rows(
        f"""select reviewer, queue, example_id, old_label, kind, new_label from (
            select * from answers_to_controls where kind in ({", ".join(f"'{kind}'" for kind in statuses())})
            qualify row_number() over (partition by queue, example_id, reviewer order by seq desc) = 1) order by seq""",
    )
    return [(who, queue, example_id, shown, kind, new) for who, queue, example_id, shown, kind, new in rows]


# Queues ----------------------------------------------------------------------------------------------------------------


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


def answers_on(
    store: ReviewStore, queue: str, *, adjudicates: bool, controls: bool, made_in: Collection[str] | None
) -> tuple[list[Answer], list[Answer]]:
    """Each reviewer's latest answer on each item of a queue, and their latest decision, which a later flag leaves standing.

    Of those that were made in some queues, or of all.
    """
    among = _STANDING if controls else "live"  # most queues have no controls, and are answered sooner without asking for them
    if made_in is not None:
        among = f"(from {among} where list_contains($made_in, queue))"
    answers, decisions = (
        store.rows(
            f"""select example_id, text_sha256, coalesce(control, false), reviewer, kind from {latest(kinds, among)}
            semi join (select example_id from queue_items where queue = $queue) using (example_id)
            where adjudicates = $adjudicates""",
            {"queue": queue, "adjudicates": adjudicates} | ({} if made_in is None else {"made_in": list(made_in)}),
        )
        for kinds in (statuses(), EDIT_KINDS)
    )
    return [Answer(*row) for row in answers], [Answer(*row) for row in decisions]


def queue_items(store: ReviewStore, queue: str) -> list[BoardItem]:
    """A queue's items, in the order that holds now."""
    rows = store.rows(f"select example_id, text_sha256, is_control from ({_ORDERED}) order by rank", {"queue": queue})
    return [BoardItem(*row) for row in rows]


def shown_labels(store: ReviewStore, queue: str) -> dict[str, str]:
    """The labels that a queue's planted controls are shown under, by example."""
    rows = store.rows("select example_id, shown_label from queue_items where queue = ? and shown_label is not null", [queue])
    return dict(rows)


def settled(store: ReviewStore, queue: str) -> set[str]:
    """A queue's items that somebody has decided, flagged or skipped."""
    rows = store.rows(
        f"""with items as ({_ORDERED}),
        standings as (select *, control is not null as is_control from {latest(statuses(), _STANDING)})
        select example_id from items semi join standings using (example_id, text_sha256, is_control)""",
        {"queue": queue},
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
