"""Word contributions between a query and training examples, summed over positions and checkpoints.

Axes: E chosen examples, C checkpoints, X pairs of words.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from influence.types import BoolArray, FloatArray, IntArray


class Found(NamedTuple):
    """Pairs of positions that hold the same word; entries of one length."""

    examples_X: IntArray  # position in the list of chosen examples
    query_words_X: IntArray
    train_words_X: IntArray
    scores_X: FloatArray
    checkpoints_X: IntArray
    special_X: BoolArray  # start and end tokens


class Matches(NamedTuple):
    """Word contributions between a query and E training examples; one entry a pair of words with a token in common."""

    examples_X: IntArray  # position in the list of chosen examples
    query_words_X: IntArray
    train_words_X: IntArray
    scores_X: FloatArray
    special_X: BoolArray  # start and end tokens
    checkpoint_scores_EC: FloatArray


class Strongest(NamedTuple):
    """The strongest examples for a query, their scores by checkpoint, and the words that these come of, where they are known."""

    proponents_E: IntArray  # the largest score first
    opponents_E: IntArray  # the most negative first
    proponent_scores_EC: FloatArray
    opponent_scores_EC: FloatArray
    proponent_matches: Matches | None = None
    opponent_matches: Matches | None = None


def only(found: Matches, chosen_E: IntArray) -> Matches:
    """The matches of some of the examples, numbered as these are given."""
    place_E = np.full(len(found.checkpoint_scores_EC), -1)
    place_E[chosen_E] = np.arange(len(chosen_E))
    kept_X = np.flatnonzero(place_E[found.examples_X] >= 0)
    return Matches(
        place_E[found.examples_X[kept_X]],
        found.query_words_X[kept_X],
        found.train_words_X[kept_X],
        found.scores_X[kept_X],
        found.special_X[kept_X],
        found.checkpoint_scores_EC[chosen_E],
    )


def merge_matches(found: Sequence[Found], n_examples: int, n_checkpoints: int) -> Matches:
    """Sum the contributions of each pair of words over positions and checkpoints."""
    checkpoint_scores_EC = np.zeros((n_examples, n_checkpoints))
    if not found:
        none = np.zeros(0, dtype=np.int64)
        return Matches(none, none, none, np.zeros(0), np.zeros(0, dtype=np.bool_), checkpoint_scores_EC)
    examples, query_words, train_words, scores, checkpoints, special = (np.concatenate(c) for c in zip(*found, strict=True))
    np.add.at(checkpoint_scores_EC, (examples, checkpoints), scores)
    # One integer a pair of words; word counts are far below 2^20, example lists far below 2^23.
    keys, inverse = np.unique(
        (examples.astype(np.int64) << 40) | (query_words.astype(np.int64) << 20) | train_words, return_inverse=True
    )
    special_X = np.zeros(len(keys), dtype=np.bool_)
    special_X[inverse] = special
    return Matches(
        keys >> 40,
        (keys >> 20) & 0xFFFFF,
        keys & 0xFFFFF,
        np.bincount(inverse, weights=scores, minlength=len(keys)).astype(np.float64, copy=False),
        special_X,
        checkpoint_scores_EC,
    )
