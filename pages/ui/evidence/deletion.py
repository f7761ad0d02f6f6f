"""Evidence's deletion curves: remove what a method names, retrain, and see whether the prediction gives way."""

import pandas as pd
import streamlit as st

import influence
from influence.experiments import Evaluation, EvaluationSettings, evaluation_tables
from pages.ui.evidence import charts, run, wording
from pages.ui.evidence.address import MEASURES, EvidenceAddress
from pages.ui.evidence.run import Form
from pages.ui.frame import bind, render
from pages.ui.jobs import waiting
from pages.ui.parts import STILL

COMMAND = "evaluate"
EMPTY = (
    "For a few test sentences, the training sentences that a method names as proponents, or as opponents, are removed, and the "
    "model is trained again. If the method is right about this data, the true label loses without its proponents and gains "
    "without its opponents, by more than when as many are removed at random."
)


def draw(workspace: influence.Workspace, address: EvidenceAddress) -> None:
    """The whole part."""
    found = evaluation_tables(workspace)
    usual = EvaluationSettings()
    form = Form(
        command=COMMAND,
        title="Deletion curves",
        methods=usual.methods[:2],
        retrains=3,
        models=lambda methods, ks, points, retrains: retrains * (1 + 2 * (methods + 2) * ks * points),
        most_points=workspace.info.n_test,
        points_name="Test sentences",
    )
    waiting.draw(workspace, COMMAND)
    if not found:
        render.state_text("No deletion curves yet", EMPTY)
        run.draw(workspace, form, expanded=True)
        return
    chosen = next((one for one in found if one.name == address.run), found[0])
    _result(address, found, chosen)
    run.draw(workspace, form, expanded=False)


def _result(address: EvidenceAddress, found: list[Evaluation], chosen: Evaluation) -> None:
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
    render.hint("Strokes: 95% bootstrap intervals over the test sentences. Each retraining is compared with its seed's control.")
    render.heading("Area under the curves", "AUC-DEL, the mean over k, with 95% intervals")
    st.dataframe(_areas(chosen.areas, address.measure), hide_index=True, key="proof_areas", width="stretch")


def _areas(areas: pd.DataFrame, measure: str) -> pd.DataFrame:
    here = areas[areas["measure"] == measure]
    rows = []
    for method in here["method"].unique():
        row = {"method": wording.title(method)}
        for direction, title in (("+", "proponents removed (DEL+)"), ("-", "opponents removed (DEL−)")):
            for one in here[(here["method"] == method) & (here["direction"] == direction)].to_dict("records"):
                row[title] = wording.value(one, ("mean", "low", "high"), measure)
                if method != "random":
                    row[f"{title[:10].strip()}: beyond random"] = wording.value(one, wording.OVER_RANDOM, measure)
        rows.append(row)
    frame = pd.DataFrame(rows).fillna("–")
    return frame.rename(columns={"proponents: beyond random": "DEL+ less random", "opponents: beyond random": "DEL− less random"})
