"""What the proofs say about a workspace, in plain sentences: the text, and whether it is more than chance."""

from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

from influence import DEFAULT_METHOD, METHODS
from influence.experiments import (
    ACTIVATIONS,
    COSINE,
    FEWEST,
    LOSS,
    NO_CHANGE,
    NORM,
    RANDOM,
    RANDOM_SAME_LABEL,
    Crossed,
    Evaluation,
    Overlaps,
    fixing_beyond,
    fixing_curves,
    overlap_difference,
    overlap_table,
)
from pages.ui.frame import MINUS, numbers

WORD_LAYER = "word embedding"
FACTORS = {  # what a training example can be first by, one factor alone
    LOSS: "largest loss",
    NORM: "longest gradient",
    ACTIVATIONS: "most alike in the last layer",
    COSINE: "gradient most in line",
}
CONTROLS = (RANDOM, RANDOM_SAME_LABEL)
SIGNS = {"-": 1, "+": -1}  # where the true label's probability goes without the opponents, and without the proponents
KEPT_BEFORE = (
    "This run is from before both random choices were compared, so nothing can be said from it. Run it again with the same "
    "settings: its models are kept, so that takes seconds."
)
OVER_SAME_LABEL = ("over_same_label", "over_same_label_low", "over_same_label_high")
ABOUT = 1.1  # two numbers that are apart by less are about the same
Said = tuple[str, bool]


def number(value: float, measure: str) -> str:
    """A difference with its sign: points of probability, or nats of margin or loss."""
    text = f"{100 * value:+.1f}" if measure == "probability" else f"{value:+.3f}"
    return text.replace("-", MINUS)


def spread(value: float, measure: str) -> str:
    """A standard deviation in the same unit; a dash where there is none, as with a single retraining."""
    return "± –" if pd.isna(value) else f"± {number(value, measure)[1:]}"


def value(row: "dict[Hashable, Any] | pd.Series[Any]", names: Sequence[str], measure: str) -> str:
    """A mean with its interval, where there is one."""
    mean, low, high = (number(row[name], measure) for name in names)
    return mean if pd.isna(row[names[1]]) else f"{mean} [{low} to {high}]"


def judged(methods: Sequence[str]) -> str:
    """The method that a verdict is about: the default one where it was tried. Of several, the best on few is partly lucky."""
    return DEFAULT_METHOD if DEFAULT_METHOD in methods else methods[0]


def deletion(found: Evaluation, measure: str) -> Said:
    """Whether removing what a method names does more than both random removals do; and else what could tell."""
    method = judged(found.settings["methods"])
    beyond = {side: [found.beyond(method, side, measure, control) for control in CONTROLS] for side in SIGNS}
    if any(one is None for some in beyond.values() for one in some):
        return KEPT_BEFORE, False
    told = {side: _against(some, SIGNS[side]) for side, some in beyond.items()}
    sides, name = {"-": "opponents", "+": "proponents"}, title(method)
    if worse := [sides[side] for side, one in told.items() if one == "less"]:
        return f"Random removals do more than removing the {' and the '.join(worse)} by {name}: do not rely on it here.", False
    unsure = [side for side, one in told.items() if not one]
    if not unsure:
        said = f"Removing the examples that {name} names moves the predictions more than random removals do, its opponents as"
        return f"{said} well as its proponents: its scores mean something on this data.", True
    missing = _what_it_takes([(one, SIGNS[side]) for side in unsure for one in beyond[side] if one], "test sentence")
    if len(unsure) == 1:
        shown, other = sides["+" if unsure == ["-"] else "-"], sides[unsure[0]]
        said = f"Removing the {shown} by {name} does more than random removals do. For its {other} that cannot be told yet."
        return f"{said} {missing}", True
    said = f"Whether the scores of {name} mean something here cannot be told from {_tried(beyond['-'][0], 'test sentence')}:"
    return f"{said} random removals may do as much. {missing}", False


def qld(found: Evaluation) -> Said:
    """Whether the loss rises more without what a method puts first than without random examples of either kind."""
    method = judged(found.settings["methods"])
    beyond = [found.beyond(method, "+", "loss", control) for control in CONTROLS]
    if any(one is None for one in beyond):
        return KEPT_BEFORE, False
    many, told = int(found.qld["k"].iloc[0]), _against(beyond, 1)
    first = "strongest proponent" if many == 1 else f"{many:,} strongest proponents"
    without = f"the {first} by {title(method)}"
    if told == "more":
        return f"Without {without} the model does worse on their test sentence than without as many random ones.", True
    if told == "less":
        return f"The model does worse without random examples than without {without}: do not rely on it here.", False
    missing = _what_it_takes([(one, 1) for one in beyond if one], "test sentence")
    return f"Whether the model needs {without} more than random ones cannot be told yet. {missing}", False


def _against(beyond: Sequence[Crossed | None], sign: int) -> str:
    """Whether a method does "more" than every control, "less" than one of them, or neither can be told: ""."""
    ends = [one.interval if one else None for one in beyond]
    sides = [None if end is None else sorted((sign * end[0], sign * end[1])) for end in ends]
    if all(side is not None and side[0] > 0 for side in sides):
        return "more"
    return "less" if any(side is not None and side[1] < 0 for side in sides) else ""


