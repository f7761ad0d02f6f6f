"""What one change did: in a sentence, in a chart, and in a table."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from influence.experiments import (
    LEVEL,
    Measure,
    Outcome,
    changes,
    difference,
    headline,
    interval,
    level,
    points,
    predictions,
    spread,
    verdict,
    what,
)
from influence.workspace import StoredExample
from pages.ui.frame import Session, numbers, render, shell
from pages.ui.parts import STILL, Row, rows
from pages.ui.proof import ProofAddress, texts
from pages.ui.proof.change import charts

MANY = 20  # lines, of which one is outside its interval by luck
MOST_CLASSES = 12  # in the chart; the table has them all


def draw(session: Session, address: ProofAddress, found: Outcome) -> None:
    """The whole part."""
    detail = f"{changes(found.counts)} · {numbers.counted(len(found.seeds), 'seed')} · {numbers.moment(found.made_at)}"
    render.heading(found.title, detail)
    first = headline(found)
    render.verdict(verdict(first), sure=first.paired.told_apart)
    texts.quotes(session, dict.fromkeys(measure.name for measure in found.of("test")))
    others = [measure for measure in found.of("accuracy") if measure is not first]
    render.notes([*map(verdict, others), predictions(found), *found.notes])
    if found.method:
        _ranking(found)
    classes = found.of("class")
    shown = classes if len(classes) <= MOST_CLASSES else sorted(classes, key=lambda m: -abs(m.paired.difference))[:MOST_CLASSES]
    groups = [("probability", found.of("test")), ("share predicted right", [*found.of("accuracy"), *shown])]
    st.plotly_chart(charts.effect(groups), key=f"whatif_chart_{found.id}", config=STILL)
    render.hint(
        "Strokes are single seeds, each trained without and with the change. A full mark is more than luck, a hollow one may be "
        "luck; grey is how far seeds lie apart without any change."
    )
    with st.expander("All numbers"):
        _everything(found)
    _moved(session, address, found)


def _everything(found: Outcome) -> None:
    everything = _table(found.of("test", "accuracy", "class"))
    st.dataframe(everything, hide_index=True, key=f"whatif_table_{found.id}", width="stretch")
    if len(everything) >= MANY:
        by_luck = len(everything) * (1 - LEVEL)
        render.hint(f"Of {len(everything)} lines about {by_luck:.0f} would say “yes” by luck alone: look for more than that.")


def _ranking(found: Outcome) -> None:
    """The three losses behind QLD, and what they say of the ranking."""
    measures = found.of("qld", "rise", "random")
    names = {"qld": "more than random ones", "rise": "without the top 1%", "random": "without random ones"}
    table = {
        "rise of the loss": [names[measure.kind] for measure in measures],
        "from": [level(measure, measure.paired.before) for measure in measures],
        "to": [level(measure, measure.paired.after) for measure in measures],
        "rise": [difference(measure) for measure in measures],
        "95% interval": [interval(measure) for measure in measures],
    }
    st.dataframe(pd.DataFrame(table), hide_index=True, key=f"whatif_ranking_{found.id}", width="stretch")
    render.hint(
        "The loss is on the sentence's own label. Above 0 in the first line (QLD): the ranking finds examples that this "
        "prediction needs, more than chance would. Intervals are over seeds, each with its own random examples."
    )


def _table(measures: Sequence[Measure]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "": [what(measure) for measure in measures],
            "without": [level(measure, measure.paired.before) for measure in measures],
            "with": [level(measure, measure.paired.after) for measure in measures],
            "difference": [difference(measure) for measure in measures],
            "95% interval": [interval(measure) for measure in measures],
            "seeds without any change": [_spread(measure) for measure in measures],
            "more than luck": ["yes" if measure.paired.told_apart else "cannot be told" for measure in measures],
        }
    )


def _spread(measure: Measure) -> str:
    return "–" if measure.paired.spread is None else f"differ by up to {spread(measure)}"


def _moved(session: Session, address: ProofAddress, found: Outcome) -> None:
    moved = found.of("moved")
    if not moved:
        return
    with st.expander(f"The {len(moved)} test sentences that it moved most"):
        render.hint("Picked because they moved most, so part of that is chance, and their intervals flatter.")
        there = texts.of_tests(session, [measure.name for measure in moved])
        lines = [_row(address, measure, there.get(measure.name)) for measure in moved]
        rows.draw(lines, key=f"whatif_moved_{found.id}")


def _row(address: ProofAddress, measure: Measure, example: StoredExample | None) -> Row:
    paired = measure.paired
    return rows.row(
        measure.name,
        labels=[(measure.label, "label")],
        sides=rows.plain(example.text, example.text_pair) if example else [],
        foot=f"probability {paired.before:.0%} → {paired.after:.0%}, {points(paired.difference)} points ({interval(measure)})",
        links=[("Explore", shell.href("explore", workspace=address.workspace, show="all", id=measure.name))],
    )
