"""Reviewing training examples: decisions, notes, undo, and what stands.

    reviews = open_reviews(workspace)
    reviews.decide(Reviewer(name="ann"), "rt-0005", "relabel", new_label="pos")

Everything that is written is on disk when a call returns. Nothing is ever overwritten: an undo is one more event.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from influence.data import EDIT_KINDS, Edit
from influence.errors import QueryError
from influence.review import state
from influence.review.corpus import Corpus, TrainExample
from influence.review.events import (
    NOTE,
    REDO,
    UNDO,
    Action,
    Decision,
    Event,
    Evidence,
    Note,
    Reviewer,
    as_action,
    checked_event,
    checked_note,
    plain,
    statuses,
)
from influence.review.log import ReviewLog, open_log, open_log_for_reading
from influence.workspace import WorkspaceReader

NO_EVIDENCE = Evidence()


class Reviews:
    """The reviews of a workspace as seen from one of its builds."""

    def __init__(self, workspace: WorkspaceReader, log: ReviewLog) -> None:
        self.workspace, self.log, self.corpus = workspace, log, Corpus(workspace)
        self.controls_by_queue: dict[str, dict[str, str]] = {}  # as far as they were asked for

    @property
    def warnings(self) -> list[str]:
        """What was mended or lost in the review files since they were opened, one line each."""
        return list(self.log.warnings)

    def close(self) -> None:
        """Close the files."""
        self.log.close()

    def decide(
        self,
        reviewer: Reviewer,
        example_id: str,
        kind: str,
        *,
        new_label: str | None = None,
        words: Sequence[str] = (),
        note: str = "",
        evidence: Evidence = NO_EVIDENCE,
        queue: str | None = None,
        adjudicates: bool = False,
        again: bool = False,
    ) -> Action | None:
        """Keep, relabel, remove or mask an example, or flag or skip it. None if it stands so already, unless asked for `again`.

        Raises `QueryError` for an unknown example or label and `SettingsError` for a decision that changes nothing.
        """
        event = checked_event(self.corpus, self.shown(example_id, queue), Edit(kind, new_label, tuple(words)), note)
        with self.log.lock:
            standing = self.standing(example_id, reviewer, adjudicates=adjudicates, queue=queue)
            if standing is not None and event.repeats(standing) and not again:
                return None
            return self.act(reviewer, [event], evidence, queue=queue, adjudicates=adjudicates)

    def add_note(self, reviewer: Reviewer, example_id: str, note: str, *, queue: str | None = None) -> Action | None:
        """Remark on an example, without deciding; None for a blank note."""
        example, text = self.shown(example_id, queue), checked_note(note)
        if not text:
            return None
        event = Event(Edit(NOTE), example.id, example.text_sha256, example.label, text)
        return self.act(reviewer, [event], NO_EVIDENCE, queue=queue)

    def undo(self, reviewer: Reviewer) -> Action | None:
        """Take back the reviewer's latest action that stands, bulk ones as one; None when nothing is left to take back.

        An example that was decided by itself is leased to the reviewer again.
        """
        with self.log.lock:
            return self._turn(reviewer, UNDO, next((action.id for action in self.recent(reviewer, 1)), None))

    def redo(self, reviewer: Reviewer) -> Action | None:
        """Do again what the reviewer undid last; None when there is nothing, or they have done something new since."""
        with self.log.lock:
            return self._turn(reviewer, REDO, state.redo_target(self.log.store, reviewer.name))

    def redoable(self, reviewer: Reviewer) -> Action | None:
        """What `redo` would do again; None for nothing."""
        target = state.redo_target(self.log.store, reviewer.name)
        return None if target is None else self.action(target)

    def revoke(self, reviewer: Reviewer, action_id: int) -> Action:
        """Take back one action out of turn, such as a rule, whoever made it. Raises `QueryError` if it does not stand."""
        with self.log.lock:
            action = self.action(action_id)
            if action.undone:
                raise QueryError(f"action {action_id} has been undone already")
            taken_back = self._turn(reviewer, UNDO, action_id)
            assert taken_back is not None
            return taken_back

    def act(
        self,
        reviewer: Reviewer,
        events: Sequence[Event],
        evidence: Evidence | Mapping[str, Evidence],
        *,
        queue: str | None = None,
        adjudicates: bool = False,
        origin: Mapping[str, Any] | None = None,
    ) -> Action | None:
        """Record checked events as one action; None for no events. `decide` and its kin make and check them."""
        if not events:
            return None

        def seen(example_id: str) -> Evidence:
            return evidence if isinstance(evidence, Evidence) else evidence.get(example_id, NO_EVIDENCE)

        content = self.stamped(reviewer, "act", build=True) | {
            "queue": queue,
            "origin": plain(origin) if origin else None,
            "adjudicates": adjudicates,
            "events": [event.stored(seen(event.example_id)) for event in events],
        }
        if (single := len(events) == 1) and self.is_control(events[0].example_id, queue):
            content["control"] = True
        release = (events[0].example_id, reviewer.name) if single and events[0].edit.kind != NOTE else None
        return as_action(self.log.append(content, release=release))

    def stamped(self, reviewer: Reviewer, type: str, *, build: bool) -> dict[str, Any]:
        """The part that every record of the log has: what it is, who made it, with which version, on which build."""
        from influence import __version__  # not at import: the package's front door imports this module

        who = {"reviewer": reviewer.name, "auth": reviewer.auth, "session": reviewer.session, "app": __version__}
        return {"type": type, **who, **({"build": self.corpus.build} if build else {})}

    def _turn(self, reviewer: Reviewer, kind: str, target: int | None) -> Action | None:
        if target is None:
            return None
        self.log.append(self.stamped(reviewer, kind, build=False) | {"target": target})
        action = self.action(target)
        if kind == UNDO and action.reviewer == reviewer.name and len(action.example_ids) == 1 and action.queue:
            self.log.live.leases.take(action.example_ids[0], reviewer.name, reviewer.session, self.log.clock())
        return action

    def is_current(self, example_id: str, text_sha256: str) -> bool:
        """Whether this build has the example with the same text, or with words masked in it since."""
        return self.corpus.has(example_id, text_sha256)

    def decision(self, example_id: str, reviewer: Reviewer, *, adjudicates: bool = False) -> Decision | None:
        """What a reviewer has decided on an example with its present text, if anything."""
        found = self.decisions([example_id], reviewer=reviewer)
        return next((decision for decision in found if decision.adjudicates == adjudicates), None)

    def is_control(self, example_id: str, queue: str | None) -> bool:
        """Whether the example is a planted control of the queue; elsewhere it is an example like any other."""
        return queue is not None and example_id in self._controls(queue)

    def shown(self, example_id: str, queue: str | None) -> TrainExample:
        """The example as the queue shows it: a planted control under another label than its own."""
        example = self.corpus[example_id]
        return example._replace(label=self._controls(str(queue))[example_id]) if self.is_control(example_id, queue) else example

    def _controls(self, queue: str) -> dict[str, str]:
        if queue not in self.controls_by_queue:  # once a queue is made it gets no more
            self.controls_by_queue[queue] = state.shown_labels(self.log.store, queue)
        return self.controls_by_queue[queue]

    def decisions(
        self, example_ids: Iterable[str] | None = None, *, reviewer: Reviewer | None = None, unmatched: bool = False
    ) -> list[Decision]:
        """Standing decisions on this build's texts, oldest first; with `unmatched`, instead those on texts it lacks."""
        name = None if reviewer is None else reviewer.name
        found = state.decisions(self.log.store, EDIT_KINDS, example_ids=example_ids, reviewer=name)
        return [d for d in found if self.is_current(d.example_id, d.text_sha256) != unmatched]

    def decisions_in(self, queue: str | None, example_id: str) -> list[Decision]:
        """Everybody's standing decisions on an example as the queue shows it: the answers to a planted control stay there."""
        return self._latest(example_id, EDIT_KINDS, queue)

    def standing(
        self, example_id: str, reviewer: Reviewer, *, adjudicates: bool = False, queue: str | None = None
    ) -> Decision | None:
        """The reviewer's latest decision, flag or skip on an example with its present text, or on a control of the queue."""
        found = self._latest(example_id, statuses(), queue)
        return next((d for d in found if (d.reviewer, d.adjudicates) == (reviewer.name, adjudicates)), None)

    def _latest(self, example_id: str, kinds: Iterable[str], queue: str | None) -> list[Decision]:
        control_of = queue if self.is_control(example_id, queue) else None
        with self.log.lock:
            rows = self.log.live.latest(example_id, kinds, control_of)
        return [row.decision for row in rows if control_of or self.is_current(example_id, row.text_sha256)]

    def standings(self, reviewer: Reviewer, ids: Sequence[str], adjudicates: bool) -> dict[str, Decision]:
        """The same for many examples, by id; those without are left out."""
        found = state.decisions(self.log.store, statuses(), example_ids=ids, reviewer=reviewer.name)
        return {d.example_id: d for d in found if d.adjudicates == adjudicates and self.is_current(d.example_id, d.text_sha256)}

    def flagged(self, reviewer: Reviewer | None = None) -> list[str]:
        """Examples that the reviewer, or anybody, has flagged and not decided since, oldest first."""
        found = state.flagged(self.log.store, None if reviewer is None else reviewer.name)
        return list(dict.fromkeys(id for id, text_sha256, _ in found if self.is_current(id, text_sha256)))

    def notes(self, example_id: str, *, queue: str | None = None) -> list[Note]:
        """Remarks on an example, oldest first; on a planted control those made in its queue."""
        control_of = queue if self.is_control(example_id, queue) else None
        with self.log.lock:
            rows = [row for row in self.log.live.rows(example_id) if row.control_of == control_of and row.decision.note]
        return [Note(row.example_id, row.reviewer, row.decision.at, row.decision.note) for row in rows]

    def all_notes(self) -> dict[str, list[Note]]:
        """Remarks by example, oldest first."""
        found = defaultdict[str, list[Note]](list)
        for note in state.notes(self.log.store):
            found[note.example_id].append(note)
        return dict(found)

    def recent(self, reviewer: Reviewer, limit: int = 10) -> list[Action]:
        """The reviewer's latest actions that stand, the last one first."""
        with self.log.lock:
            return self.log.live.recent(reviewer.name, limit)

    def action(self, action_id: int) -> Action:
        """One action. Raises `QueryError` for an unknown one."""
        if found := state.actions(self.log.store, seqs=[action_id]):
            return found[0]
        raise QueryError(f"unknown action {action_id}")

    def made_by_rules(self) -> list[Action]:
        """Every action that a rule has made, the latest first, undone ones too."""
        return state.actions(self.log.store, rules=True)

    def decided_count(self) -> int:
        """How many examples anybody has decided."""
        with self.log.lock:
            return len(self.log.live.decided())

    @property
    def version(self) -> int:
        """Another number after every change: what is kept of the decisions, and of what they come to, holds for one of these."""
        return self.log.next_seq

    def reviewers(self) -> list[str]:
        """Everybody who has a standing decision, by name."""
        return state.reviewers(self.log.store)

    def pace(self, reviewer: Reviewer, queue: str | None = None) -> tuple[float | None, int]:
        """Mean seconds the reviewer takes an example, pauses over a minute left out, and over how many that is."""
        with self.log.lock:
            return self.log.live.pace(reviewer.name, queue)

    def audit(self) -> pd.DataFrame:
        """Every event ever made, undo and redo too, in order, with a column that says whether it has been undone."""
        return state.audit(self.log.store)


_REVIEWS: dict[Path, Reviews] = {}  # the latest build's of each workspace, so that its examples are read once
_LOCK = threading.Lock()


def open_reviews(workspace: WorkspaceReader) -> Reviews:
    """The reviews of a workspace, for reading and writing; the same object while workspace and build stay the same.

    Raises `WorkspaceBusy` when another process has them open, and `WorkspaceError` when they cannot be written.
    """
    folder = workspace.path.resolve()
    with _LOCK:
        log, known = open_log(folder), _REVIEWS.get(folder)
        if known is None or known.log is not log or known.corpus.build != workspace.build.name:
            _REVIEWS[folder] = known = Reviews(workspace, log)
        # What has not been read yet is read from the workspace at hand: the one before may have been closed.
        known.workspace = known.corpus.workspace = workspace
        return known


def read_reviews(workspace: WorkspaceReader) -> Reviews:
    """The reviews of a workspace as they are now, for a command that only reads; the app may have them open meanwhile.

    Raises `WorkspaceError` if there are none yet.
    """
    return Reviews(workspace, open_log_for_reading(workspace.path))
