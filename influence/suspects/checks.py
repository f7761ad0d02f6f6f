"""A reading order that finds wrong labels and can say how many are left: suspects, with checks from everywhere between.

Decisions at the top of a ranking say little of its tail, where most examples are. One decision in ten spent on an example
from anywhere in the ranking narrows the interval of `levels.scale` to a third (tests/benchmarks/scale.py).
"""

from collections.abc import Sequence

import numpy as np

from influence.errors import SettingsError

DEFAULT_EVERY = 10


def with_checks(ids: Sequence[str], count: int, *, every: int = DEFAULT_EVERY, seed: int = 0) -> list[str]:
    """`count` of the ids (in order of rank): the first ones, each `every`-th place taken by one from the whole ranking.

    Checks are spread evenly however soon one stops: a van der Corput sequence from a start that `seed` draws, each taking
    the nearest example that is not chosen yet. 0: no checks. Raises `SettingsError` for `every` of 1 or below 0.
    """
    if every < 0 or every == 1:
        raise SettingsError(f"a check at every place {every}: must be 2 or more, or 0 for none")
    start, taken, order, top, checks = np.random.default_rng(seed).random(), set[int](), list[int](), 0, 0
    while len(order) < min(count, len(ids)):
        if every and len(order) % every == every - 1:
            place = _nearest(int((_van_der_corput(checks) + start) % 1 * len(ids)), taken, len(ids))
            checks += 1
        else:
            while top in taken:
                top += 1
            place = top
        taken.add(place)
        order.append(place)
    return [ids[place] for place in order]


def _nearest(wanted: int, taken: set[int], size: int) -> int:
    """The place nearest to the wanted one that is not taken, the later one of two as near."""
    away = 0
    while True:
        for place in (wanted + away, wanted - away):
            if 0 <= place < size and place not in taken:
                return place
        away += 1


def _van_der_corput(number: int) -> float:
    """The digits of a number in base 2, mirrored at the point: 0, 1/2, 1/4, 3/4, 1/8, …"""
    value, digit = 0.0, 0.5
    while number:
        value += digit * (number & 1)
        number, digit = number >> 1, digit / 2
    return value
