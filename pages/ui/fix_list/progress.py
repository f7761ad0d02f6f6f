"""The Fix list's word on progress: how many decisions were made each day, and by whom."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui.fix_list.address import FixListAddress
from pages.ui.frame import Session, numbers, render
from pages.ui.parts import COLOURS, charts

DAYS, WEEK = 30, 7
MOST_PEOPLE = 8  # with a colour of their own; the others are one


def draw(session: Session, _address: FixListAddress) -> None:
    """The figures, a bar a day, and a row a person. Only decisions that stand count."""
    made = Counter((numbers.local_day(d.at), d.reviewer) for d in session.reviews.decisions())
    if not made:
        render.hint("Nobody has decided anything yet.")
        return
    today = numbers.today()
    at_it = len({who for day, who in made if day == today})
    days = len({day for day, _ in made})
    total, week = sum(made.values()), _since(made, today - timedelta(days=WEEK - 1))
    render.figures(
        (
            (
                "Today",
                f"{_since(made, today):,}",
                numbers.counted(at_it, "person", "people"),
            ),
            ("Last 7 days", f"{week:,}", f"{week / WEEK:.0f} a day"),
            ("In all", f"{total:,}", f"on {numbers.counted(days, 'day')}, {total / days:,.0f} on each"),
        )
    )
    st.plotly_chart(_chart(made, today), key="progress_days", config=charts.STILL)
    st.dataframe(_people(made, today), hide_index=True, key="progress_people")
    render.hint("Days are those of your time zone; what was taken back is not counted.")


def _since(made: Mapping[tuple[date, str], int], first: date) -> int:
    return sum(count for (day, _), count in made.items() if day >= first)


def _people(made: Mapping[tuple[date, str], int], today: date) -> pd.DataFrame:
    """A row a person, those who have decided most first."""
    rows: list[dict[str, Any]] = []
    for who in sorted({who for _, who in made}):
        mine = {key: count for key, count in made.items() if key[1] == who}
        week, last = _since(mine, today - timedelta(days=WEEK - 1)), max(day for day, _ in mine).isoformat()
        row: dict[str, Any] = {"reviewer": who, "today": _since(mine, today), "last 7 days": week}
        rows.append(row | {"in all": sum(mine.values()), "days": len(mine), "last": last})
    rows.sort(key=lambda row: -int(row["in all"]))
    return pd.DataFrame(rows)


def _chart(made: Mapping[tuple[date, str], int], today: date) -> go.Figure:
    """Decisions a day, stacked by person, over the last days up to today."""
    totals = Counter[str]()
    for (_, who), count in made.items():
        totals[who] += count
    named = [who for who, _ in totals.most_common(MOST_PEOPLE)]
    first = max(min(*(day for day, _ in made), today - timedelta(days=WEEK - 1)), today - timedelta(days=DAYS - 1))
    shown = [first + timedelta(days=n) for n in range((today - first).days + 1)]
    series = {who: [made.get((day, who), 0) for day in shown] for who in named}
    if others := set(totals) - set(named):
        series["others"] = [sum(made.get((day, who), 0) for who in others) for day in shown]
    figure = go.Figure()
    for number, (who, counts) in enumerate(series.items()):
        figure.add_bar(
            x=[f"{day.day} {day:%b}" for day in shown],
            y=counts,
            name=charts.label(who),
            marker={"color": COLOURS[number % len(COLOURS)]},
            hovertemplate="%{x}: %{y}<extra>" + charts.label(who) + "</extra>",
        )
    figure.update_layout(
        barmode="stack", height=240, margin={"l": 4, "r": 4, "t": 26, "b": 4}, legend=charts.ABOVE, showlegend=True, bargap=0.3
    )
    figure.update_xaxes(type="category", fixedrange=True)
    figure.update_yaxes(fixedrange=True, rangemode="tozero", title="decisions")
    return figure
