"""Proof's targeted fixing: how often changing what a method blames for a mistake mends it."""

import pandas as pd
import streamlit as st

import influence
from influence.experiments import Fixing, FixingSettings, fixing_curves, fixings, mistakes
from pages.ui.frame import render, shell
from pages.ui.parts import STILL
from pages.ui.proof import ProofAddress
from pages.ui.proof.trust import charts, run, wording
from pages.ui.proof.trust.run import Form

COMMAND = "fixing"
WAYS = {"remove": "removed", "mask": "word masked", "": ""}
EMPTY = (
    "For mistakes that are not hopeless (the true label has a probability of 30% to 70%), the strongest opponents are removed, "
    "or their most negative word is masked, and the model is trained again. For comparison: random choices, and no change at "
    "all: another seed alone mends many such mistakes. A masked word has the model's mask (or unknown) token in the place of "
    "every occurrence, and all other tokens stay as they were."
)


def draw(workspace: influence.Workspace, address: ProofAddress) -> None:
    """The whole part."""
    found, there, usual = fixings(workspace), len(mistakes(workspace)), FixingSettings()
    form = Form(
        command=COMMAND,
        title="Targeted fixing",
        methods=usual.methods[:1],
        retrains=usual.retrains,
        models=lambda methods, ks, points, retrains, _on: retrains * (1 + (2 * methods + 2) * ks * points),
        most_points=there,
        points_name="Mistakes",
        opponents_only=True,
    )
    if not found:
        render.lead(EMPTY)
    else:
        _result(address, found, next((one for one in found if one.id == address.run), found[0]))
    if there:
        render.hint(f"This workspace has {there:,} such mistakes.")
        run.draw(workspace, form, first=not found)
    else:
        render.hint("This workspace has no such mistake: every wrong prediction is nearly certain.")
    shell.link("explore", "Read the mistakes in Explore, and try single ones out", workspace=workspace.name, show="wrong")


def _result(address: ProofAddress, found: list[Fixing], chosen: Fixing) -> None:
    names = {one.id: run.about(one.settings, one.made_at, "mistakes") for one in found}
    curves = fixing_curves(chosen.runs)
    said, sure = wording.fixing(chosen.runs)
    render.verdict(said, sure=sure)
    run.choice(address, names, chosen.id)
    if len(names) == 1:
        render.hint(names[chosen.id])
    st.plotly_chart(charts.fixing(curves), key="proof_fixing", config=STILL)
    render.hint(
        "Strokes: 95% intervals over mistakes and seeds, from three of each on. The word masked is the one that carries most of "
        "the negative score; for methods on the last layer, which have no words, the one whose embedding pulls it down most."
    )
    with st.expander("As a table"):
        st.dataframe(_table(curves), hide_index=True, key="proof_fixing_table", width="stretch")


def _table(curves: pd.DataFrame) -> pd.DataFrame:
    rows = curves.sort_values(["k", "way", "fixed"], ascending=[True, False, False]).to_dict("records")
    return pd.DataFrame(
        {
            "k": [row["k"] for row in rows],
            "opponents": [WAYS[row["way"]] for row in rows],
            "method": [wording.title(row["method"]) for row in rows],
            "mended": [f"{row['fixed']:.0%}" for row in rows],
            "95% interval": ["–" if pd.isna(row["low"]) else f"{row['low']:.0%} to {row['high']:.0%}" for row in rows],
            "examples changed": ["–" if pd.isna(row["changed"]) else f"{row['changed']:.1f}" for row in rows],
            "test accuracy, points": [wording.number(row["accuracy"], "probability") for row in rows],
        }
    )
