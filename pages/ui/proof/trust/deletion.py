"""Proof's deletion curves: remove what a method names, retrain, and see whether the prediction gives way."""

from collections.abc import Collection

import pandas as pd
import streamlit as st

import influence
from influence.experiments import FEWEST, Evaluation, EvaluationSettings, evaluation_tables, remarks
from influence.retraining import embedding_frozen
from pages.ui.frame import bind, numbers, render
from pages.ui.parts import STILL
from pages.ui.proof import MEASURES, ProofAddress
from pages.ui.proof.trust import charts, run, wording
from pages.ui.proof.trust.run import Form, Switch

COMMAND = "evaluate"
SWITCHES = (
    Switch(
        "qld", "Also the strongest 1%", "QLD: how much more the loss rises without them than without random ones",
        ("", "--no-qld"),
    ),
    Switch(
        "no_overlap", "Little word overlap only",
        "Removes only among the tenth of the training examples that share least with the test sentence, as in section 5",
        ("--no-overlap", ""),
    ),
    Switch(
        "freeze_embedding", "Freeze the embedding", "Retrains with the word embedding left as it began",
        ("--freeze-embedding", ""),
    ),
    Switch("with_bias", "With biases", "Counts biases in the methods on a layer; the paper leaves them out", ("--with-bias", "")),
)  # fmt: skip
EMPTY = (
    "For a few test sentences, the training sentences that a method names as proponents, or as opponents, are removed, and the "
    "model is trained again. If the method is right about this data, the true label loses without its proponents and gains "
    "without its opponents, by more than when as many are removed at random."
)


def draw(workspace: influence.Workspace, address: ProofAddress) -> None:
    """The whole part."""
    found = evaluation_tables(workspace)
    usual = EvaluationSettings()
    form = Form(
        command=COMMAND,
        title="Deletion curves",
        methods=usual.methods[:1],
        retrains=usual.retrains,
        models=models,
        most_points=workspace.info.n_test,
        points_name="Test sentences",
        switches=tuple(one for one in SWITCHES if not (one.name == "freeze_embedding" and embedding_frozen(workspace))),
        remarks=lambda on: remarks(
            workspace, EvaluationSettings(no_overlap="no_overlap" in on, freeze_embedding="freeze_embedding" in on)
        ),
    )
    if not found:
        render.lead(EMPTY)
        run.draw(workspace, form, first=True)
        return
    chosen = next((one for one in found if one.name == address.run), found[0])
    _result(address, found, chosen)
    run.draw(workspace, form, first=False)


def _result(address: ProofAddress, found: list[Evaluation], chosen: Evaluation) -> None:
    names = {one.name: run.about(one.settings, one.finished_at, "test sentences") for one in found}
    said, sure = wording.deletion(chosen, address.measure)
    render.verdict(said, sure=sure)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Measured by", list(MEASURES), format_func=MEASURES.__getitem__, required=True,
            **bind(address, "measure", "proof_measure"),
            help="The margin, the log-odds of the true label against the strongest other, still moves near certainty",
        )  # fmt: skip
        run.choice(address, names, chosen.name)
    if len(names) == 1:
        render.hint(names[chosen.name])
    st.plotly_chart(charts.deletion(chosen.curves, address.measure), key=f"proof_deletion_{address.measure}", config=STILL)
    render.hint(
        f"Strokes: 95% intervals over test sentences and seeds, from {FEWEST} of each on. Each run is compared with its "
        "seed's own run without any change."
    )
    render.heading("Against random removals", "the mean over all k, with 95% intervals over test sentences and seeds")
    st.dataframe(_compared(chosen, address.measure), hide_index=True, key="proof_compared", width="stretch")
    with st.expander("Area under the curves"):
        st.dataframe(_areas(chosen.areas, address.measure), hide_index=True, key="proof_areas", width="stretch")
        render.hint(
            "AUC-DEL, the mean over k. ± is the standard deviation over the retrainings alone: how much the mean would change "
            "with other seeds and the same test sentences (table 7 of the paper)."
        )
    _qld(chosen)
    with st.expander("How many examples were really removed"):
        render.hint("Fewer than k where fewer have a score on that side: means over the test sentences, with the ends.")
        st.dataframe(_removals(chosen.removals), hide_index=True, key="proof_removals", width="stretch")


def models(methods: int, ks: int, points: int, retrains: int, on: Collection[str]) -> int:
    """How many models are trained at most: with both controls, both directions, and the strongest 1 % in one of them."""
    return retrains * (1 + (methods + 2) * (2 * ks + ("qld" in on)) * points)


def _qld(chosen: Evaluation) -> None:
    """QLD of every method; nothing where it was not asked for."""
    if chosen.qld.empty:
        return
    render.heading("The strongest 1%", f"{numbers.counted(int(chosen.qld['k'].iloc[0]), 'proponent')} removed (QLD)")
    said, sure = wording.qld(chosen)
    render.verdict(said, sure=sure)
    rows = chosen.qld.to_dict("records")
    table = {
        "method": [wording.title(row["method"]) for row in rows],
        "QLD: more than random": [wording.value(row, ("mean", "low", "high"), "loss") for row in rows],
        "more than random, same label": [wording.value(row, wording.OVER_SAME_LABEL, "loss") for row in rows],
        "± over retrainings": [wording.spread(row["retraining_sd"], "loss") for row in rows],
        "rise of the loss itself": [wording.value(row, ("rise", "rise_low", "rise_high"), "loss") for row in rows],
    }
    st.dataframe(pd.DataFrame(table), hide_index=True, key="proof_qld", width="stretch")
    render.hint("QLD: by how much more the loss rises than when as many random examples are removed; above 0 is good.")


def _removals(removals: pd.DataFrame) -> pd.DataFrame:
    sides = {"+": "proponents", "-": "opponents"}
    rows = removals.to_dict("records")
    return pd.DataFrame(
        {
            "method": [wording.title(row["method"]) for row in rows],
            "which": [sides[row["direction"]] for row in rows],
            "k": [row["k"] for row in rows],
            "removed": [f"{row['removed']:,.1f} ({row['least']:,} to {row['most']:,})" for row in rows],
            "with a score on that side": ["–" if pd.isna(row["available"]) else f"{row['available']:,.1f}" for row in rows],
        }
    )


def _compared(chosen: Evaluation, measure: str) -> pd.DataFrame:
    """Each method beside each control, proponents and opponents: the difference, its interval, and whether it is chance."""
    rows = []
    for method in (one for one in chosen.settings["methods"] if one not in wording.CONTROLS):
        for direction, which in (("+", "proponents"), ("-", "opponents")):
            for control in wording.CONTROLS:
                found = chosen.beyond(method, direction, measure, control)
                if found is not None:
                    row = wording.compared(found, measure, wording.SIGNS[direction])
                    rows.append(
                        {"method": wording.title(method), "removed": which, "compared with": wording.title(control), **row}
                    )
    return pd.DataFrame(rows)


def _areas(areas: pd.DataFrame, measure: str) -> pd.DataFrame:
    here = areas[areas["measure"] == measure]
    rows = []
    for method in here["method"].unique():
        row = {"method": wording.title(method)}
        for direction, title in (("+", "proponents removed (DEL+)"), ("-", "opponents removed (DEL−)")):
            for one in here[(here["method"] == method) & (here["direction"] == direction)].to_dict("records"):
                spread = wording.spread(one["retraining_sd"], measure)
                row[title] = f"{wording.value(one, ('mean', 'low', 'high'), measure)} {spread}"
        rows.append(row)
    return pd.DataFrame(rows)
