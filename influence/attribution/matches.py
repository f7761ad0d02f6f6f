"""Which words of a query count, and their contributions with those of training examples, summed over positions and checkpoints.

Axes: E chosen examples, C checkpoints, X pairs of words; of a query L positions, K chosen ones, U words at these; V tokens of
the vocabulary, D embedding width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from influence.attribution.query import Query, TokenKind, WordSelection
from influence.formulas import word_gradients
from influence.types import BoolArray, FloatArray, IntArray


class ChosenWords(NamedTuple):
    """What a query holds that counts at a checkpoint."""

    checkpoint: int
    positions_K: IntArray
    tokens_U: IntArray  # in order
    gradients_UD: FloatArray  # summed over the positions of each


class TokenKinds:
    """Which tokens of the vocabulary start and end texts, and which are common: what a selection of words asks of them."""

    def __init__(self, special_V: BoolArray, common_V: BoolArray) -> None:
        self.special_V = special_V
        self._kinds: dict[TokenKind, BoolArray] = {
            "all": np.ones_like(special_V),
            "uncommon": ~common_V,
            "start-end": special_V,
        }

    def positions(self, query: Query, checkpoint: int, selection: WordSelection) -> IntArray:
        """The positions of a query that count at a checkpoint."""
        chosen_L = self._kinds[selection.tokens][query.tokens_L]
        if selection.special_tokens != "include":
            chosen_L = chosen_L & (self.special_V[query.tokens_L] == (selection.special_tokens == "only"))
        if selection.top_k:
            chosen_L = chosen_L & query.checkpoints[checkpoint].kept_L
        return chosen_L.nonzero()[0]

    def words(self, query: Query, checkpoint: int, selection: WordSelection) -> ChosenWords:
        """The words at these positions."""
        positions_K = self.positions(query, checkpoint, selection)
        gradients_KD = query.checkpoints[checkpoint].gradients_LD[positions_K]
        return ChosenWords(checkpoint, positions_K, *word_gradients(query.tokens_L[positions_K], gradients_KD))


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
