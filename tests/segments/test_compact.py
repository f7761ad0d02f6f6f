"""Rows in two int8 planes: what they lose, what is said of it, and that the strongest examples are the strongest all the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from tiny import bench, labelled

from influence.attribution.methods import METHODS
from influence.formulas.ranking import extremes, strongest_candidates
from influence.segments import kernels
from influence.segments.compact import LEVELS, SECOND, compacted, expanded, remainder_step

ROWS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False),
)


def planes(rows_PD: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(part.numpy() for part in compacted(torch.from_numpy(rows_PD)))


@given(rows_PD=ROWS)
def test_both_planes_are_off_by_a_five_hundredth_of_the_scale(rows_PD: np.ndarray) -> None:
    first_PD, second_PD, scales_P, _ = planes(rows_PD)
    largest_P = np.abs(rows_PD.astype(np.float64)).max(axis=1)
    np.testing.assert_allclose(scales_P, largest_P / LEVELS, rtol=1e-6, atol=2e-38)
    off_PD = np.abs(expanded(first_PD, second_PD, scales_P) - rows_PD.astype(np.float64))
    assert (off_PD <= (largest_P / LEVELS / SECOND / 2 * 1.02)[:, None] + 1e-30).all()


@given(rows_PD=ROWS, data=st.data())
def test_what_the_first_plane_may_miss_is_bounded(rows_PD: np.ndarray, data: st.DataObject) -> None:
    """For any query, against products in float64."""
    first_PD, second_PD, scales_P, remainders_P = planes(rows_PD)
    query_D = data.draw(hnp.arrays(np.float32, rows_PD.shape[1], elements=st.floats(-1e3, 1e3, width=32)))
    by_first_P = scales_P * (first_PD.astype(np.float64) @ query_D)
    bound_P = np.linalg.norm(query_D) * remainder_step(rows_PD.shape[1]) * scales_P * remainders_P.astype(np.float64)
    both_P = expanded(first_PD, second_PD, scales_P).astype(np.float64) @ query_D
    assert (np.abs(by_first_P - both_P) <= bound_P * (1 + 1e-6) + 1e-30).all()
    assert (np.abs(by_first_P - rows_PD.astype(np.float64) @ query_D) <= bound_P * (1 + 1e-6) + 1e-30).all()


def test_a_row_of_zeros_is_zero() -> None:
    first_PD, second_PD, scales_P, _ = planes(np.array([[0, 0], [1e-42, 0], [3, -1.5]], dtype=np.float32))
    np.testing.assert_allclose(expanded(first_PD, second_PD, scales_P), [[0, 0], [0, 0], [3, -1.5]], rtol=1e-4)


# The strongest ---------------------------------------------------------------------------------------------------------


@given(
    exact=hnp.arrays(np.float32, st.integers(1, 60), elements=st.integers(-9, 9).map(float)),
    top=st.integers(1, 70),
    data=st.data(),
)
def test_candidates_hold_all_that_may_be_among_the_strongest(exact: np.ndarray, top: int, data: st.DataObject) -> None:
    """Whatever the errors within their bounds are, no example of a plain sort is missing."""
    size = len(exact)
    errors = data.draw(hnp.arrays(np.float32, size, elements=st.integers(0, 4).map(float)))
    off = data.draw(hnp.arrays(np.float32, size, elements=st.floats(-1, 1, width=16).map(float)))
    found = strongest_candidates(exact + off * errors, errors, top)
    proponents, opponents = extremes(exact.astype(np.float64), np.arange(size), top)
    assert set(proponents.tolist()) | set(opponents.tolist()) <= set(found.tolist())


@pytest.mark.parametrize("kind", ["cnn", "bert"])
@pytest.mark.parametrize("method", ["tracin-we-topk", "tracin-we", "tracin-we-noc", "tracin-common"])
def test_the_strongest_of_compact_rows_are_those_of_exact_ones(tmp_path: Path, kind: str, method: str) -> None:
    """Order, and scores to 1e-4 of the largest; by the scan, by all scores, and by words."""
    train, test = labelled(90, seed=5), labelled(12, seed=6)
    exact = bench(tmp_path / "exact", kind, train=train, test=test, exact=True, segment_examples=200)
    compact = bench(tmp_path / "compact", kind, train=train, test=test, exact=False, segment_examples=13)
    selection, ranks = METHODS[method].selection, np.arange(90)
    assert selection is not None
    for query in exact.query_list():
        scores = exact.index.word_scores(query, selection).sum(axis=0)
        largest = np.abs(scores).max()
        assert np.abs(compact.index.word_scores(query, selection).sum(axis=0) - scores).max() < 1e-4 * largest
        for engine in (exact, compact):
            found = engine.index.strongest(query, selection, ranks, 10)
            for side, expected, parts in zip(found[:2], extremes(scores, ranks, 10), found[2:4], strict=True):
                # In order but for pairs whose exact scores cannot be told apart at this precision.
                assert len(side) == len(expected)
                assert np.abs(scores[side] - scores[expected]).max(initial=0) <= 2e-5 * largest
                assert np.abs(parts.sum(axis=1) - scores[expected]).max(initial=0) < 1e-4 * largest
                words = engine.index.matches(query, side, selection)
                sums = np.bincount(words.examples_X, words.scores_X, len(side))
                assert np.abs(sums - scores[expected]).max(initial=0) < 1e-4 * largest
            with pytest.MonkeyPatch.context() as patch:  # as where the bounds leave very many
                patch.setattr("influence.attribution.index.MANY", 0)
                again = engine.index.strongest(query, selection, ranks, 10)
            assert [side.tolist() for side in again[:2]] == [side.tolist() for side in found[:2]]
        left_out = compact.index.strongest(query, selection, ranks, 90, leaving_out=7)
        assert 7 not in [*left_out.proponents_E.tolist(), *left_out.opponents_E.tolist()]


def test_the_first_plane_alone_would_name_others(tmp_path: Path) -> None:
    """So the test above means something: with the bounds at zero some lists differ."""
    train, test = labelled(120, seed=5), labelled(20, seed=6)
    compact = bench(tmp_path, "cnn", train=train, test=test, exact=False)
    selection, wrong = METHODS["tracin-we-topk"].selection, 0
    assert selection is not None
    for query in compact.query_list():
        approximate_N, errors_N = compact.index.scan(query, selection)
        scores = compact.index.word_scores(query, selection).sum(axis=0)
        assert (np.abs(approximate_N - scores) <= errors_N + 1e-6 * np.abs(scores).max()).all()
        wrong += extremes(approximate_N, np.arange(120), 20)[0].tolist() != extremes(scores, np.arange(120), 20)[0].tolist()
    assert wrong > 0


@pytest.mark.parametrize("exact", [True, False])
def test_rows_held_by_a_device_are_scanned_alike(tmp_path: Path, exact: bool) -> None:
    """On PyTorch's CPU, which runs the same operations as a GPU."""
    train, test = labelled(60, seed=5), labelled(9, seed=6)
    here = bench(tmp_path, "bert", train=train, test=test, exact=exact, segment_examples=13)
    selection, ranks = METHODS["tracin-we-topk"].selection, np.arange(60)
    assert selection is not None
    expected = [here.index.strongest(query, selection, ranks, 7) for query in here.query_list()]
    bounds = [here.index.scan(query, selection) for query in here.query_list()]
    assert here.index.hold_on(torch.device("cpu"))
    for query, wanted, (scores_N, errors_N) in zip(here.query_list(), expected, bounds, strict=True):
        for one, other in zip(here.index.strongest(query, selection, ranks, 7)[:4], wanted[:4], strict=True):
            np.testing.assert_array_equal(one, other)
        approximate_N, off_N = here.index.scan(query, selection)
        np.testing.assert_allclose(approximate_N, scores_N, atol=1e-5 * np.abs(scores_N).max())
        np.testing.assert_allclose(off_N, errors_N, atol=1e-5 * errors_N.max(initial=0))
        at_last = here.index.at_checkpoint(2).strongest(query, selection, ranks, 3)
        assert len(at_last.proponents_E) <= 3


