"""Which examples are left out together: parts of the data with every label spread evenly, and copies of a text kept together.

A model that had learnt the copy of a text would repeat its label, which is no opinion.
"""

import itertools

import numpy as np

from influence.models import Encoding
from influence.types import IntArray


def same_text(encoding: Encoding) -> IntArray:
    """For every example the position of the first one with the same tokens, shape (N,)."""
    tokens_R = np.asarray(encoding.tokens_R)
    first: dict[bytes, int] = {}
    bounds = np.asarray(encoding.offsets_N1).tolist()
    keys = (tokens_R[start:stop].tobytes() for start, stop in itertools.pairwise(bounds))
    return np.array([first.setdefault(key, position) for position, key in enumerate(keys)], dtype=np.int64)


def fold_of(copies_N: IntArray, labels_N: IntArray, folds: int, generator: np.random.Generator) -> IntArray:
    """The part, 0 to `folds` - 1, that each example is in, shape (N,). `copies_N` is that of `same_text`."""
    first_U, texts_N = np.unique(copies_N, return_inverse=True)
    folds_U = np.empty(len(first_U), dtype=np.int64)
    for label in np.unique(labels_N):
        with_label = generator.permutation(np.flatnonzero(labels_N[first_U] == label))
        folds_U[with_label] = (np.arange(len(with_label)) + generator.integers(folds)) % folds
    folds_N: IntArray = folds_U[texts_N]
    return folds_N
