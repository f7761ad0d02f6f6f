"""Bringing decisions back from a fix list: each row is again the decision of whoever made it, and says when.

found = plan_import(reviews, fixes, by)         # what of it is new, what stands already, what goes against a decision here
take_in(reviews, found, by, source)             # as decisions; a second time nothing is new
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from influence.errors import QueryError, SettingsError
from influence.fixes.fixlist import Fix
from influence.review import IMPORTED, NAMES_JOIN, Action, Event, Evidence, Reviewer, Reviews, checked_event

GONE, CHANGED = "there is no example of that id", "its text is another one here"


class Misfit(NamedTuple):
    """A row that cannot be taken in, and why."""

    fix: Fix
    why: str


class Clash(NamedTuple):
    """A row whose reviewer has decided something else here; what stands here stays."""

    fix: Fix
    reviewer: str
    here: str


@dataclass
class ImportPlan:
    """What taking a fix list in would do; rows of several reviewers count once for each of them."""

    rows: int = 0
    new: dict[str, list[tuple[Fix, Event]]] = field(default_factory=dict)  # by reviewer
    same: int = 0  # decided so already, or in the data
    clashes: list[Clash] = field(default_factory=list)
    misfits: list[Misfit] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # what else is to be said of the file
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of examples: what those who decided were shown

    @property
    def counts(self) -> dict[str, int]:
        """How many decisions are new, by reviewer."""
        return {name: len(found) for name, found in self.new.items() if found}

    @property
    def total(self) -> int:
        """How many decisions are new."""
        return sum(self.counts.values())

    @property
    def notes(self) -> list[str]:
        """What is not taken in, one line each."""
        why = Counter(misfit.why for misfit in self.misfits)
        return [
            *self.remarks,
            *([f"{self.same:,} stand here already"] if self.same else []),
            *(
                f"{one.fix.example_id}: {one.reviewer} has decided {one.here!r} here and {one.fix.action!r} in the file; the one "
                "here stays"
                for one in self.clashes
            ),
            *(f"{count:,} left out: {reason}" for reason, count in why.most_common()),
        ]


def plan_import(reviews: Reviews, fixes: Iterable[Fix], by: Reviewer) -> ImportPlan:
    """Look at the rows of a fix list before anything is written. `by` has decided the rows that name nobody.

    A row fits an example of the same id whose text has the same hash, or had it before words were masked in it.
    """
    plan, standings = ImportPlan(), dict[str, dict[str, tuple[object, str]]]()
    for fix in fixes:
        plan.rows += 1
        if not reviews.is_current(fix.example_id, fix.text_sha256):
            plan.misfits.append(Misfit(fix, CHANGED if fix.example_id in reviews.corpus.examples else GONE))
            continue
        names = [name.strip() for name in fix.reviewer.split(NAMES_JOIN.strip()) if name.strip()] or [by.name]
        for name in names:
            if name not in standings:
                standings[name] = _standing(reviews, name)
            _place(reviews, plan, fix, name, standings[name])
    return plan


def _standing(reviews: Reviews, name: str) -> dict[str, tuple[object, str]]:
    """What a reviewer has decided, by example: the outcome, and in a word."""
    try:
        found = reviews.decisions(reviewer=Reviewer(name=name))
    except SettingsError:
        return {}
    return {d.example_id: (d.outcome, d.verdict) for d in found if not d.adjudicates}


def _place(reviews: Reviews, plan: ImportPlan, fix: Fix, name: str, standing: dict[str, tuple[object, str]]) -> None:
    """Put one person's decision where it belongs."""
    example = reviews.corpus[fix.example_id]
    if fix.example_id in standing:
        outcome, verdict = standing[fix.example_id]
        if outcome == fix.edit.outcome:
            plan.same += 1
        else:
            plan.clashes.append(Clash(fix, name, verdict))
        return
    if fix.edit.does.relabels and example.label == fix.new_label:
        plan.same += 1
        return
    if fix.old_label != example.label:
        plan.misfits.append(Misfit(fix, f"its label here is {example.label!r}, not {fix.old_label!r}"))
        return
    try:
        who = Reviewer(name=name).name
        plan.new.setdefault(who, []).append((fix, checked_event(reviews.corpus, example, fix.edit, fix.reason)))
    except (QueryError, SettingsError) as error:
        plan.misfits.append(Misfit(fix, str(error)))


def take_in(reviews: Reviews, plan: ImportPlan, by: Reviewer, source: str) -> list[Action]:
    """Record what is new, one action a reviewer, which can be taken back as one; `source` names the file in the log.

    Who decided first, and when, is in the evidence, and a fix list says it again.
    """
    made = []
    with reviews.log.lock:
        for name, found in plan.new.items():
            evidence = {
                fix.example_id: Evidence(
                    method=fix.method,
                    score=fix.score,
                    details={**plan.details.get(fix.example_id, {}), "reviewer": fix.reviewer, "decided_at": fix.decided_at},
                )
                for fix, _ in found
            }
            who = Reviewer(name=name, auth=by.auth if name == by.name else IMPORTED, session=by.session)
            origin = {IMPORTED: len(found), "by": by.name, "file": source}
            action = reviews.act(who, [event for _, event in found], evidence, origin=origin)
            made += [] if action is None else [action]
    return made
