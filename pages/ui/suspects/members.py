"""The list of training examples that all groupings share: rows to choose, the bar for those chosen, pages."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pandas as pd

from influence.suspects import SIGNALS, SuspectFilter, suspects
from pages.ui.frame import Session, render, shell
from pages.ui.parts import Chosen, Piece, Row, bulk_bar, rows, suspicions, verdicts

ROWS = "suspects_rows"
HEADS = ("Sentence, its label and the one suggested", "What speaks against the label")


class More(NamedTuple):
    """What a grouping knows of an example: its text with words lit, and a remark of its own with links."""

    sides: list[list[Piece]] | None = None
    sums: Mapping[int, float] | None = None
    foot: str = ""
    links: Sequence[tuple[str, str]] = ()


class List(NamedTuple):
    """A list of examples: all of it to act on, and what tells it from another one (its filter, not its page)."""

    every: Chosen
    of: str
    query: str = ""
    sort: str = ""
    usual: Sequence[str] = ()  # chosen from the start
    open: Callable[[str], None] | None = None  # the evidence on one, within the page


def draw(session: Session, found: pd.DataFrame, whole: List, more: Mapping[str, More] | None = None) -> None:
    """One page of it: rows of `suspects`, or of `known`."""
    ids = [str(id) for id in found["train_id"]]
    choice = rows.of_list(whole.of, usual=whole.usual)
    standing, largest = verdicts.standing(session.reviews, ids), _largest(session)
    lines = [
        _row(session, row, standing, largest, whole.sort, (more or {}).get(str(row["train_id"]), More()))
        for row in found.to_dict("records")
    ]
    rows.draw(
        lines, key=ROWS, query=whole.query, heads=HEADS, chosen=choice.ticked(ids),
        on_tick=partial(rows.tick, ROWS, whole.of, whole.every.ids),
        on_open=partial(_open, whole.open or partial(_leave, session.workspace.name)),
    )  # fmt: skip
    bulk_bar.draw(session, whole.every, choice, ids)


def known(session: Session, ids: Sequence[str]) -> pd.DataFrame:
    """What is known of some examples, in their order; without suspects their texts and labels alone."""
    if suspicions.known(session.workspace):
        found = suspects(session.workspace, SuspectFilter(among=ids), limit=max(len(ids), 1))[1]
        return found.set_index("train_id").loc[list(ids)].reset_index()
    examples = [session.reviews.corpus[id] for id in ids]
    columns = ("train_id", "label", "suggested_label", "text", "text_pair", "reason")
    return pd.DataFrame(
        [(id, e.label, e.label, e.text, e.text_pair, "") for id, e in zip(ids, examples, strict=True)], columns=columns
    )


def decided_ids(session: Session) -> list[str]:
    """What anybody has decided."""
    return list(dict.fromkeys(decision.example_id for decision in session.reviews.decisions()))


def undecided(session: Session, ids: Sequence[str], decided: str) -> list[str]:
    """Those of some ids that wait for a decision; all of them where the address shows the others, too."""
    done = set() if decided == "all" else set(decided_ids(session))
    return [id for id in ids if id not in done]


def all_decided(session: Session, count: int) -> None:
    """What stands in the place of a list that is done."""
    bulk_bar.done(session)
    render.hint(
        f"{'It is' if count == 1 else f'All {count:,} are'} decided. “Show decided” brings {'it' if count == 1 else 'them'} back."
    )


def _largest(session: Session) -> dict[str, float]:
    return suspicions.scales(session.workspace) if suspicions.known(session.workspace) else {}


def _row(
    session: Session, row: dict[Hashable, Any], standing: Mapping[str, str], largest: Mapping[str, float], sort: str, more: More
) -> Row:
    id, workspace = str(row["train_id"]), session.workspace.name
    actions = [("Review", shell.href("review", workspace=workspace, id=id))]
    signals = []
    if "suspicion" in row:
        actions.insert(0, ("Evidence", ""))
        signals = suspicions.leading(int(row["rank"]), {name: row[name] for name in SIGNALS}, largest, sort)
    foot = more.foot or (suspicions.pull(row["share"], row["word"]) if "share" in row else "")
    return rows.row(
        id,
        labels=verdicts.label_change(row["label"], row["suggested_label"]),
        sides=more.sides or rows.plain(row["text"], row["text_pair"]),
        sums=more.sums,
        reason=row["reason"],
        state=standing.get(id, ""),
        signals=signals,
        links=more.links,
        actions=actions,
        foot=foot,
    )


def _open(opened: Callable[[str], None]) -> None:
    if id := rows.opened(ROWS):
        opened(id)


def _leave(workspace: str, id: str) -> None:
    shell.leave_for("suspects", workspace=workspace, id=id)
