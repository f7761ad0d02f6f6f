"""Decisions on many examples at once: what they would change, looked at before they are made, and taken back as one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from influence.data import Edit
from influence.review.events import Action, Evidence, Reviewer, checked_event
from influence.review.reviews import NO_EVIDENCE, Reviews


@dataclass(frozen=True)
class BulkPreview:
    """What deciding many examples at once would do. Its first four groups hold every example that was asked for once."""

    free: tuple[str, ...]  # fits, and this reviewer has not decided them
    decided: tuple[str, ...]  # fits, but this reviewer has decided them otherwise
    same: tuple[str, ...]  # this reviewer has decided them so already
    unfit: tuple[str, ...]  # it would change nothing about them: of that label already, without the words
    changed: tuple[str, ...]  # would be decided: `free`, and `decided` where those are not to stay
    labels: dict[str, int]  # of `changed`
    before: dict[str, int]  # class counts of the data as it is, and with `changed` decided so
    after: dict[str, int]


def preview_bulk(reviews: Reviews, reviewer: Reviewer, edits: Mapping[str, Edit], *, keep_decided: bool = True) -> BulkPreview:
    """What edits, by example, would change; with `keep_decided` what the reviewer has decided otherwise stays so.

    Raises `QueryError` for an unknown example or label.
    """
    corpus = reviews.corpus
    for label in {edit.new_label for edit in edits.values()} - {None}:
        corpus.checked_label(str(label))
    groups: dict[str, list[str]] = {name: [] for name in ("free", "decided", "same", "unfit")}
    standing = {d.example_id: d for d in reviews.decisions(edits, reviewer=reviewer) if not d.adjudicates}
    for id, edit in edits.items():
        if not edit.fits(corpus[id]) or edit.misuse is not None:
            groups["unfit"].append(id)
        elif id not in standing:
            groups["free"].append(id)
        else:
            groups["same" if standing[id].outcome == edit.outcome else "decided"].append(id)
    changed = groups["free"] + ([] if keep_decided else groups["decided"])
    before, after = corpus.balance({id: edits[id] for id in changed})
    counts = corpus.class_counts(corpus[id].label for id in changed)
    return BulkPreview(
        **{name: tuple(ids) for name, ids in groups.items()},
        changed=tuple(changed),
        labels={label: count for label, count in counts.items() if count},
        before=before,
        after=after,
    )


def decide_bulk(
    reviews: Reviews,
    reviewer: Reviewer,
    edits: Mapping[str, Edit],
    *,
    keep_decided: bool = True,
    evidence: Evidence | Mapping[str, Evidence] = NO_EVIDENCE,
    origin: Mapping[str, Any] | None = None,
    note: str = "",
) -> Action | None:
    """Decide edits, by example, as one action, undone as one; None if that leaves nothing to decide.

    Raises as `Reviews.decide` does.
    """
    with reviews.log.lock:
        found = preview_bulk(reviews, reviewer, edits)
        ids = found.free if keep_decided else (*found.free, *found.decided)
        events = [checked_event(reviews.corpus, reviews.corpus[id], edits[id], note) for id in ids]
        return reviews.act(reviewer, events, evidence, origin=origin)
