"""The wrong test predictions that one suspect pushes."""

from collections.abc import Hashable
from typing import Any

import streamlit as st

from influence.suspects import Suspect
from influence.workspace import LEAST_PULL, STORED_TOP
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
    errors = found.errors[found.errors["share"] >= LEAST_PULL]
    rest = len(found.errors) - len(errors)
    if rest:
        less = numbers.counted(rest, "other")
        rest_said = f"It is among the {STORED_TOP} strongest opponents of {less}, with less than {LEAST_PULL:.0%} of the pull"
    if errors.empty:
        none = "It is one of the strongest opponents of no wrong test prediction."
        render.hint(none if not rest else f"{none} {rest_said}.")
        return
    shown = errors.head(MOST)
    render.heading(
        f"One of the strongest opponents of {numbers.counted(len(errors), 'wrong test prediction')}",
        f"with {LEAST_PULL:.0%} of the pull or more",
    )
    if rest:
        render.hint(f"{rest_said}.")
    rows.draw([_row(address.workspace, row) for row in shown.to_dict("records")], key="suspects_errors")


def _row(workspace: str, row: dict[Hashable, Any]) -> Row:
    id = str(row["test_id"])
    return rows.row(
        id,
        labels=[(row["label"], "label"), ("≠", "arrow"), (row["predicted"], "label")],
        sides=rows.plain(row["text"], row["text_pair"]),
        foot=f"{suspicions.pull(row['share'], row['word'])}; its opponent number {int(row['rank'])}",
        links=[
            ("Explore", shell.href("explore", workspace=workspace, show="all", id=id)),
            ("All suspects behind it", shell.href("suspects", workspace=workspace, test=id)),
        ],
    )
