"""Counts of labels in words."""

from collections.abc import Mapping

MOST = 6


def counts(labels: Mapping[str, int]) -> str:
    """How many examples carry each label, the most frequent first: `12 neg, 3 pos`."""
    ranked = sorted(((count, label) for label, count in labels.items() if count), key=lambda pair: -pair[0])
    shown = ", ".join(f"{count:,} {label}" for count, label in ranked[:MOST])
    rest = len(ranked) - MOST
    return shown + (f" and {rest} more labels" if rest > 0 else "")
