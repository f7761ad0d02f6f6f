"""What a record of the review log may hold: checked where a line is parsed, and before one is written.

A seal says that a line is as it was written, not that it says anything: whoever knows the format can seal what makes no sense.
Fields that a later version adds are let pass; kinds of decisions are open, as a program may add its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from influence.data import EDIT_KINDS, Edit

LATEST_MS = 253_402_300_800_000  # the end of the year 9999
_SMALL, _LARGE = 1 << 31, 1 << 63  # what the columns of the tables hold
Check = Callable[[Any], bool]


def makes_sense(seq: int, content: Mapping[str, Any]) -> bool:
    """Whether the content of record `seq` is what reviews write, field by field."""
    fields = _FIELDS.get(content["type"]) if isinstance(content.get("type"), str) else None
    if fields is None or not _fit(content, fields):
        return False
    return 0 < content["target"] < seq if "target" in fields else True


def _fit(content: Mapping[str, Any], fields: Mapping[str, Check]) -> bool:
    return all(check(content.get(name)) for name, check in fields.items())


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(least: int, limit: int) -> Check:
    return lambda value: type(value) is int and least <= value < limit


def _number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and -_LARGE <= value < _LARGE)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _each(check: Check, least: int = 0) -> Check:
    return lambda value: isinstance(value, list) and len(value) >= least and all(check(each) for each in value)


def _event(value: Any) -> bool:
    if not isinstance(value, dict) or not _fit(value, EVENT):
        return False
    edit = Edit(value["kind"], value.get("new_label"), tuple(value.get("words") or ()))
    return edit.kind not in EDIT_KINDS or edit.misuse is None


def _item(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and _text(value[0]) and _text(value[1])  # a tuple until written


def _source(value: Any) -> bool:
    return isinstance(value, dict) and _fit(value, {"size": _or_none(_whole(0, _SMALL)), "checks": _or_none(_whole(0, _SMALL))})


def _shown_labels(value: Any) -> bool:
    return isinstance(value, dict) and all(_text(label) for label in value.values())


EVENT: dict[str, Check] = {
    "kind": _text,
    "example_id": _text,
    "text_sha256": _text,
    "old_label": _or_none(_text),
    "new_label": _or_none(_text),
    "words": _or_none(_each(_text)),
    "note": _or_none(_text),
    "method": _or_none(_text),
    "score": _or_none(_number),
    "ms_on_screen": _or_none(_whole(0, _LARGE)),
    "evidence": _or_none(_object),
}
_SHARED: dict[str, Check] = {
    "reviewer": _text, "auth": _text, "session": _text, "app": _text, "at": _whole(0, LATEST_MS),
}  # fmt: skip
_TURN = _SHARED | {"target": _whole(1, _SMALL)}
_FIELDS: dict[str, dict[str, Check]] = {
    "act": _SHARED
    | {
        "build": _text,
        "queue": _or_none(_text),
        "origin": _or_none(_object),
        "adjudicates": _flag,
        "control": _or_none(_flag),
        "events": _each(_event, least=1),
    },
    "undo": _TURN,
    "redo": _TURN,
    "queue": _SHARED
    | {
        "queue": _text,
        "name": _text,
        "overlap": _whole(1, _SMALL),
        "blind": _flag,
        "adjudicates": _flag,
        "closed": _flag,
        "build": _text,
        "source": _or_none(_source),
        "ranking": _or_none(_text),
        "decisions": _or_none(_whole(0, _SMALL)),
        "first_rank": _or_none(_whole(0, _SMALL >> 1)),
        "controls": _or_none(_shown_labels),
        "items": _or_none(_each(_item)),
    },
}
