"""What reviewers do, in the words of the review log.

A *decision* says what becomes of one training example: keep it, relabel it, remove it, or mask words in it. A *flag*
("I am not sure") and a *skip* ("not me") are no decisions. An *action* is what one key press or one bulk command did:
one or more events that are undone together. An adjudicator's decision settles a conflict and stands apart from what
the same person decided as a reviewer.
"""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from influence.data import EDIT_KINDS, Edit
from influence.errors import SettingsError

if TYPE_CHECKING:  # the command line's help reads the vocabulary, and needs no workspace
    from influence.review.corpus import Corpus, TrainExample
    from influence.review.journal import Record

POLICIES: tuple[str, ...] = ("adjudicated", "majority", "latest")  # what settles a disagreement
UNDO, REDO, NOTE = "undo", "redo", "note"
IMPORTED = "import"  # how we know of a reviewer whom a file names, and what the origin of such decisions says
NAMES_JOIN = "; "  # between reviewers who share a row of a fix list, so no name may hold a semicolon
LONGEST_NAME, LONGEST_NOTE = 100, 10_000
LONGEST_MS = 10**12


def statuses() -> tuple[str, ...]:
    """What can stand: every kind of decision, a flag, a skip. Asked for anew each time, as `EDIT_KINDS` may have grown."""
    return (*EDIT_KINDS, "flag", "skip")


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """Who decides. `auth` says how we know: "local" is a typed name, "oidc" a login; `session` tells browsers apart."""

    name: str
    auth: str = "local"
    session: str = ""

    def __post_init__(self) -> None:
        name = unicodedata.normalize("NFC", self.name).strip()
        if not name:
            raise SettingsError("a reviewer needs a name; it is blank")
        if len(name) > LONGEST_NAME or ";" in name or not name.isprintable():
            raise SettingsError(
                f"reviewer {name[:LONGEST_NAME]!r}: a name has at most {LONGEST_NAME} printable characters and no semicolon"
            )
        object.__setattr__(self, "name", name)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a reviewer had on screen: the method and its score, how long, and anything else worth keeping.

    `details` may hold `reason`, the suspicion in words, which the fix list then gives as the reason.
    """

    method: str | None = None
    score: float | None = None
    ms_on_screen: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """The evidence as JSON values; numbers that JSON lacks become null, since evidence must never stop a decision."""
        score = None if self.score is None else plain(float(self.score))
        ms = None if self.ms_on_screen is None else min(max(int(self.ms_on_screen), 0), LONGEST_MS)
        return {"method": self.method, "score": score, "ms_on_screen": ms, "evidence": plain(dict(self.details)) or None}


@dataclass(frozen=True)
class Event:
    """What one action does to one example; a note is an edit of kind `NOTE`."""

    edit: Edit
    example_id: str
    text_sha256: str
    old_label: str
    note: str = ""

    def repeats(self, standing: "Decision") -> bool:
        """Whether it says what stands already."""
        return self.edit.outcome == standing.outcome and self.note in ("", standing.note)

    def stored(self, evidence: Evidence) -> dict[str, Any]:
        """The event as the journal holds it: what is empty is left out."""
        content = {
            "kind": self.edit.kind,
            "example_id": self.example_id,
            "text_sha256": self.text_sha256,
            "old_label": self.old_label,
            "new_label": self.edit.new_label,
            "words": list(self.edit.words),
            "note": self.note,
            **evidence.stored(),
        }
        return {name: value for name, value in content.items() if value not in (None, "", [])}


@dataclass(frozen=True)
class Decision:
    """The latest decision of one reviewer on one example that has not been undone."""

    example_id: str
    reviewer: str
    adjudicates: bool
    kind: str
    old_label: str  # at the time
    new_label: str | None
    words: tuple[str, ...]
    note: str
    at: datetime
    text_sha256: str
    build: str
    method: str | None
    score: float | None
    evidence: dict[str, Any]
    origin: dict[str, Any]  # what a bulk decision came from: a rule, a cluster, a filter; empty for a single one
    action: int

    @property
    def edit(self) -> Edit:
        """What becomes of the example."""
        return Edit(self.kind, self.new_label, self.words)

    @property
    def outcome(self) -> tuple[str, str | None, tuple[str, ...]]:
        """What the example would become; two reviewers agree when these are equal."""
        return self.edit.outcome

    @property
    def verdict(self) -> str:
        """The outcome as one category for agreement: masking is one category whatever the words."""
        return self.kind if self.new_label is None else f"{self.kind}: {self.new_label}"


@dataclass(frozen=True)
class Action:
    """One thing a reviewer did; `undone` says whether it has been taken back."""

    id: int
    reviewer: str
    at: datetime
    kind: str  # of its events; "import" where they differ
    example_ids: tuple[str, ...]
    new_label: str | None
    words: tuple[str, ...]
    note: str
    queue: str | None
    origin: dict[str, Any]
    adjudicates: bool
    undone: bool


@dataclass(frozen=True)
class Note:
    """A remark on an example that has not been undone."""

    example_id: str
    reviewer: str
    at: datetime
    text: str


class Row(NamedTuple):
    """One event of an action: a decision, a flag, a skip or a note, as it stands in the log."""

    seq: int
    item: int  # its place in the action
    example_id: str
    text_sha256: str
    reviewer: str
    adjudicates: bool
    kind: str
    control_of: str | None  # the queue whose planted control it answers
    queue: str | None  # that it was answered in
    decision: Decision


def rows_of(record: "Record") -> list[Row]:
    """The events of an action's record."""
    content, found = record.content, []
    shared = {name: content[name] for name in ("reviewer", "adjudicates", "build")}
    shared |= {"at": as_datetime(content["at"]), "origin": content.get("origin") or {}, "action": record.seq}
    where = content.get("queue")
    control_of = where if content.get("control") else None
    for item, event in enumerate(content["events"]):
        texts = {
            name: event.get(name) for name in ("kind", "example_id", "text_sha256", "old_label", "new_label", "method", "score")
        }
        more: dict[str, Any] = {"words": tuple(event.get("words") or ()), "note": event.get("note") or ""}
        decision = Decision(**shared, **texts, **more, evidence=event.get("evidence") or {})
        about = (decision.example_id, decision.text_sha256, decision.reviewer, decision.adjudicates, decision.kind)
        found.append(Row(record.seq, item, *about, control_of, where, decision))
    return found


