"""The loops over rows that must run at the speed of memory, compiled by Numba; the same in NumPy where there is none.

Measured beside numkong's int8 kernels and NumPy's float32 one, one thread, 50,000 rows, scatter included: D = 128 0.33 times
NumPy's time (numkong 0.53), D = 384 0.30 (0.26). Here the query stays in float32, so nothing of it is rounded, and products
go straight to their examples.

Axes: P rows of a segment in order of token and example, D embedding width, U words of a query, n examples of the segment,
E chosen examples, X rows found.
"""

from typing import Any

import numpy as np

from influence.segments.compact import SECOND, expanded
from influence.types import FloatArray, IntArray

njit: Any
prefetch: Any
try:
    from numba import njit

    from influence.segments.prefetch import prefetch
except ImportError:  # no wheel for this Python or machine
    njit = prefetch = None

BLOCK = 8_192  # rows that the NumPy way makes into float32 at a time
AHEAD = 24  # rows that a scan asks memory for before it comes to them
LINE = 64  # bytes that memory hands over at a time


def _compiled(function: Any) -> Any:
    if njit is None:
        return function
    options = {"nogil": True, "fastmath": True, "boundscheck": False}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep what was compiled
        return njit(**options)(function)


@_compiled
def _block(tokens_U, starts_U1, token):  # type: ignore[no-untyped-def]
    """First and last + 1 row of a token; none where it has no rows."""
    low, high = 0, len(tokens_U)
    while low < high:
        middle = (low + high) // 2
        if tokens_U[middle] < token:
            low = middle + 1
        else:
            high = middle
    if low == len(tokens_U) or tokens_U[low] != token:
        return np.int64(0), np.int64(0)
    return np.int64(starts_U1[low]), np.int64(starts_U1[low + 1])


@_compiled
def _scan(first_PD, scales_P, remainders_P, examples_P, tokens_U, starts_U1, tokens_K, query_KD, bounds_K, scores_n, errors_n):  # type: ignore[no-untyped-def]
    width = query_KD.shape[1]
    for word in range(len(tokens_K)):
        query_D, bound = query_KD[word], bounds_K[word]
        start, stop = _block(tokens_U, starts_U1, tokens_K[word])
        for row in range(start, stop):
            for at in range(0, width, LINE):
                prefetch(first_PD, min(row + AHEAD, stop - 1), at)
            total = np.float32(0)
            for at in range(width):
                total += np.float32(first_PD[row, at]) * query_D[at]
            example, scale = examples_P[row], scales_P[row]
            scores_n[example] += scale * total
            errors_n[example] += scale * np.float32(remainders_P[row]) * bound


