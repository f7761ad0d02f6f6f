"""Influence functions of the last layer: its Hessian, and solving with it (section 2; Koh and Liang).

Axes: N training examples, H inputs of the last linear layer, Y labels, X = Y·H its weights.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from influence.types import FloatArray

EXPLICIT_WEIGHTS = 6_000  # up to here the Hessian is a matrix in memory; beyond it is only multiplied with
SOLVED_TO = 1e-8  # relative residual of the iterative solution


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
    above 0 for a proponent. H is the mean over the examples; the paper's is the sum, n times as large, so that without damping
    its `Inf` is exactly minus this.
    """
    scores_N: FloatArray = np.vecdot(deltas_NY @ direction_YH, features_NH) / len(features_NH)
    return scores_N
