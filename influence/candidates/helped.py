"""Which of the chosen test sentences a candidate helps most: its scores with each of them, for the few that are shown.

Axes: E candidates, M test sentences, B of a block; of one word P candidates' and Q sentences' gradients; D embedding width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from influence.attribution import Method, Query, WordIndex
from influence.candidates.mistakes import in_blocks, last_layer
from influence.candidates.scoring import candidate_queries
from influence.formulas import tracin_term, word_products
from influence.models import Encoding
from influence.types import FloatArray, IntArray, Progress, StageKind
from influence.workspace import WorkspaceReader


class Helped(NamedTuple):
    """A test sentence by its position, and a candidate's score with it."""

    test: int
    score: float


class _Words(NamedTuple):
    """Of several sentences every word that counts at a checkpoint: sentence by sentence once, in order of the words."""

    tokens_R: IntArray
    owners_R: IntArray
    gradients_RD: FloatArray


def most_helped(
    workspace: WorkspaceReader,
    encoding: Encoding,
    labels_N: IntArray,
    candidates: IntArray,
    tests_M: IntArray,
    method: Method,
    progress: Progress,
) -> dict[int, Helped]:
    """By candidate, the test sentence of the largest score; the first of equal ones. None where no score is above 0."""
    found: dict[int, Helped] = {}
    done = 0
    for block, queries in candidate_queries(workspace, encoding, labels_N, candidates):
        for tests_B, asked in in_blocks(workspace, tests_M):
            scores_EB = pair_scores(workspace.index, queries, asked, method)
            for place, best in enumerate(scores_EB.argmax(axis=1).tolist()):
                score, candidate = float(scores_EB[place, best]), int(block[place])
                if score > 0 and (candidate not in found or score > found[candidate].score):
                    found[candidate] = Helped(int(tests_B[best]), score)
        done += len(block)
        progress(StageKind.HELPED, done, len(candidates))
    return found


def pair_scores(index: WordIndex, queries: Sequence[Query], asked: Sequence[Query], method: Method) -> FloatArray:
    """The score of every candidate with every test sentence, shape (E, B)."""
    scores_EB = np.zeros((len(queries), len(asked)))
    for number in np.flatnonzero(index.learning_rates_C).tolist():
        rate = float(index.learning_rates_C[number])
        if method.selection is None:
            (d_EY, f_EH), (d_BY, f_BH) = (_layers(side, number, method) for side in (queries, asked))
            scores_EB += tracin_term(rate, (d_EY @ d_BY.T) * (f_EH @ f_BH.T))
            continue
        ours, theirs = (_words(index, side, number, method) for side in (queries, asked))
        for token in np.intersect1d(ours.tokens_R, theirs.tokens_R):
            at, there = (slice(*np.searchsorted(side.tokens_R, [token, token + 1])) for side in (ours, theirs))
            products_PQ = word_products(ours.gradients_RD[at], theirs.gradients_RD[there], each_with_each=True)
            scores_EB[np.ix_(ours.owners_R[at], theirs.owners_R[there])] += tracin_term(rate, products_PQ)
    return scores_EB


def _words(index: WordIndex, queries: Sequence[Query], number: int, method: Method) -> _Words:
    assert method.selection is not None
    chosen = [index.token_kinds.words(query, number, method.selection) for query in queries]
    tokens = np.concatenate([one.tokens_U for one in chosen])
    owners = np.repeat(np.arange(len(chosen)), [len(one.tokens_U) for one in chosen])
    order = np.argsort(tokens, kind="stable")
    gradients = np.concatenate([one.gradients_UD for one in chosen]).astype(np.float64)
    return _Words(tokens[order], owners[order], gradients[order])


def _layers(queries: Sequence[Query], number: int, method: Method) -> tuple[FloatArray, FloatArray]:
    deltas, features = zip(*(last_layer(query, number, method) for query in queries), strict=True)
    return np.stack(deltas), np.stack(features)