@_compiled
def _scan_exact(rows_PD, examples_P, tokens_U, starts_U1, tokens_K, query_KD, scores_n):  # type: ignore[no-untyped-def]
    width = query_KD.shape[1]
    for word in range(len(tokens_K)):
        query_D = query_KD[word]
        start, stop = _block(tokens_U, starts_U1, tokens_K[word])
        for row in range(start, stop):
            for at in range(0, width, LINE // 4):
                prefetch(rows_PD, min(row + AHEAD, stop - 1), at)
            total = np.float32(0)
            for at in range(width):
                total += rows_PD[row, at] * query_D[at]
            scores_n[examples_P[row]] += total


@_compiled
def _find(examples_P, tokens_U, starts_U1, tokens_K, chosen_E, rows_X, words_X, places_X):  # type: ignore[no-untyped-def]
    """How many rows of the words are of a chosen example; as many as fit are written down."""
    found = 0
    for word in range(len(tokens_K)):
        start, stop = _block(tokens_U, starts_U1, tokens_K[word])
        low = first = start
        for place in range(len(chosen_E)):
            high = stop
            if place and chosen_E[place] == chosen_E[place - 1]:
                low = first  # asked about once more
            while low < high:  # the first row at or after this example
                middle = (low + high) // 2
                if examples_P[middle] < chosen_E[place]:
                    low = middle + 1
                else:
                    high = middle
            first = low
            while low < stop and examples_P[low] == chosen_E[place]:
                if found < len(rows_X):
                    rows_X[found], words_X[found], places_X[found] = low, word, place
                found += 1
                low += 1
    return found


@_compiled
def _expand(first_PD, second_PD, scales_P, rows_X, rows_XD):  # type: ignore[no-untyped-def]
    for place in range(len(rows_X)):
        row = rows_X[place]
        scale = scales_P[row]
        for at in range(first_PD.shape[1]):
            rows_XD[place, at] = scale * (np.float32(first_PD[row, at]) + np.float32(second_PD[row, at]) * np.float32(1 / SECOND))


@_compiled
def _add_products(scores_QN, queries_K, products_KP, examples_P):  # type: ignore[no-untyped-def]
    for place in range(len(queries_K)):  # one row of scores at a time stays in the cache
        scores_N, products_P = scores_QN[queries_K[place]], products_KP[place]
        for row in range(len(examples_P)):
            scores_N[examples_P[row]] += products_P[row]


def scan(
    first_PD: IntArray,
    scales_P: FloatArray,
    remainders_P: IntArray,
    examples_P: IntArray,
    tokens_U: IntArray,
    starts_U1: IntArray,
    tokens_K: IntArray,
    query_KD: FloatArray,
    bounds_K: FloatArray,
    scores_n: FloatArray,
    errors_n: FloatArray,
) -> None:
    """Add to each example's score its rows' products with the query by the first plane, and to its error what that may miss.

    Token u has the rows `starts` u to u + 1; of the query's words `bounds` are ‖gradient‖ times a remainder's step.
    """
    if njit is not None:
        planes = first_PD, scales_P, remainders_P, examples_P
        _scan(*planes, tokens_U, starts_U1, tokens_K, query_KD, bounds_K, scores_n, errors_n)
        return
    for word, start, stop in _blocks(tokens_U, starts_U1, tokens_K):
        scaled_P = scales_P[start:stop]
        products_P = np.vecdot(first_PD[start:stop].astype(np.float32), query_KD[word])
        np.add.at(scores_n, examples_P[start:stop], scaled_P * products_P)
        np.add.at(errors_n, examples_P[start:stop], scaled_P * remainders_P[start:stop] * bounds_K[word])


def scan_exact(
    rows_PD: FloatArray,
    examples_P: IntArray,
    tokens_U: IntArray,
    starts_U1: IntArray,
    tokens_K: IntArray,
    query_KD: FloatArray,
    scores_n: FloatArray,
) -> None:
    """`scan` of rows in float32, which leave nothing out."""
    if njit is not None:
        _scan_exact(rows_PD, examples_P, tokens_U, starts_U1, tokens_K, query_KD, scores_n)
        return
    for word, start, stop in _blocks(tokens_U, starts_U1, tokens_K):
        np.add.at(scores_n, examples_P[start:stop], np.vecdot(rows_PD[start:stop], query_KD[word]))


def find(
    examples_P: IntArray, tokens_U: IntArray, starts_U1: IntArray, tokens_K: IntArray, chosen_E: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Rows of the words that are of a chosen example: the row, the word, and which of the chosen (in order), shape (X,) each."""
    if njit is None:
        return _find_numpy(examples_P, tokens_U, starts_U1, tokens_K, chosen_E)
    size = len(tokens_K) * len(chosen_E)
    while True:
        rows_X, words_X, places_X = np.empty((3, size), dtype=np.int64)
        found = int(_find(examples_P, tokens_U, starts_U1, tokens_K, chosen_E, rows_X, words_X, places_X))
        if found <= size:
            return rows_X[:found], words_X[:found], places_X[:found]
        size = found


def expand(first_PD: IntArray, second_PD: IntArray, scales_P: FloatArray, rows_X: IntArray, room_XD: FloatArray) -> FloatArray:
    """Some rows by both planes, float32, written into the first of `room_XD`; returns these."""
    if njit is not None:
        _expand(first_PD, second_PD, scales_P, rows_X, room_XD)
        return room_XD[: len(rows_X)]
    return expanded(first_PD[rows_X], second_PD[rows_X], scales_P[rows_X])


def add_products(scores_QN: FloatArray, queries_K: IntArray, products_KP: FloatArray, examples_P: IntArray) -> None:
    """Add products of some queries to their scores of some examples, among which one may be twice."""
    if njit is not None:
        _add_products(scores_QN, queries_K, products_KP, examples_P)
        return
    for query, products_P in zip(queries_K.tolist(), products_KP, strict=True):
        np.add.at(scores_QN[query], examples_P, products_P)


def _blocks(tokens_U: IntArray, starts_U1: IntArray, tokens_K: IntArray, size: int = BLOCK) -> list[tuple[int, int, int]]:
    """(word, start, stop) of slices of at most so many rows."""
    at_of = {token: at for at, token in enumerate(tokens_U.tolist())}
    found = [(word, at_of[token]) for word, token in enumerate(tokens_K.tolist()) if token in at_of]
    edges = [(word, int(starts_U1[at]), int(starts_U1[at + 1])) for word, at in found]
    return [(word, at, min(at + size, stop)) for word, start, stop in edges for at in range(start, stop, size)]


def _find_numpy(
    examples_P: IntArray, tokens_U: IntArray, starts_U1: IntArray, tokens_K: IntArray, chosen_E: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    found = []
    for word, start, stop in _blocks(tokens_U, starts_U1, tokens_K, max(1, len(examples_P))):
        first_E = start + np.searchsorted(examples_P[start:stop], chosen_E, side="left")
        counts_E = start + np.searchsorted(examples_P[start:stop], chosen_E, side="right") - first_E
        places_X = np.repeat(np.arange(len(chosen_E)), counts_E)
        before_E = np.cumsum(counts_E) - counts_E
        rows_X = (first_E - before_E)[places_X] + np.arange(len(places_X))
        found.append((rows_X, np.full(len(rows_X), word), places_X))
    if not found:
        return (np.zeros(0, np.int64),) * 3
    rows_X, words_X, places_X = (np.concatenate(column) for column in zip(*found, strict=True))
    return rows_X, words_X, places_X
