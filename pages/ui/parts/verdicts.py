"""What can be done with an example, in words: on buttons, before and after it is done, and in rules; counts of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from influence.data import EDIT_KINDS, Edit
from influence.review import Action, Decision, Reviews

MOST_LABELS = 6


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How one kind of decision, or a flag or skip, goes by on screen; what is empty is not offered there."""

    button: str = ""  # on the Review page, in the order of the table
    key: str = ""  # that presses it
    help: str | None = None
    together: str = ""  # the button for many examples at once
    ask: str = ""  # begins the question before that is done: "Remove" 12 of 20
    rule: str = ""  # what a rule's matches "are to be"
    done: str = ""  # what has become of examples: 12 of them "relabelled"; as `rule` where it is empty
    does: str = ""  # what a change that is tried out does to examples
    becomes: tuple[str, str] | None = None  # a chip and its look, for what becomes of the label


WORDINGS: dict[str, Wording] = {
    "relabel": Wording(together="Relabel to…", ask="Relabel to", rule="relabelled", does="relabels"),
    "keep": Wording(button="Keep", key="K", together="Keep", ask="Keep", rule="kept as they are"),
    "remove": Wording(
        button="Remove", key="X", together="Mark for removal", ask="Mark for removal:", rule="removed", does="removes",
        becomes=("removed", "gone"),
    ),
    "mask": Wording(
        button="Mask words", key="M", together="Mask words…", ask="Mask words in", rule="masked of these words",
        done="with words masked", does="masks words in",
    ),
    "flag": Wording(button="Flag", key="F", together="Flag", ask="Flag", help="Not sure: comes back in “My flagged ones”"),
    "skip": Wording(button="Skip", key="S", help="Not me: others may decide it"),
}  # fmt: skip


def rule_actions() -> dict[str, str]:
    """What a rule can do, as its matches "are to be"; what changes the data first."""
    found = {kind: WORDINGS[kind].rule for kind in EDIT_KINDS if kind in WORDINGS and WORDINGS[kind].rule}
    return dict(sorted(found.items(), key=lambda item: not EDIT_KINDS[item[0]].changes_data))


def done(kind: str) -> str:
    """What has become of examples after an edit, as it follows their number; a kind that is not known here by its name."""
    wording = WORDINGS.get(kind, Wording())
    return wording.done or wording.rule or kind


def becomes(old: str, edit: Edit) -> list[tuple[str, str]]:
    """What an edit makes of a label, as chips."""
    chip = (edit.new_label, "new") if edit.new_label is not None else WORDINGS.get(edit.kind, Wording()).becomes
    return [(old, "label"), (edit.kind, "quiet")] if chip is None else [(old, "label"), ("→", "arrow"), chip]


def label_change(old: str, new: str | None) -> list[tuple[str, str]]:
    """A label and the one suggested instead, as chips; by itself where none or no other is."""
    return [(old, "label")] if new is None or new == old else [(old, "label"), ("→", "arrow"), (new, "new")]


def verdict(kind: str, new_label: str | None, words: Sequence[str]) -> str:
    """What was decided: `keep`, `→ pos`, `mask “good”`."""
    if Edit(kind).does.relabels:
        return "→ suggested labels" if new_label is None else f"→ {new_label}"
    return " ".join([kind, ", ".join(f"“{word}”" for word in words)]).strip()


def of_decision(decision: Decision) -> str:
    """What one reviewer decided on one example."""
    return verdict(decision.kind, decision.new_label, decision.words)


def standing(reviews: Reviews, ids: Sequence[str]) -> dict[str, str]:
    """What each reviewer decided on some examples, by the example's id: `ann: keep; ben: → pos`."""
    said: dict[str, list[str]] = {}
    for one in reviews.decisions(ids):
        said.setdefault(one.example_id, []).append(f"{one.reviewer}: {of_decision(one)}")
    return {id: "; ".join(parts) for id, parts in said.items()}


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
