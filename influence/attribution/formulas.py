"""The formulas of the influence methods, on plain arrays: what every query, score, build and cluster computes with.

The index and the passes over a model only find the numbers; the arithmetic on them stands here and nowhere else. The
choice of pairs of words that TracIn-WE-Syn adds up (eq. 8) is in `synonyms`.

Sign, here and everywhere: a score above 0 is a proponent (a gradient step on the training example lowers the loss on
the query), below 0 an opponent. The paper prints a minus in eqs. 2, 3, 6 and 7; its own tables need this plus.

Axes: N training examples, L positions, D embedding width, H inputs of the last linear layer, Y labels, B a batch, Q queries,
P posting rows of one word, K positions or queries that hold it, U words; of a layer I inputs, O outputs, W = O·I weights;
X and T positions or examples, whichever a caller has. "Tensors" are arrays of PyTorch, wherever the model is.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from influence.types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:  # most methods read the index and should not wait for PyTorch to be imported
    from torch import Tensor

EXPLICIT_WEIGHTS = 6_000  # up to here the Hessian is a matrix in memory; beyond it is only multiplied with
SOLVED_TO = 1e-8  # relative residual of the iterative solution
Array = TypeVar("Array", FloatArray, "Tensor")


def tracin_term(rate: float | np.floating[Any], products_X: FloatArray) -> FloatArray:
    """η ⟨∇ℓ, ∇ℓ'⟩, what one checkpoint adds to a TracIn score: learning rate times inner products (eq. 2)."""
    return rate * products_X


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


def word_products(query_XD: FloatArray, train_XD: FloatArray, *, each_with_each: bool = False) -> FloatArray:
    """⟨g_w, g'_w⟩ of gradients of the same word, without learning rate: the summand of eqs. 3, 4, 6 and 8.

    One gradient (D,) with P rows, or row by row, shape (P,); with `each_with_each` K with P, shape (K, P). Summing over
    rows of an example later is the same as summing them first: ⟨Σ g_i, Σ g'_j⟩ = Σ_j ⟨Σ g_i, g'_j⟩.
    """
    if each_with_each:
        products_KP: FloatArray = query_XD @ train_XD.T
        return products_KP
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
    scores_QN: FloatArray, blocks: Iterable[tuple[IntArray, FloatArray, FloatArray, IntArray]], rate: float
) -> None:
    """The same of many queries, added in place: one matrix product a word.

    A block is a word: the queries that hold it (K,), their gradients (K, D), the training rows and their examples.
    """
    for queries_K, gradients_KD, train_PD, examples_P in blocks:
        products_KP = word_products(tracin_term(np.float32(rate), gradients_KD), train_PD, each_with_each=True)
        # One row of scores at a time: it stays in the cache, and an example may hold the word twice.
        for query, products_P in zip(queries_K.tolist(), products_KP, strict=True):
            np.add.at(scores_QN[query], examples_P, products_P)


def word_contributions(query_XD: FloatArray, train_XD: FloatArray, rate: float) -> FloatArray:
    """η ⟨g_i, g'_j⟩ of X pairs of positions that hold the same word, float64 of shape (X,); they sum to the scores (eq. 4)."""
    return tracin_term(rate, word_products(query_XD, train_XD).astype(np.float64))


def logit_gradients(probabilities_BY: FloatArray, labels_B: IntArray) -> FloatArray:
    """∂ℓ/∂f = p − y, the loss gradient at the logits: probabilities less the one-hot label, shape (B, Y)."""
    deltas_BY = probabilities_BY.copy()
    deltas_BY[np.arange(len(labels_B)), labels_B] -= 1
    return deltas_BY


def probabilities_of(deltas_NY: FloatArray, labels_N: IntArray) -> FloatArray:
    """The probabilities that `logit_gradients` was given, float64 of shape (N, Y)."""
    probabilities_NY = deltas_NY.astype(np.float64)
    probabilities_NY[np.arange(len(labels_N)), labels_N] += 1
    return probabilities_NY


