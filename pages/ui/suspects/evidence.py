"""The evidence on one suspect: why it is suspected, signal by signal, and which wrong test predictions it pushes."""

from collections.abc import Hashable
from typing import Any

import streamlit as st

from influence.suspects import Suspect
from influence.workspace import LEAST_PULL, STORED_TOP
from pages.ui.frame import Session, go, md, messages, numbers, render, shell
from pages.ui.parts import Row, rows, suspicions, verdicts
from pages.ui.suspects.address import SuspectsAddress

MOST = 100


def draw(session: Session, address: SuspectsAddress, found: Suspect) -> None:
    """The suspect, its signals in words, and below them the test errors, the largest share of the pull first."""
    messages.show()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All suspects", icon=":material/list:", key="suspects_back", on_click=go, args=(address.listing(),))
        shell.link("review", f"Decide {md(found.train_id)}", workspace=address.workspace, id=found.train_id)
    labels = verdicts.label_change(found.label, found.suggested_label)
    sides, state = rows.plain(found.text, found.text_pair), verdicts.standing(session.reviews, [found.train_id])
    rows.draw([rows.row(found.train_id, labels=labels, sides=sides, state=state.get(found.train_id, ""))], key="suspects_one")
    render.heading("Why it is suspected")
    render.notes(part[:1].upper() + part[1:] for part in found.reason.split("; "))
    signals = suspicions.signals(found.rank, found.signals, suspicions.scales(session.workspace))
    render.facts((f"{one['name']}: {one['value']}", one["about"]) for one in signals)
    _errors(address, found)


def _errors(address: SuspectsAddress, found: Suspect) -> None:
    errors = found.errors[found.errors["share"] >= LEAST_PULL]
    rest = len(found.errors) - len(errors)
    others = (
        f"It is among the {STORED_TOP} strongest opponents of {numbers.counted(rest, 'other')}, with less than {LEAST_PULL:.0%}."
    )
    if errors.empty:
        none = "It is one of the strongest opponents of no wrong test prediction."
        render.hint(f"{none} {others}" if rest else none)
        return
    render.heading(
        f"One of the strongest opponents of {numbers.counted(len(errors), 'wrong test prediction')}",
        f"with {LEAST_PULL:.0%} of the pull or more",
    )
    if rest:
        render.hint(others)
    rows.draw([_row(address.workspace, row) for row in errors.head(MOST).to_dict("records")], key="suspects_errors")


def _row(workspace: str, row: dict[Hashable, Any]) -> Row:
    id = str(row["test_id"])
    return rows.row(
        id,
        labels=[(row["label"], "label"), ("taken for", "quiet"), (row["predicted"], "label")],
        sides=rows.plain(row["text"], row["text_pair"]),
        foot=f"{suspicions.pull(row['share'], row['word'])}; its opponent number {int(row['rank'])}",
        links=[
            ("Explore", shell.href("explore", workspace=workspace, show="all", id=id)),
            ("All suspects behind it", shell.href("suspects", workspace=workspace, test=id)),
        ],
    )
