"""What the proofs say about a workspace, in plain sentences: the text, and whether it is more than chance."""

from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

from influence import DEFAULT_METHOD, METHODS
from influence.experiments import (
    ACTIVATIONS,
    COSINE,
    LOSS,
    NO_CHANGE,
    NORM,
    RANDOM,
    Evaluation,
    Overlaps,
    overlap_table,
)
from pages.ui.frame import MINUS

WORD_LAYER = "word embedding"
FACTORS = {  # what a training example can be first by, one factor alone
    LOSS: "largest loss",
    NORM: "longest gradient",
    ACTIVATIONS: "most alike in the last layer",
    COSINE: "gradient most in line",
}
OVER_RANDOM = ("over_random", "over_random_low", "over_random_high")
Said = tuple[str, bool]


def number(value: float, measure: str) -> str:
    """A difference with its sign: points of probability, or nats of margin or loss."""
    text = f"{100 * value:+.1f}" if measure == "probability" else f"{value:+.3f}"
    return text.replace("-", MINUS)


def spread(value: float, measure: str) -> str:
    """A standard deviation in the same unit; a dash where there is none, as with a single retraining."""
    return "± –" if pd.isna(value) else f"± {number(value, measure)[1:]}"


def value(row: "dict[Hashable, Any] | pd.Series[Any]", names: Sequence[str], measure: str, unit: str = "") -> str:
    """A mean with its interval."""
    mean, low, high = (number(row[name], measure) for name in names)
    return f"{mean}{' ' if unit else ''}{unit} [{low} to {high}]"


def deletion(found: Evaluation, measure: str) -> Said:
    """Whether removing what a method names does more than removing at random.

    About the default method where it was tried: of several, the best one on few sentences is partly lucky.
    """
    method = DEFAULT_METHOD if DEFAULT_METHOD in found.settings["methods"] else found.settings["methods"][0]
    here = found.areas[(found.areas["measure"] == measure) & (found.areas["method"] == method)]
    up, down = (here[here["direction"] == direction].iloc[0] for direction in "-+")
    what = "probability of the true label" if measure == "probability" else "true label's margin"
    unit = "points" if measure == "probability" else "nats"
    sure_up, sure_down = bool(up["over_random_low"] > 0), bool(down["over_random_high"] < 0)
    gains, loses = (value(row, OVER_RANDOM, measure, unit) for row in (up, down))
    said = (
        f"Beside removing as many examples at random, removing the opponents named by {title(method)} changes the {what} by "
        f"{gains}, and removing the proponents by {loses}."
    )
    if sure_up and sure_down:
        return f"{said} Both are more than chance: its scores mean something on this data.", True
    if sure_up or sure_down:
        first, second = ("first", "second") if sure_up else ("second", "first")
        return f"{said} The {first} is more than chance; for the {second} take more test sentences.", True
    points = found.settings["test_points"]
    return f"{said} With {points} test sentences neither is more than chance: take more of them, or a larger k.", False


def qld(found: Evaluation) -> Said:
    """Whether the loss rises more without what a method puts first than without random examples; of the default, as above."""
    methods = found.settings["methods"]
    method = DEFAULT_METHOD if DEFAULT_METHOD in methods else methods[0]
    row = found.qld[found.qld["method"] == method].iloc[0]
    said = (
        f"Without its {int(row['k']):,} strongest proponents by {title(method)}, a test sentence's loss rises by "
        f"{value(row, ('mean', 'low', 'high'), 'loss', 'nats')} more than without as many random examples."
    )
    if row["low"] > 0:
        return f"{said} That is more than chance.", True
    return f"{said} That may be chance: take more test sentences or seeds.", False


def fixing(curves: pd.DataFrame, points: int) -> Said:
    """Whether changing what a method blames mends more mistakes than chance does; about the default method, as above."""
    control = curves[curves["method"] == NO_CHANGE].iloc[0]
    said = [f"Training again without any change mends {control['fixed']:.0%} of {points} mistakes by itself."]
    tried = curves[~curves["method"].isin([NO_CHANGE, RANDOM])]
    if tried.empty:
        return said[0], False
    method = DEFAULT_METHOD if (tried["method"] == DEFAULT_METHOD).any() else tried["method"].iloc[0]
    # "remove" sorts after "mask": the larger change, at the largest k.
    row = tried[tried["method"] == method].sort_values(["way", "k"]).iloc[-1]
    rival = curves[(curves["method"] == RANDOM) & (curves["way"] == row["way"]) & (curves["k"] == row["k"])]
    verb = "Removing" if row["way"] == "remove" else "Masking the most negative word of"
    said.append(
        f"{verb} the {int(row['k'])} strongest opponents by {title(method)} mends {row['fixed']:.0%} "
        f"[{row['low']:.0%} to {row['high']:.0%}]{f', random ones {rival.iloc[0].fixed:.0%}' if len(rival) else ''}; "
        f"test accuracy changes by {number(row['accuracy'], 'probability')} points."
    )
    sure = bool(row["low"] > max([control["fixed"], *rival["fixed"]]))
    if not sure:
        said.append("That may be chance: its interval does not leave no change and random choices behind.")
    return " ".join(said), sure


def cancellation(table: pd.DataFrame) -> Said:
    """Where the examples' gradients cancel least, and what follows for the choice of a method."""
    weights = table[(table["part"] == "weight") & table["ratio"].notna()]
    single = weights[~weights["layer"].isin(["all", "all but the word embedding"])]
    if single.empty:
        return "No layer has changed between checkpoints, so nothing can be said about cancellation.", False
    word = single[single["layer"] == WORD_LAYER]
    last = single[single["role"] == "last"]
    least = single.sort_values("ratio").iloc[0]
    if word.empty or last.empty:
        return f"Gradients cancel least in {least['layer']}.", True
    times = float(last["ratio"].iloc[0] / word["ratio"].iloc[0])
    if times > 1:
        said = (
            f"In the last layer the examples' gradients cancel {times:.1f} times as much as in the word embedding: what a single "
            "example did shows better in the word embedding, which is where the word methods look."
        )
    else:
        said = (
            f"In the word embedding the examples' gradients cancel {1 / times:.1f} times as much as in the last layer, unlike in "
            "the paper: here the last layer's methods deserve a look too."
        )
    return said if least["layer"] == WORD_LAYER else f"{said} They cancel least in {least['layer']}.", True


def overlaps(found: Overlaps) -> Said:
    """Whether the strongest proponents are those of the loss alone: of the last layer beside the default method, if both are."""
    methods = [method for method in found.settings["methods"] if method != RANDOM]
    if not methods:
        return "Only random lists were compared: choose a method to set beside them.", False
    last = "tracin-last" if "tracin-last" in methods else methods[0]
    table = overlap_table(found.points)
    rows = table[table["against"] == LOSS].set_index("method")
    one = rows.loc[last]
    said = (
        f"Of the {one['listed']:.0f} strongest proponents by {title(last)}, {one['shared']:.0f} are simply those with the "
        "largest loss, whatever the test sentence"
    )
    other = DEFAULT_METHOD if DEFAULT_METHOD in methods else methods[-1]
    if other == last:
        return f"{said}; of as many random ones it would be {rows.loc[RANDOM]['shared']:.1f}.", True
    rival = rows.loc[other]
    apart = bool(one["low"] > rival["high"] or rival["low"] > one["high"])
    said += f"; by {title(other)} it is {rival['shared']:.0f}"
    return f"{said}." if apart else f"{said}. Their intervals overlap: take more test sentences to tell the two apart.", apart


def title(method: str) -> str:
    """A method's name on screen."""
    return METHODS[method].title if method in METHODS else method
