"""The wrong test predictions that one suspect drives."""

from collections.abc import Hashable
from typing import Any

import streamlit as st

from influence.suspects import Suspect
from pages.ui.frame import Session, go, md, numbers, render, shell
from pages.ui.parts import Row, rows, suspicions, verdicts
from pages.ui.suspects.address import SuspectsAddress

MOST = 100


def draw(session: Session, address: SuspectsAddress, found: Suspect) -> None:
    """The suspect, and below it the test errors, the strongest first."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All suspects", icon=":material/list:", key="suspects_back", on_click=go, args=(address.listing(),))
        shell.link("review", f"Review {md(found.train_id)}", workspace=address.workspace, id=found.train_id)
    labels = verdicts.label_change(found.label, found.suggested_label)
    sides = rows.plain(found.text, found.text_pair)
    rows.draw([rows.row(found.train_id, labels=labels, sides=sides, reason=found.reason)], key="suspects_one")
    errors = found.errors
    if errors.empty:
        render.hint("It is among the strongest opponents of no wrong test prediction.")
        return
    shown = errors.head(MOST)
    rest = f"the strongest {MOST} of them" if len(errors) > MOST else "the strongest first"
    render.heading(f"It drives {numbers.counted(len(errors), 'test error')}", rest)
    rows.draw([_row(address.workspace, row) for row in shown.to_dict("records")], key="suspects_errors")


def _row(workspace: str, row: dict[Hashable, Any]) -> Row:
    id = str(row["test_id"])
    return rows.row(
        id,
        labels=[(row["label"], "label"), ("≠", "arrow"), (row["predicted"], "label")],
        sides=rows.plain(row["text"], row["text_pair"]),
        foot=f"{suspicions.pull(row['score'], row['word'])}; its opponent number {int(row['rank'])}",
        links=[
            ("Explore", shell.href("explore", workspace=workspace, show="all", id=id)),
            ("All suspects behind it", shell.href("suspects", workspace=workspace, test=id)),
        ],
    )
