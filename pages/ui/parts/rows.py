"""A list of training examples on screen: suspects, members of a cluster, rows of a fix list."""

from collections.abc import Callable, Collection, Iterable, Mapping

import streamlit as st

from pages.ui.frame import component
from pages.ui.parts.explanation_board import fold
from pages.ui.parts.payloads import SHOWN, Piece, Row, Signal, scores, stamped

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
    name: str = "",
) -> Row:
    """One line of the list; `links` are a text and an address, which opens in a tab of its own.

    A line with a `name` opens by a click on it: see `opened`.
    """
    return {
        "id": id,
        "name": name,
        "labels": list(labels),
        "sides": [fold(side) for side in sides],
        "sums": scores(sums or {}),
        "reason": reason,
        "foot": foot,
        "state": state,
        "signals": list(signals),
        "links": list(links),
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
) -> None:
    """Draw the list; with `chosen` its lines can be ticked, which `tick` hears of."""
    data = stamped({"rows": lines, "query": query, "choosable": chosen is not None})
    nothing: Callable[[], None] = lambda: None  # noqa: E731
    _component(
        key=key,
        data={**data, "chosen": sorted(chosen or ())},
        on_ticked_change=on_tick or nothing,
        on_opened_change=on_open or nothing,
    )


def tick(key: str, chosen_key: str) -> None:
    """Add the line that was ticked just now to the ids that the session keeps, or take it out. Only for callbacks."""
    if found := st.session_state[key].get("ticked"):
        others = [one for one in st.session_state.get(chosen_key, []) if one != found["id"]]
        _choose(chosen_key, [*others, found["id"]] if found["on"] else others)


def choosing(key: str, chosen_key: str, ids: list[str], chosen: list[str]) -> None:
    """The buttons that add the listed ids to those that the session keeps as chosen, or take all of them out."""
    fresh = [id for id in ids if id not in chosen]
    if fresh:
        name = f"Choose these {len(ids)}"
        st.button(name, key=f"{key}_choose", type="tertiary", on_click=_choose, args=(chosen_key, [*chosen, *fresh]))
    if chosen:
        st.button("Choose none", key=f"{key}_none", type="tertiary", on_click=_choose, args=(chosen_key, []))


def _choose(chosen_key: str, ids: list[str]) -> None:
    st.session_state[chosen_key] = ids


def opened(key: str) -> str:
    """The line whose name was clicked just now; for use in the callback."""
    return str(st.session_state[key].get("opened") or "")
