"""Which of a run's checkpoints scores are summed over: a few, spread over the fall of the training loss.

Axes: E checkpoints of the run.
"""

import math
from collections.abc import Sequence

import numpy as np

from influence.types import FloatArray, IntArray

PARTS = 10_000  # of the range of the losses: what differs by less counts as equal
NEVER = 1 << 61


def choose(losses_E: Sequence[float], learning_rates_E: Sequence[float], most: int) -> list[int]:
    """The places of at most `most` checkpoints, in order; `losses_E` are the mean training cross-entropies of each, in nats.

    The last is always one of them, its learning rate 0 included: it is the final model. Of the others only those with a
    learning rate count, for a sum over checkpoints gains nothing by the rest. Where there are more than `most - 1`, the first
    of them is taken, and then those for which Σ (change of the loss from one chosen to the next)² is smallest: that is so where
    the loss falls by equal parts between them, and a checkpoint at which it has risen is passed by. Losses are compared in
    10,000 steps of their range. Of equal sums, as where the loss does not change, the one whose checkpoints are the most evenly
    apart is taken, then the one with the earlier ones. Raises `ValueError` for a loss that is no number.
    """
    losses, last = np.asarray(losses_E, dtype=np.float64), len(losses_E) - 1
    if not np.isfinite(losses).all():
        raise ValueError(f"the losses {list(losses_E)} are not all numbers")
    others = [place for place in range(last) if learning_rates_E[place] > 0]
    if len(others) < most:
        return [*others, last]
    if most == 1:
        return [last]
    places_E = np.array([*others, last])
    return [int(place) for place in places_E[_cheapest_path(_costs(losses[places_E], places_E), most)]]


def _costs(losses_E: FloatArray, places_E: IntArray) -> IntArray:
    """What going from one checkpoint to a later one costs: the change of the loss squared, then the distance squared.

    Whole numbers, so that equal sums are equal; no sum over a path exceeds 2⁶⁰.
    """
    apart_EE = np.subtract.outer(places_E, places_E).astype(np.int64) ** 2
    farthest = int(apart_EE.max()) + 1  # a path's distances squared add up to less
    parts = min(PARTS, math.isqrt(2**60 // (farthest * len(places_E))))
    span = losses_E.max() - losses_E.min()
    steps_E = np.rint((losses_E - losses_E.min()) / (span if span > 0 else 1) * parts).astype(np.int64)
    costs_EE: IntArray = np.subtract.outer(steps_E, steps_E) ** 2 * farthest + apart_EE
    return costs_EE


def _cheapest_path(costs_EE: IntArray, length: int) -> list[int]:
    """The path of `length` places from the first to the last that costs least, the earliest of equal ones."""
    costs_EE = np.where(np.triu(np.ones(costs_EE.shape, dtype=np.bool_), 1), costs_EE, NEVER)
    left_E = np.full(len(costs_EE), NEVER)  # what the way on costs from each place, with so many steps to go
    left_E[-1] = 0
    choices = []
    for _ in range(length - 1):  # from the end, so that the first of equal choices is the earliest
        totals_EE = np.minimum(costs_EE + left_E, NEVER)
        choices.append(totals_EE.argmin(axis=1))
        left_E = totals_EE.min(axis=1)
    path = [0]
    for choice_E in reversed(choices):
        path.append(int(choice_E[path[-1]]))
    return path