def text_scores(similarities_N: FloatArray, deltas_NY: FloatArray, deltas_Y: FloatArray, rate: float) -> FloatArray:
    """η cos(x, x') δ·δ′, shape (N,): likeness of the texts times the product of the loss gradients at the logits (eq. 7)."""
    return tracin_term(rate, similarities_N) * (deltas_NY @ deltas_Y)


def layer_products(inputs_XI: Array, deltas_XO: Array, other_inputs_TI: Array, other_deltas_TO: Array) -> Array:
    """⟨δ aᵀ, δ′ a′ᵀ⟩ = (a·a′)(δ·δ′), shape (X, T), with no gradient made; arrays or tensors (section 2, app. G).

    δ aᵀ is ∂ℓ/∂W of a linear layer without its bias, at one position. Of the last layer an example has one position:
    there this is ⟨∂ℓ/∂W, ∂ℓ'/∂W⟩ itself, and one query's a′ and δ′ may be vectors, for shape (X,).
    """
    return (inputs_XI @ other_inputs_TI.T) * (deltas_XO @ other_deltas_TO.T)


def weight_gradients(inputs_BLI: "Tensor", deltas_BLO: "Tensor") -> "Tensor":
    """∂ℓ/∂W = Σ_l δ_l a_lᵀ of each example, shape (B, O·I); (B, I·O) where a module keeps its weights the other way round."""
    return (deltas_BLO.mT @ inputs_BLI).flatten(1)


def bias_gradients(deltas_BLO: "Tensor") -> "Tensor":
    """∂ℓ/∂b = Σ_l δ_l of each example, shape (B, O)."""
    return deltas_BLO.sum(dim=1)


def gradient_products(gradients_BW: "Tensor", other_gradients_TW: "Tensor") -> "Tensor":
    """⟨∂ℓ/∂W, ∂ℓ'/∂W⟩, shape (B, T), of gradients that have been made: cheaper than `layer_products` for many positions."""
    return gradients_BW @ other_gradients_TW.T


def with_bias_input(features_XH: FloatArray) -> FloatArray:
    """The inputs of a linear layer with a last one that is always 1: its bias as one more weight."""
    one = np.ones((*features_XH.shape[:-1], 1), dtype=features_XH.dtype)
    return np.concatenate([features_XH, one], axis=-1)


def representer_scores(
    features_NH: FloatArray, deltas_NY: FloatArray, features_H: FloatArray, label: int, *, l2: float
) -> FloatArray:
    """−(1/2λn) ∂ℓ/∂f_j · a·a′, shape (N,): what each training example adds to logit j of the query (eq. 1).

    Above 0: excitatory, it raises the logit of `label`. λ is `l2`, the strength of the penalty λ‖W‖² on the mean loss.
    Where the last layer is stationary under that penalty the values sum to the logit exactly; elsewhere λ is only a scale.
    """
    return deltas_NY[:, label] * (features_NH @ features_H) / (-2 * l2 * len(features_NH))


def last_layer_hessian(features_NH: FloatArray, probabilities_NY: FloatArray) -> FloatArray:
    """Hessian of the mean cross-entropy by the last layer's weights in the order (label, input), shape (Y·H, Y·H).

    Block (y, z) is the mean over examples of p_y ([y = z] − p_z) a aᵀ.
    """
    features_NH = features_NH.astype(np.float64)
    n, width = features_NH.shape
    labels = probabilities_NY.shape[1]
    hessian_YHYH = np.empty((labels, width, labels, width))
    for y in range(labels):
        for z in range(y + 1):
            weights_N = probabilities_NY[:, y] * (float(y == z) - probabilities_NY[:, z].astype(np.float64))
            block_HH = (features_NH * weights_N[:, None]).T @ features_NH / n
            hessian_YHYH[y, :, z] = hessian_YHYH[z, :, y] = block_HH
    return hessian_YHYH.reshape(labels * width, labels * width)


