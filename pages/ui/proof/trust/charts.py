"""Figures of the proofs that scores mean something. Layers' names are escaped, because Plotly reads a little HTML in labels."""

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from influence import METHODS
from influence.experiments import ACTIVATIONS, COSINE, LOSS, MASK, NO_CHANGE, NORM, REMOVE
from pages.ui.parts import COLOURS, MINUS, PLUS, SYMBOLS, TRAIN, charts, label
from pages.ui.proof.trust import wording

HEIGHT = 396
CONTROLS = {"random": ("#8a94a3", "dot", "x"), "random-same-label": ("#8a94a3", "dash", "cross")}
LEGEND = {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}
ROW, ROW_LOW = 44, 26
ASIDE = 0.012  # of the largest k
FACTORS = {
    LOSS: (MINUS, "diamond"),
    NORM: (COLOURS[2], "square"),
    ACTIVATIONS: (PLUS, "circle"),
    COSINE: (COLOURS[3], "triangle-up"),
}


def deletion(curves: pd.DataFrame, measure: str) -> go.Figure:
    """DEL+ and DEL− over k, every method a line with its intervals, or a row where there is one k only; the controls grey."""
    scale, unit = (100, "points of probability") if measure == "probability" else (1, "of margin")
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04,
        subplot_titles=["Proponents removed:<br>it should fall", "Opponents removed:<br>it should rise"],
    )  # fmt: skip
    here = curves[curves["measure"] == measure]
    if here["k"].nunique() == 1:
        return _one_k(figure, here, scale, unit)
    for column, direction in enumerate("+-", start=1):
        for number, method in enumerate(_methods(here)):
            some = here[(here["direction"] == direction) & (here["method"] == method)].sort_values("k")
            rows = {"k": some["k"], **{name: scale * some[name] for name in ("mean", "low", "high")}}
            _line(figure, column, method, number, pd.DataFrame(rows), legend=column == 1, unit=unit)
    figure.add_hline(y=0, line={"color": TRAIN, "width": 1})
    figure.update_yaxes(title=f"change, {unit}", col=1)
    return _finished(figure, "examples removed (k)")


def _one_k(figure: go.Figure, curves: pd.DataFrame, scale: int, unit: str) -> go.Figure:
    """Every method a row: its mean and interval at the only k."""
    methods = _methods(curves)
    for column, direction in enumerate("+-", start=1):
        for number, method in enumerate(methods):
            row = curves[(curves["direction"] == direction) & (curves["method"] == method)].iloc[0]
            values = {"k": row["k"], **{name: scale * row[name] for name in ("mean", "low", "high")}}
            title, colour = wording.title(method), TRAIN if method in CONTROLS else PLUS
            figure.add_scatter(
                row=1, col=column, x=[values["mean"]], y=[number], mode="markers", name=title, showlegend=False,
                marker={"color": colour, "size": 9, "symbol": "x" if method in CONTROLS else "circle"},
                error_x=_strokes(pd.DataFrame([values]), colour),
                hovertext=[_hover(title, values, unit, share=False)], hoverinfo="text",
            )  # fmt: skip
    figure.add_vline(x=0, line={"color": TRAIN, "width": 1})
    charts.name_rows(figure, [wording.title(method) for method in methods])
    figure.update_xaxes(title=unit, fixedrange=True, automargin=True, zeroline=False)
    figure.update_annotations(font={"size": 13})
    return figure.update_layout(height=130 + ROW_LOW * len(methods), margin={"l": 4, "r": 8, "t": 56, "b": 8})


def fixing(curves: pd.DataFrame) -> go.Figure:
    """The share of mistakes that are mended over k, from the control at k = 0; removing at the left, masking at the right."""
    ways = [way for way in (REMOVE, MASK) if (curves["way"] == way).any()]
    titles = {REMOVE: "Opponents removed", MASK: "Their most negative word masked"}
    figure = make_subplots(
        rows=1, cols=len(ways), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=[titles[way] for way in ways]
    )
    control = curves[curves["method"] == NO_CHANGE].iloc[0].rename({"fixed": "mean"})
    everybody = _methods(curves[curves["method"] != NO_CHANGE])
    start = control[["k", "mean", "low", "high"]].to_frame().T.astype(float)
    start[["low", "high"]] = start["mean"].iloc[0]  # its interval is drawn once, not with every line
    for column, way in enumerate(ways, start=1):
        for number, method in enumerate(everybody):
            some = curves[(curves["way"] == way) & (curves["method"] == method)].sort_values("k")
            if not some.empty:
                rows = some.rename(columns={"fixed": "mean"})[["k", "mean", "low", "high"]].astype(float)
                _line(
                    figure, column, method, number, pd.concat([start, rows]), legend=column == 1, unit="of the mistakes mended",
                    share=True,
                )  # fmt: skip
        _control(figure, column, control)
    figure.add_hline(y=float(control["mean"]), line={"color": TRAIN, "width": 1, "dash": "dot"})
    figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(title="mistakes mended", col=1)
    return _finished(figure, "opponents changed (k)")


def _control(figure: go.Figure, column: int, control: Any) -> None:
    """Training again without any change."""
    figure.add_scatter(
        row=1, col=column, x=[0], y=[control["mean"]], mode="markers", name="No change", showlegend=column == 1,
        marker={"color": TRAIN, "symbol": "circle-open", "size": 11, "line": {"width": 2}}, cliponaxis=False,
        error_y=_strokes(control[["mean", "low", "high"]].to_frame().T.astype(float), TRAIN),
        hovertext=[_hover("No change", dict(control), "of the mistakes mended", True)], hoverinfo="text",
    )  # fmt: skip


