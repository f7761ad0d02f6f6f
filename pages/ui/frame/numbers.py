"""Numbers and times as people read them: a sign that is a sign, three digits, and no column of zeros."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

import influence.cli

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MINUS = "−"


def score(value: float) -> str:
    """A score in nats with its sign and three digits: +0.0123, −4.5×10⁻⁵, or 0 for an exact zero."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    sign = MINUS if value < 0 else "+"
    size = abs(value)
    if 0.001 <= size < 1000:
        return sign + f"{size:#.3g}".rstrip(".")
    mantissa, exponent = f"{size:.2e}".split("e")
    return f"{sign}{mantissa}×10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def probability(value: float) -> str:
    """A probability in per cent, finer near the ends; what is not certain never reads as 0 % or 100 %."""
    if 0 < value < 0.0005:
        return "<0.1%"
    if 0.9995 <= value < 1:
        return ">99.9%"
    value += 0.0  # of a zero below zero, as arithmetic may leave it, the plain one
    return f"{value:.1%}" if 0 < value < 0.01 or 0.99 < value < 1 else f"{value:.0%}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number of things: 1 seed, 2 seeds, 1,200 seeds."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def these(count: int) -> str:
    """Things that are pointed at: this one, these 20."""
    return "this one" if count == 1 else f"these {count:,}"


def share(part: float, whole: float) -> str:
    """A part of a score in whole per cent of it; a part against the score's sign is negative."""
    if whole == 0:
        return "0%"
    return f"{part / whole:.0%}".replace("-0%", "0%").replace("-", MINUS)


def size(count: int) -> str:
    """Bytes in the largest unit that leaves a digit before the point."""
    return influence.cli.size(count)


def sizes(parts: Mapping[str, int]) -> str:
    """Bytes of all parts together, and the three largest by name."""
    return influence.cli.size_in_words(parts)


def duration(seconds: float) -> str:
    """Seconds, or minutes and seconds, or hours and minutes, in whole numbers."""
    return influence.cli.duration(seconds, rounded=True)


def roughly(seconds: float) -> str:
    """Seconds that nobody knows exactly: whole ones below a minute, minutes below an hour, then hours and tens of minutes."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 59.5 * 60:
        return f"{max(1, round(seconds / 60))} min"
    tens = 10 * round(seconds / 600)
    return f"{tens // 60} h {tens % 60} min" if tens % 60 else f"{tens // 60} h"


def moment(iso: str) -> str:
    """A time of day in UTC from ISO 8601; the text itself where it is none."""
    try:
        when = datetime.fromisoformat(iso).astimezone(UTC)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def day(seconds: float) -> str:
    """A day in UTC from seconds since 1970."""
    when = datetime.fromtimestamp(seconds, UTC)
    return f"{when.day} {when:%b %Y}"


def clock(at: datetime) -> str:
    """The time of day where the browser is, to the second."""
    return f"{at.astimezone(_zone()):%H:%M:%S}"


def local_day(at: datetime) -> date:
    """The day where the browser is."""
    return at.astimezone(_zone()).date()


def today() -> date:
    """The present day where the browser is."""
    return local_day(datetime.now(UTC))


def _zone() -> ZoneInfo:
    name = st.context.timezone
    try:
        return ZoneInfo(name if isinstance(name, str) else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
