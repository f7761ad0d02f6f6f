"""The formulas over the weights of a layer, and over the logits alone.

Axes: N training examples, L positions, H inputs of the last linear layer, Y labels, B a batch; of a layer I inputs, O outputs,
W = O·I weights; X and T positions or examples, whichever a caller has. "Tensors" are arrays of PyTorch, wherever the model is.
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from influence.formulas.loss import tracin_term
from influence.types import FloatArray

if TYPE_CHECKING:  # most methods read the index and should not wait for PyTorch to be imported
    from torch import Tensor

Array = TypeVar("Array", FloatArray, "Tensor")


def text_scores(similarities_N: FloatArray, deltas_NY: FloatArray, deltas_Y: FloatArray, rate: float) -> FloatArray:
    """η cos(x, x') δ·δ′, shape (N,): likeness of the texts times the product of the loss gradients at the logits (eq. 7)."""
    products_N: FloatArray = np.vecdot(deltas_NY, deltas_Y)  # row by row, so that equal rows stay equal
    return tracin_term(rate, similarities_N) * products_N


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
