"""The reading order with checks."""

import numpy as np
import pytest

from influence.errors import SettingsError
from influence.suspects.checks import with_checks

IDS = [f"e{at}" for at in range(1000)]


def test_every_tenth_is_from_anywhere_and_the_rest_are_the_first() -> None:
    order = with_checks(IDS, 200)
    assert len(set(order)) == 200
    checks = sorted(int(id[1:]) for id in order[9::10])
    rest = [id for place, id in enumerate(order) if place % 10 != 9]
    assert set(rest) | set(order[9::10]) >= set(IDS[:180]), "the top is read through, whoever read it"
    assert rest == sorted(rest, key=IDS.index)
    assert np.diff([0, *checks, 1000]).max() < 130, "checks leave no wide gap"
    halves = [place < 500 for place in checks]
    assert sum(halves) == 10


def test_however_soon_one_stops_checks_are_spread_and_seeds_start_elsewhere() -> None:
    few = sorted(int(id[1:]) for id in with_checks(IDS, 40)[9::10])
    assert np.diff(few).min() > 180, few
    starts = [int(with_checks(IDS, 10, seed=seed)[9][1:]) for seed in range(200)]
    assert min(starts) < 60 and max(starts) > 940 and 420 < np.mean(starts) < 580  # noqa: PT018


def test_no_checks_and_short_rankings() -> None:
    assert with_checks(IDS, 5, every=0) == IDS[:5]
    assert sorted(with_checks(IDS[:7], 50, every=2)) == IDS[:7]
    assert with_checks([], 5) == with_checks(IDS, 0) == []
    for every in (1, -3):
        with pytest.raises(SettingsError, match=f"a check at every place {every}: must be 2 or more, or 0 for none"):
            with_checks(IDS, 5, every=every)