def hessian_solver(
    features_NH: FloatArray, probabilities_NY: FloatArray, *, damping: float
) -> Callable[[FloatArray], FloatArray]:
    """A function that turns a gradient (Y, H) into (H + damping·I)⁻¹ gradient; see `last_layer_hessian`.

    Factorised once where the Hessian fits into memory; for a larger layer solved by conjugate gradients, which needs
    only products with it, to a relative residual of 1e-8. `damping` must be above 0: with softmax the Hessian is singular.
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.sparse.linalg import LinearOperator, cg

    n, (labels, width) = len(features_NH), (probabilities_NY.shape[1], features_NH.shape[1])
    if labels * width <= EXPLICIT_WEIGHTS:
        hessian_XX = last_layer_hessian(features_NH, probabilities_NY)
        hessian_XX[np.diag_indices_from(hessian_XX)] += damping
        factor = cho_factor(hessian_XX, overwrite_a=True)
        return lambda gradient_YH: cho_solve(factor, gradient_YH.ravel().astype(np.float64)).reshape(labels, width)

    def times(vector_X: FloatArray) -> FloatArray:
        direction_YH = vector_X.reshape(labels, width)
        change_NY = features_NH @ direction_YH.T
        change_NY -= (probabilities_NY * change_NY).sum(axis=1, keepdims=True)
        product_YH = (probabilities_NY * change_NY).T @ features_NH / n + damping * direction_YH
        return product_YH.ravel()

    features_NH, probabilities_NY = features_NH.astype(np.float64), probabilities_NY.astype(np.float64)
    operator: Any = LinearOperator((labels * width, labels * width), matvec=times, dtype=np.float64)

    def solve(gradient_YH: FloatArray) -> FloatArray:
        found, failed = cg(operator, gradient_YH.ravel().astype(np.float64), rtol=SOLVED_TO, maxiter=5_000)
        if failed:
            raise ArithmeticError("conjugate gradients have not converged; use a larger damping")
        return np.asarray(found).reshape(labels, width)

    return solve


def influence_scores(features_NH: FloatArray, deltas_NY: FloatArray, direction_YH: FloatArray) -> FloatArray:
    """(1/n) ∇ℓ(x)ᵀ H⁻¹ ∇ℓ(x′), shape (N,), for a direction H⁻¹ ∇ℓ(x′) of `hessian_solver` (section 2; Koh and Liang).

    Estimates by how many nats the query's loss rises if the example is left out and the last layer is fitted again:
    above 0 for a proponent. The paper's `Inf` is minus this, times n.
    """
    scores_N: FloatArray = np.vecdot(deltas_NY @ direction_YH, features_NH) / len(features_NH)
    return scores_N


def extremes(scores_N: FloatArray, tie_ranks_N: IntArray, top: int) -> tuple[IntArray, IntArray]:
    """The `top` proponents (largest first) and opponents (most negative first), ties in order of `tie_ranks_N`.

    An exact zero is neither.
    """
    return _largest(scores_N, tie_ranks_N, top), _largest(-scores_N, tie_ranks_N, top)


def _largest(scores_N: FloatArray, tie_ranks_N: IntArray, top: int) -> IntArray:
    # The top-th largest of the maxima of short stretches is a bound that at least `top` scores reach and few others do;
    # all that reach it are sorted, so ties at the edge are settled by rank. (A partition of all scores is 10–100× slower.)
    if 0 < top < len(scores_N):
        peaks = np.maximum.reduceat(scores_N, np.arange(0, len(scores_N), max(1, len(scores_N) // (8 * top))))
        candidates = np.flatnonzero(scores_N >= max(np.partition(peaks, -top)[-top], 0))
    else:
        candidates = np.arange(len(scores_N))
    candidates = candidates[scores_N[candidates] > 0]
    order = np.lexsort((tie_ranks_N[candidates], -scores_N[candidates]))
    return candidates[order[:top]]


def random_scores(n: int, generator: np.random.Generator) -> FloatArray:
    """Standard normal scores: the control every method must beat, shape (N,)."""
    return generator.standard_normal(n)


def random_same_label_scores(labels_N: IntArray, label: int, generator: np.random.Generator) -> FloatArray:
    """Random scores, positive for the query's label and negative for others: what the label alone explains, shape (N,)."""
    return np.abs(generator.standard_normal(len(labels_N))) * np.where(labels_N == label, 1.0, -1.0)
