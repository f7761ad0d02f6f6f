"""Plotly figures. Texts of a data file are escaped, because Plotly reads a little HTML in labels."""

import html
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from influence import EpochInfo

PLUS, MINUS, TRAIN, TEST, RIGHT = "#2f7fc9", "#d9730d", "#8a94a3", "#2f7fc9", "#8a94a3"
STILL = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}
ABOVE = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}  # where a legend is


def label(text: str, longest: int = 24) -> str:
    """A text for a Plotly label: shortened in the middle, and shown as itself."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = f"{line[: longest - 9]}…{line[-8:]}"
    return html.escape(line)


def name_rows(figure: go.Figure, names: Sequence[str], **more: object) -> None:
    """Name the rows 0, 1, ... of a chart, from the top."""
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=list(names),
        range=[len(names) - 0.5, -0.5],
        automargin=True,
        fixedrange=True,
        zeroline=False,
        **more,
    )


def curves(epochs: Sequence[EpochInfo], *, what: str) -> go.Figure:
    """Loss or accuracy of both splits after every epoch; a filled point where scores are summed over its checkpoint."""
    names = [label(epoch.name) for epoch in epochs]
    test = [getattr(epoch, f"test_{what}") for epoch in epochs]
    train = [getattr(epoch, f"train_{what}") for epoch in epochs]
    symbols = ["circle-open" if epoch.checkpoint is None else "circle" for epoch in epochs]
    figure = go.Figure()
    for title, values, colour, dash in (("train", train, TRAIN, "dot"), ("test", test, TEST, "solid")):
        if any(value is not None for value in values):
            figure.add_scatter(
                x=names,
                y=values,
                name=title,
                mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 2},
                marker={"size": 8, "symbol": symbols},
            )
    template = "%{y:.1%}" if what == "accuracy" else "%{y:.3f}"
    figure.update_traces(hovertemplate=f"%{{x}}: {template}<extra>%{{fullData.name}}</extra>")
    figure.update_layout(
        height=220,
        title={"text": what.capitalize(), "x": 0, "y": 0.98, "yanchor": "top", "font": {"size": 13}},
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    figure.update_yaxes(tickformat=".0%" if what == "accuracy" else ".2f", automargin=True)
    return figure.update_xaxes(type="category", automargin=True)


def confusion(counts: Any, labels: Sequence[str]) -> go.Figure:
    """Test counts by given label (down) and prediction (across), shaded by the share of the row; errors in orange.

    Each cell with a count carries a marker whose custom data are its two labels, so that a click can be followed.
    """
    table = counts.loc[list(labels), list(labels)].to_numpy()
    shares = table / table.sum(axis=1, keepdims=True).clip(min=1)
    size = len(labels)
    right = [[shares[row][column] if row == column else None for column in range(size)] for row in range(size)]
    wrong = [
        [shares[row][column] if row != column and table[row][column] else None for column in range(size)] for row in range(size)
    ]
    figure = go.Figure()
    for values, colour, most in ((right, RIGHT, 1.0), (wrong, MINUS, max(0.05, max(v or 0 for row in wrong for v in row)))):
        figure.add_heatmap(
            z=values, zmin=0, zmax=most, showscale=False, hoverinfo="skip", xgap=1, ygap=1, colorscale=_fading(colour)
        )
    cells = [(row, column) for row in range(size) for column in range(size) if table[row][column]]
    side = 460 if size <= 12 else 22 * size if size <= 30 else 15 * size
    figure.add_scatter(
        x=[column for _, column in cells],
        y=[row for row, _ in cells],
        mode="markers+text" if size <= 30 else "markers",
        text=[f"{table[row][column]:,}" for row, column in cells],
        marker={"symbol": "square", "size": max(8, 0.8 * side / size), "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}, "textfont": {"color": None}},
        customdata=[[labels[row], labels[column]] for row, column in cells],
        hovertext=[_cell_text(table, labels, row, column) for row, column in cells],
        hoverinfo="text",
        showlegend=False,
    )
    return _square(figure, labels, side)


def _cell_text(table: Any, labels: Sequence[str], row: int, column: int) -> str:
    names = f"given {label(labels[row], 60)}<br>predicted {label(labels[column], 60)}"
    return f"{names}<br><b>{table[row][column]:,}</b> of {table[row].sum():,}"


def _square(figure: go.Figure, labels: Sequence[str], side: int) -> go.Figure:
    ticks = {
        "tickvals": list(range(len(labels))),
        "ticktext": [label(name, 26) for name in labels],
        "tickfont": {"size": 12 if len(labels) <= 30 else 9.5},
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
    }
    last = len(labels) - 0.5
    figure.update_xaxes(
        **ticks,
        side="top",
        title="predicted",
        tickangle=0 if len(labels) <= 6 else -60 if len(labels) <= 30 else -90,
        range=[-0.5, last],
    )
    figure.update_yaxes(**ticks, title="given label", range=[last, -0.5])
    height = side + 160 if len(labels) > 12 else 90 + 56 * len(labels)
    margin = {"l": 8, "r": 8, "t": 8, "b": 8}
    return figure.update_layout(height=height, margin=margin, clickmode="event+select", dragmode=False)


def _fading(colour: str) -> list[list[object]]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return [[0, f"rgba({red},{green},{blue},0.06)"], [1, f"rgba({red},{green},{blue},0.75)"]]