def compared(found: Crossed, measure: str, sign: int) -> dict[str, str]:
    """One difference to a control as a row of a table; `sign` 1 where above 0 is what a good method does, else -1."""
    ends = found.interval
    answer = {"more": "yes", "less": "less than chance", "": "cannot be told"}[_against([found], sign)]
    within = "–" if ends is None else f"{number(ends[0], measure)} to {number(ends[1], measure)}"
    return {"difference": number(found.mean, measure), "95% interval": within, "more than chance": answer}


def _tried(one: Crossed | None, noun: str) -> str:
    assert one is not None
    return f"{numbers.counted(one.tests, noun)} and {numbers.counted(one.seeds, 'seed')}"


def _what_it_takes(beyond: Sequence[tuple[Crossed, int]], noun: str) -> str:
    """How many test sentences and seeds would tell, from how much these vary; `beyond` with the sign that would be right."""
    first = beyond[0][0]
    if not first.enough:
        return f"It takes at least {FEWEST} {noun}s and {FEWEST} seeds."
    if any(sign * one.mean <= 0 for one, sign in beyond):
        return "So far one of the random choices did as much or more, and more runs would hardly turn that round."
    needed = [one.needed for one, _ in beyond if one.interval is None or one.interval[0] <= 0 <= one.interval[1]]
    counts = [one for one in needed if one is not None]
    if len(counts) < len(needed):
        return f"The difference is so small beside how much it varies that even hundreds of {noun}s might not show it."
    tests, seeds = max(tests for tests, _ in counts), max(seeds for _, seeds in counts)
    return f"If the difference is as large as it looks, about {tests:,} {noun}s with {seeds} seeds would show it."


def fixing(runs: pd.DataFrame) -> Said:
    """Whether changing what a method blames mends more mistakes than no change and random choices do."""
    curves = fixing_curves(runs)
    control = curves[curves["method"] == NO_CHANGE].iloc[0]
    said = f"Training again without any change mends {control['fixed']:.0%} of {runs['test_id'].nunique()} mistakes by itself."
    tried = curves[~curves["method"].isin([NO_CHANGE, RANDOM])]
    if tried.empty:
        return said, False
    method = judged(list(dict.fromkeys(tried["method"])))
    # "remove" sorts after "mask": the larger change, at the largest k.
    row = tried[tried["method"] == method].sort_values(["way", "k"]).iloc[-1]
    rival = curves[(curves["method"] == RANDOM) & (curves["way"] == row["way"]) & (curves["k"] == row["k"])]
    verb = "Removing" if row["way"] == "remove" else "Masking the most negative word of"
    beside = f", random ones {rival.iloc[0].fixed:.0%}" if len(rival) else ""
    said += f" {verb} the {int(row['k'])} strongest opponents by {title(method)} mends {row['fixed']:.0%}{beside}."
    beyond = [fixing_beyond(runs, method, row["way"], row["k"], control) for control in (NO_CHANGE, RANDOM)]
    told = _against(beyond, 1)
    if told == "more":
        return f"{said} That is more than either does by chance.", True
    if told == "less":
        return f"{said} That is less than chance does.", False
    missing = _what_it_takes([(one, 1) for one in beyond if one], "mistake")
    return f"{said} Whether that is more than chance cannot be told yet. {missing}", False


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
    if 1 / ABOUT < times < ABOUT:
        said = "In the last layer the examples' gradients cancel about as much as in the word embedding."
    elif times > 1:
        said = (
            f"In the last layer the examples' gradients cancel {times:.1f} times as much as in the word embedding. That speaks "
            "for the word embedding, where the word methods look: a single example's part shows better there."
        )
    else:
        said = (
            f"In the word embedding the examples' gradients cancel {1 / times:.1f} times as much as in the last layer, unlike in "
            "the paper: here the last layer's methods deserve a look too."
        )
    said += " This is of one training; another seed may give other numbers."
    return said if least["layer"] == WORD_LAYER else f"{said} They cancel least in {least['layer']}.", True


def overlaps(found: Overlaps) -> Said:
    """Whether the strongest proponents are those of the loss alone: of the last layer beside the default method, if both are."""
    methods = [method for method in found.settings["methods"] if method != RANDOM]
    if not methods:
        return "Only random lists were compared: choose a method to set beside them.", False
    last = "tracin-last" if "tracin-last" in methods else methods[0]
    table = overlap_table(found.points)
    rows = table[table["against"] == LOSS].set_index("method")
    one, tests = rows.loc[last], numbers.counted(found.settings["test_points"], "test sentence")
    other = DEFAULT_METHOD if DEFAULT_METHOD in methods else methods[-1]
    beside = f"by {title(other)} it is {rows.loc[other]['shared']:.1f}, " if other != last else ""
    said = (
        f"Of the {one['listed']:.0f} strongest proponents by {title(last)}, {one['shared']:.1f} are also among those of largest "
        f"loss, whatever the test sentence; {beside}by chance {rows.loc[RANDOM]['shared']:.1f}."
    )
    _, low, _ = overlap_difference(found.points, last, RANDOM, LOSS)
    if low <= 0:
        return f"{said} From {tests} it cannot be told that {title(last)} follows the loss more than chance does.", False
    _, low, high = overlap_difference(found.points, last, other, LOSS)
    if other != last and low <= 0 <= high:
        return f"{said} Which of the two follows the loss more cannot be told from {tests}.", False
    return said, True


def title(method: str) -> str:
    """A method's name on screen."""
    return METHODS[method].title if method in METHODS else method
