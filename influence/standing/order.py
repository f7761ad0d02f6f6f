"""The order of a queue."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def with_rest(front: list[str], rest: list[str], every: int) -> list[str]:
    """The suspected ones and behind them the rest, of which one takes each `every`-th place where the queue has checks."""
    checks = len(front) // (every - 1) if every > 1 else 0
    return [*spread(front, rest[:checks]), *rest[checks:]]


def spread(items: Sequence[T], planted: Sequence[T]) -> list[T]:
    """Items with others spread evenly among them: one in the middle of each of as many stretches of equal length."""
    found = list(items)
    for number, one in reversed(list(enumerate(planted))):
        found.insert((2 * number + 1) * len(items) // (2 * len(planted)), one)
    return found
