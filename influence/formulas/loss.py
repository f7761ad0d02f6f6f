"""What every method begins with: the loss gradient at the logits, and what one step adds to a score.

Axes: N training examples, B a batch, Y labels, X whatever a caller has.
"""

from typing import Any

import numpy as np

from influence.types import FloatArray, IntArray


def tracin_term(rate: float | np.floating[Any], products_X: FloatArray) -> FloatArray:
    """η ⟨∇ℓ, ∇ℓ'⟩, what one checkpoint adds to a TracIn score: learning rate times inner products (eq. 2)."""
    return rate * products_X


def logit_gradients(probabilities_BY: FloatArray, labels_B: IntArray) -> FloatArray:
    """∂ℓ/∂f = p − y, the loss gradient at the logits: probabilities less the one-hot label, shape (B, Y).

    At the label it is made as −Σ of the other probabilities: where the model is sure, p − 1 has no digits left (float32 of a
    probability that is 1e-8 short of 1 is 1). So each row sums to 0.
    """
    deltas_BY, rows_B = probabilities_BY.copy(), np.arange(len(labels_B))
    deltas_BY[rows_B, labels_B] = 0
    deltas_BY[rows_B, labels_B] = -deltas_BY.sum(axis=1)
    return deltas_BY


def probabilities_of(deltas_NY: FloatArray, labels_N: IntArray) -> FloatArray:
    """The probabilities that `logit_gradients` was given, float64 of shape (N, Y)."""
    probabilities_NY = deltas_NY.astype(np.float64)
    probabilities_NY[np.arange(len(labels_N)), labels_N] += 1
    return probabilities_NY
