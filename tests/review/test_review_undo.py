"""Undo and redo against a model of plain lists, over random histories of two reviewers; HISTORIES sets how many."""

import os
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from reviewing import ROWS, decide_many, make_workspace, reviews_at

from influence.errors import QueryError
from influence.review.events import Reviewer

NAMES = ("ann", "bob")
WHO = st.sampled_from(NAMES)
EXAMPLES = st.sampled_from([row[0] for row in ROWS[:3]])
KINDS = st.sampled_from(["keep", "remove", "flag", "skip", "relabel"])
LABELS = {row[0]: row[2] for row in ROWS}
DECISIONS = ("keep", "remove", "relabel")
DECIDING = st.sampled_from(DECISIONS)


class History(RuleBasedStateMachine):
    """The model: per reviewer the actions done, in order, and those undone, to be redone; an action is (id, items)."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.workspace = make_workspace(Path(self.folder.name) / "ws")
        self.reviews = reviews_at(self.workspace)
        self.done: dict[str, list[int]] = {name: [] for name in NAMES}
        self.undone: dict[str, list[int]] = {name: [] for name in NAMES}
        self.made: dict[int, tuple[str, list[tuple[str, str]]]] = {}

    def teardown(self) -> None:
        self.reviews.close()
        self.workspace.close()
        self.folder.cleanup()

    def latest(self, who: str, example: str, kinds: tuple[str, ...]) -> str | None:
        """What the reviewer last did to an example, of the given kinds, that is not undone."""
        for action in sorted(self.done[who], reverse=True):
            for item, kind in self.made[action][1]:
                if item == example and kind in kinds:
                    return kind
        return None

    def did(self, who: str, action: int, items: list[tuple[str, str]]) -> None:
        self.made[action] = (who, items)
        self.done[who].append(action)
        self.undone[who].clear()

    @rule(who=WHO, example=EXAMPLES, kind=KINDS)
    def decide(self, who: str, example: str, kind: str) -> None:
        label = "Sport" if kind == "relabel" else None
        action = self.reviews.decide(Reviewer(name=who), example, kind, new_label=label)
        if self.latest(who, example, (*DECISIONS, "flag", "skip")) == kind:
            assert action is None
        else:
            assert (action.reviewer, action.kind, action.example_ids) == (who, kind, (example,))
            self.did(who, action.id, [(example, kind)])

    @rule(who=WHO, examples=st.lists(EXAMPLES, min_size=1, max_size=3, unique=True), kind=DECIDING)
    def decide_many(self, who: str, examples: list[str], kind: str) -> None:
        label = "Sport" if kind == "relabel" else None
        action = decide_many(self.reviews, Reviewer(name=who), examples, kind, new_label=label)
        latest = {e: self.latest(who, e, DECISIONS) for e in examples}
        fresh = sorted((e for e in examples if latest[e] != kind), key=lambda e: latest[e] is not None)  # the undecided first
        assert (() if action is None else action.example_ids) == tuple(fresh)
        if action is not None:
            self.did(who, action.id, [(example, kind) for example in fresh])

    @rule(who=WHO, example=EXAMPLES)
    def note(self, who: str, example: str) -> None:
        action = self.reviews.add_note(Reviewer(name=who), example, "hm")
        self.did(who, action.id, [(example, "note")])

    @rule(who=WHO)
    def undo(self, who: str) -> None:
        action = self.reviews.undo(Reviewer(name=who))
        if not self.done[who]:
            assert action is None
        else:
            target = max(self.done[who])
            assert (action.id, action.undone) == (target, True)
            self.done[who].remove(target)
            self.undone[who].append(target)

    @rule(who=WHO)
    def redo(self, who: str) -> None:
        offered = self.reviews.redoable(Reviewer(name=who))
        action = self.reviews.redo(Reviewer(name=who))
        assert (offered and offered.id) == (action and action.id)
        if not self.undone[who]:
            assert action is None
        else:
            target = self.undone[who].pop()
            assert (action.id, action.undone) == (target, False)
            self.done[self.made[target][0]].append(target)

    @precondition(lambda self: self.made)
    @rule(who=WHO, data=st.data())
    def revoke(self, who: str, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(sorted(self.made)))
        owner = self.made[target][0]
        if target not in self.done[owner]:
            try:
                self.reviews.revoke(Reviewer(name=who), target)
                raise AssertionError("what does not stand cannot be revoked")
            except QueryError:
                return
        assert self.reviews.revoke(Reviewer(name=who), target).id == target
        self.done[owner].remove(target)
        self.undone[who].append(target)

    @rule()
    def reopen(self) -> None:
        self.reviews.close()
        self.reviews = reviews_at(self.workspace)

    @invariant()
    def agrees(self) -> None:
        wanted = {(example, who): kind for who in NAMES for example in LABELS if (kind := self.latest(who, example, DECISIONS))}
        assert {(d.example_id, d.reviewer): d.kind for d in self.reviews.decisions()} == wanted
        for who in NAMES:
            statuses = (*DECISIONS, "flag", "skip")
            flagged = {example for example in LABELS if self.latest(who, example, statuses) == "flag"}
            assert set(self.reviews.flagged(Reviewer(name=who))) == flagged
            standing = sorted(self.done[who], reverse=True)[:10]
            assert [action.id for action in self.reviews.recent(Reviewer(name=who))] == standing


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=int(os.environ.get("HISTORIES", "5")), stateful_step_count=30, deadline=None)
