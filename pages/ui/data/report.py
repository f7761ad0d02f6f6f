"""The second step of a new workspace: the first rows, which column is what, and the report on the data."""

from typing import Any, Literal

import pandas as pd
import streamlit as st

from influence.data import GUESS_RULE, IMBALANCED
from pages.ui.data.address import DataAddress
from pages.ui.frame import go, latest, render

NONE = ""
ROLES = {"text": "Text", "pair": "Second text, if there are two", "label": "Label", "id": "Id, if there is one"}
MARKS = {"text": "TEXT", "pair": "TEXT 2", "label": "LABEL", "id": "ID"}
GUESSED = {"text": "text", "pair": "text_pair", "label": "label", "id": "id"}
MOST_COLUMNS = 12  # of the first rows
MOST_LABELS = 12


def columns(address: DataAddress, answer: dict[str, Any]) -> None:
    """The first rows with the columns that were guessed or chosen, which can be changed."""
    names, roles = answer["column_names"], chosen(address, answer)
    render.step(
        2, "What is in it", "the columns were guessed: change them if they are wrong" if not address.columns_named else ""
    )
    taken = [name for name in roles.values() if name]
    shown = [*taken, *(name for name in names if name not in taken)][:MOST_COLUMNS]
    frame = pd.DataFrame([{name: row[name] for name in shown} for row in answer["head"]], columns=shown)
    with st.container(horizontal=True, vertical_alignment="bottom", key="wt-columns"):
        for role, label in ROLES.items():
            st.session_state[f"data_column_{role}"] = roles[role] or NONE
            st.selectbox(
                label, [NONE, *names], key=f"data_column_{role}", format_func=lambda name: name or "none", width=230,
                help=_why(address, answer, role), on_change=_change, args=(address, roles, role),
            )  # fmt: skip
    marks = {name: f"{MARKS[role]}: {name}" for role, name in roles.items() if name}
    st.dataframe(
        frame, hide_index=True, height=min(38 * (len(frame) + 1), 250), key="data_head",
        column_config={name: st.column_config.TextColumn(marks.get(name, name), width=_width(name, roles)) for name in shown},
    )  # fmt: skip
    if len(names) > len(shown):
        render.hint(f"and {len(names) - len(shown):,} more columns")


def chosen(address: DataAddress, answer: dict[str, Any]) -> dict[str, str | None]:
    """The column of each role: as chosen, else as guessed."""
    if address.columns_named:
        return {role: getattr(address, role) or None for role in ROLES}
    return {role: answer["guess"][GUESSED[role]] for role in ROLES}


def _why(address: DataAddress, answer: dict[str, Any], role: str) -> str:
    reason = answer["guess"]["reasons"].get(GUESSED[role])
    guessed = f"Guessed: {reason}. " if reason and not address.columns_named else ""
    return render.md(guessed + GUESS_RULE, 600)


def _width(name: str, roles: dict[str, str | None]) -> Literal["small", "large"]:
    return "large" if name in (roles["text"], roles["pair"]) else "small"


def _change(address: DataAddress, roles: dict[str, str | None], role: str) -> None:
    there = latest(address)
    named = "text" in there and "label" in there  # else all four are, for a guess may change with the file
    guessed = {} if named else {name: column or "" for name, column in roles.items()}
    go(address.at(**guessed | {role: st.session_state[f"data_column_{role}"]}))


def report(answer: dict[str, Any]) -> None:
    """The report: figures, remarks, and the labels."""
    found = answer["report"]
    words, near = found["words"], found["near"]
    repeated = found["repeats"]["count"]
    figures = (
        ("Rows", f"{found['rows']:,}", f"{found['test_rows']:,} more to test on" if found["test_rows"] is not None else "in all"),
        ("Labels", f"{found['n_labels']:,}", _balance(found["imbalance"])),
        ("Words a text", f"{words['median']:,}", f"median; 95 % have up to {words['p95']:,}, the longest {words['most']:,}"),
        ("Repeated", f"{repeated:,}", f"exactly; {near['texts']:,} nearly"),
    )
    render.figures(figures)
    with st.container(key="wt-split-report"):
        left, right = st.columns([1.5, 1], gap="large")
    with left:
        render.heading("Worth knowing before you build")
        render.findings((one["level"], one["what"], one["advice"]) for one in answer["findings"])
        _examples(found)
    with right:
        render.heading("Labels", "rows to train on" + (", to test on" if found["test_rows"] is not None else ""))
        _labels(found)


def _balance(imbalance: float) -> str:
    if imbalance < 1.5:
        return "about equally frequent"
    return f"the most frequent {imbalance:,.0f} times the rarest" if imbalance >= IMBALANCED else f"at most {imbalance:.1f} : 1"


def _labels(found: dict[str, Any]) -> None:
    tested = found["test_rows"] is not None

    def rows(labels: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
        return [(one["label"], one["train"], f"{one['train']:,}" + (f", {one['test']:,}" if tested else "")) for one in labels]

    labels = found["labels"]
    most = max((one["train"] for one in labels), default=0)
    render.counts(rows(labels[:MOST_LABELS]), most=most)
    if len(labels) > MOST_LABELS:
        with st.expander(f"{len(labels) - MOST_LABELS:,} more labels"):
            render.counts(rows(labels[MOST_LABELS : MOST_LABELS + 200]), most=most)


def _examples(found: dict[str, Any]) -> None:
    conflicts, near = found["conflicts"], found["near"]["examples"]
    if conflicts:
        with st.expander("Texts with two labels"):
            for one in conflicts:
                labels = ", ".join(f"{label} {count}×" for label, count in one["labels"].items())
                render.quote(one["text"], f"rows {', '.join(map(str, one['rows']))}: {labels}")
    if near:
        with st.expander("Texts that nearly repeat another"):
            for first, label, second, other in near:
                render.quote(first, label)
                render.quote(second, other)
