"""What a what-if's numbers say, in plain words: the same on the command line and on screen."""

from collections.abc import Mapping
from typing import Any

from influence.experiments.statistics import FEWEST, Paired
from influence.experiments.whatif import MOST_SEEDS, Measure, Outcome

MINUS = "−"
LOSSES = {  # measures in nats: what the two sides are
    "qld": "QLD: loss without random ones, without the top 1%",
    "rise": "loss with all, without the top 1%",
    "random": "loss with all, without random ones",
}


def what(measure: Measure) -> str:
    """What a measure is of."""
    if measure.kind in ("test", "moved"):
        return f"{measure.name}: probability of {measure.label}"
    if measure.kind in LOSSES:
        return f"{measure.name}: {LOSSES[measure.kind]}"
    return "Test accuracy" if measure.kind == "accuracy" else f"Accuracy on {measure.label}"


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign: +12.3."""
    return _signed(100 * value, 1)


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    return text[1:] if not float(text) else text.replace("-", MINUS)


def unit(measure: Measure) -> str:
    """What its differences are in: nats of a loss, or percentage points."""
    return "nats" if measure.kind in LOSSES else "points"


def level(measure: Measure, value: float) -> str:
    """What it is on one side: 0.512 nats, or 51.2%."""
    return f"{value:.3f}" if measure.kind in LOSSES else f"{value:.1%}"


def difference(measure: Measure, value: float | None = None) -> str:
    """Its difference in its unit, with the sign; or another such value."""
    amount = measure.paired.difference if value is None else value
    return _signed(amount, 3) if measure.kind in LOSSES else points(amount)


def interval(measure: Measure) -> str:
    """The 95 % interval of the difference in its unit; a dash with too few seeds."""
    found = measure.paired.interval
    return "–" if found is None else f"{difference(measure, found[0])} to {difference(measure, found[1])}"


def spread(measure: Measure) -> str:
    """How far two retrainings without any change lie apart; a dash with one seed, and where the examples differ by seed."""
    found = measure.paired.spread
    if found is None or measure.kind == "qld":
        return "–"
    return f"{found:.3f}" if measure.kind in LOSSES else f"{100 * found:.1f}"


def changes(counts: Mapping[str, int]) -> str:
    """How many examples a change takes: 3 removed, 1 masked."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing"


def verdict(measure: Measure) -> str:
    """Whether a measure's difference is more than the seeds alone explain, and else what could tell; in sentences."""
    paired = measure.paired
    moved = _moved(measure)
    if paired.interval is None:
        seeds = "one seed" if paired.seeds == 1 else f"{paired.seeds} seeds"
        return f"{moved}. Whether that is more than luck cannot be told from {seeds}: it takes {FEWEST} or more."
    moved = f"{moved} (95% interval {interval(measure)} over {paired.seeds} seeds)"
    if not paired.told_apart:
        return f"{moved}. That may be luck: without any change seeds differ, too. {_more(paired)}"
    if measure.kind != "qld":
        return f"{moved}: more than the choice of a seed explains."
    if paired.difference > 0:
        return f"{moved}: more than luck. The ranking finds examples that this prediction needs."
    return f"{moved}: more than luck. Random examples matter more to this prediction than those that the ranking names."


def _moved(measure: Measure) -> str:
    """What it was, what it is, and the difference."""
    before, after = (level(measure, value) for value in (measure.paired.before, measure.paired.after))
    if measure.kind == "qld":
        losses = f"its loss is {after} without the top 1%, and {before} without as many random"
        return f"{measure.name}: {losses}: {difference(measure)}"
    return f"{what(measure)} goes from {before} to {after}, {difference(measure)} {unit(measure)}"


def _more(paired: Paired) -> str:
    if not paired.difference:
        return "There is no difference that more seeds could confirm."
    wanted = paired.seeds_needed
    if wanted is None or wanted > MOST_SEEDS:
        return f"If the effect is really so small, even {MOST_SEEDS} seeds would hardly show it."
    return f"If the effect is really this large, about {max(wanted, paired.seeds + 1)} seeds would show it."


def headline(outcome: Outcome) -> Measure:
    """The measure that a what-if is about: QLD, or the first test sentence asked about, or else test accuracy."""
    return [*outcome.of("qld"), *outcome.of("test", "accuracy")][0]


def predictions(outcome: Outcome) -> str:
    """How many test predictions change, beside how many change by another seed alone."""
    said = f"{outcome.fixed:.1f} wrong test predictions turn right and {outcome.broken:.1f} right ones turn wrong"
    if outcome.control_flips is None:
        return f"{said}, on average."
    return f"{said}, on average; another seed alone turns {outcome.control_flips:.1f} one way or the other."


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON values; shares are 0 to 1, losses in nats."""
    return {
        "change": outcome.spec,
        "title": outcome.title,
        "method": outcome.method or None,
        "counts": outcome.counts,
        "class_counts": {"before": outcome.before, "after": outcome.after},
        "seeds": outcome.seeds,
        "trained": outcome.trained,
        "seconds": round(outcome.seconds, 1),
        "fixed": outcome.fixed,
        "broken": outcome.broken,
        "control_flips": outcome.control_flips,
        "measures": [_measure_as_json(measure) for measure in outcome.measures],
        "notes": outcome.notes,
    }


def _measure_as_json(measure: Measure) -> dict[str, Any]:
    paired = measure.paired
    return {
        "kind": measure.kind,
        "test_id": measure.name or None,
        "label": measure.label or None,
        "unit": "nats" if measure.kind in LOSSES else "share",
        "before": paired.before,
        "after": paired.after,
        "difference": paired.difference,
        "interval": paired.interval,
        "control_spread": paired.spread,
        "told_apart": paired.told_apart,
        "seeds_needed": paired.seeds_needed,
        "before_by_seed": paired.before_S,
        "after_by_seed": paired.after_S,
    }


def as_text(outcome: Outcome) -> str:
    """The outcome as a table for a terminal."""
    names = ("", "without", "with", "difference", "95% interval", "no-change spread")
    losses = ("in nats", "first", "then", *names[3:])
    asked, moved = ([_row(m) for m in outcome.of(*kinds)] for kinds in (("test", "accuracy", "class"), ("moved",)))
    ranked = [losses, *map(_row, outcome.of(*LOSSES))] if outcome.method else []
    widths = [max(len(row[column]) for row in (names, *asked, *moved, *ranked)) for column in range(len(names))]

    def lines(rows: list[tuple[str, ...]]) -> list[str]:
        return ["  ".join((f"{r[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(r[1:], widths[1:], strict=True)))) for r in rows]

    head = f"{outcome.title}: {changes(outcome.counts)}; {len(outcome.seeds)} seeds, without and with the change"
    picked = ["moved most, picked for that, so that their intervals flatter:", *lines(moved)] if moved else []
    said = [verdict(headline(outcome)), predictions(outcome)]
    return "\n".join([head, *lines([*ranked, names, *asked]), *picked, *said])


def _row(measure: Measure) -> tuple[str, ...]:
    sides = (level(measure, measure.paired.before), level(measure, measure.paired.after))
    return (what(measure), *sides, difference(measure), interval(measure), spread(measure))
