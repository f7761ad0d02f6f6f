"""Influence functions: the last layer's Hessian, and solving with it and any other (section 2; Koh and Liang).

Axes: N training examples, H inputs of the last linear layer, Y labels, X = Y·H its weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from influence.errors import SettingsError
from influence.types import FloatArray

EXPLICIT_WEIGHTS = 6_000  # up to here the Hessian is a matrix in memory; beyond it is only multiplied with
SOLVED_TO = 1e-8  # relative residual of the iterative solution
LEAST_DAMPING = 1e-12  # of the Hessian's size: what is less drowns in the rounding of float64


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
    from scipy.sparse.linalg import LinearOperator, cg

    n, (labels, width) = len(features_NH), (probabilities_NY.shape[1], features_NH.shape[1])
    if labels * width <= EXPLICIT_WEIGHTS:
        solve_rows = damped_solver(last_layer_hessian(features_NH, probabilities_NY), damping)
        return lambda gradient_YH: solve_rows(gradient_YH.reshape(1, -1)).reshape(labels, width)

    def times(vector_X: FloatArray) -> FloatArray:
        direction_YH = vector_X.reshape(labels, width)
        change_NY = features_NH @ direction_YH.T
        change_NY -= (probabilities_NY * change_NY).sum(axis=1, keepdims=True)
        product_YH = (probabilities_NY * change_NY).T @ features_NH / n + damping * direction_YH
        return product_YH.ravel()

    features_NH, probabilities_NY = features_NH.astype(np.float64), probabilities_NY.astype(np.float64)
    trace_N = np.vecdot(features_NH, features_NH) * (probabilities_NY * (1 - probabilities_NY)).sum(axis=1)
    check_damping(damping, float(trace_N.mean()))
    operator: Any = LinearOperator((labels * width, labels * width), matvec=times, dtype=np.float64)

    def solve(gradient_YH: FloatArray) -> FloatArray:
        found, failed = cg(operator, gradient_YH.ravel().astype(np.float64), rtol=SOLVED_TO, maxiter=5_000)
        if failed:
            raise SettingsError(f"--damping {damping:g}: conjugate gradients have not converged; take a larger one")
        return np.asarray(found).reshape(labels, width)

    return solve


def damped_solver(hessian_XX: FloatArray, damping: float) -> Callable[[FloatArray], FloatArray]:
    """A function that turns rows (M, X) into rows (H + damping·I)⁻¹ row, H positive semidefinite; its array is used up.

    Raises `SettingsError` for a damping that is lost in rounding.
    """
    from scipy.linalg import cho_factor, cho_solve

    check_damping(damping, float(np.trace(hessian_XX)))
    hessian_XX[np.diag_indices_from(hessian_XX)] += damping
    factor = cho_factor(hessian_XX.T, lower=True, overwrite_a=True)  # .T: in place, as LAPACK goes by columns
    return lambda rows_MX: np.asarray(cho_solve(factor, rows_MX.T.astype(np.float64)).T)


def check_damping(damping: float, size: float) -> None:
    """Raise `SettingsError` for a damping that is lost beside a Hessian of that size."""
    if damping < LEAST_DAMPING * size:
        raise SettingsError(
            f"--damping {damping:g}: lost in rounding beside this Hessian; take {2 * LEAST_DAMPING * size:.0e} or more"
        )


def influence_scores(features_NH: FloatArray, deltas_NY: FloatArray, direction_YH: FloatArray) -> FloatArray:
    """(1/n) ∇ℓ(x)ᵀ H⁻¹ ∇ℓ(x′), shape (N,), for a direction H⁻¹ ∇ℓ(x′) of `hessian_solver` (section 2; Koh and Liang).

    Estimates by how many nats the query's loss rises if the example is left out and the last layer is fitted again:
    above 0 for a proponent. H is the mean over the examples; the paper's is the sum, n times as large, so that without damping
    its `Inf` is exactly minus this.
    """
    return leave_one_out_scores(np.vecdot(deltas_NY @ direction_YH, features_NH), len(features_NH))


def leave_one_out_scores(products_X: FloatArray, count: int) -> FloatArray:
    """(1/n) ⟨∇ℓ(x), H⁻¹ ∇ℓ(x′)⟩ of the inner products, for any layer; n training examples (section 2; Koh and Liang)."""
    return products_X / count


class Solution(NamedTuple):
    """What `minres` has found."""

    found_MX: FloatArray
    residual: float  # the largest ‖A x − b‖ / ‖b‖, measured by a product more
    lowest: float  # an upper bound of the lowest eigenvalue of A, in the end close to it


def minres(
    times: Callable[[FloatArray], FloatArray],
    wanted_MX: FloatArray,
    *,
    residual: float,
    most: int,
    tell: Callable[[float], None] = lambda _: None,
) -> Solution:
    """Solve A x = b for every row b of (M, X), A symmetric and of any sign (Paige and Saunders 1975).

    `times` multiplies rows with A, all at once. A row stops where the residual that the recurrence keeps is at most half of
    `residual`, or after `most` products. `tell` hears of the largest as it falls.
    """
    length_M = np.linalg.norm(wanted_MX, axis=1)
    found_MX, rows = np.zeros(wanted_MX.shape), np.flatnonzero(length_M)
    states = [_MinresRow(wanted_MX[row], length_M[row]) for row in rows.tolist()]
    if not states:
        return Solution(found_MX, 0.0, np.inf)
    for _ in range(most):
        open_ = [state for state in states if state.left > residual / 2 * state.length]
        if not open_:
            break
        for state, product_X in zip(open_, times(np.stack([state.basis for state in open_])), strict=True):
            state.step(product_X)
        tell(max(state.left / state.length for state in states))
    found_MX[rows] = np.stack([state.found for state in states])
    errors_M = np.linalg.norm(times(found_MX[rows]) - wanted_MX[rows], axis=1) / length_M[rows]
    return Solution(found_MX, float(errors_M.max()), min(state.lowest() for state in states))


class _MinresRow:
    """One right-hand side: the Lanczos basis vectors and the plane rotations that keep its QR."""

    def __init__(self, wanted_X: FloatArray, length: float) -> None:
        self.length = self.left = float(length)  # `left` is the length of the residual
        self.found = np.zeros(len(wanted_X))
        self.basis = wanted_X.astype(np.float64) / length
        self._before = np.zeros(len(wanted_X))
        self._alphas, self._betas = list[float](), [0.0]  # the tridiagonal matrix that A is in the basis
        self._steps = np.zeros((2, len(wanted_X)))  # the last two directions
        self._cos, self._sin, self._diagonal, self._above = -1.0, 0.0, 0.0, 0.0

    def step(self, product_X: FloatArray) -> None:
        """One step further; `product_X` is A times `basis`."""
        after = product_X - self._betas[-1] * self._before
        alpha = float(after @ self.basis)
        after -= alpha * self.basis
        beta = float(np.linalg.norm(after))
        delta = self._cos * self._diagonal + self._sin * alpha
        rest, above = self._sin * self._diagonal - self._cos * alpha, self._above
        self._above, self._diagonal = self._sin * beta, -self._cos * beta
        gamma = max(float(np.hypot(rest, beta)), np.finfo(float).tiny)
        self._cos, self._sin = rest / gamma, beta / gamma
        direction = (self.basis - above * self._steps[0] - delta * self._steps[1]) / gamma
        self._steps = np.stack([self._steps[1], direction])
        self.found += self._cos * self.left * direction
        self.left *= self._sin
        self._before, self.basis = self.basis, after / beta if beta else after
        self._alphas.append(alpha)
        self._betas.append(beta)

    def lowest(self) -> float:
        """The lowest eigenvalue of A in the space that has been seen."""
        from scipy.linalg import eigvalsh_tridiagonal

        return float(eigvalsh_tridiagonal(self._alphas, self._betas[1:-1], select="i", select_range=(0, 0))[0])
