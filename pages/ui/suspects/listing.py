"""One by one: the ranked list of suspects."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from influence.suspects import suspect_ids, suspects
from pages.ui.frame import Session, go, render, shell, turn_pages
from pages.ui.parts import SORTS, bulk_bar, scales, suspect_choice
from pages.ui.suspects import controls, members
from pages.ui.suspects.address import CHANGED, DECIDED, SuspectsAddress

PAGE = 20
KEY = "suspects"
NO_FILTER = ("page", "sort", "workspace")  # fields that make no other list


def draw(session: Session, address: SuspectsAddress) -> None:
    """What is listed, the filters, and one page of rows."""
    done = members.decided_ids(session)
    wanted = address.filter(done)
    total, page = suspects(session.workspace, wanted, order=address.sort, limit=PAGE, offset=(address.page - 1) * PAGE)
    pages = max(1, -(-total // PAGE))
    if address.page > pages:
        address = address.at(page=pages)
        total, page = suspects(session.workspace, wanted, order=address.sort, limit=PAGE, offset=(pages - 1) * PAGE)
    filters = {name: value for name, value in address.parameters().items() if name not in NO_FILTER}
    every = suspect_choice.scope(
        session,
        partial(suspect_ids, session.workspace, wanted, order=address.sort),
        total,
        {"kind": "filter", "filter": filters},
        f"Suspects: {_in_words(address)}",
    )
    render.hint(_said(session, address, total))
    with controls.line(address, search="part of a text, or an id", key=KEY):
        controls.folded(lambda: _filters(session, address))
        controls.decided(address, key=KEY, count=len(done), page=1)
        if total:
            bulk_bar.review(session, every)
    if not total:
        bulk_bar.done(session)
        st.button(
            "Clear the filters", key="suspects_clear", on_click=go,
            args=(SuspectsAddress(workspace=address.workspace, show="all", decided="all"),),
        )  # fmt: skip
        return
    whole = members.List(
        every, f"{session.workspace.name} {_signature(filters)}", address.q, address.sort, open=lambda id: go(address.at(id=id))
    )
    members.draw(session, page, whole)
    turn_pages(address, address.page, pages, key="suspects_page")
    shell.link("fix_list", "Have suspects judged in an annotation tool", workspace=address.workspace, part="bring_back")


def _said(session: Session, address: SuspectsAddress, total: int) -> str:
    n = session.workspace.info.n_train
    if not total:
        return f"None of the {n:,} training examples is like that: {_in_words(address)}."
    order = SORTS[address.sort]
    first = "the most suspicious first" if address.sort == "-suspicion" else f"in order of: {order}"
    found = scales.whole(session.workspace, session.reviews)
    known = [] if found is None else [scales.left(found), scales.stop(found)]
    told = scales.line(*known) if any(known) else "A rank is no probability; after 20 decisions this line says how many are wrong"
    return f"{total:,} of {n:,} training examples ({_in_words(address)}), {first}. {told}."


def _in_words(address: SuspectsAddress) -> str:
    state = "" if address.decided == "all" else "decided" if address.decided == "yes" else "not decided"
    return ", ".join(part for part in (address.in_words(), state) if part) or "all of them"


def _signature(filters: Mapping[str, str]) -> str:
    return repr(sorted(filters.items()))


def _filters(session: Session, address: SuspectsAddress) -> None:
    names = controls.labels(session.workspace.info.labels)
    controls.choice("Show", address, "show", CHANGED, key=KEY, page=1)
    controls.choice("Given label", address, "label", names, key=KEY, page=1)
    controls.choice("Suggested label", address, "suggested", names, key=KEY, page=1)
    if address.decided == "no":  # of addresses from when decided ones were listed, too
        address = address.at(decided="")
    controls.choice("Decisions", address, "decided", DECIDED, key=KEY, page=1)
    controls.choice("In order of", address, "sort", SORTS, key=KEY, page=1)