# The loops, compiled and not -------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(data=st.data())
def test_loops_without_numba_give_the_same(data: st.DataObject) -> None:
    generator = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    words, examples, width = (int(generator.integers(1, 6)) for _ in range(3))
    tokens, asked = np.sort(generator.choice(20, words, replace=False)).astype(np.int32), generator.choice(20, 8, replace=False)
    counts = generator.integers(0, 5, size=(words, examples))  # rows of each word and example
    starts = np.concatenate([[0], np.cumsum(counts.sum(axis=1))])
    examples_P = np.concatenate([np.repeat(np.arange(examples), row) for row in counts]).astype(np.uint16)
    rows_PD = generator.standard_normal((len(examples_P), width)).astype(np.float32)
    first_PD, second_PD, scales_P, remainders_P = planes(rows_PD) if len(rows_PD) else planes(np.zeros((0, width), np.float32))
    query_UD = generator.standard_normal((8, width)).astype(np.float32)
    bounds_U = np.abs(generator.standard_normal(8)).astype(np.float32)
    chosen_E = np.sort(generator.integers(0, examples, size=int(generator.integers(0, 7))))
    found = []
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not compiled:
                patch.setattr(kernels, "njit", None)
            scores, errors, exact = (np.zeros(examples, dtype=np.float32) for _ in range(3))
            where = examples_P, tokens, starts, asked
            kernels.scan(first_PD, scales_P, remainders_P, *where, query_UD, bounds_U, scores, errors)
            kernels.scan_exact(rows_PD, *where, query_UD, exact)
            columns = kernels.find(*where, chosen_E)
            places = sorted(zip(*(column.tolist() for column in columns), strict=True))
            room = np.empty((len(rows_PD) + 1, width), dtype=np.float32)
            some = kernels.expand(first_PD, second_PD, scales_P, np.arange(len(rows_PD))[::-2], room)
            added = np.zeros((3, examples), dtype=np.float32)
            kernels.add_products(added, np.array([2, 0]), rows_PD.T[:1].repeat(2, axis=0), examples_P)
            found.append((scores, errors, exact, some.copy(), added, places))
    for one, other in zip(found[0][:-1], found[1][:-1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert found[0][-1] == found[1][-1]
    np.testing.assert_allclose(found[0][3], rows_PD[::-2], atol=1e-4 * np.abs(rows_PD).max(initial=0))
    sums = np.bincount(examples_P, rows_PD[:, 0], minlength=examples)
    np.testing.assert_allclose(found[0][4], [sums, 0 * sums, sums], rtol=1e-4, atol=1e-5)
    by_hand = sorted(
        (row, word, place)
        for at, token in enumerate(tokens.tolist())
        for word in np.flatnonzero(asked == token).tolist()
        for row in range(starts[at], starts[at + 1])
        for place, example in enumerate(chosen_E.tolist())
        if examples_P[row] == example
    )
    assert found[0][-1] == by_hand
    wanted = np.zeros(examples)
    for row, word in {(row, word) for row, word, _ in _all_rows(tokens, starts, asked)}:
        wanted[examples_P[row]] += float(rows_PD[row].astype(np.float64) @ query_UD[word])
    np.testing.assert_allclose(found[0][2], wanted, rtol=1e-4, atol=1e-5)


def _all_rows(tokens: np.ndarray, starts: np.ndarray, asked: np.ndarray) -> list[tuple[int, int, int]]:
    return [
        (row, word, 0)
        for at, token in enumerate(tokens.tolist())
        for word in np.flatnonzero(asked == token).tolist()
        for row in range(starts[at], starts[at + 1])
    ]
