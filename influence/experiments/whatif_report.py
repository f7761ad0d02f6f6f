"""What a what-if's numbers say, in plain words: the same on the command line and on screen."""

from collections.abc import Mapping
from typing import Any

from influence.experiments.whatif import Measure, Outcome

MINUS = "−"


def what(measure: Measure) -> str:
    """What a measure is of."""
    if measure.kind in ("test", "moved"):
        return f"{measure.name}: probability of {measure.label}"
    return "Test accuracy" if measure.kind == "accuracy" else f"Accuracy on {measure.label}"


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign: +12.3."""
    text = f"{100 * value:+.1f}"
    return text.replace("+0.0", "0.0").replace("-0.0", "0.0").replace("-", MINUS)


def interval(measure: Measure) -> str:
    """The 95 % interval of the difference in percentage points; a dash with one seed."""
    found = measure.paired.interval
    return "–" if found is None else f"{points(found[0])} to {points(found[1])}"


def changes(counts: Mapping[str, int]) -> str:
    """How many examples a change takes: 3 removed, 1 masked."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing"


def verdict(measure: Measure) -> str:
    """Whether a measure's difference is more than the seeds alone explain, in one sentence."""
    paired = measure.paired
    moved = f"{what(measure)} goes from {paired.before:.1%} to {paired.after:.1%}, {points(paired.difference)} points"
    if paired.interval is None:
        return f"{moved}; one seed cannot say whether that is the change or the seed."
    within = f"95% interval {interval(measure)} over {paired.seeds} seeds"
    if paired.told_apart:
        return f"{moved} ({within}): more than the choice of a seed explains."
    assert paired.spread is not None  # with more than one seed
    hint = f"without any change it differs by up to {100 * paired.spread:.1f} points from seed to seed"
    return f"{moved} ({within}): cannot be told from seed noise; {hint}."


def headline(outcome: Outcome) -> Measure:
    """The measure that a what-if is about: the first test sentence asked about, else test accuracy."""
    return outcome.of("test", "accuracy")[0]


def predictions(outcome: Outcome) -> str:
    """How many test predictions change, beside how many change by another seed alone."""
    said = f"{outcome.fixed:.1f} wrong test predictions turn right and {outcome.broken:.1f} right ones turn wrong"
    if outcome.control_flips is None:
        return f"{said}, on average."
    return f"{said}, on average; another seed alone turns {outcome.control_flips:.1f} one way or the other."


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON values; shares are 0 to 1."""
    return {
        "change": outcome.spec,
        "title": outcome.title,
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
        "before": paired.before,
        "after": paired.after,
        "difference": paired.difference,
        "interval": paired.interval,
        "control_spread": paired.spread,
        "told_apart": paired.told_apart,
        "before_by_seed": paired.before_S,
        "after_by_seed": paired.after_S,
    }


def as_text(outcome: Outcome) -> str:
    """The outcome as a table for a terminal."""
    names = ("", "without", "with", "difference", "95% interval", "no-change spread")
    asked, moved = ([_row(m) for m in outcome.measures if (m.kind == "moved") is picked] for picked in (False, True))
    widths = [max(len(row[column]) for row in (names, *asked, *moved)) for column in range(len(names))]

    def lines(rows: list[tuple[str, ...]]) -> list[str]:
        return ["  ".join((f"{r[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(r[1:], widths[1:], strict=True)))) for r in rows]

    head = f"{outcome.title}: {changes(outcome.counts)}; {len(outcome.seeds)} seeds, without and with the change"
    picked = ["moved most, picked for that, so that their intervals flatter:", *lines(moved)] if moved else []
    return "\n".join([head, *lines([names, *asked]), *picked, verdict(headline(outcome)), predictions(outcome)])


def _row(measure: Measure) -> tuple[str, ...]:
    paired = measure.paired
    spread = "–" if paired.spread is None else f"{100 * paired.spread:.1f}"
    cells = (f"{paired.before:.1%}", f"{paired.after:.1%}", points(paired.difference), interval(measure), spread)
    return (what(measure), *cells)
