"""Which checkpoints are chosen: whole results, and the rule itself by trying every choice."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from influence.checkpoints.choice import PARTS, choose


@pytest.mark.parametrize(
    ("losses", "most", "chosen"),
    [
        # Falls by equal parts: 1.0, 0.75, 0.5, 0.25.
        ([1.0, 0.9, 0.75, 0.7, 0.5, 0.4, 0.25], 4, [0, 2, 4, 6]),
        # A fall that flattens out, as they do: the first epochs count for more.
        ([1.2, 0.7, 0.45, 0.33, 0.27, 0.24, 0.22, 0.21, 0.205, 0.2], 4, [0, 1, 2, 9]),
        ([1.2, 0.7, 0.45, 0.33, 0.27, 0.24, 0.22, 0.21, 0.205, 0.2], 5, [0, 1, 2, 3, 9]),
        # One at which the loss has risen is passed by.
        ([1.0, 0.8, 1.5, 0.55, 0.4], 3, [0, 1, 4]),
        ([1.0, 3.0, 0.7, 0.4], 3, [0, 2, 3]),
        # A loss that does not fall: evenly apart.
        ([0.5] * 7, 4, [0, 2, 4, 6]),
        ([0.5] * 6, 3, [0, 2, 5]),
        # One that rises throughout is a fall read backwards.
        ([0.2, 0.4, 0.5, 0.6, 0.8], 3, [0, 2, 4]),
        ([0.9, 0.5, 0.1], 1, [2]),
        ([0.9, 0.5, 0.1], 2, [0, 2]),
        ([0.9, 0.5, 0.1], 3, [0, 1, 2]),
        ([0.9, 0.5, 0.1], 9, [0, 1, 2]),
        ([0.9], 4, [0]),
    ],
)
def test_examples(losses: list[float], most: int, chosen: list[int]) -> None:
    assert choose(losses, [0.1] * len(losses), most) == chosen


def test_what_adds_nothing_to_a_sum_is_taken_as_the_last_only() -> None:
    losses = [1.0, 0.8, 0.6, 0.4, 0.2]
    assert choose(losses, [0.1, 0.0, 0.1, 0.0, 0.0], 4) == [0, 2, 4]
    assert choose(losses, [0.0, 0.1, 0.1, 0.1, 0.0], 3) == [1, 2, 4]
    assert choose(losses, [0.0] * 5, 4) == [4]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="not all numbers"):
        choose([1.0, bad, 0.5], [0.1] * 3, 2)


LOSSES = st.lists(st.floats(0, 8, allow_nan=False, width=32), min_size=1, max_size=9)


@given(LOSSES, st.integers(1, 9), st.data())
@example([0.0, 5e-324, 0.0], 2, None)
def test_no_other_choice_is_better(losses: list[float], most: int, data: st.DataObject | None) -> None:
    """The rule as it stands in the docstring, against every subset."""
    n = len(losses)
    rates = [0.1] * n if data is None else data.draw(st.lists(st.sampled_from([0.0, 0.1]), min_size=n, max_size=n))
    found = choose(losses, rates, most)
    others = [place for place in range(n - 1) if rates[place]]
    assert found == sorted(set(found))
    assert found[-1] == n - 1
    assert set(found[:-1]) <= set(others)
    assert len(found) == min(most, len(others) + 1)
    if not 1 < most <= len(others):
        return
    counted = np.array([losses[place] for place in [*others, n - 1]])
    span = float(counted.max() - counted.min()) or 1.0
    steps = dict(zip([*others, n - 1], np.rint((counted - counted.min()) / span * PARTS).astype(int).tolist(), strict=True))

    def cost(chosen: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
        pairs = list(pairwise(chosen))
        return sum((steps[b] - steps[a]) ** 2 for a, b in pairs), sum((b - a) ** 2 for a, b in pairs), chosen

    tried = [(others[0], *middle, n - 1) for middle in combinations(others[1:], most - 2)]
    assert tuple(found) == min(tried, key=cost)


@given(LOSSES, st.integers(1, 6), st.floats(0.5, 4), st.floats(-3, 3))
def test_only_the_shape_of_the_fall_counts(losses: list[float], most: int, scale: float, shift: float) -> None:
    steps = [float(round(loss * 8)) for loss in losses]  # so that no rounding decides
    span = max(steps) - min(steps)
    rates = [0.1] * len(steps)
    if PARTS % max(span, 1) == 0:
        assert choose([scale * loss + shift for loss in steps], rates, most) == choose(steps, rates, most)


def test_many_checkpoints_are_no_trouble() -> None:
    losses = (1 / np.arange(1, 3_001)).tolist()
    found = choose(losses, [0.1] * 3_000, 5)
    assert (found[0], found[-1], len(found)) == (0, 2_999, 5)
