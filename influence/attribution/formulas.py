"""The formulas of the influence methods, on plain arrays.

Sign, here and everywhere: a score above 0 is a proponent (a gradient step on the training example lowers the loss on
the query), below 0 an opponent. The paper prints a minus in eqs. 2, 3, 6 and 7; its own tables need this plus.

Axes: N training examples, L and M positions, D embedding width, H inputs of the last linear layer, Y labels, B a batch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from influence.types import BoolArray, FloatArray, IntArray

EXPLICIT_WEIGHTS = 6_000  # up to here the Hessian is a matrix in memory; beyond it is only multiplied with
SOLVED_TO = 1e-8  # relative residual of the iterative solution


def top_k_positions(norms_BL: FloatArray, real_BL: BoolArray, k: int) -> BoolArray:
    """The k real positions of largest gradient norm in each row (eq. 5); ties go to the earlier position."""
    ranked_BL = np.argsort(np.where(real_BL, -norms_BL, np.inf), axis=1, kind="stable")
    kept_BL = np.zeros_like(real_BL)
    np.put_along_axis(kept_BL, ranked_BL[:, :k], True, axis=1)
    return kept_BL & real_BL


def word_contributions(
    tokens_L: IntArray, gradients_LD: FloatArray, other_tokens_M: IntArray, other_gradients_MD: FloatArray
) -> FloatArray:
    """Contribution of every pair of positions that hold the same token, shape (L, M); 0 elsewhere (eqs. 3, 4).

    Summed over all positions it is the inner product of the two examples' word-embedding gradients, because
    ⟨Σ g_i, Σ g'_j⟩ = Σ ⟨g_i, g'_j⟩ over the positions of a word. Without learning rate; one checkpoint.
    """
    same_LM = tokens_L[:, None] == other_tokens_M[None, :]
    return np.where(same_LM, gradients_LD @ other_gradients_MD.T, 0.0)


def last_layer_scores(features_NH: FloatArray, deltas_NY: FloatArray, features_H: FloatArray, deltas_Y: FloatArray) -> FloatArray:
    """⟨∂ℓ/∂W, ∂ℓ'/∂W⟩ for the last linear layer without its bias = (a·a′)(δ·δ′), shape (N,) (section 2, app. G)."""
    products_N: FloatArray = (features_NH @ features_H) * (deltas_NY @ deltas_Y)
    return products_N


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
    scores_N: FloatArray = deltas_NY[:, label] * (features_NH @ features_H) / (-2 * l2 * len(features_NH))
    return scores_N


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
