"""Proof's overlaps: whether a ranking follows the loss of the training sentences or their likeness to the test sentence."""

import pandas as pd
import streamlit as st

import influence
from influence import METHODS
from influence.experiments import Overlaps, OverlapSettings, overlap_table, overlaps
from pages.ui.frame import numbers, render, shell
from pages.ui.jobs import compute
from pages.ui.parts import STILL, method_menu
from pages.ui.proof import ProofAddress
from pages.ui.proof.trust import charts, run, wording

COMMAND, TITLE = "overlaps", "Overlaps of rankings"
EMPTY = (
    "A score is a product: how large the loss of a training sentence is, times how alike it is to the test sentence. Where the "
    "first rules, the same few sentences come first whatever is asked, and explain nothing. The paper found that of the last "
    "layer's 100 strongest proponents 49 were among the 100 of largest loss and 22 among the 100 most alike. Counted from what "
    "the build has stored, without any training."
)


def draw(workspace: influence.Workspace, address: ProofAddress) -> None:
    """The whole part."""
    found = overlaps(workspace)
    if found:
        _result(workspace, address, found, next((one for one in found if one.id == address.run), found[0]))
    else:
        render.lead(EMPTY)
    _form(workspace, first=not found)


def _result(workspace: influence.Workspace, address: ProofAddress, found: list[Overlaps], chosen: Overlaps) -> None:
    names = {one.id: _about(one) for one in found}
    said, sure = wording.overlaps(chosen)
    render.verdict(said, sure=sure)
    run.choice(address, names, chosen.id)
    if len(names) == 1:
        render.hint(names[chosen.id])
    table, top, near = overlap_table(chosen.points), chosen.settings["top"], chosen.settings["near"]
    st.plotly_chart(charts.overlaps(table, top), key="proof_overlaps", config=STILL)
    render.hint(
        "Further right: the ranking is mostly that one thing. Strokes: 95% intervals over the test sentences. Random "
        "lists say what chance alone shares."
    )
    st.dataframe(_shared(table), hide_index=True, key="proof_overlaps_table", width="stretch", height="content")
    render.heading("Do the same sentences come first again?", f"the {near} strongest of each test sentence")
    st.dataframe(_repeats(chosen), hide_index=True, key="proof_repeats_table", width="stretch", height="content")
    render.hint("Many different proponents, and firsts that come again rarely: the ranking answers the question that was asked.")
    shell.link("explore", "Read proponents in Explore", workspace=workspace.name)


def _about(one: Overlaps) -> str:
    settings = one.settings
    tests = numbers.counted(settings["test_points"], "test sentence")
    return f"{tests}, the {settings['top']} strongest · {numbers.moment(one.made_at)}"


def _shared(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for method in table["method"].unique():
        here = {row["against"]: row for row in table[table["method"] == method].to_dict("records")}
        cells = {
            title: f"{row['shared']:.1f} [{row['low']:.1f} to {row['high']:.1f}]" if (row := here.get(against)) else "–"
            for against, title in wording.FACTORS.items()
        }
        rows.append({"method": wording.title(method), **cells})
    return pd.DataFrame(rows)


def _repeats(chosen: Overlaps) -> pd.DataFrame:
    tests = chosen.settings["test_points"]
    rows = chosen.repeats.to_dict("records")
    return pd.DataFrame(
        {
            "method": [wording.title(row["method"]) for row in rows],
            "different proponents": [f"{row['examples']:,} in {row['listed']:,} places" for row in rows],
            f"a first proponent is near the top of, of {tests}": [
                "–" if pd.isna(row["repeated"]) else f"{row['repeated']:.1f}" for row in rows
            ],
            "most often": [f"{row['most_id']}, {row['most']} of {tests}" if row["most"] else "–" for row in rows],
        }
    )


def _form(workspace: influence.Workspace, *, first: bool) -> None:
    """The button and its settings; both folded away where there is a result to look at."""
    usual = OverlapSettings()
    for name, value in (("methods", list(usual.methods[:-1])), ("top", usual.top), ("points", usual.test_points)):
        st.session_state.setdefault(f"overlaps_{name}", value)
    if first:
        _button(workspace)
    with st.expander("Settings" if first else "Compare again, with other settings"):
        st.multiselect(
            "Methods", [id for id in method_menu.offered(workspace) if not METHODS[id].drawn], format_func=method_menu.name,
            key="overlaps_methods", help="Random lists are always compared, too. Layers but the first and last take minutes",
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input("Strongest proponents", 1, 10_000, key="overlaps_top", width=190)
            st.number_input("Test sentences, at most", 1, 10_000, key="overlaps_points", width=190)
        if not first:
            _button(workspace)


def _button(workspace: influence.Workspace) -> None:
    if not st.session_state["overlaps_methods"]:
        render.hint("Choose at least one method.")
        return
    st.button("Compare", type="primary", icon=":material/play_arrow:", key="proof_run_overlaps", on_click=_run, args=(workspace,))
    render.hint("Takes seconds to minutes; nothing is trained.")


def _options() -> list[str]:
    methods, top, points = (st.session_state[f"overlaps_{name}"] for name in ("methods", "top", "points"))
    return ["--methods", ",".join(methods), "--top", str(top), "--test-points", str(points)]


def _run(workspace: influence.Workspace) -> None:
    if st.session_state["overlaps_methods"]:
        compute.start(workspace, COMMAND, _options(), TITLE)
