"""The Fix list's word on the reviewers: how far they agree, and where they do not."""

import pandas as pd
import streamlit as st

from influence.review import FEWEST_FOR_KAPPA, Agreement, ControlResult, agreement, conflicts, control_results
from pages.ui.fix_list import disagreements
from pages.ui.fix_list.address import FixListAddress
from pages.ui.frame import Session, numbers, render

VERDICTS = ((0.8, "almost perfect"), (0.6, "substantial"), (0.4, "moderate"), (0.2, "fair"), (-1.01, "slight or none"))


def draw(session: Session, address: FixListAddress) -> None:
    """The whole part."""
    decided: dict[str, int] = {}
    for decision in session.reviews.decisions():
        decided[decision.reviewer] = decided.get(decision.reviewer, 0) + 1
    found = agreement(session.reviews)
    render.figures(_figures(decided, found))
    with st.container(key="wt-split-agreement"):
        left, right = st.columns([1, 1.2], gap="large")
    with left:
        render.heading("Reviewers")
        if decided:
            ranked = sorted(decided.items(), key=lambda pair: -pair[1])
            frame = pd.DataFrame(ranked, columns=["reviewer", "decisions"])
            st.dataframe(frame, hide_index=True, key="agreement_reviewers")
        else:
            render.hint("Nobody has decided anything yet.")
    with right:
        render.heading("Pairs of reviewers", "on the examples that both decided")
        if found.pairs:
            st.dataframe(_pairs(found), hide_index=True, key="agreement_pairs")
        else:
            render.hint("No example was decided by two reviewers. A queue can ask for two opinions on each.")
        disagreements.draw(session, conflicts(session.reviews), remark="")
        _controls(control_results(session.reviews))


def _controls(found: list[ControlResult]) -> None:
    """What reviewers made of the wrong labels that were planted to measure them, where any were."""
    if not found:
        return
    render.heading("Planted controls", "surely right examples that were shown under a wrong label")
    table = [
        {
            "reviewer": one.reviewer,
            "caught": one.caught,
            "given the label of the data": one.named,
            "kept": one.missed,
            "flagged": one.flagged,
        }
        for one in found
    ]
    st.dataframe(pd.DataFrame(table), hide_index=True, key="agreement_controls")


def _figures(decided: dict[str, int], found: Agreement) -> list[tuple[str, str, str]]:
    return [
        ("Reviewers", f"{len(decided):,}", f"{sum(decided.values()):,} decisions in force"),
        ("Decided by two or more", f"{found.examples:,}", "examples"),
        ("They agree on", "–" if found.raw is None else f"{found.raw:.0%}", "of the pairs of decisions"),
        ("Kappa", _kappa(found.kappa, found.interval), _about_kappa(found)),
    ]


def _kappa(kappa: float | None, interval: tuple[float, float] | None) -> str:
    """Kappa with its 95 % interval; none where too few examples were decided by two."""
    if kappa is None or interval is None:
        return "–"
    low, high = (f"{value:.2f}".replace("-", numbers.MINUS) for value in interval)
    return f"{kappa:.2f}".replace("-", numbers.MINUS) + f" ({low} to {high})"


def _about_kappa(found: Agreement) -> str:
    if found.examples < FEWEST_FOR_KAPPA:
        return f"needs {FEWEST_FOR_KAPPA} examples with two opinions; {found.examples} so far"
    if found.kappa is None or found.interval is None:
        return "everybody gave nearly always one answer: chance explains the agreement"
    low, high = (next(word for least, word in VERDICTS if value >= least) for value in found.interval)
    words = low if low == high else f"between {low} and {high}"
    return f"{words}; in brackets 95 %; 0 is chance, 1 full agreement"


def _pairs(found: Agreement) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "first": pair.first,
                "second": pair.second,
                "examples": pair.examples,
                "agree": f"{pair.raw:.0%}",
                "kappa (95 %)": _kappa(pair.kappa, pair.interval) if pair.examples >= FEWEST_FOR_KAPPA else "too few",
            }
            for pair in found.pairs
        ]
    )
