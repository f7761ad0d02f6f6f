"""The menu of methods: three by name and use, the others behind "More methods"; equations stand behind its "?"."""

from collections.abc import Callable, Collection

import streamlit as st

import influence
from influence import METHODS
from pages.ui.frame import md

USES = {  # of the methods that are offered first: what one takes each for
    "tracin-we-topk": "through shared words",
    "tracin-last": "through the whole text",
    "bm25": "alike texts, a control",
}
MORE = "more"
NONE = ""


def offered(workspace: influence.Workspace, *asked: str) -> list[str]:
    """The methods that this workspace can answer by, those of `USES` first, and whatever an address asks for."""
    there = [id for id, one in METHODS.items() if one.needs != "states" or workspace.info.settings.get("optimizer_states")]
    return list(dict.fromkeys([*(id for id in USES if id in there), *there, *(id for id in asked if id in METHODS)]))


def of(workspace: influence.Workspace, method: str) -> influence.Method:
    """A method as this workspace can answer by it: what is not in its index needs a pass over the training set."""
    return METHODS[method].where_stored(workspace.info.settings.get("index") != "top-k")


def name(method: str) -> str:
    """A method's name, and its use where it is one of the three."""
    return f"{METHODS[method].title}: {USES[method]}" if method in USES else METHODS[method].title


def explained(workspace: influence.Workspace, method: str, *remarks: str) -> str:
    """What a method compares, where it stands in the paper and what it costs here, as Markdown for a "?"."""
    about = of(workspace, method)
    return "\n\n".join(md(part, 600) for part in (about.about, f"{about.source}. {about.cost}", *remarks) if part)


def draw(
    title: str,
    methods: Collection[str],
    chosen: str,
    *,
    key: str,
    on_choose: Callable[[str], None],
    none: str = "",
    help: str | None = None,
    width: int = 310,
) -> None:
    """Draw the menu; `on_choose` is called back with a method's id, or with "" where `none` names that choice.

    The keys of its boxes are `KEY_CHOSEN` and, of the other methods, `KEY_more_CHOSEN`: they change with the choice, so that
    no box keeps the focus, which would keep the page's keys from working.
    """
    first = [id for id in methods if id in USES]
    others = [id for id in methods if id not in USES]
    more = chosen in others or bool(st.session_state.get(f"{key}_opened"))
    names = {NONE: none, MORE: "More methods…"} | {id: name(id) for id in methods}
    options = [*([NONE] if none else []), *first, *([MORE] if others else [])]
    st.session_state[f"{key}_{chosen}"] = MORE if more else chosen
    st.selectbox(
        title, options, format_func=names.__getitem__, key=f"{key}_{chosen}", help=help, width=width,
        on_change=_choose, args=(key, f"{key}_{chosen}", on_choose),
    )  # fmt: skip
    if more:
        other = f"{key}_{MORE}_{chosen}"
        st.session_state[other] = chosen if chosen in others else None
        st.selectbox(
            f"{title}: more", others, format_func=names.__getitem__, key=other, placeholder="choose one", width=width,
            on_change=_choose, args=(key, other, on_choose),
        )  # fmt: skip


def _choose(key: str, box: str, on_choose: Callable[[str], None]) -> None:
    value = st.session_state[box]
    st.session_state[f"{key}_opened"] = value == MORE
    if value not in (MORE, None):
        on_choose(value)
