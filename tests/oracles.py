"""Slow and obvious: one example at a time, float64, dense matrices, no code shared with the engine."""

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from influence.models.encoding import Encoding


class Row(NamedTuple):
    """One example, unpadded."""

    tokens: list[int]
    types: list[int]  # -1: the tokenizer makes none
    label: int


def rows_of(encoding: Encoding, labels: Sequence[int]) -> list[Row]:
    """The examples of an encoding."""
    edges = encoding.offsets_N1
    return [
        Row(
            encoding.tokens_R[start:stop].tolist(),
            encoding.types_R[start:stop].tolist(),
            int(label),
        )
        for start, stop, label in zip(edges, edges[1:], labels, strict=False)
    ]


def doubled(model: PreTrainedModel) -> PreTrainedModel:
    """A float64 copy in eval mode with every parameter free."""
    return copy.deepcopy(model).double().eval().requires_grad_(True)


@lru_cache(maxsize=16)
def _shared_copy(model: PreTrainedModel) -> PreTrainedModel:
    return doubled(model)


def loss(model: PreTrainedModel, row: Row, tokens: Sequence[int] | None = None) -> torch.Tensor:
    """Cross-entropy of one example; `tokens` may stand in for its own."""
    inputs: dict[str, Any] = {
        "input_ids": torch.tensor([row.tokens if tokens is None else tokens]),
        "attention_mask": torch.ones(1, len(row.tokens), dtype=torch.long),
    }
    if model.config.model_type == "bert" and -1 not in row.types:
        inputs["token_type_ids"] = torch.tensor([row.types])
    return F.cross_entropy(model(**inputs).logits, torch.tensor([row.label]))


def embedding_gradient(model: PreTrainedModel, row: Row) -> np.ndarray:
    """Dense gradient of the loss by the word-embedding matrix, shape (V, D)."""
    model = _shared_copy(model)
    (gradient,) = torch.autograd.grad(loss(model, row), [model.get_input_embeddings().weight])
    return gradient.numpy()


def position_gradients(model: PreTrainedModel, row: Row) -> np.ndarray:
    """Gradient by the word embedding at every position, shape (L, D).

    Every position gets a row of the matrix to itself (a copy of its word's), so the gradient of the matrix is that of
    the positions; no hook is needed.
    """
    model = _shared_copy(model)
    words = model.get_input_embeddings()
    own = nn.Embedding.from_pretrained(words.weight.detach()[row.tokens].clone(), freeze=False)
    model.set_input_embeddings(own)
    try:
        (gradient,) = torch.autograd.grad(loss(model, row, tokens=range(len(row.tokens))), [own.weight])
    finally:
        model.set_input_embeddings(words)
    return gradient.numpy()


def kept_positions(gradients_LD: np.ndarray, k: int) -> list[int]:
    """The k positions of largest gradient norm, ties to the earlier one."""
    return sorted(range(len(gradients_LD)), key=lambda i: (-np.linalg.norm(gradients_LD[i]), i))[:k]


def by_token(gradients_LD: np.ndarray, tokens: Sequence[int], positions: Sequence[int], vocabulary: int) -> np.ndarray:
    """Position gradients summed by token into a dense matrix, shape (V, D) (eq. 5)."""
    dense = np.zeros((vocabulary, gradients_LD.shape[1]))
    for position in positions:
        dense[tokens[position]] += gradients_LD[position]
    return dense


def word_contributions(
    tokens_L: np.ndarray, gradients_LD: np.ndarray, other_tokens_M: np.ndarray, other_gradients_MD: np.ndarray
) -> np.ndarray:
    """⟨g_i, g'_j⟩ of every pair of positions that hold the same token, shape (L, M); 0 elsewhere (eqs. 3, 4)."""
    same_LM = tokens_L[:, None] == other_tokens_M[None, :]
    return np.where(same_LM, gradients_LD @ other_gradients_MD.T, 0.0)


def last_weight_gradient(model: PreTrainedModel, row: Row) -> np.ndarray:
    """Dense gradient of the loss by the last linear layer's weight, shape (Y, H)."""
    model = _shared_copy(model)
    (gradient,) = torch.autograd.grad(loss(model, row), [model.classifier.weight])
    return gradient.numpy()


def tracin(gradients_NX: Sequence[np.ndarray], other_MX: Sequence[np.ndarray]) -> np.ndarray:
    """Inner products of dense gradients, shape (M, N): other examples down, training examples across."""
    left = np.stack([g.ravel() for g in other_MX])
    right = np.stack([g.ravel() for g in gradients_NX])
    return left @ right.T


def relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest difference by the largest wanted value."""
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())
