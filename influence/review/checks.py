"""What a decision may be: its checks, and when it changes nothing."""

from collections.abc import Sequence
from typing import Any

from influence.data import find_to_mask, mask
from influence.errors import SettingsError
from influence.review.corpus import Corpus, TrainExample
from influence.review.events import STATUSES, Action, Decision, Event, Evidence, as_datetime
from influence.review.journal import Record

LONGEST_NOTE = 10_000


def checked_event(
    corpus: Corpus, example: TrainExample, kind: str, new_label: str | None, words: Sequence[str], note: str
) -> Event:
    """The event of a decision, flag or skip. Raises `QueryError` or `SettingsError` for one that makes no sense."""
    if kind not in STATUSES:
        raise SettingsError(f"unknown decision {kind!r}; it is one of {', '.join(STATUSES)}")
    if (kind == "relabel") != (new_label is not None):
        raise SettingsError(f"{kind} {example.id!r}: a new label goes with relabel and with nothing else")
    if (kind == "mask") != bool(words):
        raise SettingsError(f"{kind} {example.id!r}: words go with mask and with nothing else")
    if new_label is not None and corpus.checked_label(new_label) == example.label:
        raise SettingsError(f"relabel {example.id!r}: it is labelled {new_label!r} already; keep it instead")
    return Event(
        kind=kind,
        example_id=example.id,
        text_sha256=example.text_sha256,
        old_label=example.label,
        new_label=new_label,
        words=_checked_words(example, words),
        note=checked_note(note),
    )


def _checked_words(example: TrainExample, words: Sequence[str]) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(" ".join(word.split()) for word in words))
    for word in words:
        if not _occurs(example, word):
            raise SettingsError(f"mask {example.id!r}: {word!r} does not occur in it as a word")
    if not _leaves_text(example, words):
        raise SettingsError(f"mask {example.id!r}: no text would be left; remove it instead")
    return words


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


def changes(example: TrainExample, kind: str, new_label: str | None, words: Sequence[str]) -> bool:
    """Whether a bulk decision would change anything about an example."""
    if kind == "relabel":
        return example.label != new_label
    return kind != "mask" or (all(_occurs(example, word) for word in words) and _leaves_text(example, words))


def repeats(event: Event, standing: Decision) -> bool:
    """Whether an event says what stands already."""
    same_words = {word.casefold() for word in event.words} == {word.casefold() for word in standing.words}
    same_note = event.note in ("", standing.note)
    return (event.kind, event.new_label) == (standing.kind, standing.new_label) and same_words and same_note


def stored(event: Event, evidence: Evidence) -> dict[str, Any]:
    """An event as the journal holds it: what is empty is left out."""
    content = {
        "kind": event.kind,
        "example_id": event.example_id,
        "text_sha256": event.text_sha256,
        "old_label": event.old_label,
        "new_label": event.new_label,
        "words": list(event.words),
        "note": event.note,
        **evidence.stored(),
    }
    return {name: value for name, value in content.items() if value not in (None, "", [])}


def as_action(record: Record) -> Action:
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
        words=tuple(events[0].get("words", ())),
        note=events[0].get("note", ""),
        queue=content["queue"],
        origin=content["origin"] or {},
        adjudicates=content["adjudicates"],
        undone=False,
    )


def _occurs(example: TrainExample, word: str) -> bool:
    return any(find_to_mask(text, word) for text in _texts(example))


def _leaves_text(example: TrainExample, words: Sequence[str]) -> bool:
    return not words or all(mask(text, words).strip() for text in _texts(example))


def _texts(example: TrainExample) -> list[str]:
    return [example.text, *([] if example.text_pair is None else [example.text_pair])]
