"""Examples that a model cannot tell apart: the same tokens with the same label.

Their gradients and scores are equal, so they are made once and copied. Made each in a batch of its own they would differ in
the last bits, by the padding beside them and by how a matrix product is cut into blocks, and a tie would go to the wrong one.

Axes: N examples, R token rows.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from influence.models import Encoding
from influence.types import FloatArray, IntArray

BLOCK_ROWS = 1 << 20  # token rows looked at together
ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)  # of the two hashes, to keep them apart
Hashes = npt.NDArray[np.uint64]


def first_alike(encoding: Encoding, labels_N: IntArray) -> IntArray:
    """For each example the first that has its tokens, token types and label, shape (N,); itself where it is the first.

    Two hashes of 64 bits say which examples may be alike; each is then compared with the first, token by token, so that the
    result hangs on no hash. In memory there are a few numbers an example, and the tokens of a block.
    """
    first_N = _first_of_equal(_hashes(encoding, labels_N))
    copies_E = np.flatnonzero(first_N != np.arange(len(first_N)))
    wrong_E = copies_E[~_are_alike(encoding, labels_N, copies_E, first_N[copies_E])]
    if len(wrong_E):
        _settle(encoding, labels_N, first_N, np.unique(first_N[wrong_E]))
    return first_N


def _hashes(encoding: Encoding, labels_N: IntArray) -> tuple[Hashes, Hashes]:
    """Two hashes of every example: of a token, its type and its place in the text, added up, and of the label."""
    found = np.empty(len(encoding), dtype=np.uint64), np.empty(len(encoding), dtype=np.uint64)
    for block in _blocks(encoding.lengths_N):
        offsets_B1 = encoding.offsets_N1[block.start : block.stop + 1]
        rows, lengths_B = slice(int(offsets_B1[0]), int(offsets_B1[-1])), np.diff(offsets_B1)
        places_R = np.arange(rows.start, rows.stop) - np.repeat(offsets_B1[:-1], lengths_B)
        tokens_R, types_R = encoding.tokens_R[rows].astype(np.uint64), encoding.types_R[rows].astype(np.int64).view(np.uint64)
        labels_B = labels_N[block].astype(np.int64).view(np.uint64)
        for sums_N, odd in zip(found, ODD, strict=True):
            mixed_R = _mixed(_mixed(places_R.astype(np.uint64) + np.uint64(odd)) ^ _mixed(tokens_R + (types_R << np.uint64(40))))
            sums_B = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed_R, dtype=np.uint64)])  # modulo 2⁶⁴
            ends_B1 = offsets_B1 - rows.start
            sums_N[block] = _mixed(sums_B[ends_B1[1:]] - sums_B[ends_B1[:-1]]) ^ _mixed(labels_B + np.uint64(odd))
    return found


def _mixed(values_X: Hashes) -> Hashes:
    """Every bit of a number spread over all of them (the finalizer of SplitMix64)."""
    values_X = (values_X ^ (values_X >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values_X = (values_X ^ (values_X >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values_X ^ (values_X >> np.uint64(31))


def _first_of_equal(hashes: tuple[Hashes, Hashes]) -> IntArray:
    """For each example the first with the same hashes, shape (N,)."""
    one_N, other_N = hashes
    order_N = np.lexsort((one_N, other_N))  # stable: of equal ones the first stays the first
    new_N = np.ones(len(one_N), dtype=np.bool_)
    for hash_N in hashes:
        sorted_N = hash_N[order_N]
        changed_N = sorted_N[1:] != sorted_N[:-1]
        new_N[1:] = changed_N if hash_N is one_N else new_N[1:] | changed_N
    first_N = np.empty(len(one_N), dtype=np.int64)
    first_N[order_N] = order_N[np.flatnonzero(new_N)][np.cumsum(new_N) - 1]
    return first_N


def _are_alike(encoding: Encoding, labels_N: IntArray, examples_E: IntArray, others_E: IntArray) -> npt.NDArray[np.bool_]:
    """Whether each example has the tokens, token types and label of another, shape (E,)."""
    lengths_N = encoding.lengths_N
    alike_E: npt.NDArray[np.bool_] = (lengths_N[examples_E] == lengths_N[others_E]) & (labels_N[examples_E] == labels_N[others_E])
    compared_E = np.flatnonzero(alike_E & (lengths_N[examples_E] > 0))
    for block in _blocks(lengths_N[examples_E[compared_E]]):
        chosen_B = compared_E[block]
        lengths_B = lengths_N[examples_E[chosen_B]]
        starts_B = np.cumsum(lengths_B) - lengths_B
        places_R = np.arange(int(lengths_B.sum())) - np.repeat(starts_B, lengths_B)
        ours_R, theirs_R = (
            places_R + np.repeat(encoding.offsets_N1[of_E[chosen_B]], lengths_B) for of_E in (examples_E, others_E)
        )
        same_R = encoding.tokens_R[ours_R] == encoding.tokens_R[theirs_R]
        same_R &= encoding.types_R[ours_R] == encoding.types_R[theirs_R]
        alike_E[chosen_B] = np.logical_and.reduceat(same_R, starts_B)
    return alike_E


def _settle(encoding: Encoding, labels_N: IntArray, first_N: IntArray, firsts_F: IntArray) -> None:
    """Tell apart, in place, examples whose hashes are those of other tokens: compared one by one with those before."""
    for first in firsts_F.tolist():
        kinds: list[int] = []
        for example in np.flatnonzero(first_N == first).tolist():
            same = _are_alike(encoding, labels_N, np.full(len(kinds), example), np.array(kinds, dtype=np.int64))
            first_N[example] = kinds[int(same.argmax())] if same.any() else example
            if not same.any():
                kinds.append(example)


def _blocks(lengths_N: IntArray) -> Iterator[slice]:
    """Examples in order, as many at a time as have `BLOCK_ROWS` token rows, but at least one."""
    ends_N = np.cumsum(lengths_N, dtype=np.int64)
    start = done = 0
    while start < len(ends_N):
        stop = max(int(np.searchsorted(ends_N, done + BLOCK_ROWS, side="right")), start + 1)
        yield slice(start, stop)
        start, done = stop, int(ends_N[stop - 1])


class Alike:
    """Which examples of a training set are copies for the model; found when first asked for, seconds for a million examples."""

    def __init__(self, encoding: Encoding, labels_N: IntArray, first_N: IntArray | None = None) -> None:
        self._encoding, self._labels_N, self._first_N = encoding, labels_N, first_N  # the last: as found before, where it was

    @cached_property
    def first_N(self) -> IntArray:
        """See `first_alike`."""
        return first_alike(self._encoding, self._labels_N) if self._first_N is None else self._first_N

    @cached_property
    def distinct_E(self) -> IntArray:
        """The examples that are no copy of one before."""
        return np.flatnonzero(self.first_N == np.arange(len(self.first_N)))

    @cached_property
    def _copies_E(self) -> IntArray:
        return np.flatnonzero(self.first_N != np.arange(len(self.first_N)))

    def tie(self, scores_XN: FloatArray) -> FloatArray:
        """Give copies the score of the first, in place; returns the scores."""
        scores_XN[..., self._copies_E] = scores_XN[..., self.first_N[self._copies_E]]
        return scores_XN
