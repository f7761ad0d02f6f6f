"""Rows of gradients in a quarter, or half, of float32's bytes: int8 with a scale a row, and a second int8 plane of what is left.

    g  =  s (q₁ + q₂ / 254) + e       s = max |g| / 127,  q₁ = round(g / s),  q₂ = round(254 (g / s − q₁))

The first plane alone is off by r = g − s q₁, so an inner product with q by at most ‖q‖ ‖r‖ (Cauchy, Schwarz); ‖r‖ is kept,
rounded up, as a share of the most it can be, s √D / 2. Both planes are off by |e| ≤ s / 508 in each coordinate: 1.5e-5 of the
row's largest.

Axes: P rows, D embedding width.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from influence.types import FloatArray, IntArray

if TYPE_CHECKING:  # rows are read without PyTorch
    import torch

LEVELS, SECOND = 127, 254
SHARES = 255  # steps of a remainder's share


class Compact(NamedTuple):
    """Rows in two planes."""

    first_PD: IntArray  # int8
    second_PD: IntArray  # int8
    scales_P: FloatArray  # float32; 0 for a row of zeros
    remainders_P: IntArray  # uint8: ‖r‖ in steps of `remainder_step` times the scale, rounded up


def remainder_step(width: int) -> float:
    """What one step of a remainder is, in units of its row's scale."""
    return math.sqrt(width) / 2 / SHARES


def compacted(rows: "torch.Tensor") -> "tuple[torch.Tensor, ...]":
    """The four arrays of `Compact` for rows of shape (…, D), made on their device, so that half the bytes travel."""
    import torch

    scales = rows.abs().amax(dim=-1) / LEVELS
    # A row so small that its scale is no normal number would be divided by zero; it adds nothing that float32 could tell.
    scales = torch.where(scales >= torch.finfo(torch.float32).tiny, scales, torch.zeros_like(scales))
    units = torch.where(scales > 0, 1 / scales, torch.zeros_like(scales)).unsqueeze(-1) * rows
    first = units.round().clamp_(-LEVELS, LEVELS)
    rest = units.sub_(first)
    shares = torch.linalg.vector_norm(rest, dim=-1) / remainder_step(rows.shape[-1])
    second = rest.mul_(SECOND).round_().clamp_(-LEVELS, LEVELS)
    # One step more for what is rounded on the way here.
    return first.to(torch.int8), second.to(torch.int8), scales, shares.ceil_().add_(1).clamp_(0, SHARES).to(torch.uint8)


def expanded(first_PD: IntArray, second_PD: IntArray, scales_P: FloatArray) -> FloatArray:
    """The rows again, float32 of shape (P, D), by both planes."""
    rows_PD: FloatArray = second_PD.astype(np.float32)
    rows_PD *= np.float32(1 / SECOND)
    rows_PD += first_PD
    rows_PD *= scales_P[:, None]
    return rows_PD
