"""Decisions and actions, and the labels they are about, in a few words."""

from collections.abc import Mapping, Sequence

from influence.review import Action, Decision

MOST_LABELS = 6
VERBS = {"keep": "keep", "remove": "remove", "flag": "flag", "skip": "skip", "note": "note", "import": "import"}


def verdict(kind: str, new_label: str | None, words: Sequence[str]) -> str:
    """What was decided: `keep`, `→ pos`, `mask “good”`."""
    if kind == "relabel":
        return "→ suggested labels" if new_label is None else f"→ {new_label}"
    if kind == "mask":
        return "mask " + ", ".join(f"“{word}”" for word in words)
    return VERBS.get(kind, kind)


def of_decision(decision: Decision) -> str:
    """What one reviewer decided on one example."""
    return verdict(decision.kind, decision.new_label, decision.words)


def of_action(action: Action) -> str:
    """What one key press or one bulk command did, with the number of examples where there are several."""
    what = verdict(action.kind, action.new_label, action.words)
    count = len(action.example_ids)
    return what if count == 1 else f"{what} × {count:,}"


def origin(action: Action) -> str:
    """Where a bulk action came from; empty for a single one."""
    kind = action.origin.get("kind")
    if "rule" in action.origin:
        return "a rule"
    return {"cluster": "a cluster", "filter": "a filter", "selection": "a selection", "word": "a word"}.get(str(kind), "")


def label_counts(labels: Mapping[str, int]) -> str:
    """How many examples carry each label, the most frequent first: `12 neg, 3 pos`."""
    ranked = sorted(((count, label) for label, count in labels.items() if count), key=lambda pair: -pair[0])
    shown = ", ".join(f"{count:,} {label}" for count, label in ranked[:MOST_LABELS])
    rest = len(ranked) - MOST_LABELS
    return shown + (f" and {rest} more labels" if rest > 0 else "")
