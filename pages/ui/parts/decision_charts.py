"""Figures about decisions and clusters. Texts of a data file are escaped, because Plotly reads a little HTML in labels."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from pages.ui.frame import numbers
from pages.ui.parts.charts import ABOVE, PLUS, TRAIN, label

MOST_LABELS = 20
PAIR = 46  # pixels of two bars


def balance(before: Mapping[str, int], after: Mapping[str, int]) -> go.Figure:
    """Examples of each label before and after; where there are many labels, those that change, the most so many."""
    change = {name: abs(after.get(name, 0) - count) for name, count in before.items()}
    by_change = sorted(before, key=lambda name: (-change[name], -before[name]))[:MOST_LABELS]
    if len(before) > MOST_LABELS and change[by_change[0]]:
        by_change = [name for name in by_change if change[name]]
    shown = [name for name in before if name in set(by_change)]
    figure = go.Figure()
    texts = [f"{after.get(name, 0):,} ({after.get(name, 0) - before[name]:+,})".replace("-", numbers.MINUS) for name in shown]
    series = (
        ("after", [after.get(name, 0) for name in shown], PLUS, texts),
        ("before", [before[n] for n in shown], TRAIN, None),
    )
    for title, values, colour, text in series[::-1]:
        figure.add_bar(
            y=[label(name) for name in shown],
            x=values,
            orientation="h",
            name=title,
            marker={"color": colour},
            text=text or [f"{value:,}" for value in values],
            textposition="inside",
            insidetextanchor="start",
            textfont={"size": 12, "color": "white"},
            hovertext=[f"{label(name, 60)}: {value:,} {title}" for name, value in zip(shown, values, strict=True)],
            hoverinfo="text",
            constraintext="none",
        )
    figure.update_yaxes(autorange="reversed", automargin=True, type="category", fixedrange=True)
    figure.update_xaxes(showticklabels=False, showgrid=False, fixedrange=True, rangemode="tozero")
    figure.update_layout(
        height=54 + PAIR * max(len(shown), 1),
        margin={"l": 4, "r": 4, "t": 26, "b": 4},
        bargap=0.25,
        bargroupgap=0.08,
        legend=ABOVE | {"traceorder": "normal"},
    )
    return figure


COLOURS = ("#2f7fc9", "#d9730d", "#3a9d5d", "#b4499c", "#8a6d3b", "#1aa3a3", "#c94f4f", "#6a5acd", "#7a8f2a", "#d4a017")
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "pentagon", "star", "hexagon", "triangle-down")
LONGEST_HOVER = 60  # thousands of points have one


def cluster_map(points: Any, names: Mapping[int, str], inside: set[str] | None) -> go.Figure:
    """Difficult examples on a plane, in the colours and shapes of their clusters; with `inside` only those stand out.

    Each point's custom datum is the number of its cluster, -1 for none.
    """
    figure = go.Figure()
    numbers = points["cluster"].fillna(-1).astype(int)
    largest = [number for number in names if (numbers == number).any()][: len(COLOURS)]
    groups = [("in no cluster", ~numbers.isin(list(names)), "#8a94a3", "circle", 0.35)]
    groups.append(("smaller clusters", numbers.isin(list(names)) & ~numbers.isin(largest), "#8a94a3", "diamond", 0.8))
    for number, colour, symbol in zip(largest, COLOURS, SYMBOLS, strict=False):
        groups.append((names[number], numbers == number, colour, symbol, 0.9))
    for title, chosen, colour, symbol, opacity in groups:
        some = points[chosen]
        if some.empty:
            continue
        strength = [opacity if inside is None else 1.0 if id in inside else 0.12 for id in some["train_id"]]
        figure.add_scatter(  # SVG: WebGL is not to be had everywhere, and a few thousand points do without
            x=some["x"],
            y=some["y"],
            mode="markers",
            name=label(title, 34),
            marker={"color": colour, "symbol": symbol, "size": 8, "opacity": strength},
            customdata=[[number] for number in numbers[chosen]],
            hovertext=[
                f"{label(text, LONGEST_HOVER)}<br>given {label(given)}, suggested {label(suggested)}"
                for text, given, suggested in zip(some["text"], some["label"], some["suggested_label"], strict=True)
            ],
            hoverinfo="text",
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    figure.update_layout(
        height=520,
        margin={"l": 0, "r": 0, "t": 4, "b": 4},
        legend={"orientation": "h", "y": 0, "yanchor": "top", "x": 0, "itemclick": False, "itemdoubleclick": False},
        clickmode="event+select",
        dragmode="pan",
    )
    return figure
