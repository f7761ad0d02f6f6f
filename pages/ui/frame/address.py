"""Where a page is: what its address says it shows. State is read from it on every run and written only in callbacks.

An address is a frozen dataclass whose fields are its parameters; those at their default are left out of it.
Values from an address are untrusted: what does not fit is left out and named.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, Self, TypedDict, TypeVar
from urllib.parse import urlencode

import streamlit as st

LATEST = "wt_address"


class OnChange(TypedDict):
    """What a widget calls once it has changed."""

    on_change: Callable[..., None]
    args: tuple[object, ...]


class Binding(OnChange):
    """A widget's key, too: see `bind`."""

    key: str


@dataclass(frozen=True, kw_only=True)
class Address:
    """The part that every page's address has."""

    longest: ClassVar[int] = 2_000  # characters of a value

    workspace: str = ""
    # What `at` changed since the page was drawn; None where the address was not drawn but made up, so that it stands as a whole.
    changes: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def _fields(cls) -> list[Field[Any]]:
        return [one for one in fields(cls) if one.name != "changes"]

    def parameters(self) -> dict[str, str]:
        """The address's parameters."""
        return {f.name: str(value) for f in self._fields() if (value := getattr(self, f.name)) != f.default}

    def href(self) -> str:
        """The address itself, for a link within the page."""
        return f"?{urlencode(self.parameters())}"

    def at(self, **changes: Any) -> Self:
        """The address after some changes."""
        return replace(self, **changes, changes=None if self.changes is None else {**self.changes, **changes})

    @classmethod
    def read(
        cls,
        parameters: Mapping[str, str],
        *,
        workspace: str,
        allowed: Mapping[str, Collection[str]],
        ranges: Mapping[str, tuple[float, float]],
    ) -> tuple[Self, list[str]]:
        """The address as far as it makes sense, and the names of the parameters that do not.

        `allowed` says which texts a parameter may have, `ranges` the least and most of a number; others may have any
        text of moderate length.
        """
        found: dict[str, Any] = {"workspace": workspace}
        ignored = []
        for one in cls._fields():
            value: Any = parameters.get(one.name, "")
            if not value or one.name == "workspace":
                continue
            if one.name in ranges:
                value = _number(value, *ranges[one.name], whole=isinstance(one.default, int))
            elif value not in allowed.get(one.name, [value]) or len(value) > cls.longest:
                value = None
            if value is None:
                ignored.append(one.name)
            else:
                found[one.name] = value
        return cls(**found), ignored


P = TypeVar("P", bound=Address)


def arrive(address: P, ignored: Collection[str]) -> P:
    """Begin the drawing of an address: say what was left out of it, and have `go` change from here."""
    if ignored:
        st.warning(f"Part of this address fits nothing in this workspace and was passed over: {', '.join(ignored)}.")
    st.session_state[LATEST] = (type(address), address.parameters())
    return replace(address, changes={})


def latest(address: Address) -> dict[str, str]:
    """The address's parameters by now, which may be later than the drawing of the widget that calls back."""
    kind, parameters = st.session_state.get(LATEST, (None, {}))
    return dict(parameters) if kind is type(address) else address.parameters()


def go(address: Address) -> None:
    """Put an address into the address bar, as one step of the browser's history. Only for callbacks.

    Of an address that was drawn only the changes count, and they are made to what the address bar says by now: a browser that
    sends two clicks at once, or one that belongs to the page before this, calls back with addresses that were drawn earlier.
    """
    parameters = address.parameters()
    if address.changes is not None:
        here = latest(address)
        parameters = {
            one.name: source[one.name]
            for one in address._fields()
            if one.name in (source := parameters if one.name in address.changes else here)
        }
    _, before = st.session_state.get(LATEST, (None, parameters))
    st.session_state[LATEST] = (type(address), parameters)
    # What the browser says is what it knew when it called: one that comes back fast may not know of the step that it takes back.
    if not parameters == before == st.query_params.to_dict():
        st.query_params.from_dict(parameters)


def bind(address: Address, field: str, key: str, *, empty: str | None = "", **also: object) -> Binding:
    """Have a widget show a field of the address and put there what is chosen; `also` is what else changes then.

    Widgets follow the address, not the other way round; `empty` is what the widget has for a field that is.
    """
    value = getattr(address, field)
    st.session_state[key] = empty if value == "" else value
    return {"key": key, "on_change": _put, "args": (address, field, key, also)}


def _put(address: Address, field: str, key: str, also: Mapping[str, object]) -> None:
    value = st.session_state[key]
    go(address.at(**{**also, field: "" if value is None else value}))


def turn_pages(address: Address, page: int, pages: int, *, key: str, field: str = "page") -> None:
    """The pages of a list where it has several; the one that is chosen goes into a field of the address."""
    if pages > 1:
        key = f"{key}_{page}"  # pagination takes its page as a default only
        st.pagination(pages, default=page, key=key, on_change=_turn, args=(address, field, key))


def _turn(address: Address, field: str, key: str) -> None:
    go(address.at(**{field: st.session_state[key] or 1}))


def _number(value: str, low: float, high: float, *, whole: bool) -> float | None:
    if not (value.isascii() and value.replace(".", "", 0 if whole else 1).isdecimal() and len(value) < 9):
        return None
    number = int(value) if whole else float(value)
    return number if low <= number <= high else None
