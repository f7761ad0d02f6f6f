"""A list of training examples on screen: suspects, members of a cluster, rows of a fix list; and what is chosen of one.

A choice belongs to one list. Another filter makes another list, and ends it: nothing is decided that is not in sight or said.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui.frame import component
from pages.ui.parts.explanation_board import fold
from pages.ui.parts.payloads import SHOWN, Piece, Row, Signal, scores, stamped

KEPT, ENDED = "wt_choice", "wt_choice_ended"
_component = component("rows", "parts/rows")


def row(
    id: str,
    *,
    labels: Iterable[tuple[str, str]],
    sides: list[list[Piece]],
    sums: Mapping[int, float] | None = None,
    reason: str = "",
    foot: str = "",
    state: str = "",
    signals: Iterable[Signal] = (),
    links: Iterable[tuple[str, str]] = (),
    actions: Iterable[tuple[str, str]] = (),
    name: str = "",
    href: str = "",
) -> Row:
    """One line of the list; `links` are a text and an address, which opens in a tab of its own; so are `actions`, beside its id.

    A line with a `name`, or an action without an address, opens by a click on that: see `opened`. `href` is its own address.
    """
    return {
        "id": id,
        "name": name,
        "href": href,
        "labels": list(labels),
        "sides": [fold(side) for side in sides],
        "sums": scores(sums or {}),
        "reason": reason,
        "foot": foot,
        "state": state,
        "signals": list(signals),
        "links": list(links),
        "actions": list(actions),
    }


def plain(text: str, text_pair: str | None = None) -> list[list[Piece]]:
    """A text without lit words."""
    return [[(side, -1, SHOWN)] for side in (text, text_pair) if isinstance(side, str)]


def draw(
    lines: list[Row],
    *,
    key: str,
    query: str = "",
    chosen: Collection[str] | None = None,
    on_tick: Callable[[], None] | None = None,
    on_open: Callable[[], None] | None = None,
    heads: tuple[str, str] | None = None,
) -> None:
    """Draw the list under its `heads`, one for the signals; with `chosen` its lines can be ticked, which `tick` hears of."""
    data = stamped({"rows": lines, "query": query, "choosable": chosen is not None, "heads": heads})
    nothing: Callable[[], None] = lambda: None  # noqa: E731
    _component(
        key=key,
        data={**data, "chosen": sorted(chosen or ())},
        on_ticked_change=on_tick or nothing,
        on_opened_change=on_open or nothing,
    )


@dataclass(frozen=True)
class Choice:
    """The examples that are ticked in a list: some of them, or the whole list, whatever its length."""

    of: str  # the list
    ids: tuple[str, ...] = ()
    whole: bool = False
    made: bool = False  # by hand, so that its end is worth a word

    def ticked(self, ids: Sequence[str]) -> list[str]:
        """Those of some ids of the list that are chosen."""
        inside = set(self.ids)
        return list(ids) if self.whole else [id for id in ids if id in inside]


def of_list(of: str, *, usual: Sequence[str] = ()) -> Choice:
    """The choice in a list, at first `usual`; one of another list ends."""
    kept = st.session_state.get(KEPT)
    if isinstance(kept, Choice) and kept.of == of:
        return kept
    if isinstance(kept, Choice) and kept.made:
        st.session_state[ENDED] = -1 if kept.whole else len(kept.ids)
    st.session_state[KEPT] = fresh = Choice(of, tuple(usual))
    return fresh


def ended() -> str:
    """What to say once of a choice that has ended with its list; "" where none has."""
    count = st.session_state.pop(ENDED, 0)
    if not count:
        return ""
    return f"Nothing is chosen any more: {'all' if count < 0 else f'the {count:,}'} chosen before belonged to another list."


def choose(of: str, ids: Sequence[str], *, whole: bool = False) -> None:
    """Choose some ids of a list, or all of it. For callbacks."""
    st.session_state[KEPT] = Choice(of, tuple(ids), whole, made=whole or bool(ids))


def choose_none() -> None:
    """End the choice that there is: what was chosen is decided. For callbacks."""
    kept = st.session_state.get(KEPT)
    if isinstance(kept, Choice):
        choose(kept.of, [])


def tick(key: str, of: str, every: Callable[[], list[str]]) -> None:
    """Choose the row of a list that was ticked just now, or no longer. For callbacks."""
    found = st.session_state[key].get("ticked")
    kept = st.session_state.get(KEPT)
    if not found or not isinstance(kept, Choice) or kept.of != of:
        return
    others = [id for id in (every() if kept.whole else kept.ids) if id != found["id"]]
    choose(of, [*others, found["id"]] if found["on"] else others)


def opened(key: str) -> str:
    """The line whose name was clicked just now; for use in the callback."""
    return str(st.session_state[key].get("opened") or "")
