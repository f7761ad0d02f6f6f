"""Explore's list: test sentences by search and filters, the surest mistakes first."""

from typing import Any, TypedDict

import streamlit as st

import influence
from pages.ui.explore import prefetch
from pages.ui.explore.address import SHOW, ExploreAddress
from pages.ui.frame import bind, component, go, numbers, render, turn_pages
from pages.ui.parts import stamped

PAGE = 20
LIKELY = 5  # of the first rows, whose answers are made ready
KEY = "explore_list"

_component = component("list", "explore/listing")


class TestRow(TypedDict):
    """One test sentence of the list."""

    id: str
    href: str
    text: str
    pair: str | None
    label: str
    predicted: str
    confidence: float  # in the predicted label, 0 to 1
    percent: str
    wrong: bool


def draw(workspace: influence.Workspace, address: ExploreAddress) -> None:
    """Filters, how many sentences they leave, and one page of these."""
    _filters(workspace, address)
    pages_before = (address.page - 1) * PAGE
    total, rows = workspace.search_tests(address.filter(), limit=PAGE, offset=pages_before)
    pages = max(1, -(-total // PAGE))
    if address.page > pages:
        address = address.at(page=pages)
        total, rows = workspace.search_tests(address.filter(), limit=PAGE, offset=(pages - 1) * PAGE)
    render.hint(_count(total, workspace.info.n_test, address))
    if not total:
        st.button("Clear the filters", on_click=go, args=(ExploreAddress(workspace=workspace.name, show="all"),))
        return
    _component(key=KEY, data=_payload(rows, address), on_chosen_change=lambda: _follow(address))
    turn_pages(address, address.page, pages, key="explore_page")
    prefetch.beside(workspace, address, *(str(id) for id in rows["id"][:LIKELY]))


def _filters(workspace: influence.Workspace, address: ExploreAddress) -> None:
    labels = ["", *workspace.info.labels]
    st.session_state["explore_confidence"] = (address.low, address.high)
    with st.container(horizontal=True, vertical_alignment="bottom", key="wt-filters"):
        st.text_input(
            "Search", type="search", placeholder="part of a text, or an id", width=250, max_chars=200,
            **bind(address, "q", "explore_q", page=1),
        )  # fmt: skip
        st.segmented_control(
            "Predictions", list(SHOW), format_func=SHOW.__getitem__, required=True,
            **bind(address, "show", "explore_show", page=1),
        )  # fmt: skip
        for field, name in (("label", "Given label"), ("predicted", "Predicted")):
            binding = bind(address, field, f"explore_{field}", page=1)
            st.selectbox(name, labels, format_func=lambda label: label or "any", width=165, **binding)
        st.slider(
            "Confidence",
            0,
            100,
            step=5,
            format="%d%%",
            key="explore_confidence",
            width=170,
            on_change=_change_confidence,
            args=(address,),
        )


def _change_confidence(address: ExploreAddress) -> None:
    low, high = st.session_state["explore_confidence"]
    go(address.at(low=low, high=high, page=1))


def _follow(address: ExploreAddress) -> None:
    if chosen := st.session_state[KEY].get("chosen"):  # not at the end of a click, when it is empty again
        go(address.at(id=str(chosen)))


def _count(total: int, of: int, address: ExploreAddress) -> str:
    if not total:
        return f"None of the {of:,} test sentences is like that."
    order = "wrong ones first, then the surest" if address.show == "all" else "the surest first"
    return f"{total:,} of {of:,} test sentences, {order}"


def _payload(rows: Any, address: ExploreAddress) -> dict[str, object]:
    shown: list[TestRow] = [
        {
            "id": row.id,
            "href": address.listing().at(id=row.id).href(),
            "text": row.text,
            "pair": row.text_pair if isinstance(row.text_pair, str) else None,
            "label": row.label,
            "predicted": row.predicted,
            "confidence": round(float(row.confidence), 3),
            "percent": numbers.probability(float(row.confidence)),
            "wrong": bool(row.wrong),
        }
        for row in rows.itertuples(index=False)
    ]
    return stamped({"rows": shown, "query": address.q})
