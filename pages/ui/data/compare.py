"""Two workspaces beside each other: accuracy, predictions that changed, suspects that came or went, and influences."""

import pandas as pd
import streamlit as st

import influence
from influence.experiments import LIKELY, TOP, Comparison
from influence.standing import made_from
from pages.ui.data.address import DataAddress
from pages.ui.frame import answers, bind, go, md, numbers, render, shell, workspaces
from pages.ui.parts import verdicts

KINDS = {"fixed": "right", "broken": "wrong", "otherwise wrong": "wrong, otherwise", "both right": "right, its label changed too"}
LISTED = 200


def draw(address: DataAddress) -> None:
    """The choice of two, and what is different."""
    names = workspaces.names()
    if len(names) < 2:
        render.hint("Two workspaces are compared here; this server has fewer.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for field, label in (("one", "Before"), ("two", "After")):
            binding = bind(address, field, f"compare_{field}", empty=None)
            st.selectbox(label, names, placeholder="choose one", width=300, **binding)
        st.button(
            "Swap",
            key="compare_swap",
            icon=":material/swap_horiz:",
            on_click=go,
            args=(address.at(one=address.two, two=address.one),),
        )
    if not (address.one and address.two):
        render.hint("Choose two: what changed in accuracy, in the labels in doubt and in the influences stands here then.")
        return
    if address.one == address.two:
        render.hint("Choose two different workspaces.")
        return
    try:
        first, second = workspaces.open_named(address.one), workspaces.open_named(address.two)
        found = answers.compared(first, second)
    except influence.WordtraceError as error:
        st.error(md(error, 600))
        return
    _draw(address, first, second, found)


def _draw(address: DataAddress, first: influence.Workspace, second: influence.Workspace, found: Comparison) -> None:
    if not found.shared_tests:
        st.warning("The two have no test text in common, so their predictions cannot be compared.")
    nothing = ("–", "no test text in both")
    before, after = found.accuracies
    sign = numbers.MINUS if after < before else "+"
    points = f"{sign}{abs(after - before) * 100:.1f} points, on the {found.shared_tests:,} test texts of both"
    changed = f"{found.count('fixed'):,} now right, {found.count('broken'):,} now wrong"
    same = f"of the {TOP} strongest proponents / opponents"
    figures = (
        ("Accuracy", *((f"{before:.1%} → {after:.1%}", points) if found.shared_tests else nothing)),
        ("Predictions changed", *((f"{len(found.changed):,}", changed) if found.shared_tests else nothing)),
        ("Suspects", *_suspect_counts(found)),
        ("Same influences", *((f"{found.overlaps[0]:.0%} / {found.overlaps[1]:.0%}", same) if found.shared_tests else nothing)),
    )
    render.figures(figures)
    if found.shared_tests:
        render.verdict(found.sentence, sure=found.chance < LIKELY)
    if left_out := _left_out(first, second, found):
        render.hint(left_out)
    _differences(first, second, found)
    render.heading("Predictions that changed", "examples are matched by their texts, whatever their ids")
    if found.changed.empty:
        render.hint("None." if found.shared_tests else "The two have no test text in common.")
    else:
        _predictions(found.changed)
        shell.link("explore", f"Look them up in {md(second.name)}", workspace=second.name, show="all")
    for title, rows, other in (
        (f"In doubt in {second.name} only", found.suspects_came, first.name),
        (f"In doubt in {first.name} only", found.suspects_went, second.name),
    ):
        if rows is not None:
            render.heading(title, f"{len(rows):,}")
            if not rows.empty:
                _suspect_rows(rows, other)


def _left_out(first: influence.Workspace, second: influence.Workspace, found: Comparison) -> str:
    """How many examples only one of the two has, which are compared with nothing; empty where there are none."""
    said = []
    for what, counts in (("test text", found.left_out_tests), ("suspect", found.left_out_suspects)):
        for count, only in zip(counts, (first.name, second.name), strict=True):
            if count:
                said.append(f"{numbers.counted(count, what)} that only {only} has")
    return f"Left out: {', '.join(said)}." if said else ""


def _suspect_counts(found: Comparison) -> tuple[str, str]:
    if found.suspects_came is None or found.suspects_went is None:
        return "–", "not ranked in both"
    return (
        f"+{len(found.suspects_came):,} / {numbers.MINUS}{len(found.suspects_went):,}",
        "whose label came into doubt / is no longer",
    )


def _differences(first: influence.Workspace, second: influence.Workspace, found: Comparison) -> None:
    """What the two were built from, where it differs."""
    one, two = first.info, second.info
    rows = [
        ("Training examples", f"{one.n_train:,}", f"{two.n_train:,}"),
        ("Test examples", f"{one.n_test:,}", f"{two.n_test:,}"),
        ("Labels", f"{len(one.labels):,}", f"{len(two.labels):,}"),
        ("Model", one.model.rpartition("/")[2], two.model.rpartition("/")[2]),
        ("Training", _training(one), _training(two)),
        ("Training data", "", "" if one.train_sha256 == two.train_sha256 else "not the same content"),
        ("Fixes made in it", "", _fixes_between(first, second)),
        ("Test labels changed", "", f"{found.relabelled_tests:,}" if found.relabelled_tests else ""),
    ]
    different = [(name, f"{before} → {after}" if before else after) for name, before, after in rows if before != after]
    render.heading("What they were built from", "" if different else "the same, as far as was recorded")
    if different:
        render.facts(different)


def _fixes_between(first: influence.Workspace, second: influence.Workspace) -> str:
    """What was fixed in the data where the second was built again from the first."""
    origin = made_from(second)
    if origin.get("build") != first.build.name:
        return ""
    return ", ".join(f"{count:,} {verdicts.done(action)}" for action, count in origin["counts"].items())


def _training(info: influence.WorkspaceInfo) -> str:
    training = info.settings.get("training") or {}
    return ", ".join(
        f"{name.replace('_', ' ')} {training[name]}" for name in ("epochs", "learning_rate", "seed") if name in training
    )


def _predictions(changed: pd.DataFrame) -> None:
    order = {kind: number for number, kind in enumerate(KINDS)}
    rows = changed.assign(kind_order=changed["kind"].map(order)).sort_values("kind_order", kind="stable").head(LISTED)
    shown = pd.DataFrame(
        {
            "now": rows["kind"].map(KINDS),
            "text": rows["text"].str.slice(0, 300),
            "label": rows["label_2"],
            "before": rows["predicted"],
            "after": rows["predicted_2"],
            "id": rows["id"],
        }
    )
    st.dataframe(shown, hide_index=True, height=min(38 * (len(shown) + 1), 420), column_config={"text": {"width": "large"}})
    if len(changed) > LISTED:
        render.hint(f"the first {LISTED} of {len(changed):,}")


def _suspect_rows(rows: pd.DataFrame, other: str) -> None:
    shown = pd.DataFrame(
        {
            "text": rows["text"].str.slice(0, 300),
            "label": rows["label"],
            "suggested": rows["suggested_label"],
            "rank by suspicion": range(1, len(rows) + 1),
            f"label in {other}": rows["other_label"],
            "id": rows["id"],
        }
    ).head(LISTED)
    st.dataframe(shown, hide_index=True, height=min(38 * (len(shown) + 1), 300), column_config={"text": {"width": "large"}})
