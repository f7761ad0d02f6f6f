"""Every change that was tried out on the present build, the latest first."""

import streamlit as st

from influence.experiments import Outcome, changes, difference, headline, interval, unit, what
from pages.ui.frame import Session, go, numbers, render
from pages.ui.parts import Row, rows
from pages.ui.what_if.address import WhatIfAddress

ROWS = "whatif_past"
MOST = 50


def draw(session: Session, address: WhatIfAddress, known: list[Outcome]) -> None:
    """The list; nothing where nothing was tried."""
    if not known:
        return
    with st.container(key="wt-whatif-past"):
        render.heading("Tried so far", f"the latest {MOST}" if len(known) > MOST else f"{len(known):,}")
        rows.draw([_row(one) for one in known[:MOST]], key=ROWS, on_open=lambda: _open(address, known))


def _row(one: Outcome) -> Row:
    first = headline(one)
    sure = "more than luck" if first.paired.told_apart else "may be luck"
    return rows.row(
        one.id,
        name=one.title,
        labels=[
            (numbers.counted(len(one.seeds), "seed"), "quiet"),
            (sure, "label" if first.paired.told_apart else "quiet"),
        ],
        sides=[],
        foot=f"{what(first)}: {difference(first)} {unit(first)} ({interval(first)}) · {changes(one.counts)} · "
        f"{numbers.moment(one.made_at)}",
    )


def _open(address: WhatIfAddress, known: list[Outcome]) -> None:
    wanted = rows.opened(ROWS)
    for one in known:
        if one.id == wanted:
            spec = "" if one.spec.startswith("file:") else one.spec
            go(address.at(change=spec, kind="", outcome=one.id, seeds=len(one.seeds)))
