"""Where a page is: what its address says it shows. State is read from it on every run and written only in callbacks.

A place is a frozen dataclass whose fields are the address's parameters; those at their default are left out of it.
Values from an address are untrusted: what does not fit is left out and named.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import streamlit as st

LONGEST = 2_000


@dataclass(frozen=True, kw_only=True)
class Place:
    """The part that every page's place has."""

    workspace: str = ""

    def parameters(self) -> dict[str, str]:
        """The address's parameters."""
        return {f.name: str(value) for f in fields(self) if (value := getattr(self, f.name)) != f.default}

    def at(self, **changes: Any) -> Self:
        """The place after some changes."""
        return replace(self, **changes)

    @classmethod
    def read(
        cls,
        parameters: Mapping[str, str],
        *,
        workspace: str,
        allowed: Mapping[str, Collection[str]],
        ranges: Mapping[str, tuple[float, float]],
    ) -> tuple[Self, list[str]]:
        """The place as far as it makes sense, and the names of the parameters that do not.

        `allowed` says which texts a parameter may have, `ranges` the least and most of a number; others may have any
        text of moderate length.
        """
        found: dict[str, Any] = {"workspace": workspace}
        ignored = []
        for field in fields(cls):
            value: Any = parameters.get(field.name, "")
            if not value or field.name == "workspace":
                continue
            if field.name in ranges:
                value = _number(value, *ranges[field.name], whole=isinstance(field.default, int))
            elif value not in allowed.get(field.name, [value]) or len(value) > LONGEST:
                value = None
            if value is None:
                ignored.append(field.name)
            else:
                found[field.name] = value
        return cls(**found), ignored


def go(place: Place) -> None:
    """Put a place into the address bar, as one step of the browser's history. Only for callbacks."""
    if place.parameters() != st.query_params.to_dict():
        st.query_params.from_dict(place.parameters())


def warn(ignored: Collection[str]) -> None:
    """Say what was left out of an address."""
    if ignored:
        st.warning(f"Left out of the address, because this workspace knows no such value: {', '.join(ignored)}.")


def _number(value: str, low: float, high: float, *, whole: bool) -> float | None:
    if not (value.isascii() and value.replace(".", "", 0 if whole else 1).isdecimal() and len(value) < 9):
        return None
    number = int(value) if whole else float(value)
    return number if low <= number <= high else None