def checked_event(corpus: "Corpus", example: "TrainExample", edit: Edit, note: str) -> Event:
    """The event of a decision, flag or skip. Raises `QueryError` or `SettingsError` for one that makes no sense."""
    if edit.kind not in statuses():
        raise SettingsError(f"unknown decision {edit.kind!r}; it is one of {', '.join(statuses())}")
    edit = edit.checked(example, corpus.labels)
    return Event(edit, example.id, example.text_sha256, example.label, checked_note(note))


def checked_note(note: str) -> str:
    """The note without surrounding white space. Raises `SettingsError` for one that cannot be stored."""
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise SettingsError(f"a note of {len(note):,} characters; the most is {LONGEST_NOTE:,}")
    try:
        note.encode()
    except UnicodeEncodeError as error:
        raise SettingsError(f"note {note[:40]!r}: not valid Unicode text (half of a surrogate pair)") from error
    return note


def as_action(record: "Record") -> Action:
    """The action that a new record is."""
    content, events = record.content, record.content["events"]
    kinds, labels = {event["kind"] for event in events}, {event.get("new_label") for event in events}
    return Action(
        id=record.seq,
        reviewer=content["reviewer"],
        at=as_datetime(content["at"]),
        kind=kinds.pop() if len(kinds) == 1 else "import",
        example_ids=tuple(event["example_id"] for event in events),
        new_label=labels.pop() if len(labels) == 1 else None,
        words=tuple(events[0].get("words") or ()),
        note=events[0].get("note") or "",
        queue=content.get("queue"),
        origin=content.get("origin") or {},
        adjudicates=content["adjudicates"],
        undone=False,
    )


def as_datetime(ms: int) -> datetime:
    """A UTC time from milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def iso(at: datetime) -> str:
    """A UTC time as ISO 8601 to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """A value as JSON in UTF-8 can hold it: arrays' numbers become Python's, NaN and infinity null, the rest text."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return plain(value.tolist() if hasattr(value, "tolist") else str(value))
