"""The fix list: what reviewers' decisions, taken together, change about the training data, and why."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from influence.data import Edit, listed_kinds
from influence.review import (
    IMPORTED,
    NAMES_JOIN,
    Corpus,
    Decision,
    Note,
    Resolution,
    Reviews,
    TrainExample,
    iso,
    resolve,
)
from influence.rules import UNKNOWN, AppliedRule, applied_rules, rule_of


class Fix(NamedTuple):
    """One row of a fix list, its fields the columns of an exported one. The SHA-256 of `text` is `text_sha256`."""

    example_id: str
    action: str  # remove, relabel, mask or keep
    old_label: str
    new_label: str | None  # of relabel only
    words: tuple[str, ...]  # of mask only
    reason: str
    reviewer: str  # several are joined by "; "
    decided_at: str  # ISO 8601, UTC
    method: str | None  # that brought the example up for review, and its score
    score: float | None
    text_sha256: str
    text: str

    @property
    def edit(self) -> Edit:
        """What becomes of the example."""
        return Edit(self.action, self.new_label, self.words)


class Unmatched(NamedTuple):
    """A decision that does not fit this build of the data, and why."""

    decision: Decision
    why: str


@dataclass(frozen=True)
class FixList:
    """What to change, and everything a person should know before they do."""

    fixes: list[Fix]  # in the data's order
    conflicts: list[Resolution]  # reviewers disagree; those without a decision are not among `fixes`
    unmatched: list[Unmatched]  # made on other data: not among `fixes`
    settled: list[Decision]  # relabels that the data has already
    flagged: list[str]  # examples among `fixes` that somebody has flagged since deciding
    applied: int  # examples that the data has fixed already: it was built again with the decisions on them
    rules: list[AppliedRule]  # that stand
    before: dict[str, int]  # class counts
    after: dict[str, int]
    policy: str
    build: str

    @property
    def counts(self) -> dict[str, int]:
        """How many fixes there are of each action."""
        found = Counter(fix.action for fix in self.fixes)
        return {action: found[action] for action in listed_kinds()}

    @property
    def changes(self) -> int:
        """How many of them change the data; the others keep an example as it is."""
        return sum(fix.edit.does.changes_data for fix in self.fixes)

    @property
    def notes(self) -> list[str]:
        """What is not among the fixes, and what to look at, one line each."""
        left_out = sum(resolution.decision is None for resolution in self.conflicts)
        said = (
            ("examples left out, as their reviewers disagree", left_out),
            (f"disagreements settled by policy {self.policy!r}", len(self.conflicts) - left_out),
            ("decisions left out, as they were made on other data than this build's", len(self.unmatched)),
            ("relabels left out, as the data has the new label already", len(self.settled)),
            ("fixes of examples that somebody has flagged since", len(self.flagged)),
            ("examples that this data has fixed already, as it was built with the decisions on them", self.applied),
        )
        return [f"{what}: {count:,}" for what, count in said if count]


def fix_list(
    reviews: Reviews, *, policy: str = "majority", reviewers: Collection[str] | None = None, with_notes: bool = True
) -> FixList:
    """The standing decisions of all reviewers, or of some, as one list; see `review.resolve` for `policy`.

    Decisions outlive a rebuild: they are matched by id and text, and those that do not fit are listed apart. Without notes
    nothing that a person has written stands among the reasons, nor what a fix list that was brought back gave as one.
    """
    corpus, notes = reviews.corpus, reviews.all_notes() if with_notes else None
    asked, lost = (_open(reviews, reviewers, unmatched=unmatched) for unmatched in (False, True))
    gone, changed = "there is no example of that id", "its text has changed"
    unmatched = [Unmatched(d, changed if d.example_id in corpus.examples else gone) for d in lost]
    unmatched += [Unmatched(d, f"its label is no longer {d.old_label!r}") for d in asked if _is_stale(corpus, d)]
    place = {id: position for position, id in enumerate(corpus.examples)}
    resolved = resolve((d for d in asked if not _is_stale(corpus, d)), policy)
    resolved.sort(key=lambda resolution: place[resolution.example_id])
    fixes = [
        _fix(corpus[r.example_id], r.decision, r, None if notes is None else notes.get(r.example_id, []))
        for r in resolved
        if r.decision is not None and r.decision.edit.does.listed and not _is_settled(corpus, r.decision)
    ]
    edits = {fix.example_id: fix.edit for fix in fixes}
    before, after = corpus.balance(edits)
    return FixList(
        fixes=fixes,
        conflicts=[r for r in resolved if r.conflicted and r.how != "adjudicated"],
        unmatched=unmatched,
        settled=[d for d in asked if _is_settled(corpus, d)],
        flagged=[id for id in reviews.flagged() if id in edits],
        applied=len(corpus.applied.until),
        rules=[rule for rule in applied_rules(reviews) if not rule.action.undone],
        before=before,
        after=after,
        policy=policy,
        build=corpus.build,
    )


def _open(reviews: Reviews, reviewers: Collection[str] | None, *, unmatched: bool) -> list[Decision]:
    """The standing decisions of these reviewers that are not in the data already."""
    found, applied = reviews.decisions(unmatched=unmatched), reviews.corpus.applied
    return [d for d in found if (reviewers is None or d.reviewer in reviewers) and not applied.covers(d.example_id, d.action)]


def _is_stale(corpus: Corpus, decision: Decision) -> bool:
    """A label was kept that the data no longer gives."""
    return decision.kind == "keep" and corpus[decision.example_id].label != decision.old_label


def _is_settled(corpus: Corpus, decision: Decision) -> bool:
    """The data has the new label already."""
    return decision.edit.does.relabels and corpus[decision.example_id].label == decision.new_label


def _fix(example: TrainExample, decision: Decision, resolution: Resolution, notes: list[Note] | None) -> Fix:
    return Fix(
        example_id=example.id,
        action=decision.kind,
        old_label=example.label,
        new_label=decision.new_label,
        words=decision.words,
        reason=_reason(decision, resolution, notes),
        reviewer=NAMES_JOIN.join(resolution.reviewers),
        decided_at=_decided_at(decision),
        method=decision.method,
        score=decision.score,
        text_sha256=example.text_sha256,
        text=example.whole_text,
    )


def _decided_at(decision: Decision) -> str:
    """When it was decided; of one that was brought back from a file what that said."""
    kept = decision.evidence.get("decided_at") if IMPORTED in decision.origin else None
    return kept if isinstance(kept, str) and kept else iso(decision.at)


def _reason(decision: Decision, resolution: Resolution, notes: list[Note] | None) -> str:
    """The notes of those whose decision it is, else the rule or the suspicion behind it; then how it was settled."""
    parts = list(dict.fromkeys(note.text for note in notes or () if note.reviewer in resolution.reviewers))
    reason = None if notes is None and IMPORTED in decision.origin else decision.evidence.get("reason")
    if "rule" in decision.origin:
        parts.append(f"rule: {rule_of(decision.origin) or UNKNOWN}")
    elif not parts and isinstance(reason, str):
        parts.append(reason)
    if resolution.how == "adjudicated":
        parts.append("adjudicated")
    elif resolution.conflicted:
        parts.append(f"{resolution.how} of {len(resolution.decisions)} reviewers")
    return "; ".join(parts)