def cancellation(table: pd.DataFrame) -> go.Figure:
    """C of every layer's weights and biases, on a logarithmic axis: only ratios between layers mean anything."""
    shown = table[table["ratio"].notna()]
    layers = list(dict.fromkeys(shown["layer"]))
    figure = go.Figure()
    for part, title, colour, symbol in (("weight", "weights", PLUS, "circle"), ("bias", "biases", MINUS, "diamond")):
        some = shown[shown["part"] == part]
        figure.add_scatter(
            x=some["ratio"], y=[layers.index(layer) for layer in some["layer"]], mode="markers", name=title,
            marker={"color": colour, "symbol": symbol, "size": 11},
            hovertext=[
                f"{label(row['layer'], 60)}, {part}<br>C = {row['ratio']:.3g}, mean cosine {row['cosine']:.2f}"
                for row in some.to_dict("records")
            ],
            hoverinfo="text",
        )  # fmt: skip
    charts.name_rows(figure, [_layer_name(layer, shown) for layer in layers])
    ticks = _round_numbers(shown["ratio"].min(), shown["ratio"].max())
    figure.update_xaxes(
        type="log", title="cancellation C = G / ΔW", fixedrange=True, automargin=True,
        tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks],
    )  # fmt: skip
    margin = {"l": 4, "r": 8, "t": 8, "b": 8}
    return figure.update_layout(height=110 + ROW * len(layers), margin=margin, legend=charts.ABOVE)


def overlaps(table: pd.DataFrame, top: int) -> go.Figure:
    """How many of each method's strongest proponents one factor alone puts first, too; every method a row."""
    methods = _methods(table)
    figure = go.Figure()
    for number, (against, (colour, symbol)) in enumerate(FACTORS.items()):
        some, title = table[table["against"] == against], wording.FACTORS[against]
        aside = (number - (len(FACTORS) - 1) / 2) * 0.16  # so that all can be seen
        rows = some.rename(columns={"shared": "mean"})[["mean", "low", "high"]].astype(float)
        figure.add_scatter(
            x=rows["mean"], y=[methods.index(method) + aside for method in some["method"]], mode="markers", name=title,
            marker={"color": colour, "symbol": symbol, "size": 10}, error_x=_strokes(rows, colour),
            hovertext=[
                f"{wording.title(row['method'])}<br>{row['shared']:.1f} [{row['low']:.1f} to {row['high']:.1f}] of "
                f"{row['listed']:.0f}: {title}"
                for row in some.to_dict("records")
            ],
            hoverinfo="text",
        )  # fmt: skip
    charts.name_rows(figure, [wording.title(method) for method in methods])
    title, ends = f"of the {top} strongest proponents, also first by", [-0.02 * top, 1.02 * top]
    figure.update_xaxes(title=title, range=ends, fixedrange=True, automargin=True, zeroline=False)
    margin = {"l": 4, "r": 8, "t": 8, "b": 8}
    return figure.update_layout(height=150 + ROW * len(methods), margin=margin, legend=charts.ABOVE)


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 with every number of noughts, around a range."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    return [digit * 10.0**power for power in powers for digit in (1, 2, 5) if low / 2 <= digit * 10.0**power <= high * 2]


def _layer_name(layer: str, table: pd.DataFrame) -> str:
    role = str(table[table["layer"] == layer]["role"].iloc[0] or "")
    return label(layer, 40) + (f" ({role})" if role and role != layer else "")


def _methods(curves: pd.DataFrame) -> list[str]:
    """The methods, controls last."""
    return sorted(curves["method"].unique(), key=lambda method: (method in CONTROLS, list(METHODS).index(method)))


def _line(
    figure: go.Figure, column: int, method: str, number: int, rows: pd.DataFrame, *, legend: bool, unit: str, share: bool = False
) -> None:
    """One method's means with their intervals, set a little aside from the other methods' so that all can be seen."""
    colour, dash, symbol = CONTROLS.get(method, (COLOURS[number % len(COLOURS)], "solid", SYMBOLS[number % len(SYMBOLS)]))
    aside = ASIDE * number * float(rows["k"].max())
    figure.add_scatter(
        row=1, col=column, x=rows["k"] + aside * (rows["k"] > 0), y=rows["mean"], mode="lines+markers",
        name=wording.title(method),
        legendgroup=method, showlegend=legend, line={"color": colour, "dash": dash, "width": 2},
        marker={"symbol": symbol, "size": 8},
        error_y=_strokes(rows, colour),
        hovertext=[_hover(wording.title(method), row, unit, share) for row in rows.to_dict("records")], hoverinfo="text",
    )  # fmt: skip


def _strokes(rows: pd.DataFrame, colour: str) -> dict[str, Any]:
    """The intervals around means."""
    ends = {"array": rows["high"] - rows["mean"], "arrayminus": rows["mean"] - rows["low"]}
    return {"type": "data", "symmetric": False, "thickness": 1.3, "width": 3, "color": colour, **ends}


def _hover(title: str, row: dict[Any, Any], unit: str, share: bool) -> str:
    form = "{:.0%}" if share else "{:+.3g}"
    mean, low, high = (form.format(row[name]) for name in ("mean", "low", "high"))
    within = "" if row["low"] != row["low"] else f" [{low} to {high}]"  # too few to have an interval
    return f"{title}, k = {row['k']:.0f}<br>{mean}{within} {unit}"


def _finished(figure: go.Figure, title: str) -> go.Figure:
    figure.update_xaxes(title=title, fixedrange=True, rangemode="tozero", automargin=True, zeroline=False)
    figure.update_yaxes(fixedrange=True, automargin=True, zeroline=False)
    figure.update_annotations(font={"size": 13})
    return figure.update_layout(height=HEIGHT, margin={"l": 4, "r": 8, "t": 46, "b": 8}, legend=LEGEND)
