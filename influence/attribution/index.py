"""Scores over words from the index: every segment's rows at every checkpoint, joined exactly, since a score is one example's.

`strongest` names the strongest: it scans the rows' first plane, whose error is bounded, and reads the second for the examples
that the bounds cannot tell apart, so the top k is the top k. `word_scores` is about every example, by both planes, which are off
by at most 1e-4 of a query's largest score (measured: 1e-5).

Axes: N examples, n of a segment, R token rows, P posting rows, D embedding width, C checkpoints, Q queries, U words of a
query, E chosen examples.
"""

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from influence.attribution.matches import ChosenWords, Found, Matches, Strongest, TokenKinds, merge_matches, only
from influence.attribution.query import Query, WordSelection
from influence.errors import QueryError
from influence.formulas import (
    add_word_scores,
    extremes,
    logit_gradients,
    strongest_candidates,
    tracin_term,
    word_contributions,
    word_gradients,
    word_products,
    word_scores,
)
from influence.gradients import Alike
from influence.models import Encoding
from influence.segments import REST, TOP, Postings, Segment, SplitSegments, add_products, row_blocks
from influence.types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:  # an index is read without PyTorch
    import torch

    from influence.segments import ResidentRows

QUERY_BLOCK_BYTES = 128 << 20  # of the scores that `WordIndex.word_scores_many` holds
MANY = 6  # times as many candidates as are asked for on a side


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
        first_N: IntArray | None = None,
    ) -> None:
        self.encoding = encoding
        self.labels_N, self.alike = labels_N, Alike(encoding, labels_N, first_N)
        self.learning_rates_C = learning_rates_C
        self.token_kinds = TokenKinds(special_V, common_V)
        self.split = SplitSegments(folder, len(learning_rates_C), encoding.offsets_N1, self.alike.first_N)
        self._scanned_segments, self._tied = self.split.segments, self.alike  # of the whole index; see `over`
        self._resident: ResidentRows | None = None
        self._numbers = list(range(len(learning_rates_C)))  # of the checkpoints on disk

    def at_checkpoint(self, number: int) -> "WordIndex":
        """The same index with one checkpoint only."""
        one = copy.copy(self)
        one.learning_rates_C, one._numbers = self.learning_rates_C[[number]], [self._numbers[number]]
        return one

    def over(self, place: int, places: int) -> "WordIndex":
        """The same index, whose `strongest` are sought among the examples of a share of the segments: number mod `places`.

        What is said of an example stays what the whole index says, so the strongest of all shares together are the strongest.
        """
        one = copy.copy(self)
        one._scanned_segments = [segment for segment in self.split.segments if segment.number % places == place]
        mine_E = np.concatenate([np.arange(s.start, s.stop) for s in one._scanned_segments] or [np.zeros(0, dtype=np.int64)])
        first_N, alike_E = np.arange(len(self.encoding)), self.alike.first_N[mine_E]
        _, first_U, place_E = np.unique(alike_E, return_index=True, return_inverse=True)
        first_N[mine_E] = mine_E[first_U][place_E]  # the first alike in the share
        one._tied = Alike(self.encoding, self.labels_N, first_N)
        return one

    @property
    def stores_all(self) -> bool:
        """Whether the gradients of the positions outside the top k are stored too."""
        return self.split.stores_rest

    def postings(self, segment: Segment, checkpoint: int, part: str) -> Postings:
        """A segment's rows of one part, `TOP` or `REST`, at a checkpoint."""
        return self.split.postings(segment, self._numbers[checkpoint], part)

    def last_layer(self, checkpoint: int) -> tuple[FloatArray, FloatArray] | None:
        """Inputs (N, H) of the last linear layer and loss gradients (N, Y) at its output; None: a model without one."""
        number = self._numbers[checkpoint]
        found = [features for one in self.split.segments if (features := self.split.features(one, number)) is not None]
        return (np.concatenate(found), self.deltas(checkpoint)) if found else None

    def deltas(self, checkpoint: int) -> FloatArray:
        """Loss gradients (N, Y) at the logits."""
        return logit_gradients(self.split.column("probabilities", self._numbers[checkpoint]), np.asarray(self.labels_N))

    def word_scores(self, query: Query, selection: WordSelection) -> FloatArray:
        """Σ_w η_c ⟨Σ g_w, Σ g'_w⟩ over shared selected words, for every checkpoint and example, shape (C, N) (eqs. 3–6)."""
        scores_CN = np.zeros((len(self.learning_rates_C), len(self.encoding)))
        for number, rate in enumerate(self.learning_rates_C):
            _, _, tokens_U, gradients_UD = self.token_kinds.words(query, number, selection)
            for segment in self.split.segments:
                blocks = (
                    (gradient_D, rows_PD, examples_P)
                    for postings in self._selected_postings(segment, number, selection)
                    for gradient_D, rows_PD, examples_P in row_blocks(postings, tokens_U, list(gradients_UD))
                )
                scores_CN[number, segment.start : segment.stop] = word_scores(blocks, len(segment), rate)
        return self.alike.tie(scores_CN)

    def word_scores_many(self, queries: Sequence[Query], selection: WordSelection) -> FloatArray:
        """`word_scores` of many queries at once, summed over checkpoints, shape (Q, N): one matrix product a token."""
        scores_QN = np.zeros((len(queries), len(self.encoding)), dtype=np.float32)
        for number in np.flatnonzero(self.learning_rates_C).tolist():
            rate, words = self.learning_rates_C[number], list(self.by_token(queries, number, selection))
            tokens_U = np.array([token for token, *_ in words])
            for segment in self.split.segments:
                for postings in self._selected_postings(segment, number, selection):
                    blocks = (
                        (words[at][1], words[at][2], rows_PD, examples_P)
                        for at, rows_PD, examples_P in row_blocks(postings, tokens_U, range(len(words)))
                    )
                    add_word_scores(scores_QN[:, segment.start : segment.stop], blocks, rate, add_products)
        return self.alike.tie(scores_QN)

    def strongest(
        self, query: Query, selection: WordSelection, tie_ranks_N: IntArray, top: int, *, leaving_out: int | None = None
    ) -> Strongest:
        """The `top` proponents and opponents of a query, ties in order of `tie_ranks_N`, as `word_scores` would rank them."""
        asked = self._asked(query, selection)
        approximate_N, errors_N = self._scanned(asked, selection)
        if leaving_out is not None:
            approximate_N[leaving_out] = errors_N[leaving_out] = 0
        candidates_E = strongest_candidates(approximate_N, errors_N, top)
        if len(candidates_E) > MANY * top:  # more than are worth splitting over words
            both = extremes(self._totals(asked, candidates_E, selection), tie_ranks_N[candidates_E], top)
            candidates_E = np.sort(candidates_E[np.concatenate(both)])
        found = self._matches(query, asked, candidates_E, selection)
        scores_EC = found.checkpoint_scores_EC
        one, other = extremes(scores_EC.sum(axis=1), tie_ranks_N[candidates_E], top)
        sides = candidates_E[one], candidates_E[other], scores_EC[one], scores_EC[other]
        return Strongest(*sides, only(found, one), only(found, other))

    def _asked(self, query: Query, selection: WordSelection) -> list[ChosenWords]:
        """What a query asks for of every checkpoint that counts: a final model with learning rate 0 has no part in the sum."""
        return [self.token_kinds.words(query, number, selection) for number in self.learning_rates_C.nonzero()[0].tolist()]

    def scan(self, query: Query, selection: WordSelection) -> tuple[FloatArray, FloatArray]:
        """Every example's score by the first plane alone, and how far it may be off, shape (N,) each."""
        return self._scanned(self._asked(query, selection), selection)

    def _scanned(self, asked: list[ChosenWords], selection: WordSelection) -> tuple[FloatArray, FloatArray]:
        places = self._places(asked, selection, self._scanned_segments)
        if self._resident is not None and selection.top_k:
            approximate_N, errors_N = self._resident.scan(
                (self._numbers[words.checkpoint], segment, postings, words.tokens_U, scaled_UD)
                for segment, postings, words, scaled_UD in places
            )
        else:
            approximate_N, errors_N = (np.zeros(len(self.encoding), dtype=np.float32) for _ in range(2))
            for segment, postings, words, scaled_UD in places:
                here = slice(segment.start, segment.stop)
                postings.scan(words.tokens_U, scaled_UD, approximate_N[here], errors_N[here])
        self._tied.tie(errors_N)
        return self._tied.tie(approximate_N), errors_N

    def hold_on(self, device: "torch.device") -> bool:
        """Hold what queries scan on a GPU, where there is room for it, and scan it there from now on; whether it does."""
        from influence.segments import ResidentRows

        if self._resident is None and (device.type != "cuda" or ResidentRows.fits(self.split, device)):
            self._resident = ResidentRows(self.split, device)
        return self._resident is not None

    def _totals(self, asked: list[ChosenWords], examples_E: IntArray, selection: WordSelection) -> FloatArray:
        """The scores of some examples by both planes, shape (E,)."""
        first_D, place_E = np.unique(self.alike.first_N[examples_E], return_inverse=True)
        sums_D = np.zeros(len(first_D))
        for segment, places, chosen in self.split.holding(first_D):
            for _, postings, words, scaled_UD in self._places(asked, selection, [segment]):
                rows_X, words_X, at_X = postings.find(words.tokens_U, chosen)
                products_X = word_products(scaled_UD[words_X], postings.rows(rows_X))
                sums_D += np.bincount(places[at_X], products_X, len(first_D))
        return np.asarray(sums_D[place_E])

    def matches(self, query: Query, examples_E: IntArray, selection: WordSelection) -> Matches:
        """Word contributions of the query with each of the chosen examples; they sum to the scores of `word_scores`."""
        return self._matches(query, self._asked(query, selection), examples_E, selection)

    def _matches(self, query: Query, asked: list[ChosenWords], examples_E: IntArray, selection: WordSelection) -> Matches:
        found: list[Found] = []
        for segment, places, chosen in self.split.holding(self.alike.first_N[examples_E]):  # copies have to tie
            for number, positions_K, tokens_U, _ in asked:
                for postings in self._selected_postings(segment, number, selection):
                    rows_X, words_X, at_X = postings.find(tokens_U, chosen)
                    pair_X, same_X = np.nonzero(tokens_U[words_X][:, None] == query.tokens_L[positions_K])
                    gradients_XD, places_X = postings.rows(rows_X)[pair_X], places[at_X[pair_X]]
                    rows_R = self.encoding.offsets_N1[examples_E[places_X]] + postings.positions(rows_X[pair_X])
                    found.append(self.contributions(query, number, positions_K[same_X], rows_R, gradients_XD, places_X))
        return merge_matches(found, len(examples_E), len(self.learning_rates_C))

    def _places(
        self, asked: list[ChosenWords], selection: WordSelection, segments: Sequence[Segment]
    ) -> Iterator[tuple[Segment, Postings, ChosenWords, FloatArray]]:
        """Where rows of the words asked for lie, and the query's gradients times the learning rate."""
        for words in asked:
            scaled_UD = tracin_term(np.float32(self.learning_rates_C[words.checkpoint]), words.gradients_UD)
            for segment in segments:
                for postings in self._selected_postings(segment, words.checkpoint, selection):
                    yield segment, postings, words, scaled_UD

    def rows_of(self, segment: Segment, postings: Postings, rows_X: IntArray) -> IntArray:
        """The token rows of the encoding that posting rows belong to."""
        examples_X = segment.start + postings.examples_P[rows_X].astype(np.int64)
        return np.asarray(self.encoding.offsets_N1[examples_X] + postings.positions(rows_X))

    def gradients_of(self, rows_X: IntArray, checkpoint: int, parts: Sequence[str]) -> FloatArray:
        """The gradients at token rows of the encoding, shape (X, D); 0 where a row is in none of the parts."""
        examples_X = np.searchsorted(self.encoding.offsets_N1, rows_X, side="right") - 1
        found_XD = np.zeros((len(rows_X), self.width), dtype=np.float32)
        for segment, places, chosen in self.split.holding(examples_X):
            positions = rows_X[places] - self.encoding.offsets_N1[examples_X[places]]
            for part in parts:
                postings = self.postings(segment, checkpoint, part)
                at = postings.at(chosen, positions)
                there = np.flatnonzero(at >= 0)
                found_XD[places[there]] = postings.rows(at[there])
        return found_XD

    @property
    def width(self) -> int:
        """D, the embedding width."""
        every = (self.postings(segment, 0, TOP) for segment in self.split.segments)
        return next((postings.width for postings in every if len(postings)), 1)

    def contributions(
        self,
        query: Query,
        checkpoint: int,
        positions_X: IntArray,
        rows_X: IntArray,
        gradients_XD: FloatArray,
        examples_X: IntArray,
    ) -> Found:
        """What `merge_matches` takes, of positions of the query and the training rows and gradients that they meet."""
        own_XD, rate = query.checkpoints[checkpoint].gradients_LD[positions_X], self.learning_rates_C[checkpoint]
        return Found(
            examples_X,
            query.words_L[positions_X],
            self.encoding.words_R[rows_X],
            word_contributions(own_XD, gradients_XD, rate),
            np.full(len(rows_X), checkpoint),
            self.token_kinds.special_V[query.tokens_L[positions_X]],
        )

    def _selected_postings(self, segment: Segment, checkpoint: int, selection: WordSelection) -> list[Postings]:
        if not selection.top_k and not self.stores_all:
            raise QueryError("this workspace stores the gradients of the top-k positions only; build it again with --index all")
        return [self.postings(segment, checkpoint, part) for part in ((TOP,) if selection.top_k else (TOP, REST))]

    def by_token(
        self, queries: Sequence[Query], checkpoint: int, selection: WordSelection
    ) -> Iterator[tuple[int, IntArray, FloatArray]]:
        """For each token: the queries that hold it and their gradients for it."""
        chosen = [(query, self.token_kinds.positions(query, checkpoint, selection)) for query in queries]
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
