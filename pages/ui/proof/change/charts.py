"""Figures of what-ifs. Texts of a data file are escaped, because Plotly reads a little HTML in labels."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from influence.experiments import Measure, Paired, points, what
from pages.ui.parts import MINUS, PLUS, TRAIN, charts, label

ROW, HEAD, GAP = 60, 66, 62  # pixels
BELOW = 0.21  # of a row: where its marks are, below its name
BAND = "rgba(138,148,163,0.22)"


def effect(groups: Sequence[tuple[str, Sequence[Measure]]]) -> go.Figure:
    """Without and with a change at the left, the difference with its interval at the right, one row a measure.

    Grey at the right is how far two retrainings without any change lie apart. A hollow mark cannot be told from that.
    """
    groups = [(title, measures) for title, measures in groups if measures]
    heights = [len(measures) for _, measures in groups]
    figure = make_subplots(
        rows=len(groups),
        cols=2,
        shared_yaxes=True,
        column_widths=[0.55, 0.45],
        horizontal_spacing=0.03,
        vertical_spacing=GAP / (HEAD + ROW * sum(heights) + GAP * (len(groups) - 1)) if len(groups) > 1 else 0.0,
        row_heights=heights,
    )
    for row, (title, measures) in enumerate(groups, start=1):
        _levels(figure, row, measures, legend=row == 1)
        _differences(figure, row, measures, legend=row == 1)
        charts.name_rows(figure, [""] * len(measures), row=row, showgrid=False)
        _names(figure, row, measures)
        figure.update_xaxes(row=row, col=1, tickformat=".0%", title={"text": title, "standoff": 4})
        figure.update_xaxes(row=row, col=2, tickformat="+", title={"text": "difference, points", "standoff": 4})
    figure.update_xaxes(fixedrange=True, zeroline=False, automargin=True, nticks=5, tickangle=0)
    figure.update_layout(
        height=HEAD + ROW * sum(heights) + GAP * len(groups),
        margin={"l": 4, "r": 8, "t": 34, "b": 30},
        legend=charts.ABOVE | {"itemclick": False, "itemdoubleclick": False},
    )
    return figure


def _names(figure: go.Figure, row: int, measures: Sequence[Measure]) -> None:
    """Each row's name above it: beside it, a narrow screen would have no room for the row."""
    for place, measure in enumerate(measures):
        figure.add_annotation(
            row=row, col=1, xref="x domain", x=0, y=place - 0.46, xanchor="left", yanchor="top", text=label(what(measure), 60),
            showarrow=False, font={"size": 12},
        )  # fmt: skip


def _levels(figure: go.Figure, row: int, measures: Sequence[Measure], *, legend: bool) -> None:
    """Means as dots, the seeds as strokes, without the change above and with it below."""
    for name, side, colour, symbol, shift in (
        ("without", "before", TRAIN, "circle-open", 0.1),
        ("with the change", "after", PLUS, "circle", 0.32),
    ):
        at = [place + shift for place in range(len(measures))]
        seeds = [(value, y) for measure, y in zip(measures, at, strict=True) for value in getattr(measure.paired, f"{side}_S")]
        figure.add_scatter(
            row=row, col=1, x=[value for value, _ in seeds], y=[y for _, y in seeds], mode="markers", showlegend=False,
            marker={"symbol": "line-ns", "size": 13, "opacity": 0.75, "line": {"width": 1.5, "color": colour}}, hoverinfo="skip",
        )  # fmt: skip
        means = [getattr(measure.paired, side) for measure in measures]
        figure.add_scatter(
            row=row, col=1, x=means, y=at, mode="markers", name=name, showlegend=legend,
            marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
            hovertext=[f"{label(what(m), 60)}<br>{name}: {mean:.1%}" for m, mean in zip(measures, means, strict=True)],
            hoverinfo="text",
        )  # fmt: skip


def _differences(figure: go.Figure, row: int, measures: Sequence[Measure], *, legend: bool) -> None:
    figure.add_scatter(
        row=row, col=2, x=[0, 0], y=[-0.5, len(measures) - 0.5], mode="lines", line={"color": TRAIN, "width": 1},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_bar(
        row=row, col=2, y=[place + BELOW for place in range(len(measures))], orientation="h", width=0.5,
        marker={"color": BAND, "line": {"width": 0}},
        base=[-100 * (m.paired.spread or 0) for m in measures], x=[200 * (m.paired.spread or 0) for m in measures],
        name="no change: seeds differ so far", showlegend=legend, hoverinfo="skip",
    )  # fmt: skip
    for place, measure in enumerate(measures):
        _difference(figure, row, place, measure)


def _difference(figure: go.Figure, row: int, place: int, measure: Measure) -> None:
    paired = measure.paired
    colour = PLUS if paired.difference >= 0 else MINUS
    within = paired.interval
    if within is not None:
        figure.add_scatter(
            row=row, col=2, x=[100 * within[0], 100 * within[1]], y=[place + BELOW, place + BELOW], mode="lines",
            showlegend=False, line={"color": colour, "width": 2.5}, hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(
        row=row, col=2, x=[100 * paired.difference], y=[place + BELOW], mode="markers+text", showlegend=False,
        marker={"symbol": "circle" if paired.told_apart else "circle-open", "size": 11, "color": colour, "line": {"width": 2}},
        text=[points(paired.difference)], textposition="top center", cliponaxis=False, textfont={"size": 12},
        hovertext=[_difference_text(measure, paired)], hoverinfo="text",
    )  # fmt: skip


def _difference_text(measure: Measure, paired: Paired) -> str:
    within = paired.interval
    interval = "too few seeds for an interval" if within is None else f"95% interval {points(within[0])} to {points(within[1])}"
    return f"{label(what(measure), 60)}<br>{points(paired.difference)} points<br>{interval}, {paired.seeds} seeds"
