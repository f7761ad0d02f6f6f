"""The ranked list of suspects: filters, order, rows to choose, and what to do with them."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import streamlit as st

from influence.suspects import SIGNALS, suspect_ids, suspects
from pages.ui.frame import Session, bind, go, numbers, render, shell, turn_pages
from pages.ui.parts import SORTS, Chosen, Row, bulk_bar, rows, suspect_choice, suspicions, verdicts
from pages.ui.suspects.address import DECIDED, SHOW, SuspectsAddress

PAGE = 20
ROWS = "suspects_rows"


def draw(session: Session, address: SuspectsAddress) -> None:
    """Filters, how many suspects they leave, the actions, and one page of rows."""
    _filters(session, address)
    decided = [d.example_id for d in session.reviews.decisions()] if address.decided else []
    wanted = address.filter(list(dict.fromkeys(decided)))
    total, page = suspects(session.workspace, wanted, order=address.sort, limit=PAGE, offset=(address.page - 1) * PAGE)
    pages = max(1, -(-total // PAGE))
    if address.page > pages:
        address = address.at(page=pages)
        total, page = suspects(session.workspace, wanted, order=address.sort, limit=PAGE, offset=(pages - 1) * PAGE)
    if not total:
        render.hint(f"None of the {session.workspace.info.n_train:,} training examples is like that.")
        st.button(
            "Clear the filters",
            key="suspects_clear",
            on_click=go,
            args=(SuspectsAddress(workspace=address.workspace, show="all"),),
        )
        return
    ids = [str(id) for id in page["train_id"]]
    chosen = [id for id in st.session_state.get(chosen_key(session), ()) if id in session.reviews.corpus.examples]
    every = partial(suspect_ids, session.workspace, wanted, order=address.sort)
    with bulk_bar.draw(session, _scopes(session, address, chosen, total, every), key="suspects"):
        rows.choosing("suspects", chosen_key(session), ids, chosen)
    draw_rows(session, page, query=address.q, chosen=chosen)
    turn_pages(address, address.page, pages, key="suspects_page")


def draw_rows(session: Session, page: Any, *, query: str = "", chosen: list[str] | None = None) -> None:
    """Suspects as rows; with `chosen` they can be ticked."""
    ids = [str(id) for id in page["train_id"]]
    standing = verdicts.standing(session.reviews, ids)
    largest = suspicions.scales(session.workspace)
    lines = [_row(session, row, standing.get(str(row["train_id"]), ""), largest) for row in page.to_dict("records")]
    rows.draw(lines, key=ROWS, query=query, chosen=chosen, on_tick=partial(rows.tick, ROWS, chosen_key(session)))


def _scopes(
    session: Session, address: SuspectsAddress, chosen: list[str], total: int, every: Callable[[], list[str]]
) -> list[Chosen]:
    origin = {"kind": "filter", "filter": address.at(page=1, workspace="").parameters()}
    whole = suspect_choice.scope(
        session, "filter", f"all {total:,} like this", every, total, origin, f"Suspects: {address.in_words()}"
    )
    if not chosen:
        return [whole]
    origin = {"kind": "selection"}
    return [
        suspect_choice.scope(
            session, "chosen", f"{len(chosen):,} chosen", lambda: chosen, len(chosen), origin, "Chosen suspects"
        ),
        whole,
    ]


def _row(session: Session, row: dict[Hashable, Any], state: str, largest: dict[str, float]) -> Row:
    id = str(row["train_id"])
    workspace = session.workspace.name
    links = [("Review", shell.href("review", workspace=workspace, id=id))]
    if errors := int(row["driven_errors"]):
        name = f"{numbers.counted(errors, 'test error')} it pushes"
        links.append((name, shell.href("suspects", workspace=workspace, id=id)))
    return rows.row(
        id,
        labels=verdicts.label_change(row["label"], row["suggested_label"]),
        sides=rows.plain(row["text"], row["text_pair"]),
        reason=row["reason"],
        state=state,
        signals=suspicions.signals(int(row["rank"]), {name: row[name] for name in SIGNALS}, largest),
        links=links,
        foot=suspicions.pull(row["share"], row["word"]) if "share" in row else "",
    )


def chosen_key(session: Session) -> str:
    """Where the session keeps what is ticked in this workspace."""
    return f"wt_suspects_chosen_{session.workspace.name}"


def _filters(session: Session, address: SuspectsAddress) -> None:
    labels = ["", *session.workspace.info.labels]
    with st.container(horizontal=True, vertical_alignment="bottom", key="wt-filters"):
        for field, draw_one in (
            (
                "q",
                partial(st.text_input, "Search", type="search", placeholder="part of a text, or an id", width=170, max_chars=200),
            ),
            ("show", partial(st.segmented_control, "Show", list(SHOW), format_func=SHOW.__getitem__, required=True)),
            ("label", partial(st.selectbox, "Given label", labels, format_func=_or_any, width=118)),
            ("suggested", partial(st.selectbox, "Suggested", labels, format_func=_or_any, width=118)),
            ("decided", partial(st.selectbox, "Decided", list(DECIDED), format_func=DECIDED.__getitem__, width=112)),
            ("sort", partial(st.selectbox, "Sort by", list(SORTS), format_func=SORTS.__getitem__, width=170)),
        ):
            draw_one(**bind(address, field, f"suspects_{field}", page=1))


def _or_any(label: str) -> str:
    return label or "any"
