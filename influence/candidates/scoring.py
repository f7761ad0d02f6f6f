"""One pass over the candidates: each one's score with the mean gradient of the test sentences, word by word.

Axes: N candidates, E of a block, R positions of these, W whole words of a text, C checkpoints, D embedding width, Y labels.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from influence.attribution import Method, Query, QueryCheckpoint, WordIndex, WordSelection
from influence.candidates.mistakes import MeanGradients, last_layer
from influence.formulas import tracin_term, word_gradients, word_products
from influence.models import Encoding
from influence.types import FloatArray, IntArray, Progress, StageKind
from influence.workspace import WorkspaceReader

BLOCK_BYTES = 32 << 20  # of gradients held at once


class Score(NamedTuple):
    """What one candidate has: in nats, the mean fall of the test sentences' loss by a step on it at each checkpoint's rate."""

    score: float  # above 0: it helps
    self_influence: float  # its score with itself, never below 0
    words_W: FloatArray  # by whole word, start and end tokens among them; they sum to the score; all 0 of a method without words


def candidate_queries(
    workspace: WorkspaceReader, encoding: Encoding, labels_N: IntArray, candidates: IntArray
) -> Iterator[tuple[IntArray, list[Query]]]:
    """Candidates as queries for the loss on their labels, those of one length together, as many at a time as memory allows."""
    order = candidates[np.argsort(encoding.lengths_N[candidates], kind="stable")]
    rows = BLOCK_BYTES // workspace.live.row_bytes
    block_of = np.cumsum(encoding.lengths_N[order]) // rows
    for block in np.split(order, np.flatnonzero(np.diff(block_of)) + 1):
        gradients = workspace.live.gradients(encoding, block, labels_N)
        yield block, [_query(encoding, int(at), int(labels_N[at]), one) for at, one in zip(block, gradients, strict=True)]


def _query(encoding: Encoding, at: int, label: int, checkpoints: list[QueryCheckpoint]) -> Query:
    rows = slice(*encoding.offsets_N1[at : at + 2].tolist())
    tokens, words, special = encoding.tokens_R[rows], encoding.words_R[rows], encoding.special_R[rows]
    return Query(f"candidate\x1f{at}", label, tokens, words, special, checkpoints)


def scored(
    workspace: WorkspaceReader,
    encoding: Encoding,
    labels_N: IntArray,
    means: Sequence[MeanGradients | None],
    method: Method,
    progress: Progress,
) -> Iterator[tuple[int, Score]]:
    """The score of every candidate with its number, in the order of their lengths."""
    everyone, done = np.arange(len(encoding)), 0
    for block, queries in candidate_queries(workspace, encoding, labels_N, everyone):
        yield from zip(block.tolist(), _of_block(workspace, queries, means, method), strict=True)
        done += len(block)
        progress(StageKind.CANDIDATES, done, len(encoding))


def _of_block(
    workspace: WorkspaceReader, queries: Sequence[Query], means: Sequence[MeanGradients | None], method: Method
) -> Iterator[Score]:
    for query in queries:
        score, own = 0.0, 0.0
        words_W = np.zeros(int(query.words_L.max(initial=-1)) + 1)
        for number, (rate, mean) in enumerate(zip(workspace.learning_rates_C.tolist(), means, strict=True)):
            if mean is None:
                continue
            if method.selection is None:
                terms = _of_layer(query, number, mean, method)
                score += rate * terms[0]
            else:
                terms = _of_words(workspace.index, query, number, mean, method.selection, rate, words_W)
            own += rate * terms[1]
        yield Score(score if method.selection is None else float(words_W.sum()), own, words_W)


def _of_layer(query: Query, number: int, mean: MeanGradients, method: Method) -> tuple[float, float]:
    """The last layer's inner products at one checkpoint: with the mean, and with itself."""
    deltas_Y, features_H = last_layer(query, number, method)
    assert mean.layer_YH is not None
    return float(deltas_Y @ mean.layer_YH @ features_H), float((deltas_Y @ deltas_Y) * (features_H @ features_H))


def _of_words(
    index: WordIndex,
    query: Query,
    number: int,
    mean: MeanGradients,
    selection: WordSelection,
    rate: float,
    words_W: FloatArray,
) -> tuple[float, float]:
    """The same over words, what each carries added to `words_W` (eqs. 3 to 6)."""
    positions_K = index.token_kinds.positions(query, number, selection)
    tokens_K = query.tokens_L[positions_K]
    gradients_KD = query.checkpoints[number].gradients_LD[positions_K].astype(np.float64)
    own_UD = word_gradients(tokens_K, gradients_KD)[1]
    met_X = np.flatnonzero(np.isin(tokens_K, mean.tokens_U))
    at_X = np.searchsorted(mean.tokens_U, tokens_K[met_X])
    products_X = word_products(mean.gradients_UD[at_X], gradients_KD[met_X])
    np.add.at(words_W, query.words_L[positions_K[met_X]], tracin_term(rate, products_X))
    return float(products_X.sum()), float(np.square(own_UD).sum())
