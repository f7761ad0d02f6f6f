"""The word-gradient index: for each checkpoint, gradient rows of the training set sorted by token, memory-mapped.

A query reads the blocks of its own tokens and nothing else. Rows inside a block are in order of example and position.
Axes: N examples, R token rows, P posting rows, D embedding width, V token ids, C checkpoints, Q queries, E chosen examples.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from influence.attribution.query import Query, TokenKind, WordSelection
from influence.errors import QueryError, WorkspaceError
from influence.files import load_array
from influence.formulas import add_word_scores, word_contributions, word_gradients, word_scores
from influence.gradients import Alike
from influence.models import Encoding
from influence.sealed import Rows
from influence.types import BoolArray, FloatArray, IntArray

TOP, REST = "top", "rest"  # the positions kept by top-k, and all others
QUERY_BLOCK_BYTES = 128 << 20  # of the scores that `WordIndex.word_scores_many` holds


@dataclass(frozen=True)
class Postings:
    """Gradient rows sorted by token."""

    gradients_PD: Rows
    rows_P: IntArray  # row of the training set's encoding
    examples_P: IntArray
    offsets_V1: IntArray  # token v owns posting rows offsets[v] to offsets[v + 1]
    n_examples: int

    @classmethod
    def load(cls, folder: Path, encoding: Encoding) -> "Postings":
        """Open the arrays of one part of the index. Raises `WorkspaceError` where they do not fit the encoding."""
        gradients_PD = Rows(folder / "gradients.npy")
        rows_P, examples_P, offsets_V1 = (load_array(folder / f"{name}.npy") for name in ("rows", "examples", "offsets"))
        if (
            not (len(gradients_PD) == len(examples_P) == offsets_V1[-1] == len(rows_P))
            or (np.diff(offsets_V1) < 0).any()
            or not _within(rows_P, len(encoding.tokens_R))
            or not _within(examples_P, len(encoding))
        ):
            raise WorkspaceError(f"the index is damaged: {str(folder)!r} does not fit its data; build the workspace again")
        return cls(gradients_PD, rows_P, examples_P, offsets_V1, len(encoding))

    def block(self, token: int) -> slice:
        """The posting rows of one token."""
        return slice(int(self.offsets_V1[token]), int(self.offsets_V1[token + 1]))

    @cached_property
    def by_example(self) -> "ByExample":
        """The same rows in order of example and position; found once, then kept."""
        count = int(self.rows_P.max(initial=-1)) + 1
        kind: type[np.integer[Any]] = np.int32 if count < 2**31 else np.int64
        places_R: IntArray = np.full(count, -1, dtype=kind)
        places_R[self.rows_P] = np.arange(len(self.rows_P), dtype=kind)
        counts_N = np.bincount(self.examples_P, minlength=self.n_examples)
        rows_P = np.flatnonzero(places_R >= 0)
        return ByExample(rows_P, places_R[rows_P], np.concatenate([[0], np.cumsum(counts_N)]))


class ByExample(NamedTuple):
    """Posting rows in order of example and position; example n owns entries offsets[n] to offsets[n + 1]."""

    rows_P: IntArray  # row of the training set's encoding
    postings_P: IntArray
    offsets_N1: IntArray

    def entries(self, examples_E: IntArray) -> tuple[IntArray, IntArray]:
        """The entries of the chosen examples, shape (X,), and which of the chosen each belongs to."""
        first_E, counts_E = self.offsets_N1[examples_E], self.offsets_N1[examples_E + 1] - self.offsets_N1[examples_E]
        chosen_X = np.repeat(np.arange(len(examples_E)), counts_E)
        before_E = np.cumsum(counts_E) - counts_E
        return (first_E - before_E)[chosen_X] + np.arange(len(chosen_X)), chosen_X


class Matches(NamedTuple):
    """Word contributions between a query and E training examples; one entry a pair of words with a token in common."""

    examples_X: IntArray  # position in the list of chosen examples
    query_words_X: IntArray
    train_words_X: IntArray
    scores_X: FloatArray
    special_X: BoolArray  # start and end tokens
    checkpoint_scores_EC: FloatArray


class WordIndex:
    """The training side of every word method, over all checkpoints."""

    def __init__(
        self,
        folder: Path,
        encoding: Encoding,
        *,
        labels_N: IntArray,
        learning_rates_C: FloatArray,
        special_V: BoolArray,
        common_V: BoolArray,
    ) -> None:
        self.encoding = encoding
        self.labels_N, self.alike = labels_N, Alike(encoding, labels_N)
        self.learning_rates_C = learning_rates_C
        self._kinds: dict[TokenKind, BoolArray] = {
            "all": np.ones_like(special_V),
            "uncommon": ~common_V,
            "start-end": special_V,
        }
        self.special_V = special_V
        self._folders = [folder / str(number) for number in range(len(learning_rates_C))]
        self._parts = [
            {part: Postings.load(at / part, encoding) for part in (TOP, REST) if (at / part).is_dir()} for at in self._folders
        ]

    def at_checkpoint(self, number: int) -> "WordIndex":
        """The same index with one checkpoint only."""
        one = copy.copy(self)
        one.learning_rates_C = self.learning_rates_C[[number]]
        one._folders, one._parts = [self._folders[number]], [self._parts[number]]
        return one

    def parts(self, name: str) -> list[Postings]:
        """One part of the index, `TOP` or `REST`, at every checkpoint."""
        return [parts[name] for parts in self._parts]

    @property
    def stores_all(self) -> bool:
        """Whether the gradients of the positions outside the top k are stored too."""
        return all(REST in parts for parts in self._parts)

    def last_layer(self, checkpoint: int) -> tuple[FloatArray, FloatArray] | None:
        """Inputs (N, H) of the last linear layer and loss gradients (N, Y) at its output; None: a model without one."""
        path = self._folders[checkpoint] / "features.npy"
        return (load_array(path), self.deltas(checkpoint)) if path.is_file() else None

    def deltas(self, checkpoint: int) -> FloatArray:
        """Loss gradients (N, Y) at the logits."""
        return load_array(self._folders[checkpoint] / "deltas.npy")

    def word_scores(self, query: Query, selection: WordSelection) -> FloatArray:
        """Σ_w η_c ⟨Σ g_w, Σ g'_w⟩ over shared selected words, for every checkpoint and example, shape (C, N) (eqs. 3–6)."""
        scores_CN = np.zeros((len(self.learning_rates_C), len(self.encoding)))
        for number, rate in enumerate(self.learning_rates_C):
            parts, positions_L = self._selected_parts(number, selection), self.selected(query, number, selection)
            words = word_gradients(query.tokens_L[positions_L], query.checkpoints[number].gradients_LD[positions_L])
            blocks = (
                (gradient_D, part.gradients_PD[block], part.examples_P[block])
                for token, gradient_D in zip(*words, strict=True)
                for part in parts
                for block in [part.block(token)]
            )
            scores_CN[number] = word_scores(blocks, len(self.encoding), rate)
        return self.alike.tie(scores_CN)

    def word_scores_many(self, queries: Sequence[Query], selection: WordSelection) -> FloatArray:
        """`word_scores` of many queries at once, summed over checkpoints, shape (Q, N): one matrix product a token."""
        scores_QN = np.zeros((len(queries), len(self.encoding)), dtype=np.float32)
        for number in np.flatnonzero(self.learning_rates_C).tolist():
            parts, rate = self._selected_parts(number, selection), self.learning_rates_C[number]
            blocks = (
                (queries_K, gradients_KD, part.gradients_PD[block], part.examples_P[block])
                for token, queries_K, gradients_KD in self._by_token(queries, number, selection)
                for part in parts
                for block in [part.block(token)]
            )
            add_word_scores(scores_QN, blocks, rate)
        return self.alike.tie(scores_QN)

    def matches(self, query: Query, examples_E: IntArray, selection: WordSelection) -> Matches:
        """Word contributions of the query with each of the chosen examples; they sum to the scores of `word_scores`."""
        found = []
        for number in np.flatnonzero(self.learning_rates_C).tolist():  # a final model with learning rate 0 has no part in the sum
            positions_K = self.selected(query, number, selection)
            for part in self._selected_parts(number, selection):
                entries_X, chosen_X = part.by_example.entries(examples_E)
                rows_X = part.by_example.rows_P[entries_X]
                at, same = np.nonzero(self.encoding.tokens_R[rows_X][:, None] == query.tokens_L[positions_K])
                gradients_XD = part.gradients_PD[part.by_example.postings_P[entries_X[at]]]
                found.append((chosen_X[at], *self.contributions(query, number, positions_K[same], rows_X[at], gradients_XD)))
        return merge_matches(found, len(examples_E), len(self.learning_rates_C))

    def contributions(
        self, query: Query, checkpoint: int, positions_X: IntArray, rows_X: IntArray, gradients_XD: FloatArray
    ) -> tuple[IntArray | BoolArray | FloatArray, ...]:
        """What `merge_matches` takes, of positions of the query and the training rows and gradients that they meet."""
        own_XD, rate = query.checkpoints[checkpoint].gradients_LD[positions_X], self.learning_rates_C[checkpoint]
        return (
            query.words_L[positions_X],
            self.encoding.words_R[rows_X],
            word_contributions(own_XD, gradients_XD, rate),
            np.full(len(rows_X), checkpoint),
            self.special_V[query.tokens_L[positions_X]],
        )

    def selected(self, query: Query, checkpoint: int, selection: WordSelection) -> IntArray:
        """The positions of the query that count at a checkpoint."""
        chosen_L = self._kinds[selection.tokens][query.tokens_L]
        if selection.special_tokens != "include":
            chosen_L = chosen_L & (self.special_V[query.tokens_L] == (selection.special_tokens == "only"))
        if selection.top_k:
            chosen_L = chosen_L & query.checkpoints[checkpoint].kept_L
        return np.flatnonzero(chosen_L)

    def _selected_parts(self, checkpoint: int, selection: WordSelection) -> list[Postings]:
        parts = self._parts[checkpoint]
        if selection.top_k:
            return [parts[TOP]]
        if REST not in parts:
            raise QueryError("this workspace stores the gradients of the top-k positions only; build it again with --index all")
        return [parts[TOP], parts[REST]]

    def _by_token(
        self, queries: Sequence[Query], checkpoint: int, selection: WordSelection
    ) -> Iterator[tuple[int, IntArray, FloatArray]]:
        """For each token: the queries that hold it and their gradients for it."""
        chosen = [(query, self.selected(query, checkpoint, selection)) for query in queries]
        tokens_K = np.concatenate([query.tokens_L[at] for query, at in chosen]).astype(np.int64)
        queries_K = np.repeat(np.arange(len(queries)), [len(at) for _, at in chosen])
        gradients_KD = np.concatenate([query.checkpoints[checkpoint].gradients_LD[at] for query, at in chosen])
        keys_U, gradients_UD = word_gradients(tokens_K * len(queries) + queries_K, gradients_KD)
        tokens_U, queries_U = np.divmod(keys_U, len(queries))
        starts = np.flatnonzero(np.diff(tokens_U, prepend=-1)).tolist()
        for start, stop in pairwise([*starts, len(tokens_U)]):
            yield int(tokens_U[start]), queries_U[start:stop], gradients_UD[start:stop]


def queries_at_once(n_train: int) -> int:
    """How many queries to score together, so that their scores of all training examples fit into `QUERY_BLOCK_BYTES`."""
    return int(np.clip(QUERY_BLOCK_BYTES // (4 * n_train), 1, 256))


def _within(values_P: IntArray, size: int) -> bool:
    return bool(values_P.min(initial=0) >= 0 and values_P.max(initial=0) < size)


def merge_matches(found: list[tuple[Any, ...]], n_examples: int, n_checkpoints: int) -> Matches:
    """Sum the contributions of each pair of words over positions and checkpoints."""
    examples, query_words, train_words, scores, checkpoints, special = (np.concatenate(c) for c in zip(*found, strict=True))
    checkpoint_scores_EC = np.zeros((n_examples, n_checkpoints))
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
