"""The formulas over words: gradients at the word embedding, their norms, and inner products over shared words (eqs. 3–6).

The choice of pairs of words that TracIn-WE-Syn adds up (eq. 8) is in `influence/attribution/synonyms.py`.

Axes: N training examples, L positions, D embedding width, B a batch, Q queries, P posting rows of one word, K positions or
queries that hold it, U words, X whatever a caller has.
"""

from collections.abc import Callable, Iterable

import numpy as np

from influence.formulas.loss import tracin_term
from influence.types import BoolArray, FloatArray, IntArray


def position_norms(gradients_BLD: FloatArray) -> FloatArray:
    """‖g_i‖ at every position, shape (B, L): what the top k are chosen by (eq. 5)."""
    norms_BL: FloatArray = np.sqrt(np.vecdot(gradients_BLD, gradients_BLD))
    return norms_BL


def top_k_positions(norms_BL: FloatArray, real_BL: BoolArray, k: int) -> BoolArray:
    """The k real positions of largest gradient norm in each row (eq. 5); ties go to the earlier position."""
    ranked_BL = np.argsort(np.where(real_BL, -norms_BL, np.inf), axis=1, kind="stable")
    kept_BL = np.zeros_like(real_BL)
    np.put_along_axis(kept_BL, ranked_BL[:, :k], True, axis=1)
    return kept_BL & real_BL


def word_gradients(words_K: IntArray, gradients_KD: FloatArray) -> tuple[IntArray, FloatArray]:
    """Words in order, shape (U,), and Σ g_i over the positions of each, (U, D): summed before any product (eqs. 3, 5)."""
    order_K = np.argsort(words_K, kind="stable")
    sorted_K = words_K[order_K]
    starts_U = np.flatnonzero(np.diff(sorted_K, prepend=-1))
    if len(starts_U) == len(words_K):
        return sorted_K, gradients_KD[order_K]
    return sorted_K[starts_U], np.add.reduceat(gradients_KD[order_K], starts_U, axis=0)


def adam_direction(gradients_XD: FloatArray, second_moments_XD: FloatArray, *, epsilon: float = 1e-8) -> FloatArray:
    """g / (√v̂ + ε), coordinate by coordinate: along which a step of Adam on g goes, per unit of learning rate, shape (X, D).

    v̂ is the running mean of squared gradients, its bias corrected; ε is the optimizer's.
    """
    direction_XD: FloatArray = gradients_XD / (np.sqrt(second_moments_XD) + np.float32(epsilon))
    return direction_XD


def word_products(query_XD: FloatArray, train_XD: FloatArray, *, each_with_each: bool = False) -> FloatArray:
    """⟨g_w, g'_w⟩ of gradients of the same word, without learning rate: the summand of eqs. 3, 4, 6 and 8.

    One gradient (D,) with P rows, or row by row, shape (P,); with `each_with_each` K with P, shape (K, P). Summing over
    rows of an example later is the same as summing them first: ⟨Σ g_i, Σ g'_j⟩ = Σ_j ⟨Σ g_i, g'_j⟩.
    """
    if each_with_each:
        products_KP: FloatArray = query_XD @ train_XD.T
        return products_KP
    if not isinstance(train_XD, np.ndarray):  # a tensor, on whatever device it is
        import torch

        return torch.linalg.vecdot(train_XD, query_XD)
    # Bound by memory, so one thread is enough; the threads of a matrix product wait for a busy machine.
    products_P: FloatArray = np.vecdot(train_XD, query_XD)
    return products_P


def word_scores(blocks: Iterable[tuple[FloatArray, FloatArray, IntArray]], n: int, rate: float) -> FloatArray:
    """η Σ_w ⟨g_w, g'_w⟩ of one query with each of n training examples, float64 of shape (N,) (eqs. 4, 6).

    A block is a word: the query's gradient for it (D,), the training rows (P, D), and the examples that these are of (P,).
    """
    scores_N = np.zeros(n, dtype=np.float32)
    for gradient_D, train_PD, examples_P in blocks:
        np.add.at(scores_N, examples_P, word_products(gradient_D, train_PD))
    return tracin_term(rate, scores_N.astype(np.float64))


def add_word_scores(
    scores_QN: FloatArray,
    blocks: Iterable[tuple[IntArray, FloatArray, FloatArray, IntArray]],
    rate: float,
    add: Callable[[FloatArray, IntArray, FloatArray, IntArray], None],
) -> None:
    """The same of many queries, added in place: one matrix product a word.

    A block is a word: the queries that hold it (K,), their gradients (K, D), the training rows and their examples. `add` adds
    products (K, P) of some queries to their scores of some examples, among which one may be twice.
    """
    for queries_K, gradients_KD, train_PD, examples_P in blocks:
        scaled_KD = tracin_term(np.float32(rate), gradients_KD)
        add(scores_QN, queries_K, word_products(scaled_KD, train_PD, each_with_each=True), examples_P)


def word_contributions(query_XD: FloatArray, train_XD: FloatArray, rate: float) -> FloatArray:
    """η ⟨g_i, g'_j⟩ of X pairs of positions that hold the same word, float64 of shape (X,); they sum to the scores (eq. 4)."""
    return tracin_term(rate, word_products(query_XD, train_XD).astype(np.float64))
