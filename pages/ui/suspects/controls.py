"""The line above a list: search, what is filtered and in which order, decided ones, and what to do first."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import streamlit as st

from pages.ui.frame import Address, bind, go, render


@contextmanager
def line(address: Address, *, search: str, key: str) -> Iterator[None]:
    """The line; what is drawn inside comes after the search for `search`, if there is one."""
    with st.container(horizontal=True, vertical_alignment="center", key="wt-filters"):
        if search:
            st.text_input(
                "Search", type="search", placeholder=search, width=176, max_chars=200, label_visibility="collapsed",
                **bind(address, "q", f"{key}_q", page=1),
            )  # fmt: skip
        yield


def folded(draw: Callable[[], None]) -> None:
    """Filters and order, which a click unfolds."""
    with st.popover("Filter and sort", icon=":material/tune:", key="suspects_filters"):
        draw()


def picked(back: str, to: Address, name: str, about: str, *, key: str) -> None:
    """The way back to the list, and what was picked from it."""
    with st.container(horizontal=True, vertical_alignment="center", key="wt-picked"):
        st.button(back, icon=":material/list:", key=key, on_click=go, args=(to,))
        if name:
            with st.container(width="stretch"):
                render.heading(name, about)


def choice(
    name: str, address: Address, field: str, options: Mapping[str, str], *, key: str, about: str | None = None, **also: Any
) -> None:
    """One of a few values of a field of the address; `also` is what else changes then."""
    st.selectbox(
        name, list(options), format_func=options.__getitem__, help=about, **bind(address, field, f"{key}_{field}", **also)
    )


def labels(names: list[str]) -> dict[str, str]:
    """Labels to choose from, or any."""
    return {"": "any", **{name: name for name in names}}


def decided(address: Address, *, key: str, count: int = 0, **also: Any) -> None:
    """The switch that brings back what is decided."""
    shown = address.decided not in ("", "no")  # type: ignore[attr-defined]
    if not count and not shown:
        return
    state = f"{key}_show_decided"
    st.session_state[state] = shown
    name = "Show decided" + (f" ({count:,})" if count else "")
    st.toggle(name, key=state, on_change=_switch, args=(address, state, also))


def _switch(address: Address, state: str, also: Mapping[str, Any]) -> None:
    go(address.at(**also, decided="all" if st.session_state[state] else ""))
