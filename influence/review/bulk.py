"""One decision on many examples: what it would change, looked at before it is made, and taken back as one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from influence.review.checks import changes, checked_event
from influence.review.events import Action, Evidence, Reviewer
from influence.review.reviews import NO_EVIDENCE, Reviews


@dataclass(frozen=True)
class Bulk:
    """What to decide on which examples. `new_labels` gives each example its own label; else `new_label` is for all."""

    example_ids: tuple[str, ...]
    kind: str
    new_label: str | None = None
    new_labels: Mapping[str, str] | None = None
    words: tuple[str, ...] = ()

    def label_of(self, example_id: str) -> str | None:
        """The label that an example would get."""
        return self.new_label if self.new_labels is None else self.new_labels.get(example_id)


@dataclass(frozen=True)
class BulkPreview:
    """What a bulk decision would do. Its first four groups hold every example that was asked for once."""

    free: tuple[str, ...]  # fits, and this reviewer has not decided them
    decided: tuple[str, ...]  # fits, but this reviewer has decided them otherwise
    same: tuple[str, ...]  # this reviewer has decided them so already
    unfit: tuple[str, ...]  # it would change nothing about them: of that label already, without the words
    changed: tuple[str, ...]  # would be decided: `free`, and `decided` where those are not to stay
    labels: dict[str, int]  # of `changed`
    before: dict[str, int]  # class counts of the data as it is, and with `changed` decided so
    after: dict[str, int]


def preview_bulk(reviews: Reviews, reviewer: Reviewer, bulk: Bulk, *, keep_decided: bool = True) -> BulkPreview:
    """What a bulk decision would change; with `keep_decided` what the reviewer has decided otherwise stays so.

    Raises `QueryError` for an unknown example or label.
    """
    corpus = reviews.corpus
    for label in {bulk.new_label, *(bulk.new_labels or {}).values()} - {None}:
        corpus.checked_label(str(label))
    groups: dict[str, list[str]] = {name: [] for name in ("free", "decided", "same", "unfit")}
    standing = {d.example_id: d for d in reviews.decisions(bulk.example_ids, reviewer=reviewer) if not d.adjudicates}
    words = tuple(sorted(word.casefold() for word in bulk.words))
    for id in dict.fromkeys(bulk.example_ids):
        if not _fits(reviews, bulk, id):
            groups["unfit"].append(id)
        elif id not in standing:
            groups["free"].append(id)
        else:
            groups["same" if standing[id].outcome == (bulk.kind, bulk.label_of(id), words) else "decided"].append(id)
    changed = groups["free"] + ([] if keep_decided else groups["decided"])
    before, after = corpus.class_counts(), corpus.class_counts()
    for id in changed if bulk.kind in ("relabel", "remove") else ():
        after[corpus[id].label] -= 1
        if (label := bulk.label_of(id)) is not None:
            after[label] += 1
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
    bulk: Bulk,
    *,
    keep_decided: bool = True,
    evidence: Evidence | Mapping[str, Evidence] = NO_EVIDENCE,
    origin: Mapping[str, Any] | None = None,
    note: str = "",
) -> Action | None:
    """Make a bulk decision as one action, undone as one; None if it leaves nothing to decide.

    Raises as `Reviews.decide` does.
    """
    with reviews.log.lock:
        found = preview_bulk(reviews, reviewer, bulk)
        ids = found.free if keep_decided else (*found.free, *found.decided)
        events = [checked_event(reviews.corpus, reviews.corpus[id], bulk.kind, bulk.label_of(id), bulk.words, note) for id in ids]
        return reviews.act(reviewer, events, evidence, origin=origin)


def _fits(reviews: Reviews, bulk: Bulk, example_id: str) -> bool:
    label = bulk.label_of(example_id)
    if (bulk.kind == "relabel") != (label is not None):
        return False
    return changes(reviews.corpus[example_id], bulk.kind, label, bulk.words)
