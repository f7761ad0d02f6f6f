"""Every change that was tried out on the present build, the latest first."""

from collections.abc import Sequence

import streamlit as st

from influence.experiments import DECIDED, Measure, Outcome, changes, difference, headline, interval, unit, what
from influence.workspace import StoredExample
from pages.ui.frame import Session, go, numbers, render
from pages.ui.parts import Row, rows
from pages.ui.proof import CHANGES, FIXES, ProofAddress, texts

ROWS = "whatif_past"
MOST = 50


def draw(session: Session, address: ProofAddress, known: list[Outcome]) -> None:
    """The list; nothing where nothing was tried."""
    if not known:
        return
    with st.container(key="wt-whatif-past"):
        render.heading("Tried so far", f"the latest {MOST}" if len(known) > MOST else f"{len(known):,}")
        ids = {one.id: [test.name for test in one.of("test")[:1]] for one in known[:MOST]}
        found = texts.of_tests(session, {id for some in ids.values() for id in some})
        lines = [_row(one, [found[id] for id in ids[one.id] if id in found]) for one in known[:MOST]]
        rows.draw(lines, key=ROWS, on_open=lambda: _open(address, known))


def _row(one: Outcome, about: Sequence[StoredExample]) -> Row:
    first = headline(one)
    sure = "more than luck" if first.paired.told_apart else "may be luck"
    return rows.row(
        one.id,
        name=one.title,
        labels=[
            (numbers.counted(len(one.seeds), "seed"), "quiet"),
            (sure, "label" if first.paired.told_apart else "quiet"),
        ],
        sides=[side for example in about for side in rows.plain(example.text, example.text_pair)],
        foot=f"{_found(first)} ({interval(first)}) · {changes(one.counts)} · {numbers.moment(one.made_at)}",
    )


def _found(first: Measure) -> str:
    if first.kind == "qld":
        return f"{first.name}: its loss rises by {difference(first)} more than without random ones"
    return f"{what(first)}: {difference(first)} {unit(first)}"


def _open(address: ProofAddress, known: list[Outcome]) -> None:
    wanted = rows.opened(ROWS)
    for one in known:
        if one.id == wanted:
            spec = "" if one.spec.startswith("file:") else one.spec
            part = FIXES if spec == DECIDED else CHANGES
            go(address.at(part=part, change=spec, kind="", outcome=one.id, seeds=len(one.seeds)))
